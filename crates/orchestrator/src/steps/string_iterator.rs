//! Gives the parts of a text, one in each iteration, then ends.

use nodetool_sdk::steps::{FieldKind, FieldSpec, Flow, FormSpec, StepCx, StepKind, Token};
use nodetool_sdk::{Map, NodeError, Value};

use crate::{Fields, FormStep};

/// The parts that are left and how many there have been. The text is read once: it stays the same for the whole run.
#[derive(Default)]
pub(super) struct StringIterator {
    parts: Option<std::vec::IntoIter<String>>,
    index: i64,
}

impl FormStep for StringIterator {
    const IDENTIFIER: &'static str = "string-iterator-producer";
    const CLASS: &'static str = "StringIterator";
    const CATEGORY: &'static str = "Data";
    const KIND: StepKind = StepKind::Producer;

    fn form() -> Option<FormSpec> {
        let separators = vec![
            ("newline", "New line"),
            ("comma", "Comma"),
            ("custom", "Custom"),
        ];
        Some(FormSpec {
            name: "StringIteratorForm",
            fields: vec![
                FieldSpec::textarea("data_content")
                    .required()
                    .help("Text that is taken apart."),
                FieldSpec::new("separator_type", FieldKind::Choice(separators))
                    .required()
                    .initial("newline")
                    .help("What stands between two parts."),
                FieldSpec::text("custom_separator")
                    .help("The separator, when it is a custom one; without it, parts are lines."),
            ],
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        _: &StepCx,
    ) -> Result<Flow, NodeError> {
        let parts = self.parts.get_or_insert_with(|| split(fields).into_iter());
        let Some(part) = parts.next() else {
            token.data = Map::from_iter([("value".into(), Value::str("Iteration completed"))]);
            return Ok(Flow::Completed(token));
        };
        self.index += 1;
        let now = Value::map([
            ("value", Value::from(part)),
            ("iteration_index", Value::Int(self.index)),
        ]);
        token.put("string_iterator", now);
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        *self = Self::default();
    }
}

fn split(fields: &Fields) -> Vec<String> {
    let separator = match (
        fields.text("separator_type"),
        fields.text("custom_separator"),
    ) {
        ("comma", _) => ",",
        ("custom", custom) if !custom.is_empty() => custom,
        _ => "\n",
    };
    fields
        .text("data_content")
        .split(separator)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, fields, json, token};
    use super::*;
    use serde_json::json as j;

    async fn parts(form: serde_json::Value) -> Vec<(String, i64)> {
        let (mut step, cx, form) = (StringIterator::default(), context(), fields(form));
        let mut parts = Vec::new();
        loop {
            match step.run(&form, token(j!({})), &cx).await.unwrap() {
                Flow::Go(token) => {
                    let now = &token.data["string_iterator"];
                    let text = now.get("value").unwrap().as_str().unwrap().to_owned();
                    parts.push((text, now.get("iteration_index").unwrap().as_i64().unwrap()));
                }
                Flow::Completed(token) => {
                    let said = json(&Value::from(token.data));
                    assert_eq!(said, j!({"value": "Iteration completed"}));
                    return parts;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn parts_are_trimmed_counted_from_one_and_never_blank() {
        let lines = j!({"data_content": "a\r\n\n  b  \n", "separator_type": "newline"});
        assert_eq!(parts(lines).await, [("a".into(), 1), ("b".into(), 2)]);
        let commas = j!({"data_content": "a, b,,c", "separator_type": "comma"});
        assert_eq!(parts(commas).await.len(), 3);
        let custom =
            j!({"data_content": "a;;b", "separator_type": "custom", "custom_separator": ";;"});
        assert_eq!(parts(custom).await.len(), 2);
        let none = j!({"data_content": "a;b\nc", "separator_type": "custom"});
        assert_eq!(parts(none).await, [("a;b".into(), 1), ("c".into(), 2)]);
    }

    #[tokio::test]
    async fn the_text_is_read_once_and_again_after_the_end() {
        let (mut step, cx) = (StringIterator::default(), context());
        let form = |text| fields(j!({"data_content": text, "separator_type": "comma"}));
        let value = |flow| match flow {
            Flow::Go(token) => json(&token.data["string_iterator"]),
            other => panic!("{other:?}"),
        };
        let run = step.run(&form("a,b"), token(j!({})), &cx).await;
        assert_eq!(value(run.unwrap())["value"], "a");
        let run = step.run(&form("x,y"), token(j!({})), &cx).await;
        assert_eq!(value(run.unwrap())["value"], "b");
        step.cleanup(None, &cx).await;
        let run = step.run(&form("x,y"), token(j!({})), &cx).await;
        assert_eq!(
            value(run.unwrap()),
            j!({"value": "x", "iteration_index": 1})
        );
    }
}
