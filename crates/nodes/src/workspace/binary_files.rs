//! `nodetool.workspace.ReadBinaryFile`, `WriteBinaryFile`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::place::{MAX_FILE, failed, inside, make_parent, read};
use crate::bounds::blocking;

/// Reads a file of the workspace as base64.
/// workspace, file, read, binary, base64
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct ReadBinaryFile {
    /// Path in the workspace.
    path: String,
}

impl Process for ReadBinaryFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            let path = inside(&workspace, "path", &self.path)?;
            // The text is a third longer than the file.
            Ok(STANDARD.encode(read(&path, "path", MAX_FILE / 4 * 3)?))
        })
        .await
    }
}

/// Writes a file given as base64 into the workspace.
/// workspace, file, write, binary, base64, save
///
/// Folders on the way are made. Gives the path.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "idempotent")]
pub(super) struct WriteBinaryFile {
    /// Path in the workspace.
    path: String,
    /// The file's bytes as base64.
    content: String,
}

impl Process for WriteBinaryFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            let text: String = self.content.split_ascii_whitespace().collect();
            let data = STANDARD
                .decode(text)
                .map_err(|e| NodeError::bad("content", format!("{e} (expected base64)")))?;
            let path = inside(&workspace, "path", &self.path)?;
            make_parent(&path, "path")?;
            std::fs::write(path, data).map_err(|e| failed("path", "cannot be written", &e))?;
            Ok(self.path)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn bytes_survive_the_round_trip_and_other_text_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        let write = |content: &str| {
            let c = case::<WriteBinaryFile>()
                .set("path", "d/x.bin")
                .set("content", content);
            c.within(cx()).value()
        };
        write("AP8Q\nAQ==").await.unwrap();
        assert_eq!(
            std::fs::read(root.path().join("d/x.bin")).unwrap(),
            [0, 255, 16, 1]
        );
        let read = case::<ReadBinaryFile>().set("path", "d/x.bin").within(cx());
        assert_eq!(read.value().await.unwrap(), "AP8QAQ==".into());
        let said = write("not base64!").await.unwrap_err().to_string();
        assert!(said.contains("`content`"), "{said}");
    }
}
