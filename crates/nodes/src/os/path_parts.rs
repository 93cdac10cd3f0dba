//! `lib.os`: parts of a path.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::posix_path::{split, split_extension};

/// Gives the last part of a path.
/// path, file, name, basename
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct Basename {
    /// The path.
    path: String,
    /// Whether the extension is cut off.
    remove_extension: bool,
}

impl Process for Basename {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let name = split(filled(&self.path)?).1;
        let name = if self.remove_extension {
            split_extension(name).0
        } else {
            name
        };
        Ok(name.into())
    }
}

/// Gives the folder part of a path.
/// path, folder, directory, parent, dirname
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct Dirname {
    /// The path.
    path: String,
}

impl Process for Dirname {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(split(filled(&self.path)?).0.into())
    }
}

/// Gives the folder a file lies in.
/// path, file, folder, directory, parent
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct GetDirectory {
    /// The path.
    path: String,
}

impl Process for GetDirectory {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(split(filled(&self.path)?).0.into())
    }
}

/// Gives a file's name without its folder.
/// path, file, name
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct FileName {
    /// The path.
    path: String,
}

impl Process for FileName {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(split(filled(&self.path)?).1.into())
    }
}

/// Gives a file's extension with its dot.
/// path, file, extension, suffix, type
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct FileExtension {
    /// The path.
    path: String,
}

impl Process for FileExtension {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(split_extension(filled(&self.path)?).1.into())
    }
}

/// Splits a path into folder and name.
/// path, split, folder, directory, name
///
/// The parts come one by one and together.
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct SplitPath {
    /// The path.
    path: String,
}

/// Folder and name.
#[derive(Outputs)]
pub(super) struct PathParts {
    #[slot(ty = "dict")]
    output: Map,
    dirname: String,
    basename: String,
}

impl Process for SplitPath {
    type Output = PathParts;

    async fn process(self, _: &NodeCx) -> Result<PathParts, NodeError> {
        let (dirname, basename) = split(filled(&self.path)?);
        Ok(PathParts {
            output: pair(("dirname", dirname), ("basename", basename)),
            dirname: dirname.into(),
            basename: basename.into(),
        })
    }
}

/// Splits a path before its extension.
/// path, split, extension, root, name
///
/// The parts come one by one and together.
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct SplitExtension {
    /// The path.
    path: String,
}

/// Root and extension.
#[derive(Outputs)]
pub(super) struct ExtensionParts {
    #[slot(ty = "dict")]
    output: Map,
    root: String,
    extension: String,
}

impl Process for SplitExtension {
    type Output = ExtensionParts;

    async fn process(self, _: &NodeCx) -> Result<ExtensionParts, NodeError> {
        let (root, extension) = split_extension(filled(&self.path)?);
        Ok(ExtensionParts {
            output: pair(("root", root), ("extension", extension)),
            root: root.into(),
            extension: extension.into(),
        })
    }
}

fn pair(a: (&str, &str), b: (&str, &str)) -> Map {
    [a, b]
        .into_iter()
        .map(|(k, v)| (k.into(), Value::from(v)))
        .collect()
}

fn filled(path: &str) -> Result<&str, NodeError> {
    super::path_forms::filled("path", path)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn split_nodes_give_their_parts_both_ways() {
        let run = case::<SplitPath>().set("path", "/foo/test.txt");
        let out = run.run().await.unwrap().remove(0);
        assert_eq!(out["dirname"], "/foo".into());
        let both = Value::map([
            ("dirname", Value::from("/foo")),
            ("basename", "test.txt".into()),
        ]);
        assert_eq!(out["output"], both);
        let run = case::<SplitExtension>().set("path", "/foo/test.txt");
        let out = run.run().await.unwrap().remove(0);
        assert_eq!(
            (&out["root"], &out["extension"]),
            (&"/foo/test".into(), &".txt".into())
        );
        assert_eq!(out["output"].get("extension"), Some(&".txt".into()));
    }
}
