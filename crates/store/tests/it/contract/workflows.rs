//! What a database has to do for workflows.

use std::sync::Arc;

use nodetool_store::{Store, StoreError, WorkflowFilter, WorkflowRow};

use crate::samples::workflow;

pub(super) async fn a_workflow_reads_back_column_by_column(store: Store) {
    let row = WorkflowRow {
        id: "w1".to_owned(),
        user_id: "u".to_owned(),
        access: "public".to_owned(),
        created_at: 1_700_000_000_000_001,
        updated_at: 1_700_000_000_000_002,
        name: "näme 🎈".to_owned(),
        tool_name: Some("tool".to_owned()),
        tags: r#"["a","b"]"#.to_owned(),
        description: None,
        package_name: Some("pack".to_owned()),
        thumbnail: Some("t.png".to_owned()),
        thumbnail_url: Some("/storage/t.png".to_owned()),
        graph: Arc::from(r#"{"nodes":[],"edges":[]}"#),
        settings: None,
        receive_clipboard: true,
        run_mode: Some("tool".to_owned()),
        workspace_id: Some("ws".to_owned()),
        html_app: Some("<html></html>".to_owned()),
    };
    store.insert_workflow(row.clone()).await.unwrap();
    assert_eq!(store.get_workflow("w1").await.unwrap(), Some(row));
    assert_eq!(store.get_workflow("w2").await.unwrap(), None);
    assert_eq!(store.count_workflows().await.unwrap(), 1);
}

pub(super) async fn a_workflow_id_is_given_once(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let again = store.insert_workflow(workflow("w1", 2)).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { kind: "workflow", id }) if id == "w1"));
    assert_eq!(
        store.get_workflow("w1").await.unwrap().unwrap().updated_at,
        1
    );
}

pub(super) async fn a_list_and_a_read_give_the_same_etag(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let read = store.get_workflow("w1").await.unwrap().unwrap();
    let listed = store
        .list_workflows(WorkflowFilter::default(), 10, "")
        .await
        .unwrap()
        .rows
        .remove(0);
    assert_eq!(listed.etag(), read.etag());
    let saved = store
        .update_workflow(
            WorkflowRow {
                updated_at: 2,
                ..read.clone()
            },
            None,
        )
        .await
        .unwrap();
    assert_ne!(saved.etag(), read.etag());
    assert_eq!(
        saved.etag(),
        store.get_workflow("w1").await.unwrap().unwrap().etag()
    );
}

pub(super) async fn filters_restrict_the_list_before_the_limit(store: Store) {
    for at in 0..20 {
        let mut row = workflow(&format!("w{at:02}"), at);
        if at % 2 == 1 {
            row.user_id = "other".to_owned();
        }
        if at % 4 == 0 {
            row.access = "public".to_owned();
            row.run_mode = Some("tool".to_owned());
        }
        if at % 8 == 0 {
            row.tool_name = Some("t".to_owned());
        }
        store.insert_workflow(row).await.unwrap();
    }
    let ids = async |filter: WorkflowFilter, limit: usize| -> Vec<String> {
        let page = store.list_workflows(filter, limit, "").await.unwrap();
        page.rows.into_iter().map(|row| row.id).collect()
    };
    let own = WorkflowFilter {
        user_id: Some("u".to_owned()),
        ..WorkflowFilter::default()
    };
    assert_eq!(ids(own.clone(), 3).await, ["w18", "w16", "w14"]);
    let public = WorkflowFilter {
        access: Some("public".to_owned()),
        ..WorkflowFilter::default()
    };
    assert_eq!(ids(public, 2).await, ["w16", "w12"]);
    let tools = WorkflowFilter {
        run_mode: Some("tool".to_owned()),
        has_tool_name: true,
        ..own.clone()
    };
    assert_eq!(ids(tools, 3).await, ["w16", "w08", "w00"]);
    let nobody = WorkflowFilter {
        user_id: Some("nobody".to_owned()),
        ..own
    };
    assert!(ids(nobody, 3).await.is_empty());
}

pub(super) async fn an_update_with_a_stale_etag_changes_nothing(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let seen = store.get_workflow("w1").await.unwrap().unwrap();
    let first = WorkflowRow {
        name: "first".to_owned(),
        updated_at: 2,
        ..seen.clone()
    };
    let second = WorkflowRow {
        name: "second".to_owned(),
        updated_at: 3,
        ..seen.clone()
    };
    store
        .update_workflow(first.clone(), Some(&seen.etag()))
        .await
        .unwrap();
    let refused = store.update_workflow(second, Some(&seen.etag())).await;
    let Err(StoreError::Conflict {
        kind: "workflow",
        expected,
        found,
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!((expected, found), (seen.etag(), first.etag()));
    assert_eq!(store.get_workflow("w1").await.unwrap(), Some(first));
}

pub(super) async fn an_update_keeps_owner_and_creation_time(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let changed = WorkflowRow {
        created_at: 99,
        updated_at: 5,
        html_app: Some("x".to_owned()),
        ..workflow("w1", 1)
    };
    let saved = store.update_workflow(changed.clone(), None).await.unwrap();
    assert_eq!((saved.created_at, saved.updated_at), (1, 5));
    assert_eq!(store.get_workflow("w1").await.unwrap(), Some(saved));

    let foreign = WorkflowRow {
        user_id: "other".to_owned(),
        ..changed.clone()
    };
    let refused = store.update_workflow(foreign.clone(), None).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    let refused = store.update_workflow(foreign, Some("etag")).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    let absent = store.update_workflow(workflow("w2", 1), None).await;
    assert!(
        matches!(absent, Err(StoreError::NotFound { .. })),
        "{absent:?}"
    );
}

pub(super) async fn an_upsert_creates_then_updates_but_never_takes_over(store: Store) {
    let created = store.upsert_workflow(workflow("given", 1)).await.unwrap();
    assert!(created.created);
    assert_eq!(created.row, workflow("given", 1));
    let second = WorkflowRow {
        name: "second".to_owned(),
        ..workflow("given", 7)
    };
    let updated = store.upsert_workflow(second).await.unwrap();
    assert!(!updated.created);
    assert_eq!((updated.row.created_at, updated.row.updated_at), (1, 7));
    assert_eq!(
        store.get_workflow("given").await.unwrap(),
        Some(updated.row.clone())
    );

    let foreign = WorkflowRow {
        user_id: "other".to_owned(),
        ..workflow("given", 9)
    };
    let refused = store.upsert_workflow(foreign).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    assert_eq!(
        store.get_workflow("given").await.unwrap(),
        Some(updated.row)
    );
}

pub(super) async fn only_the_owner_deletes(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let refused = store.delete_workflow("other", "w1").await;
    assert!(
        matches!(
            refused,
            Err(StoreError::NotFound {
                kind: "workflow",
                ..
            })
        ),
        "{refused:?}"
    );
    store.delete_workflow("u", "w1").await.unwrap();
    assert_eq!(store.count_workflows().await.unwrap(), 0);
    assert!(matches!(
        store.delete_workflow("u", "w1").await,
        Err(StoreError::NotFound { .. })
    ));
}
