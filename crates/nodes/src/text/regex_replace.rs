//! `nodetool.text.RegexReplace`.

use nodetool_sdk::compat::regex::{Flags, PyRegex};
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::extract_regex::with;

/// Replaces what a regular expression matches.
/// text, regex, replace, substitute, pattern
///
/// The replacement may name groups as `\1` or `\g<name>`. The dialect is that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Replace with Regex")]
pub(super) struct RegexReplace {
    /// Where to look.
    text: String,
    /// The expression.
    pattern: String,
    /// What comes instead.
    replacement: String,
    /// Most replacements; 0 for all.
    count: i64,
}

impl Process for RegexReplace {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let pattern = self.pattern;
        let regex = with("pattern", move || PyRegex::new(&pattern, Flags::default())).await?;
        let replacement = regex
            .replacement(&self.replacement)
            .map_err(|e| NodeError::bad("replacement", e.to_string()))?;
        let (text, count) = (self.text, self.count);
        with("pattern", move || regex.replace(&text, &replacement, count)).await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn groups_can_be_named_and_a_wrong_replacement_is_told_apart_from_a_wrong_pattern() {
        let case = || {
            case::<RegexReplace>()
                .set("text", "John Smith")
                .set("pattern", r"(?P<first>\w+) (\w+)")
        };
        let text = case().set("replacement", r"\2, \g<first>").value().await;
        assert_eq!(text.unwrap(), Value::from("Smith, John"));
        let e = case().set("replacement", r"\3").value().await.unwrap_err();
        assert!(e.to_string().contains("`replacement`"), "{e}");
        let e = case().set("pattern", "[").value().await.unwrap_err();
        assert!(e.to_string().contains("`pattern`"), "{e}");
    }
}
