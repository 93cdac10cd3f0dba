//! Chooses a way by a condition.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, StepKind, Token};
use nodetool_sdk::{NodeError, Value};

use crate::condition::evaluate;
use crate::{Fields, FormStep};

/// It keeps nothing: each token finds its own way.
#[derive(Default)]
pub(super) struct IfCondition;

impl FormStep for IfCondition {
    const IDENTIFIER: &'static str = "if-condition";
    const CLASS: &'static str = "IfCondition";
    const CATEGORY: &'static str = "Logical";
    const KIND: StepKind = StepKind::Conditional;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "IfConditionForm",
            fields: vec![
                FieldSpec::textarea("condition_expression")
                    .required()
                    .help("Condition over `data`, such as `data['counter']['current'] > 1`."),
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
        let expression = fields.text("condition_expression").trim();
        let result = evaluate(expression, &token.data).map_err(|why| {
            let shown: String = expression.chars().take(500).collect();
            NodeError::new(format!("Failed to evaluate condition '{shown}': {why}"))
        })?;
        let route = if is_truthy(&result) { "yes" } else { "no" };
        let noted = Value::map([
            ("route", Value::from(route)),
            ("expression", expression.into()),
            ("result", result),
        ]);
        token.put("if_condition", noted);
        Ok(Flow::Route(route.into(), token))
    }
}

/// Whether a value counts as true: nothing, zero and what is empty do not.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Int(n) => *n != 0,
        Value::Float(n) => *n != 0.0,
        Value::Str(text) => !text.is_empty(),
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{context, json as as_json, refusal, run, value};
    use super::*;
    use serde_json::json;

    async fn route(expression: &str) -> (String, serde_json::Value) {
        let form = json!({ "condition_expression": expression });
        match run::<IfCondition>(form, json!({"n": 2, "if_condition": 0}), &context()).await {
            Ok(Flow::Route(route, token)) => {
                assert_eq!(&*token.id, "unit", "the unit of work stays the same");
                (route.to_string(), as_json(&token.data["if_condition_2"]))
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_way_is_yes_or_no() {
        let (way, noted) = route("data['n'] == 2").await;
        assert_eq!(way, "yes");
        let expected = json!({"route": "yes", "expression": "data['n'] == 2", "result": true});
        assert_eq!(noted, expected);
        assert_eq!(route("data['n'] == 3").await.0, "no");
    }

    #[tokio::test]
    async fn a_condition_that_cannot_be_evaluated_is_told() {
        let form = json!({"condition_expression": "1 +"});
        let said = refusal::<IfCondition>(form, json!({}), &context()).await;
        assert!(
            said.starts_with("Failed to evaluate condition '1 +': "),
            "{said}"
        );
    }

    #[test]
    fn nothing_zero_and_what_is_empty_count_as_false() {
        for no in [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(!is_truthy(&value(no.clone())), "{no}");
        }
        for yes in [
            json!(true),
            json!(-1),
            json!(0.5),
            json!("0"),
            json!([0]),
            json!({"a": 0}),
        ] {
            assert!(is_truthy(&value(yes.clone())), "{yes}");
        }
    }
}
