//! Many at once: nobody sees a locked database, nobody loses a write, one failure stays one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nodetool_store::IfMatch;
use nodetool_store::{
    CheckpointJob, Expected, FinishJob, JobFilter, JobStatus, Options, StatusChange, Store,
    StoreError, new_id,
};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::samples::{Folder, completion, job, large, record, workflow};

const WRITERS: usize = 64;
const JOBS_EACH: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_and_some_readers_never_meet_a_lock() {
    let folder = Folder::new();
    let store = folder.open();
    let done = Arc::new(AtomicBool::new(false));

    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let (store, done) = (store.clone(), Arc::clone(&done));
        readers.spawn(async move {
            let mut largest = 0;
            while !done.load(Ordering::Relaxed) {
                let filter = JobFilter {
                    user_id: "u".to_owned(),
                    ..JobFilter::default()
                };
                let listed = store.list_jobs(filter, 100, "").await?.rows.len();
                largest = largest.max(listed);
            }
            Ok::<_, StoreError>(largest)
        });
    }

    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for at in 0..JOBS_EACH {
                let id = new_id();
                drop(store.insert_job(job(&id, at as i64))?);
                store.finish_job(completion(&id, at as i64)).await?;
                let row = store.get_job(&id).await?;
                assert_eq!(
                    row.map(|row| row.status),
                    Some(JobStatus::Completed),
                    "a write is seen once answered"
                );
            }
            Ok::<_, StoreError>(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap().unwrap();
    }
    done.store(true, Ordering::Relaxed);
    while let Some(reader) = readers.join_next().await {
        assert!(reader.unwrap().unwrap() <= 100);
    }
    assert_eq!(
        store.count_jobs().await.unwrap(),
        (WRITERS * JOBS_EACH) as u64
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_of_every_table_never_meet_a_lock() {
    let folder = Folder::new();
    let store = folder.open();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for at in 0..5_i64 {
                let id = format!("{number}-{at}");
                store
                    .save_workflow(workflow(&id, at), IfMatch::Anything)
                    .await?;
                let mut new = job(&id, at);
                new.status = JobStatus::Running;
                new.params = Some(large("shared").into());
                drop(store.insert_job(new)?);
                let checkpoint = CheckpointJob {
                    graph: Some(large("graph").into()),
                    event_seq: Some(at),
                    heartbeat_at: at,
                };
                let records = vec![record(&id, "a", "small"), record(&id, "b", &large(&id))];
                store.save_node_records(&id, records, checkpoint).await?;
                store.reserve_events(&id, 100 + at).await?;
                let taken = Expected::Version(0);
                store.take_over_job(&id, taken, "second", 0, at).await?;
                assert_eq!(store.node_records(&id).await?.len(), 2);
                if at > 0 {
                    let mut end =
                        FinishJob::new(&id, Expected::Version(1), JobStatus::Completed, at);
                    end.result = Some(large("result").into());
                    store.finish_job(end).await?;
                }
                if at == 3 {
                    store.delete_jobs_before(2, 10).await?;
                    store.trim_jobs_to_bytes(u64::MAX, 10).await?;
                    store.vacuum_blobs().await?;
                }
                store.delete_workflow("u", &id, IfMatch::Anything).await?;
            }
            Ok::<_, StoreError>(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap().unwrap();
    }
    let unfinished = store.unfinished_jobs().await.unwrap();
    assert_eq!(unfinished.len(), WRITERS);
    for job in unfinished {
        let (row, payload) = job.unwrap();
        assert_eq!(payload.event_seq, 100);
        assert_eq!(store.node_records(&row.id).await.unwrap().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_wait_for_each_other() {
    let folder = Folder::new();
    let stores = [folder.open(), folder.open()];
    let mut writers = JoinSet::new();
    for number in 0..8 {
        let store = stores[number % 2].clone();
        writers.spawn(async move {
            for at in 0..JOBS_EACH {
                store.insert_job(job(&new_id(), at as i64))?.await?;
            }
            Ok::<_, StoreError>(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.unwrap().unwrap();
    }
    assert_eq!(
        stores[0].count_jobs().await.unwrap(),
        (8 * JOBS_EACH) as u64
    );
    assert_eq!(
        stores[1].count_jobs().await.unwrap(),
        (8 * JOBS_EACH) as u64
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_compare_and_set_one_wins() {
    let store = Store::open_in_memory().unwrap();
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let mut rivals = JoinSet::new();
    for number in 0..32 {
        let store = store.clone();
        rivals.spawn(async move {
            let mut claim =
                StatusChange::new("j1", Expected::Version(0), JobStatus::Running, number);
            claim.worker_id = Some(format!("worker {number}"));
            store.set_job_status(claim).await.map(|_| number)
        });
    }
    let mut winners = Vec::new();
    while let Some(rival) = rivals.join_next().await {
        match rival.unwrap() {
            Ok(number) => winners.push(format!("worker {number}")),
            Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}"),
        }
    }
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(winners, [row.worker_id.unwrap()]);
    assert_eq!(row.version, 1);
}

#[tokio::test]
async fn a_failing_command_of_a_batch_fails_alone() {
    let folder = Folder::new();
    let store = folder.open();
    // While another connection holds the write lock everything queues up behind the first command,
    // so that the rest goes into one batch.
    let blocker = Connection::open(folder.database()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut pending = vec![store.insert_job(job("first", 0)).unwrap()];
    for id in ["a", "b", "a", "c"] {
        pending.push(store.insert_job(job(id, 1)).unwrap());
    }
    blocker.execute_batch("ROLLBACK").unwrap();

    let mut answers = Vec::new();
    for answer in pending {
        answers.push(answer.await);
    }
    let failed = answers.remove(3);
    assert!(
        matches!(&failed, Err(StoreError::AlreadyExists { id, .. }) if id == "a"),
        "{failed:?}"
    );
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.count_jobs().await.unwrap(), 4);
}

#[tokio::test]
async fn a_lock_that_stays_is_reported_as_busy() {
    let folder = Folder::new();
    let options = Options {
        busy_timeout: std::time::Duration::from_millis(10),
        ..Options::default()
    };
    let store = Store::open(&folder.database(), options).unwrap();
    let blocker = Connection::open(folder.database()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.insert_job(job("j1", 1)).unwrap().await;
    assert!(
        matches!(refused, Err(StoreError::Busy { .. })),
        "{refused:?}"
    );
    assert_eq!(
        store.count_jobs().await.unwrap(),
        0,
        "readers are not held up"
    );
    blocker.execute_batch("ROLLBACK").unwrap();
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    store
        .finish_job(FinishJob::new(
            "j1",
            Expected::NotEnded,
            JobStatus::Cancelled,
            2,
        ))
        .await
        .unwrap();
}
