//! The built-in node types that need only light dependencies: one folder per namespace, one file per node.
//!
//! To add a node, write its file and add its line to the namespace's `register`. Nodes must not know the engine, the
//! store or the server: what they need from those comes through `NodeCx`.

use nodetool_sdk::Registry;

mod boolean;
mod code;
mod control;
mod math;
mod triggers;
mod variable;

/// Registers every node type of this crate.
pub fn register(r: &mut Registry) {
    boolean::register(r);
    code::register(r);
    control::register(r);
    math::register(r);
    triggers::register(r);
    variable::register(r);
}
