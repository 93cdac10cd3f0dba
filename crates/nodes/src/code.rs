//! `nodetool.code`: JavaScript in the sandbox, and programs of the host, which are off.

use nodetool_sdk::Registry;

mod code_node;
mod host_program;
mod script_host;

pub(crate) fn register(r: &mut Registry) {
    r.add::<code_node::Code>();
    host_program::register(r);
}
