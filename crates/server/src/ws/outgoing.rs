//! What waits to leave a socket: replies in a bounded queue, and its places in the feeds of jobs.
//!
//! Both stand behind one lock, so that a reply that was put in before a job was listened to leaves before that job's
//! first message.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Message;
use nodetool_protocol::{JobEvent, JobStatus, Map, Value};
use tokio::sync::Notify;

use super::wire::{self, Mode};
use super::{Close, chat};
use crate::services::{Begin, ChatFeed, ChatWatch, Feed, Frame, Taken, TakenTurns, Watch};

/// Replies that wait at most before nothing more is read from the client.
const REPLIES: usize = 4096;
/// Their bytes.
const REPLY_BYTES: usize = 64 << 20;
/// Messages of one job that leave before another job's turn.
const TURN: usize = 32;
/// Threads one socket listens to.
const THREADS: usize = 256;

/// Which messages of a job a client asked for (socket spec 4.2, `event_detail`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Detail {
    #[default]
    Full,
    Outputs,
    Terminal,
}

impl Detail {
    fn shows(self, event: &JobEvent) -> bool {
        match (self, event) {
            (Detail::Full, _) | (_, JobEvent::JobUpdate(_)) => true,
            (Detail::Outputs, event) => matches!(
                event,
                JobEvent::OutputUpdate(_)
                    | JobEvent::Chunk { .. }
                    | JobEvent::Error { .. }
                    | JobEvent::Notification { .. }
            ),
            (Detail::Terminal, _) => false,
        }
    }
}

/// A job this socket listens to.
struct Slot {
    watch: Watch,
    detail: Detail,
    /// It was started here.
    started: bool,
    /// Nothing leaves while a command that is about to be answered may cause messages.
    held: usize,
    /// Its client knows that a snapshot comes.
    announced: bool,
    /// Number of the last message that left.
    sent: u64,
}

impl Slot {
    fn job_id(&self) -> &Arc<str> {
        &self.watch.feed().subject().job_id
    }
}

/// A thread this socket listens to.
struct Thread {
    watch: ChatWatch,
    /// Number of the last message that left.
    sent: u64,
    /// Replies that leave behind the message of a number.
    behind: VecDeque<(u64, Message)>,
}

impl Thread {
    fn id(&self) -> &Arc<str> {
        self.watch.feed().thread_id()
    }
}

#[derive(Default)]
struct Queue {
    replies: VecDeque<Message>,
    bytes: usize,
    slots: Vec<Slot>,
    /// Whose turn it is.
    turn: usize,
    /// The job it began to deal with last.
    recent: Option<Arc<str>>,
    threads: Vec<Thread>,
    /// Whose turn it is among the threads, and whether it is theirs before the jobs'.
    thread_turn: usize,
    threads_first: bool,
    /// The thread it began to deal with last, and the one that was made for this socket.
    recent_thread: Option<Arc<str>>,
    own_thread: Option<Arc<str>>,
    closing: Option<Close>,
}

/// What is next to leave.
pub(super) enum Next {
    Replies(Vec<Message>),
    Frames(Vec<Arc<Frame>>),
    Close(Close),
    Nothing,
}

/// What waits to leave one socket.
pub(super) struct Outgoing {
    queue: Mutex<Queue>,
    /// Told when there may be something to send.
    pub(super) wake: Arc<Notify>,
    /// Told when replies have left.
    room: Notify,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Outgoing {
            queue: Mutex::default(),
            wake: Arc::new(Notify::new()),
            room: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a reply. The queue may grow beyond its bounds by what is at work when it is full.
    pub(super) fn reply(&self, message: Message) {
        self.queue().push(message);
        self.wake.notify_one();
    }

    /// The connection ends once what is queued now has left.
    pub(super) fn close(&self, close: Close) {
        self.queue().closing.get_or_insert(close);
        self.wake.notify_one();
    }

    pub(super) fn is_full(&self) -> bool {
        let queue = self.queue();
        queue.replies.len() >= REPLIES || queue.bytes >= REPLY_BYTES
    }

    /// Waits until more replies may be caused.
    pub(super) async fn has_room(&self) {
        loop {
            let room = self.room.notified();
            if !self.is_full() {
                return;
            }
            room.await;
        }
    }

    /// Listens to a job, after `before` has left; instead of how it listened before, if it did.
    pub(super) fn attach(
        &self,
        feed: &Arc<Feed>,
        from: Begin,
        detail: Detail,
        started: bool,
        before: impl FnOnce(&Watch) -> Vec<Message>,
    ) {
        let watch = feed.watch(from, self.wake.clone());
        let mut queue = self.queue();
        before(&watch).into_iter().for_each(|m| queue.push(m));
        let subject = feed.subject();
        let old = queue
            .slots
            .iter()
            .position(|s| s.job_id() == &subject.job_id);
        let old = old.map(|i| queue.slots.remove(i));
        let slot = Slot {
            announced: from == Begin::Snapshot || watch.replay.incomplete,
            detail: old.as_ref().map_or(detail, |s| s.detail),
            started: started || old.as_ref().is_some_and(|s| s.started),
            held: old.as_ref().map_or(0, |s| s.held),
            sent: match from {
                Begin::After(number) => number,
                Begin::Snapshot | Begin::Lossless => 0,
            },
            watch,
        };
        queue.slots.push(slot);
        queue.recent = Some(feed.subject().job_id.clone());
        drop(queue);
        // Its place in the old feed is given up without the lock.
        drop(old);
        self.wake.notify_one();
    }

    /// Listens to a thread from behind a number, unless it does already, after a reply has left; `own` is a thread that
    /// was made for this socket.
    pub(super) fn attach_thread(
        &self,
        feed: &Arc<ChatFeed>,
        after: u64,
        own: bool,
        reply: Option<Message>,
    ) {
        let mut queue = self.queue();
        let listens = |t: &Thread| Arc::ptr_eq(t.watch.feed(), feed);
        let watch =
            (!queue.threads.iter().any(listens)).then(|| feed.watch(after, self.wake.clone()));
        if let Some(reply) = reply {
            queue.push(reply);
        }
        if own {
            queue.own_thread = Some(feed.thread_id().clone());
        }
        self.listen(queue, feed, watch, after);
    }

    /// Listens to a thread from behind a number, instead of from where it did, after `before` has left.
    pub(super) fn attach_thread_again(
        &self,
        feed: &Arc<ChatFeed>,
        after: u64,
        before: impl FnOnce(&ChatWatch) -> Vec<Message>,
    ) {
        let mut queue = self.queue();
        let watch = feed.watch(after, self.wake.clone());
        before(&watch).into_iter().for_each(|m| queue.push(m));
        self.listen(queue, feed, Some(watch), after);
    }

    fn listen(
        &self,
        mut queue: MutexGuard<'_, Queue>,
        feed: &Arc<ChatFeed>,
        watch: Option<ChatWatch>,
        after: u64,
    ) {
        queue.recent_thread = Some(feed.thread_id().clone());
        let mut old = None;
        if let Some(watch) = watch {
            let at = queue
                .threads
                .iter()
                .position(|t| t.id() == feed.thread_id());
            old = at.map(|at| queue.threads.remove(at));
            queue.threads.push(Thread {
                watch,
                sent: after,
                behind: VecDeque::new(),
            });
        }
        if let Some(old) = &mut old {
            // They waited for messages that will not leave from there.
            std::mem::take(&mut old.behind)
                .into_iter()
                .for_each(|(_, m)| queue.push(m));
        }
        while queue.threads.len() > THREADS {
            let at = queue
                .threads
                .iter()
                .position(|t| !t.watch.feed().is_running());
            old = Some(queue.threads.remove(at.unwrap_or(0)));
        }
        drop(queue);
        // Its place in the feed is given up without the lock.
        drop(old);
        self.wake.notify_one();
    }

    /// Queues a reply that leaves behind a message of a thread; false when this socket does not listen to the thread.
    pub(super) fn reply_behind(&self, thread_id: &str, number: u64, reply: &Message) -> bool {
        let mut queue = self.queue();
        let queue = &mut *queue;
        let Some(thread) = queue.threads.iter_mut().find(|t| **t.id() == *thread_id) else {
            return false;
        };
        match thread.sent >= number {
            true => queue.push(reply.clone()),
            false => thread.behind.push_back((number, reply.clone())),
        }
        self.wake.notify_one();
        true
    }

    /// The thread this socket began to deal with last.
    pub(super) fn recent_thread(&self) -> Option<Arc<str>> {
        self.queue().recent_thread.clone()
    }

    /// The thread that was made for this socket.
    pub(super) fn own_thread(&self) -> Option<Arc<str>> {
        self.queue().own_thread.clone()
    }

    /// The job this socket began to deal with last.
    pub(super) fn recent(&self) -> Option<Arc<str>> {
        self.queue().recent.clone()
    }

    /// The one job this socket listens to, if it is one.
    pub(super) fn only_job(&self) -> Option<Arc<str>> {
        let queue = self.queue();
        let mut live = queue.slots.iter().filter(|s| !s.watch.feed().is_over());
        let first = live.next()?.job_id().clone();
        live.next().is_none().then_some(first)
    }

    /// Number of the last message of a job that left here.
    pub(super) fn sent(&self, job_id: &str) -> Option<u64> {
        let queue = self.queue();
        let slot = queue.slots.iter().find(|s| **s.job_id() == *job_id)?;
        (slot.sent > 0).then_some(slot.sent)
    }

    /// Keeps a job's messages back until the guard is dropped.
    pub(super) fn hold<'a>(&'a self, job_id: &'a str) -> Hold<'a> {
        self.change_hold(job_id, |held| held + 1);
        Hold {
            outgoing: self,
            job_id,
        }
    }

    fn change_hold(&self, job_id: &str, change: impl Fn(usize) -> usize) {
        let mut queue = self.queue();
        let slot = queue.slots.iter_mut().find(|s| **s.job_id() == *job_id);
        if let Some(slot) = slot {
            slot.held = change(slot.held);
        }
    }

    /// Takes what leaves next: replies first, then the jobs in turn.
    pub(super) fn next(&self, mode: Mode) -> Next {
        let mut guard = self.queue();
        let queue = &mut *guard;
        if !queue.replies.is_empty() {
            let replies = queue.replies.drain(..queue.replies.len().min(TURN));
            let replies: Vec<Message> = replies.collect();
            queue.bytes -= replies.iter().map(wire::size).sum::<usize>();
            drop(guard);
            self.room.notify_waiters();
            return Next::Replies(replies);
        }
        if let Some(close) = queue.closing {
            return Next::Close(close);
        }
        queue.threads_first = !queue.threads_first;
        if queue.threads_first
            && let Some(next) = queue.next_of_threads(mode)
        {
            return next;
        }
        let mut ended = Vec::new();
        for _ in 0..queue.slots.len() {
            let at = queue.turn % queue.slots.len();
            let slot = &mut queue.slots[at];
            if slot.held > 0 {
                queue.turn = at + 1;
                continue;
            }
            let frames = match slot.watch.take(TURN) {
                Taken::Frames(frames) => frames,
                Taken::Snapshot(frames) => {
                    if !std::mem::replace(&mut slot.announced, false) {
                        let lost = resumed(
                            slot.watch.feed(),
                            Some(slot.sent),
                            frames.len() as u64,
                            true,
                        );
                        queue.replies.push_back(wire::encode(&lost, mode));
                        queue.bytes += queue.replies.back().map_or(0, wire::size);
                    }
                    frames
                }
                Taken::Nothing => {
                    queue.turn = at + 1;
                    continue;
                }
                Taken::Ended => {
                    ended.push(queue.slots.remove(at));
                    queue.turn = at;
                    if queue.slots.is_empty() {
                        break;
                    }
                    continue;
                }
            };
            queue.turn = at + 1;
            slot.sent = frames.last().map_or(slot.sent, |f| f.number);
            let detail = slot.detail;
            let shown = frames.into_iter().filter(|f| detail.shows(&f.event));
            let shown: Vec<Arc<Frame>> = shown.collect();
            if !queue.replies.is_empty() {
                // The word about what was lost leaves first.
                let mut first: Vec<Message> = queue.replies.drain(..).collect();
                queue.bytes = 0;
                first.extend(shown.iter().map(|f| wire::encode_frame(f, mode)));
                return Next::Replies(first);
            }
            return Next::Frames(shown);
        }
        if let Some(next) = queue.next_of_threads(mode) {
            drop(guard);
            drop(ended);
            return next;
        }
        drop(guard);
        drop(ended);
        Next::Nothing
    }

    /// Gives up every place; the jobs that were started here and still wait for their turn.
    pub(super) fn leave(&self) -> Vec<Arc<str>> {
        let (slots, threads) = {
            let mut queue = self.queue();
            (
                std::mem::take(&mut queue.slots),
                std::mem::take(&mut queue.threads),
            )
        };
        drop(threads);
        let waiting = |s: &&Slot| s.started && s.watch.feed().status() == Some(JobStatus::Queued);
        slots
            .iter()
            .filter(waiting)
            .map(|s| s.job_id().clone())
            .collect()
    }
}

impl Queue {
    /// What the threads have to send, each in its turn.
    fn next_of_threads(&mut self, mode: Mode) -> Option<Next> {
        for _ in 0..self.threads.len() {
            let at = self.thread_turn % self.threads.len();
            self.thread_turn = at + 1;
            let thread = &mut self.threads[at];
            let TakenTurns::Frames(frames, gone) = thread.watch.take(TURN) else {
                continue;
            };
            let mut messages = Vec::with_capacity(frames.len());
            if gone {
                let count = frames.len() as u64;
                let word = chat::resumed(thread.watch.feed(), thread.sent, count, true);
                messages.push(wire::encode(&word, mode));
            }
            for frame in &frames {
                messages.push(wire::encode_turn(frame, mode));
                thread.sent = frame.number;
                while thread
                    .behind
                    .front()
                    .is_some_and(|(n, _)| *n <= thread.sent)
                {
                    messages.extend(thread.behind.pop_front().map(|(_, m)| m));
                }
            }
            return Some(Next::Replies(messages));
        }
        None
    }

    fn push(&mut self, message: Message) {
        self.bytes += wire::size(&message);
        self.replies.push_back(message);
    }
}

/// A job's messages are kept back while this lives.
pub(super) struct Hold<'a> {
    outgoing: &'a Outgoing,
    job_id: &'a str,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.outgoing
            .change_hold(self.job_id, |held| held.saturating_sub(1));
        self.outgoing.wake.notify_one();
    }
}

/// The word that messages of a job follow (socket spec 6.2).
pub(super) fn resumed(feed: &Feed, last_seq: Option<u64>, count: u64, incomplete: bool) -> Value {
    let status = if feed.is_over() {
        "finished"
    } else {
        "running"
    };
    let subject = feed.subject();
    let workflow_id = Some(&*subject.workflow_id).filter(|id| !id.is_empty());
    let number = |n: u64| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    Map::from_iter([
        ("type".into(), "job_resumed".into()),
        ("job_id".into(), subject.job_id.clone().into()),
        ("workflow_id".into(), workflow_id.into()),
        ("status".into(), status.into()),
        ("last_seq".into(), last_seq.map(number).into()),
        ("replay_count".into(), number(count)),
        ("replay_incomplete".into(), incomplete.into()),
    ])
    .into()
}
