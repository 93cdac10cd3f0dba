//! Runs statements written with `$1` placeholders. It must not know tables.
//!
//! SQLite takes `$1` for a name and numbers it by first appearance; here it is bound by its number, as
//! PostgreSQL does.

use rusqlite::types::FromSql;
use rusqlite::{Connection, Error, Row, Statement, ToSql};

use crate::StoreError;
use crate::error::During;

/// The values of `$1`, `$2`, ….
pub(crate) type Values<'a> = [&'a dyn ToSql];

/// Calls `visit` with each row until it answers false.
pub(crate) fn each_row(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    values: &Values<'_>,
    mut visit: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(sql).during(operation)?;
    bind(&mut statement, values).during(operation)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().during(operation)? {
        if !visit(row)? {
            break;
        }
    }
    Ok(())
}

/// Reads the first row, if there is one.
pub(crate) fn first_row<T>(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    values: &Values<'_>,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = db.prepare_cached(sql).during(operation)?;
    bind(&mut statement, values).during(operation)?;
    let mut rows = statement.raw_query();
    rows.next().during(operation)?.map(read).transpose()
}

/// The first column of the first row: what a write with `RETURNING` touched, if anything.
pub(crate) fn first_value<T: FromSql>(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    values: &Values<'_>,
) -> Result<Option<T>, StoreError> {
    first_row(db, operation, sql, values, |row| {
        row.get(0).during(operation)
    })
}

/// Runs a statement that returns no rows and says how many it changed.
pub(crate) fn execute(
    db: &Connection,
    operation: &'static str,
    sql: &str,
    values: &Values<'_>,
) -> Result<usize, StoreError> {
    let mut statement = db.prepare_cached(sql).during(operation)?;
    bind(&mut statement, values)
        .and_then(|()| statement.raw_execute())
        .during(operation)
}

fn bind(statement: &mut Statement<'_>, values: &Values<'_>) -> rusqlite::Result<()> {
    let count = statement.parameter_count();
    for index in 1..=count {
        let number = statement
            .parameter_name(index)
            .and_then(number)
            .unwrap_or(index);
        let value = number.checked_sub(1).and_then(|place| values.get(place));
        let value = value.ok_or(Error::InvalidParameterCount(values.len(), count))?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_by_number_whatever_order_they_appear_in() {
        let db = Connection::open_in_memory().unwrap();
        let read = |row: &Row<'_>| {
            Ok((
                row.get::<_, String>(0).unwrap(),
                row.get::<_, i64>(1).unwrap(),
                row.get::<_, String>(2).unwrap(),
            ))
        };
        let row = first_row(&db, "probe", "SELECT $2, $1, $2", &[&7, &"two"], read).unwrap();
        assert_eq!(row, Some(("two".to_owned(), 7, "two".to_owned())));
    }

    #[test]
    fn a_missing_value_is_an_error() {
        let db = Connection::open_in_memory().unwrap();
        let outcome = first_value::<i64>(&db, "probe", "SELECT $1 + $2", &[&1]);
        assert!(matches!(
            outcome,
            Err(StoreError::Sql {
                operation: "probe",
                ..
            })
        ));
    }
}
