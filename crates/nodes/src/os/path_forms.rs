//! `lib.os`: other forms of a path.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::posix_path::{join, normalize, relative};

/// Joins parts into a path.
/// path, join, combine, build
///
/// A part that begins with a slash begins anew.
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct JoinPaths {
    /// The parts, in order.
    paths: Vec<String>,
}

impl Process for JoinPaths {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        if self.paths.is_empty() {
            let message = "cannot be empty; expected at least one part";
            return Err(NodeError::bad("paths", message));
        }
        Ok(join(self.paths.iter().map(String::as_str)))
    }
}

/// Cleans a path of `.`, `..` and doubled slashes.
/// path, normalize, clean
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct NormalizePath {
    /// The path.
    path: String,
}

impl Process for NormalizePath {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        Ok(normalize(filled("path", &self.path)?))
    }
}

/// Gives the absolute form of a path.
/// path, absolute, full, workspace
///
/// Relative paths begin at the workspace. No file is looked at.
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct AbsolutePath {
    /// The path.
    path: String,
}

impl Process for AbsolutePath {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        Ok(normalize(&absolute(cx, filled("path", &self.path)?)?))
    }
}

/// Gives the way from a folder to a path.
/// path, relative, way
///
/// Where one is relative and the other is not, the relative one begins at the workspace.
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct RelativePath {
    /// Where the way ends.
    target_path: String,
    /// Where the way begins.
    #[prop(default = ".")]
    start_path: String,
}

impl Process for RelativePath {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let target = filled("target_path", &self.target_path)?;
        let start = filled("start_path", &self.start_path)?;
        let homely = [target, start].iter().any(|p| p.starts_with('~'));
        if !homely && let Some(way) = relative(target, start) {
            return Ok(way);
        }
        let (target, start) = (absolute(cx, target)?, absolute(cx, start)?);
        // Both are absolute now, and then there is always a way.
        Ok(relative(&target, &start).unwrap_or(target))
    }
}

/// Gives a path as text.
/// path, text, string, convert
#[derive(Node)]
#[node(namespace = "lib.os")]
pub(super) struct PathToString {
    /// The path.
    file_path: String,
}

impl Process for PathToString {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        filled("file_path", &self.file_path)?;
        Ok(self.file_path)
    }
}

/// The path, which begins at the workspace when it does not begin at the root.
fn absolute(cx: &NodeCx, path: &str) -> Result<String, NodeError> {
    if path.starts_with('/') {
        return Ok(path.into());
    }
    let root = cx.workspace()?.root().to_string_lossy().into_owned();
    let below = match path.strip_prefix('~') {
        Some("") => "",
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    Ok(join([root.as_str(), below]))
}

/// The path, unless it is blank.
pub(super) fn filled<'a>(property: &str, path: &'a str) -> Result<&'a str, NodeError> {
    if path.trim().is_empty() {
        Err(NodeError::bad(property, "cannot be empty; expected a path"))
    } else {
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn relative_paths_begin_at_the_workspace() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().canonicalize().unwrap().display().to_string();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        for (path, expected) in [
            ("a/../b", format!("{real}/b")),
            ("~", real.clone()),
            ("/x/..", "/".into()),
        ] {
            let out = case::<AbsolutePath>()
                .set("path", path)
                .within(cx())
                .value()
                .await;
            assert_eq!(out.unwrap(), expected.into());
        }
        for (target, start, way) in [
            ("~/a/b", "a", "b"),
            (&format!("{real}/a"), ".", "a"),
            ("a", "b/c", "../../a"),
        ] {
            let c = case::<RelativePath>()
                .set("target_path", target)
                .set("start_path", start);
            assert_eq!(c.within(cx()).value().await.unwrap(), way.into());
        }
        let lost = case::<RelativePath>()
            .set("target_path", "/a")
            .value()
            .await;
        assert!(lost.unwrap_err().to_string().contains("workspace"));
    }
}
