//! Runs its body for each item of an array.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, StepKind, Token};
use nodetool_sdk::{Map, NodeError, Value};

use crate::condition::evaluate;
use crate::{Fields, FormStep};

/// It keeps nothing: the engine goes through the items.
#[derive(Default)]
pub(super) struct ForEach;

impl FormStep for ForEach {
    const IDENTIFIER: &'static str = "for-each";
    const CLASS: &'static str = "ForEachNode";
    const CATEGORY: &'static str = "Loop";
    const KIND: StepKind = StepKind::Loop;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "ForEachForm",
            fields: vec![
                FieldSpec::json("array_expression").help(
                    "An array as JSON or as a template renders it, or the path of one in the data, such as `http_request.body`.",
                ),
            ],
            check: None,
        })
    }

    async fn run(&mut self, fields: &Fields, token: Token, _: &StepCx) -> Result<Flow, NodeError> {
        let items = items(fields.text("array_expression").trim(), &token.data);
        Ok(Flow::Each(items, token))
    }
}

/// The items of an array: as JSON, as a literal, or at a path into the data; none of anything else.
fn items(text: &str, data: &Map) -> Vec<Value> {
    let found = match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => match evaluate(text, &Map::new()) {
            Ok(value @ Value::List(_)) => Some(value),
            _ => at_path(text, data),
        },
    };
    match found {
        Some(Value::List(items)) => std::sync::Arc::unwrap_or_clone(items),
        _ => Vec::new(),
    }
}

/// What stands at `key.key.0`; a leading `data.` is left out unless the data has such a key.
fn at_path(path: &str, data: &Map) -> Option<Value> {
    let mut keys = path.split('.').map(str::trim);
    let mut first = keys.next()?;
    if first == "data" && !data.contains_key("data") {
        first = keys.next()?;
    }
    let mut at = data.get(first)?;
    for key in keys {
        at = match at {
            Value::List(items) => items.get(key.parse::<usize>().ok()?)?,
            other => other.get(key)?,
        };
    }
    Some(at.clone())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, json as as_json, map, run};
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn items_come_from_json_from_literals_and_from_the_data() {
        let data = json!({"a": {"list": [1, [2, 3]], "text": "[1]"}, "list": ["x"]});
        for (expression, expected) in [
            ("[1, {\"k\": null}]", json!([1, {"k": null}])),
            ("[1, {'k': None}, True]", json!([1, {"k": null}, true])),
            ("a.list", json!([1, [2, 3]])),
            ("a.list.1", json!([2, 3])),
            ("data.list", json!(["x"])),
            ("list", json!(["x"])),
            ("a.text", json!([])),
            ("a", json!([])),
            ("no.where", json!([])),
            ("a.list.9", json!([])),
            ("7", json!([])),
            ("{\"a\": 1}", json!([])),
            ("", json!([])),
        ] {
            let form = json!({ "array_expression": expression });
            match run::<ForEach>(form, data.clone(), &context())
                .await
                .unwrap()
            {
                Flow::Each(items, token) => {
                    assert_eq!(as_json(&items.into()), expected, "{expression}");
                    assert_eq!(token.data, map(data.clone()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_key_named_data_is_found_too() {
        let data = map(json!({"data": {"list": [7]}}));
        assert_eq!(items("data.list", &data), [7i64.into()]);
    }
}
