//! `nodetool.workspace`: questions about files.

use std::path::PathBuf;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::place::{created, facts, inside, size_of, utc};
use crate::bounds::blocking;

/// Gives the path of the run's workspace folder.
/// workspace, folder, directory, path
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct GetWorkspaceDir {}

impl Process for GetWorkspaceDir {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        Ok(cx.workspace()?.root().to_string_lossy().into_owned())
    }
}

/// Says whether there is a file or folder.
/// workspace, file, folder, exists, check
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct WorkspaceFileExists {
    /// Path in the workspace.
    path: String,
}

impl Process for WorkspaceFileExists {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.exists())).await
    }
}

/// Says whether a path is a file.
/// workspace, file, check, kind
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct IsWorkspaceFile {
    /// Path in the workspace.
    path: String,
}

impl Process for IsWorkspaceFile {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.is_file())).await
    }
}

/// Says whether a path is a folder.
/// workspace, folder, directory, check, kind
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct IsWorkspaceDirectory {
    /// Path in the workspace.
    path: String,
}

impl Process for IsWorkspaceDirectory {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.is_dir())).await
    }
}

/// Gives a file's size in bytes.
/// workspace, file, size, bytes
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct GetWorkspaceFileSize {
    /// Path in the workspace.
    path: String,
}

impl Process for GetWorkspaceFileSize {
    type Output = i64;

    async fn process(self, cx: &NodeCx) -> Result<i64, NodeError> {
        look(cx, self.path, |path| size_of(&path, "path")).await
    }
}

/// Tells a file's name, size, kind and times.
/// workspace, file, info, size, time, metadata
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct GetWorkspaceFileInfo {
    /// Path in the workspace.
    path: String,
}

/// Facts by name.
#[derive(Outputs)]
pub(super) struct Info {
    #[slot(ty = "dict")]
    output: Map,
}

impl Process for GetWorkspaceFileInfo {
    type Output = Info;

    async fn process(self, cx: &NodeCx) -> Result<Info, NodeError> {
        let given = self.path.clone();
        look(cx, self.path, move |path| {
            let facts = facts(&path, "path")?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let iso =
                |t: Option<chrono::DateTime<chrono::Utc>>| Value::from(t.map(|t| t.to_rfc3339()));
            let pairs = [
                ("path", Value::from(given)),
                ("name", name.into()),
                (
                    "size",
                    i64::try_from(facts.len()).unwrap_or(i64::MAX).into(),
                ),
                ("is_file", facts.is_file().into()),
                ("is_directory", facts.is_dir().into()),
                ("created", iso(created(&facts))),
                ("modified", iso(facts.modified().ok().and_then(utc))),
                ("accessed", iso(facts.accessed().ok().and_then(utc))),
            ];
            let output = pairs.into_iter().map(|(k, v)| (k.into(), v)).collect();
            Ok(Info { output })
        })
        .await
    }
}

/// Answers a question about the path in the property `path`.
async fn look<T: Send + 'static>(
    cx: &NodeCx,
    path: String,
    answer: impl FnOnce(PathBuf) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    let workspace = cx.workspace()?;
    blocking(move || answer(inside(&workspace, "path", &path)?)).await
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context, context_with};

    use super::*;

    #[tokio::test]
    async fn files_and_folders_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        std::fs::write(root.path().join("d/f.txt"), "12345").unwrap();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        for (path, exists, file, dir) in [
            ("d", true, false, true),
            ("d/f.txt", true, true, false),
            ("no", false, false, false),
        ] {
            let ask = |c: nodetool_sdk::testing::Case| c.set("path", path).within(cx()).value();
            assert_eq!(
                ask(case::<WorkspaceFileExists>()).await.unwrap(),
                exists.into()
            );
            assert_eq!(ask(case::<IsWorkspaceFile>()).await.unwrap(), file.into());
            assert_eq!(
                ask(case::<IsWorkspaceDirectory>()).await.unwrap(),
                dir.into()
            );
        }
        let info = case::<GetWorkspaceFileInfo>()
            .set("path", "d/f.txt")
            .within(cx());
        let info = info.value().await.unwrap();
        assert_eq!(info.get("size"), Some(&5i64.into()));
        assert_eq!(info.get("name"), Some(&"f.txt".into()));
        assert!(
            info.get("modified")
                .unwrap()
                .as_str()
                .unwrap()
                .contains('T')
        );
        let size = case::<GetWorkspaceFileSize>().set("path", "d").within(cx());
        assert!(
            size.value()
                .await
                .unwrap_err()
                .to_string()
                .contains("expected a file")
        );
        let nowhere = case::<GetWorkspaceDir>().within(context()).value().await;
        assert!(nowhere.unwrap_err().to_string().contains("workspace"));
    }
}
