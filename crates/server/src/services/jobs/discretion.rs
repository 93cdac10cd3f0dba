//! Keeps the secrets a run has read to itself: out of its messages, and out of what it leaves on disk to go on with.

use std::sync::Arc;

use nodetool_engine::{Emission, Journal};
use nodetool_protocol::JobEvent;
use nodetool_sdk::{BoxFuture, EventSink, NodeError};

use super::journal::JobJournal;
use crate::services::Seen;

/// Passes messages on without values of secrets.
pub(super) struct Discreet {
    to: Arc<dyn EventSink>,
    seen: Arc<Seen>,
}

impl Discreet {
    pub(super) fn new(to: Arc<dyn EventSink>, seen: Arc<Seen>) -> Self {
        Discreet { to, seen }
    }
}

impl EventSink for Discreet {
    fn emit(&self, event: JobEvent) {
        self.to.emit(self.seen.hide_event(event));
    }

    fn listening(&self) -> bool {
        self.to.listening()
    }

    fn behind(&self) -> bool {
        self.to.behind()
    }

    fn caught_up<'a>(&'a self) -> BoxFuture<'a, ()> {
        self.to.caught_up()
    }
}

/// Writes down what nodes emitted, except what holds a secret. With the value masked, a resumed run would go on with
/// the mask; without a record, such a node runs again and reads the secret anew. What such a node does to the world is
/// not done again unasked: its execution stays begun, and a resumed run asks what became of it.
pub(super) struct DiscreetJournal {
    to: Arc<JobJournal>,
    seen: Arc<Seen>,
}

impl DiscreetJournal {
    pub(super) fn new(to: Arc<JobJournal>, seen: Arc<Seen>) -> Self {
        DiscreetJournal { to, seen }
    }

    fn holds_secret(&self, emitted: &[Emission]) -> bool {
        self.seen.is_in(emitted.iter().map(|(_, value)| value))
    }
}

impl Journal for DiscreetJournal {
    fn node_finished(&self, node_id: &Arc<str>, emitted: Option<Vec<Emission>>) {
        let emitted = emitted.filter(|emitted| !self.holds_secret(emitted));
        self.to.node_finished(node_id, emitted);
    }

    fn effect_begins<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        self.to.effect_begins(node_id, n)
    }

    fn effect_done<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
        emitted: Vec<Emission>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        if self.holds_secret(&emitted) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.to.effect_done(node_id, n, emitted)
    }
}
