//! `lib.sqlite.CreateTable`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, RecordType, Value, catalogue};

use super::database::{self, Absent};
use super::name::quoted;

/// Most columns of a table.
const MAX_COLUMNS: usize = 1_000;

/// Creates a table in a database file of the workspace.
/// sqlite, database, table, create, columns, schema
///
/// The file is created, too, when it is not there.
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    tool,
    uncached,
    effect = "idempotent",
    basic(
        "database_name",
        "table_name",
        "columns",
        "add_primary_key",
        "if_not_exists"
    )
)]
pub(super) struct CreateTable {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The table.
    #[prop(default = "flashcards")]
    table_name: String,
    /// Names and types of the columns.
    #[prop(default = catalogue::default_value("record_type").unwrap_or_default())]
    columns: RecordType,
    /// Whether the first column of whole numbers counts the rows by itself.
    #[prop(default = true)]
    add_primary_key: bool,
    /// Whether a table that is there already is left alone; else it is an error.
    #[prop(default = true)]
    if_not_exists: bool,
}

/// What the nodes that use the table need.
#[derive(Outputs)]
pub(super) struct Created {
    database_name: String,
    table_name: String,
    columns: RecordType,
}

impl Process for CreateTable {
    type Output = Created;

    async fn process(self, cx: &NodeCx) -> Result<Created, NodeError> {
        let sql = self.sql()?;
        let job = move |database: &database::Database| {
            database.change("table_name", &sql, Vec::new())?;
            Ok(())
        };
        database::with(cx, &self.database_name, Absent::Created, job).await?;
        Ok(Created {
            database_name: self.database_name,
            table_name: self.table_name,
            columns: self.columns,
        })
    }
}

impl CreateTable {
    fn sql(&self) -> Result<String, NodeError> {
        let columns = columns(&self.columns)?;
        if columns.is_empty() {
            let message = "names no columns (expected at least one, with `name` and `data_type`)";
            return Err(NodeError::bad("columns", message));
        }
        let mut key = self.add_primary_key;
        let columns = columns.into_iter().map(|(name, kind)| {
            let counts = kind == "INTEGER" && std::mem::take(&mut key);
            let more = if counts {
                " PRIMARY KEY AUTOINCREMENT"
            } else {
                ""
            };
            format!("{name} {kind}{more}")
        });
        let columns: Vec<String> = columns.collect();
        let unless = if self.if_not_exists {
            "IF NOT EXISTS "
        } else {
            ""
        };
        let table = quoted("table_name", &self.table_name)?;
        Ok(format!(
            "CREATE TABLE {unless}{table} ({})",
            columns.join(", ")
        ))
    }
}

/// Columns by their quoted names, with their types.
pub(super) fn columns(record: &RecordType) -> Result<Vec<(String, &'static str)>, NodeError> {
    let columns = record.0.get("columns").and_then(Value::as_list);
    let columns = columns.unwrap_or_default();
    if columns.len() > MAX_COLUMNS {
        let message = format!("{} columns (expected at most {MAX_COLUMNS})", columns.len());
        return Err(NodeError::bad("columns", message));
    }
    let column = |column: &Value| {
        let text = |key: &str| column.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = match text("data_type") {
            "int" | "integer" | "bool" => "INTEGER",
            "float" | "number" => "REAL",
            _ => "TEXT",
        };
        Ok((quoted("columns", text("name"))?, kind))
    };
    columns.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn the_table_is_created_once_and_its_names_go_on() {
        let folder = Folder::new();
        let columns = json(
            r#"{"columns":[{"name":"n","data_type":"int"},{"name":"a \"b","data_type":"string"}]}"#,
        );
        let table = || {
            let run = folder.case::<CreateTable>().set("columns", columns.clone());
            run.set("database_name", "deep/cards.db")
        };
        let given = table().run().await.unwrap();
        assert_eq!(given[0]["table_name"], "flashcards".into());
        assert_eq!(given[0]["columns"], columns);
        table().run().await.unwrap();
        let again = table().set("if_not_exists", false).run().await.unwrap_err();
        assert!(again.to_string().contains("already exists"), "{again}");
        assert!(folder.0.path().join("deep/cards.db").is_file());
    }

    #[tokio::test]
    async fn what_is_no_table_is_refused_and_no_file_leaves_the_workspace() {
        let folder = Folder::new();
        let one = json(r#"{"columns":[{"name":"n","data_type":"int"}]}"#);
        for (property, columns, name) in [
            ("columns", json(r#"{"columns":[]}"#), "a.db"),
            (
                "columns",
                json(r#"{"columns":[{"data_type":"int"}]}"#),
                "a.db",
            ),
            ("database_name", one.clone(), "../a.db"),
            ("database_name", one.clone(), "/tmp/a.db"),
            ("database_name", one, " "),
        ] {
            let run = folder.case::<CreateTable>().set("columns", columns);
            let refused = run.set("database_name", name).run().await;
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{property}`")), "{refused}");
        }
    }
}
