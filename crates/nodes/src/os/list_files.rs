//! `lib.os.ListFiles`.

use nodetool_sdk::{Emitter, Generate, Node, NodeCx, NodeError, Outputs};

use super::path_forms::filled;
use crate::workspace::listing::Listing;
use crate::workspace::place::reach;

/// Lists files of a folder.
/// files, list, folder, directory, glob, pattern
///
/// Paths come one by one, relative to the workspace and in order of their names. `~` is the workspace.
#[derive(Node)]
#[node(namespace = "lib.os", kind = Generate)]
pub(super) struct ListFiles {
    /// The folder, inside the workspace.
    #[prop(default = "~")]
    folder: String,
    /// Which names: *, ? and [a-z] are wildcards.
    #[prop(default = "*")]
    pattern: String,
    /// Whether folders below are searched too.
    include_subdirectories: bool,
}

/// A file.
#[derive(Outputs)]
pub(super) struct Found {
    file: String,
}

impl Generate for ListFiles {
    type Output = Found;

    async fn generate(self, out: &Emitter<'_, Found>, cx: &NodeCx) -> Result<(), NodeError> {
        filled("folder", &self.folder)?;
        let workspace = cx.workspace()?;
        let folder = reach(&workspace, "folder", &self.folder)?;
        let deep = self.include_subdirectories;
        let listing = Listing::new(workspace, folder, "folder", &self.pattern, deep)?;
        listing.emit(out, |file| Found { file }).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn links_out_of_the_workspace_are_not_listed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("s"), "").unwrap();
        std::fs::write(root.path().join("f"), "").unwrap();
        let link = |to: &std::path::Path, name: &str| {
            std::os::unix::fs::symlink(to, root.path().join(name)).unwrap();
        };
        link(outside.path(), "dir");
        link(&outside.path().join("s"), "file");
        link(&root.path().join("f"), "own");
        link(root.path(), "loop");
        let run = case::<ListFiles>().set("include_subdirectories", true);
        let found = run
            .within(context_with(Services::none(), Some(root.path().into())))
            .run();
        let found = found.await.unwrap();
        let found: Vec<_> = found.iter().map(|m| m["file"].as_str().unwrap()).collect();
        assert_eq!(found, ["f", "own"]);
    }
}
