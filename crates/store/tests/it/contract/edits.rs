//! What a database has to do for workflows that are edited as loops, and for the files of their nodes.

use nodetool_store::{
    IfMatch, NodeDataRow, NodeFileRow, Store, StoreError, WorkflowFilter, WorkflowRow,
};

use crate::samples::workflow;

fn file(id: &str, key: &str, at: i64) -> NodeFileRow {
    NodeFileRow {
        id: id.to_owned(),
        workflow_id: "w".to_owned(),
        node_id: "n".to_owned(),
        key: key.to_owned(),
        file_name: "a.txt".to_owned(),
        blob: format!("node_files/{id}"),
        size: 3,
        created_at: at,
        updated_at: at,
    }
}

async fn with_workflow(store: &Store) -> WorkflowRow {
    let row = workflow("w", 1);
    store.insert_workflow(row.clone()).await.unwrap();
    row
}

pub(super) async fn a_workflow_and_its_loop_are_saved_both_or_neither(store: Store) {
    let row = with_workflow(&store).await;
    let old = IfMatch::OneOf(vec!["another".to_owned()]);
    let refused = store.save_loop(row.clone(), old, "loop", |l| {
        l.category = Some("c".to_owned());
        true
    });
    assert!(matches!(refused.await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.get_loop("w").await.unwrap(), None);
    let now = IfMatch::OneOf(vec![row.etag()]);
    let (saved, beside) = store
        .save_loop(row.clone(), now.clone(), "loop", |l| {
            l.category = Some("c".to_owned());
            true
        })
        .await
        .unwrap();
    assert!(saved.updated_at > row.updated_at);
    assert_eq!(beside.category.as_deref(), Some("c"));
    assert_eq!(store.get_loop("w").await.unwrap(), Some(beside.clone()));
    let late = store.save_loop(row.clone(), now, "loop", |_| false).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })));
    let mut foreign = saved;
    foreign.user_id = "v".to_owned();
    let foreign = store
        .save_loop(foreign, IfMatch::Existing, "loop", |_| false)
        .await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })));
    assert_eq!(store.loops_of("u").await.unwrap(), [beside]);
    assert_eq!(store.loops_of("v").await.unwrap(), []);
}

pub(super) async fn a_list_holds_loops_only_or_the_others_only(store: Store) {
    for id in ["a", "b"] {
        store.insert_workflow(workflow(id, 1)).await.unwrap();
    }
    store.change_loop("a", "loop", |_| true).await.unwrap();
    store.change_loop("b", "dataflow", |_| true).await.unwrap();
    for (loops, expected) in [(Some(true), "a"), (Some(false), "b")] {
        let filter = WorkflowFilter {
            user_id: Some("u".to_owned()),
            loops,
            ..WorkflowFilter::default()
        };
        let page = store.list_workflows(filter, 10, "").await.unwrap();
        let ids: Vec<_> = page.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, [expected]);
    }
}

pub(super) async fn a_key_names_one_file_of_a_node(store: Store) {
    let orphan = store.put_node_file(file("0", "k", 1), true).await;
    assert!(matches!(orphan, Err(StoreError::NotFound { .. })));
    with_workflow(&store).await;
    let first = store.put_node_file(file("1", "k", 1), false).await.unwrap();
    assert_eq!(first.replaced, None);
    let taken = store.put_node_file(file("2", "k", 2), false).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })));
    let second = store.put_node_file(file("2", "k", 1), true).await.unwrap();
    assert_eq!(second.replaced.as_deref(), Some("node_files/1"));
    assert_eq!((second.row.id.as_str(), second.row.created_at), ("1", 1));
    assert!(second.row.updated_at > first.row.updated_at);
    assert_eq!(
        store.node_files("w", "n").await.unwrap(),
        std::slice::from_ref(&second.row)
    );
    let found = store.find_node_file("u", "n", "k", "a.txt").await.unwrap();
    assert_eq!(found, Some(second.row));
    let foreign = store.find_node_file("v", "n", "k", "a.txt").await.unwrap();
    assert_eq!(foreign, None);
    let keys = vec!["node_files/1".to_owned(), "node_files/2".to_owned()];
    let missing = store.missing_node_files(keys).await.unwrap();
    assert_eq!(missing, ["node_files/1"]);
    let other = store.delete_node_file("w", "other", "1").await.unwrap();
    assert_eq!(other, None);
    let gone = store.delete_node_file("w", "n", "1").await.unwrap();
    assert_eq!(gone.as_deref(), Some("node_files/2"));
    assert_eq!(store.get_node_file("w", "n", "1").await.unwrap(), None);
}

pub(super) async fn a_node_that_is_gone_leaves_no_values_and_files(store: Store) {
    with_workflow(&store).await;
    let data = |id: &str| NodeDataRow {
        node_id: id.to_owned(),
        updated_at: 1,
        input_data: None,
        output_data: Some("{\"a\":1}".to_owned()),
    };
    let rows = vec![data("n"), data("m")];
    store.put_node_data("w", rows).await.unwrap();
    store.put_node_file(file("1", "k", 1), false).await.unwrap();
    let contents = store.forget_node("w", "n", "n").await.unwrap();
    assert_eq!(contents, ["node_files/1"]);
    let left = store.node_data("w").await.unwrap();
    let left: Vec<_> = left.iter().map(|row| row.node_id.as_str()).collect();
    assert_eq!(left, ["m"]);
    store.put_node_file(file("2", "k", 1), false).await.unwrap();
    assert_eq!(store.node_file_blobs("w").await.unwrap(), ["node_files/2"]);
    store
        .delete_workflow("u", "w", IfMatch::Anything)
        .await
        .unwrap();
    assert!(store.node_file_blobs("w").await.unwrap().is_empty());
    assert!(store.node_data("w").await.unwrap().is_empty());
}
