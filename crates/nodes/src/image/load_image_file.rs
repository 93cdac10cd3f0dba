//! `nodetool.image.LoadImageFile`, and reading pictures from the workspace.

use bytes::Bytes;
use nodetool_sdk::{ImageRef, Node, NodeCx, NodeError, Process, Workspace};

use crate::bounds;
use crate::picture::{MAX_BYTES, carried};
use crate::workspace::place::reach;

/// Reads a picture from a file of the workspace.
/// image, load, file, open, read
#[derive(Node)]
#[node(namespace = "nodetool.image", uncached)]
pub(super) struct LoadImageFile {
    /// The file, as a path in the workspace.
    path: String,
}

impl Process for LoadImageFile {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let workspace = cx.workspace()?;
        bounds::blocking(move || {
            reach(&workspace, "path", &self.path)?;
            let name = self.path.trim();
            let inside = name
                .strip_prefix('~')
                .map_or(name, |n| n.trim_start_matches('/'));
            let file = read(&workspace, inside).map_err(|why| {
                NodeError::bad("path", format!("'{name}' cannot be loaded: {why}"))
            })?;
            Ok(carried(file))
        })
        .await
    }
}

/// The bytes of a picture file, or why there are none.
pub(super) fn read(workspace: &Workspace, name: &str) -> Result<Bytes, String> {
    // A link may lead outside; only what really lies inside is read.
    let path = workspace.resolve(name).map_err(|e| e.to_string())?;
    let facts = std::fs::metadata(&path).map_err(|e| e.to_string())?;
    if !facts.is_file() {
        return Err("it is no file".into());
    }
    if facts.len() > MAX_BYTES as u64 {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let file = std::fs::read(&path).map_err(|e| e.to_string())?;
    if image::guess_format(&file).is_err() {
        return Err("it is no picture of a known format".into());
    }
    Ok(file.into())
}
