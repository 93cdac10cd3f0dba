//! Puts values into columns and takes them out, wherever they are kept. It must not know which tables do so.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use super::files::{Damage, MISSING};
use super::{Carried, Content, Files, Load, Parcel, Reference};
use crate::StoreError;
use crate::ids::now_micros;
use crate::sql::execute;

const COUNT: &str = "INSERT INTO nodetool_blobs (hash, size, refs, created_at) VALUES ($1, $2, 1, $3) \
     ON CONFLICT (hash) DO UPDATE SET refs = nodetool_blobs.refs + 1";

const RELEASE: &str = "UPDATE nodetool_blobs SET refs = refs - 1 WHERE hash = $1 AND refs > 0";

/// Folder of the values of a database, beside its file.
const FOLDER: &str = "blobs";

/// Where a value is stored, for errors about it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) id: &'a str,
}

/// Where large values are kept; clones share it.
///
/// A database in memory keeps them in its rows: it has no folder, and everything in it is in memory anyway.
#[derive(Clone)]
pub(crate) struct Blobs(Option<Arc<Files>>);

impl Blobs {
    /// Values stay in their rows, whatever their size.
    pub(crate) fn inline() -> Self {
        Self(None)
    }

    /// Values go to a folder beside the database file.
    pub(crate) fn beside(database: &Path) -> Self {
        let files = Files::new(database.with_file_name(FOLDER));
        Self(Some(Arc::new(files)))
    }

    pub(super) fn files(&self) -> Option<&Files> {
        self.0.as_deref()
    }

    /// Writes the files of large values on a thread that may wait for the disk, so that the one writer need not.
    pub(crate) async fn ahead<L: Load>(&self, load: L) -> Result<L, StoreError> {
        let mut large = false;
        load.each(&mut |value| large |= value.is_large());
        let (Some(files), true) = (self.0.clone(), large) else {
            return Ok(load);
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Ok(load);
        };
        let write = move || {
            load.each(&mut |value| value.write_ahead(&files));
            load
        };
        // Fails only when the runtime is shutting down.
        runtime
            .spawn_blocking(write)
            .await
            .map_err(|_| StoreError::Closed)
    }

    /// Counts one more reference to a large value and makes sure its file is there; nothing for others.
    fn keep<C: Content>(
        &self,
        db: &Connection,
        parcel: &Parcel<C>,
    ) -> Result<Option<String>, StoreError> {
        let (Some(files), true) = (&self.0, parcel.is_large()) else {
            return Ok(None);
        };
        let reference = parcel.reference();
        let size = i64::try_from(reference.size).unwrap_or(i64::MAX);
        files.write(reference, parcel.value.bytes())?;
        execute(
            db,
            "count a large value",
            COUNT,
            &[&reference.hash, &size, &now_micros()],
        )?;
        Ok(Some(reference.to_string()))
    }

    /// What a text column is to hold.
    pub(crate) fn keep_text<'a, C: Content + AsRef<str>>(
        &self,
        db: &Connection,
        field: &'static str,
        parcel: Option<&'a Parcel<C>>,
    ) -> Result<Option<Cow<'a, str>>, StoreError> {
        let Some(parcel) = parcel else {
            return Ok(None);
        };
        if let Some(reference) = self.keep(db, parcel)? {
            return Ok(Some(Cow::Owned(reference)));
        }
        let text = parcel.value.as_ref();
        if Reference::is_meant(text) {
            return Err(StoreError::InvalidInput {
                field,
                reason: "is no JSON text".to_owned(),
            });
        }
        Ok(Some(Cow::Borrowed(text)))
    }

    /// What a column of bytes and the column for its reference are to hold.
    pub(crate) fn keep_bytes<'a>(
        &self,
        db: &Connection,
        parcel: &'a Parcel<Bytes>,
    ) -> Result<(Option<&'a [u8]>, Option<String>), StoreError> {
        Ok(match self.keep(db, parcel)? {
            None => (Some(parcel.value.bytes()), None),
            reference => (None, reference),
        })
    }

    /// Counts one reference less; for what a column held that no longer does.
    pub(crate) fn release(&self, db: &Connection, column: Option<&str>) -> Result<(), StoreError> {
        if let Some(reference) = column.and_then(Reference::parse) {
            execute(db, "release a large value", RELEASE, &[&reference.hash])?;
        }
        Ok(())
    }

    /// The value of a text column.
    pub(crate) fn text(&self, column: String, place: Place<'_>) -> Result<String, StoreError> {
        if !Reference::is_meant(&column) {
            return Ok(column);
        }
        let value = self.bytes(&column, place)?;
        String::from_utf8(value)
            .map_err(|_| damaged(place, &column, "holds bytes that are no text"))
    }

    /// The value a reference stands for.
    pub(crate) fn bytes(&self, reference: &str, place: Place<'_>) -> Result<Vec<u8>, StoreError> {
        let parsed = Reference::parse(reference)
            .ok_or_else(|| damaged(place, reference, "is no reference to a value"))?;
        let found = match &self.0 {
            Some(files) => files.read(&parsed),
            None => Err(Damage::Blob(MISSING)),
        };
        found.map_err(|damage| match damage {
            Damage::Blob(reason) => damaged(place, reference, reason),
            Damage::File(error) => error,
        })
    }
}

fn damaged(place: Place<'_>, reference: &str, reason: &'static str) -> StoreError {
    let Place { table, column, id } = place;
    StoreError::Damaged {
        table,
        column,
        id: id.to_owned(),
        reference: reference.chars().take(100).collect(),
        reason,
    }
}

/// Reads again when a value has no file: its row may have gone between the two looks, and its file with it.
pub(crate) fn twice<T>(read: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    match read() {
        Err(StoreError::Damaged {
            reason: MISSING, ..
        }) => read(),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_value_without_a_file_is_looked_for_once_more() {
        let place = Place {
            table: "t",
            column: "c",
            id: "i",
        };
        let looks = |reason: &'static str, gone_after: usize| {
            let count = Cell::new(0);
            let found = twice(|| {
                count.set(count.get() + 1);
                if count.get() > gone_after {
                    return Ok(None::<String>);
                }
                Err(damaged(place, "sha256:x", reason))
            });
            (count.get(), found.is_ok())
        };
        assert_eq!(looks(MISSING, 1), (2, true), "the row has gone, too");
        assert_eq!(looks(MISSING, 9), (2, false));
        assert_eq!(looks("holds something else", 1), (1, false));
        assert_eq!(looks(MISSING, 0), (1, true));
    }
}
