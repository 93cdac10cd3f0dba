//! `nodetool.image.LoadImageFolder`.

use nodetool_sdk::{
    Emitter, Generate, ImageRef, Node, NodeCx, NodeError, Outputs, Severity, Value,
};

use super::load_image_file::read;
use crate::bounds;
use crate::picture::carried;
use crate::workspace::folder_files::Search;

/// Reads the pictures of a folder one by one.
/// image, load, folder, files, read, directory
///
/// Files come in the order of their names. What is no picture is left out, and the log says so.
#[derive(Node)]
#[node(namespace = "nodetool.image", kind = Generate)]
pub(super) struct LoadImageFolder {
    /// The folder, as a path in the workspace.
    folder: String,
    /// Whether folders inside it are read too.
    include_subdirectories: bool,
    /// Endings of the files to read.
    #[prop(default = endings())]
    extensions: Vec<String>,
    /// Wildcards such as *.png that the whole path has to match; none when empty.
    pattern: String,
}

/// A file.
#[derive(Outputs)]
pub(super) struct File {
    image: ImageRef,
    path: String,
}

impl Generate for LoadImageFolder {
    type Output = File;

    async fn generate(self, out: &Emitter<'_, File>, cx: &NodeCx) -> Result<(), NodeError> {
        let workspace = cx.workspace()?;
        let deep = self.include_subdirectories;
        let search = Search::new(&workspace, &self.extensions, deep, &self.pattern)?;
        for path in search.find(self.folder).await? {
            let (place, name) = (workspace.clone(), path.clone());
            match bounds::blocking(move || Ok(read(&place, &name))).await? {
                Ok(file) => {
                    let image = carried(file);
                    out.emit(File { image, path }).await?;
                }
                Err(why) => cx.log(Severity::Warning, format!("{path} was left out: {why}")),
            }
        }
        Ok(())
    }
}

fn endings() -> Value {
    let endings = [".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tiff"];
    Value::list(endings.map(Value::from))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::super::load_image_file::LoadImageFile;
    use super::*;
    use crate::picture::testing::{painted, seen};

    fn files() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("photos/old")).unwrap();
        for (name, red) in [("b.PNG", 2), ("a.jpg", 1), ("old/c.png", 3), ("d.txt", 4)] {
            let file = painted(1, 1, |_, _| [red, 0, 0, 255]).get("data");
            let file = file.as_bytes().unwrap().to_vec();
            fs::write(root.path().join("photos").join(name), file).unwrap();
        }
        fs::write(root.path().join("photos/broken.png"), "no picture").unwrap();
        root
    }

    async fn found(case: Case, root: &tempfile::TempDir) -> Vec<(String, u8)> {
        let cx = context_with(Services::none(), Some(root.path().into()));
        let files = case.set("folder", "photos").within(cx).run().await.unwrap();
        let of = |m: &nodetool_sdk::Map| {
            let red = seen(&m["image"]).pixels.get_pixel(0, 0)[0];
            (m["path"].as_str().unwrap().to_owned(), red)
        };
        files.iter().map(of).collect()
    }

    #[tokio::test]
    async fn pictures_come_by_name_and_the_rest_is_left_out() {
        let root = files();
        let flat = found(case::<LoadImageFolder>(), &root).await;
        let want = [
            ("photos/a.jpg".to_owned(), 1),
            ("photos/b.PNG".to_owned(), 2),
        ];
        assert_eq!(flat, want);
        let deep = case::<LoadImageFolder>().set("include_subdirectories", true);
        assert_eq!(found(deep, &root).await.len(), 3);
        let some = case::<LoadImageFolder>().set("pattern", "*b.PNG");
        assert_eq!(found(some, &root).await, want[1..]);
    }

    #[tokio::test]
    async fn a_folder_outside_and_a_file_that_is_no_picture_are_refused() {
        let root = files();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        let outside = case::<LoadImageFolder>().set("folder", "../x").within(cx());
        let refused = outside.run().await.unwrap_err().to_string();
        assert!(refused.contains("`folder`"), "{refused}");
        for (path, why) in [
            ("photos/broken.png", "no picture"),
            ("/etc/passwd", "`path`"),
        ] {
            let run = case::<LoadImageFile>().set("path", path).within(cx());
            let refused = run.run().await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        let whole = case::<LoadImageFile>()
            .set("path", "~/photos/b.PNG")
            .within(cx());
        assert_eq!(
            seen(&whole.value().await.unwrap()).pixels.dimensions(),
            (1, 1)
        );
    }
}
