//! A node's inbox: one arrival queue, a bound per handle, end of stream when the last producer lets go.
//!
//! A put that finds its handle full still lands (so a bound of n holds at most n items and one per producer) and the
//! producer then waits for room. Wakers are called after the lock is released. It must not know nodes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use nodetool_sdk::Value;
use smallvec::SmallVec;

use crate::aligner::Want;

/// An item on its way: handle, edge (its place in the plan) and value.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) handle: u16,
    pub(crate) edge: u32,
    pub(crate) value: Value,
    /// Its place in the order of arrival, given by the inbox.
    pub(crate) seq: u64,
}

#[derive(Clone, Copy, Debug)]
struct HandleState {
    len: u32,
    limit: u32,
    open: u32,
}

#[derive(Debug)]
struct Writer {
    handle: u16,
    node: usize,
    waker: Waker,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Item>,
    handles: SmallVec<[HandleState; 2]>,
    /// Items that ever arrived.
    arrived: u64,
    closed: bool,
    /// What the parked reader waits for, and how to wake it.
    reader: Option<(Want, Waker)>,
    writers: SmallVec<[Writer; 1]>,
}

/// The inbox of one node.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
}

/// What a put found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// There is room for more.
    Room,
    /// The handle is over its bound: wait for room before the next put.
    Full,
    /// The reader is gone; the item was dropped.
    Gone,
}

impl Inbox {
    /// An inbox with the given number of producers per handle.
    pub(crate) fn new(producers: impl Iterator<Item = u32>, limit: u32) -> Self {
        let handles = producers
            .map(|open| HandleState {
                len: 0,
                limit,
                open,
            })
            .collect();
        Inbox {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                handles,
                arrived: 0,
                closed: false,
                reader: None,
                writers: SmallVec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item and wakes the reader if it waits for this handle.
    pub(crate) fn put(&self, mut item: Item) -> Put {
        let mut s = self.lock();
        if s.closed {
            return Put::Gone;
        }
        let handle = item.handle;
        let h = &mut s.handles[usize::from(handle)];
        h.len += 1;
        let full = h.len > h.limit;
        item.seq = s.arrived;
        s.arrived += 1;
        s.queue.push_back(item);
        let reader = s.reader.take_if(|(want, _)| want.includes(handle));
        drop(s);
        if let Some((_, waker)) = reader {
            waker.wake();
        }
        if full { Put::Full } else { Put::Room }
    }

    /// Resolves when the handle is back within its bound or the reader is gone.
    pub(crate) fn poll_room(&self, handle: u16, node: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut s = self.lock();
        let h = s.handles[usize::from(handle)];
        if s.closed || h.len <= h.limit {
            s.writers.retain(|w| w.node != node || w.handle != handle);
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        match s
            .writers
            .iter_mut()
            .find(|w| w.node == node && w.handle == handle)
        {
            Some(w) => w.waker = waker,
            None => s.writers.push(Writer {
                handle,
                node,
                waker,
            }),
        }
        Poll::Pending
    }

    /// Moves the wanted items that are here into `into`; `Ready(false)` when none can come any more.
    pub(crate) fn poll_take(
        &self,
        want: &Want,
        into: &mut VecDeque<Item>,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        let mut s = self.lock();
        if s.take(want, into) {
            let woken = s.wake_writers();
            drop(s);
            woken.into_iter().for_each(Waker::wake);
            return Poll::Ready(true);
        }
        let ended = s.closed
            || s.handles
                .iter()
                .enumerate()
                .all(|(h, x)| x.open == 0 || !want.includes(h as u16));
        if ended {
            return Poll::Ready(false);
        }
        s.reader = Some((want.clone(), cx.waker().clone()));
        Poll::Pending
    }

    /// Moves the wanted items that are here, without waiting.
    pub(crate) fn try_take(&self, want: &Want, into: &mut VecDeque<Item>) {
        let mut s = self.lock();
        if s.take(want, into) {
            let woken = s.wake_writers();
            drop(s);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// One producer of a handle is done.
    pub(crate) fn producer_done(&self, handle: u16) {
        let mut s = self.lock();
        let h = &mut s.handles[usize::from(handle)];
        h.open = h.open.saturating_sub(1);
        let reader = if h.open == 0 { s.reader.take() } else { None };
        drop(s);
        if let Some((_, waker)) = reader {
            waker.wake();
        }
    }

    /// The reader is gone: waiting and later puts return at once.
    pub(crate) fn close(&self) {
        let mut s = self.lock();
        s.closed = true;
        let queue = std::mem::take(&mut s.queue);
        let reader = s.reader.take();
        let writers = std::mem::take(&mut s.writers);
        drop(s);
        drop(queue);
        if let Some((_, waker)) = reader {
            waker.wake();
        }
        writers.into_iter().for_each(|w| w.waker.wake());
    }

    /// What the parked reader waits for; nothing when no reader is parked.
    pub(crate) fn parked(&self) -> Option<Want> {
        self.lock().reader.as_ref().map(|(want, _)| want.clone())
    }

    /// Lets a full handle hold twice as much, and wakes whoever waited for that.
    pub(crate) fn grow(&self, handle: u16) {
        let mut s = self.lock();
        let h = &mut s.handles[usize::from(handle)];
        if h.len <= h.limit {
            return;
        }
        h.limit = h.limit.saturating_mul(2).max(h.len);
        let woken = s.wake_writers();
        drop(s);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn take(&mut self, want: &Want, into: &mut VecDeque<Item>) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        match want {
            Want::All => {
                if into.is_empty() {
                    std::mem::swap(&mut self.queue, into);
                } else {
                    into.append(&mut self.queue);
                }
                self.handles.iter_mut().for_each(|h| h.len = 0);
                true
            }
            Want::Some(set) => {
                let before = self.queue.len();
                let mut kept = VecDeque::with_capacity(before);
                for item in self.queue.drain(..) {
                    if set.contains(item.handle) {
                        self.handles[usize::from(item.handle)].len -= 1;
                        into.push_back(item);
                    } else {
                        kept.push_back(item);
                    }
                }
                self.queue = kept;
                self.queue.len() < before
            }
        }
    }

    /// Takes out the writers that have room now.
    fn wake_writers(&mut self) -> SmallVec<[Waker; 2]> {
        let mut woken = SmallVec::new();
        let handles = &self.handles;
        let mut i = 0;
        while i < self.writers.len() {
            let h = handles[usize::from(self.writers[i].handle)];
            if h.len <= h.limit {
                woken.push(self.writers.swap_remove(i).waker);
            } else {
                i += 1;
            }
        }
        woken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;
    use crate::aligner::HandleSet;

    struct Noop;
    impl Wake for Noop {
        fn wake(self: Arc<Self>) {}
    }

    fn item(handle: u16, v: i64) -> Item {
        Item {
            handle,
            edge: 0,
            value: Value::Int(v),
            seq: 0,
        }
    }

    fn take(inbox: &Inbox, want: &Want) -> Poll<Vec<i64>> {
        let waker = Waker::from(Arc::new(Noop));
        let mut out = VecDeque::new();
        match inbox.poll_take(want, &mut out, &mut Context::from_waker(&waker)) {
            Poll::Ready(_) => Poll::Ready(out.iter().filter_map(|i| i.value.as_i64()).collect()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn room(inbox: &Inbox, handle: u16) -> bool {
        let waker = Waker::from(Arc::new(Noop));
        inbox
            .poll_room(handle, 7, &mut Context::from_waker(&waker))
            .is_ready()
    }

    #[test]
    fn case_44_a_bound_of_two_lets_two_puts_finish_before_the_first_read_and_loses_nothing() {
        let inbox = Inbox::new([1].into_iter(), 2);
        assert_eq!(inbox.put(item(0, 1)), Put::Room);
        assert_eq!(inbox.put(item(0, 2)), Put::Room);
        assert_eq!(inbox.put(item(0, 3)), Put::Full);
        assert!(!room(&inbox, 0));
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![1, 2, 3]));
        assert!(room(&inbox, 0));
        assert_eq!(inbox.put(item(0, 4)), Put::Room);
        assert_eq!(inbox.put(item(0, 5)), Put::Room);
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![4, 5]));
    }

    #[test]
    fn case_45_a_full_handle_does_not_block_another() {
        let inbox = Inbox::new([1, 1].into_iter(), 1);
        inbox.put(item(0, 1));
        assert_eq!(inbox.put(item(0, 2)), Put::Full);
        assert_eq!(inbox.put(item(1, 3)), Put::Room);
    }

    #[test]
    fn case_46_items_outlive_their_producer() {
        let inbox = Inbox::new([1].into_iter(), 8);
        inbox.put(item(0, 1));
        inbox.put(item(0, 2));
        inbox.producer_done(0);
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![1, 2]));
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![]));
    }

    #[test]
    fn case_47_a_closed_inbox_ends_its_reader_and_drops_later_puts() {
        let inbox = Inbox::new([1].into_iter(), 8);
        assert_eq!(take(&inbox, &Want::All), Poll::Pending);
        inbox.close();
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![]));
        assert_eq!(inbox.put(item(0, 1)), Put::Gone);
        assert!(room(&inbox, 0));
    }

    #[test]
    fn case_48_a_handle_stays_open_until_all_its_producers_are_done() {
        let inbox = Inbox::new([2].into_iter(), 8);
        inbox.producer_done(0);
        assert_eq!(take(&inbox, &Want::All), Poll::Pending);
        inbox.producer_done(0);
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![]));
    }

    #[test]
    fn reading_one_handle_leaves_the_others_where_they_are() {
        let inbox = Inbox::new([1, 1].into_iter(), 8);
        inbox.put(item(1, 10));
        inbox.put(item(0, 1));
        inbox.put(item(1, 20));
        assert_eq!(
            take(&inbox, &Want::Some(HandleSet::of(0, 2))),
            Poll::Ready(vec![1])
        );
        assert_eq!(take(&inbox, &Want::All), Poll::Ready(vec![10, 20]));
    }

    #[test]
    fn a_handle_that_never_had_a_producer_ends_at_once() {
        let inbox = Inbox::new([0, 1].into_iter(), 8);
        assert_eq!(
            take(&inbox, &Want::Some(HandleSet::of(0, 2))),
            Poll::Ready(vec![])
        );
    }

    #[test]
    fn growing_a_full_handle_gives_its_producer_room() {
        let inbox = Inbox::new([1].into_iter(), 1);
        inbox.put(item(0, 1));
        inbox.put(item(0, 2));
        assert!(!room(&inbox, 0));
        inbox.grow(0);
        assert!(room(&inbox, 0));
    }
}
