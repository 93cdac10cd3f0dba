//! `nodetool.triggers`: nodes that begin or continue a run when something happens.
//!
//! An event that was delivered from outside comes as the undeclared property `__event__`; it wins over what a node
//! would have seen by itself.

use nodetool_sdk::{Node, Registry};

pub(crate) mod event;
mod file_watch_trigger;
mod interval_trigger;
mod manual_trigger;
mod snapshot;
mod wait;
mod webhook_trigger;

pub(crate) fn register(r: &mut Registry) {
    add::<file_watch_trigger::FileWatchTrigger>(r);
    add::<interval_trigger::IntervalTrigger>(r);
    add::<manual_trigger::ManualTrigger>(r);
    add::<wait::Wait>(r);
    add::<webhook_trigger::WebhookTrigger>(r);
}

/// Registers a node that takes `__event__` but no undeclared inputs of the user's.
fn add<N: Node>(r: &mut Registry) {
    let mut def = N::definition();
    def.metadata.is_dynamic = false;
    r.add_def(def);
}
