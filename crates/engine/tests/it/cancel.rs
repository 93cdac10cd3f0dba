//! Cancelling a run in every state a node can be in: it answers within a second and then says nothing more.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nodetool_engine::{Plan, Runner};
use nodetool_sdk::protocol::{EdgeStatus, JobEvent, JobStatus, NodeStatus};
use nodetool_sdk::{
    Behaviour, BoxFuture, Emitted, EventSink, Node, NodeDef, NodeError, NodeMetadata, Role,
};

use crate::fixtures::*;

/// Cancels a run once a message has come, and checks how it ends.
async fn cancel_at(flow: &Flow, what: &str, wanted: impl Fn(&JobEvent) -> bool) -> Ran {
    let live = start(flow, options([]));
    live.recorder.until(what, wanted).await;
    let asked = Instant::now();
    live.handle().cancel();
    let ran = live.end().await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{what}");
    silent_after(&ran).await;
    ran
}

/// Waits until nothing is left of a run, then checks that it said nothing after its closing message.
async fn silent_after(ran: &Ran) {
    assert_eq!(ran.outcome.status, JobStatus::Cancelled);
    let gone = async {
        while ran.cx.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "something of the run is still there");
    assert_eq!(ran.recorder.events().len(), ran.events.len());
}

fn running(node: &'static str) -> impl Fn(&JobEvent) -> bool {
    move |e| matches!(e, JobEvent::NodeUpdate(u) if *u.node_id == *node && u.status == NodeStatus::Running)
}

fn sent(edge: &'static str, count: u64) -> impl Fn(&JobEvent) -> bool {
    move |e| {
        matches!(e, JobEvent::EdgeUpdate { edge_id, counter, status: EdgeStatus::MessageSent, .. }
            if **edge_id == *edge && *counter == Some(count))
    }
}

#[test]
fn a_sleeping_node() {
    on_both_runtimes(async || {
        let flow = Flow::new().node("sleep", Sleep::TYPE, []);
        cancel_at(&flow, "the sleeper", running("sleep")).await;
    });
}

#[test]
fn a_blocked_producer() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", 1000.into())])
            .node("stuck", Stuck::TYPE, [])
            .edges("gen -> stuck.value");
        // Three that fit and the one after which it waits.
        let ran = cancel_at(&flow, "a full handle", sent("e1", 4)).await;
        assert_eq!(ran.edge("e1").iter().flatten().count(), 4);
    });
}

#[test]
fn a_zip_that_waits_for_its_other_handle() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", 3.into())])
            .node("stuck", Stuck::TYPE, [])
            .node("pair", Pair::TYPE, [])
            .zip()
            .edges(
                "gen -> pair.a
                 stuck -> pair.b",
            );
        let ran = cancel_at(&flow, "an item", sent("e1", 3)).await;
        assert!(ran.updates("pair").is_empty());
    });
}

#[test]
fn a_cancel_is_no_end_of_stream() {
    let mut flow = Flow::new().node("stuck", Stuck::TYPE, []);
    for i in 0..300 {
        let name = format!("out{i}");
        flow = flow.output(&name).edges(&format!("stuck -> {name}.value"));
    }
    // An output that sees the end of an empty stream shows its own value.
    for _ in 0..10 {
        runtime(2).block_on(async {
            let ran = cancel_at(&flow, "the last output", running("out299")).await;
            let shown = |e: &&JobEvent| matches!(e, JobEvent::OutputUpdate(_));
            assert_eq!(ran.events.iter().filter(shown).count(), 0);
        });
    }
}

#[test]
fn a_controlled_node_that_waits_for_an_event() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("stuck", Stuck::TYPE, [])
            .node("thr", Thr::TYPE, [])
            .output("out")
            .edges("thr -> out.value")
            .control("stuck", "thr");
        let ran = cancel_at(&flow, "its controller", running("stuck")).await;
        assert!(ran.updates("thr").is_empty());
        assert!(ran.announced("out").is_empty());
    });
}

#[test]
fn a_controller_that_waits_for_an_answer() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("ask", Ask::TYPE, [])
            .node("sleep", Sleep::TYPE, [])
            .control("ask", "sleep");
        cancel_at(&flow, "the asked node", running("sleep")).await;
    });
}

#[test]
fn a_pipe_that_waits_for_the_client() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("in", STREAM_IN, [("name", "in".into())])
            .node("echo", Echo::TYPE, [])
            .output("out")
            .edges(
                "in -> echo.value
                 echo -> out.value",
            );
        let ran = cancel_at(&flow, "the output", running("out")).await;
        assert!(ran.announced("out").is_empty());
    });
}

#[test]
fn a_node_that_works_without_end_and_yields() {
    on_both_runtimes(async || {
        let flow = Flow::new().node("spin", Spin::TYPE, []);
        cancel_at(&flow, "the spinner", running("spin")).await;
    });
}

#[test]
fn an_endless_stream() {
    on_both_runtimes(async || {
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", i64::MAX.into())])
            .node("id", Id::TYPE, [])
            .node("take", Take1::TYPE, [])
            .edges(
                "gen -> id.x
                 id -> take.value",
            );
        cancel_at(&flow, "an item", sent("e1", 64)).await;
    });
}

/// A listener that never catches up.
struct Deaf;

impl EventSink for Deaf {
    fn emit(&self, _: JobEvent) {}
    fn listening(&self) -> bool {
        true
    }
    fn behind(&self) -> bool {
        true
    }
    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn nodes_that_wait_for_a_listener() {
    on_both_runtimes(async || {
        let flow = Flow::new().node("gen", Gen::TYPE, [("k", 10.into())]);
        let plan = Plan::build(&flow.graph, &registry()).expect("a plan");
        let cx = context(Arc::new(Deaf));
        let runner = Runner::new(Arc::new(plan), cx, options([]));
        let handle = runner.handle();
        let mut run = std::pin::pin!(runner.execute());
        // Nothing can happen any more once nobody has anything to do.
        let early = futures_util::poll!(&mut run);
        assert!(early.is_pending());
        let asked = Instant::now();
        handle.cancel();
        assert_eq!(run.await.status, JobStatus::Cancelled);
        assert!(asked.elapsed() < Duration::from_secs(1));
    });
}

/// A node whose code is given.
fn node(
    node_type: &str,
    work: impl Fn() -> BoxFuture<'static, Result<Emitted, NodeError>> + Send + Sync + 'static,
) -> NodeDef {
    let work = Behaviour::Process(Box::new(move |_, _| work()));
    NodeDef::new(NodeMetadata::new(node_type), work)
}

/// Blocks for five seconds, or until the other end is dropped.
fn block(held: &Arc<Mutex<Receiver<()>>>) {
    let held = held.lock().expect("the only user");
    let _ = held.recv_timeout(Duration::from_secs(5));
}

fn held() -> (Sender<()>, Arc<Mutex<Receiver<()>>>) {
    let (release, held) = channel();
    (release, Arc::new(Mutex::new(held)))
}

#[test]
fn a_node_that_blocks_a_thread_of_its_own() {
    on_both_runtimes(async || {
        let (release, held) = held();
        let mut registry = registry();
        registry.add_def(node("test.Blocking", move || {
            let held = held.clone();
            Box::pin(async move {
                let work = tokio::task::spawn_blocking(move || block(&held));
                work.await.map_err(|e| NodeError::new(e.to_string()))?;
                Ok(Emitted::nothing())
            })
        }));
        let flow = Flow::new().node("blocking", "test.Blocking", []);
        let live = start_in(Arc::new(registry), &flow, options([]));
        live.recorder.until_running("blocking").await;
        let asked = Instant::now();
        live.handle().cancel();
        let ran = live.end().await;
        assert!(asked.elapsed() < Duration::from_secs(1));
        drop(release);
        silent_after(&ran).await;
    });
}

#[test]
fn a_node_that_blocks_the_thread_of_the_engine() {
    runtime(2).block_on(async {
        let (release, held) = held();
        let mut registry = registry();
        registry.add_def(node("test.Rude", move || {
            let held = held.clone();
            Box::pin(async move {
                block(&held);
                Ok(Emitted::nothing())
            })
        }));
        let flow = Flow::new()
            .node("rude", "test.Rude", [])
            .node("sleep", Sleep::TYPE, [])
            .edges("rude.nothing -> sleep.x")
            .output("out")
            .edges("sleep -> out.value");
        let live = start_in(Arc::new(registry), &flow, options([]));
        live.recorder.until_running("rude").await;
        let asked = Instant::now();
        live.handle().cancel();
        let ran = live.end().await;
        assert!(asked.elapsed() < Duration::from_secs(1));
        drop(release);
        silent_after(&ran).await;
    });
}

/// An input of the given code.
fn input(
    work: impl Fn() -> BoxFuture<'static, Result<Emitted, NodeError>> + Send + Sync + 'static,
) -> (Arc<nodetool_sdk::Registry>, Flow) {
    let mut def = node("test.Busy", work);
    def.role = Role::Input;
    def.metadata.outputs = registry().get(IN).expect("it").metadata.outputs.clone();
    def.metadata.properties = registry().get(IN).expect("it").metadata.properties.clone();
    let mut registry = registry();
    registry.add_def(def);
    let data = [("name", "busy".into()), ("value", 1.into())];
    let flow = Flow::new()
        .node("busy", "test.Busy", data)
        .output("out")
        .edges("busy -> out.value");
    (Arc::new(registry), flow)
}

#[test]
fn an_input_that_is_still_at_work() {
    on_both_runtimes(async || {
        let (registry, flow) = input(|| Box::pin(std::future::pending()));
        let live = start_in(registry, &flow, options([]));
        live.recorder.until("the start", |_| true).await;
        let asked = Instant::now();
        live.handle().cancel();
        let ran = live.end().await;
        assert!(asked.elapsed() < Duration::from_secs(1));
        silent_after(&ran).await;
    });
}

#[tokio::test]
async fn an_input_that_panics_fails_its_run_only() {
    let (registry, flow) = input(|| panic!("out of cheese"));
    let ran = start_in(registry, &flow, options([])).end().await;
    assert_eq!(ran.failed(), "The node panicked: out of cheese");
    assert_eq!(ran.count("busy", NodeStatus::Error), 1);
}

#[tokio::test]
async fn a_run_that_is_cancelled_before_it_starts_runs_nothing() {
    let flow = Flow::new().node("int", Int::TYPE, []);
    let live = start(&flow, options([]));
    live.handle().cancel();
    let ran = live.end().await;
    silent_after(&ran).await;
    assert!(ran.updates("int").is_empty());
}

#[tokio::test]
async fn cancelling_a_run_that_has_ended_changes_nothing() {
    let flow = Flow::new().node("int", Int::TYPE, []);
    let live = start(&flow, options([]));
    let handle = live.handle().clone();
    live.recorder
        .until(
            "the end",
            |e| matches!(e, JobEvent::JobUpdate(u) if u.status == JobStatus::Completed),
        )
        .await;
    handle.cancel();
    live.end().await.completed();
}
