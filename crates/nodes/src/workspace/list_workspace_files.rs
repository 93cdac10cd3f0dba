//! `nodetool.workspace.ListWorkspaceFiles`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Outputs};

use super::listing::Listing;
use super::place::inside;

/// Lists files of the workspace.
/// workspace, files, list, folder, glob, pattern
///
/// Paths come one by one, relative to the workspace and in order of their names.
#[derive(Node)]
#[node(namespace = "nodetool.workspace", kind = Generate)]
pub(super) struct ListWorkspaceFiles {
    /// The folder, as a path in the workspace.
    #[prop(default = ".")]
    path: String,
    /// Which names: *, ? and [a-z] are wildcards.
    #[prop(default = "*")]
    pattern: String,
    /// Whether folders below are searched too.
    recursive: bool,
}

/// A file.
#[derive(Outputs)]
pub(super) struct Found {
    file: String,
}

impl Generate for ListWorkspaceFiles {
    type Output = Found;

    async fn generate(self, out: &Emitter<'_, Found>, cx: &NodeCx) -> Result<(), NodeError> {
        let workspace = cx.workspace()?;
        let folder = inside(&workspace, "path", &self.path)?;
        let listing = Listing::new(workspace, folder, "path", &self.pattern, self.recursive)?;
        listing.emit(out, |file| Found { file }).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn patterns_choose_files_by_name_and_folder() {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "b.txt",
            "a.txt",
            "c.md",
            ".h.txt",
            "d/e.txt",
            "d/f/g.txt",
            "d/f/.x/h.txt",
        ] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for (path, pattern, recursive, expected) in [
            (".", "*", false, vec!["a.txt", "b.txt", "c.md"]),
            (
                ".",
                "*.txt",
                true,
                vec!["a.txt", "b.txt", "d/e.txt", "d/f/g.txt"],
            ),
            ("d", "*.txt", true, vec!["d/e.txt", "d/f/g.txt"]),
            (".", "d/*.txt", false, vec!["d/e.txt"]),
            (".", "d/**/*.txt", false, vec!["d/e.txt", "d/f/g.txt"]),
            (
                ".",
                "**",
                false,
                vec!["a.txt", "b.txt", "c.md", "d/e.txt", "d/f/g.txt"],
            ),
            (".", ".*", false, vec![".h.txt"]),
            (".", "*/g.txt", false, vec![]),
        ] {
            let run = case::<ListWorkspaceFiles>()
                .set("path", path)
                .set("pattern", pattern)
                .set("recursive", recursive)
                .within(context_with(Services::none(), Some(root.path().into())));
            let found = run.run().await.unwrap();
            let found: Vec<_> = found.iter().map(|m| m["file"].as_str().unwrap()).collect();
            assert_eq!(found, expected, "{path} {pattern} {recursive}");
        }
    }

    #[tokio::test]
    async fn folders_and_patterns_that_lead_out_are_refused() {
        let root = tempfile::tempdir().unwrap();
        for (name, value) in [
            ("path", ".."),
            ("path", "/"),
            ("path", "no"),
            ("pattern", "../*"),
            ("pattern", ""),
        ] {
            let run = case::<ListWorkspaceFiles>()
                .set(name, value)
                .within(context_with(Services::none(), Some(root.path().into())));
            let said = run.run().await.unwrap_err().to_string();
            assert!(said.contains(&format!("`{name}`")), "{said}");
        }
    }
}
