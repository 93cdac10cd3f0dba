//! `nodetool.text.FormatText`.

use std::borrow::Cow;
use std::collections::HashMap;

use nodetool_sdk::compat::template::{Limits, Template};
use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use crate::bounds;

/// Renders a template with the added inputs.
/// text, template, format, jinja, fill, variable
///
/// Templates are written as in Jinja: `{{ name|upper }}`, `{% for x in list %}…{% endfor %}`, `{% if x %}…{% endif %}`.
/// A lone `{name}` is understood too, names do not mind capitals, and a name without a value prints as nothing.
#[derive(Node)]
#[node(namespace = "nodetool.text", dynamic)]
pub(super) struct FormatText {
    /// The template. Filters: truncate, upper, lower, title, trim, replace, default, first, last, length, sort, join,
    /// round and more.
    template: String,
    #[prop(dynamic)]
    inputs: Map,
}

impl Process for FormatText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        bounds::blocking(move || {
            let names: HashMap<String, &Value> = self
                .inputs
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect();
            let lookup = |name: &str| names.get(&name.to_lowercase()).map(|v| (*v).clone());
            Template::parse(&doubled(&self.template))
                .and_then(|template| template.render(&lookup, Limits::default()))
                .map_err(|e| NodeError::bad("template", format!("Template error: {e}")))
        })
        .await
    }
}

/// The template with each lone `{name}` outside of tags as `{{ name }}`.
fn doubled(template: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    let mut at = 0;
    while let Some(i) = template[at..].find('{') {
        at += i;
        let rest = &template[at..];
        let close = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
            .into_iter()
            .find(|(open, _)| rest.starts_with(open));
        if let Some((open, close)) = close {
            let Some(end) = rest[open.len()..].find(close) else {
                break;
            };
            at += open.len() + end + close.len();
            continue;
        }
        at += 1;
        let name = &template[at..];
        let len = name
            .find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(name.len());
        let lone = name[len..].starts_with('}') && !name[len + 1..].starts_with('}');
        if lone && !name.starts_with(|c: char| c.is_numeric()) && len > 0 {
            out.push_str(&template[done..at]);
            out.push_str("{ ");
            out.push_str(&name[..len]);
            out.push_str(" }}");
            at += len + 1;
            done = at;
        }
    }
    if done == 0 {
        return template.into();
    }
    out.push_str(&template[done..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn names_do_not_mind_capitals_and_unknown_ones_are_empty() {
        let case = || case::<FormatText>().set("Name", "Bob").set("ok", true);
        for (template, expected) in [
            ("Hi {Name}! {{ Name|upper }} {x}", "Hi Bob! BOB "),
            ("{{NAME}} {% if OK %}{{ ok }}{% endif %}", "Bob True"),
            ("{\"a\": {name}, \"b\": {0} }", "{\"a\": Bob, \"b\": {0} }"),
            ("{% raw %}{{ name }}{% endraw %}{}", "{{ name }}{}"),
            ("{% for N in [1, 2] %}{{ N }}{% endfor %}", "12"),
        ] {
            let text = case().set("template", template).value().await.unwrap();
            assert_eq!(text, Value::from(expected), "{template}");
        }
    }

    #[tokio::test]
    async fn a_template_that_is_wrong_fails_the_node() {
        let e = case::<FormatText>()
            .set("template", "a\n{{ x|")
            .value()
            .await;
        let e = e.unwrap_err().to_string();
        assert!(
            e.contains("`template`") && e.contains("Template error") && e.contains("line 2"),
            "{e}"
        );
    }
}
