//! The messages of one thread's turns, numbered, for any number of listeners: as the feed of a job, but without an end
//! and without a state that a snapshot could tell. A listener that is overtaken goes on with what is still kept and is
//! told that something is missing; whole messages are read over HTTP.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nodetool_protocol::{Map, Value, pack};
use tokio::sync::{Notify, watch};

/// What a thread's buffer holds however much others hold.
const FLOOR: usize = 256 << 10;
/// About the bytes of messages a listener takes at once.
const PORTION: usize = 64 << 10;

/// What a thread's buffer holds at most.
#[derive(Clone, Debug)]
pub(crate) struct KeptTurns {
    /// Messages.
    pub(crate) frames: usize,
    /// About their bytes.
    pub(crate) bytes: usize,
    /// What all buffers hold together, and what they should; beyond it each keeps no more than [`FLOOR`].
    pub(crate) together: (Arc<AtomicUsize>, usize),
    /// How long after its last turn.
    pub(crate) after_end: Duration,
}

impl Default for KeptTurns {
    fn default() -> Self {
        KeptTurns {
            frames: 2000,
            bytes: 16 << 20,
            together: (Arc::default(), 64 << 20),
            after_end: Duration::from_secs(300),
        }
    }
}

impl KeptTurns {
    /// Whether a buffer of this size holds more than it should.
    fn is_exceeded(&self, frames: usize, bytes: usize) -> bool {
        let (together, most) = &self.together;
        frames > self.frames
            || bytes > self.bytes
            || (bytes > FLOOR && together.load(Ordering::Relaxed) > *most)
    }
}

/// A numbered message, encoded once for all listeners.
pub(crate) struct ChatFrame {
    pub(crate) number: u64,
    value: Value,
    weight: usize,
    json: OnceLock<Bytes>,
    packed: OnceLock<Bytes>,
}

impl ChatFrame {
    /// The message as JSON.
    pub(crate) fn json(&self) -> Bytes {
        let write = || serde_json::to_vec(&self.value).unwrap_or_else(|_| b"{}".to_vec());
        self.json.get_or_init(|| write().into()).clone()
    }

    /// The message as MessagePack.
    pub(crate) fn packed(&self) -> Bytes {
        let write = || {
            pack::to_vec(&self.value).or_else(|_| {
                let text = "This message cannot be written as MessagePack";
                let error = [("type", Value::from("error")), ("message", text.into())];
                pack::to_vec(&Value::map(error))
            })
        };
        let write = || write().unwrap_or_default();
        self.packed.get_or_init(|| write().into()).clone()
    }
}

/// Where a listener is.
struct Place {
    next: u64,
    waiting: bool,
    wake: Arc<Notify>,
}

struct Ring {
    /// Consecutive numbers; the last is `next - 1`.
    frames: VecDeque<Arc<ChatFrame>>,
    next: u64,
    bytes: usize,
    /// Number of the last whole message.
    message: u64,
    listeners: Vec<Option<Place>>,
    /// When the last turn ended; nothing while one is at work.
    idle: Option<Instant>,
}

/// The messages of one thread.
pub(crate) struct ChatFeed {
    thread_id: Arc<str>,
    kept: KeptTurns,
    ring: Mutex<Ring>,
    /// How many listen.
    attached: watch::Sender<usize>,
}

/// What a listener gets.
pub(crate) enum TakenTurns {
    /// The next messages, in order; whether some before them are gone.
    Frames(Vec<Arc<ChatFrame>>, bool),
    /// Nothing yet; the listener's `Notify` tells when there is.
    Nothing,
}

impl ChatFeed {
    /// A feed whose first message gets the number `first`.
    pub(super) fn new(thread_id: Arc<str>, first: u64, kept: KeptTurns) -> Self {
        ChatFeed {
            thread_id,
            kept,
            ring: Mutex::new(Ring {
                frames: VecDeque::new(),
                next: first,
                bytes: 0,
                message: first.saturating_sub(1),
                listeners: Vec::new(),
                idle: Some(Instant::now()),
            }),
            attached: watch::channel(0).0,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    pub(crate) fn thread_id(&self) -> &Arc<str> {
        &self.thread_id
    }

    /// Whether a turn is at work.
    pub(crate) fn is_running(&self) -> bool {
        self.ring().idle.is_none()
    }

    /// The number the next message gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.ring().next
    }

    /// Number of the last whole message.
    pub(crate) fn last_message(&self) -> u64 {
        self.ring().message
    }

    /// About how much memory this holds, and for how long no turn has been at work.
    pub(super) fn idle(&self) -> (usize, Option<Duration>) {
        let ring = self.ring();
        (1024 + ring.bytes, ring.idle.map(|since| since.elapsed()))
    }

    /// How many listen, now and later.
    pub(super) fn attached(&self) -> watch::Receiver<usize> {
        self.attached.subscribe()
    }

    pub(super) fn turn_begins(&self) {
        self.ring().idle = None;
    }

    pub(super) fn turn_ended(&self) {
        self.ring().idle = Some(Instant::now());
    }

    /// Sends a message; gives its number.
    pub(super) fn send(&self, mut message: Map) -> u64 {
        let mut ring = self.ring();
        let number = ring.next;
        let stamp = i64::try_from(number).unwrap_or(i64::MAX);
        message.insert("chat_seq".into(), stamp.into());
        if message.get("type").and_then(Value::as_str) == Some("message") {
            ring.message = number;
        }
        let value = Value::from(message);
        let frame = ChatFrame {
            number,
            weight: size_of::<ChatFrame>() + value.weight(),
            value,
            json: OnceLock::new(),
            packed: OnceLock::new(),
        };
        ring.next += 1;
        ring.bytes += frame.weight;
        let together = &self.kept.together.0;
        together.fetch_add(frame.weight, Ordering::Relaxed);
        ring.frames.push_back(Arc::new(frame));
        while ring.frames.len() > 1 && self.kept.is_exceeded(ring.frames.len(), ring.bytes) {
            if let Some(old) = ring.frames.pop_front() {
                ring.bytes -= old.weight;
                together.fetch_sub(old.weight, Ordering::Relaxed);
            }
        }
        for place in ring.listeners.iter_mut().flatten() {
            if std::mem::take(&mut place.waiting) {
                place.wake.notify_one();
            }
        }
        number
    }

    /// Begins to listen behind a number; `wake` is notified when there is something to take after
    /// [`TakenTurns::Nothing`].
    pub(crate) fn watch(self: &Arc<Self>, after: u64, wake: Arc<Notify>) -> ChatWatch {
        let mut ring = self.ring();
        // A number that was never given is of another process.
        let wanted = after.saturating_add(1).min(ring.next);
        let next = wanted.max(ring.first());
        let place = Place {
            next,
            waiting: false,
            wake,
        };
        let free = ring.listeners.iter().position(Option::is_none);
        let key = free.unwrap_or(ring.listeners.len());
        if free.is_none() {
            ring.listeners.push(None);
        }
        ring.listeners[key] = Some(place);
        self.attached.send_modify(|n| *n += 1);
        ChatWatch {
            key,
            replay: ring.next - next,
            incomplete: wanted < next,
            feed: self.clone(),
        }
    }
}

impl Drop for ChatFeed {
    fn drop(&mut self) {
        let bytes = self.ring().bytes;
        self.kept.together.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Ring {
    fn first(&self) -> u64 {
        self.next - self.frames.len() as u64
    }
}

/// A listener's place in a feed; dropping it gives the place up.
pub(crate) struct ChatWatch {
    feed: Arc<ChatFeed>,
    key: usize,
    /// Messages that were there when it began.
    pub(crate) replay: u64,
    /// Whether some it has not seen were gone by then.
    pub(crate) incomplete: bool,
}

impl ChatWatch {
    /// The feed listened to.
    pub(crate) fn feed(&self) -> &Arc<ChatFeed> {
        &self.feed
    }

    /// What is next, at most `most` messages, without waiting.
    pub(crate) fn take(&mut self, most: usize) -> TakenTurns {
        let mut ring = self.feed.ring();
        let (first, end) = (ring.first(), ring.next);
        let Some(place) = ring.listeners.get_mut(self.key).and_then(Option::as_mut) else {
            return TakenTurns::Nothing;
        };
        if place.next >= end {
            place.waiting = true;
            return TakenTurns::Nothing;
        }
        let gone = place.next < first;
        let from = place.next.max(first);
        let skip = (from - first) as usize;
        let count = ((end - from) as usize).min(most);
        let mut left = PORTION;
        let frames: Vec<Arc<ChatFrame>> = ring
            .frames
            .range(skip..skip + count)
            .take_while(|frame| {
                let more = left > 0;
                left = left.saturating_sub(frame.weight);
                more
            })
            .cloned()
            .collect();
        if let Some(place) = ring.listeners.get_mut(self.key).and_then(Option::as_mut) {
            place.next = from + frames.len() as u64;
        }
        TakenTurns::Frames(frames, gone)
    }
}

impl Drop for ChatWatch {
    fn drop(&mut self) {
        if let Some(place) = self.feed.ring().listeners.get_mut(self.key) {
            *place = None;
        }
        self.feed.attached.send_modify(|n| *n -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(frames: usize) -> Arc<ChatFeed> {
        let kept = KeptTurns {
            frames,
            ..KeptTurns::default()
        };
        Arc::new(ChatFeed::new("t".into(), 1, kept))
    }

    fn say(feed: &ChatFeed, kind: &str) -> u64 {
        feed.send([("type".into(), kind.into())].into_iter().collect())
    }

    fn numbers(watch: &mut ChatWatch) -> (Vec<u64>, bool) {
        match watch.take(100) {
            TakenTurns::Frames(frames, gone) => (frames.iter().map(|f| f.number).collect(), gone),
            TakenTurns::Nothing => (Vec::new(), false),
        }
    }

    #[test]
    fn each_listener_gets_everything_behind_the_number_it_names() {
        let feed = feed(100);
        for kind in ["chunk", "message", "chunk"] {
            say(&feed, kind);
        }
        assert_eq!(feed.last_message(), 2);
        let mut first = feed.watch(0, Arc::default());
        let mut second = feed.watch(2, Arc::default());
        assert_eq!((first.replay, second.replay), (3, 1));
        say(&feed, "chunk");
        assert_eq!(numbers(&mut first), (vec![1, 2, 3, 4], false));
        assert_eq!(numbers(&mut second), (vec![3, 4], false));
        assert_eq!(numbers(&mut second), (vec![], false));
        assert_eq!(*feed.attached().borrow(), 2);
        drop(first);
        assert_eq!(*feed.attached().borrow(), 1);
    }

    #[test]
    fn a_listener_that_is_overtaken_hears_of_it_once() {
        let feed = feed(3);
        let mut slow = feed.watch(0, Arc::default());
        for _ in 0..10 {
            say(&feed, "chunk");
        }
        assert_eq!(numbers(&mut slow), (vec![8, 9, 10], true));
        say(&feed, "chunk");
        assert_eq!(numbers(&mut slow), (vec![11], false));
        let late = feed.watch(2, Arc::default());
        assert_eq!((late.replay, late.incomplete), (3, true));
        let odd = feed.watch(900, Arc::default());
        assert_eq!((odd.replay, odd.incomplete), (0, false));
    }

    #[test]
    fn when_all_hold_too_much_together_each_keeps_little() {
        let kept = KeptTurns {
            together: (Arc::default(), 1 << 20),
            ..KeptTurns::default()
        };
        let feeds: Vec<_> = (0..8)
            .map(|_| ChatFeed::new("t".into(), 1, kept.clone()))
            .collect();
        for _ in 0..40 {
            for feed in &feeds {
                let text = Value::from("x".repeat(16 << 10));
                feed.send([("content".into(), text)].into_iter().collect());
            }
        }
        let together = &kept.together.0;
        let sum = together.load(Ordering::Relaxed);
        assert!(sum <= 8 * (FLOOR + (32 << 10)), "{sum}");
        drop(feeds);
        assert_eq!(together.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn both_encodings_carry_the_number() {
        let feed = feed(3);
        let mut watch = feed.watch(0, Arc::default());
        say(&feed, "chunk");
        let TakenTurns::Frames(frames, _) = watch.take(1) else {
            panic!("a message");
        };
        let json: Value = serde_json::from_slice(&frames[0].json()).unwrap();
        assert_eq!(json.get("chat_seq"), Some(&Value::Int(1)));
        assert_eq!(pack::from_slice(&frames[0].packed()).unwrap(), json);
    }
}
