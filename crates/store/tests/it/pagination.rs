//! Pages are exact: every row that was there is seen once, in order, whatever is inserted meanwhile.

use std::collections::BTreeSet;

use nodetool_store::{IfMatch, JobFilter, MAX_PAGE_ROWS, Store, StoreError, WorkflowFilter};
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::samples::{job, workflow};

fn own_jobs() -> JobFilter {
    JobFilter {
        user_id: "u".to_owned(),
        ..JobFilter::default()
    }
}

/// Walks all pages; before each but the first, inserts rows at the given times.
async fn walk(limit: usize, start: &[i64], between: &[i64]) -> (Vec<(i64, String)>, Vec<usize>) {
    let store = Store::open_in_memory().unwrap();
    for (number, at) in start.iter().enumerate() {
        store
            .insert_workflow(workflow(&format!("s{number:03}"), *at))
            .await
            .unwrap();
    }
    let mut between = between.iter().enumerate();
    let (mut seen, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = store
            .list_workflows(WorkflowFilter::default(), limit, &cursor)
            .await
            .unwrap();
        sizes.push(page.rows.len());
        seen.extend(page.rows.into_iter().map(|row| (row.updated_at, row.id)));
        if page.next.is_empty() {
            return (seen, sizes);
        }
        cursor = page.next;
        for (number, at) in between.by_ref().take(2) {
            store
                .insert_workflow(workflow(&format!("b{number:03}"), *at))
                .await
                .unwrap();
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn every_row_is_seen_once_and_in_order_while_others_are_inserted(
        limit in 1usize..6,
        start in prop::collection::vec(0i64..8, 0..24),
        between in prop::collection::vec(0i64..8, 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (seen, sizes) = runtime.block_on(walk(limit, &start, &between));
        prop_assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice: {seen:?}");
        let seen: BTreeSet<String> = seen.into_iter().map(|(_, id)| id).collect();
        for number in 0..start.len() {
            let id = format!("s{number:03}");
            prop_assert!(seen.contains(&id), "row {id} was skipped");
        }
        let (last, full) = sizes.split_last().unwrap();
        prop_assert!(full.iter().all(|size| *size == limit), "{sizes:?}");
        prop_assert!(*last <= limit);
    }
}

#[tokio::test]
async fn a_page_that_fits_exactly_is_the_last() {
    let store = Store::open_in_memory().unwrap();
    for at in 0..4 {
        store
            .insert_job(job(&format!("j{at}"), at))
            .unwrap()
            .await
            .unwrap();
    }
    assert_eq!(store.list_jobs(own_jobs(), 4, "").await.unwrap().next, "");
    let first = store.list_jobs(own_jobs(), 3, "").await.unwrap();
    assert_eq!(first.rows.len(), 3);
    let second = store.list_jobs(own_jobs(), 3, &first.next).await.unwrap();
    assert_eq!(
        second
            .rows
            .iter()
            .map(|row| row.id.as_str())
            .collect::<Vec<_>>(),
        ["j0"]
    );
    assert_eq!(second.next, "");
}

#[tokio::test]
async fn a_cursor_outlives_the_row_it_points_at() {
    let store = Store::open_in_memory().unwrap();
    for at in 0..4 {
        store
            .insert_workflow(workflow(&format!("w{at}"), at))
            .await
            .unwrap();
    }
    let first = store
        .list_workflows(WorkflowFilter::default(), 2, "")
        .await
        .unwrap();
    store
        .delete_workflow("u", "w2", IfMatch::Anything)
        .await
        .unwrap();
    let second = store
        .list_workflows(WorkflowFilter::default(), 2, &first.next)
        .await
        .unwrap();
    assert_eq!(
        second
            .rows
            .iter()
            .map(|row| row.id.as_str())
            .collect::<Vec<_>>(),
        ["w1", "w0"]
    );
}

#[tokio::test]
async fn limits_are_brought_into_range() {
    let store = Store::open_in_memory().unwrap();
    let mut pending = Vec::new();
    for at in 0..1002 {
        pending.push(store.insert_job(job(&format!("j{at:04}"), at)).unwrap());
    }
    for answer in pending {
        answer.await.unwrap();
    }
    assert_eq!(
        store.list_jobs(own_jobs(), 0, "").await.unwrap().rows.len(),
        1
    );
    let first = store.list_jobs(own_jobs(), usize::MAX, "").await.unwrap();
    assert_eq!(first.rows.len(), MAX_PAGE_ROWS);
    let second = store
        .list_jobs(own_jobs(), usize::MAX, &first.next)
        .await
        .unwrap();
    assert_eq!((second.rows.len(), second.next.as_str()), (2, ""));
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let store = Store::open_in_memory().unwrap();
    for at in 0..2 {
        store
            .insert_job(job(&format!("j{at}"), at))
            .unwrap()
            .await
            .unwrap();
    }
    let jobs = store.list_jobs(own_jobs(), 1, "").await.unwrap();
    let refused = store
        .list_workflows(WorkflowFilter::default(), 1, &jobs.next)
        .await;
    assert!(
        matches!(refused, Err(StoreError::BadCursor { list: "workflows" })),
        "{refused:?}"
    );
}
