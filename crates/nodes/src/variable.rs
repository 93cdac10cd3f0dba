//! `nodetool.variable`: values shared by name within one run.

use nodetool_sdk::{NodeError, Registry};

mod get_variable;
mod set_variable;

/// Longest name of a variable, in bytes.
const MAX_NAME: usize = 256;

pub(crate) fn register(r: &mut Registry) {
    r.add::<get_variable::GetVariable>();
    r.add::<set_variable::SetVariable>();
}

/// Fails when `name` cannot name a variable.
fn check_name(name: &str) -> Result<(), NodeError> {
    if name.trim().is_empty() {
        return Err(NodeError::bad(
            "name",
            "empty text (expected the name of a variable)",
        ));
    }
    if name.len() > MAX_NAME {
        return Err(NodeError::bad(
            "name",
            format!("{} bytes (expected at most {MAX_NAME})", name.len()),
        ));
    }
    Ok(())
}
