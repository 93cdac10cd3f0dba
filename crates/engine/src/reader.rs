//! A node's side of its inbox: takes batches of items under one lock and hands them out in arrival order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use nodetool_sdk::{InputSource, Value};

use crate::aligner::{HandleSet, Want};
use crate::inbox::Item;
use crate::run::Run;

/// Reads the inbox of one node.
pub(crate) struct Reader {
    run: Arc<Run>,
    node: usize,
    local: VecDeque<Item>,
    selective: bool,
    /// Items in `local` may have arrived after items of other handles that are still in the inbox.
    ahead: bool,
}

impl Reader {
    pub(crate) fn new(run: Arc<Run>, node: usize) -> Self {
        Reader {
            run,
            node,
            local: VecDeque::new(),
            selective: false,
            ahead: false,
        }
    }

    /// The next wanted item; `None` when none can come any more.
    pub(crate) fn poll_next(&mut self, want: &Want, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.ahead && *want == Want::All {
            self.fall_in();
        }
        loop {
            let at = match want {
                Want::All => (!self.local.is_empty()).then_some(0),
                Want::Some(set) => self.local.iter().position(|i| set.contains(i.handle)),
            };
            if let Some(at) = at {
                return Poll::Ready(self.local.remove(at));
            }
            match self.run.inboxes[self.node].poll_take(want, &mut self.local, cx) {
                Poll::Ready(more) => {
                    self.ahead |= more && *want != Want::All;
                    self.set_selective(false);
                    if !more {
                        return Poll::Ready(None);
                    }
                }
                Poll::Pending => {
                    self.set_selective(matches!(want, Want::Some(_)));
                    self.run.break_deadlock();
                    return Poll::Pending;
                }
            }
        }
    }

    /// The next wanted item for a body at work: it rests while it waits, and takes nothing while the run is paused.
    pub(crate) fn poll_item(&mut self, want: &Want, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.run.pause.poll_enter(self.node, cx).is_pending() {
            return Poll::Pending;
        }
        let item = self.poll_next(want, cx);
        if item.is_pending() {
            self.run.pause.leave(self.node);
        }
        item
    }

    /// Brings everything that is here into the order of arrival (FIX-38).
    fn fall_in(&mut self) {
        self.ahead = false;
        self.run.inboxes[self.node].try_take(&Want::All, &mut self.local);
        self.local.make_contiguous().sort_by_key(|item| item.seq);
    }

    /// Counts this reader among those parked on some of their handles only.
    fn set_selective(&mut self, now: bool) {
        match (std::mem::replace(&mut self.selective, now), now) {
            (false, true) => self.run.selective.fetch_add(1, Ordering::SeqCst),
            (true, false) => self.run.selective.fetch_sub(1, Ordering::SeqCst),
            _ => 0,
        };
    }

    fn only(&self, handle: u16) -> Want {
        let handles = self.run.plan.nodes[self.node].handles.len();
        if handles == 1 {
            Want::All
        } else {
            Want::Some(HandleSet::of(handle, handles))
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.set_selective(false);
    }
}

impl InputSource for Reader {
    fn poll_any(&mut self, cx: &mut Context<'_>) -> Poll<Option<(u16, Value)>> {
        self.poll_item(&Want::All, cx)
            .map(|i| i.map(|i| (i.handle, i.value)))
    }

    fn poll_handle(&mut self, handle: u16, cx: &mut Context<'_>) -> Poll<Option<Value>> {
        let want = self.only(handle);
        self.poll_item(&want, cx).map(|i| i.map(|i| i.value))
    }

    fn try_handle(&mut self, handle: u16) -> Option<Value> {
        if !self.local.iter().any(|i| i.handle == handle) {
            let want = self.only(handle);
            self.run.inboxes[self.node].try_take(&want, &mut self.local);
            self.ahead |= want != Want::All;
        }
        let at = self.local.iter().position(|i| i.handle == handle)?;
        self.local.remove(at).map(|i| i.value)
    }

    fn handles(&self) -> &[Arc<str>] {
        &self.run.plan.nodes[self.node].handle_names
    }
}
