//! `lib.sqlite.Delete`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use super::database::{self, Absent};
use super::name::quoted;
use super::query::condition;
use super::update::told;

/// Deletes rows of a table of a database file.
/// sqlite, database, delete, remove, rows
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    tool,
    uncached,
    effect = "idempotent",
    basic("database_name", "table_name", "where")
)]
pub(super) struct Delete {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The table.
    #[prop(default = "flashcards")]
    table_name: String,
    /// Which rows, in SQL, such as id = 1. There has to be one; 1 = 1 stands for all.
    r#where: String,
}

impl Process for Delete {
    type Output = Map;

    async fn process(self, cx: &NodeCx) -> Result<Map, NodeError> {
        let condition = condition(&self.r#where);
        if condition.is_empty() {
            let message = "is empty (expected which rows to delete, such as id = 1)";
            return Err(NodeError::bad("where", message));
        }
        let table = quoted("table_name", &self.table_name)?;
        let sql = format!("DELETE FROM {table}{condition}");
        let job = move |database: &database::Database| database.change("where", &sql, Vec::new());
        let changed = database::with(cx, &self.database_name, Absent::Refused, job).await?;
        Ok(told(changed, "Deleted"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::insert::Insert;
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn rows_are_deleted_and_never_all_by_accident() {
        let folder = Folder::with_cards().await.unwrap();
        let data = json(r#"{"front":"a"}"#);
        folder
            .case::<Insert>()
            .set("data", data)
            .run()
            .await
            .unwrap();
        let refused = folder.case::<Delete>().run().await.unwrap_err().to_string();
        assert!(refused.contains("`where`: is empty"), "{refused}");
        let given = folder.case::<Delete>().set("where", "front = 'a'");
        let given = given.value().await.unwrap();
        assert_eq!(given.get("rows_affected"), Some(&1i64.into()));
    }
}
