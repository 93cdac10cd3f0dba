//! `nodetool.text.ExtractJSON`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::parse_json::parse;
use crate::json::path::select;

/// Takes parts out of JSON text by a path.
/// json, jsonpath, extract, query, select
///
/// Paths look like `$.orders[*].id`, `$..name`, `$.list[1:3]` or `$.items[?(@.price < 10)]`; the `$` may be left out.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Extract JSON")]
pub(super) struct ExtractJSON {
    /// The JSON.
    #[prop(title = "JSON Text")]
    text: String,
    /// Which parts.
    #[prop(default = "$.*", title = "JSONPath Expression")]
    json_path: String,
    /// Whether to give a list of all parts rather than the first.
    find_all: bool,
}

impl Process for ExtractJSON {
    type Output = Value;

    async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
        let (path, all) = (self.json_path, self.find_all);
        super::on(self.text, move |text| {
            let value = parse("text", text)?;
            let limit = if all { usize::MAX } else { 1 };
            let found = select(&path, &value, limit).map_err(|e| NodeError::bad("json_path", e))?;
            if all {
                return Ok(Value::list(found));
            }
            found.into_iter().next().ok_or_else(|| {
                NodeError::bad(
                    "json_path",
                    "JSONPath did not match anything (expected a path to a part of the JSON)",
                )
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn the_first_part_or_all_of_them_come_out() {
        let case = || case::<ExtractJSON>().set("text", r#"{"a": [{"b": 1}, {"b": null}]}"#);
        let first = case().set("json_path", "$.a[*].b").value().await.unwrap();
        assert_eq!(first, Value::Int(1));
        let all = case().set("json_path", "a[*].b").set("find_all", true);
        assert_eq!(
            all.value().await.unwrap(),
            Value::list([1i64.into(), Value::Null])
        );
        let none = case().set("json_path", "$.c").value().await.unwrap_err();
        assert!(none.to_string().contains("did not match"), "{none}");
    }
}
