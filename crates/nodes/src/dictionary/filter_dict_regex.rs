//! `nodetool.dictionary.FilterDictRegex`.

use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};
use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Severity, Value};

use super::Kept;
use super::filter_dict_by_value::text;
use crate::bounds;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Steps back that one match may take.
const MAX_BACKTRACKING: usize = 200_000;

/// Longest text that is matched without leaving the async threads.
const SHORT: usize = 16 << 10;

/// Passes the dictionaries of a stream whose field matches a regular expression.
/// dictionary, filter, regex, pattern, match, stream
///
/// Dictionaries without the field are left out; a pattern that cannot be read matches nothing.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", kind = Pipe)]
pub(super) struct FilterDictRegex {
    /// The dictionaries.
    #[prop(ty = "dict", default = nodetool_sdk::Map::new())]
    value: Value,
    /// The field.
    key: String,
    /// The expression.
    pattern: String,
    /// Whether it must match the whole text.
    full_match: bool,
}

/// The node with the expression it was last asked for.
struct Matcher {
    node: FilterDictRegex,
    /// `None` until it is needed; inside, `None` when it cannot be read.
    compiled: Option<Option<Arc<Regex>>>,
}

impl StreamFilter for Matcher {
    const SETTINGS: &'static [&'static str] = &["key", "pattern", "full_match"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "key" => self.node.key = setting(handle, value)?,
            "pattern" => self.node.pattern = setting(handle, value)?,
            _ => self.node.full_match = setting(handle, value)?,
        }
        self.compiled = None;
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, cx: &NodeCx) -> bool {
        let Some(text) = item.get(&self.node.key).and_then(text) else {
            return false;
        };
        let Some(regex) = self.regex(cx).await else {
            return false;
        };
        let short = text.len() <= SHORT;
        let hit = move || {
            regex
                .is_match(&text)
                .map_err(|e| NodeError::new(e.to_string()))
        };
        let result = if short {
            hit()
        } else {
            bounds::blocking(hit).await
        };
        result.unwrap_or_else(|e| {
            cx.log(
                Severity::Warning,
                format!("Matching `pattern` was given up: {e}"),
            );
            false
        })
    }
}

impl Matcher {
    async fn regex(&mut self, cx: &NodeCx) -> Option<Arc<Regex>> {
        if let Some(compiled) = &self.compiled {
            return compiled.clone();
        }
        let (pattern, whole) = (self.node.pattern.clone(), self.node.full_match);
        let compiled = match bounds::blocking(move || compile(&pattern, whole)).await {
            Ok(regex) => Some(Arc::new(regex)),
            Err(e) => {
                cx.log(Severity::Warning, format!("{e}; nothing matches"));
                None
            }
        };
        self.compiled = Some(compiled.clone());
        compiled
    }
}

fn compile(pattern: &str, whole: bool) -> Result<Regex, NodeError> {
    let build = |p: &str| {
        RegexBuilder::new(p)
            .backtrack_limit(MAX_BACKTRACKING)
            .build()
            .map_err(|e| NodeError::bad("pattern", e.to_string()))
    };
    // Read alone first, so that a pattern cannot close the group it is put into.
    let regex = build(pattern)?;
    if whole {
        build(&format!(r"\A(?:{pattern})\z"))
    } else {
        Ok(regex)
    }
}

impl Pipe for FilterDictRegex {
    type Output = Kept;

    async fn pipe(
        mut self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let configured = std::mem::take(&mut self.value);
        let matcher = Matcher {
            node: self,
            compiled: None,
        };
        sift(matcher, configured, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    async fn matches(pattern: &str, whole: bool, text: &str) -> bool {
        let item = Value::map([("k", Value::from(text))]);
        let case = case::<FilterDictRegex>().set("key", "k");
        let case = case.set("pattern", pattern).set("full_match", whole);
        !case
            .arrive("value", [item])
            .output()
            .await
            .unwrap()
            .is_empty()
    }

    #[tokio::test]
    async fn a_full_match_covers_every_branch_of_the_pattern() {
        assert!(matches("b|bob", true, "bob").await);
        assert!(!matches("b|bob", true, "bobby").await);
        assert!(matches("b|bob", false, "bobby").await);
        assert!(!matches("b)|(c", true, "b").await);
    }

    #[tokio::test]
    async fn patterns_that_explode_are_given_up() {
        let text = "a".repeat(60) + "!";
        assert!(!matches(r"^(?=(a+)+$)(a|aa)+\1$", false, &text).await);
        assert!(!matches("((a{1000}){1000}){1000}", false, "a").await);
    }

    #[tokio::test]
    async fn a_new_pattern_applies_to_the_items_after_it() {
        let item = |s: &str| Value::map([("k", Value::from(s))]);
        let kept = case::<FilterDictRegex>()
            .set("key", "k")
            .arrive("pattern", ["a"])
            .arrive("value", [item("a"), item("b")])
            .arrive("pattern", ["b"])
            .arrive("value", [item("a"), item("b")])
            .output()
            .await;
        assert_eq!(
            Value::from(kept.unwrap()),
            Value::list([item("a"), item("b")])
        );
    }
}
