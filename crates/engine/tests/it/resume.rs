//! Runs that go on where an earlier attempt ended: replays, effects, suspensions.

use std::sync::{Arc, Mutex};

use nodetool_engine::{Decision, EffectState, Plan, RECORD_VALUES, Resume};
use nodetool_sdk::protocol::{JobStatus, NodeStatus};
use nodetool_sdk::{
    Behaviour, Effect, Emitted, Map, Node, NodeDef, NodeError, NodeMetadata, OutputSlot, Property,
    Registry, TypeMetadata, Value,
};

use crate::fixtures::*;

const POST: &str = "test.Post";
const PUT: &str = "test.Put";
const WAITER: &str = "test.Waiter";
const STATEFUL: &str = "test.Stateful";
const AGAIN: &str = "test.Again";

fn definition(node_type: &str, behaviour: Behaviour) -> NodeDef {
    let mut metadata = NodeMetadata::new(node_type);
    metadata.properties = vec![Property::new("x", TypeMetadata::any(), Value::Null)];
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::any())];
    metadata.is_dynamic = node_type == WAITER;
    let mut def = NodeDef::new(metadata, behaviour);
    def.cacheable = false;
    def
}

/// The executions nodes made, by their keys.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<String>>>);

impl Made {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no node panics"))
    }

    /// A node that passes `x` on and says that it was at work.
    fn node(&self, node_type: &str, effect: Effect) -> NodeDef {
        let made = self.clone();
        let work = Behaviour::Process(Box::new(move |mut props, cx| {
            let key = cx.effect_key().unwrap_or_else(|| cx.node.id.to_string());
            made.0.lock().expect("no node panics").push(key);
            let value = std::mem::take(&mut props.values[0]);
            Box::pin(async move { Ok(Emitted::one(0, value)) })
        }));
        let mut def = definition(node_type, work);
        def.effect = effect;
        def
    }

    fn registry(&self) -> Arc<Registry> {
        let mut r = registry();
        r.add_def(self.node(POST, Effect::Once));
        r.add_def(self.node(PUT, Effect::Idempotent));
        let mut stateful = self.node(STATEFUL, Effect::Idempotent);
        stateful.stateful = true;
        r.add_def(stateful);
        let mut again = self.node(AGAIN, Effect::Pure);
        again.again = true;
        r.add_def(again);
        let waits = Behaviour::Process(Box::new(|mut props, _| {
            let event = props.dynamic.shift_remove("__event__");
            let x = std::mem::take(&mut props.values[0]);
            Box::pin(async move {
                match event {
                    Some(event) => Ok(Emitted::one(0, event)),
                    None => Err(NodeError::Suspended {
                        reason: "waiting for a word".into(),
                        state: Value::map([("a", 1i64.into()), ("x", x)]),
                    }),
                }
            })
        }));
        let mut waiter = definition(WAITER, waits);
        waiter.effect = Effect::Idempotent;
        r.add_def(waiter);
        Arc::new(r)
    }

    /// One attempt, and what it told.
    async fn run(&self, flow: &Flow, resume: Option<Resume>) -> (Ran, Vec<Told>) {
        let diary = Arc::new(Diary::default());
        let ran = start_in(self.registry(), flow, attempt(&diary, resume))
            .end()
            .await;
        (ran, diary.told())
    }
}

fn id(name: &str) -> Arc<str> {
    name.into()
}

/// Three values, each posted, into an output.
fn posts(node_type: &str) -> Flow {
    Flow::new()
        .node("gen", Gen::TYPE, [("k", 3i64.into())])
        .node("post", node_type, [])
        .output("out")
        .edges("gen -> post.x\npost -> out.value")
}

#[test]
fn what_had_finished_is_replayed_and_does_not_run() {
    on_both_runtimes(async || {
        let made = Made::default();
        let (first, told) = made.run(&posts(POST), None).await;
        assert_eq!(made.take(), ["job:post:0", "job:post:1", "job:post:2"]);
        let found = resume(&told);
        assert_eq!(found.finished.len(), 3);
        let (ran, told) = made.run(&posts(POST), Some(found)).await;
        let ran = ran.completed();
        assert_eq!(made.take(), Vec::<String>::new());
        assert_eq!(ran.outcome.outputs, first.outcome.outputs);
        assert_eq!(ran.outcome.last, first.outcome.last);
        assert_eq!(ran.announced("out"), first.announced("out"));
        for node in ["gen", "post", "out"] {
            assert_eq!(ran.count(node, NodeStatus::Running), 0);
            assert_eq!(ran.count(node, NodeStatus::Completed), 1);
        }
        assert_eq!(ran.edge("e1"), [Some(1), Some(2), Some(3), None]);
        assert!(told.is_empty(), "told again: {told:?}");
    });
}

#[test]
fn executions_that_are_done_give_what_they_gave_and_the_others_are_made() {
    on_both_runtimes(async || {
        let made = Made::default();
        let mut found = Resume::default();
        let done = |v: &str| EffectState::Done(vec![(id("output"), v.into())]);
        let effects = vec![done("earlier"), EffectState::Begun];
        found.effects.insert(id("post"), effects);
        let (ran, told) = made.run(&posts(PUT), Some(found)).await;
        // Made again under the key it had.
        assert_eq!(made.take(), ["job:post:1", "job:post:2"]);
        let values = ran.completed().values("out");
        assert_eq!(values, ["earlier".into(), 2i64.into(), 3i64.into()]);
        let of_post = told.iter().filter_map(|t| match t {
            Told::Begins(node, n) => Some((node.to_string(), *n, false)),
            Told::Done(node, n, _) => Some((node.to_string(), *n, true)),
            Told::Finished(..) => None,
        });
        let told: Vec<_> = of_post.collect();
        let want = [(1, false), (1, true), (2, false), (2, true)];
        assert_eq!(told, want.map(|(n, done)| ("post".to_owned(), n, done)));
    });
}

#[test]
fn executions_that_build_on_each_other_are_all_made_again_under_their_names() {
    on_both_runtimes(async || {
        let made = Made::default();
        let mut found = Resume::default();
        let done = EffectState::Done(vec![(id("output"), "earlier".into())]);
        found.effects.insert(id("post"), vec![done]);
        let (ran, _) = made.run(&posts(STATEFUL), Some(found)).await;
        assert_eq!(made.take(), ["job:post:0", "job:post:1", "job:post:2"]);
        assert_eq!(ran.completed().values("out"), ints(1..=3));
    });
}

#[test]
fn an_execution_in_doubt_waits_for_a_decision() {
    on_both_runtimes(async || {
        let made = Made::default();
        let mut found = Resume::default();
        found.effects.insert(id("post"), vec![EffectState::Begun]);
        let (ran, _) = made.run(&posts(POST), Some(found.clone())).await;
        assert_eq!(ran.outcome.status, JobStatus::Suspended);
        let (node, reason, state) = ran.outcome.suspended.expect("where it waits");
        assert_eq!(&*node, "post");
        assert_eq!(reason, "Execution 0 of Post may already have happened");
        assert_eq!(state, Value::map([("in_doubt", 0i64.into())]));
        assert_eq!(made.take(), Vec::<String>::new());
        for (decision, values, keys) in [
            (Decision::Again, vec![1, 2, 3], 3),
            (Decision::Skip, vec![2, 3], 2),
        ] {
            let mut found = found.clone();
            found.decisions.insert(id("post"), decision);
            found.states.insert(id("post"), state.clone());
            let (ran, told) = made.run(&posts(POST), Some(found)).await;
            assert_eq!(ran.completed().values("out"), ints(values));
            assert_eq!(made.take().len(), keys);
            let done = told.iter().filter(|t| matches!(t, Told::Done(..))).count();
            assert_eq!(done, 3, "the decision is told too");
        }
    });
}

#[test]
fn case_79_a_suspended_run_goes_on_with_what_it_kept_and_what_it_was_sent() {
    on_both_runtimes(async || {
        let made = Made::default();
        let flow = Flow::new()
            .node("post", POST, [("x", 5i64.into())])
            .node("waiter", WAITER, [])
            .output("out")
            .edges("post -> waiter.x\nwaiter -> out.value");
        let (ran, told) = made.run(&flow, None).await;
        assert_eq!(ran.outcome.status, JobStatus::Suspended);
        assert_eq!(ran.count("waiter", NodeStatus::Suspended), 1);
        assert_eq!(made.take(), ["job:post:0"]);
        let (node, _, state) = ran.outcome.suspended.expect("where it waits");
        let mut merged = state.as_map().expect("a state").clone();
        merged.insert("b".into(), 2i64.into());
        let mut found = resume(&told);
        found.states.insert(node, merged.into());
        let (ran, _) = made.run(&flow, Some(found)).await;
        let both = [("a", 1i64.into()), ("x", 5i64.into()), ("b", 2i64.into())];
        assert_eq!(ran.completed().values("out"), [Value::map(both)]);
        assert_eq!(made.take(), Vec::<String>::new(), "it was posted before");
    });
}

#[test]
fn case_80_a_suspended_run_that_goes_on_without_an_answer_is_suspended_again() {
    on_both_runtimes(async || {
        let made = Made::default();
        let flow = posts(WAITER);
        let (first, told) = made.run(&flow, None).await;
        let (second, more) = made.run(&flow, Some(resume(&told))).await;
        assert_eq!(second.outcome.status, JobStatus::Suspended);
        assert_eq!(second.outcome.suspended, first.outcome.suspended);
        let mut found = resume(&[told, more].concat());
        found.states.insert(id("post"), "go".into());
        let (third, _) = made.run(&flow, Some(found)).await;
        let (_, _, state) = third.outcome.suspended.expect("the next value waits");
        assert_eq!(state.get("x"), Some(&Value::Int(2)));
    });
}

#[test]
fn an_answer_is_for_one_execution() {
    on_both_runtimes(async || {
        let made = Made::default();
        let flow = posts(WAITER);
        let mut told = Vec::new();
        let mut found = None;
        for answer in ["one", "two", "three"] {
            let (ran, more) = made.run(&flow, found).await;
            assert_eq!(ran.outcome.status, JobStatus::Suspended);
            told.extend(more);
            let mut next = resume(&told);
            next.states.insert(id("post"), answer.into());
            found = Some(next);
        }
        let (ran, _) = made.run(&flow, found).await;
        let want = ["one", "two", "three"].map(Value::from);
        assert_eq!(ran.completed().values("out"), want);
    });
}

#[test]
fn an_output_that_nothing_reached_is_restored_with_its_null_and_its_last_value() {
    on_both_runtimes(async || {
        let made = Made::default();
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", 0i64.into())])
            .output("out")
            .edges("gen -> out.value");
        let (first, told) = made.run(&flow, None).await;
        let (ran, _) = made.run(&flow, Some(resume(&told))).await;
        let ran = ran.completed();
        assert_eq!(ran.values("out"), Vec::<Value>::new());
        assert_eq!(ran.outcome.last.get("out"), Some(&Value::Null));
        assert_eq!(ran.outcome.outputs, first.outcome.outputs);
        assert_eq!(ran.announced("out"), first.announced("out"));
    });
}

#[test]
fn a_node_that_gave_more_than_can_be_kept_runs_again() {
    on_both_runtimes(async || {
        let made = Made::default();
        let k = RECORD_VALUES as i64 + 1;
        let flow = Flow::new()
            .node("gen", Gen::TYPE, [("k", k.into())])
            .node("sum", Collect::TYPE, [])
            .output("out")
            .edges("gen -> sum.input_item\nsum -> out.value");
        let (first, told) = made.run(&flow, None).await;
        let of = |node: &str| {
            told.iter().find_map(|t| match t {
                Told::Finished(id, emitted) if **id == *node => Some(emitted.is_some()),
                _ => None,
            })
        };
        assert_eq!((of("gen"), of("sum")), (Some(false), Some(true)));
        let (ran, _) = made.run(&flow, Some(resume(&told))).await;
        let ran = ran.completed();
        assert_eq!(ran.count("gen", NodeStatus::Running), 1);
        assert_eq!(ran.count("sum", NodeStatus::Running), 0);
        assert_eq!(ran.outcome.outputs, first.outcome.outputs);
    });
}

#[test]
fn what_ended_because_its_producer_failed_has_not_finished() {
    on_both_runtimes(async || {
        let made = Made::default();
        let flow = Flow::new()
            .node("fail", Fail::TYPE, [])
            .node("sum", Collect::TYPE, [])
            .edges("fail -> sum.input_item");
        let (ran, told) = made.run(&flow, None).await;
        ran.failed();
        assert!(told.is_empty(), "{told:?}");
    });
}

#[test]
fn a_journal_that_cannot_be_written_stops_an_execution_before_it_begins() {
    on_both_runtimes(async || {
        let made = Made::default();
        let diary = Arc::new(Diary::broken());
        let options = attempt(&diary, None);
        let ran = start_in(made.registry(), &posts(POST), options).end().await;
        assert_eq!(ran.failed(), "the journal cannot be written");
        assert_eq!(made.take(), Vec::<String>::new());
    });
}

#[test]
fn a_node_that_leaves_something_in_the_run_runs_again() {
    on_both_runtimes(async || {
        let made = Made::default();
        let (_, told) = made.run(&posts(AGAIN), None).await;
        assert_eq!(made.take().len(), 3);
        let mut found = resume(&told);
        let (ran, _) = made.run(&posts(AGAIN), Some(found.clone())).await;
        found.finished.remove("post");
        let values = ran.outcome.outputs.clone();
        assert_eq!(values, [(id("out"), ints(1..=3))]);
        assert_eq!(made.take().len(), 3);
    });
}

#[test]
fn a_plan_says_whether_it_changes_anything_outside() {
    let made = Made::default();
    for (node_type, has_effects) in [(AGAIN, false), (PUT, true), (POST, true)] {
        let plan = Plan::build(&posts(node_type).graph, &made.registry());
        assert_eq!(plan.expect("a graph that fits").has_effects(), has_effects);
    }
}

#[test]
fn a_run_without_a_journal_names_its_effects_all_the_same() {
    on_both_runtimes(async || {
        let made = Made::default();
        let live = start_in(made.registry(), &posts(POST), options([]));
        live.end().await.completed();
        assert_eq!(made.take(), ["job:post:0", "job:post:1", "job:post:2"]);
    });
}

#[test]
fn control_events_of_a_finished_controller_are_sent_again() {
    on_both_runtimes(async || {
        let made = Made::default();
        let events = Value::list([1i64, 2].map(|v| Value::map([("x", v.into())])));
        let flow = Flow::new()
            .node("ctl", Ctl::TYPE, [("events", events)])
            .node("ask", Ask::TYPE, [("properties", Map::new().into())])
            .node("id", Id::TYPE, [("x", 7i64.into())])
            .output("out")
            .control("ctl", "id")
            .control("ask", "id")
            .edges("id -> out.value");
        let (first, told) = made.run(&flow, None).await;
        assert_eq!(first.values("out").len(), 3);
        let mut found = resume(&told);
        found
            .finished
            .retain(|node, _| matches!(&**node, "ctl" | "ask"));
        let (ran, _) = made.run(&flow, Some(found)).await;
        let sorted = |ran: &Ran| {
            let mut values = ran.values("out");
            values.sort_by_key(Value::as_i64);
            values
        };
        assert_eq!(sorted(&ran), sorted(&first));
    });
}
