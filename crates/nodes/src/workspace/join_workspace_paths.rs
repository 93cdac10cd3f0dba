//! `nodetool.workspace.JoinWorkspacePaths`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::place::inside;

/// Joins parts into one path of the workspace.
/// workspace, path, join, combine
///
/// The parts must not lead outside.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", uncached)]
pub(super) struct JoinWorkspacePaths {
    /// The parts, in order.
    paths: Vec<String>,
}

impl Process for JoinWorkspacePaths {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        if self.paths.is_empty() {
            let message = "cannot be empty; expected at least one part";
            return Err(NodeError::bad("paths", message));
        }
        if let Some(part) = self.paths.iter().find(|p| p.starts_with('/')) {
            let message = format!("{part:?} is absolute; expected parts relative to the workspace");
            return Err(NodeError::bad("paths", message));
        }
        let workspace = cx.workspace()?;
        let parts: Vec<_> = self
            .paths
            .iter()
            .filter(|p| !p.is_empty())
            .map(String::as_str)
            .collect();
        let path = inside(&workspace, "paths", &parts.join("/"))?;
        Ok(workspace.relative(&path))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn parts_become_one_path_or_a_refusal() {
        let root = tempfile::tempdir().unwrap();
        let join = |parts: &[&str]| {
            let run = case::<JoinWorkspacePaths>()
                .set("paths", Value::list(parts.iter().map(|p| Value::from(*p))));
            run.within(context_with(Services::none(), Some(root.path().into())))
                .value()
        };
        assert_eq!(
            join(&["a", "", "b/", "./c.txt"]).await.unwrap(),
            "a/b/c.txt".into()
        );
        for parts in [&["a", "/etc"][..], &["a", "../../b"], &[], &[""]] {
            assert!(
                join(parts)
                    .await
                    .unwrap_err()
                    .to_string()
                    .contains("`paths`"),
                "{parts:?}"
            );
        }
    }
}
