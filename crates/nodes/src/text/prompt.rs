//! `nodetool.text.Prompt`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use super::placeholders::Placeholders;
use crate::bounds;

/// Writes a prompt for a model, with values in its marks.
/// text, prompt, template, variable, fill
///
/// Marks look like `{{ name }}`. They take added inputs, then the variables of the run; those without a value stay as
/// they are. A mark may have filters: `{{ name|upper }}`.
#[derive(Node)]
#[node(namespace = "nodetool.text", dynamic, uncached)]
pub(super) struct Prompt {
    /// The text with marks.
    prompt: String,
    #[prop(dynamic)]
    more: Map,
}

impl Process for Prompt {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let run = cx.run.clone();
        bounds::blocking(move || {
            let placeholders = Placeholders {
                property: "prompt",
                single: false,
                lookup: &|name| {
                    let given = self.more.get(name).filter(|v| !v.is_null());
                    given.cloned().or_else(|| run.variables.get(name))
                },
            };
            placeholders.fill(&self.prompt)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::{case, context};

    use super::*;

    #[tokio::test]
    async fn inputs_come_before_variables_of_the_run() {
        let cx = context();
        cx.run.variables.set("a", "variable".into());
        cx.run.variables.set("b", Value::Int(2));
        let text = case::<Prompt>()
            .set("prompt", "{{ a }} {{b}} {{ c }} {a}")
            .set("a", "input")
            .within(cx)
            .value()
            .await
            .unwrap();
        assert_eq!(text, Value::from("input 2 {{ c }} {a}"));
    }
}
