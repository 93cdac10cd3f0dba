//! Removes values nothing refers to.
//!
//! Every removal happens in a transaction of its own that holds the write lock and sees only what is committed. The
//! file goes before the commit: should that fail, an unused row without a file is left, and whoever refers to it
//! again writes the file again. Were the removal part of a larger transaction, undoing that one could bring back a
//! reference to a file that is gone.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Blobs, Files};
use crate::error::During;
use crate::sql::{each_row, first_value};
use crate::{Store, StoreError};

/// Values removed while the writer waits.
const AT_ONCE: usize = 200;

const DELETE_UNUSED: &str = "DELETE FROM nodetool_blobs WHERE hash IN \
     (SELECT hash FROM nodetool_blobs WHERE refs = 0 LIMIT $1) AND refs = 0 RETURNING hash";

const KNOWN: &str = "SELECT 1 FROM nodetool_blobs WHERE hash = $1";

impl Store {
    /// Removes the large values that no row refers to any more, and files that belong to no row; returns how many
    /// there were. Ending and deleting jobs only counts references down, so this has to be called now and then.
    ///
    /// # Errors
    /// When the database or a file cannot be changed; what was removed before stays removed.
    pub async fn vacuum_blobs(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        loop {
            let blobs = self.blobs().clone();
            let found = self
                .exclusive(move |db| match blobs.files() {
                    Some(files) => remove_unused(db, files),
                    None => Ok(0),
                })
                .await?;
            removed += found;
            if found < AT_ONCE {
                break;
            }
        }
        let blobs = self.blobs().clone();
        let orphans = self
            .read(move |db| match blobs.files() {
                Some(files) => find_orphans(db, files),
                None => Ok(Vec::new()),
            })
            .await?;
        for some in orphans.chunks(AT_ONCE) {
            let (blobs, some) = (self.blobs().clone(), some.to_vec());
            removed += self
                .exclusive(move |db| match blobs.files() {
                    Some(files) => remove_orphans(db, files, &some),
                    None => Ok(0),
                })
                .await?;
        }
        Ok(removed)
    }
}

/// What a process that was killed has left: files without rows, half-written files, rows without references.
pub(crate) fn sweep_at_open(db: &Connection, blobs: &Blobs) -> Result<(), StoreError> {
    let Some(files) = blobs.files() else {
        return Ok(());
    };
    while remove_unused(db, files)? == AT_ONCE {}
    for some in find_orphans(db, files)?.chunks(AT_ONCE) {
        remove_orphans(db, files, some)?;
    }
    if files.has_drafts()? {
        // Under the lock: a process that misses its draft writes the value again once it has the lock.
        let lock = lock(db)?;
        files.remove_drafts()?;
        lock.commit().during("remove half-written values")?;
    }
    Ok(())
}

fn remove_unused(db: &Connection, files: &Files) -> Result<usize, StoreError> {
    const OPERATION: &str = "remove unused values";
    let any = "SELECT 1 FROM nodetool_blobs WHERE refs = 0 LIMIT 1";
    if first_value::<i64>(db, OPERATION, any, &[])?.is_none() {
        return Ok(0);
    }
    let lock = lock(db)?;
    let mut hashes: Vec<String> = Vec::new();
    let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    each_row(&lock, OPERATION, DELETE_UNUSED, &[&limit], |row| {
        hashes.push(row.get(0).during(OPERATION)?);
        Ok(true)
    })?;
    for hash in hashes.iter().filter(|hash| super::is_hash(hash)) {
        files.remove(hash)?;
    }
    lock.commit().during(OPERATION)?;
    Ok(hashes.len())
}

/// Files that no row counts; one may come to be counted right after this.
fn find_orphans(db: &Connection, files: &Files) -> Result<Vec<String>, StoreError> {
    let mut orphans = Vec::new();
    for hash in files.hashes()? {
        if !is_known(db, &hash)? {
            orphans.push(hash);
        }
    }
    Ok(orphans)
}

fn remove_orphans(db: &Connection, files: &Files, hashes: &[String]) -> Result<usize, StoreError> {
    let lock = lock(db)?;
    let mut removed = 0;
    for hash in hashes {
        if !is_known(&lock, hash)? {
            files.remove(hash)?;
            removed += 1;
        }
    }
    lock.commit().during("remove values without rows")?;
    Ok(removed)
}

fn is_known(db: &Connection, hash: &str) -> Result<bool, StoreError> {
    Ok(first_value::<i64>(db, "look up a large value", KNOWN, &[&hash])?.is_some())
}

fn lock(db: &Connection) -> Result<Transaction<'_>, StoreError> {
    Transaction::new_unchecked(db, TransactionBehavior::Immediate).during("begin a sweep")
}
