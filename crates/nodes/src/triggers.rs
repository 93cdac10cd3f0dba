//! `nodetool.triggers`: nodes that begin or continue a run when something happens.
//!
//! An event that was delivered from outside comes as the undeclared property `__event__`; it wins over what a node
//! would have seen by itself.

use nodetool_sdk::{Node, NodeDef, Registry};

pub use folder_watch::{BadProperty, FolderWatch, MAX_SEEN_BYTES, Seen, WatchSettings};

mod cron_trigger;
pub(crate) mod event;
mod file_watch_trigger;
mod folder_watch;
mod interval_trigger;
mod manual_trigger;
mod snapshot;
mod wait;
mod webhook_trigger;

pub(crate) fn register(r: &mut Registry) {
    add::<cron_trigger::CronTrigger>(r);
    add::<file_watch_trigger::FileWatchTrigger>(r);
    add::<interval_trigger::IntervalTrigger>(r);
    add::<manual_trigger::ManualTrigger>(r);
    r.add_def(definition::<wait::Wait>());
    add::<webhook_trigger::WebhookTrigger>(r);
}

/// Registers a node at which a run can begin.
fn add<N: Node>(r: &mut Registry) {
    let mut def = definition::<N>();
    def.begins_runs = true;
    r.add_def(def);
}

/// A node that takes `__event__` but no undeclared inputs of the user's.
fn definition<N: Node>() -> NodeDef {
    let mut def = N::definition();
    def.metadata.is_dynamic = false;
    def
}
