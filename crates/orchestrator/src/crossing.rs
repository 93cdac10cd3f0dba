//! Types of one dialect in graphs of the other: a step as a node of a dataflow graph, a node as a step of a loop.
//! Source: orchestrator spec 7.4.
//!
//! As nodes there are all steps but those that only mean something between loops or calls: readers and writers of
//! queues, calls from outside and the response to them, and producers that never end ([`ENDLESS`]). As steps there are
//! all nodes that take values and give values: no inputs, outputs, previews or comments, none that reads streams, none
//! that begins runs.

mod node;
mod step;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_sdk::Registry;
use nodetool_sdk::steps::{StepDef, Steps};

use node::node_of;

pub use step::step_of;

/// Producers that go on as long as something outside lets them.
const ENDLESS: [&str; 1] = ["google-sheets-get-record-by-query-provider"];

/// Adds the steps that make sense in dataflow graphs, as `orchestrator.<identifier>`.
pub fn dataflow(steps: &Steps, registry: &mut Registry) {
    for def in steps.iter() {
        if let Some(node) = node_of(def) {
            registry.add_def(node);
        }
    }
}

/// Every step type: those of this crate, and those a dataflow registry has to give, made when they are asked for.
pub fn steps(registry: &Arc<Registry>) -> Steps {
    let mut types = Steps::default();
    crate::register(&mut types);
    let registry = registry.clone();
    let made: Mutex<HashMap<Arc<str>, Arc<StepDef>>> = Mutex::default();
    types.set_other(Arc::new(move |name| {
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(def) = made.get(name) {
            return Some(def.clone());
        }
        let def = registry.get(name)?.clone();
        let name: Arc<str> = def.metadata.node_type.as_str().into();
        if let Some(def) = made.get(&name) {
            return Some(def.clone());
        }
        let def = Arc::new(step_of(def)?);
        made.insert(name, def.clone());
        Some(def)
    }));
    types
}

#[cfg(test)]
mod tests;
