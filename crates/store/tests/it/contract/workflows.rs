//! What a database has to do for workflows.

use std::sync::Arc;

use nodetool_store::{
    ChangedGraph, FilledSchemas, IfMatch, Store, StoreError, WORKFLOW_COLUMNS, WorkflowFilter,
    WorkflowRow,
};

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
        settings: None,
        receive_clipboard: true,
        run_mode: Some("tool".to_owned()),
        workspace_id: Some("ws".to_owned()),
        input_schema: Some("{}".to_owned()),
        output_schema: Some(r#"{"type":"object"}"#.to_owned()),
        html_app: Some("<html></html>".to_owned()),
        graph: Arc::from(r#"{"nodes":[],"edges":[]}"#),
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
        .save_workflow(
            WorkflowRow {
                updated_at: 2,
                ..read.clone()
            },
            IfMatch::Anything,
        )
        .await
        .unwrap()
        .row;
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

fn one_of(etags: &[&str]) -> IfMatch {
    IfMatch::OneOf(etags.iter().map(|&e| e.to_owned()).collect())
}

pub(super) async fn a_save_of_a_row_that_has_changed_since_changes_nothing(store: Store) {
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
        .save_workflow(first.clone(), one_of(&["other", &seen.etag()]))
        .await
        .unwrap();
    let refused = store
        .save_workflow(second.clone(), one_of(&[&seen.etag()]))
        .await;
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
    let refused = store
        .delete_workflow("u", "w1", one_of(&[&seen.etag()]))
        .await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { .. })),
        "{refused:?}"
    );
    store
        .save_workflow(second, IfMatch::Existing)
        .await
        .unwrap();
    for expected in [IfMatch::Existing, one_of(&["x"])] {
        let refused = store.save_workflow(workflow("w2", 1), expected).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(store.count_workflows().await.unwrap(), 1);
}

pub(super) async fn every_save_gives_a_later_time_and_another_etag(store: Store) {
    store.insert_workflow(workflow("w1", 5)).await.unwrap();
    let mut etags = vec![store.get_workflow("w1").await.unwrap().unwrap().etag()];
    for (at, stored) in [(5, 6), (3, 7), (7, 8), (20, 20)] {
        let graph: Arc<str> = format!("{{\"at\":{at}}}").into();
        let row = WorkflowRow {
            graph,
            ..workflow("w1", at)
        };
        let saved = store.save_workflow(row, IfMatch::Anything).await.unwrap();
        assert_eq!(saved.row.updated_at, stored);
        assert!(!etags.contains(&saved.row.etag()));
        etags.push(saved.row.etag());
        let read = store.get_workflow("w1").await.unwrap().unwrap();
        assert_eq!(read, saved.row);
    }
}

pub(super) async fn a_save_keeps_what_a_client_may_leave_out(store: Store) {
    let full = WorkflowRow {
        thumbnail: Some("t".to_owned()),
        thumbnail_url: Some("/t".to_owned()),
        run_mode: Some("tool".to_owned()),
        receive_clipboard: true,
        description: Some("d".to_owned()),
        ..workflow("w1", 1)
    };
    store.insert_workflow(full.clone()).await.unwrap();
    let bare = WorkflowRow {
        description: None,
        created_at: 99,
        ..workflow("w1", 2)
    };
    let saved = store.save_workflow(bare, IfMatch::Anything).await.unwrap();
    let expected = WorkflowRow {
        description: None,
        updated_at: 2,
        ..full
    };
    assert!(!saved.created);
    assert_eq!(saved.row, expected);
    assert_eq!(store.get_workflow("w1").await.unwrap(), Some(expected));
}

pub(super) async fn a_save_creates_then_changes_but_never_takes_over(store: Store) {
    let save = async |row: WorkflowRow| store.save_workflow(row, IfMatch::Anything).await;
    let created = save(workflow("given", 1)).await.unwrap();
    assert!(created.created);
    assert_eq!(created.row, workflow("given", 1));
    let second = WorkflowRow {
        name: "second".to_owned(),
        ..workflow("given", 7)
    };
    let updated = save(second).await.unwrap();
    assert!(!updated.created);
    assert_eq!((updated.row.created_at, updated.row.updated_at), (1, 7));
    assert_eq!(
        store.get_workflow("given").await.unwrap(),
        Some(updated.row.clone())
    );
    for expected in [IfMatch::Anything, IfMatch::Existing, one_of(&["x"])] {
        let foreign = WorkflowRow {
            user_id: "other".to_owned(),
            ..workflow("given", 9)
        };
        let refused = store.save_workflow(foreign, expected).await;
        assert!(
            matches!(refused, Err(StoreError::NotFound { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        store.get_workflow("given").await.unwrap(),
        Some(updated.row)
    );
}

pub(super) async fn a_graph_is_changed_by_the_owner_alone(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let change = |user: &str| ChangedGraph {
        id: "w1".to_owned(),
        user_id: user.to_owned(),
        updated_at: 1,
        graph: Arc::from("{\"nodes\":[]}"),
        input_schema: "{}".to_owned(),
        output_schema: "[]".to_owned(),
    };
    let refused = store.change_graph(change("other")).await;
    assert!(
        matches!(refused, Err(StoreError::NotFound { .. })),
        "{refused:?}"
    );
    let changed = store.change_graph(change("u")).await.unwrap();
    let expected = WorkflowRow {
        updated_at: 2,
        graph: Arc::from("{\"nodes\":[]}"),
        input_schema: Some("{}".to_owned()),
        output_schema: Some("[]".to_owned()),
        ..workflow("w1", 1)
    };
    assert_eq!(changed, expected);
    assert_eq!(store.get_workflow("w1").await.unwrap(), Some(expected));
}

pub(super) async fn schemas_are_filled_into_the_save_they_were_made_of(store: Store) {
    for (id, at) in [("w1", 1), ("w2", 2)] {
        store.insert_workflow(workflow(id, at)).await.unwrap();
    }
    let fill = |id: &str, text: &str| FilledSchemas {
        id: id.to_owned(),
        updated_at: 1,
        input_schema: text.to_owned(),
        output_schema: text.to_owned(),
    };
    let fills = vec![fill("w1", "a"), fill("w2", "a"), fill("w3", "a")];
    store.fill_schemas(fills).await.unwrap();
    store.fill_schemas(vec![fill("w1", "b")]).await.unwrap();
    let row = store.get_workflow("w1").await.unwrap().unwrap();
    assert_eq!(row.input_schema.as_deref(), Some("a"));
    assert_eq!(
        row.etag(),
        workflow("w1", 1).etag(),
        "the row has not changed"
    );
    let row = store.get_workflow("w2").await.unwrap().unwrap();
    assert_eq!(
        row.input_schema, None,
        "another save than the schemas are of"
    );
}

pub(super) async fn a_list_reads_only_the_columns_it_is_asked_for(store: Store) {
    let row = WorkflowRow {
        graph: Arc::from("{\"nodes\":[]}"),
        settings: Some("{\"a\":1}".to_owned()),
        html_app: Some("x".to_owned()),
        ..workflow("w1", 3)
    };
    store.insert_workflow(row.clone()).await.unwrap();
    let listed = async |columns: Option<Vec<&'static str>>| {
        let filter = WorkflowFilter {
            user_id: Some("u".to_owned()),
            columns,
            ..WorkflowFilter::default()
        };
        let page = store.list_workflows(filter, 10, "").await.unwrap();
        page.rows.into_iter().next().unwrap()
    };
    assert_eq!(listed(None).await, row);
    assert_eq!(listed(Some(WORKFLOW_COLUMNS.to_vec())).await, row);
    let some = listed(Some(vec!["name", "settings"])).await;
    let expected = WorkflowRow {
        id: "w1".to_owned(),
        updated_at: 3,
        name: "workflow w1".to_owned(),
        settings: row.settings.clone(),
        access: String::new(),
        description: None,
        package_name: None,
        ..WorkflowRow::default()
    };
    assert_eq!(some, expected);
}

pub(super) async fn the_access_of_a_workflow_is_read_by_itself(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let access = store.workflow_access("w1").await.unwrap();
    assert_eq!(access, Some(("u".to_owned(), "private".to_owned())));
    assert_eq!(store.workflow_access("w2").await.unwrap(), None);
}

pub(super) async fn only_the_owner_deletes(store: Store) {
    store.insert_workflow(workflow("w1", 1)).await.unwrap();
    let refused = store
        .delete_workflow("other", "w1", IfMatch::Anything)
        .await;
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
    store
        .delete_workflow("u", "w1", IfMatch::Anything)
        .await
        .unwrap();
    assert_eq!(store.count_workflows().await.unwrap(), 0);
    assert!(matches!(
        store.delete_workflow("u", "w1", IfMatch::Anything).await,
        Err(StoreError::NotFound { .. })
    ));
}

pub(super) async fn a_workflow_row_is_put_as_it_is_given_and_stays_its_owners(store: Store) {
    let row = workflow("w", 5);
    assert!(store.put_workflow(row.clone()).await.unwrap());
    assert_eq!(store.get_workflow("w").await.unwrap(), Some(row.clone()));
    let changed = WorkflowRow {
        name: "other".into(),
        thumbnail: None,
        created_at: 1,
        updated_at: 2,
        receive_clipboard: true,
        ..row.clone()
    };
    assert!(!store.put_workflow(changed.clone()).await.unwrap());
    let stored = store.get_workflow("w").await.unwrap().unwrap();
    let later = row.updated_at + 1;
    assert_eq!(
        stored,
        WorkflowRow {
            updated_at: later,
            ..changed
        },
        "etags hang on a time that rises"
    );
    let foreign = WorkflowRow {
        user_id: "somebody else".into(),
        ..row
    };
    let taken = store.put_workflow(foreign).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })));
    assert_eq!(store.get_workflow("w").await.unwrap(), Some(stored));
}
