//! `nodetool.list.GetElement`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::Items;

/// Takes the item at a place of a list.
/// list, get, element, item, index, pick
///
/// Places count from 0; negative ones from the end.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct GetElement {
    /// The list.
    values: Items,
    /// The place.
    index: i64,
}

impl Process for GetElement {
    type Output = Value;

    async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
        at(&self.values, self.index, "index").cloned()
    }
}

/// The item at a place; negative places count from the end.
pub(super) fn at<'a>(
    values: &'a [Value],
    index: i64,
    property: &str,
) -> Result<&'a Value, NodeError> {
    let place = if index < 0 {
        index.checked_add_unsigned(values.len() as u64)
    } else {
        Some(index)
    };
    place
        .and_then(|i| values.get(usize::try_from(i).ok()?))
        .ok_or_else(|| {
            let text = format!(
                "list index out of range: {index} in a list of {} items",
                values.len()
            );
            NodeError::bad(property, text)
        })
}
