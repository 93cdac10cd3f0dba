//! Large values are files: counted, shared, found again after a kill, and gone once nothing refers to them.

use std::path::PathBuf;
use std::sync::Arc;

use nodetool_store::{CheckpointJob, Expected, FinishJob, JobStatus, NewJob, Store, StoreError};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::samples::{Folder, completion, job, large, record};

impl Folder {
    fn blobs(&self) -> PathBuf {
        self.database().with_file_name("blobs")
    }

    /// Every file in the folder of blobs.
    fn files(&self) -> Vec<PathBuf> {
        let list = |path: PathBuf| -> Vec<PathBuf> {
            std::fs::read_dir(path)
                .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
                .unwrap_or_default()
        };
        list(self.blobs()).into_iter().flat_map(list).collect()
    }

    /// How often the value of each blob is referred to, by rising size.
    fn counts(&self) -> Vec<(i64, i64)> {
        let db = Connection::open(self.database()).unwrap();
        let mut statement = db
            .prepare("SELECT size, refs FROM nodetool_blobs ORDER BY size")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    fn column(&self, sql: &str) -> String {
        let db = Connection::open(self.database()).unwrap();
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn with_graph(id: &str, graph: &str) -> NewJob {
    let mut new = job(id, 1);
    new.status = JobStatus::Running;
    new.graph = Some(Arc::from(graph));
    new
}

#[tokio::test]
async fn only_values_beyond_the_limit_leave_their_rows() {
    let folder = Folder::new();
    let store = folder.open();
    for (id, length) in [("at", 16_384), ("beyond", 16_385)] {
        let text = format!("\"{}\"", "x".repeat(length - 2));
        store
            .insert_job(with_graph(id, &text))
            .unwrap()
            .await
            .unwrap();
        let payload = store.get_job_payload(id).await.unwrap().unwrap();
        assert_eq!(*payload.graph, *text);
    }
    let column = |id: &str| {
        folder.column(&format!(
            "SELECT graph FROM nodetool_jobs WHERE id = '{id}'"
        ))
    };
    assert_eq!(column("at").len(), 16_384);
    let reference = column("beyond");
    let hash = reference
        .strip_prefix("sha256:")
        .and_then(|rest| rest.strip_suffix(":16385"))
        .unwrap();
    assert_eq!(
        folder.files(),
        [folder.blobs().join(&hash[..2]).join(hash)],
        "and no draft is left"
    );
    assert_eq!(folder.counts(), [(16_385, 1)]);
}

#[cfg(unix)]
#[tokio::test]
async fn values_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let store = folder.open();
    let new = with_graph("j1", &large("g"));
    store.insert_job(new).unwrap().await.unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.files().remove(0)), 0o600);
    assert_eq!(mode(folder.blobs()), 0o700);
}

#[tokio::test]
async fn a_value_is_kept_once_and_goes_with_its_last_reference() {
    let folder = Folder::new();
    let store = folder.open();
    for id in ["a", "b"] {
        let mut end = completion(id, 2);
        end.result = Some(Arc::from(large("g")));
        let new = with_graph(id, &large("g"));
        store.insert_ended_job(new, end).await.unwrap();
    }
    assert_eq!(folder.counts().iter().map(|c| c.1).collect::<Vec<_>>(), [4]);
    assert_eq!(folder.files().len(), 1);
    assert_eq!(store.delete_jobs_before(100, 1).await.unwrap(), 1);
    assert_eq!(store.vacuum_blobs().await.unwrap(), 0);
    assert_eq!(folder.counts().iter().map(|c| c.1).collect::<Vec<_>>(), [2]);
    let payload = store.get_job_payload("b").await.unwrap().unwrap();
    assert_eq!(payload.result.as_deref(), Some(&*large("g")));
    assert_eq!(store.delete_jobs_before(100, 1).await.unwrap(), 1);
    assert_eq!(store.vacuum_blobs().await.unwrap(), 1);
    assert!(folder.counts().is_empty() && folder.files().is_empty());
}

#[tokio::test]
async fn a_replaced_or_deleted_node_record_releases_its_value() {
    let folder = Folder::new();
    let store = folder.open();
    store
        .insert_job(with_graph("j1", "{}"))
        .unwrap()
        .await
        .unwrap();
    let save = async |payload: &str| {
        let records = vec![record("j1", "n", payload)];
        store
            .save_node_records("j1", records, CheckpointJob::default())
            .await
            .unwrap();
    };
    save(&large("a")).await;
    save(&large("a")).await;
    assert_eq!(folder.counts(), [(20_004, 1)]);
    save(&large("bbb")).await;
    assert_eq!(folder.counts(), [(20_002, 1), (20_004, 0)]);
    assert_eq!(store.vacuum_blobs().await.unwrap(), 1);
    let end = FinishJob::new("j1", Expected::NotEnded, JobStatus::Completed, 2);
    store.finish_job(end).await.unwrap();
    assert_eq!(folder.counts(), [(20_002, 0)]);
    assert_eq!(store.vacuum_blobs().await.unwrap(), 1);
    assert!(folder.files().is_empty());
}

#[tokio::test]
async fn a_refused_write_counts_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let again = store
        .insert_ended_job(with_graph("j1", &large("g")), completion("j1", 2))
        .await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    let mut late = FinishJob::new("j1", Expected::Version(9), JobStatus::Completed, 2);
    late.result = Some(Arc::from(large("r")));
    assert!(matches!(
        store.finish_job(late).await,
        Err(StoreError::Conflict { .. })
    ));
    assert!(folder.counts().is_empty());
    assert_eq!(
        store.vacuum_blobs().await.unwrap(),
        2,
        "the files written ahead are removed"
    );
    assert!(folder.files().is_empty());
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_at_open() {
    let folder = Folder::new();
    let store = folder.open();
    for (id, graph) in [("kept", large("k")), ("gone", large("g"))] {
        let new = with_graph(id, &graph);
        store
            .insert_ended_job(new, completion(id, 2))
            .await
            .unwrap();
    }
    let kept = folder.files();
    assert_eq!(kept.len(), 2);
    store.close().await.unwrap();

    // Killed between the file and the row, in the middle of a file, and before a sweep.
    let orphan = folder.blobs().join("ab");
    std::fs::create_dir_all(&orphan).unwrap();
    std::fs::write(orphan.join(format!("ab{}", "0".repeat(62))), "orphan").unwrap();
    std::fs::write(folder.blobs().join("tmp").join("draft"), "half").unwrap();
    let foreign = orphan.join("notes.txt");
    std::fs::write(&foreign, "not ours").unwrap();
    let db = Connection::open(folder.database()).unwrap();
    db.execute_batch(
        "UPDATE nodetool_blobs SET refs = 0 \
         WHERE hash = (SELECT substr(graph, 8, 64) FROM nodetool_jobs WHERE id = 'gone'); \
         DELETE FROM nodetool_jobs WHERE id = 'gone'",
    )
    .unwrap();
    drop(db);

    let store = folder.open();
    let payload = store.get_job_payload("kept").await.unwrap().unwrap();
    assert_eq!(*payload.graph, *large("k"));
    let mut left = folder.files();
    left.retain(|path| *path != foreign);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(kept.contains(&left[0]) && foreign.exists());
    assert_eq!(folder.counts().len(), 1);
}

#[tokio::test]
async fn a_lost_or_changed_value_names_its_row_and_spares_the_others() {
    let folder = Folder::new();
    let store = folder.open();
    for (id, at, graph) in [
        ("a", 1, large("a")),
        ("b", 2, large("b")),
        ("c", 3, large("c")),
    ] {
        let mut new = with_graph(id, &graph);
        new.started_at = at;
        store.insert_job(new).unwrap().await.unwrap();
    }
    let file = |id: &str| {
        let column = format!("SELECT substr(graph, 8, 64) FROM nodetool_jobs WHERE id = '{id}'");
        let hash = folder.column(&column);
        folder.blobs().join(&hash[..2]).join(hash)
    };
    std::fs::remove_file(file("a")).unwrap();
    std::fs::write(file("b"), large("d")).unwrap();

    for (id, wanted) in [("a", "has no file"), ("b", "has a file with other content")] {
        let read = store.get_job_payload(id).await;
        let Err(StoreError::Damaged {
            table,
            column,
            id: named,
            reason,
            ..
        }) = &read
        else {
            panic!("{read:?}")
        };
        assert_eq!(
            (*table, *column, named.as_str(), *reason),
            ("nodetool_jobs", "graph", id, wanted)
        );
        let told = read.unwrap_err().to_string();
        assert!(
            told.starts_with(&format!("nodetool_jobs.graph of {id} refers to `sha256:")),
            "{told}"
        );
        assert!(store.get_job(id).await.unwrap().is_some());
    }
    let jobs = store.unfinished_jobs().await.unwrap();
    let ids: Vec<Result<&str, &str>> = jobs
        .iter()
        .map(|job| match job {
            Ok((row, _)) => Ok(row.id.as_str()),
            Err((id, StoreError::Damaged { .. })) => Err(id.as_str()),
            Err(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [Err("a"), Err("b"), Ok("c")]);

    // Somebody storing the same value brings it back.
    let again = with_graph("again", &large("a"));
    store.insert_job(again).unwrap().await.unwrap();
    assert!(store.get_job_payload("a").await.is_ok());
}

#[tokio::test]
async fn a_lost_node_record_names_its_run_node_and_invocation() {
    let folder = Folder::new();
    let store = folder.open();
    store
        .insert_job(with_graph("j1", "{}"))
        .unwrap()
        .await
        .unwrap();
    let records = vec![record("j1", "n", &large("a"))];
    store
        .save_node_records("j1", records, CheckpointJob::default())
        .await
        .unwrap();
    std::fs::remove_file(folder.files().remove(0)).unwrap();
    let read = store.node_records("j1").await;
    assert!(
        matches!(&read, Err(StoreError::Damaged { table: "run_node_state", id, .. }) if id == "j1::n::-1"),
        "{read:?}"
    );
}

#[tokio::test]
async fn unreadable_jobs_do_not_hide_the_others() {
    let folder = Folder::new();
    let store = folder.open();
    for (id, at) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 6)] {
        let mut new = job(id, at);
        new.status = JobStatus::Running;
        store.insert_job(new).unwrap().await.unwrap();
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let db = Connection::open(folder.database()).unwrap();
    db.execute_batch(
        "UPDATE nodetool_jobs SET status = 'dreaming' WHERE id = 'a'; \
         UPDATE nodetool_jobs SET params = '{\"half\":' WHERE id = 'b'; \
         UPDATE nodetool_jobs SET graph = 'sha256:nonsense' WHERE id = 'c'; \
         UPDATE nodetool_jobs SET metadata_json = '' WHERE id = 'd'",
    )
    .unwrap();
    db.execute(
        "UPDATE nodetool_jobs SET params = ?1 WHERE id = 'e'",
        [&deep],
    )
    .unwrap();
    drop(db);
    let jobs = store.unfinished_jobs().await.unwrap();
    let told: Vec<(String, String)> = jobs
        .into_iter()
        .map(|job| match job {
            Ok((row, _)) => (row.id, "ok".to_owned()),
            Err((id, error)) => (id, error.to_string()),
        })
        .collect();
    let wanted = [
        ("a", "job a has an unreadable status: `dreaming`"),
        ("b", "job b has an unreadable params: `{\"half\":`"),
        (
            "c",
            "nodetool_jobs.graph of c refers to `sha256:nonsense`, which is no reference to a value",
        ),
        ("d", "job d has an unreadable metadata_json: ``"),
        ("e", "ok"),
        ("f", "ok"),
    ];
    let told: Vec<(&str, &str)> = told.iter().map(|(i, t)| (i.as_str(), t.as_str())).collect();
    assert_eq!(told, wanted);
}

/// Everybody stores, reads and deletes the same few values while they are swept all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_never_takes_a_value_somebody_stores_again() {
    let folder = Folder::new();
    let stores = [folder.open(), folder.open()];
    let mut tasks = JoinSet::new();
    for number in 0..8_usize {
        let store = stores[number % 2].clone();
        tasks.spawn(async move {
            for at in 0..15 {
                let id = format!("{number}-{at}");
                let mut new = with_graph(&id, &large(["x", "y"][at % 2]));
                new.user_id = id.clone();
                if at % 3 == 0 {
                    store.insert_job(new).unwrap().await.unwrap();
                } else {
                    let end = completion(&id, 2);
                    store.insert_ended_job(new, end).await.unwrap();
                }
                match store.get_job_payload(&id).await {
                    Ok(Some(payload)) => assert_eq!(payload.graph.len(), 20_004),
                    Ok(None) => assert!(at % 3 != 0, "only ended jobs are deleted"),
                    Err(error) => panic!("{error:?}"),
                }
                store.delete_jobs_before(100, 100).await.unwrap();
                store.vacuum_blobs().await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let jobs = stores[0].unfinished_jobs().await.unwrap();
    assert_eq!(jobs.len(), 8 * 5);
    assert!(jobs.iter().all(Result::is_ok), "{jobs:?}");
    stores[1].vacuum_blobs().await.unwrap();
    assert_eq!(folder.files().len(), 2);
    assert_eq!(folder.counts().iter().map(|c| c.1).sum::<i64>(), 8 * 5);
}

#[tokio::test]
async fn a_database_in_memory_keeps_values_of_any_size() {
    let store = Store::open_in_memory().unwrap();
    let new = with_graph("j1", &large("g"));
    store
        .insert_ended_job(new, completion("j1", 2))
        .await
        .unwrap();
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!(*payload.graph, *large("g"));
    assert_eq!(store.vacuum_blobs().await.unwrap(), 0);
}
