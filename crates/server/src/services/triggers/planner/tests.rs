use std::sync::Mutex;

use nodetool_store::{TriggerInput, WorkflowRow};
use serde_json::{Value, json};

use super::*;

/// A time long before the machine's own, so that nothing here depends on it.
const START: i64 = 1_000_000 * SECOND;

fn planner(store: &Store) -> Planner {
    Planner {
        store: store.clone(),
        workspace: PathBuf::from("/nowhere"),
        commands: mpsc::channel(1).1,
        known: Arc::new(Mutex::new(None)),
        changed: Arc::default(),
        news: Arc::default(),
        stop: CancellationToken::new(),
    }
}

fn every(node_id: &str, seconds: i64, max_events: i64) -> TriggerRow {
    let spec = Spec::Interval {
        every: seconds * SECOND,
        delay: 0,
        at_once: true,
        steady: true,
        max_events,
    };
    TriggerRow {
        workflow_id: "w".into(),
        node_id: node_id.into(),
        user_id: "u".into(),
        kind: spec.kind().into(),
        spec: spec.to_text(),
        active: true,
        started_at: START,
        next_due: Some(START),
        created_at: START,
        updated_at: START,
        ..TriggerRow::default()
    }
}

async fn with(rows: &[TriggerRow]) -> (Store, Planner) {
    let store = Store::open_in_memory().unwrap();
    let rows = rows.iter().map(|row| (row.clone(), None)).collect();
    store.put_triggers("w", Vec::new(), rows).await.unwrap();
    let planner = planner(&store);
    (store, planner)
}

/// Fires until nothing is due any more.
async fn fire_all(planner: &Planner, now: i64, missed_before: i64) {
    while planner.fire_due(now, missed_before).await.unwrap() == Duration::ZERO {
        let left = planner.store.due_triggers(now, 1).await.unwrap();
        if left.is_empty() {
            return;
        }
    }
}

/// Seconds since the start of the due times that have fired, and their tick numbers.
async fn fired(store: &Store) -> Vec<(i64, i64)> {
    let inputs = store.waiting_inputs(1000).await.unwrap();
    let read = |input: &TriggerInput| {
        let due: i64 = input.input_id.rsplit(':').next().unwrap().parse().unwrap();
        let payload: Value = serde_json::from_str(&input.payload).unwrap();
        let elapsed = payload["elapsed_seconds"].as_f64().unwrap() as i64;
        assert_eq!(elapsed, (due - START) / SECOND);
        (elapsed, payload["tick"].as_i64().unwrap())
    };
    let mut fired: Vec<_> = inputs.iter().map(read).collect();
    fired.sort_unstable();
    fired
}

#[tokio::test]
async fn a_planner_that_is_late_fires_every_due_time() {
    let (store, planner) = with(&[every("a", 10, 0)]).await;
    fire_all(&planner, START + 35 * SECOND, START).await;
    let want = [(0, 1), (10, 2), (20, 3), (30, 4)];
    assert_eq!(fired(&store).await, want);
    fire_all(&planner, START + 35 * SECOND, START).await;
    assert_eq!(fired(&store).await, want, "none twice");
    assert_eq!(
        store.next_trigger_due().await.unwrap(),
        Some(START + 40 * SECOND)
    );
}

#[tokio::test]
async fn of_the_times_missed_while_the_server_was_away_only_the_latest_fires() {
    let (store, planner) = with(&[every("a", 10, 0)]).await;
    fire_all(&planner, START, START).await;
    // Back after 95 seconds; the loop comes to it 10 seconds later.
    let booted_at = START + 95 * SECOND;
    fire_all(&planner, booted_at + 10 * SECOND, booted_at).await;
    assert_eq!(fired(&store).await, [(0, 1), (90, 2), (100, 3)]);
}

#[tokio::test]
async fn a_schedule_ends_after_so_many_events() {
    let (store, planner) = with(&[every("a", 10, 2), every("b", 50, 0)]).await;
    fire_all(&planner, START + 45 * SECOND, START).await;
    assert_eq!(fired(&store).await, [(0, 1), (0, 1), (10, 2)]);
    let row = store.get_trigger("w", "a").await.unwrap().unwrap();
    assert_eq!((row.fired, row.next_due), (2, None));
}

#[tokio::test]
async fn a_clock_that_went_back_neither_repeats_nor_stalls() {
    let (store, planner) = with(&[every("a", 10, 0)]).await;
    fire_all(&planner, START + 20 * SECOND, START).await;
    let back = START + 5 * SECOND;
    planner.correct(back).await.unwrap();
    assert_eq!(
        store.next_trigger_due().await.unwrap(),
        Some(START + 10 * SECOND)
    );
    fire_all(&planner, START + 30 * SECOND, START).await;
    let dues: Vec<i64> = fired(&store)
        .await
        .into_iter()
        .map(|(due, _)| due)
        .collect();
    assert_eq!(dues, [0, 10, 20, 30]);
}

#[tokio::test]
async fn the_server_puts_schedules_in_step_when_it_starts() {
    let store = Store::open_in_memory().unwrap();
    let graph = |seconds: i64| {
        let data = json!({ "interval_seconds": seconds, "emit_on_start": false });
        let node = json!({ "id": "a", "type": "nodetool.triggers.IntervalTrigger", "data": data });
        json!({ "nodes": [node], "edges": [] }).to_string()
    };
    let workflow = |id: &str, mode: &str| WorkflowRow {
        id: id.into(),
        user_id: "u".into(),
        run_mode: Some(mode.into()),
        graph: graph(3600).into(),
        ..WorkflowRow::default()
    };
    for row in [
        workflow("new", "trigger"),
        workflow("w", "workflow"),
        WorkflowRow {
            graph: "{".into(),
            ..workflow("broken", "trigger")
        },
    ] {
        store.insert_workflow(row).await.unwrap();
    }
    for id in ["w", "gone"] {
        let row = TriggerRow {
            workflow_id: id.into(),
            ..every("a", 10, 0)
        };
        let rows = vec![(row, None)];
        store.put_triggers(id, Vec::new(), rows).await.unwrap();
    }
    planner(&store).catch_up().await.unwrap();
    assert_eq!(store.triggered_workflows("").await.unwrap(), ["new"]);
}
