//! The messages of one run on their way to one listener.
//!
//! A listener that falls behind slows the run down instead of filling memory: nodes wait while more than
//! [`BEHIND`] messages are queued. A listener that goes away sets the run free.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_protocol::JobEvent;
use nodetool_sdk::{BoxFuture, EventSink};
use tokio::sync::Notify;

/// Messages queued before the run waits.
const BEHIND: usize = 256;

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    len: AtomicUsize,
    arrived: Notify,
    taken: Notify,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<JobEvent>,
    /// The run has ended.
    closed: bool,
    /// The listener has gone.
    deaf: bool,
}

/// The run's end.
pub(crate) struct Sink(Arc<Shared>);

/// The listener's end.
pub(crate) struct EventStream(Arc<Shared>);

/// A queue from a run to a listener.
pub(crate) fn channel() -> (Arc<Sink>, EventStream) {
    let shared = Arc::new(Shared::default());
    (Arc::new(Sink(shared.clone())), EventStream(shared))
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Sink {
    fn emit(&self, event: JobEvent) {
        let mut q = self.0.lock();
        if q.deaf {
            return;
        }
        q.events.push_back(event);
        self.0.len.store(q.events.len(), Ordering::Release);
        drop(q);
        self.0.arrived.notify_one();
    }

    fn listening(&self) -> bool {
        true
    }

    fn behind(&self) -> bool {
        self.0.len.load(Ordering::Acquire) > BEHIND
    }

    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async {
            loop {
                let taken = self.0.taken.notified();
                if !self.behind() {
                    return;
                }
                taken.await;
            }
        })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.arrived.notify_one();
    }
}

impl EventStream {
    /// The messages that are here, at least one; `None` after the run's last.
    pub(crate) async fn next_batch(&mut self) -> Option<VecDeque<JobEvent>> {
        loop {
            let arrived = self.0.arrived.notified();
            {
                let mut q = self.0.lock();
                if !q.events.is_empty() {
                    let batch = std::mem::take(&mut q.events);
                    self.0.len.store(0, Ordering::Release);
                    drop(q);
                    self.0.taken.notify_waiters();
                    return Some(batch);
                }
                if q.closed {
                    return None;
                }
            }
            arrived.await;
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let mut q = self.0.lock();
        q.deaf = true;
        q.events.clear();
        self.0.len.store(0, Ordering::Release);
        drop(q);
        self.0.taken.notify_waiters();
    }
}
