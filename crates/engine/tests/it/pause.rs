//! Pausing: what is at work ends, nothing else begins, and the run can still be cancelled.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nodetool_engine::{Plan, Runner, Unheard};
use nodetool_sdk::protocol::JobStatus;
use nodetool_sdk::{
    Behaviour, Emitted, Map, Node, NodeDef, NodeMetadata, OutputSlot, Property, Registry,
    TypeMetadata, Value,
};
use tokio::sync::Semaphore;

use crate::fixtures::*;

const HELD: &str = "test.Held";

/// A node each of whose executions needs a permit.
fn held(permits: &Arc<Semaphore>) -> Arc<Registry> {
    let permits = permits.clone();
    let mut metadata = NodeMetadata::new(HELD);
    metadata.properties = vec![Property::new("x", TypeMetadata::any(), Value::Null)];
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::any())];
    let work = Behaviour::Process(Box::new(move |mut props, _| {
        let permits = permits.clone();
        Box::pin(async move {
            permits.acquire().await.expect("open").forget();
            Ok(Emitted::one(0, std::mem::take(&mut props.values[0])))
        })
    }));
    let mut r = registry();
    r.add_def(NodeDef::new(metadata, work));
    Arc::new(r)
}

fn chain(k: i64) -> Flow {
    Flow::new()
        .node("gen", Gen::TYPE, [("k", k.into())])
        .node("held", HELD, [])
        .node("echo", Echo::TYPE, [])
        .output("out")
        .edges("gen -> held.x\nheld -> echo.value\necho -> out.value")
}

#[test]
fn an_execution_at_work_ends_and_the_next_one_waits() {
    on_both_runtimes(async || {
        let permits = Arc::new(Semaphore::new(0));
        let live = start_in(held(&permits), &chain(20), options([]));
        live.recorder.until_running("held").await;
        let handle = live.handle().clone();
        handle.pause();
        let rests = Mutex::new(false);
        let resting = async {
            handle.settled().await;
            *rests.lock().expect("no panic") = true;
        };
        let working = async {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            assert!(!*rests.lock().expect("no panic"), "an execution is at work");
            permits.add_permits(100);
        };
        tokio::join!(resting, working);
        let told = live.recorder.events().len();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(live.recorder.events().len(), told, "nothing begins");
        handle.unpause();
        let ran = live.end().await.completed();
        assert_eq!(ran.values("out"), ints(1..=20));
        handle.settled().await;
    });
}

#[test]
fn a_paused_run_is_cancelled_within_a_second() {
    on_both_runtimes(async || {
        let permits = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let live = start_in(held(&permits), &chain(1_000_000), options([]));
        live.recorder.until_running("echo").await;
        live.handle().pause();
        live.handle().settled().await;
        let asked = Instant::now();
        live.handle().cancel();
        let ran = live.end().await;
        assert_eq!(ran.outcome.status, JobStatus::Cancelled);
        assert!(asked.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn a_run_paused_before_it_starts_executes_nothing() {
    on_both_runtimes(async || {
        let permits = Arc::new(Semaphore::new(1));
        let flow = Flow::new().node("held", HELD, []);
        let plan = Plan::build(&flow.graph, &held(&permits)).expect("a graph that fits");
        let runner = Runner::new(Arc::new(plan), context(Arc::new(Unheard)), options([]));
        let handle = runner.handle();
        handle.pause();
        let ends = async {
            handle.settled().await;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            assert_eq!(permits.available_permits(), 1);
            handle.unpause();
        };
        let (outcome, ()) = tokio::join!(runner.execute(), ends);
        assert_eq!(outcome.status, JobStatus::Completed);
        assert_eq!(permits.available_permits(), 0);
    });
}

#[test]
fn a_controller_that_waits_for_an_answer_is_at_rest() {
    on_both_runtimes(async || {
        let permits = Arc::new(Semaphore::new(0));
        let flow = Flow::new()
            .node("ask", Ask::TYPE, [("properties", Map::new().into())])
            .node("held", HELD, [("x", 7i64.into())])
            .output("out")
            .control("ask", "held")
            .edges("ask -> out.value");
        let live = start_in(held(&permits), &flow, options([]));
        live.recorder.until_running("held").await;
        live.handle().pause();
        permits.add_permits(1);
        live.handle().settled().await;
        assert_eq!(
            live.recorder
                .events()
                .iter()
                .filter(|e| is_output(e))
                .count(),
            0
        );
        live.handle().unpause();
        let ran = live.end().await.completed();
        assert_eq!(ran.values("out").len(), 1);
    });
}

fn is_output(event: &nodetool_sdk::protocol::JobEvent) -> bool {
    matches!(event, nodetool_sdk::protocol::JobEvent::OutputUpdate(_))
}

#[test]
fn a_run_that_is_dropped_has_nothing_left_to_settle() {
    on_both_runtimes(async || {
        let permits = Arc::new(Semaphore::new(0));
        let live = start_in(held(&permits), &chain(1), options([]));
        live.recorder.until_running("held").await;
        let handle = live.handle().clone();
        handle.pause();
        drop(live);
        handle.settled().await;
    });
}
