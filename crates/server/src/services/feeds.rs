//! The messages of each job, numbered, for any number of listeners.
//!
//! A job writes into one bounded buffer; each listener has a place in it and takes at its own pace, so a slow one costs
//! nothing but its place. A listener whose place was dropped from the buffer gets a snapshot instead and goes on from
//! there; one that must not miss anything (an HTTP stream) holds the buffer back and slows its job down instead.
//! Knows nothing of sockets, HTTP or rows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use nodetool_protocol::{JobEvent, JobStatus, Severity};
use nodetool_sdk::{BoxFuture, EventSink};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Counted, metrics};

mod frame;
mod shelf;

pub(crate) use frame::Frame;
use frame::is_relayed;
pub(crate) use shelf::{Feeds, Shelving};

/// Messages a listener that must not miss any may be behind before the job waits for it.
const BEHIND: u64 = 256;

/// About the bytes of messages a listener takes at once.
const PORTION: usize = 64 << 10;

/// What a job's buffer may hold however much others hold.
const FLOOR: usize = 256 << 10;

/// What a job's buffer holds at most.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Messages.
    pub(crate) frames: usize,
    /// About their bytes.
    pub(crate) bytes: usize,
    /// What all buffers hold together, and what they should; beyond it each keeps no more than [`FLOOR`].
    pub(crate) together: (Arc<AtomicUsize>, usize),
}

impl Default for Kept {
    fn default() -> Self {
        Kept {
            frames: 2000,
            bytes: 16 << 20,
            together: (Arc::default(), 64 << 20),
        }
    }
}

impl Kept {
    fn took(&self, bytes: usize) {
        self.together.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn gave_up(&self, bytes: usize) {
        self.together.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether a buffer of this size holds more than it should.
    fn is_exceeded(&self, frames: usize, bytes: usize) -> bool {
        frames > self.frames
            || bytes > self.bytes
            || (bytes > FLOOR && self.together.0.load(Ordering::Relaxed) > self.together.1)
    }
}

/// Lines of a job's log that are kept, and their text.
const LOG_LINES: usize = 1000;
const LOG_BYTES: usize = 256 << 10;

/// A line of a job's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogLine {
    /// Microseconds UTC.
    pub(crate) at: i64,
    pub(crate) severity: Severity,
    pub(crate) node_id: String,
    pub(crate) node_name: String,
    pub(crate) content: String,
}

/// Whose messages these are.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) job_id: Arc<str>,
    /// Empty for a graph that is not stored.
    pub(crate) workflow_id: Arc<str>,
    pub(crate) user_id: Arc<str>,
}

/// The messages of one job.
pub(crate) struct Feed {
    subject: Subject,
    kept: Kept,
    ring: Mutex<Ring>,
    /// A listener that must not miss anything is too far behind.
    slow: AtomicBool,
    caught_up: Notify,
    /// Told when numbers run short; see [`Feed::allow`].
    short: Notify,
    /// How many listen.
    listeners: AtomicUsize,
}

/// Numbers that are asked for before those at hand run out.
const RESERVE: u64 = 32 << 10;

struct Ring {
    /// Consecutive numbers; the last is `next - 1`.
    frames: VecDeque<Arc<Frame>>,
    next: u64,
    /// The last number listeners may see: the store knows that numbers up to it may have been given out, so that a later
    /// attempt at the job does not give them out again.
    allowed: u64,
    bytes: usize,
    /// The newest message about the job, each node and each edge.
    job: Option<Arc<Frame>>,
    nodes: IndexMap<Arc<str>, Arc<Frame>>,
    edges: IndexMap<Arc<str>, Arc<Frame>>,
    listeners: Vec<Option<Place>>,
    log: VecDeque<LogLine>,
    log_bytes: usize,
    closed: bool,
}

/// Where a listener is.
struct Place {
    next: u64,
    /// It knows what came before and with this number; a snapshot leaves that out.
    known: u64,
    lossless: bool,
    /// It found nothing when it last looked.
    waiting: bool,
    wake: Arc<Notify>,
    /// It asked for the state of things before anything else.
    snapshot: bool,
}

/// Where a listener begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With the first message that is still kept, and never missing one.
    Lossless,
    /// After this number; with a snapshot when what follows it is not kept any more.
    After(u64),
    /// With a snapshot of how things stand.
    Snapshot,
}

/// What a listener gets.
pub(crate) enum Taken {
    /// The next messages, in order.
    Frames(Vec<Arc<Frame>>),
    /// How things stand, in the order of the numbers; some messages before are gone.
    Snapshot(Vec<Arc<Frame>>),
    /// Nothing yet; the listener's `Notify` tells when there is.
    Nothing,
    /// Nothing will come any more.
    Ended,
}

impl Feed {
    /// A feed whose first message gets the number `first`, and whose listeners see numbers up to `allowed`.
    pub(crate) fn new(subject: Subject, first: u64, allowed: u64, kept: Kept) -> Self {
        Feed {
            subject,
            kept,
            ring: Mutex::new(Ring {
                frames: VecDeque::new(),
                next: first,
                allowed,
                bytes: 0,
                job: None,
                nodes: IndexMap::new(),
                edges: IndexMap::new(),
                listeners: Vec::new(),
                log: VecDeque::new(),
                log_bytes: 0,
                closed: false,
            }),
            slow: AtomicBool::new(false),
            caught_up: Notify::new(),
            short: Notify::new(),
            listeners: AtomicUsize::new(0),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose messages these are.
    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Where the job stands by its newest message.
    pub(crate) fn status(&self) -> Option<JobStatus> {
        match &self.ring().job.as_ref()?.event {
            JobEvent::JobUpdate(update) => Some(update.status),
            _ => None,
        }
    }

    /// Resolves when numbers run short, with the last that should be allowed next.
    pub(crate) async fn short_of_numbers(&self) -> u64 {
        loop {
            let short = self.short.notified();
            {
                let ring = self.ring();
                if ring.next.saturating_add(RESERVE) > ring.allowed {
                    return ring.allowed.max(ring.next) + 32 * RESERVE;
                }
            }
            short.await;
        }
    }

    /// Lets listeners see numbers up to this one, now that the store knows of it.
    pub(crate) fn allow(&self, last: u64) {
        let mut ring = self.ring();
        ring.allowed = ring.allowed.max(last);
        ring.wake_all();
    }

    /// The number the next message gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.ring().next
    }

    /// Whether anybody listens right now.
    pub(crate) fn is_watched(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Whether nothing will come any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.ring().closed
    }

    /// Whether whoever listens has been, or could have been, told the end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed() || self.status().is_some_and(JobStatus::is_terminal)
    }

    /// The kept lines of the job's log.
    pub(crate) fn log(&self) -> Vec<LogLine> {
        self.ring().log.iter().cloned().collect()
    }

    /// About how much memory this holds.
    pub(crate) fn weight(&self) -> usize {
        let ring = self.ring();
        let state = ring.nodes.values().chain(ring.edges.values());
        4096 + ring.bytes + ring.log_bytes + state.map(|f| f.weight).sum::<usize>()
    }

    /// More messages come after all, to a job that is taken up again.
    fn reopen(&self, allowed: u64) {
        let mut ring = self.ring();
        ring.closed = false;
        ring.allowed = ring.allowed.max(allowed);
    }

    /// No more messages come.
    pub(crate) fn close(&self) {
        let mut ring = self.ring();
        ring.closed = true;
        ring.wake_all();
    }

    /// Begins to listen; `wake` is notified when there is something to take after [`Taken::Nothing`].
    pub(crate) fn watch(self: &Arc<Self>, from: Begin, wake: Arc<Notify>) -> Watch {
        let mut ring = self.ring();
        let (first, end) = (ring.first(), ring.shown());
        let next = match from {
            Begin::Lossless => first,
            Begin::After(number) => number.saturating_add(1),
            Begin::Snapshot => end,
        };
        let gone = next < first || next > end;
        let snapshot = gone || from == Begin::Snapshot;
        let known = match from {
            Begin::After(number) if next <= end => number,
            // A number that was never given is of another run.
            Begin::After(_) | Begin::Lossless | Begin::Snapshot => 0,
        };
        let replay = Replay {
            count: if snapshot {
                ring.state(known).len() as u64
            } else {
                end - next
            },
            incomplete: gone,
        };
        let place = Place {
            next,
            known,
            lossless: from == Begin::Lossless,
            waiting: false,
            snapshot,
            wake,
        };
        let free = ring.listeners.iter().position(Option::is_none);
        let key = free.unwrap_or(ring.listeners.len());
        if free.is_none() {
            ring.listeners.push(None);
        }
        ring.listeners[key] = Some(place);
        drop(ring);
        self.listeners.fetch_add(1, Ordering::Relaxed);
        Watch {
            feed: self.clone(),
            key,
            replay,
            _counted: metrics().listener_begins(),
        }
    }

    fn judge(&self, ring: &Ring) -> bool {
        // More bytes than may be kept are only there while somebody holds them back.
        let full = ring.bytes > self.kept.bytes && ring.frames.len() > 1;
        let slow = ring.listeners.iter().flatten().any(|p| {
            p.lossless && (ring.next - p.next > BEHIND || (full && p.next <= ring.first()))
        });
        self.slow.store(slow, Ordering::Release);
        slow
    }
}

impl Ring {
    fn first(&self) -> u64 {
        self.next - self.frames.len() as u64
    }

    /// One past the last number that listeners may see.
    fn shown(&self) -> u64 {
        self.next.min(self.allowed.saturating_add(1))
    }

    fn wake_all(&mut self) {
        for place in self.listeners.iter_mut().flatten() {
            if std::mem::take(&mut place.waiting) {
                place.wake.notify_one();
            }
        }
    }

    /// Drops the oldest messages beyond the limits that nobody may miss.
    fn evict(&mut self, kept: &Kept) {
        let held = self.listeners.iter().flatten().filter(|p| p.lossless);
        let held = held.map(|p| p.next).min().unwrap_or(u64::MAX);
        while self.frames.len() > 1
            && kept.is_exceeded(self.frames.len(), self.bytes)
            && self.first() < held
        {
            if let Some(frame) = self.frames.pop_front() {
                self.bytes -= frame.weight;
                kept.gave_up(frame.weight);
            }
        }
    }

    /// How things stand for who knows the messages up to a number: the newest about the job, its nodes and edges, and the
    /// values that are still kept.
    fn state(&self, known: u64) -> Vec<Arc<Frame>> {
        let values = self.frames.iter().filter(|f| {
            matches!(
                f.event,
                JobEvent::OutputUpdate(_) | JobEvent::PreviewUpdate { .. }
            )
        });
        let shown = self.shown();
        let mut state: Vec<Arc<Frame>> = self
            .nodes
            .values()
            .chain(self.edges.values())
            .chain(values)
            .chain(&self.job)
            .filter(|f| f.number > known && f.number < shown)
            .cloned()
            .collect();
        state.sort_by_key(|f| f.number);
        state
    }

    fn note(&mut self, frame: &Arc<Frame>) {
        match &frame.event {
            JobEvent::JobUpdate(_) => self.job = Some(frame.clone()),
            JobEvent::NodeUpdate(u) => {
                self.nodes.insert(u.node_id.clone(), frame.clone());
            }
            JobEvent::EdgeUpdate { edge_id, .. } => {
                self.edges.insert(edge_id.clone(), frame.clone());
            }
            JobEvent::LogUpdate {
                node_id,
                node_name,
                content,
                severity,
                ..
            } => self.note_line(node_id, node_name, content, *severity),
            JobEvent::Notification {
                node_id,
                content,
                severity,
                ..
            } => self.note_line(node_id, "", content, *severity),
            JobEvent::NodeProgress { .. }
            | JobEvent::OutputUpdate(_)
            | JobEvent::PreviewUpdate { .. }
            | JobEvent::SaveUpdate { .. }
            | JobEvent::Chunk { .. }
            | JobEvent::ToolResultUpdate { .. }
            | JobEvent::Error { .. } => {}
        }
    }

    fn note_line(&mut self, node_id: &str, node_name: &str, content: &str, severity: Severity) {
        self.log_bytes += content.len();
        self.log.push_back(LogLine {
            at: nodetool_store::now_micros(),
            severity,
            node_id: node_id.to_owned(),
            node_name: node_name.to_owned(),
            content: content.to_owned(),
        });
        while self.log.len() > LOG_LINES || (self.log_bytes > LOG_BYTES && self.log.len() > 1) {
            if let Some(line) = self.log.pop_front() {
                self.log_bytes -= line.content.len();
            }
        }
    }
}

impl EventSink for Feed {
    fn emit(&self, event: JobEvent) {
        if !is_relayed(&event) {
            return;
        }
        let mut ring = self.ring();
        if ring.closed {
            return;
        }
        let frame = Arc::new(Frame::new(ring.next, &self.subject, event));
        ring.note(&frame);
        ring.next += 1;
        if ring.next + RESERVE == ring.allowed.saturating_add(1) {
            self.short.notify_one();
        }
        ring.bytes += frame.weight;
        self.kept.took(frame.weight);
        ring.frames.push_back(frame);
        ring.evict(&self.kept);
        self.judge(&ring);
        ring.wake_all();
    }

    fn listening(&self) -> bool {
        true
    }

    fn behind(&self) -> bool {
        self.slow.load(Ordering::Acquire)
    }

    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async {
            loop {
                let caught_up = self.caught_up.notified();
                if !self.behind() {
                    return;
                }
                caught_up.await;
            }
        })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let bytes = self.ring().bytes;
        self.kept.gave_up(bytes);
    }
}

/// A listener's place in a feed; dropping it gives the place up.
pub(crate) struct Watch {
    feed: Arc<Feed>,
    key: usize,
    /// What was there when it began.
    pub(crate) replay: Replay,
    _counted: Counted,
}

/// What a listener that begins gets first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Messages.
    pub(crate) count: u64,
    /// Whether some it has not seen are gone, so that these are a snapshot.
    pub(crate) incomplete: bool,
}

impl Watch {
    /// The feed listened to.
    pub(crate) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// What is next, at most `most` messages; waits until there is something. `wake` is the listener's own.
    pub(crate) async fn next(&mut self, wake: &Notify, most: usize) -> Taken {
        loop {
            match self.take(most) {
                Taken::Nothing => wake.notified().await,
                taken => return taken,
            }
        }
    }

    /// What is next, at most `most` messages, without waiting.
    pub(crate) fn take(&mut self, most: usize) -> Taken {
        let mut ring = self.feed.ring();
        let (first, end, closed) = (ring.first(), ring.shown(), ring.closed);
        let Some(place) = ring.listeners.get_mut(self.key).and_then(Option::as_mut) else {
            return Taken::Ended;
        };
        if std::mem::take(&mut place.snapshot) || place.next < first || place.next > end {
            let known = place.known;
            metrics().messages_skipped(first.saturating_sub(place.next));
            place.next = end;
            place.known = end.saturating_sub(1);
            return Taken::Snapshot(ring.state(known));
        }
        if place.next == end {
            place.waiting = true;
            let more = end < ring.next;
            return if closed && !more {
                Taken::Ended
            } else {
                Taken::Nothing
            };
        }
        let skip = (place.next - first) as usize;
        let count = ((end - place.next) as usize).min(most);
        let mut left = PORTION;
        let frames: Vec<Arc<Frame>> = ring
            .frames
            .range(skip..skip + count)
            .take_while(|frame| {
                let more = left > 0;
                left = left.saturating_sub(frame.weight);
                more
            })
            .cloned()
            .collect();
        let Some(place) = ring.listeners.get_mut(self.key).and_then(Option::as_mut) else {
            return Taken::Ended;
        };
        place.next += frames.len() as u64;
        place.known = place.next.saturating_sub(1);
        let lossless = place.lossless;
        if lossless {
            ring.evict(&self.feed.kept);
            if self.feed.behind() && !self.feed.judge(&ring) {
                self.feed.caught_up.notify_waiters();
            }
        }
        Taken::Frames(frames)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut ring = self.feed.ring();
        if let Some(place) = ring.listeners.get_mut(self.key) {
            *place = None;
        }
        self.feed.listeners.fetch_sub(1, Ordering::Relaxed);
        ring.evict(&self.feed.kept);
        if !self.feed.judge(&ring) {
            self.feed.caught_up.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests;
