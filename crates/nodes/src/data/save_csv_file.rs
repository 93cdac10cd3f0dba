//! `nodetool.data.SaveCSVDataframeFile`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::table::{Table, written};
use super::{csv, work};
use crate::file_name::stamped;

/// Writes a table to a CSV file in the workspace.
/// csv, file, save, write, workspace
///
/// The name may hold marks for the time of writing: %Y, %m, %d for the date, %H, %M, %S for the time of day. The folder
/// is made when it is not there.
#[derive(Node)]
#[node(namespace = "nodetool.data", uncached, effect = "idempotent")]
pub(super) struct SaveCSVDataframeFile {
    /// The table.
    dataframe: DataframeRef,
    /// Folder in the workspace; empty for the workspace itself.
    folder: String,
    /// Name of the file.
    filename: String,
}

impl Process for SaveCSVDataframeFile {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let name = stamped(self.filename.trim());
        if name.is_empty() {
            return Err(NodeError::bad(
                "filename",
                "empty (expected a name such as table.csv)",
            ));
        }
        let workspace = cx.workspace()?;
        let folder = workspace.resolve(self.folder.trim());
        let folder = folder.map_err(|e| NodeError::bad("folder", e.to_string()))?;
        let path = workspace.resolve(&folder.join(&name).to_string_lossy());
        let path = path.map_err(|e| NodeError::bad("filename", e.to_string()))?;
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        let shown = workspace.relative(&path);
        // Files are never quick: always off this thread.
        let saved = work::run(usize::MAX, move |_| {
            let frame = table.read()?;
            let text = csv::write(&frame).map_err(|e| NodeError::bad("dataframe", e))?;
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&path, text))
                .map_err(|e| {
                    NodeError::bad("filename", format!("'{shown}' cannot be written: {e}"))
                })?;
            Ok(written(frame))
        })
        .await?;
        cx.saved(&name, saved.0.clone());
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn the_file_lands_inside_the_workspace_or_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let run = |folder: &str, filename: &str| {
            let table = r#"{"rows":[{"a":1,"b":"x,y"},{"a":2}]}"#;
            case::<SaveCSVDataframeFile>()
                .set("dataframe", serde_json::from_str::<Value>(table).unwrap())
                .set("folder", folder)
                .set("filename", filename)
                .within(context_with(Services::none(), Some(dir.path().into())))
                .value()
        };
        let out = run("new/sub", "t%%.csv").await.unwrap();
        assert_eq!(out.get("data").unwrap().as_list().unwrap().len(), 2);
        let text = std::fs::read_to_string(dir.path().join("new/sub/t%.csv")).unwrap();
        assert_eq!(text, "a,b\n1,\"x,y\"\n2,\n");
        for (folder, filename, property) in [
            ("", "../t.csv", "`filename`"),
            ("", "/t.csv", "`filename`"),
            ("..", "t.csv", "`folder`"),
            ("/tmp", "t.csv", "`folder`"),
            ("", "", "`filename`"),
            ("", "new", "`filename`"),
        ] {
            let e = run(folder, filename).await.unwrap_err().to_string();
            assert!(e.contains(property), "{e}");
        }
    }
}
