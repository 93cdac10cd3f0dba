//! How far the requests of one connection are, between those who serve them and the stream they come by.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::limits::Permit;
use super::transport::Transport;

/// How far the requests of a connection are: told by those who serve them, read by its stream.
#[derive(Default)]
pub(super) struct Vitals {
    /// Requests so far.
    calls: AtomicUsize,
    /// Requests whose answer is not yet with the HTTP library as a whole.
    at_work: AtomicUsize,
    /// Something of an answer may wait to be written.
    owes: AtomicBool,
    /// The connection speaks another protocol now, which has its own signs of life.
    upgraded: AtomicBool,
    /// The client may still be sending, and would not read its answer if the connection ended now.
    lingers: AtomicBool,
    left: Mutex<Option<(Transport, Permit)>>,
}

impl Vitals {
    /// A request came.
    pub(super) fn begin(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.at_work.fetch_add(1, Ordering::Relaxed);
    }

    /// The head of its answer is there.
    pub(super) fn answer(&self) {
        self.owes.store(true, Ordering::Relaxed);
    }

    /// All of its answer is there, or nobody wants it.
    pub(super) fn end(&self) {
        self.owes.store(true, Ordering::Relaxed);
        self.at_work.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    pub(super) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    /// Whether no request would be lost if the connection ended now.
    pub(super) fn idle(&self) -> bool {
        self.free() && !self.owes()
    }

    /// Whether no request is at work.
    pub(super) fn free(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) == 0
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn owes(&self) -> bool {
        self.owes.load(Ordering::Relaxed)
    }

    /// All that was written has left.
    pub(super) fn pay(&self) {
        self.owes.store(false, Ordering::Relaxed);
    }

    pub(super) fn upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Relaxed)
    }

    /// The HTTP library is done with the transport.
    pub(super) fn leave(&self, inner: (Transport, Permit)) {
        if self.lingers.load(Ordering::Relaxed) && !self.upgraded() {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            *left = Some(inner);
        }
    }

    /// The transport, if somebody should wait for the client to read its answer.
    pub(super) fn left(&self) -> Option<(Transport, Permit)> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.take()
    }
}
