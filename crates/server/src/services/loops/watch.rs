//! Those who watch a workflow: each has a place with a bounded queue of frames, and takes at its own pace.
//!
//! A watcher that falls behind loses what waits for it and gets the state instead, once it looks again; nobody waits for
//! it. Where much happens, what happens within a moment is taken at once. Source: orchestrator spec 4.2.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::state::Board;

/// Frames that wait for one watcher.
const ROOM: usize = 256;
/// How often frames are taken in a moment as soon as they are there; then they wait for its end.
const AT_ONCE: u32 = 16;
const MOMENT: Duration = Duration::from_millis(1);
/// Frames that are not made to wait for the end of a moment.
const MANY: usize = ROOM / 4;

/// A frame: JSON text, the same for all who watch.
pub(crate) type Frame = Arc<str>;

/// Watches one workflow: first its state, then what happens, in order; dropping it ends that.
pub(crate) struct LoopWatch {
    board: Arc<Board>,
    key: usize,
    wake: Arc<Notify>,
    /// When the moment began, and how often frames were taken in it.
    moment: (Instant, u32),
}

impl LoopWatch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        let (key, wake) = board.join();
        LoopWatch {
            board,
            key,
            wake,
            moment: (Instant::now(), 0),
        }
    }

    /// The next frames, at least one; waits without limit. The first is a `state_sync`. Nothing is lost when it is
    /// dropped while it waits.
    pub(crate) async fn next(&mut self) -> VecDeque<Frame> {
        let end = self.moment.0 + MOMENT;
        if self.moment.1 >= AT_ONCE && Instant::now() < end {
            // A write for each frame costs more than all that is in it.
            let many = async {
                while !self.board.has(self.key, MANY) {
                    self.wake.notified().await;
                }
            };
            // What there is at the end of the moment is taken then.
            let _ = tokio::time::timeout_at(end, many).await;
        }
        while !self.board.has(self.key, 1) {
            // A permit of an earlier frame only makes it look once more.
            self.wake.notified().await;
        }
        let now = Instant::now();
        if now >= end {
            self.moment = (now, 0);
        }
        self.moment.1 += 1;
        self.board.take(self.key)
    }

    /// Asks for the state, which comes after what waits.
    pub(crate) fn ask(&self) {
        self.board.tell_state(self.key);
    }
}

impl Drop for LoopWatch {
    fn drop(&mut self) {
        self.board.leave(self.key);
    }
}

/// The places of all who watch one workflow.
#[derive(Default)]
pub(super) struct Places(Vec<Option<Place>>);

struct Place {
    frames: VecDeque<Frame>,
    /// Frames were dropped: it gets the state next.
    lost: bool,
    /// It waits for so many frames.
    wants: usize,
    wake: Arc<Notify>,
}

impl Place {
    /// Queues a frame; whether there was room for it.
    fn push(&mut self, frame: &Frame) -> bool {
        let fits = self.frames.len() < ROOM;
        if fits {
            self.frames.push_back(frame.clone());
        } else {
            self.lose();
        }
        self.rouse();
        fits
    }

    fn lose(&mut self) {
        self.lost = true;
        self.frames.clear();
    }

    fn has(&self, count: usize) -> bool {
        self.lost || self.frames.len() >= count
    }

    fn rouse(&mut self) {
        if self.wants > 0 && self.has(self.wants) {
            self.wants = 0;
            self.wake.notify_one();
        }
    }
}

impl Places {
    /// A new place, which gets the state first.
    pub(super) fn join(&mut self) -> (usize, Arc<Notify>) {
        let wake = Arc::<Notify>::default();
        let place = Place {
            frames: VecDeque::new(),
            lost: true,
            wants: 0,
            wake: wake.clone(),
        };
        let free = self.0.iter().position(Option::is_none);
        let key = free.unwrap_or_else(|| {
            self.0.push(None);
            self.0.len() - 1
        });
        self.0[key] = Some(place);
        (key, wake)
    }

    pub(super) fn leave(&mut self, key: usize) {
        if let Some(place) = self.0.get_mut(key) {
            *place = None;
        }
        while matches!(self.0.last(), Some(None)) {
            self.0.pop();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&mut self, key: usize) -> Option<&mut Place> {
        self.0.get_mut(key)?.as_mut()
    }

    /// Whether a frame would reach anybody.
    pub(super) fn any_listens(&self) -> bool {
        self.0.iter().flatten().any(|place| !place.lost)
    }

    /// Queues a frame for all; whether somebody was too slow for it.
    pub(super) fn push(&mut self, frame: &Frame) -> bool {
        let mut slow = false;
        for place in self.0.iter_mut().flatten().filter(|place| !place.lost) {
            slow |= !place.push(frame);
        }
        slow
    }

    /// Queues the state for one that does not get it anyway; where there is no room, in place of the oldest frame.
    pub(super) fn push_to(&mut self, key: usize, state: &Frame) {
        if let Some(place) = self.place(key).filter(|place| !place.lost) {
            if place.frames.len() == ROOM {
                place.frames.pop_front();
            }
            place.push(state);
        }
    }

    /// Queues the frame that tells of an end: whoever gets the state next gets this after it.
    pub(super) fn push_end(&mut self, frame: &Frame) {
        for place in self.0.iter_mut().flatten() {
            if place.lost || place.frames.len() == ROOM {
                place.lose();
            }
            place.frames.push_back(frame.clone());
            place.rouse();
        }
    }

    /// Whether so many frames wait, or the state; the place is woken when it becomes true.
    pub(super) fn has(&mut self, key: usize, count: usize) -> bool {
        self.place(key).is_some_and(|place| {
            let has = place.has(count);
            place.wants = if has { 0 } else { count };
            has
        })
    }

    /// What waits in a place, and whether the state goes before it; it takes events again after that.
    pub(super) fn take(&mut self, key: usize) -> (VecDeque<Frame>, bool) {
        let Some(place) = self.place(key) else {
            return Default::default();
        };
        let lost = std::mem::take(&mut place.lost);
        (std::mem::take(&mut place.frames), lost)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::JobStatus;
    use nodetool_sdk::steps::StepNode;
    use serde_json::Value;

    use super::super::state::Finished;
    use super::*;

    fn node() -> StepNode {
        StepNode {
            id: "n".into(),
            node_type: "counter".into(),
        }
    }

    fn done() -> Finished<'static> {
        Finished {
            route: "default",
            seconds: 0.5,
            preview: None,
        }
    }

    fn board() -> Arc<Board> {
        Arc::new(Board::new("w".into(), None))
    }

    /// Takes frames one by one.
    struct Watcher {
        watch: LoopWatch,
        taken: VecDeque<Frame>,
    }

    impl Watcher {
        fn of(board: &Arc<Board>) -> Self {
            Watcher {
                watch: LoopWatch::new(board.clone()),
                taken: VecDeque::new(),
            }
        }

        async fn next(&mut self) -> Value {
            if self.taken.is_empty() {
                self.taken = self.watch.next().await;
            }
            serde_json::from_str(&self.taken.pop_front().unwrap()).unwrap()
        }
    }

    #[tokio::test]
    async fn a_run_that_is_over_before_a_watcher_looks_is_told_whole() {
        let board = board();
        let mut watch = Watcher::of(&board);
        watch.next().await;
        for _ in 0..2 {
            board.begin(1);
            board.started(&node());
            board.completed(&node(), done());
            board.end(JobStatus::Completed, None, 2.0);
        }
        board.begin(1);
        board.started(&node());
        let mut told = Vec::new();
        for _ in 0..10 {
            told.push(watch.next().await);
        }
        let words = [
            "state_sync",
            "node_started",
            "node_completed",
            "workflow_completed",
        ];
        let types = |told: &[Value]| -> Vec<String> {
            let types = told.iter().map(|m| m["type"].as_str().unwrap().to_owned());
            types.collect()
        };
        assert_eq!(types(&told[..4]), words);
        assert_eq!(types(&told[4..8]), words);
        assert_eq!(told[4]["state"]["status"], "running");
        assert_eq!(types(&told[8..]), &words[..2]);
        // So is a stop, when another run begins at once.
        board.end(JobStatus::Cancelled, None, 0.0);
        board.begin(1);
        board.started(&node());
        for status in ["idle", "running"] {
            assert_eq!(watch.next().await["state"]["status"], status);
        }
        assert_eq!(watch.next().await["type"], "node_started");
    }

    #[tokio::test]
    async fn the_state_comes_first_and_then_every_event_in_order() {
        let board = board();
        let mut watch = Watcher::of(&board);
        let first = watch.next().await;
        assert_eq!(
            (&first["type"], &first["state"]["status"]),
            (&"state_sync".into(), &"idle".into())
        );
        board.begin(1);
        assert_eq!(watch.next().await["state"]["status"], "running");
        board.started(&node());
        board.completed(&node(), done());
        board.failed(&node(), "why");
        board.end(JobStatus::Completed, None, 2.0);
        let mut told = Vec::new();
        for _ in 0..4 {
            let event = watch.next().await;
            assert_eq!(event["workflow_id"], "w");
            told.push((event["type"].clone(), event["seq"].as_u64().unwrap()));
        }
        let words = [
            "node_started",
            "node_completed",
            "node_failed",
            "workflow_completed",
        ];
        let expected = words.into_iter().zip(1..).map(|(w, n)| (w.into(), n));
        assert_eq!(told, expected.collect::<Vec<(Value, u64)>>());
    }

    #[tokio::test]
    async fn a_slow_watcher_loses_events_and_gets_the_state_instead() {
        let board = board();
        let mut watch = Watcher::of(&board);
        board.begin(1);
        watch.next().await;
        for _ in 0..ROOM {
            board.started(&node());
            board.completed(&node(), done());
        }
        assert!(!board.is_heard(), "nothing is built for nobody");
        let sync = watch.next().await;
        assert_eq!(sync["state"]["completed_count"], ROOM);
        let listed = sync["state"]["completed_nodes"].as_array().unwrap();
        assert_eq!(listed.len(), 200);
        board.started(&node());
        let event = watch.next().await;
        assert_eq!(event["seq"].as_u64(), sync["seq"].as_u64().map(|n| n + 1));
    }

    #[tokio::test]
    async fn a_node_at_work_in_two_loops_is_at_work_until_both_are_done() {
        let board = board();
        board.begin(1);
        board.started(&node());
        board.started(&node());
        board.completed(&node(), done());
        assert!(
            board
                .state()
                .get("executing_nodes")
                .unwrap()
                .get("n")
                .is_some()
        );
        board.failed(&node(), "why");
        assert!(
            board
                .state()
                .get("executing_nodes")
                .unwrap()
                .get("n")
                .is_none()
        );
        board.end(JobStatus::Cancelled, None, 0.0);
        assert_eq!(board.state().get("status").unwrap().as_str(), Some("idle"));
    }

    #[tokio::test]
    async fn the_state_comes_after_what_waits_when_it_was_asked_for() {
        let board = board();
        let mut watch = Watcher::of(&board);
        watch.next().await;
        board.begin(1);
        board.started(&node());
        board.end(JobStatus::Completed, None, 1.0);
        watch.watch.ask();
        let mut told = Vec::new();
        for _ in 0..4 {
            told.push(watch.next().await);
        }
        assert_eq!(told[0]["state"]["status"], "running");
        assert_eq!(told[1]["type"], "node_started");
        assert_eq!(told[2]["type"], "workflow_completed");
        assert_eq!(told[3]["state"]["status"], "completed");
        assert_eq!(told[3]["seq"], told[2]["seq"]);
        // However much waits, the end does not go.
        for _ in 0..ROOM - 1 {
            board.started(&node());
        }
        board.end(JobStatus::Completed, None, 1.0);
        watch.watch.ask();
        let waiting = watch.watch.next().await;
        assert_eq!(waiting.len(), ROOM);
        assert!(waiting[ROOM - 2].contains("workflow_completed"));
        assert!(waiting[ROOM - 1].contains("state_sync"));
        // Whoever gets the state anyway does not get it twice.
        let mut late = Watcher::of(&board);
        late.watch.ask();
        assert_eq!(late.watch.next().await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_within_a_moment_is_taken_at_once() {
        let board = board();
        let mut watch = Watcher::of(&board).watch;
        assert_eq!(watch.next().await.len(), 1);
        let began = Instant::now();
        board.begin(1);
        for _ in 1..AT_ONCE {
            assert_eq!(watch.next().await.len(), 1);
            board.started(&node());
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "little is told at once");
        board.started(&node());
        assert_eq!(watch.next().await.len(), 2);
        assert!(began.elapsed() >= MOMENT, "more is told together");
        for _ in 1..AT_ONCE {
            board.started(&node());
            watch.next().await;
        }
        let began = Instant::now();
        for _ in 0..MANY {
            board.started(&node());
        }
        assert_eq!(watch.next().await.len(), MANY);
        assert_eq!(began.elapsed(), Duration::ZERO, "and much at once");
    }

    #[tokio::test]
    async fn many_events_with_one_watcher_end_in_the_right_count() {
        let board = board();
        let mut watch = Watcher::of(&board);
        board.begin(1);
        let count = 20_000;
        let work = async {
            for n in 0..count {
                board.started(&node());
                board.completed(&node(), done());
                if n % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            board.end(JobStatus::Completed, None, 1.0);
        };
        let watching = async {
            let mut last = 0;
            loop {
                let event = watch.next().await;
                let seq = event["seq"].as_u64().unwrap();
                assert!(seq >= last, "in order");
                last = seq;
                let over = event["state"]["status"] == "completed";
                if over || event["type"] == "workflow_completed" {
                    return;
                }
            }
        };
        tokio::join!(work, watching);
        assert_eq!(
            board.state().get("completed_count").unwrap().as_i64(),
            Some(i64::from(count))
        );
    }
}
