//! `lib.sqlite.Insert`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};
use rusqlite::types::Value as Cell;

use super::cell::written;
use super::database::{self, Absent};
use super::name::quoted;

/// Adds a row to a table of a database file.
/// sqlite, database, insert, add, row, record
///
/// Lists and objects are written as JSON.
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    tool,
    uncached,
    effect = "once",
    basic("database_name", "table_name", "data")
)]
pub(super) struct Insert {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The table.
    #[prop(default = "flashcards")]
    table_name: String,
    /// The row: values by the names of columns.
    #[prop(default = sample("example"))]
    data: Map,
}

impl Process for Insert {
    type Output = Map;

    async fn process(self, cx: &NodeCx) -> Result<Map, NodeError> {
        let table = quoted("table_name", &self.table_name)?;
        let (names, cells) = cells(&self.data)?;
        let places = vec!["?"; cells.len()].join(", ");
        let names = names.join(", ");
        let sql = format!("INSERT INTO {table} ({names}) VALUES ({places})");
        let job = move |database: &database::Database| {
            let changed = database.change("data", &sql, cells)?;
            Ok((database.last_row(), changed))
        };
        let done = database::with(cx, &self.database_name, Absent::Refused, job);
        let (row, changed) = done.await?;
        Ok(Map::from_iter([
            ("row_id".into(), row.into()),
            ("rows_affected".into(), changed.into()),
            ("message".into(), format!("Inserted row {row}").into()),
        ]))
    }
}

/// A row to begin with.
pub(super) fn sample(content: &str) -> Value {
    Value::map([("content", Value::from(content))])
}

/// Quoted names of columns and what goes into them.
pub(super) fn cells(data: &Map) -> Result<(Vec<String>, Vec<Cell>), NodeError> {
    if data.is_empty() {
        let message = "is empty (expected values by the names of columns)";
        return Err(NodeError::bad("data", message));
    }
    let cells = data.iter().map(|(name, value)| {
        let cell = written(value);
        let cell =
            cell.map_err(|e| NodeError::bad("data", format!("the value of `{name}` {e}")))?;
        Ok((quoted("data", name)?, cell))
    });
    cells.collect()
}

#[cfg(test)]
mod tests {
    use super::super::query::Query;
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn rows_are_counted_and_nested_values_come_back() {
        let folder = Folder::with_cards().await.unwrap();
        for row in 1..=2i64 {
            let data = json(r#"{"front":"a'); DROP TABLE flashcards; --","tags":["x",{"y":1}]}"#);
            let given = folder
                .case::<Insert>()
                .set("data", data)
                .value()
                .await
                .unwrap();
            assert_eq!(given.get("row_id"), Some(&row.into()));
            assert_eq!(given.get("rows_affected"), Some(&1i64.into()));
        }
        let rows = folder.case::<Query>().value().await.unwrap();
        let first = &rows.as_list().unwrap()[0];
        assert_eq!(first.get("tags"), Some(&json(r#"["x",{"y":1}]"#)));
        assert_eq!(rows.as_list().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn unknown_columns_databases_and_empty_rows_are_refused() {
        let folder = Folder::with_cards().await.unwrap();
        let insert = |data: &str| folder.case::<Insert>().set("data", json(data));
        for (case, said) in [
            (insert(r#"{"nose":1}"#), "nose"),
            (insert("{}"), "`data`: is empty"),
            (
                insert(r#"{"front":1}"#).set("database_name", "b.db"),
                "there is no database b.db",
            ),
        ] {
            let refused = case.run().await.unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        assert!(!folder.0.path().join("b.db").exists());
    }
}
