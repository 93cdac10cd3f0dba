use std::time::Duration;

use nodetool_protocol::{
    EdgeStatus, JobUpdate, Map, NodeStatus, NodeUpdate, OutputUpdate, Value, pack,
};
use proptest::prelude::*;

use super::shelf::Shelving;
use super::*;

fn subject(job_id: &str) -> Subject {
    Subject {
        job_id: job_id.into(),
        workflow_id: "w".into(),
        user_id: "u".into(),
    }
}

fn feed(frames: usize) -> Arc<Feed> {
    let kept = Kept {
        frames,
        ..Kept::default()
    };
    Arc::new(Feed::new(subject("j"), 1, u64::MAX, kept))
}

fn job(status: JobStatus) -> JobEvent {
    JobEvent::JobUpdate(JobUpdate::new(status, "j".into(), "w".into()))
}

fn node(id: &str, node_type: &str, status: NodeStatus) -> JobEvent {
    JobEvent::NodeUpdate(NodeUpdate {
        node_id: id.into(),
        node_name: "N".into(),
        node_type: node_type.into(),
        status,
        error: None,
        result: None,
        properties: None,
        workflow_id: Some("w".into()),
    })
}

fn edge(id: &str, counter: u64) -> JobEvent {
    JobEvent::EdgeUpdate {
        workflow_id: "w".into(),
        edge_id: id.into(),
        status: EdgeStatus::MessageSent,
        counter: Some(counter),
    }
}

fn output(value: Value) -> JobEvent {
    JobEvent::OutputUpdate(OutputUpdate {
        node_id: "o".into(),
        node_name: "out".into(),
        output_name: "out".into(),
        output_type: "any".into(),
        value,
        metadata: Map::new(),
        workflow_id: Some("w".into()),
    })
}

fn log(content: &str) -> JobEvent {
    JobEvent::LogUpdate {
        node_id: "n".into(),
        node_name: "N".into(),
        content: content.into(),
        severity: Severity::Info,
        workflow_id: None,
    }
}

fn numbers(taken: &Taken) -> Vec<u64> {
    match taken {
        Taken::Frames(f) | Taken::Snapshot(f) => f.iter().map(|f| f.number).collect(),
        Taken::Nothing | Taken::Ended => Vec::new(),
    }
}

fn watch(feed: &Arc<Feed>, from: Begin) -> Watch {
    feed.watch(from, Arc::new(Notify::new()))
}

#[test]
fn a_listener_gets_every_message_once_and_in_order() {
    let feed = feed(100);
    let mut early = watch(&feed, Begin::After(0));
    for i in 0..10i64 {
        feed.emit(output(i.into()));
    }
    let mut late = watch(&feed, Begin::After(4));
    assert_eq!(
        late.replay,
        Replay {
            count: 6,
            incomplete: false
        }
    );
    assert_eq!(numbers(&early.take(3)), [1, 2, 3]);
    assert_eq!(numbers(&early.take(100)), (4..=10).collect::<Vec<_>>());
    assert_eq!(numbers(&late.take(100)), (5..=10).collect::<Vec<_>>());
    assert!(matches!(early.take(100), Taken::Nothing));
    feed.emit(output(0i64.into()));
    feed.close();
    feed.emit(output(0i64.into()));
    assert_eq!(numbers(&early.take(100)), [11]);
    assert!(matches!(early.take(100), Taken::Ended));
}

#[test]
fn a_snapshot_is_the_newest_of_each_thing_in_the_order_of_the_numbers() {
    let feed = feed(100);
    feed.emit(job(JobStatus::Running));
    feed.emit(node("a", "x.A", NodeStatus::Running));
    feed.emit(edge("e", 1));
    feed.emit(output(1i64.into()));
    feed.emit(node("a", "x.A", NodeStatus::Completed));
    feed.emit(edge("e", 2));
    feed.emit(log("left out"));
    let mut watch = watch(&feed, Begin::Snapshot);
    assert_eq!(
        watch.replay,
        Replay {
            count: 4,
            incomplete: false
        }
    );
    let snapshot = watch.take(1);
    assert!(matches!(snapshot, Taken::Snapshot(_)));
    assert_eq!(numbers(&snapshot), [1, 4, 5, 6]);
    feed.emit(job(JobStatus::Completed));
    feed.close();
    assert_eq!(numbers(&watch.take(9)), [8]);
    assert_eq!(feed.status(), Some(JobStatus::Completed));
}

#[test]
fn whoever_lost_its_place_gets_what_it_does_not_know_of_how_things_stand() {
    let feed = feed(4);
    feed.emit(job(JobStatus::Running));
    feed.emit(node("a", "x.A", NodeStatus::Running));
    let mut slow = watch(&feed, Begin::After(0));
    assert_eq!(numbers(&slow.take(1)), [1]);
    (0..20).for_each(|i| feed.emit(edge("e", i)));
    assert!(!feed.behind(), "it holds nothing back");
    let snapshot = slow.take(100);
    assert!(matches!(snapshot, Taken::Snapshot(_)));
    // It has seen the job begin.
    assert_eq!(numbers(&snapshot), [2, 22]);
    feed.emit(edge("e", 20));
    assert_eq!(numbers(&slow.take(100)), [23]);
    let gone = watch(&feed, Begin::After(5));
    assert_eq!(
        gone.replay,
        Replay {
            count: 1,
            incomplete: true
        }
    );
    // A number that was never given says nothing about what is known.
    let mut strange = watch(&feed, Begin::After(1000));
    assert_eq!(
        strange.replay,
        Replay {
            count: 3,
            incomplete: true
        }
    );
    assert_eq!(numbers(&strange.take(100)), [1, 2, 23]);
}

#[tokio::test]
async fn a_waiting_listener_is_woken_once_something_comes() {
    let feed = feed(10);
    let wake = Arc::new(Notify::new());
    let mut watch = feed.watch(Begin::After(0), wake.clone());
    assert!(matches!(watch.take(1), Taken::Nothing));
    feed.emit(job(JobStatus::Running));
    wake.notified().await;
    assert_eq!(numbers(&watch.take(1)), [1]);
    assert!(matches!(watch.take(1), Taken::Nothing));
    feed.close();
    wake.notified().await;
    assert!(matches!(watch.take(1), Taken::Ended));
}

#[tokio::test]
async fn a_listener_that_must_not_miss_anything_holds_the_job_back_until_it_has_caught_up_or_gone()
{
    let feed = feed(4);
    let mut first = watch(&feed, Begin::Lossless);
    for i in 0..=BEHIND {
        assert!(!feed.behind());
        feed.emit(edge("e", i));
    }
    assert!(feed.behind());
    let mut caught_up = feed.caught_up();
    assert!(futures_util::poll!(&mut caught_up).is_pending());
    assert_eq!(numbers(&first.take(1)), [1]);
    caught_up.await;
    feed.emit(edge("e", 0));
    assert!(feed.behind());
    let caught_up = feed.caught_up();
    drop(first);
    caught_up.await;
    assert_eq!(feed.ring().frames.len(), 4, "what nobody holds is dropped");
}

#[test]
fn large_messages_hold_the_job_back_before_they_are_many() {
    let kept = Kept {
        frames: 100,
        bytes: 10_000,
        ..Kept::default()
    };
    let feed = Arc::new(Feed::new(subject("j"), 1, u64::MAX, kept));
    let mut lossless = watch(&feed, Begin::Lossless);
    for _ in 0..4 {
        feed.emit(output("x".repeat(4000).into()));
    }
    assert!(feed.behind());
    assert_eq!(numbers(&lossless.take(2)), [1, 2]);
    assert!(!feed.behind());
}

#[test]
fn what_only_holds_a_value_is_not_told_unless_it_fails() {
    let feed = feed(10);
    let mut watch = watch(&feed, Begin::After(0));
    feed.emit(node("i", "nodetool.input.StringInput", NodeStatus::Running));
    feed.emit(node(
        "c",
        "nodetool.constant.Integer",
        NodeStatus::Completed,
    ));
    feed.emit(node("i", "nodetool.input.StringInput", NodeStatus::Error));
    feed.emit(node("t", "nodetool.text.Concat", NodeStatus::Running));
    assert_eq!(numbers(&watch.take(9)), [1, 2]);
}

#[test]
fn both_encodings_of_a_message_say_the_same() {
    let feed = feed(20);
    let mut update = JobUpdate::new(JobStatus::Completed, "j".into(), "w".into());
    let by_name = [
        ("out", Value::list(["hi".into()])),
        ("outputs", 1i64.into()),
    ];
    update.result = Value::map(by_name).as_map().cloned();
    let mut watch = watch(&feed, Begin::After(0));
    feed.emit(job(JobStatus::Running));
    feed.emit(edge("e", 3));
    feed.emit(output(Value::list([1.5.into(), Value::Null])));
    feed.emit(JobEvent::PreviewUpdate {
        node_id: "p".into(),
        value: "v".into(),
    });
    feed.emit(log("line"));
    feed.emit(JobEvent::JobUpdate(update));
    let Taken::Frames(frames) = watch.take(99) else {
        panic!()
    };
    assert_eq!(frames.len(), 6);
    for frame in &frames {
        let json: Value = serde_json::from_slice(&frame.json()).unwrap();
        let packed = pack::from_slice(&frame.packed()).unwrap();
        assert_eq!(json, packed);
        for (key, value) in [
            ("job_id", "j".into()),
            ("workflow_id", "w".into()),
            ("job_seq", Value::Int(frame.number.cast_signed())),
        ] {
            // A line of a workflow that is not told has none.
            if key != "workflow_id" || json.type_tag() != Some("log_update") {
                assert_eq!(json.get(key), Some(&value), "{json:?}");
            }
        }
    }
    let closing = pack::from_slice(&frames[5].packed()).unwrap();
    let result = closing.get("result").unwrap();
    assert_eq!(result.get("out"), Some(&Value::list(["hi".into()])));
    assert_eq!(result.get("outputs").unwrap().get("out"), result.get("out"));
}

#[test]
fn bytes_are_bytes_when_packed_and_a_data_uri_in_json() {
    let feed = feed(20);
    let mut watch = watch(&feed, Begin::After(0));
    feed.emit(output(Value::Bytes(vec![1, 2].into())));
    let Taken::Frames(frames) = watch.take(99) else {
        panic!()
    };
    let packed = pack::from_slice(&frames[0].packed()).unwrap();
    assert!(matches!(packed.get("value"), Some(Value::Bytes(b)) if b[..] == [1, 2]));
    let json: Value = serde_json::from_slice(&frames[0].json()).unwrap();
    assert_eq!(
        json.get("value"),
        Some(&"data:application/octet-stream;base64,AQI=".into())
    );
}

#[test]
fn a_log_keeps_its_newest_lines_within_bounds() {
    let feed = feed(1);
    (0..LOG_LINES + 10).for_each(|i| feed.emit(log(&i.to_string())));
    let lines = feed.log();
    assert_eq!((lines.len(), &*lines[0].content), (LOG_LINES, "10"));
    (0..10).for_each(|_| feed.emit(log(&"x".repeat(LOG_BYTES / 2))));
    assert_eq!(feed.log().len(), 2);
}

#[test]
fn the_shelf_gives_feeds_to_their_owner_only_and_drops_old_ones() {
    let feeds = Feeds::new(Shelving {
        kept: Kept::default(),
        after_end: Duration::ZERO,
        bytes_after_end: 0,
    });
    let feed = feeds.open(subject("j"), 1, u64::MAX);
    assert!(feeds.get("u", "j").is_some());
    assert!(feeds.get("v", "j").is_none());
    feeds.ended(&feed);
    assert!(feed.is_closed());
    assert!(feeds.get("u", "j").is_none());
}

#[test]
fn a_job_taken_up_again_keeps_its_new_feed_when_the_old_one_is_dropped() {
    let first_weight = feed(1).weight();
    let feeds = Feeds::new(Shelving {
        bytes_after_end: 2 * first_weight + 1,
        ..Shelving::default()
    });
    let old = feeds.open(subject("j"), 1, u64::MAX);
    feeds.ended(&old);
    let new = feeds.open(subject("j"), 7, u64::MAX);
    feeds.ended(&new);
    let other = feeds.open(subject("k"), 1, u64::MAX);
    // Drops the oldest to make room.
    feeds.ended(&other);
    let kept = feeds.get("u", "j").expect("the newer feed");
    assert_eq!(kept.next_number(), 7);
}

/// What happens to a feed and its listeners, in any order.
#[derive(Clone, Debug)]
enum Step {
    Emit(u8),
    Listen(u64, bool),
    Take(usize, usize),
    Leave(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..6u8).prop_map(Step::Emit),
        2 => (0..60u64, any::<bool>()).prop_map(|(n, l)| Step::Listen(n, l)),
        4 => (0..4usize, 1..20usize).prop_map(|(i, n)| Step::Take(i, n)),
        1 => (0..4usize).prop_map(Step::Leave),
    ];
    proptest::collection::vec(step, 0..200)
}

struct Listener {
    watch: Watch,
    /// The last number it got or knew; nothing before it got its first.
    last: u64,
    lossless: bool,
}

fn take(l: &mut Listener, most: usize) -> Result<(), TestCaseError> {
    match l.watch.take(most) {
        Taken::Frames(frames) => {
            prop_assert!(frames.len() <= most);
            for f in frames {
                prop_assert_eq!(f.number, l.last + 1);
                l.last = f.number;
            }
        }
        Taken::Snapshot(frames) => {
            prop_assert!(!l.lossless);
            prop_assert!(frames.is_sorted_by(|a, b| a.number < b.number));
            prop_assert!(
                frames
                    .iter()
                    .all(|f| f.number > l.last || l.last == u64::MAX)
            );
            l.last = l.watch.feed().next_number() - 1;
        }
        Taken::Nothing => prop_assert_eq!(l.last + 1, l.watch.feed().next_number()),
        Taken::Ended => prop_assert!(l.watch.feed().is_closed()),
    }
    Ok(())
}

proptest! {
    #[test]
    fn nobody_misses_a_message_or_gets_one_twice_without_a_snapshot(steps in steps(), kept in 1..30usize) {
        let feed = feed(kept);
        let mut listeners: Vec<Listener> = Vec::new();
        for step in steps {
            match step {
                Step::Emit(0) => feed.emit(job(JobStatus::Running)),
                Step::Emit(i @ 1..=2) => feed.emit(node(&i.to_string(), "x.A", NodeStatus::Running)),
                Step::Emit(i @ 3..=4) => feed.emit(edge(&i.to_string(), 1)),
                Step::Emit(_) => feed.emit(output("v".into())),
                Step::Listen(after, lossless) => {
                    let first = feed.ring().first();
                    let from = if lossless { Begin::Lossless } else { Begin::After(after) };
                    let watch = watch(&feed, from);
                    let end = feed.next_number();
                    let last = match from {
                        Begin::After(n) if n < end => n,
                        Begin::Lossless => first - 1,
                        _ => u64::MAX,
                    };
                    prop_assert_eq!(watch.replay.incomplete, !lossless && (after + 1 < first || after >= end));
                    listeners.push(Listener { watch, last, lossless });
                    if listeners.len() > 4 {
                        listeners.remove(0);
                    }
                }
                Step::Take(i, most) => {
                    if let Some(l) = listeners.get_mut(i) {
                        take(l, most)?;
                    }
                }
                Step::Leave(i) => {
                    if i < listeners.len() {
                        listeners.remove(i);
                    }
                }
            }
            let held = listeners.iter().any(|l| l.lossless);
            prop_assert!(held || !feed.behind());
            prop_assert!(held || feed.ring().frames.len() <= kept);
        }
        feed.close();
        for l in &mut listeners {
            while !matches!(l.watch.feed().next_number().checked_sub(1), Some(last) if last == l.last) {
                take(l, 7)?;
            }
            prop_assert!(matches!(l.watch.take(1), Taken::Ended));
        }
        drop(listeners);
        prop_assert!(feed.ring().listeners.iter().all(Option::is_none));
        prop_assert!(feed.ring().frames.len() <= kept);
        let bytes: usize = feed.ring().frames.iter().map(|f| f.weight).sum();
        prop_assert_eq!(feed.ring().bytes, bytes);
    }
}
