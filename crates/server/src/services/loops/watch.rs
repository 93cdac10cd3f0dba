//! Those who watch a workflow: each has a place with a bounded queue of frames, and takes at its own pace.
//!
//! A watcher that falls behind loses what waits for it and gets the state instead, once it looks again; nobody waits for
//! it. Source: orchestrator spec 4.2.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::state::Board;

/// Frames that wait for one watcher.
const ROOM: usize = 256;

/// A frame: JSON text, the same for all who watch.
pub(crate) type Frame = Arc<str>;

/// Watches one workflow: first its state, then what happens, in order; dropping it ends that.
pub(crate) struct LoopWatch {
    board: Arc<Board>,
    key: usize,
    wake: Arc<Notify>,
}

impl LoopWatch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        let (key, wake) = board.join();
        LoopWatch { board, key, wake }
    }

    /// The next frame; waits without limit. The first is a `state_sync`.
    pub(crate) async fn next(&self) -> Frame {
        loop {
            if let Some(frame) = self.board.take(self.key) {
                return frame;
            }
            // A permit of an earlier frame only makes it look once more.
            self.wake.notified().await;
        }
    }

    /// The state now, as a `state_sync`; what waited is part of it and does not come any more.
    pub(crate) fn state(&self) -> Frame {
        self.board.take_state(self.key)
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
    /// It found nothing when it last looked.
    waiting: bool,
    wake: Arc<Notify>,
}

impl Place {
    fn lose(&mut self) {
        self.lost = true;
        self.frames.clear();
        self.rouse();
    }

    fn rouse(&mut self) {
        if std::mem::take(&mut self.waiting) {
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
            waiting: false,
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

    /// Queues a frame; whether somebody was too slow for it.
    pub(super) fn push(&mut self, frame: &Frame) -> bool {
        let mut slow = false;
        for place in self.0.iter_mut().flatten().filter(|place| !place.lost) {
            if place.frames.len() == ROOM {
                place.lose();
                slow = true;
            } else {
                place.frames.push_back(frame.clone());
                place.rouse();
            }
        }
        slow
    }

    /// Queues the frame that tells of an end: whoever gets the state next gets this after it.
    pub(super) fn push_end(&mut self, frame: &Frame) {
        for place in self.0.iter_mut().flatten() {
            if place.lost || place.frames.len() == ROOM {
                place.lost = true;
                place.frames.clear();
            }
            place.frames.push_back(frame.clone());
            place.rouse();
        }
    }

    pub(super) fn lose(&mut self, key: usize) {
        if let Some(place) = self.place(key) {
            place.lose();
        }
    }

    /// Whether the place gets the state now; it takes events again after it.
    pub(super) fn catch_up(&mut self, key: usize) -> bool {
        self.place(key)
            .is_some_and(|place| std::mem::take(&mut place.lost))
    }

    /// The next frame of a place; one that finds none is woken by the next.
    pub(super) fn take(&mut self, key: usize) -> Option<Frame> {
        let place = self.place(key)?;
        let frame = place.frames.pop_front();
        place.waiting = frame.is_none();
        frame
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

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

    async fn next(watch: &LoopWatch) -> Value {
        serde_json::from_str(&watch.next().await).unwrap()
    }

    #[tokio::test]
    async fn a_run_that_is_over_before_a_watcher_looks_is_told_whole() {
        let board = board();
        let watch = LoopWatch::new(board.clone());
        next(&watch).await;
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
            told.push(next(&watch).await);
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
            assert_eq!(next(&watch).await["state"]["status"], status);
        }
        assert_eq!(next(&watch).await["type"], "node_started");
    }

    #[tokio::test]
    async fn the_state_comes_first_and_then_every_event_in_order() {
        let board = board();
        let watch = LoopWatch::new(board.clone());
        let first = next(&watch).await;
        assert_eq!(
            (&first["type"], &first["state"]["status"]),
            (&"state_sync".into(), &"idle".into())
        );
        board.begin(1);
        assert_eq!(next(&watch).await["state"]["status"], "running");
        board.started(&node());
        board.completed(&node(), done());
        board.failed(&node(), "why");
        board.end(JobStatus::Completed, None, 2.0);
        let mut told = Vec::new();
        for _ in 0..4 {
            let event = next(&watch).await;
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
        let watch = LoopWatch::new(board.clone());
        board.begin(1);
        next(&watch).await;
        for _ in 0..ROOM {
            board.started(&node());
            board.completed(&node(), done());
        }
        assert!(!board.is_heard(), "nothing is built for nobody");
        let sync = next(&watch).await;
        assert_eq!(sync["state"]["completed_count"], ROOM);
        let listed = sync["state"]["completed_nodes"].as_array().unwrap();
        assert_eq!(listed.len(), 200);
        board.started(&node());
        let event = next(&watch).await;
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
    async fn asking_for_the_state_takes_the_place_of_what_waits() {
        let board = board();
        let watch = LoopWatch::new(board.clone());
        next(&watch).await;
        board.begin(1);
        next(&watch).await;
        board.started(&node());
        let state: Value = serde_json::from_str(&watch.state()).unwrap();
        assert!(state["state"]["executing_nodes"]["n"].is_object());
        board.failed(&node(), "why");
        assert_eq!(next(&watch).await["type"], "node_failed");
    }

    /// Says how fast it is; run with `--nocapture` in release mode to know.
    #[tokio::test]
    async fn many_events_with_one_watcher_end_in_the_right_count() {
        let board = board();
        let watch = LoopWatch::new(board.clone());
        board.begin(1);
        let count = 20_000;
        let began = Instant::now();
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
                let event = next(&watch).await;
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
        let each = began.elapsed() / (2 * count);
        println!("{each:?} for each event");
        assert_eq!(
            board.state().get("completed_count").unwrap().as_i64(),
            Some(i64::from(count))
        );
    }
}
