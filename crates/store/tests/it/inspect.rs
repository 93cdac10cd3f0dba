//! What looking at a database from outside shows, and what it leaves alone.

use nodetool_store::{BlobKey, Blobs, MigrationState, Options, Store, inspect, missing_blobs};
use tempfile::TempDir;

fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_database_is_looked_at_while_it_is_open_and_afterwards() {
    let folder = TempDir::new().unwrap();
    // Signs that mean something in a URL.
    let path = folder.path().join("a?mode=rwc&b#c %41.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    let found = inspect(&path, true, 10).unwrap();
    assert_eq!(found.complaints, Some(Vec::new()));
    let mut states = found.migrations.iter().map(|m| &m.state);
    assert!(states.all(|state| *state != MigrationState::Pending));
    store.close().await.unwrap();
    let before = names(&folder);
    let found = inspect(&path, false, 10).unwrap();
    assert_eq!((found.complaints, found.file_ids), (None, Vec::new()));
    assert_eq!(names(&folder), before, "it leaves nothing behind");
}

#[test]
fn what_is_no_database_or_has_no_tables_is_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("db");
    assert!(inspect(&path, true, 1).is_err());
    assert!(!path.exists(), "looking creates nothing");
    std::fs::write(&path, "notes ".repeat(999)).unwrap();
    assert!(inspect(&path, true, 1).is_err());
    std::fs::write(&path, "").unwrap();
    let found = inspect(&path, true, 1).unwrap();
    let mut states = found.migrations.iter().map(|m| &m.state);
    assert!(states.all(|state| *state == MigrationState::Pending));
}

#[tokio::test]
async fn blobs_that_are_not_there_are_named() {
    let folder = TempDir::new().unwrap();
    let blobs = Blobs::open(folder.path()).unwrap();
    let key = BlobKey::parse("a/b.txt").unwrap();
    blobs.put(&key, b"x").await.unwrap();
    let keys = ["a/b.txt", "c.txt", "../escape"].map(str::to_owned);
    assert_eq!(missing_blobs(folder.path(), &keys), ["c.txt", "../escape"]);
}

#[tokio::test]
async fn writes_are_counted() {
    let store = Store::open_in_memory().unwrap();
    let before = store.stats();
    assert_eq!(store.migrate().await.unwrap(), 0);
    let after = store.stats();
    assert_eq!((after.writes, after.queued), (before.writes + 1, 0));
    let commits = |stats: &nodetool_store::StoreStats| -> u64 {
        stats.commit_seconds.buckets.iter().map(|(_, n)| n).sum()
    };
    assert_eq!(commits(&after), commits(&before) + 1);
}
