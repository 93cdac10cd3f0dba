//! Holding a run still: nothing begins while it is paused, and whoever asks hears when all that had begun is done.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::Run;

/// Whether one node is at work. Alone on its cache line: every execution writes it twice.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Seat(AtomicBool);

/// The gate every execution passes.
#[derive(Debug)]
pub(crate) struct Pause {
    paused: AtomicBool,
    /// The run is over: there is nothing left to settle.
    ended: AtomicBool,
    seats: Box<[Seat]>,
    /// Who stands at the closed gate.
    waiting: Mutex<Vec<Waker>>,
    /// Told whenever the run may have come to rest.
    rest: Notify,
}

impl Pause {
    pub(crate) fn new(nodes: usize) -> Self {
        Pause {
            paused: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            seats: (0..nodes).map(|_| Seat::default()).collect(),
            waiting: Mutex::default(),
            rest: Notify::new(),
        }
    }

    pub(crate) fn close(&self) {
        self.paused.store(true, Ordering::SeqCst);
        self.rest.notify_waiters();
    }

    pub(crate) fn open(&self) {
        let woken = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.paused.store(false, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        woken.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.rest.notify_waiters();
    }

    fn is_settled(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
            || (self.paused.load(Ordering::SeqCst)
                && self.seats.iter().all(|s| !s.0.load(Ordering::SeqCst)))
    }

    /// Resolves when the run is paused and nothing is at work, or when it is over.
    pub(crate) async fn settled(&self) {
        loop {
            let told = self.rest.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.is_settled() {
                return;
            }
            told.await;
        }
    }

    /// Takes the node's seat; while the run is paused there is none to take.
    pub(crate) fn poll_enter(&self, node: usize, cx: &mut Context<'_>) -> Poll<()> {
        let seat = &self.seats[node].0;
        // Seat first, gate second; who closes the gate looks the other way round, so one of both sees the other.
        if !seat.load(Ordering::Relaxed) {
            seat.store(true, Ordering::SeqCst);
        }
        if !self.paused.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.paused.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        self.leave(node);
        Poll::Pending
    }

    /// Gives the seat back; once more does no harm.
    pub(crate) fn leave(&self, node: usize) {
        self.seats[node].0.store(false, Ordering::SeqCst);
        if self.paused.load(Ordering::SeqCst) {
            self.rest.notify_waiters();
        }
    }
}

/// A node at work; dropping it is the end of that.
pub(crate) struct Working<'a> {
    pause: &'a Pause,
    node: usize,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.pause.leave(self.node);
    }
}

impl Run {
    /// Waits at the gate.
    pub(crate) async fn enter(&self, node: usize) {
        poll_fn(|cx| self.pause.poll_enter(node, cx)).await;
    }

    /// Waits at the gate, then puts the node to work.
    pub(crate) async fn work(&self, node: usize) -> Working<'_> {
        self.enter(node).await;
        Working {
            pause: &self.pause,
            node,
        }
    }
}
