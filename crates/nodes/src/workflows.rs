//! `nodetool.workflows`: the types the engine treats apart, other workflows as nodes, and types of test files.

use nodetool_sdk::Registry;

mod base_node;
mod test_helper;
mod workflow_node;

/// Registers them; the tool result comes first, where clients look for it.
pub(crate) fn register(r: &mut Registry) {
    base_node::register(r);
    r.add::<workflow_node::Workflow>();
    test_helper::register(r);
}
