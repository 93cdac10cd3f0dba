//! `nodetool.text.ToString`.

use nodetool_sdk::compat::{py_repr, py_str};
use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value, ValueType};

use crate::extent;

/// How a value is written.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.ToString.Mode")]
pub(super) enum Mode {
    Str,
    Repr,
}

/// Writes any value as text.
/// text, string, convert, print, cast
///
/// Values look as Python prints them: `True`, `None`, `1.0`, `['a', 1]`.
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct ToString {
    /// The value.
    #[prop(default = Vec::<Value>::new())]
    value: Value,
    /// `str` leaves a text as it is, `repr` quotes it.
    mode: Mode,
}

impl Process for ToString {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let writer = match self.mode {
            Mode::Str => py_str,
            Mode::Repr => py_repr,
        };
        extent::write("value", self.value, 0, writer).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn only_repr_quotes_a_text() {
        let case = || case::<ToString>().set("value", "it's");
        assert_eq!(case().value().await.unwrap(), Value::from("it's"));
        let quoted = case().set("mode", "repr").value().await.unwrap();
        assert_eq!(quoted, Value::from("\"it's\""));
    }
}
