//! What a database has to do for jobs.

use std::sync::Arc;

use nodetool_store::{
    DeadOwner, Expected, FinishJob, INTERRUPTED_ERROR, JobFilter, JobStatus, StatusChange, Store,
    StoreError, Suspension, job_etag,
};

use crate::samples::{completion, job};

pub(super) async fn a_job_takes_the_defaults_of_its_columns(store: Store) {
    assert_eq!(store.insert_job(job("j1", 5)).unwrap().await.unwrap(), 0);
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(
        (
            row.user_id.as_str(),
            row.job_type.as_str(),
            row.workflow_id.as_str(),
            row.status
        ),
        ("u", "workflow", "w", JobStatus::Scheduled)
    );
    assert_eq!(
        (row.started_at, row.updated_at, row.finished_at),
        (5, Some(5), None)
    );
    assert_eq!((row.version, row.retry_count, row.max_retries), (0, 0, 3));
    assert_eq!(
        (row.error, row.cost, row.worker_id, row.heartbeat_at),
        (None, None, None, None)
    );
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!(
        (&*payload.graph, &*payload.params, payload.metadata.as_str()),
        ("{}", "{}", "{}")
    );
    assert_eq!(payload.logs, None);
    assert_eq!(store.get_job("j2").await.unwrap(), None);
    assert_eq!(store.get_job_payload("j2").await.unwrap(), None);
}

pub(super) async fn the_large_texts_of_a_job_are_kept_apart(store: Store) {
    let graph: Arc<str> = Arc::from(format!(r#"{{"nodes":"{}"}}"#, "n".repeat(300_000)));
    let mut new = job("j1", 5);
    new.status = JobStatus::Running;
    new.graph = Some(Arc::clone(&graph));
    new.params = Some(Arc::from(r#"{"a":1}"#));
    new.metadata = Some(r#"{"m":1}"#.to_owned());
    new.worker_id = Some("worker".to_owned());
    new.execution_id = Some("e1".to_owned());
    new.execution_strategy = Some("threaded".to_owned());
    store.insert_job(new).unwrap().await.unwrap();
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(row.worker_id.as_deref(), Some("worker"));
    assert_eq!(row.execution_id.as_deref(), Some("e1"));
    assert_eq!(row.execution_strategy.as_deref(), Some("threaded"));
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!((payload.graph, &*payload.params), (graph, r#"{"a":1}"#));
    assert_eq!(payload.metadata, r#"{"m":1}"#);
}

pub(super) async fn a_job_id_is_given_once(store: Store) {
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let again = store.insert_job(job("j1", 2)).unwrap().await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { kind: "job", id }) if id == "j1"));
    assert_eq!(store.get_job("j1").await.unwrap().unwrap().started_at, 1);
    assert_eq!(store.count_jobs().await.unwrap(), 1);
}

pub(super) async fn insert_and_finish_in_one_breath_arrive_in_order(store: Store) {
    for at in 0..200 {
        let id = format!("j{at}");
        drop(store.insert_job(job(&id, at)).unwrap());
        let version = store.finish_job(completion(&id, at + 1)).await.unwrap();
        assert_eq!(version, 1);
    }
    let row = store.get_job("j7").await.unwrap().unwrap();
    assert_eq!((row.status, row.version), (JobStatus::Completed, 1));
    assert_eq!(
        (row.finished_at, row.completed_at, row.failed_at),
        (Some(8), Some(8), None)
    );
    assert_eq!(row.etag(), job_etag("j7", 1));
    assert_eq!(store.count_jobs().await.unwrap(), 200);
}

pub(super) async fn a_job_stored_at_its_end_is_the_row_that_two_writes_leave(store: Store) {
    for (status, error) in [
        (JobStatus::Completed, None),
        (JobStatus::Failed, Some("it broke")),
        (JobStatus::Cancelled, None),
    ] {
        let end = |id: &str| {
            let mut end = FinishJob::new(id, Expected::NotEnded, status, 9);
            end.error = error.map(str::to_owned);
            end.logs = Some("[]".to_owned());
            end
        };
        let (twice, once) = (format!("twice-{status}"), format!("once-{status}"));
        store.insert_job(job(&twice, 5)).unwrap().await.unwrap();
        store.finish_job(end(&twice)).await.unwrap();
        assert_eq!(
            store
                .insert_ended_job(job(&once, 5), end(&once))
                .await
                .unwrap(),
            1
        );
        let mut want = store.get_job(&twice).await.unwrap().unwrap();
        want.id.clone_from(&once);
        assert_eq!(store.get_job(&once).await.unwrap().unwrap(), want);
        let payload = store.get_job_payload(&once).await.unwrap().unwrap();
        assert_eq!(payload.logs.as_deref(), Some("[]"));
        let again = store.insert_ended_job(job(&once, 5), end(&once)).await;
        assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    }
}

pub(super) async fn a_change_from_an_old_version_is_refused(store: Store) {
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let run = StatusChange::new("j1", Expected::Version(0), JobStatus::Running, 2);
    assert_eq!(store.set_job_status(run.clone()).await.unwrap(), 1);
    let refused = store.set_job_status(run).await;
    let Err(StoreError::Conflict {
        kind: "job",
        expected,
        found,
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("version 0", "version 1")
    );
    let refused = store.finish_job(completion("j1", 3)).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { .. })),
        "{refused:?}"
    );
    let end = FinishJob {
        expected: Expected::Version(1),
        ..completion("j1", 3)
    };
    assert_eq!(store.finish_job(end).await.unwrap(), 2);
}

pub(super) async fn a_change_from_another_status_is_refused(store: Store) {
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let expected = Expected::Status(JobStatus::Running);
    let refused = store
        .set_job_status(StatusChange::new("j1", expected, JobStatus::Paused, 2))
        .await;
    let Err(StoreError::Conflict {
        expected, found, ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (expected.as_str(), found.as_str()),
        ("running", "scheduled")
    );
    let expected = Expected::Status(JobStatus::Scheduled);
    store
        .set_job_status(StatusChange::new("j1", expected, JobStatus::Running, 2))
        .await
        .unwrap();
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.version, row.updated_at),
        (JobStatus::Running, 1, Some(2))
    );
}

pub(super) async fn a_terminal_status_never_changes(store: Store) {
    let ends = [
        JobStatus::Completed,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];
    for end in ends {
        let id = end.as_str();
        store.insert_job(job(id, 1)).unwrap().await.unwrap();
        store
            .finish_job(FinishJob::new(id, Expected::NotEnded, end, 2))
            .await
            .unwrap();
        for expected in [
            Expected::Version(1),
            Expected::Status(end),
            Expected::NotEnded,
        ] {
            let again = store
                .finish_job(FinishJob::new(id, expected, JobStatus::Completed, 3))
                .await;
            assert!(
                matches!(&again, Err(StoreError::AlreadyEnded { status, .. }) if *status == id),
                "{expected:?}: {again:?}"
            );
            let back = store
                .set_job_status(StatusChange::new(id, expected, JobStatus::Running, 3))
                .await;
            assert!(
                matches!(back, Err(StoreError::AlreadyEnded { .. })),
                "{expected:?}: {back:?}"
            );
        }
        let row = store.get_job(id).await.unwrap().unwrap();
        assert_eq!(
            (row.status, row.finished_at, row.version),
            (end, Some(2), 1)
        );
    }
    let absent = store.finish_job(completion("absent", 1)).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { kind: "job", .. })),
        "{absent:?}"
    );
}

pub(super) async fn a_suspension_is_kept_through_a_resume(store: Store) {
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let mut suspend = StatusChange::new("j1", Expected::NotEnded, JobStatus::Suspended, 2);
    suspend.suspension = Some(Suspension {
        node_id: "n".to_owned(),
        reason: "waiting".to_owned(),
        state: r#"{"s":1}"#.to_owned(),
        metadata: r#"{"m":1}"#.to_owned(),
    });
    store.set_job_status(suspend).await.unwrap();
    let expected = Expected::Status(JobStatus::Suspended);
    let mut resume = StatusChange::new("j1", expected, JobStatus::Recovering, 3);
    resume.worker_id = Some("second".to_owned());
    resume.execution_id = Some("e2".to_owned());
    store.set_job_status(resume).await.unwrap();
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!((row.status, row.version), (JobStatus::Recovering, 2));
    assert_eq!(row.suspended_node_id.as_deref(), Some("n"));
    assert_eq!(row.suspension_reason.as_deref(), Some("waiting"));
    assert_eq!(
        (row.worker_id.as_deref(), row.execution_id.as_deref()),
        (Some("second"), Some("e2"))
    );
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!(
        (
            payload.suspension_state.as_str(),
            payload.suspension_metadata.as_str()
        ),
        (r#"{"s":1}"#, r#"{"m":1}"#)
    );
}

pub(super) async fn a_failure_keeps_its_error_and_time(store: Store) {
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let mut end = FinishJob::new("j1", Expected::Version(0), JobStatus::Failed, 9);
    end.error = Some("node a: boom".to_owned());
    end.cost = Some(0.25);
    end.logs = Some("[]".to_owned());
    store.finish_job(end).await.unwrap();
    let row = store.get_job("j1").await.unwrap().unwrap();
    assert_eq!(row.error.as_deref(), Some("node a: boom"));
    assert_eq!(row.error_message, row.error);
    assert_eq!(
        (row.failed_at, row.completed_at, row.cost),
        (Some(9), None, Some(0.25))
    );
    assert_eq!(
        store
            .get_job_payload("j1")
            .await
            .unwrap()
            .unwrap()
            .logs
            .as_deref(),
        Some("[]")
    );
}

pub(super) async fn interrupted_jobs_of_silent_processes_fail(store: Store) {
    for (id, at, status) in [
        ("old-scheduled", 10, JobStatus::Scheduled),
        ("old-running", 10, JobStatus::Running),
        ("old-suspended", 10, JobStatus::Suspended),
        ("old-paused", 10, JobStatus::Paused),
        ("new-running", 20, JobStatus::Running),
        ("touched-running", 10, JobStatus::Scheduled),
        ("old-done", 10, JobStatus::Running),
    ] {
        let mut new = job(id, at);
        new.status = status;
        store.insert_job(new).unwrap().await.unwrap();
    }
    store.finish_job(completion("old-done", 11)).await.unwrap();
    let touch = StatusChange::new(
        "touched-running",
        Expected::NotEnded,
        JobStatus::Running,
        20,
    );
    store.set_job_status(touch).await.unwrap();

    assert_eq!(
        store
            .fail_interrupted_jobs(DeadOwner::SilentSince(20), 30)
            .await
            .unwrap(),
        2
    );
    for id in ["old-scheduled", "old-running"] {
        let row = store.get_job(id).await.unwrap().unwrap();
        assert_eq!((row.status, row.version), (JobStatus::Failed, 1), "{id}");
        assert_eq!(row.error.as_deref(), Some(INTERRUPTED_ERROR));
        assert_eq!(
            row.error_message.as_deref(),
            Some("Server shutdown while job was running")
        );
        assert_eq!(
            (row.finished_at, row.failed_at, row.updated_at),
            (Some(30), Some(30), Some(30))
        );
    }
    for (id, status) in [
        ("old-suspended", JobStatus::Suspended),
        ("old-paused", JobStatus::Paused),
        ("new-running", JobStatus::Running),
        ("touched-running", JobStatus::Running),
        ("old-done", JobStatus::Completed),
    ] {
        assert_eq!(
            store.get_job(id).await.unwrap().unwrap().status,
            status,
            "{id}"
        );
    }
    assert_eq!(
        store
            .fail_interrupted_jobs(DeadOwner::SilentSince(20), 30)
            .await
            .unwrap(),
        0
    );
}

pub(super) async fn interrupted_jobs_of_named_workers_fail(store: Store) {
    for (id, worker) in [
        ("a", Some("dead")),
        ("b", Some("alive")),
        ("c", None),
        ("d", Some("gone")),
    ] {
        let mut new = job(id, 1);
        new.status = JobStatus::Running;
        new.worker_id = worker.map(str::to_owned);
        store.insert_job(new).unwrap().await.unwrap();
    }
    let none = DeadOwner::Workers(Vec::new());
    assert_eq!(store.fail_interrupted_jobs(none, 2).await.unwrap(), 0);
    let dead = DeadOwner::Workers(vec![
        "dead".to_owned(),
        "gone".to_owned(),
        "never".to_owned(),
    ]);
    assert_eq!(store.fail_interrupted_jobs(dead, 2).await.unwrap(), 2);
    let mut left = Vec::new();
    for id in ["a", "b", "c", "d"] {
        left.push(store.get_job(id).await.unwrap().unwrap().status);
    }
    use JobStatus::{Failed, Running};
    assert_eq!(left, [Failed, Running, Running, Failed]);
    let crowd = DeadOwner::Workers(vec!["w".to_owned(); 501]);
    let refused = store.fail_interrupted_jobs(crowd, 3).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "workers",
                ..
            })
        ),
        "{refused:?}"
    );
}

pub(super) async fn jobs_are_listed_by_user_and_workflow(store: Store) {
    for at in 0..12 {
        let mut new = job(&format!("j{at:02}"), at);
        new.workflow_id = format!("w{}", at % 2);
        if at % 3 == 0 {
            new.user_id = "other".to_owned();
        }
        store.insert_job(new).unwrap().await.unwrap();
    }
    let ids = async |user: &str, workflow: Option<&str>| -> Vec<String> {
        let filter = JobFilter {
            user_id: user.to_owned(),
            workflow_id: workflow.map(str::to_owned),
            ..JobFilter::default()
        };
        let page = store.list_jobs(filter, 100, "").await.unwrap();
        assert_eq!(page.next, "");
        page.rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(
        ids("u", None).await,
        ["j11", "j10", "j08", "j07", "j05", "j04", "j02", "j01"]
    );
    assert_eq!(ids("u", Some("w0")).await, ["j10", "j08", "j04", "j02"]);
    assert_eq!(ids("other", Some("w1")).await, ["j09", "j03"]);
    assert!(ids("other", Some("absent")).await.is_empty());
}

pub(super) async fn jobs_are_listed_by_status(store: Store) {
    for (at, status) in JobStatus::ALL.into_iter().enumerate() {
        let at = at as i64;
        let mut new = job(status.as_str(), at);
        if status.is_terminal() {
            let end = FinishJob::new(status.as_str(), Expected::NotEnded, status, at);
            store.insert_ended_job(new, end).await.unwrap();
        } else {
            new.status = status;
            store.insert_job(new).unwrap().await.unwrap();
        }
    }
    let listed = async |statuses: &[JobStatus]| -> Vec<JobStatus> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let filter = JobFilter {
                user_id: "u".to_owned(),
                statuses: statuses.to_vec(),
                ..JobFilter::default()
            };
            let page = store.list_jobs(filter, 2, &cursor).await.unwrap();
            found.extend(page.rows.into_iter().map(|row| row.status));
            cursor = page.next;
            if cursor.is_empty() {
                return found;
            }
        }
    };
    let newest_first: Vec<JobStatus> = JobStatus::ALL.into_iter().rev().collect();
    assert_eq!(listed(&[]).await, newest_first);
    assert_eq!(listed(&JobStatus::ALL).await, newest_first);
    use JobStatus::{Failed, Paused, Running};
    assert_eq!(listed(&[Running, Failed]).await, [Failed, Running]);
    assert_eq!(listed(&[Paused, Paused]).await, [Paused]);
}

pub(super) async fn what_a_job_gave_is_kept_with_it(store: Store) {
    let mut new = job("once", 1);
    new.trigger_event = Some(r#"{"kind":"timer"}"#.to_owned());
    new.assets = Some("keep".to_owned());
    let mut end = completion("once", 2);
    end.result = Some(Arc::from(r#"{"out":[1]}"#));
    store
        .insert_job({
            let mut twice = new.clone();
            twice.id = "twice".to_owned();
            twice
        })
        .unwrap()
        .await
        .unwrap();
    let queued = store.get_job_payload("twice").await.unwrap().unwrap();
    assert_eq!((queued.queued_at, queued.result), (Some(1), None));
    store
        .finish_job(FinishJob {
            id: "twice".to_owned(),
            ..end.clone()
        })
        .await
        .unwrap();
    store.insert_ended_job(new, end).await.unwrap();
    for id in ["once", "twice"] {
        let payload = store.get_job_payload(id).await.unwrap().unwrap();
        assert_eq!(payload.result.as_deref(), Some(r#"{"out":[1]}"#), "{id}");
        assert_eq!(
            payload.trigger_event.as_deref(),
            Some(r#"{"kind":"timer"}"#)
        );
        assert_eq!(
            (payload.assets.as_deref(), payload.event_seq),
            (Some("keep"), 0)
        );
    }
}

pub(super) async fn large_texts_of_every_column_read_back(store: Store) {
    let large = |mark: &str| format!("[\"{}\"]", mark.repeat(20_000));
    let mut new = job("j1", 1);
    new.graph = Some(Arc::from(large("g")));
    new.params = Some(Arc::from(large("p")));
    new.trigger_event = Some(large("t"));
    let mut end = completion("j1", 2);
    end.logs = Some(large("l"));
    end.result = Some(Arc::from(large("r")));
    store.insert_ended_job(new, end).await.unwrap();
    let payload = store.get_job_payload("j1").await.unwrap().unwrap();
    assert_eq!(*payload.graph, *large("g"));
    assert_eq!(*payload.params, *large("p"));
    assert_eq!(payload.trigger_event, Some(large("t")));
    assert_eq!(payload.logs, Some(large("l")));
    assert_eq!(payload.result.as_deref(), Some(&*large("r")));
}

pub(super) async fn no_text_can_pose_as_a_reference(store: Store) {
    let mut new = job("j1", 1);
    new.params = Some(Arc::from(format!("sha256:{}:20000", "a".repeat(64))));
    let refused = store.insert_job(new).unwrap().await;
    assert!(
        matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "params",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(store.get_job("j1").await.unwrap(), None);
}
