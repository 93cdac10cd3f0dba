//! What a database has to do to forget old jobs.

use nodetool_store::{CheckpointJob, JobStatus, Store};

use crate::samples::{completion, job, large, record};

/// A job that ran from `at` to `at + 1`, with a result of this size.
async fn ended(store: &Store, id: &str, user: &str, at: i64, result: usize) {
    let mut new = job(id, at);
    new.user_id = user.to_owned();
    let mut end = completion(id, at + 1);
    end.result = Some(format!("\"{}\"", "x".repeat(result)).into());
    store.insert_ended_job(new, end).await.unwrap();
}

async fn left(store: &Store, ids: &[&str]) -> Vec<String> {
    let mut left = Vec::new();
    for id in ids {
        left.extend(store.get_job(id).await.unwrap().map(|row| row.id));
    }
    left
}

pub(super) async fn old_jobs_are_deleted_but_never_unfinished_ones(store: Store) {
    for (id, user, at) in [
        ("a1", "a", 10),
        ("b1", "b", 11),
        ("nobody", "", 12),
        ("a2", "a", 19),
        ("b2", "b", 20),
    ] {
        ended(&store, id, user, at, 20_000).await;
    }
    let mut waiting = job("waiting", 1);
    waiting.status = JobStatus::Suspended;
    waiting.params = Some(large("p").into());
    store.insert_job(waiting).unwrap().await.unwrap();
    store
        .save_node_records(
            "waiting",
            vec![record("waiting", "n", &large("n"))],
            CheckpointJob::default(),
        )
        .await
        .unwrap();

    assert_eq!(store.delete_jobs_before(20, 100).await.unwrap(), 3);
    let all = ["a1", "b1", "nobody", "a2", "b2", "waiting"];
    assert_eq!(left(&store, &all).await, ["a2", "b2", "waiting"]);
    assert_eq!(store.delete_jobs_before(20, 100).await.unwrap(), 0);
    assert_eq!(store.delete_jobs_before(i64::MAX, 100).await.unwrap(), 2);
    store.vacuum_blobs().await.unwrap();
    assert_eq!(left(&store, &all).await, ["waiting"]);
    assert_eq!(
        *store
            .get_job_payload("waiting")
            .await
            .unwrap()
            .unwrap()
            .params,
        *large("p")
    );
    assert_eq!(store.node_records("waiting").await.unwrap().len(), 1);
}

pub(super) async fn a_limit_bounds_one_call(store: Store) {
    for at in 0..10 {
        ended(&store, &format!("j{at}"), "u", at, 10).await;
    }
    let mut counts = Vec::new();
    loop {
        let deleted = store.delete_jobs_before(100, 4).await.unwrap();
        counts.push(deleted);
        if counts.len() == 1 {
            assert_eq!(store.get_job("j3").await.unwrap(), None);
            assert!(store.get_job("j4").await.unwrap().is_some());
        }
        if deleted < 4 {
            break;
        }
    }
    assert_eq!(counts, [4, 4, 2]);
    ended(&store, "j", "u", 1, 10).await;
    assert_eq!(
        store.delete_jobs_before(100, 0).await.unwrap(),
        1,
        "a limit is at least 1"
    );
}

pub(super) async fn the_oldest_jobs_go_until_the_rest_fits(store: Store) {
    for (id, user, at) in [("c", "a", 3), ("a", "b", 1), ("b", "a", 2), ("d", "b", 4)] {
        ended(&store, id, user, at, 100_000 + usize::try_from(at).unwrap()).await;
    }
    let mut waiting = job("waiting", 0);
    waiting.status = JobStatus::Paused;
    waiting.params = Some(format!("\"{}\"", "y".repeat(1_000_000)).into());
    store.insert_job(waiting).unwrap().await.unwrap();

    let all = ["a", "b", "c", "d", "waiting"];
    assert_eq!(store.trim_jobs_to_bytes(1 << 20, 100).await.unwrap(), 0);
    assert_eq!(left(&store, &all).await, all);
    assert_eq!(store.trim_jobs_to_bytes(250_000, 100).await.unwrap(), 2);
    assert_eq!(left(&store, &all).await, ["c", "d", "waiting"]);
    assert_eq!(store.trim_jobs_to_bytes(0, 1).await.unwrap(), 1);
    assert_eq!(left(&store, &all).await, ["d", "waiting"]);
    assert_eq!(store.trim_jobs_to_bytes(0, 100).await.unwrap(), 1);
    assert_eq!(store.trim_jobs_to_bytes(0, 100).await.unwrap(), 0);
    assert_eq!(left(&store, &all).await, ["waiting"]);
}

pub(super) async fn deleting_a_job_frees_its_id(store: Store) {
    ended(&store, "j1", "u", 1, 20_000).await;
    assert_eq!(store.delete_jobs_before(100, 1).await.unwrap(), 1);
    ended(&store, "j1", "u", 5, 20_000).await;
    store.vacuum_blobs().await.unwrap();
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!(payload.result.unwrap().len(), 20_002);
}
