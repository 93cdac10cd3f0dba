//! `lib.os`: copying, moving and making, inside the workspace.

use std::fs;

use nodetool_sdk::{Node, NodeCx, NodeError, Nothing, Process};

use super::path_forms::filled;
use crate::bounds::blocking;
use crate::workspace::place::{failed, make_parent, reach};
use crate::workspace::tree::Ends;

/// Copies a file or folder.
/// file, folder, copy, duplicate, backup
///
/// Folders on the way are made. Gives the path of the copy in the workspace.
#[derive(Node)]
#[node(namespace = "lib.os", uncached, effect = "once")]
pub(super) struct CopyFile {
    /// What to copy, inside the workspace.
    source_path: String,
    /// Where to; an existing folder takes the copy in.
    destination_path: String,
}

impl Process for CopyFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        filled("source_path", &self.source_path)?;
        filled("destination_path", &self.destination_path)?;
        let workspace = cx.workspace()?;
        blocking(move || {
            let ends = Ends {
                from: reach(&workspace, "source_path", &self.source_path)?,
                to: reach(&workspace, "destination_path", &self.destination_path)?,
                from_property: "source_path",
                to_property: "destination_path",
            };
            Ok(workspace.relative(&ends.copy(&workspace)?))
        })
        .await
    }
}

/// Moves or renames a file or folder.
/// file, folder, move, rename
#[derive(Node)]
#[node(namespace = "lib.os", uncached, effect = "once")]
pub(super) struct MoveFile {
    /// What to move, inside the workspace.
    source_path: String,
    /// Where to; an existing folder takes it in.
    destination_path: String,
}

impl Process for MoveFile {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        filled("source_path", &self.source_path)?;
        filled("destination_path", &self.destination_path)?;
        let workspace = cx.workspace()?;
        blocking(move || {
            let ends = Ends {
                from: reach(&workspace, "source_path", &self.source_path)?,
                to: reach(&workspace, "destination_path", &self.destination_path)?,
                from_property: "source_path",
                to_property: "destination_path",
            };
            ends.shift(&workspace).map(|_| Nothing)
        })
        .await
    }
}

/// Makes a folder.
/// folder, directory, create, mkdir
///
/// Folders on the way are made too.
#[derive(Node)]
#[node(namespace = "lib.os", uncached, effect = "idempotent")]
pub(super) struct CreateDirectory {
    /// Path inside the workspace.
    path: String,
    /// Whether a folder that is there already is fine.
    #[prop(default = true)]
    exist_ok: bool,
}

impl Process for CreateDirectory {
    type Output = Nothing;

    async fn process(self, cx: &NodeCx) -> Result<Nothing, NodeError> {
        filled("path", &self.path)?;
        let workspace = cx.workspace()?;
        blocking(move || {
            let path = reach(&workspace, "path", &self.path)?;
            let made = if self.exist_ok {
                fs::create_dir_all(&path)
            } else {
                make_parent(&path, "path")?;
                fs::create_dir(&path)
            };
            made.map_err(|e| failed("path", "cannot be made", &e))?;
            Ok(Nothing)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    #[tokio::test]
    async fn folders_are_made_copied_and_moved_inside_only() {
        let root = tempfile::tempdir().unwrap();
        let run = |c: Case| {
            c.within(context_with(Services::none(), Some(root.path().into())))
                .run()
        };
        let make = |path: &str, exist_ok: bool| {
            run(case::<CreateDirectory>()
                .set("path", path)
                .set("exist_ok", exist_ok))
        };
        make("~/a/b", false).await.unwrap();
        make("a/b", true).await.unwrap();
        let said = make("a/b", false).await.unwrap_err().to_string();
        assert!(said.contains("it exists already"), "{said}");
        fs::write(root.path().join("a/b/f"), "x").unwrap();
        let ends = |c: Case, from: &str, to: &str| {
            run(c.set("source_path", from).set("destination_path", to))
        };
        let copied = ends(case::<CopyFile>(), "a", "~/c/d").await.unwrap();
        assert_eq!(copied[0]["output"], "c/d".into());
        assert!(ends(case::<MoveFile>(), "c/d/b/f", "moved").await.unwrap()[0].is_empty());
        assert_eq!(fs::read_to_string(root.path().join("moved")).unwrap(), "x");
        for (from, to, name) in [
            ("/etc/hostname", "x", "source_path"),
            ("moved", "/tmp/x", "destination_path"),
            ("", "x", "source_path"),
        ] {
            let said = ends(case::<CopyFile>(), from, to)
                .await
                .unwrap_err()
                .to_string();
            assert!(said.contains(name), "{said}");
        }
    }
}
