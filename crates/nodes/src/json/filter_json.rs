//! `lib.json.FilterJSON`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::document::weigh;
use crate::bounds::work;

/// Parts compared, in all.
const MOST_STEPS: usize = 100_000_000;

/// Keeps the records whose field has a given value.
/// json, filter, list, records, match, search
///
/// Records without the field are dropped, and so is what is no record.
#[derive(Node)]
#[node(namespace = "lib.json")]
pub(super) struct FilterJSON {
    /// The records.
    #[prop(ty = "list[dict]")]
    array: Vec<Value>,
    /// The field.
    key: String,
    /// The value it must have.
    #[prop(default = nodetool_sdk::Map::new())]
    value: Value,
}

/// The records kept.
#[derive(Outputs)]
pub(super) struct Records {
    #[slot(ty = "list[dict]")]
    output: Value,
}

impl Process for FilterJSON {
    type Output = Records;

    async fn process(self, _: &NodeCx) -> Result<Records, NodeError> {
        let Self { array, key, value } = self;
        let weight = weigh(&value, 0).map_err(|e| NodeError::bad("value", e))?;
        // A comparison costs no more than its smaller side.
        let each = weight.values + weight.bytes / 64;
        let cost = array.len().saturating_mul(each);
        if cost > MOST_STEPS {
            return Err(NodeError::bad(
                "array",
                format!(
                    "{} records against a value of {} bytes would take too long",
                    array.len(),
                    weight.bytes
                ),
            ));
        }
        let kept: Vec<Value> = work(cost / 4, move || {
            let matches = |item: &Value| item.get(&key).is_some_and(|v| *v == value);
            Ok(array.into_iter().filter(matches).collect())
        })
        .await?;
        Ok(Records {
            output: kept.into(),
        })
    }
}
