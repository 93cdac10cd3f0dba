//! Pages of rows that are ordered by one of their times and then by id, either way round.
//!
//! It must not know which tables there are; each one describes itself in a [`Listing`].

use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use crate::StoreError;
use crate::filter::Filter;
use crate::page::{Gather, Key, List, Page};
use crate::sql::each_row;

/// Which time a list is ordered by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Created,
    Updated,
}

/// Which end of a list comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    Oldest,
    Newest,
}

/// How a table is listed.
pub(crate) struct Listing<T> {
    pub(crate) list: List,
    pub(crate) operation: &'static str,
    /// `SELECT … FROM …`.
    pub(crate) select: &'static str,
    pub(crate) by: By,
    pub(crate) read: fn(&Row<'_>) -> Result<T, StoreError>,
    pub(crate) key: fn(&T) -> Key,
    /// Bytes of text in a row.
    pub(crate) text: fn(&T) -> usize,
}

impl<T> Listing<T> {
    pub(crate) fn query(
        &self,
        mut filter: Filter,
        first: First,
        limit: usize,
        after: Option<Key>,
    ) -> (String, Filter) {
        let (behind, order) = match (self.by, first) {
            (By::Created, First::Oldest) => ("(created_at, id) > (?, ?)", "created_at, id"),
            (By::Created, First::Newest) => {
                ("(created_at, id) < (?, ?)", "created_at DESC, id DESC")
            }
            (By::Updated, First::Oldest) => ("(updated_at, id) > (?, ?)", "updated_at, id"),
            (By::Updated, First::Newest) => {
                ("(updated_at, id) < (?, ?)", "updated_at DESC, id DESC")
            }
        };
        if let Some(Key { at, id }) = after {
            filter.add(behind, [Value::Integer(at), Value::Text(id)]);
        }
        let limit = filter.bind(Value::Integer(Gather::<T>::fetch(limit)));
        let select = self.select;
        let conditions = filter.sql();
        let sql = format!("{select}{conditions} ORDER BY {order} LIMIT {limit}");
        (sql, filter)
    }

    pub(crate) fn page(
        &self,
        db: &Connection,
        filter: Filter,
        first: First,
        limit: usize,
        after: Option<Key>,
    ) -> Result<Page<T>, StoreError> {
        let (sql, filter) = self.query(filter, first, limit, after);
        let mut page = Gather::new(self.list, limit);
        each_row(db, self.operation, &sql, &filter.values(), |row| {
            if page.is_full() {
                return Ok(false);
            }
            let row = (self.read)(row)?;
            page.push((self.key)(&row), (self.text)(&row), row);
            Ok(true)
        })?;
        Ok(page.finish())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::connection::open_in_memory;
    use crate::migrations::apply_pending;

    /// An index gives the order, both ways round and from any place.
    pub(crate) fn assert_indexed<T>(listing: &Listing<T>, filter: impl Fn() -> Filter) {
        let db = open_in_memory().unwrap();
        apply_pending(&db).unwrap();
        let key = Key {
            at: 1,
            id: "i".into(),
        };
        for first in [First::Oldest, First::Newest] {
            for after in [None, Some(key.clone())] {
                let (sql, filter) = listing.query(filter(), first, 10, after);
                let mut steps: Vec<String> = Vec::new();
                let explain = format!("EXPLAIN QUERY PLAN {sql}");
                each_row(&db, "explain", &explain, &filter.values(), |row| {
                    steps.push(row.get("detail").unwrap());
                    Ok(true)
                })
                .unwrap();
                assert_eq!(steps.len(), 1, "{sql}: {steps:?}");
                assert!(
                    steps[0].starts_with("SEARCH") && steps[0].contains("USING INDEX"),
                    "{sql}: {steps:?}"
                );
            }
        }
    }
}
