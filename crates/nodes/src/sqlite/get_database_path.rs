//! `lib.sqlite.GetDatabasePath`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::database;

/// Tells where a database file of the workspace is.
/// sqlite, database, path, file, location
#[derive(Node)]
#[node(namespace = "lib.sqlite", tool, uncached, basic("database_name"))]
pub(super) struct GetDatabasePath {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
}

impl Process for GetDatabasePath {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let path = database::path(cx, &self.database_name)?;
        Ok(path.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    #[tokio::test]
    async fn the_path_is_whole_and_inside_the_workspace() {
        let folder = Folder::new();
        let path = folder.case::<GetDatabasePath>().value().await.unwrap();
        let want = folder.0.path().canonicalize().unwrap().join("memory.db");
        assert_eq!(path.as_str(), want.to_str());
    }
}
