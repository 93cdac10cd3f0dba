//! `nodetool.text.Template`.

use std::collections::HashMap;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::placeholders::Placeholders;
use crate::bounds;

/// Puts values into the marks of a text.
/// text, template, fill, placeholder, variable, format
///
/// Marks look like `{{ name }}` or `{name}`; those without a value stay as they are. A mark may have filters:
/// `{{ name|upper }}`.
#[derive(Node)]
#[node(namespace = "nodetool.text", dynamic)]
pub(super) struct Template {
    /// The text with marks.
    string: String,
    /// Values by name; added inputs come before them.
    #[prop(default = Map::new())]
    values: Value,
    #[prop(dynamic)]
    more: Map,
}

impl Process for Template {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        bounds::blocking(move || {
            let mut values: HashMap<&str, &Value> = HashMap::new();
            for map in [self.values.as_map(), Some(&self.more)]
                .into_iter()
                .flatten()
            {
                values.extend(map.iter().map(|(k, v)| (&**k, v)));
            }
            let placeholders = Placeholders {
                property: "string",
                single: true,
                lookup: &|name| values.get(name).map(|v| (*v).clone()),
            };
            placeholders.fill(&self.string)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn added_inputs_come_before_the_values() {
        let text = case::<Template>()
            .set("string", "{a}{{ b }}{{ c }}")
            .set(
                "values",
                Value::map([("a", 1i64), ("b", 2)].map(|(k, v)| (k, Value::Int(v)))),
            )
            .set("b", "x")
            .value()
            .await
            .unwrap();
        assert_eq!(text, Value::from("1x{{ c }}"));
    }
}
