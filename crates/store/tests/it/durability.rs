//! What was acknowledged is there after the store was closed, dropped, or its process killed.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use nodetool_store::{DeadOwner, JobStatus, Options, Store, StoreError, new_id, now_micros};
use tokio::task::JoinSet;

use crate::samples::{Folder, completion, job, large, workflow};

/// Tells the test binary to be the process that gets killed, and where its database is.
const CHILD_DATABASE: &str = "NODETOOL_STORE_TEST_DATABASE";

/// Acknowledgements to wait for before the kill.
const ACKNOWLEDGED: usize = 400;

#[tokio::test]
async fn everything_is_there_after_a_close() {
    let folder = Folder::new();
    let store = folder.open();
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    drop(store.insert_job(job("j1", 1)).unwrap());
    store.close().await.unwrap();
    store.close().await.unwrap();

    assert!(matches!(
        store.insert_job(job("j2", 1)).err(),
        Some(StoreError::Closed)
    ));
    assert!(matches!(store.get_job("j1").await, Err(StoreError::Closed)));
    assert!(matches!(
        store.insert_workflow(workflow("w2", 1)).await,
        Err(StoreError::Closed)
    ));
    assert!(
        !folder.database().with_extension("sqlite3-wal").exists(),
        "the log is folded back"
    );

    let again = folder.open();
    assert_eq!(again.count_workflows().await.unwrap(), 1);
    assert_eq!(
        again.count_jobs().await.unwrap(),
        1,
        "a queued insert is kept though nobody waited for it"
    );
}

#[tokio::test]
async fn everything_is_there_after_a_drop_without_close() {
    let folder = Folder::new();
    let store = folder.open();
    for at in 0..50 {
        let id = format!("j{at}");
        drop(store.insert_job(job(&id, at)).unwrap());
        store.finish_job(completion(&id, at)).await.unwrap();
    }
    let clone = store.clone();
    drop(store);
    clone.insert_workflow(workflow("w1", 1)).await.unwrap();
    drop(clone);

    let again = folder.open();
    assert_eq!(
        (
            again.count_jobs().await.unwrap(),
            again.count_workflows().await.unwrap()
        ),
        (50, 1)
    );
}

#[tokio::test]
async fn a_closed_store_in_memory_answers_closed() {
    let store = Store::open_in_memory().unwrap();
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(
        store.get_workflow("w1").await,
        Err(StoreError::Closed)
    ));
}

#[cfg(unix)]
#[test]
fn a_new_database_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let _store = folder.open();
    for name in ["nodetool.sqlite3", "nodetool.sqlite3-wal"] {
        let mode = std::fs::metadata(folder.database().with_file_name(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// Runs itself as a child that writes without end, kills it with SIGKILL, and looks at what is left.
#[test]
fn acknowledged_writes_survive_a_killed_process() {
    if let Some(path) = std::env::var_os(CHILD_DATABASE) {
        return write_until_killed(Path::new(&path));
    }
    let folder = Folder::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::acknowledged_writes_survive_a_killed_process",
            "--nocapture",
        ])
        .env(CHILD_DATABASE, folder.database())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut acknowledged: Vec<String> = acknowledgements(lines.by_ref())
        .take(ACKNOWLEDGED)
        .collect();
    child.kill().unwrap();
    assert!(
        !child.wait().unwrap().success(),
        "the child was killed while writing"
    );
    acknowledged.extend(acknowledgements(lines.by_ref()));
    assert!(acknowledged.len() >= ACKNOWLEDGED);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(check_after_kill(&folder, &acknowledged));
}

async fn check_after_kill(folder: &Folder, acknowledged: &[String]) {
    let store = folder.open();
    let (mut distinct, mut results) = (HashSet::new(), 0);
    for line in acknowledged {
        let (id, word) = line.split_once(' ').unwrap();
        let row = store
            .get_job(id)
            .await
            .unwrap()
            .expect("an acknowledged job is stored");
        if word == "completed" {
            assert_eq!(row.status, JobStatus::Completed, "{id}");
            let payload = store.get_job_payload(id).await.unwrap().unwrap();
            if let Some(result) = payload.result {
                assert_eq!(*result, *large(id), "a large result is there in full");
                results += 1;
            }
        }
        distinct.insert(id);
    }
    assert!(results > 0, "some jobs had large results");
    store
        .fail_interrupted_jobs(DeadOwner::SilentSince(i64::MAX), now_micros())
        .await
        .unwrap();
    for id in distinct {
        assert!(
            store
                .get_job(id)
                .await
                .unwrap()
                .unwrap()
                .status
                .is_terminal(),
            "{id}"
        );
    }
}

/// The acknowledgements among the lines of a child, without those the test harness prints.
fn acknowledgements(lines: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    lines.filter_map(|line| {
        let (_, acknowledged) = line.split_once("acknowledged ")?;
        // A line cut off by the kill was not acknowledged.
        acknowledged.strip_suffix(" .").map(str::to_owned)
    })
}

fn write_until_killed(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open(path, Options::default()).unwrap();
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            writers.spawn(async move {
                // Ends by itself, should nobody come to kill it.
                for at in 0..100_000 {
                    let id = new_id();
                    store.insert_job(job(&id, at)).unwrap().await.unwrap();
                    println!("acknowledged {id} inserted .");
                    let mut end = completion(&id, at);
                    end.result = (at % 16 == 0).then(|| large(&id).into());
                    store.finish_job(end).await.unwrap();
                    println!("acknowledged {id} completed .");
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
    });
}
