//! `nodetool.workspace.SaveImageFile`, `SaveVideoFile`: media as files, byte by byte as they came.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use nodetool_sdk::{
    ImageRef, Node, NodeCx, NodeError, Process, Severity, Value, VideoRef, Workspace,
};

use super::place::{failed, inside, make_parent, numbered};
use crate::bounds::blocking;
use crate::file_name::stamped;

/// Most numbers that are tried for a free name.
const MAX_NUMBER: usize = 10_000;

/// Saves an image into the workspace.
/// workspace, image, save, file, export
///
/// The image is written as it is, without converting it to what the file name says. Without overwriting, a taken name
/// gets a number.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "idempotent")]
pub(super) struct SaveImageFile {
    /// The image.
    image: ImageRef,
    /// The folder, as a path in the workspace.
    #[prop(default = ".")]
    folder: String,
    /// Name of the file; %Y, %m, %d, %H, %M and %S become date and time.
    #[prop(default = "image.png")]
    filename: String,
    /// Whether an existing file is replaced.
    overwrite: bool,
}

impl Process for SaveImageFile {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let data = content(cx, &self.image.0, "image").await?;
        if let Some(kind) = mismatch(&data, &self.filename) {
            let line = format!(
                "{} holds {kind} data: images are saved as they come",
                self.filename
            );
            cx.log(Severity::Warning, line);
        }
        let file = File {
            folder: self.folder,
            name: self.filename,
            overwrite: self.overwrite,
        };
        file.save(cx, ImageRef::default().0, data)
            .await
            .map(ImageRef)
    }
}

/// Saves a video into the workspace.
/// workspace, video, save, file, export
///
/// Without overwriting, a taken name gets a number.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "idempotent")]
pub(super) struct SaveVideoFile {
    /// The video.
    video: VideoRef,
    /// The folder, as a path in the workspace.
    #[prop(default = ".")]
    folder: String,
    /// Name of the file; %Y, %m, %d, %H, %M and %S become date and time.
    #[prop(default = "video.mp4")]
    filename: String,
    /// Whether an existing file is replaced.
    overwrite: bool,
}

impl Process for SaveVideoFile {
    type Output = VideoRef;

    async fn process(self, cx: &NodeCx) -> Result<VideoRef, NodeError> {
        let data = content(cx, &self.video.0, "video").await?;
        let file = File {
            folder: self.folder,
            name: self.filename,
            overwrite: self.overwrite,
        };
        file.save(cx, VideoRef::default().0, data)
            .await
            .map(VideoRef)
    }
}

/// The bytes of a reference: its own, or those of the asset it names.
async fn content(cx: &NodeCx, reference: &Value, property: &str) -> Result<Bytes, NodeError> {
    if let Some(Value::Bytes(data)) = reference.get("data") {
        return Ok(data.clone());
    }
    let filled = |key: &str| match reference.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Str(text)) => !text.is_empty(),
        Some(_) => true,
    };
    if !["uri", "asset_id", "data"].into_iter().any(filled) {
        let message = format!("is empty; expected the {property} to save");
        return Err(NodeError::bad(property, message));
    }
    cx.services().assets.read(reference).await
}

/// Where media go.
struct File {
    folder: String,
    name: String,
    overwrite: bool,
}

impl File {
    /// Writes the bytes and gives a reference to the file: its path in the workspace, and the bytes themselves.
    async fn save(self, cx: &NodeCx, empty: Value, data: Bytes) -> Result<Value, NodeError> {
        let workspace = cx.workspace()?;
        let written = data.clone();
        let path = blocking(move || self.write(&workspace, &written)).await?;
        let with = |data: Value| match &empty {
            Value::Map(map) => {
                let mut map = Arc::unwrap_or_clone(map.clone());
                map.insert("uri".into(), path.as_str().into());
                map.insert("data".into(), data);
                map.into()
            }
            other => other.clone(),
        };
        cx.saved(&path, with(Value::Null));
        Ok(with(Value::Bytes(data)))
    }

    fn write(self, workspace: &Workspace, data: &[u8]) -> Result<String, NodeError> {
        let name = stamped(self.name.trim());
        if name.is_empty() || name.ends_with('/') {
            let message = format!("{:?} (expected the name of a file)", self.name);
            return Err(NodeError::bad("filename", message));
        }
        // Checked apart, so that neither can make the other absolute.
        inside(workspace, "folder", &self.folder)?;
        inside(workspace, "filename", &name)?;
        for number in 0..=MAX_NUMBER {
            let name = if number == 0 {
                name.clone()
            } else {
                numbered(&name, number)
            };
            let path = inside(workspace, "filename", &format!("{}/{name}", self.folder))?;
            make_parent(&path, "folder")?;
            match self.put(&path, data) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed("filename", "cannot be written", &e)),
                Ok(()) => return Ok(workspace.relative(&path)),
            }
        }
        let message = format!("{name:?} and {MAX_NUMBER} numbered names are taken");
        Err(NodeError::bad("filename", message))
    }

    fn put(&self, path: &PathBuf, data: &[u8]) -> io::Result<()> {
        let mut how = fs::OpenOptions::new();
        how.write(true);
        if self.overwrite {
            how.create(true).truncate(true)
        } else {
            how.create_new(true)
        };
        how.open(path)?.write_all(data)
    }
}

/// The image's format, when the file name says another.
fn mismatch(data: &[u8], name: &str) -> Option<&'static str> {
    let (kind, extensions): (_, &[&str]) = match data {
        [0x89, b'P', b'N', b'G', ..] => ("PNG", &["png"]),
        [0xff, 0xd8, 0xff, ..] => ("JPEG", &["jpg", "jpeg"]),
        [b'G', b'I', b'F', b'8', ..] => ("GIF", &["gif"]),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => ("WebP", &["webp"]),
        _ => return None,
    };
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    (!extensions.contains(&extension.as_str())).then_some(kind)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    fn image(data: &'static [u8]) -> Value {
        Value::map([
            ("type", Value::from("image")),
            ("data", Bytes::from_static(data).into()),
        ])
    }

    #[tokio::test]
    async fn taken_names_get_a_number_unless_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let save = |data: &'static [u8], overwrite: bool| {
            let run = case::<SaveImageFile>()
                .set("image", image(data))
                .set("folder", "pics");
            let cx = context_with(Services::none(), Some(root.path().into()));
            run.set("overwrite", overwrite).within(cx).value()
        };
        let text = |p: &str| fs::read_to_string(root.path().join(p)).unwrap();
        let first = save(b"one", false).await.unwrap();
        assert_eq!(first.get("uri"), Some(&"pics/image.png".into()));
        assert_eq!(first.get("data"), Some(&Bytes::from_static(b"one").into()));
        let second = save(b"two", false).await.unwrap();
        assert_eq!(second.get("uri"), Some(&"pics/image_1.png".into()));
        save(b"3", true).await.unwrap();
        assert_eq!(
            (text("pics/image.png"), text("pics/image_1.png")),
            ("3".into(), "two".into())
        );
    }

    #[tokio::test]
    async fn empty_media_and_places_outside_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in [
            ("folder", Value::from("../x")),
            ("filename", "../x.png".into()),
            ("filename", "/x.png".into()),
            ("filename", "".into()),
            ("video", VideoRef::default().0),
        ] {
            let video = Value::map([("data", Bytes::from_static(b"v").into())]);
            let run = case::<SaveVideoFile>()
                .set("video", video)
                .set(name, value)
                .within(context_with(Services::none(), Some(root.path().into())));
            let said = run.value().await.unwrap_err().to_string();
            assert!(said.contains(&format!("`{name}`")), "{said}");
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
