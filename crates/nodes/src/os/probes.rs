//! `lib.os`: questions about files of the workspace.

use std::path::PathBuf;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::path_forms::filled;
use super::posix_path::{split, split_extension};
use crate::bounds::blocking;
use crate::workspace::place::{reach, size_of};

/// Says whether there is a file or folder.
/// file, folder, path, exists, check
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct FileExists {
    /// Path inside the workspace.
    path: String,
}

impl Process for FileExists {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.exists())).await
    }
}

/// Says whether a path is a file.
/// file, path, check, kind
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct IsFile {
    /// Path inside the workspace.
    path: String,
}

impl Process for IsFile {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.is_file())).await
    }
}

/// Says whether a path is a folder.
/// folder, directory, path, check, kind
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct IsDirectory {
    /// Path inside the workspace.
    path: String,
}

impl Process for IsDirectory {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        look(cx, self.path, |path| Ok(path.is_dir())).await
    }
}

/// Gives a file's size in bytes.
/// file, size, bytes
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct GetFileSize {
    /// Path inside the workspace.
    path: String,
}

impl Process for GetFileSize {
    type Output = i64;

    async fn process(self, cx: &NodeCx) -> Result<i64, NodeError> {
        look(cx, self.path, |path| size_of(&path, "path")).await
    }
}

/// Tells the parts of a path and what is there.
/// path, info, parts, exists, metadata
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct GetPathInfo {
    /// Path inside the workspace.
    path: String,
}

/// Facts by name.
#[derive(Outputs)]
pub(super) struct Info {
    #[slot(ty = "dict")]
    output: Map,
}

impl Process for GetPathInfo {
    type Output = Info;

    async fn process(self, cx: &NodeCx) -> Result<Info, NodeError> {
        let given = self.path.clone();
        look(cx, self.path, move |path| {
            let (dirname, basename) = split(&given);
            let pairs = [
                ("dirname", Value::from(dirname)),
                ("basename", basename.into()),
                ("extension", split_extension(&given).1.into()),
                ("absolute", path.to_string_lossy().into_owned().into()),
                ("exists", path.exists().into()),
                ("is_file", path.is_file().into()),
                ("is_dir", path.is_dir().into()),
                ("is_symlink", path.is_symlink().into()),
            ];
            let output = pairs.into_iter().map(|(k, v)| (k.into(), v)).collect();
            Ok(Info { output })
        })
        .await
    }
}

/// Answers a question about the path in the property `path`.
pub(super) async fn look<T: Send + 'static>(
    cx: &NodeCx,
    path: String,
    answer: impl FnOnce(PathBuf) -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    filled("path", &path)?;
    let workspace = cx.workspace()?;
    blocking(move || answer(reach(&workspace, "path", &path)?)).await
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Case, case, context_with};

    use super::*;

    #[tokio::test]
    async fn files_are_seen_inside_the_workspace_and_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("f.tar.gz"), "123").unwrap();
        let ask = |c: Case, path: &str| {
            let cx = context_with(Services::none(), Some(root.path().into()));
            c.set("path", path).within(cx).value()
        };
        let absolute = root
            .path()
            .join("f.tar.gz")
            .canonicalize()
            .unwrap()
            .display()
            .to_string();
        for path in ["f.tar.gz", "~/f.tar.gz", absolute.as_str()] {
            assert_eq!(ask(case::<FileExists>(), path).await.unwrap(), true.into());
            assert_eq!(ask(case::<GetFileSize>(), path).await.unwrap(), 3i64.into());
        }
        let info = ask(case::<GetPathInfo>(), "f.tar.gz").await.unwrap();
        assert_eq!(info.get("extension"), Some(&".gz".into()));
        assert_eq!(info.get("absolute"), Some(&absolute.into()));
        assert_eq!(info.get("is_file"), Some(&true.into()));
        for path in ["/etc/passwd", "../x", "", "~/../x"] {
            for c in [
                case::<FileExists>(),
                case::<IsFile>(),
                case::<GetPathInfo>(),
                case::<GetFileSize>(),
            ] {
                let said = ask(c, path).await.unwrap_err().to_string();
                assert!(said.contains("`path`"), "{path}: {said}");
            }
        }
    }
}
