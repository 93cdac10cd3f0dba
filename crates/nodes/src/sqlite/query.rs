//! `lib.sqlite.Query`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, RecordType, Value, catalogue};
use rusqlite::types::Value as Cell;

use super::create_table::columns;
use super::database::{self, Absent};
use super::name::quoted;

/// Reads rows of a table of a database file.
/// sqlite, database, query, select, rows, search
///
/// A file that is not there has no rows. Text that was written from a list or an object comes back as such.
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    tool,
    uncached,
    basic("database_name", "table_name", "where", "columns", "order_by", "limit")
)]
pub(super) struct Query {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The table.
    #[prop(default = "flashcards")]
    table_name: String,
    /// Which rows, in SQL, such as id = 1; all when empty.
    r#where: String,
    /// The columns to read; all when there are none.
    #[prop(default = catalogue::default_value("record_type").unwrap_or_default())]
    columns: RecordType,
    /// In which order, in SQL, such as id DESC.
    order_by: String,
    /// Most rows; 0 for all.
    limit: i64,
}

impl Process for Query {
    type Output = Vec<Map>;

    async fn process(self, cx: &NodeCx) -> Result<Vec<Map>, NodeError> {
        let sql = self.sql()?;
        if !database::path(cx, &self.database_name)?.exists() {
            return Ok(Vec::new());
        }
        let values = match self.limit {
            0 => Vec::new(),
            limit => vec![Cell::Integer(limit)],
        };
        let job = move |database: &database::Database| {
            let statement = database.statement("where", &sql)?;
            if !statement.readonly() {
                return Err(NodeError::bad(
                    "where",
                    "changes the table (expected a condition)",
                ));
            }
            drop(statement);
            database.rows("where", &sql, values)
        };
        let rows = database::with(cx, &self.database_name, Absent::Refused, job).await?;
        let map = |row: Value| match row {
            Value::Map(map) => Some(std::sync::Arc::unwrap_or_clone(map)),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(map).collect())
    }
}

impl Query {
    fn sql(&self) -> Result<String, NodeError> {
        if self.limit < 0 {
            let message = format!("{} (expected 0 or more)", self.limit);
            return Err(NodeError::bad("limit", message));
        }
        let names: Vec<String> = columns(&self.columns)?.into_iter().map(|c| c.0).collect();
        let names = match names.is_empty() {
            true => "*".to_owned(),
            false => names.join(", "),
        };
        let table = quoted("table_name", &self.table_name)?;
        let mut sql = format!("SELECT {names} FROM {table}");
        sql.push_str(&condition(&self.r#where));
        let order = self.order_by.trim();
        if !order.is_empty() {
            // A comment in it ends with the line.
            sql.push_str(&format!(" ORDER BY {order}\n"));
        }
        if self.limit > 0 {
            sql.push_str(" LIMIT ?1");
        }
        Ok(sql)
    }
}

/// The condition of a statement; nothing for an empty one.
pub(super) fn condition(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!(" WHERE ({text}\n)"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::insert::Insert;
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn rows_are_chosen_ordered_and_limited() {
        let folder = Folder::with_cards().await.unwrap();
        for (front, score) in [("a", 1.5), ("b", 0.5), ("c", 2.5)] {
            let data = Value::map([("front", Value::from(front)), ("score", score.into())]);
            folder
                .case::<Insert>()
                .set("data", data)
                .run()
                .await
                .unwrap();
        }
        let rows = folder
            .case::<Query>()
            .set("where", "score > 1 -- better ones")
            .set(
                "columns",
                json(r#"{"columns":[{"name":"front","data_type":"string"}]}"#),
            )
            .set("order_by", "id DESC")
            .set("limit", 1i64);
        assert_eq!(rows.value().await.unwrap(), json(r#"[{"front":"c"}]"#));
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_has_no_rows_and_nothing_but_a_condition_is_taken() {
        let folder = Folder::with_cards().await.unwrap();
        let rows = folder.case::<Query>().set("database_name", "other.db");
        assert_eq!(rows.value().await.unwrap(), json("[]"));
        assert!(!folder.0.path().join("other.db").exists());
        for text in [
            "1=1); DELETE FROM flashcards; --",
            "nose = 1",
            "1=1) UNION SELECT load_extension('x'",
        ] {
            let refused = folder.case::<Query>().set("where", text).run().await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("`where`"), "{refused}");
        }
        std::fs::write(folder.0.path().join("text.db"), "x".repeat(5_000)).unwrap();
        let rows = folder.case::<Query>().set("database_name", "text.db");
        let refused = rows.run().await.unwrap_err().to_string();
        assert!(refused.contains("no SQLite database"), "{refused}");
    }
}
