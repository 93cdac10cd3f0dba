//! `nodetool.text.Contains`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

use crate::bounds;

/// How many of the texts have to be there.
#[derive(Clone, Copy, PartialEq, ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.text.Contains.MatchMode")]
pub(super) enum MatchMode {
    Any,
    All,
    None,
}

/// Tells whether a text holds others.
/// text, contains, search, substring, check
///
/// With nothing to look for, the answer is no, or yes when none should be there.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Contains Text")]
pub(super) struct Contains {
    /// Where to look.
    text: String,
    /// What to look for when the list is empty.
    substring: String,
    /// What to look for.
    search_values: Vec<String>,
    /// Whether capitals and small letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
    /// Whether one, all or none of them should be there.
    match_mode: MatchMode,
}

impl Process for Contains {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let mut wanted = self.search_values;
        if wanted.is_empty() && !self.substring.is_empty() {
            wanted.push(self.substring);
        }
        let (mut text, strict, mode) = (self.text, self.case_sensitive, self.match_mode);
        let steps = text.len().saturating_mul(wanted.len());
        bounds::work(steps, move || {
            if !strict {
                text = text.to_lowercase();
            }
            let mut found = wanted.iter().map(|w| {
                if strict {
                    text.contains(w.as_str())
                } else {
                    text.contains(&w.to_lowercase())
                }
            });
            Ok(match mode {
                MatchMode::Any => found.any(|f| f),
                MatchMode::All => !wanted.is_empty() && found.all(|f| f),
                MatchMode::None => !found.any(|f| f),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_list_comes_before_the_single_text() {
        for (mode, values, expected) in [
            ("any", vec!["x", "LO"], true),
            ("all", vec!["he", "x"], false),
            ("none", vec!["x"], true),
            ("all", vec![], true),
        ] {
            let values = Value::list(values.into_iter().map(Value::from));
            let found = case::<Contains>()
                .set("text", "Hello")
                .set("substring", "h")
                .set("search_values", values)
                .set("case_sensitive", false)
                .set("match_mode", mode)
                .value()
                .await
                .unwrap();
            assert_eq!(found, Value::from(expected), "{mode}");
        }
    }
}
