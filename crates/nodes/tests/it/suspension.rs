//! Nodes that wait for somebody, in a run that is suspended and goes on later.

use std::sync::{Arc, Mutex};

use nodetool_engine::{
    EffectState, Emission, Journal, Plan, Resume, RunOptions, RunOutcome, Runner, Unheard,
};
use nodetool_sdk::protocol::{Graph, JobStatus};
use nodetool_sdk::services::Services;
use nodetool_sdk::{BoxFuture, NodeError, Registry, RunCx, Value, Variables};
use serde_json::json;

/// Keeps what a run finds when it goes on.
#[derive(Default)]
struct Diary(Mutex<Resume>);

impl Diary {
    fn effect(&self, node_id: &Arc<str>, n: u64, state: EffectState) {
        let mut resume = self.0.lock().expect("nobody panics");
        let states = resume.effects.entry(node_id.clone()).or_default();
        states.truncate(n as usize);
        states.push(state);
    }
}

impl Journal for Diary {
    fn node_finished(&self, node_id: &Arc<str>, emitted: Option<Vec<Emission>>) {
        let mut resume = self.0.lock().expect("nobody panics");
        resume
            .finished
            .extend(emitted.map(|e| (node_id.clone(), e)));
    }
    fn effect_begins<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        self.effect(node_id, n, EffectState::Begun);
        Box::pin(async { Ok(()) })
    }
    fn effect_done<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
        emitted: Vec<Emission>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        self.effect(node_id, n, EffectState::Done(emitted));
        Box::pin(async { Ok(()) })
    }
}

/// One node between a constant and outputs, one for each slot.
fn flow(node_type: &str, handle: &str, slots: &[&str]) -> Graph {
    let mut nodes = vec![
        json!({"id": "text", "type": "nodetool.constant.String", "data": {"value": "draft"}}),
        json!({"id": "waits", "type": node_type, "data": {}}),
    ];
    let edge = |source: &str, slot: &str, target: &str, handle: &str| json!({"source": source, "sourceHandle": slot, "target": target, "targetHandle": handle});
    let mut edges = vec![edge("text", "output", "waits", handle)];
    for slot in slots {
        let data = json!({"name": slot});
        nodes.push(json!({"id": slot, "type": "nodetool.output.Output", "data": data}));
        edges.push(edge("waits", slot, slot, "value"));
    }
    serde_json::from_value(json!({"nodes": nodes, "edges": edges})).expect("a graph")
}

/// One attempt; what an earlier one left is in the diary.
async fn attempt(graph: &Graph, diary: &Arc<Diary>) -> RunOutcome {
    let mut registry = Registry::new();
    nodetool_nodes::register(&mut registry);
    let plan = Plan::build(graph, &registry).expect("a graph that fits");
    assert!(plan.has_effects());
    let cx = RunCx {
        job_id: "job".into(),
        workflow_id: "workflow".into(),
        user_id: "1".into(),
        depth: 0,
        services: Services::none(),
        variables: Variables::default(),
        workspace: None,
        events: Arc::new(Unheard),
    };
    let found = diary.0.lock().expect("nobody panics").clone();
    let options = RunOptions {
        journal: Some(diary.clone()),
        resume: Some(found),
        ..RunOptions::default()
    };
    Runner::new(Arc::new(plan), Arc::new(cx), options)
        .execute()
        .await
}

/// Runs until it waits, asks again without an answer, then sends one.
async fn answered(
    graph: &Graph,
    answer: impl IntoIterator<Item = (&'static str, Value)>,
) -> RunOutcome {
    let diary = Arc::new(Diary::default());
    let first = attempt(graph, &diary).await;
    assert_eq!(first.status, JobStatus::Suspended, "{first:?}");
    assert_eq!(attempt(graph, &diary).await.status, JobStatus::Suspended);
    let (node, _, state) = first.suspended.expect("where it waits");
    let mut state = state.as_map().expect("a state of fields").clone();
    state.extend(answer.into_iter().map(|(k, v)| (k.into(), v)));
    {
        let mut found = diary.0.lock().expect("nobody panics");
        assert!(found.finished.contains_key("text"));
        found.states.insert(node, state.into());
    }
    attempt(graph, &diary).await
}

#[tokio::test]
async fn case_79_a_wait_goes_on_with_what_it_kept_or_was_sent() {
    let graph = flow("nodetool.triggers.Wait", "input", &["data"]);
    let kept = answered(&graph, []).await;
    assert_eq!(kept.status, JobStatus::Completed, "{kept:?}");
    assert_eq!(kept.last.get("data"), Some(&"draft".into()));
    let sent = answered(&graph, [("data", "final".into())]).await;
    assert_eq!(sent.last.get("data"), Some(&"final".into()));
}

#[tokio::test]
async fn an_approval_takes_one_way_and_brings_a_comment() {
    let slots = ["approved", "rejected", "comment"];
    let graph = flow("nodetool.control.HumanApproval", "value", &slots);
    for (approved, way, other) in [(true, 0, 1), (false, 1, 0)] {
        let answer = [("approved", approved.into()), ("comment", "seen".into())];
        let ran = answered(&graph, answer).await;
        assert_eq!(ran.status, JobStatus::Completed, "{ran:?}");
        assert_eq!(ran.last.get(slots[way]), Some(&"draft".into()));
        assert_eq!(ran.last.get(slots[other]), Some(&Value::Null));
        assert_eq!(ran.last.get("comment"), Some(&"seen".into()));
    }
}
