//! `nodetool.data.FromList`.

use nodetool_sdk::{DataframeRef, Map, Node, NodeCx, NodeError, Process, Value};

use super::cell::Budget;
use super::frame::Frame;
use super::table::written;
use super::work;

/// Makes a table of a list of objects, one row each.
/// list, dict, records, dataframe, convert
///
/// Of an object in a cell its `value` counts; lists and other objects become text.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct FromList {
    /// The objects.
    values: Vec<Value>,
}

impl Process for FromList {
    type Output = DataframeRef;

    async fn process(self, _: &NodeCx) -> Result<DataframeRef, NodeError> {
        work::run(self.values.len().saturating_mul(8), move |_| {
            let mut budget = Budget::new();
            let rows = self.values.into_iter().enumerate().map(|(i, v)| match v {
                Value::Map(map) => plain(&map, &mut budget)
                    .map_err(|e| NodeError::bad("values", format!("in item {i} {e}"))),
                other => Err(NodeError::bad(
                    "values",
                    format!(
                        "List must contain dicts. Item {i} is {} {}",
                        other.kind(),
                        other.preview(60)
                    ),
                )),
            });
            let rows: Vec<Value> = rows.collect::<Result<_, _>>()?;
            let frame = Frame::from_rows(&[], &rows).map_err(|e| NodeError::bad("values", e))?;
            Ok(written(frame))
        })
        .await
    }
}

fn plain(map: &Map, budget: &mut Budget) -> Result<Value, String> {
    let mut row = Map::with_capacity(map.len());
    for (key, value) in map {
        let cell = match value {
            Value::Map(inner) if inner.contains_key("value") => {
                inner.get("value").cloned().unwrap_or_default()
            }
            Value::Map(_) | Value::List(_) | Value::Bytes(_) => budget.text(value)?.into(),
            other => other.clone(),
        };
        row.insert(key.clone(), cell);
    }
    Ok(row.into())
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn objects_in_cells_give_their_value_and_lists_become_text() {
        let rows = r#"[{"a":{"value":3,"unit":"m"},"b":[1,"x"]},{"a":null,"b":{"k":true}}]"#;
        let out = case::<FromList>()
            .set("values", serde_json::from_str::<Value>(rows).unwrap())
            .value()
            .await
            .unwrap();
        assert_eq!(
            format!("{:?}", out.get("data").unwrap()),
            r#"[[3.0, "[1, 'x']"], [null, "{'k': True}"]]"#
        );
    }
}
