//! No room and no right to write: a clear error, nothing half-written, and work goes on once there is room.

use std::path::Path;

use nodetool_store::IfMatch;
use nodetool_store::{CheckpointJob, JobStatus, Options, Store, StoreError};

use crate::samples::{Folder, completion, job, large, record, workflow};

#[tokio::test]
async fn a_full_database_refuses_and_works_again_once_there_is_room() {
    let folder = Folder::new();
    let options = Options {
        max_bytes: Some(560 << 10),
        ..Options::default()
    };
    let store = Store::open(&folder.database(), options).unwrap();
    let of = |bytes: usize| format!("[\"{}\"]", "g".repeat(bytes));
    let graph = || of(15_000);
    let mut stored = Vec::new();
    let mut refused = StoreError::Closed;
    // Small rows fill what is left behind the last large one, however the tables lie.
    for graph in [graph(), of(3_000)] {
        refused = loop {
            assert!(stored.len() < 200, "the limit has no effect");
            let id = format!("w{}", stored.len());
            let mut row = workflow(&id, 1);
            row.graph = graph.clone().into();
            match store.insert_workflow(row).await {
                Ok(()) => stored.push(id),
                Err(error) => break error,
            }
        };
    }
    assert!(matches!(refused, StoreError::NoRoom { .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("there is no room left: "));

    let mut new = job("j1", 1);
    new.params = Some(graph().into());
    let again = store
        .insert_ended_job(new.clone(), completion("j1", 2))
        .await;
    assert!(matches!(again, Err(StoreError::NoRoom { .. })), "{again:?}");
    assert_eq!(store.count_workflows().await.unwrap(), stored.len() as u64);
    assert_eq!(store.get_job("j1").await.unwrap(), None);

    for id in stored.iter().take(3) {
        store
            .delete_workflow("u", id, IfMatch::Anything)
            .await
            .unwrap();
    }
    store
        .insert_ended_job(new, completion("j1", 2))
        .await
        .unwrap();
    assert_eq!(
        store.get_job("j1").await.unwrap().unwrap().status,
        JobStatus::Completed
    );
    store.close().await.unwrap();
    let store = folder.open();
    assert_eq!(
        store.count_workflows().await.unwrap(),
        stored.len() as u64 - 3
    );
}

#[tokio::test]
async fn a_value_that_cannot_be_written_leaves_no_row() {
    let folder = Folder::new();
    let store = folder.open();
    // A file where the folder has to be refuses everybody, the superuser too.
    let blobs = folder.database().with_file_name("blobs");
    std::fs::write(&blobs, "in the way").unwrap();
    let mut new = job("j1", 1);
    new.status = JobStatus::Running;
    new.graph = Some(large("g").into());
    let refused = store.insert_job(new.clone()).unwrap().await;
    assert!(
        matches!(&refused, Err(StoreError::File { path, .. }) if path.starts_with(&blobs)),
        "{refused:?}"
    );
    let refused = store
        .insert_ended_job(new.clone(), completion("j1", 2))
        .await;
    assert!(
        matches!(refused, Err(StoreError::File { .. })),
        "{refused:?}"
    );
    assert_eq!(store.get_job("j1").await.unwrap(), None);
    store.insert_job(job("small", 1)).unwrap().await.unwrap();

    std::fs::remove_file(&blobs).unwrap();
    store.insert_job(new).unwrap().await.unwrap();
    let records = vec![record("j1", "n", &large("n"))];
    store
        .save_node_records("j1", records, CheckpointJob::default())
        .await
        .unwrap();
    assert_eq!(store.node_records("j1").await.unwrap().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_nobody_can_write_is_refused_at_open() {
    // Not even the superuser can create a file there.
    let path = Path::new("/sys/nodetool.sqlite3");
    let refused = Store::open(path, Options::default()).unwrap_err();
    let StoreError::Open { path: named, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(named, path);
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_database_is_told_as_such() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.open().close().await.unwrap();
    let database = folder.database();
    let parent = database.parent().unwrap().to_owned();
    let allow = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&database, 0o400);
    allow(&parent, 0o500);
    let superuser = std::fs::File::options()
        .append(true)
        .open(&database)
        .is_ok();
    let opened = Store::open(&database, Options::default());
    allow(&parent, 0o700);
    allow(&database, 0o600);
    match opened {
        Ok(_) => assert!(superuser, "the database could not be written"),
        Err(error) => assert!(
            !superuser && matches!(error, StoreError::ReadOnly { .. }),
            "{error:?}"
        ),
    }
    folder
        .open()
        .insert_workflow(workflow("w1", 1))
        .await
        .unwrap();
}
