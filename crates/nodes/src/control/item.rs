//! What most of these nodes emit: an item, or an item and its place. Whether a null item travels is the engine's to say.

use nodetool_sdk::{NodeError, Outputs, Value};

use super::MAX_ITEMS;

/// One item.
#[derive(Outputs)]
pub(super) struct Item {
    pub(super) output: Value,
}

/// An item and its place.
#[derive(Outputs)]
pub(super) struct NumberedItem {
    pub(super) output: Value,
    pub(super) index: i64,
}

/// Fails when `property` asks a node to hold more than it may.
pub(super) fn refuse_more_than_max(property: &str, items: usize) -> Result<(), NodeError> {
    if items > MAX_ITEMS {
        return Err(NodeError::bad(
            property,
            format!("{items} items (expected at most {MAX_ITEMS})"),
        ));
    }
    Ok(())
}
