//! What holds for every table: ids are only text, bad input stops early, migrations are known.

use std::sync::Arc;

use nodetool_store::{
    DeadOwner, Expected, FinishJob, IfMatch, JobFilter, JobStatus, MigrationState, StatusChange,
    Store, StoreError, WorkflowFilter, WorkflowRow,
};

use crate::samples::{completion, job, workflow};

pub(super) async fn odd_ids_are_only_text(store: Store) {
    let odd = [
        "'; DROP TABLE nodetool_workflows; --",
        "%",
        "_",
        "a%b_c",
        "\"quoted\"",
        "$1",
        "?1",
        "naïve/../../id",
        "🎈",
        " ",
    ];
    for id in odd {
        let row = WorkflowRow {
            user_id: id.to_owned(),
            ..workflow(id, 1)
        };
        store.insert_workflow(row).await.unwrap();
        let mut new = job(id, 1);
        new.user_id = id.to_owned();
        new.workflow_id = id.to_owned();
        store.insert_job(new).unwrap().await.unwrap();
    }
    for id in odd {
        assert_eq!(store.get_workflow(id).await.unwrap().unwrap().id, id);
        let filter = WorkflowFilter {
            user_id: Some(id.to_owned()),
            ..WorkflowFilter::default()
        };
        let page = store.list_workflows(filter, 10, "").await.unwrap();
        assert_eq!(
            page.rows
                .iter()
                .map(|row| row.id.as_str())
                .collect::<Vec<_>>(),
            [id]
        );
        let filter = JobFilter {
            user_id: id.to_owned(),
            workflow_id: Some(id.to_owned()),
            ..JobFilter::default()
        };
        let page = store.list_jobs(filter, 10, "").await.unwrap();
        assert_eq!(
            page.rows
                .iter()
                .map(|row| row.id.as_str())
                .collect::<Vec<_>>(),
            [id]
        );
        let dead = DeadOwner::Workers(vec![id.to_owned()]);
        assert_eq!(store.fail_interrupted_jobs(dead, 2).await.unwrap(), 0);
        store
            .delete_workflow(id, id, IfMatch::Anything)
            .await
            .unwrap();
    }
    assert_eq!(store.count_workflows().await.unwrap(), 0);
    assert_eq!(store.count_jobs().await.unwrap(), odd.len() as u64);
}

pub(super) async fn refused_input_never_reaches_the_database(store: Store) {
    let long = "x".repeat(129);
    for id in ["", "nul\0", &long] {
        let refused = store.insert_workflow(workflow(id, 1)).await;
        assert!(
            matches!(refused, Err(StoreError::InvalidInput { field: "id", .. })),
            "{refused:?}"
        );
        let refused = store.insert_job(job(id, 1)).err();
        assert!(
            matches!(refused, Some(StoreError::InvalidInput { field: "id", .. })),
            "{refused:?}"
        );
        assert_eq!(store.get_workflow(id).await.unwrap(), None);
        assert_eq!(store.get_job(id).await.unwrap(), None);
    }
    let huge = WorkflowRow {
        graph: Arc::from("x".repeat(17 << 20)),
        ..workflow("w1", 1)
    };
    let refused = store.insert_workflow(huge).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::TooLarge {
                kind: "workflow",
                ..
            })
        ),
        "{refused:?}"
    );

    let mut ended = job("j1", 1);
    ended.status = JobStatus::Completed;
    assert!(matches!(
        store.insert_job(ended).err(),
        Some(StoreError::InvalidInput {
            field: "status",
            ..
        })
    ));
    store.insert_job(job("j1", 1)).unwrap().await.unwrap();
    let running = FinishJob {
        status: JobStatus::Running,
        ..completion("j1", 2)
    };
    let refused = store.finish_job(running).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "status",
                ..
            })
        ),
        "{refused:?}"
    );
    let ended = StatusChange::new("j1", Expected::NotEnded, JobStatus::Failed, 2);
    let refused = store.set_job_status(ended).await;
    assert!(
        matches!(
            refused,
            Err(StoreError::InvalidInput {
                field: "status",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(store.get_job("j1").await.unwrap().unwrap().version, 0);

    for cursor in ["x", "AAAA", "%%%", &"A".repeat(10_000)] {
        let refused = store
            .list_workflows(WorkflowFilter::default(), 1, cursor)
            .await;
        assert!(
            matches!(refused, Err(StoreError::BadCursor { list: "workflows" })),
            "{refused:?}"
        );
    }
}

pub(super) async fn a_store_reports_its_migrations(store: Store) {
    let status = store.migration_status().await.unwrap();
    let names: Vec<&str> = status
        .iter()
        .map(|migration| migration.name.as_str())
        .collect();
    assert_eq!(names[..2], ["create_workflows", "create_jobs"]);
    for migration in status {
        assert_eq!(migration.checksum.len(), 64);
        assert!(matches!(
            migration.state,
            MigrationState::Applied {
                baselined: false,
                ..
            }
        ));
    }
    assert_eq!(store.migrate().await.unwrap(), 0);
}
