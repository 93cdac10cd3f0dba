//! What a database has to do for triggers. Every time is given: `now` is a number.

use nodetool_store::{
    Delivered, FinishJob, FireTrigger, JobStatus, SeenTrigger, Store, StoreError, TriggerInput,
    TriggerRow,
};

use crate::samples::{completion, job};

fn schedule(workflow: &str, node: &str, next_due: Option<i64>) -> TriggerRow {
    TriggerRow {
        workflow_id: workflow.to_owned(),
        node_id: node.to_owned(),
        user_id: "u".to_owned(),
        kind: "interval".to_owned(),
        spec: r#"{"every":5}"#.to_owned(),
        salt: "s".to_owned(),
        active: true,
        started_at: 10,
        next_due,
        created_at: 10,
        updated_at: 10,
        ..TriggerRow::default()
    }
}

fn input(workflow: &str, node: &str, event: &str, at: i64) -> TriggerInput {
    TriggerInput {
        input_id: format!("{workflow}:{node}:{event}"),
        job_id: format!("job-{event}"),
        user_id: "u".to_owned(),
        workflow_id: workflow.to_owned(),
        node_id: node.to_owned(),
        payload: r#"{"tick":1}"#.to_owned(),
        created_at: at,
    }
}

fn fire(node: &str, due: i64, next_due: Option<i64>, now: i64) -> FireTrigger {
    FireTrigger {
        input: input("w", node, &due.to_string(), now),
        due,
        next_due,
        now,
    }
}

async fn put(store: &Store, rows: &[TriggerRow]) {
    let rows = rows.iter().map(|row| (row.clone(), None)).collect();
    store.put_triggers("w", Vec::new(), rows).await.unwrap();
}

async fn waiting(store: &Store) -> Vec<String> {
    let inputs = store.waiting_inputs(100).await.unwrap();
    inputs.into_iter().map(|i| i.input_id).collect()
}

pub(super) async fn a_schedule_reads_back_and_goes_with_its_node(store: Store) {
    let rows = [schedule("w", "a", Some(20)), schedule("w", "b", None)];
    put(&store, &rows).await;
    assert_eq!(store.workflow_triggers("w").await.unwrap(), rows);
    assert_eq!(
        store.get_trigger("w", "b").await.unwrap(),
        Some(rows[1].clone())
    );
    assert_eq!(store.get_trigger("w", "c").await.unwrap(), None);
    let later = TriggerRow {
        spec: "{}".to_owned(),
        active: false,
        updated_at: 11,
        ..rows[1].clone()
    };
    put(&store, std::slice::from_ref(&later)).await;
    assert_eq!(store.workflow_triggers("w").await.unwrap(), [later]);
    put(&store, &[]).await;
    assert!(store.workflow_triggers("w").await.unwrap().is_empty());
}

pub(super) async fn schedules_are_listed_and_counted_by_user(store: Store) {
    put(&store, &[schedule("w", "a", None)]).await;
    let mut other = schedule("x", "a", None);
    let put = |row: &TriggerRow| {
        let (store, row) = (store.clone(), row.clone());
        async move {
            let id = row.workflow_id.clone();
            store.put_triggers(&id, Vec::new(), vec![(row, None)]).await
        }
    };
    put(&other).await.unwrap();
    other.user_id = "other".to_owned();
    other.workflow_id = "y".to_owned();
    put(&other).await.unwrap();
    let listed = store.list_triggers("u").await.unwrap();
    let listed: Vec<&str> = listed.iter().map(|l| l.row.workflow_id.as_str()).collect();
    assert_eq!(listed, ["w", "x"]);
    assert_eq!(store.count_other_triggers("u", "w").await.unwrap(), 1);
    assert_eq!(store.count_other_triggers("nobody", "w").await.unwrap(), 0);
    assert_eq!(
        store.triggered_workflows("").await.unwrap(),
        ["w", "x", "y"]
    );
    assert_eq!(store.triggered_workflows("w").await.unwrap(), ["x", "y"]);
}

pub(super) async fn a_due_time_fires_once_and_moves_its_schedule_with_it(store: Store) {
    let rows = [schedule("w", "a", Some(20)), schedule("w", "b", Some(30))];
    put(&store, &rows).await;
    assert_eq!(store.next_trigger_due().await.unwrap(), Some(20));
    assert!(store.due_triggers(19, 10).await.unwrap().is_empty());
    assert_eq!(store.due_triggers(20, 10).await.unwrap(), rows[..1]);
    assert!(
        store
            .fire_trigger(fire("a", 20, Some(40), 21))
            .await
            .unwrap()
    );
    // Somebody else who saw the same due time comes too late.
    assert!(
        !store
            .fire_trigger(fire("a", 20, Some(40), 21))
            .await
            .unwrap()
    );
    assert_eq!(waiting(&store).await, ["w:a:20"]);
    assert_eq!(store.next_trigger_due().await.unwrap(), Some(30));
    let row = store.get_trigger("w", "a").await.unwrap().unwrap();
    assert_eq!(
        (row.next_due, row.fired, row.last_fired),
        (Some(40), 1, Some(21))
    );
    assert_eq!(row.last_job_id.as_deref(), Some("job-20"));
}

pub(super) async fn a_clock_that_went_back_gives_no_event_twice(store: Store) {
    put(&store, &[schedule("w", "a", Some(20))]).await;
    assert!(
        store
            .fire_trigger(fire("a", 20, Some(25), 20))
            .await
            .unwrap()
    );
    let row = store.get_trigger("w", "a").await.unwrap().unwrap();
    assert!(store.move_trigger(&row, Some(20), 12).await.unwrap());
    assert!(!store.move_trigger(&row, Some(15), 12).await.unwrap());
    assert!(
        store
            .fire_trigger(fire("a", 20, Some(25), 20))
            .await
            .unwrap()
    );
    assert_eq!(waiting(&store).await, ["w:a:20"]);
}

pub(super) async fn a_schedule_that_was_stopped_is_not_due(store: Store) {
    let stopped = TriggerRow {
        active: false,
        ..schedule("w", "a", Some(20))
    };
    put(&store, &[stopped]).await;
    assert_eq!(store.next_trigger_due().await.unwrap(), None);
    assert!(store.due_triggers(50, 10).await.unwrap().is_empty());
    assert!(!store.fire_trigger(fire("a", 20, None, 50)).await.unwrap());
    let delivered = store
        .deliver_trigger(input("w", "a", "x", 50))
        .await
        .unwrap();
    assert_eq!(delivered, Delivered::Inactive);
    assert!(waiting(&store).await.is_empty());
}

pub(super) async fn an_event_delivered_twice_is_one_event(store: Store) {
    put(&store, &[schedule("w", "a", None)]).await;
    let first = input("w", "a", "x", 50);
    assert_eq!(
        store.deliver_trigger(first.clone()).await.unwrap(),
        Delivered::New
    );
    let again = TriggerInput {
        job_id: "another".to_owned(),
        created_at: 60,
        ..first
    };
    let known = Delivered::Known {
        job_id: "job-x".to_owned(),
    };
    assert_eq!(store.deliver_trigger(again).await.unwrap(), known);
    let row = store.get_trigger("w", "a").await.unwrap().unwrap();
    assert_eq!((row.fired, row.last_fired), (1, Some(50)));
}

pub(super) async fn what_was_seen_and_its_events_are_stored_together(store: Store) {
    put(&store, &[schedule("w", "a", None)]).await;
    let seen = |revision: i64, event: &str| SeenTrigger {
        workflow_id: "w".to_owned(),
        node_id: "a".to_owned(),
        revision,
        cursor: format!("after {event}"),
        inputs: vec![input("w", "a", event, 50)],
        told: 2,
        now: 50,
    };
    let ahead = vec![input("w", "a", "0", 49), input("w", "a", "1", 50)];
    store.store_inputs(ahead).await.unwrap();
    assert!(store.see_trigger(seen(0, "1")).await.unwrap());
    assert!(!store.see_trigger(seen(0, "2")).await.unwrap());
    assert_eq!(waiting(&store).await, ["w:a:0", "w:a:1"]);
    let kept = store.watching_triggers("interval").await.unwrap();
    assert_eq!(kept.len(), 1);
    let (mut row, cursor) = kept[0].clone();
    assert_eq!((row.revision, row.fired), (1, 2));
    assert_eq!(cursor.as_deref(), Some("after 1"));
    let keep = vec!["a".to_owned()];
    store.put_triggers("w", keep, Vec::new()).await.unwrap();
    let kept = store.watching_triggers("interval").await.unwrap();
    assert_eq!(kept[0].1.as_deref(), Some("after 1"), "left as it was");
    row.revision += 1;
    let changed = vec![(row, Some("anew".to_owned()))];
    store.put_triggers("w", Vec::new(), changed).await.unwrap();
    let kept = store.watching_triggers("interval").await.unwrap();
    assert_eq!(kept[0].1.as_deref(), Some("anew"));
}

pub(super) async fn events_wait_in_order_until_they_are_jobs(store: Store) {
    put(&store, &[schedule("w", "a", None)]).await;
    for (event, at) in [("late", 70), ("early", 60)] {
        let input = input("w", "a", event, at);
        store.deliver_trigger(input).await.unwrap();
    }
    assert_eq!(waiting(&store).await, ["w:a:early", "w:a:late"]);
    assert_eq!(store.waiting_inputs(1).await.unwrap().len(), 1);
    let processed = vec!["w:a:early".to_owned()];
    store.process_inputs(processed, 80).await.unwrap();
    assert_eq!(waiting(&store).await, ["w:a:late"]);
    assert_eq!(store.prune_inputs(80).await.unwrap(), 0);
    assert_eq!(store.prune_inputs(81).await.unwrap(), 1);
    assert_eq!(waiting(&store).await, ["w:a:late"], "what waits stays");
}

pub(super) async fn a_schedule_is_listed_with_the_end_of_its_last_job(store: Store) {
    put(&store, &[schedule("w", "a", Some(20))]).await;
    assert!(store.fire_trigger(fire("a", 20, None, 21)).await.unwrap());
    store.insert_job(job("job-20", 21)).unwrap().await.unwrap();
    let end = FinishJob {
        status: JobStatus::Failed,
        error: Some("it broke".to_owned()),
        ..completion("job-20", 22)
    };
    store.finish_job(end).await.unwrap();
    let listed = store.list_triggers("u").await.unwrap().remove(0);
    assert_eq!(listed.job_status.as_deref(), Some("failed"));
    assert_eq!(listed.job_error.as_deref(), Some("it broke"));
    let error = Some("gone".to_owned());
    store.note_trigger_error("w", "a", error, 30).await.unwrap();
    let row = store.get_trigger("w", "a").await.unwrap().unwrap();
    assert_eq!(
        (row.last_error.as_deref(), row.updated_at),
        (Some("gone"), 30)
    );
}

pub(super) async fn a_node_id_no_schedule_may_have_is_refused(store: Store) {
    for bad in ["", "a\0b", &"x".repeat(257)] {
        let refused = store
            .put_triggers("w", Vec::new(), vec![(schedule("w", bad, None), None)])
            .await;
        assert!(
            matches!(
                refused,
                Err(StoreError::InvalidInput {
                    field: "node_id",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}
