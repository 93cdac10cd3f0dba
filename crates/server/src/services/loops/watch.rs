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
/// How often the state is told at once to a watcher that asks for it, in how much time; then at the end of that.
const STATES: u32 = 8;
const WHILE: Duration = Duration::from_millis(50);

/// A frame: JSON text, the same for all who watch.
pub(crate) type Frame = Arc<str>;

/// Watches one workflow: first its state, then what happens, in order; dropping it ends that.
pub(crate) struct LoopWatch {
    board: Arc<Board>,
    key: usize,
    wake: Arc<Notify>,
    /// When the moment began, and how often frames were taken in it.
    moment: (Instant, u32),
    /// When the while began, and how often the state was told in it.
    states: (Instant, u32),
    /// It was asked for more often.
    asked: bool,
}

impl LoopWatch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        let (key, wake) = board.join();
        let now = Instant::now();
        LoopWatch {
            board,
            key,
            wake,
            moment: (now, 0),
            states: (now, 0),
            asked: false,
        }
    }

    /// The next frames, at least one; waits without limit. The first is a `state_sync`. Nothing is lost when it is
    /// dropped while it waits.
    pub(crate) async fn next(&mut self) -> VecDeque<Frame> {
        let end = self.moment.0 + MOMENT;
        if self.moment.1 >= AT_ONCE && Instant::now() < end {
            // A write for each frame costs more than all that is in it. What there is at the end of the moment is taken
            // then.
            let _ = tokio::time::timeout_at(end, self.filled(MANY)).await;
        }
        tokio::select! {
            biased;
            () = self.filled(1) => {}
            () = self.due() => {}
        }
        let now = Instant::now();
        if now >= end {
            self.moment = (now, 0);
        }
        self.moment.1 += 1;
        let wanted = self.asked && self.may_tell(now);
        self.board.take(self.key, wanted)
    }

    /// So many frames wait, or something was lost.
    async fn filled(&self, count: usize) {
        while !self.board.has(self.key, count) {
            // A permit of an earlier frame only makes it look once more.
            self.wake.notified().await;
        }
    }

    /// The state may be told that was asked for.
    async fn due(&self) {
        if self.asked {
            tokio::time::sleep_until(self.states.0 + WHILE).await;
        } else {
            std::future::pending().await
        }
    }

    /// Whether the state is told now that is wanted; else it is told later.
    fn may_tell(&mut self, now: Instant) -> bool {
        if now >= self.states.0 + WHILE {
            self.states = (now, 0);
        }
        self.asked = self.states.1 >= STATES;
        self.states.1 += u32::from(!self.asked);
        !self.asked
    }

    /// What waits, and the state after it; nothing yet for those who ask all the time.
    pub(crate) fn state(&mut self) -> VecDeque<Frame> {
        if self.may_tell(Instant::now()) {
            self.board.take(self.key, true)
        } else {
            VecDeque::new()
        }
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
    /// What waits, and whether it tells of the end of a run.
    frames: VecDeque<(Frame, bool)>,
    /// All but ends were dropped: it gets the state after these.
    lost: bool,
    /// It waits for so many frames.
    wants: usize,
    wake: Arc<Notify>,
}

impl Place {
    /// Queues a frame; whether there was room for it.
    fn push(&mut self, frame: &Frame, is_end: bool) -> bool {
        let fits = self.frames.len() < ROOM;
        if !fits {
            self.lost = true;
            self.frames.retain(|(_, is_end)| *is_end);
        }
        // A place that is lost keeps ends, and of those the last.
        if fits || is_end {
            if self.frames.len() == ROOM {
                self.frames.pop_front();
            }
            self.frames.push_back((frame.clone(), is_end));
        }
        if self.wants > 0 && self.has(self.wants) {
            self.wants = 0;
            self.wake.notify_one();
        }
        fits
    }

    fn has(&self, count: usize) -> bool {
        self.lost || self.frames.len() >= count
    }
}

impl Places {
    /// A new place, with the first frame in it.
    pub(super) fn join(&mut self, first: Frame) -> (usize, Arc<Notify>) {
        let wake = Arc::<Notify>::default();
        let place = Place {
            frames: VecDeque::from([(first, false)]),
            lost: false,
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
            slow |= !place.push(frame, false);
        }
        slow
    }

    /// Queues the frame that tells of an end, for those who have lost others, too.
    pub(super) fn push_end(&mut self, frame: &Frame) {
        for place in self.0.iter_mut().flatten() {
            place.push(frame, true);
        }
    }

    /// Whether so many frames wait, or some were lost; the place is woken when it becomes true.
    pub(super) fn has(&mut self, key: usize, count: usize) -> bool {
        self.place(key).is_some_and(|place| {
            let has = place.has(count);
            place.wants = if has { 0 } else { count };
            has
        })
    }

    /// What waits in a place, and whether the state goes after it; it takes events again from then on.
    pub(super) fn take(&mut self, key: usize) -> (VecDeque<Frame>, bool) {
        let Some(place) = self.place(key) else {
            return Default::default();
        };
        let frames = std::mem::take(&mut place.frames);
        let frames = frames.into_iter().map(|(frame, _)| frame).collect();
        (frames, std::mem::take(&mut place.lost))
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
        watch.next().await;
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
        watch.taken = watch.watch.state();
        let mut told = Vec::new();
        for _ in 0..4 {
            told.push(watch.next().await);
        }
        assert_eq!(told[0]["state"]["status"], "running");
        assert_eq!(told[1]["type"], "node_started");
        assert_eq!(told[2]["type"], "workflow_completed");
        assert_eq!(told[3]["state"]["status"], "completed");
        assert_eq!(told[3]["seq"], told[2]["seq"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_the_state_all_the_time_gets_it_now_and_then() {
        let board = board();
        let mut watch = Watcher::of(&board).watch;
        watch.next().await;
        for _ in 0..3 {
            let told: usize = (0..1000).map(|_| watch.state().len()).sum();
            assert_eq!(told, STATES as usize);
            // What happens does not wait for it.
            board.begin(1);
            let began = Instant::now();
            assert_eq!(watch.next().await.len(), 1);
            assert!(began.elapsed() < WHILE);
            board.end(JobStatus::Cancelled, None, 1.0);
            assert_eq!(watch.next().await.len(), 1);
            // And it is told once more.
            assert_eq!(watch.next().await.len(), 1);
            assert!(began.elapsed() >= WHILE);
            let more = tokio::time::timeout(2 * WHILE, watch.next()).await;
            assert!(more.is_err(), "{more:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_slow_hears_of_every_end_and_nothing_goes_back() {
        let board = board();
        let mut watch = Watcher::of(&board);
        let long_run = || {
            board.begin(1);
            for _ in 0..2 * ROOM {
                board.started(&node());
                board.completed(&node(), done());
            }
        };
        for _ in 0..3 {
            long_run();
            board.end(JobStatus::Completed, None, 1.0);
        }
        long_run();
        let (mut ends, mut last) = (0, 0);
        loop {
            let told = watch.next().await;
            let seq = told["seq"].as_u64().unwrap();
            assert!(seq >= last, "{seq} after {last}");
            last = seq;
            ends += u32::from(told["type"] == "workflow_completed");
            if told["state"]["status"] == "running" {
                break;
            }
        }
        assert_eq!(ends, 3);
        board.failed(&node(), "why");
        assert_eq!(watch.next().await["seq"].as_u64(), Some(last + 1));
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
