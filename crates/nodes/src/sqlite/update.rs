//! `lib.sqlite.Update`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use super::database::{self, Absent};
use super::insert::{cells, sample};
use super::name::quoted;
use super::query::condition;

/// Changes rows of a table of a database file.
/// sqlite, database, update, change, rows
#[derive(Node)]
#[node(
    namespace = "lib.sqlite",
    tool,
    uncached,
    effect = "once",
    basic("database_name", "table_name", "data", "where")
)]
pub(super) struct Update {
    /// The file.
    #[prop(default = "memory.db")]
    database_name: String,
    /// The table.
    #[prop(default = "flashcards")]
    table_name: String,
    /// New values by the names of columns.
    #[prop(default = sample("updated"))]
    data: Map,
    /// Which rows, in SQL, such as id = 1; all when empty.
    r#where: String,
}

impl Process for Update {
    type Output = Map;

    async fn process(self, cx: &NodeCx) -> Result<Map, NodeError> {
        let table = quoted("table_name", &self.table_name)?;
        let (names, cells) = cells(&self.data)?;
        let sets: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
        let sets = sets.join(", ");
        let sql = format!("UPDATE {table} SET {sets}{}", condition(&self.r#where));
        let job = move |database: &database::Database| database.change("where", &sql, cells);
        let changed = database::with(cx, &self.database_name, Absent::Refused, job).await?;
        Ok(told(changed, "Changed"))
    }
}

/// How many rows were changed.
pub(super) fn told(changed: usize, what: &str) -> Map {
    Map::from_iter([
        ("rows_affected".into(), changed.into()),
        ("message".into(), counted(what, changed).into()),
    ])
}

/// What was done to how many rows, in words.
pub(super) fn counted(what: &str, count: usize) -> String {
    let rows = if count == 1 { "row" } else { "rows" };
    format!("{what} {count} {rows}")
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;

    use super::super::insert::Insert;
    use super::super::query::Query;
    use super::super::testing::{Folder, json};
    use super::*;

    #[tokio::test]
    async fn the_rows_of_the_condition_are_changed() {
        let folder = Folder::with_cards().await.unwrap();
        for front in ["a", "b"] {
            let data = Value::map([("front", Value::from(front))]);
            folder
                .case::<Insert>()
                .set("data", data)
                .run()
                .await
                .unwrap();
        }
        let run = folder
            .case::<Update>()
            .set("data", json(r#"{"front":"z"}"#))
            .set("where", "front = 'b'");
        let given = run.value().await.unwrap();
        assert_eq!(given.get("rows_affected"), Some(&1i64.into()));
        assert_eq!(given.get("message"), Some(&"Changed 1 row".into()));
        let left = folder.case::<Query>().set("where", "front = 'z'");
        assert_eq!(left.value().await.unwrap().as_list().unwrap().len(), 1);
    }
}
