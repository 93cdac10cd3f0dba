//! `nodetool.dictionary.SaveJSON`.

use nodetool_sdk::compat::json_dumps;
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::stored_file;
use crate::{bounds, extent, file_name};

/// Most spaces per level.
const MAX_INDENT: i64 = 64;

/// Writes a value as JSON text, into a file when a folder is given.
/// json, save, file, export, write, serialize
///
/// Without a folder it gives the text; with one, the name of the file in the workspace.
#[derive(Node)]
#[node(
    namespace = "nodetool.dictionary",
    tool,
    uncached,
    effect = "idempotent"
)]
pub(super) struct SaveJSON {
    /// The value.
    #[prop(default = Map::new())]
    data: Value,
    /// Folder in the workspace; made when it does not exist.
    folder: String,
    /// Name of the file; marks such as %Y or %H become parts of the date and time.
    #[prop(default = "%Y-%m-%d-%H-%M-%S.json")]
    name: String,
    /// Spaces per level.
    #[prop(default = 2)]
    indent: i64,
}

impl Process for SaveJSON {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        if self.indent > MAX_INDENT {
            return Err(NodeError::bad(
                "indent",
                format!("{} (expected at most {MAX_INDENT})", self.indent),
            ));
        }
        let indent = usize::try_from(self.indent).unwrap_or(0);
        let dump = move |v: &Value| json_dumps(v, true, Some(indent));
        let text = extent::write("data", self.data, indent, dump).await?;
        if self.folder.is_empty() {
            return Ok(text);
        }
        let name = file_name::dated("name", &self.name)?;
        let workspace = cx.workspace()?;
        let folder = self.folder;
        let stored = bounds::blocking(move || {
            stored_file::write(&workspace, &folder, &name, true, text.as_bytes())
        })
        .await?;
        cx.saved(&stored, stored.as_str().into());
        Ok(stored)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn the_file_lies_in_the_workspace_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("work");
        std::fs::create_dir(&root).unwrap();
        let save = |folder: &str, name: &str| {
            let case = case::<SaveJSON>().set("data", Value::list(["é".into()]));
            let case = case.set("folder", folder).set("name", name);
            case.within(context_with(Services::none(), Some(root.clone())))
                .value()
        };
        assert_eq!(
            save("", "x").await.unwrap(),
            Value::from("[\n  \"\\u00e9\"\n]")
        );
        let stored = save("a/b", "x%%.json").await.unwrap();
        assert_eq!(stored, Value::from("a/b/x%.json"));
        let text = std::fs::read_to_string(root.join("a/b/x%.json")).unwrap();
        assert_eq!(text, "[\n  \"\\u00e9\"\n]");
        for (folder, name) in [
            ("..", "x"),
            ("/tmp", "x"),
            ("a", "../../x"),
            ("a", "b"),
            ("a", ""),
        ] {
            assert!(save(folder, name).await.is_err(), "{folder} {name}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_folder_without_a_workspace_is_an_error() {
        let e = case::<SaveJSON>()
            .set("folder", "a")
            .value()
            .await
            .unwrap_err();
        assert!(e.to_string().contains("workspace"), "{e}");
    }
}
