//! `nodetool.workspace`: making, copying, moving and deleting.

use std::fs;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::place::{failed, inside};
use super::tree::{Ends, remove};
use crate::bounds::blocking;

/// Makes a folder in the workspace.
/// workspace, folder, directory, create, mkdir
///
/// Folders on the way are made too. Gives the path.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "idempotent")]
pub(super) struct CreateWorkspaceDirectory {
    /// Path in the workspace.
    path: String,
}

impl Process for CreateWorkspaceDirectory {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            fs::create_dir_all(inside(&workspace, "path", &self.path)?)
                .map_err(|e| failed("path", "cannot be made", &e))?;
            Ok(self.path)
        })
        .await
    }
}

/// Deletes a file or folder of the workspace.
/// workspace, file, folder, delete, remove
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "once")]
pub(super) struct DeleteWorkspaceFile {
    /// Path in the workspace.
    path: String,
    /// Whether a folder goes with all it holds.
    recursive: bool,
}

impl Process for DeleteWorkspaceFile {
    type Output = ();

    async fn process(self, cx: &NodeCx) -> Result<(), NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            let path = inside(&workspace, "path", &self.path)?;
            remove(&workspace, &path, "path", self.recursive)
        })
        .await
    }
}

/// Copies a file or folder within the workspace.
/// workspace, file, folder, copy, duplicate
///
/// Gives the path of the copy.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "once")]
pub(super) struct CopyWorkspaceFile {
    /// What to copy.
    source: String,
    /// Where to; an existing folder takes the copy in.
    destination: String,
}

impl Process for CopyWorkspaceFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            let ends = Ends {
                from: inside(&workspace, "source", &self.source)?,
                to: inside(&workspace, "destination", &self.destination)?,
                from_property: "source",
                to_property: "destination",
            };
            Ok(workspace.relative(&ends.copy(&workspace)?))
        })
        .await
    }
}

/// Moves or renames a file or folder within the workspace.
/// workspace, file, folder, move, rename
///
/// Gives the new path.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached, effect = "once")]
pub(super) struct MoveWorkspaceFile {
    /// What to move.
    source: String,
    /// Where to; an existing folder takes it in.
    destination: String,
}

impl Process for MoveWorkspaceFile {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let workspace = cx.workspace()?;
        blocking(move || {
            let ends = Ends {
                from: inside(&workspace, "source", &self.source)?,
                to: inside(&workspace, "destination", &self.destination)?,
                from_property: "source",
                to_property: "destination",
            };
            Ok(workspace.relative(&ends.shift(&workspace)?))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};
    use nodetool_sdk::{Node, Value};

    use super::*;

    fn at(root: &Path, c: Case) -> Case {
        c.within(context_with(Services::none(), Some(root.into())))
    }

    async fn pair<N: Node>(root: &Path, from: &str, to: &str) -> Result<Value, String> {
        let c = case::<N>().set("source", from).set("destination", to);
        at(root, c).value().await.map_err(|e| e.to_string())
    }

    fn seeded() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("d/e")).unwrap();
        fs::write(root.path().join("f"), "file").unwrap();
        fs::write(root.path().join("d/e/g"), "deep").unwrap();
        root
    }

    #[tokio::test]
    async fn files_and_trees_are_copied_and_moved() {
        let root = seeded();
        let text = |p: &str| fs::read_to_string(root.path().join(p)).unwrap();
        let copied = pair::<CopyWorkspaceFile>(root.path(), "f", "new/f2").await;
        assert_eq!(copied.unwrap(), "new/f2".into());
        let copied = pair::<CopyWorkspaceFile>(root.path(), "f", "d").await;
        assert_eq!(copied.unwrap(), "d/f".into());
        pair::<CopyWorkspaceFile>(root.path(), "d", "copy")
            .await
            .unwrap();
        assert_eq!(
            (text("new/f2"), text("copy/e/g")),
            ("file".into(), "deep".into())
        );
        pair::<MoveWorkspaceFile>(root.path(), "copy", "moved/here")
            .await
            .unwrap();
        assert_eq!(text("moved/here/e/g"), "deep");
        assert!(!root.path().join("copy").exists());
    }

    #[tokio::test]
    async fn what_would_destroy_something_is_refused() {
        let root = seeded();
        for (from, to, why) in [
            ("f", "f", "`destination`: is the same"),
            ("d", "d/e/inner", "`destination`: lies inside"),
            ("d", "d/e", "`destination`: lies inside"),
            (".", "x", "the workspace itself"),
            ("no", "x", "no such file"),
            ("f", "../x", "`destination`"),
            ("../x", "f", "`source`"),
        ] {
            let copied = pair::<CopyWorkspaceFile>(root.path(), from, to)
                .await
                .unwrap_err();
            assert!(copied.contains(why), "{copied}");
            let moved = pair::<MoveWorkspaceFile>(root.path(), from, to)
                .await
                .unwrap_err();
            assert!(moved.contains(why), "{moved}");
        }
        assert_eq!(fs::read_to_string(root.path().join("f")).unwrap(), "file");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn links_do_not_carry_copies_out_or_secrets_in() {
        let root = seeded();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.path().join("d/link"))
            .unwrap();
        let said = pair::<CopyWorkspaceFile>(root.path(), "d", "copy")
            .await
            .unwrap_err();
        assert!(said.contains("leads outside"), "{said}");
        std::os::unix::fs::symlink(outside.path().join("new"), root.path().join("d/e/f")).unwrap();
        let said = pair::<CopyWorkspaceFile>(root.path(), "f", "d/e")
            .await
            .unwrap_err();
        assert!(said.contains("`destination`"), "{said}");
        assert!(!outside.path().join("new").exists());
    }

    #[tokio::test]
    async fn folders_go_only_when_asked_for_and_the_workspace_never() {
        let root = seeded();
        let delete = |path: &str, recursive: bool| {
            let c = case::<DeleteWorkspaceFile>()
                .set("path", path)
                .set("recursive", recursive);
            at(root.path(), c).run()
        };
        let said = delete("d", false).await.unwrap_err().to_string();
        assert!(said.contains("set `recursive`"), "{said}");
        for path in [".", "./", "d/.."] {
            assert!(delete(path, true).await.is_err(), "{path}");
        }
        assert!(
            delete("f", false)
                .await
                .unwrap()
                .iter()
                .all(|m| m.is_empty())
        );
        delete("d", true).await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        let made = case::<CreateWorkspaceDirectory>().set("path", "x/y/z");
        assert_eq!(at(root.path(), made).value().await.unwrap(), "x/y/z".into());
        assert!(root.path().join("x/y/z").is_dir());
    }
}
