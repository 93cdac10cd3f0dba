//! `lib.sqlite.ExecuteSQL`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};
use rusqlite::types::Value as Cell;

use super::cell::written;
use super::database::{self, Absent, Database, rows};
use super::update::counted;

/// Runs one SQL statement on a database file.
/// sqlite, database, sql, statement, query
///
/// A statement that gives rows gives `rows` and `count`; any other gives `rows_affected` and `last_row_id`. Other files
/// cannot be attached, and settings cannot be changed.
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    name = "ExecuteSQL",
    title = "Execute SQL",
    tool,
    uncached,
    effect = "once",
    basic("database_name", "sql", "parameters")
)]
pub(super) struct ExecuteSQL {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The statement.
    #[prop(default = "SELECT * FROM flashcards")]
    sql: String,
    /// Values for each ? in it.
    parameters: Vec<Value>,
}

impl Process for ExecuteSQL {
    type Output = Map;

    async fn process(self, cx: &NodeCx) -> Result<Map, NodeError> {
        if self.sql.trim().is_empty() {
            return Err(NodeError::bad(
                "sql",
                "is empty (expected an SQL statement)",
            ));
        }
        let cells = self.parameters.iter().enumerate().map(|(at, value)| {
            written(value).map_err(|e| NodeError::bad("parameters", format!("[{at}] {e}")))
        });
        let cells: Vec<Cell> = cells.collect::<Result<_, _>>()?;
        let sql = self.sql;
        let job = move |database: &Database| execute(database, &sql, cells);
        database::with(cx, &self.database_name, Absent::Created, job).await
    }
}

fn execute(database: &Database, sql: &str, cells: Vec<Cell>) -> Result<Map, NodeError> {
    let mut statement = database.statement("sql", sql)?;
    let (wanted, given) = (statement.parameter_count(), cells.len());
    if wanted != given {
        let message = format!("has {wanted} places for parameters, and {given} are given");
        return Err(NodeError::bad("sql", message));
    }
    if statement.column_count() > 0 {
        let rows = rows("sql", &mut statement, cells)?;
        let count = rows.len();
        return Ok(Map::from_iter([
            ("rows".into(), Value::list(rows)),
            ("count".into(), count.into()),
            ("message".into(), counted("Read", count).into()),
        ]));
    }
    drop(statement);
    let changed = database.change("sql", sql, cells)?;
    Ok(Map::from_iter([
        ("rows_affected".into(), changed.into()),
        ("last_row_id".into(), database.last_row().into()),
        ("message".into(), counted("Changed", changed).into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn statements_with_parameters_change_and_read() {
        let folder = Folder::new();
        let run = |sql: &str, parameters: &str| {
            let case = folder.case::<ExecuteSQL>().set("sql", sql);
            case.set("parameters", json(parameters)).value()
        };
        run("CREATE TABLE t (a, b)", "[]").await.unwrap();
        let wrote = run("INSERT INTO t VALUES (?, ?), (?, 2)", r#"["x",[1],"y"]"#);
        let wrote = wrote.await.unwrap();
        assert_eq!(wrote.get("rows_affected"), Some(&2i64.into()));
        let read = run(
            "SELECT count(*) AS n, max(b) AS m FROM t WHERE a = ?",
            r#"["y"]"#,
        );
        let read = read.await.unwrap();
        assert_eq!(read.get("rows"), Some(&json(r#"[{"n":1,"m":2}]"#)));
        assert_eq!(read.get("count"), Some(&1i64.into()));
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_refused_in_the_name_of_the_statement() {
        let folder = Folder::new();
        for (sql, said) in [
            (" ", "is empty"),
            ("-- nothing", "sql"),
            ("SELECT ?", "1 places for parameters, and 0"),
            ("SELEC 1", "syntax"),
            ("CREATE TABLE a (b); SELECT 1", "several statements"),
            ("ATTACH 'b.db' AS b", "not allowed"),
        ] {
            let run = folder.case::<ExecuteSQL>().set("sql", sql).run();
            let refused = run.await.map(|given| format!("{given:?}"));
            let refused = refused.unwrap_or_else(|e| e.to_string());
            assert!(refused.contains(said), "{sql}: {refused}");
        }
    }
}
