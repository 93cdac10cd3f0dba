//! Items on their edges: counters, and what comes before and after them (G3 to G5).

use super::*;

impl Check<'_> {
    /// Items told so far on the edges into a node; nothing when some are no longer told.
    pub(super) fn arrived(&self, id: &str) -> Option<u64> {
        let into = self.nodes.get(id).map(|n| &n.into[..]).unwrap_or_default();
        let edges = into.iter().map(|&e| &self.edges[e]);
        let data = edges.filter(|s| s.edge.kind == EdgeKind::Data);
        data.map(|s| (s.sent < ALL_TOLD).then_some(s.sent)).sum()
    }

    /// A value shown at an output or a preview.
    pub(super) fn show(&mut self, id: &str) {
        let Some(state) = self.nodes.get_mut(id) else {
            return self.fault(format!("a value of '{id}', which is not in the graph"));
        };
        state.shown += 1;
        let shown = state.shown;
        // The configured value of an output nothing reached came over no edge.
        if self.replayed.contains(id) {
            return;
        }
        if self
            .arrived(id)
            .is_some_and(|sent| 0 < sent && sent < shown)
        {
            self.fault(format!(
                "G4: value {shown} of {id} before its item was told"
            ));
        }
    }

    /// G4: what a node does with an item comes after the item was told.
    pub(super) fn executed(&mut self, id: &str) {
        let state = &self.nodes[id];
        let data = |e: &usize| self.edges[*e].edge.kind == EdgeKind::Data;
        let buffered = state.def.is_some_and(|def| !def.is_streaming_input());
        // Controlled nodes execute on events.
        if !buffered || !state.into.iter().all(data) {
            return;
        }
        let mut handles = HashSet::new();
        let mut one_each = true;
        for &e in &state.into {
            let edge = &mut self.edges[e];
            edge.early |= edge.sent == 0;
            // A node that gathers executes whatever came; so does one whose edges were dropped.
            one_each &= edge.sent > 0 && handles.insert(&edge.edge.target_handle);
        }
        let done = state.running.max(state.completed);
        if !one_each || state.into.is_empty() {
            return;
        }
        if self.arrived(id).is_some_and(|sent| done > sent) {
            self.fault(format!(
                "G4: execution {done} of {id} before its item was told"
            ));
        }
    }

    /// G5: counters without a gap, nothing after the end.
    pub(super) fn edge_update(&mut self, id: &str, status: EdgeStatus, counter: Option<u64>) {
        let Some(&index) = self.edge_ids.get(id) else {
            return self.fault(format!(
                "an update of edge '{id}', which is not in the graph"
            ));
        };
        let state = &mut self.edges[index];
        let before = state.sent;
        let wrong = match (status, counter) {
            (EdgeStatus::MessageSent, Some(n)) => {
                state.sent = n;
                let next = n == before + 1 || (before >= ALL_TOLD && n > before);
                match (state.drained, next) {
                    (true, _) => Some("an item after the end".to_owned()),
                    (_, false) => Some(format!("counter {n} after {before}")),
                    _ => None,
                }
            }
            (EdgeStatus::Drained, None) => {
                state.drained = true;
                None
            }
            _ => Some(format!("{status:?} with counter {counter:?}")),
        };
        if let Some(text) = wrong {
            self.fault(format!("G5: edge {id}: {text}"));
        }
        if let Some(n) = counter {
            self.in_time(index, n);
        }
    }

    /// G3: a buffered node tells its result first, a streaming one last.
    fn in_time(&mut self, edge: usize, counter: u64) {
        let source = &*self.edges[edge].edge.source;
        let Some(state) = self.nodes.get(source) else {
            return;
        };
        let Some(def) = state.def else { return };
        // Inputs say nothing of themselves; a bypassed node's edge has another source.
        if def.role == Role::Input || state.node.bypassed() || self.replayed.contains(source) {
            return;
        }
        let buffered = matches!(def.behaviour, Behaviour::Process(_));
        let fine = if buffered {
            counter <= state.completed
        } else {
            state.open || state.over
        };
        if !fine {
            let when = if buffered { "before" } else { "after" };
            self.fault(format!("G3: item {counter} of {source} {when} `completed`"));
        }
    }
}
