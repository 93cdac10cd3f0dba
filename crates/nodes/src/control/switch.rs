//! `nodetool.control.Switch`.

use nodetool_sdk::{Emitted, Node, NodeCx, NodeError, OutputSlot, Outputs, Process, Value};
use nodetool_sdk::{TypeMetadata, ValueType};

/// Sends a value one way when another value is among some cases, and the other way when it is not.
/// switch, case, branch, route, match, default
///
/// Cases are compared as texts, so 1 and "1" are the same case.
#[derive(Node)]
#[node(namespace = "nodetool.control")]
pub(super) struct Switch {
    /// What is looked for.
    #[prop(default = "")]
    value: Value,
    /// Where it is looked for, in order.
    cases: Vec<Value>,
    /// What is sent on.
    input: Value,
}

/// What was sent and the place of the case; no place means the default way.
pub(super) struct Routed {
    input: Value,
    index: Option<usize>,
}

impl Outputs for Routed {
    fn slots() -> Vec<OutputSlot> {
        vec![
            OutputSlot::new("matched", TypeMetadata::any()),
            OutputSlot::new("default", TypeMetadata::any()),
            OutputSlot::new("index", i64::type_metadata()),
        ]
    }

    fn into_emitted(self) -> Emitted {
        let (way, index) = match self.index {
            Some(index) => (0, Value::from(index)),
            None => (1, Value::Int(-1)),
        };
        Emitted::Slots([(way, self.input), (2, index)].into_iter().collect())
    }
}

impl Process for Switch {
    type Output = Routed;

    async fn process(self, _: &NodeCx) -> Result<Routed, NodeError> {
        let value = text_of(&self.value);
        let index = self.cases.iter().position(|case| text_of(case) == value);
        Ok(Routed {
            input: self.input,
            index,
        })
    }
}

/// A value as text, numbers as JavaScript writes them: 1.0 is `1`.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => f.to_string(),
        Value::Str(s) => s.to_string(),
        Value::Bytes(_) | Value::List(_) | Value::Map(_) => {
            serde_json::to_string(value).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn cases_are_compared_as_texts_and_only_one_way_is_taken() {
        let cases = Value::list(["1".into(), 2i64.into(), true.into()]);
        for (value, index) in [
            (Value::Float(1.0), 0),
            ("2".into(), 1),
            ("true".into(), 2),
            (Value::Int(3), -1),
        ] {
            let got = case::<Switch>()
                .set("value", value)
                .set("cases", cases.clone())
                .set("input", "x")
                .run()
                .await
                .unwrap();
            let way = if index < 0 { "default" } else { "matched" };
            assert_eq!(got.len(), 1);
            assert_eq!(got[0].len(), 2);
            assert_eq!(got[0][way], "x".into());
            assert_eq!(got[0]["index"], index.into());
        }
    }
}
