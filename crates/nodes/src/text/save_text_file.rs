//! `nodetool.text.SaveTextFile`.

use std::path::PathBuf;
use std::sync::Arc;

use nodetool_sdk::{Node, NodeCx, NodeError, Process, TextRef, Value, Workspace};

use super::fits;
use crate::{bounds, file_name};

/// Writes a text to a file of the workspace.
/// text, save, file, write, workspace
///
/// The folder has to exist; a file of that name is replaced.
#[derive(Node)]
#[node(namespace = "nodetool.text", uncached, effect = "idempotent")]
pub(super) struct SaveTextFile {
    /// The text.
    text: String,
    /// The folder, as a path in the workspace.
    folder: String,
    /// Name of the file; marks such as %Y, %m, %d, %H, %M and %S become parts of the date and time.
    #[prop(default = "%Y-%m-%d-%H-%M-%S.txt")]
    name: String,
}

impl Process for SaveTextFile {
    type Output = TextRef;

    async fn process(self, cx: &NodeCx) -> Result<TextRef, NodeError> {
        if self.folder.trim().is_empty() {
            return Err(NodeError::bad(
                "folder",
                "folder cannot be empty (expected a folder of the workspace)",
            ));
        }
        let name = file_name::dated("name", &self.name)?;
        fits("text", self.text.len())?;
        let workspace = cx.workspace()?;
        let data = bytes::Bytes::from(self.text);
        let (written, folder) = (data.clone(), self.folder);
        let path = bounds::blocking(move || {
            let path = place(&workspace, &folder, &name)?;
            std::fs::write(&path, &written)
                .map_err(|e| NodeError::bad("name", format!("cannot be written: {e}")))?;
            Ok(workspace.relative(&path))
        })
        .await?;
        let with = |data: Value| match TextRef::default().0 {
            Value::Map(map) => {
                let mut map = Arc::unwrap_or_clone(map);
                map.insert("uri".into(), path.as_str().into());
                map.insert("data".into(), data);
                map.into()
            }
            other => other,
        };
        cx.saved(&path, with(Value::Null));
        Ok(TextRef(with(Value::Bytes(data))))
    }
}

/// The path of a name in a folder; neither may lead outside.
fn place(workspace: &Workspace, folder: &str, name: &str) -> Result<PathBuf, NodeError> {
    let place = crate::workspace::folder_files::folder(workspace, folder)?;
    if name.ends_with(['/', '\\']) {
        return Err(NodeError::bad(
            "name",
            format!("'{name}' (expected the name of a file)"),
        ));
    }
    if name.starts_with('/') {
        return Err(NodeError::bad(
            "name",
            format!("'{name}' is absolute (expected a file name)"),
        ));
    }
    workspace
        .resolve(format!("{}/{name}", workspace.relative(&place)).trim_start_matches('/'))
        .map_err(|e| NodeError::bad("name", e.to_string()))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    fn in_folder(root: &std::path::Path) -> Case {
        let cx = context_with(Services::none(), Some(root.to_owned()));
        case::<SaveTextFile>().set("text", "é").within(cx)
    }

    #[tokio::test]
    async fn the_file_lands_in_the_folder_of_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("notes")).unwrap();
        for (folder, name) in [
            ("notes", "a.txt"),
            (".", "b.txt"),
            ("~", "c.txt"),
            ("~/notes", "d.txt"),
        ] {
            let case = in_folder(root.path())
                .set("folder", folder)
                .set("name", name);
            let stored = case.value().await.unwrap();
            let uri = stored.get("uri").and_then(Value::as_str).unwrap();
            assert_eq!(
                std::fs::read_to_string(root.path().join(uri)).unwrap(),
                "é",
                "{folder}"
            );
        }
        assert!(root.path().join("notes/d.txt").exists());
    }

    #[tokio::test]
    async fn what_leads_outside_or_nowhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        for (folder, name, property) in [
            ("", "a", "folder"),
            ("..", "a", "folder"),
            ("/etc", "a", "folder"),
            ("missing", "a", "folder"),
            (".", "../a", "name"),
            (".", "/a", "name"),
            (".", "", "name"),
            (".", "a/", "name"),
        ] {
            let case = in_folder(root.path())
                .set("folder", folder)
                .set("name", name);
            let e = case.value().await.unwrap_err().to_string();
            assert!(e.contains(&format!("`{property}`")), "{folder} {name}: {e}");
        }
    }
}
