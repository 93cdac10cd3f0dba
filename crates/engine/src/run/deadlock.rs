//! Bounded handles can wait for each other in a circle: who is in one, and which handle to let grow.

use std::sync::atomic::Ordering;

use super::{CONTROL, Run};
use crate::inbox::Inbox;

impl Run {
    /// Looks for nodes that wait for each other in a circle and lets a full handle grow (Parks' rule, FIX-4).
    ///
    /// Called by a node that has just parked or ended, so the last one to do so sees all the others.
    pub(crate) fn break_deadlock(&self) {
        if self.selective.load(Ordering::SeqCst) == 0 && !self.controls_used {
            return;
        }
        let n = self.plan.nodes.len();
        // Who waits for room, and where. Without such a node no bound is in the way.
        let mut writes: Vec<Option<(usize, u16)>> = vec![None; n];
        let mut writers = Vec::new();
        for (i, mark) in self.blocked.iter().enumerate() {
            if let Some(packed) = mark.load(Ordering::SeqCst).checked_sub(1) {
                let (target, handle) = ((packed >> 16) as usize, packed as u16);
                writes[i] = Some((target, handle));
                writers.push((i, target));
            }
        }
        if writers.is_empty() {
            return;
        }
        let live = self.live_nodes(&writes, &writers);
        for (i, target) in writers {
            // Where the reader itself waits for room, more room would only move the jam.
            if live[i] || live[target] || writes[target].is_some() {
                continue;
            }
            match writes[i] {
                Some((_, CONTROL)) => self.controls[target].grow(),
                Some((_, handle)) => self.inboxes[target].grow(handle),
                None => {}
            }
        }
    }

    /// The nodes that are at work, and those that wait for one of them in the end.
    fn live_nodes(&self, writes: &[Option<(usize, u16)>], writers: &[(usize, usize)]) -> Vec<bool> {
        let nodes = &self.plan.nodes;
        let reads: Vec<_> = self.inboxes.iter().map(Inbox::parked).collect();
        let listens: Vec<bool> = (0..nodes.len())
            .map(|i| nodes[i].controllers > 0 && self.controls[i].parked())
            .collect();
        let mut asks: Vec<(usize, usize)> = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            let targets = node.control_out.iter().map(|&e| self.plan.edges[e].target);
            asks.extend(
                targets
                    .filter(|&t| self.controls[t].owes(i))
                    .map(|t| (i, t)),
            );
        }
        let mut live: Vec<bool> = (0..nodes.len())
            .map(|i| {
                let waits = reads[i].is_some() || listens[i] || writes[i].is_some();
                !waits && !self.ended[i].load(Ordering::SeqCst)
            })
            .collect();
        asks.iter().for_each(|&(i, _)| live[i] = false);
        let mut queue: Vec<usize> = (0..nodes.len()).filter(|&i| live[i]).collect();
        while let Some(l) = queue.pop() {
            let mut wake = |i: usize| {
                if !std::mem::replace(&mut live[i], true) {
                    queue.push(i);
                }
            };
            // Who reads what l may still give.
            for &e in nodes[l].out.iter().flatten() {
                let edge = &self.plan.edges[e];
                let wanted = reads[edge.target].as_ref();
                if wanted.is_some_and(|want| want.includes(edge.handle))
                    && !self.edges[e].closed.load(Ordering::SeqCst)
                {
                    wake(edge.target);
                }
            }
            for &e in &nodes[l].control_out {
                let target = self.plan.edges[e].target;
                if listens[target] {
                    wake(target);
                }
            }
            // Who waits for l to read or to answer.
            let waiting = writers.iter().chain(&asks);
            waiting
                .filter(|&&(_, target)| target == l)
                .for_each(|&(i, _)| wake(i));
        }
        live
    }
}
