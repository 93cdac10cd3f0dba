//! What a database has to do so that another process can go on with a job.

use std::sync::Arc;

use nodetool_store::{
    CheckpointJob, DeadOwner, Expected, FinishJob, JobStatus, NodeRecord, NodeRecordStatus,
    StatusChange, Store, StoreError,
};

use crate::samples::{completion, job, large, record};

async fn running(store: &Store, id: &str) {
    let mut new = job(id, 1);
    new.status = JobStatus::Running;
    store.insert_job(new).unwrap().await.unwrap();
}

async fn save(store: &Store, records: Vec<NodeRecord>) {
    let run_id = records[0].run_id.clone();
    store
        .save_node_records(&run_id, records, CheckpointJob::default())
        .await
        .unwrap();
}

pub(super) async fn node_records_read_back_by_node_and_invocation(store: Store) {
    running(&store, "j1").await;
    running(&store, "j2").await;
    let first = NodeRecord {
        invocation: 0,
        status: NodeRecordStatus::Started,
        ..record("j1", "b", "")
    };
    let second = NodeRecord {
        invocation: 10,
        status: NodeRecordStatus::Suspended,
        payload: vec![0, 159, 146, 150].into(),
        ..record("j1", "b", "")
    };
    let whole = record("j1", "b", "sha256: not a reference, only bytes");
    let big = record("j1", "a", &large("x"));
    let all = vec![second.clone(), whole.clone(), big.clone(), first.clone()];
    save(&store, all).await;
    save(&store, vec![record("j2", "b", "of another run")]).await;
    assert_eq!(
        store.node_records("j1").await.unwrap(),
        [big.clone(), whole.clone(), first, second.clone()]
    );
    let done = NodeRecord {
        invocation: 0,
        updated_at: 9,
        ..record("j1", "b", "done")
    };
    save(&store, vec![done.clone()]).await;
    assert_eq!(
        store.node_records("j1").await.unwrap(),
        [big, whole, done, second]
    );
    assert!(store.node_records("absent").await.unwrap().is_empty());
    assert_eq!(store.get_job("j1").await.unwrap().unwrap().version, 0);
}

pub(super) async fn a_finished_node_stays_finished(store: Store) {
    running(&store, "j1").await;
    save(&store, vec![record("j1", "a", &large("done"))]).await;
    for status in [NodeRecordStatus::Started, NodeRecordStatus::Suspended] {
        let late = NodeRecord {
            status,
            ..record("j1", "a", "late")
        };
        save(&store, vec![late]).await;
        assert_eq!(
            store.node_records("j1").await.unwrap(),
            [record("j1", "a", &large("done"))]
        );
    }
    save(&store, vec![record("j1", "a", "again")]).await;
    assert_eq!(
        store.node_records("j1").await.unwrap(),
        [record("j1", "a", "again")]
    );
}

pub(super) async fn a_checkpoint_keeps_the_first_graph_and_the_highest_event(store: Store) {
    running(&store, "j1").await;
    for (graph, event_seq) in [
        (None, Some(7)),
        (Some(large("first")), None),
        (Some("{\"second\":1}".to_owned()), Some(3)),
    ] {
        let checkpoint = CheckpointJob {
            graph: graph.map(Arc::from),
            event_seq,
            heartbeat_at: 40,
        };
        store
            .save_node_records("j1", vec![record("j1", "a", "x")], checkpoint)
            .await
            .unwrap();
    }
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!((&*payload.graph, payload.event_seq), (&*large("first"), 7));
    assert_eq!(
        store.get_job("j1").await.unwrap().unwrap().heartbeat_at,
        Some(40)
    );
}

pub(super) async fn a_checkpoint_of_an_ended_or_absent_job_is_refused(store: Store) {
    running(&store, "j1").await;
    store.finish_job(completion("j1", 2)).await.unwrap();
    let late = store
        .save_node_records(
            "j1",
            vec![record("j1", "a", &large("x"))],
            CheckpointJob::default(),
        )
        .await;
    assert!(
        matches!(
            late,
            Err(StoreError::AlreadyEnded {
                status: "completed",
                ..
            })
        ),
        "{late:?}"
    );
    let absent = store
        .save_node_records("j2", Vec::new(), CheckpointJob::default())
        .await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { kind: "job", .. })),
        "{absent:?}"
    );
    assert!(store.node_records("j1").await.unwrap().is_empty());
}

pub(super) async fn records_that_cannot_be_are_refused(store: Store) {
    running(&store, "j1").await;
    let good = || record("j1", "a", "x");
    let of = |change: fn(&mut NodeRecord)| {
        let mut bad = good();
        change(&mut bad);
        bad
    };
    for (field, bad) in [
        ("run_id", of(|r| r.run_id = "j2".to_owned())),
        ("node_id", of(|r| r.node_id = String::new())),
        ("node_id", of(|r| r.node_id = "a\0".to_owned())),
        ("node_id", of(|r| r.node_id = "a".repeat(1025))),
        ("invocation", of(|r| r.invocation = -2)),
    ] {
        let refused = store
            .save_node_records("j1", vec![good(), bad], CheckpointJob::default())
            .await;
        assert!(
            matches!(&refused, Err(StoreError::InvalidInput { field: f, .. }) if *f == field),
            "{field}: {refused:?}"
        );
    }
    let crowd = vec![good(); 10_001];
    let refused = store
        .save_node_records("j1", crowd, CheckpointJob::default())
        .await;
    assert!(
        matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "records",
                ..
            })
        ),
        "{refused:?}"
    );
    let huge = NodeRecord {
        payload: vec![0; (64 << 20) + 1].into(),
        ..good()
    };
    let refused = store
        .save_node_records("j1", vec![huge], CheckpointJob::default())
        .await;
    assert!(
        matches!(refused, Err(StoreError::TooLarge { .. })),
        "{refused:?}"
    );
    assert!(store.node_records("j1").await.unwrap().is_empty());
}

pub(super) async fn the_end_of_a_job_takes_its_node_records_along(store: Store) {
    for id in ["finished", "interrupted", "other"] {
        running(&store, id).await;
        save(&store, vec![record(id, "a", &large(id))]).await;
    }
    let end = FinishJob::new("finished", Expected::NotEnded, JobStatus::Failed, 2);
    store.finish_job(end).await.unwrap();
    assert!(store.node_records("finished").await.unwrap().is_empty());
    assert_eq!(store.node_records("interrupted").await.unwrap().len(), 1);

    let renew = StatusChange::new("other", Expected::NotEnded, JobStatus::Suspended, 9);
    store.set_job_status(renew).await.unwrap();
    let dead = DeadOwner::SilentSince(i64::MAX);
    assert_eq!(store.fail_interrupted_jobs(dead, 3).await.unwrap(), 1);
    assert!(store.node_records("interrupted").await.unwrap().is_empty());
    assert_eq!(store.node_records("other").await.unwrap().len(), 1);
}

pub(super) async fn a_suspended_or_paused_job_keeps_its_node_records(store: Store) {
    running(&store, "j1").await;
    save(&store, vec![record("j1", "a", "x")]).await;
    for status in [
        JobStatus::Suspended,
        JobStatus::Recovering,
        JobStatus::Paused,
    ] {
        let change = StatusChange::new("j1", Expected::NotEnded, status, 2);
        store.set_job_status(change).await.unwrap();
        assert_eq!(store.node_records("j1").await.unwrap().len(), 1, "{status}");
    }
}

pub(super) async fn unfinished_jobs_come_oldest_first_with_everything(store: Store) {
    for (id, at, status) in [
        ("c", 30, JobStatus::Suspended),
        ("a", 10, JobStatus::Running),
        ("b", 20, JobStatus::Scheduled),
        ("e", 20, JobStatus::Paused),
        ("d", 5, JobStatus::Recovering),
        ("done", 1, JobStatus::Running),
    ] {
        let mut new = job(id, at);
        new.status = status;
        new.params = Some(Arc::from(large(id)));
        new.trigger_event = Some("{}".to_owned());
        store.insert_job(new).unwrap().await.unwrap();
    }
    store.finish_job(completion("done", 2)).await.unwrap();
    let jobs = store.unfinished_jobs().await.unwrap();
    let mut ids = Vec::new();
    for job in jobs {
        let (row, payload) = job.unwrap();
        assert_eq!(Some(&row), store.get_job(&row.id).await.unwrap().as_ref());
        assert_eq!(*payload.params, *large(&row.id));
        assert_eq!(payload.trigger_event.as_deref(), Some("{}"));
        ids.push(row.id);
    }
    assert_eq!(ids, ["d", "a", "b", "e", "c"]);
}

pub(super) async fn a_job_is_taken_over_once(store: Store) {
    let mut new = job("j1", 1);
    new.status = JobStatus::Running;
    new.worker_id = Some("dead".to_owned());
    new.execution_id = Some("e1".to_owned());
    store.insert_job(new).unwrap().await.unwrap();
    store.reserve_events("j1", 50).await.unwrap();

    let from = Expected::Version(0);
    let version = store
        .take_over_job("j1", from, "second", 40, 9)
        .await
        .unwrap();
    assert_eq!(version, 1);
    let late = store.take_over_job("j1", from, "third", 60, 9).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.worker_id.as_deref(), row.retry_count),
        (JobStatus::Running, Some("second"), 1)
    );
    assert_eq!((row.heartbeat_at, row.updated_at), (Some(9), Some(9)));
    let attempt = row.execution_id.unwrap();
    assert!(attempt != "e1" && attempt.len() == 32, "{attempt}");
    let events = async || {
        store
            .get_job_payload("j1")
            .await
            .unwrap()
            .unwrap()
            .event_seq
    };
    assert_eq!(events().await, 50);

    let running = Expected::Status(JobStatus::Running);
    store
        .take_over_job("j1", running, "third", 60, 10)
        .await
        .unwrap();
    assert_eq!(events().await, 60);
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!((row.retry_count, row.version), (2, 2));
    assert_ne!(row.execution_id.unwrap(), attempt);

    store
        .finish_job(FinishJob::new(
            "j1",
            Expected::NotEnded,
            JobStatus::Completed,
            11,
        ))
        .await
        .unwrap();
    let ended = store
        .take_over_job("j1", Expected::NotEnded, "fourth", 0, 12)
        .await;
    assert!(
        matches!(ended, Err(StoreError::AlreadyEnded { .. })),
        "{ended:?}"
    );
}

pub(super) async fn reserved_events_only_rise(store: Store) {
    running(&store, "j1").await;
    for (up_to, noted) in [(5, 5), (3, 5), (-1, 5), (9, 9)] {
        store.reserve_events("j1", up_to).await.unwrap();
        let payload = store.get_job_payload("j1").await.unwrap().unwrap();
        assert_eq!(payload.event_seq, noted, "{up_to}");
    }
    assert_eq!(store.get_job("j1").await.unwrap().unwrap().version, 0);
    let absent = store.reserve_events("j2", 1).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
}

pub(super) async fn a_heartbeat_or_a_save_is_a_sign_of_life(store: Store) {
    for id in ["silent", "beating", "saved"] {
        running(&store, id).await;
    }
    let beat = |heartbeat_at| CheckpointJob {
        heartbeat_at,
        ..CheckpointJob::default()
    };
    for (id, at) in [("silent", 5), ("beating", 20), ("saved", 5)] {
        store
            .save_node_records(id, Vec::new(), beat(at))
            .await
            .unwrap();
    }
    let save = StatusChange::new("saved", Expected::NotEnded, JobStatus::Running, 20);
    store.set_job_status(save).await.unwrap();
    let dead = DeadOwner::SilentSince(10);
    assert_eq!(store.fail_interrupted_jobs(dead, 30).await.unwrap(), 1);
    let silent = store.get_job("silent").await.unwrap().unwrap();
    assert_eq!(silent.status, JobStatus::Failed);
}
