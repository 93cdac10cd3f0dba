//! `nodetool.text.FilterRegexString`.

use std::sync::Arc;

use nodetool_sdk::compat::regex::{Flags, PyRegex};
use nodetool_sdk::{Emitter, Inputs, Node, NodeCx, NodeError, Pipe, Severity, Value};

use super::extract_regex::with;
use super::filter_string::Kept;
use crate::stream_filter::{StreamFilter, setting, sift};

/// Passes the texts of a stream that match a regular expression.
/// filter, regex, pattern, stream, text, match
///
/// What is no text is left out; an expression that is wrong lets nothing pass and says so in the log. The dialect is
/// that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", kind = Pipe)]
pub(super) struct FilterRegexString {
    /// The texts.
    #[prop(ty = "str", default = "")]
    value: Value,
    /// The expression.
    pattern: String,
    /// Whether the whole text has to match.
    full_match: bool,
}

struct Filter {
    pattern: String,
    full_match: bool,
    /// What the two above compile to, once asked for.
    compiled: Option<Result<Arc<PyRegex>, String>>,
}

impl StreamFilter for Filter {
    const SETTINGS: &'static [&'static str] = &["pattern", "full_match"];

    fn set(&mut self, handle: &str, value: Value) -> Result<(), NodeError> {
        match handle {
            "pattern" => self.pattern = setting(handle, value)?,
            _ => self.full_match = setting(handle, value)?,
        }
        self.compiled = None;
        Ok(())
    }

    async fn keeps(&mut self, item: &Value, cx: &NodeCx) -> bool {
        let Value::Str(text) = item else {
            return false;
        };
        let full = self.full_match;
        if self.compiled.is_none() {
            let pattern = self.pattern.clone();
            let regex = with("pattern", move || {
                if full {
                    PyRegex::full(&pattern, Flags::default())
                } else {
                    PyRegex::new(&pattern, Flags::default())
                }
            });
            let regex = regex.await.map(Arc::new).map_err(|e| e.to_string());
            if let Err(e) = &regex {
                cx.log(Severity::Warning, e.clone());
            }
            self.compiled = Some(regex);
        }
        let Some(Ok(regex)) = self.compiled.clone() else {
            return false;
        };
        let text = text.clone();
        let found = with("pattern", move || {
            let found = if full {
                regex.match_start(&text)?
            } else {
                regex.search(&text)?
            };
            Ok(found.is_some())
        });
        match found.await {
            Ok(found) => found,
            Err(e) => {
                cx.log(Severity::Warning, e.to_string());
                false
            }
        }
    }
}

impl Pipe for FilterRegexString {
    type Output = Kept;

    async fn pipe(
        self,
        inputs: &mut Inputs<'_>,
        out: &Emitter<'_, Kept>,
        cx: &NodeCx,
    ) -> Result<(), NodeError> {
        let filter = Filter {
            pattern: self.pattern,
            full_match: self.full_match,
            compiled: None,
        };
        sift(filter, self.value, inputs, out, cx, Kept::new).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_full_match_takes_the_whole_text_and_a_wrong_pattern_nothing() {
        for (pattern, full, expected) in [
            ("a|ab", true, vec!["a", "ab"]),
            ("b", false, vec!["ab", "abc"]),
            ("(", false, vec![]),
        ] {
            let kept = case::<FilterRegexString>()
                .set("pattern", pattern)
                .set("full_match", full)
                .arrive("value", ["a", "ab", "abc"])
                .output();
            let expected: Vec<Value> = expected.into_iter().map(Value::from).collect();
            assert_eq!(kept.await.unwrap(), expected, "{pattern}");
        }
    }

    #[tokio::test]
    async fn a_later_pattern_holds_from_then_on() {
        let kept = case::<FilterRegexString>()
            .arrive("pattern", ["a"])
            .arrive("value", ["a", "b"])
            .arrive("pattern", ["b"])
            .arrive("value", ["a", "b"])
            .output();
        assert_eq!(kept.await.unwrap(), ["a", "b"].map(Value::from));
    }
}
