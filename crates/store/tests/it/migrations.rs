//! Opening databases that do not fit: changed, newer, half-made, or not databases at all.

use nodetool_store::{MigrationState, MigrationStatus, Options, Store, StoreError};
use rusqlite::Connection;

use crate::samples::{Folder, workflow};

fn tamper(folder: &Folder, sql: &str) {
    Connection::open(folder.database())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

async fn prepared() -> Folder {
    let folder = Folder::new();
    folder.open().close().await.unwrap();
    folder
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let folder = prepared().await;
    tamper(
        &folder,
        "UPDATE _nodetool_migrations SET checksum = 'other' WHERE name = 'create_jobs'",
    );
    let refused = Store::open(&folder.database(), Options::default());
    let Err(StoreError::ChecksumMismatch {
        version,
        name,
        expected,
        found,
    }) = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (version.as_str(), name.as_str()),
        ("20260101_000100", "create_jobs")
    );
    assert_eq!((expected.len(), found.as_str()), (64, "other"));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("20260101_000100_create_jobs")
    );
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let folder = prepared().await;
    tamper(
        &folder,
        "INSERT INTO _nodetool_migrations VALUES ('29991231_000000', 'from_the_future', 'x', 0, 0, 0)",
    );
    let refused = Store::open(
        &folder.database(),
        Options {
            migrate: false,
            ..Options::default()
        },
    );
    let Err(StoreError::NewerDatabase {
        version,
        name,
        newest,
    }) = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (version.as_str(), name.as_str()),
        ("29991231_000000", "from_the_future")
    );
    let known = Store::open_in_memory().unwrap().migration_status().await;
    assert_eq!(*newest, known.unwrap().last().unwrap().version);
}

#[tokio::test]
async fn migrations_can_be_applied_after_opening() {
    let folder = Folder::new();
    let store = Store::open(
        &folder.database(),
        Options {
            migrate: false,
            ..Options::default()
        },
    )
    .unwrap();
    let status = store.migration_status().await.unwrap();
    let known = status.len();
    assert!(known >= 2);
    assert!(
        status
            .iter()
            .all(|migration| migration.state == MigrationState::Pending)
    );
    let early = store.insert_workflow(workflow("w1", 1)).await;
    assert!(matches!(early, Err(StoreError::Sql { .. })), "{early:?}");

    assert_eq!(store.migrate().await.unwrap(), known);
    let status = store.migration_status().await.unwrap();
    assert!(
        status
            .iter()
            .all(|migration| migration.state != MigrationState::Pending)
    );
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
}

#[tokio::test]
async fn jobs_of_an_older_database_take_the_defaults_of_new_columns() {
    let folder = Folder::new();
    folder.open().close().await.unwrap();
    tamper(
        &folder,
        "DROP TABLE run_node_state; DROP TABLE nodetool_blobs; \
         ALTER TABLE nodetool_jobs DROP COLUMN result; ALTER TABLE nodetool_jobs DROP COLUMN event_seq; \
         ALTER TABLE nodetool_jobs DROP COLUMN queued_at; ALTER TABLE nodetool_jobs DROP COLUMN checkpoint; \
         ALTER TABLE nodetool_jobs DROP COLUMN assets; ALTER TABLE nodetool_jobs DROP COLUMN trigger_event; \
         DELETE FROM _nodetool_migrations WHERE name = 'add_run_state'; \
         INSERT INTO nodetool_jobs (id, started_at, status) VALUES ('old', 1, 'running')",
    );
    let store = folder.open();
    let payload = store.get_job_payload("old").await.unwrap().unwrap();
    assert_eq!((payload.event_seq, payload.result), (0, None));
    assert_eq!(store.unfinished_jobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let folder = Folder::new();
    tamper(&folder, "CREATE TABLE nodetool_jobs (id TEXT)");
    let refused = Store::open(&folder.database(), Options::default());
    let Err(StoreError::Migration { name, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(name, "create_jobs");
    let tables: i64 = Connection::open(folder.database())
        .unwrap()
        .query_row(
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 1, "only the table that was in the way");

    let store = Store::open(
        &folder.database(),
        Options {
            migrate: false,
            ..Options::default()
        },
    )
    .unwrap();
    assert!(matches!(
        store.migrate().await,
        Err(StoreError::Migration { .. })
    ));
    let status = store.migration_status().await.unwrap();
    assert!(
        status
            .iter()
            .all(|migration| migration.state == MigrationState::Pending)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_migrate_once() {
    let folder = Folder::new();
    let openers: Vec<_> = (0..4)
        .map(|_| {
            let path = folder.database();
            std::thread::spawn(move || Store::open(&path, Options::default()))
        })
        .collect();
    for opener in openers {
        let store = opener.join().unwrap().unwrap();
        let status = store.migration_status().await.unwrap();
        let pending = |m: &MigrationStatus| m.state == MigrationState::Pending;
        assert!(!status.iter().any(pending), "{status:?}");
    }
}

#[test]
fn paths_that_cannot_hold_a_database_are_refused() {
    let folder = Folder::new();
    let open = |path: &std::path::Path| Store::open(path, Options::default()).unwrap_err();
    for odd in ["", ":memory:"] {
        assert!(
            matches!(open(odd.as_ref()), StoreError::BadPath { .. }),
            "{odd}"
        );
    }
    let parent = folder.database().parent().unwrap().to_owned();
    assert!(matches!(open(&parent), StoreError::BadPath { .. }));
    let missing = parent.join("missing").join("x.sqlite3");
    assert!(matches!(open(&missing), StoreError::Open { path, .. } if path == missing));

    let text = parent.join("notes.txt");
    std::fs::write(
        &text,
        "this is not a database, and long enough to have a header ".repeat(40),
    )
    .unwrap();
    assert!(matches!(open(&text), StoreError::Sql { .. }));
    let uri = parent.join("file:x?mode=memory");
    drop(Store::open(&uri, Options::default()).unwrap());
    assert!(uri.exists(), "a path is never read as an URI");
}
