//! `nodetool.text.RegexSplit`.

use nodetool_sdk::compat::regex::{Flags, PyRegex};
use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::extract_regex::{Parts, with};

/// Cuts a text where a regular expression matches.
/// text, regex, split, tokenize, pattern
///
/// What groups of the expression match stays in the list. The dialect is that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Split with Regex")]
pub(super) struct RegexSplit {
    /// What to cut.
    text: String,
    /// The expression.
    pattern: String,
    /// Most cuts; 0 for all.
    maxsplit: i64,
}

impl Process for RegexSplit {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let (text, pattern, most) = (self.text, self.pattern, self.maxsplit);
        with("pattern", move || {
            let regex = PyRegex::new(&pattern, Flags::default())?;
            let parts = regex.split(&text, most)?;
            Ok(Parts::new(parts.into_iter().map(Value::from).collect()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn groups_stay_and_cuts_are_counted() {
        let case = || {
            case::<RegexSplit>()
                .set("text", "a1b22c")
                .set("pattern", r"(\d+)")
        };
        let parts = Value::list(["a", "1", "b", "22", "c"].map(Value::from));
        assert_eq!(case().value().await.unwrap(), parts);
        let parts = Value::list(["a", "1", "b22c"].map(Value::from));
        assert_eq!(case().set("maxsplit", 1i64).value().await.unwrap(), parts);
    }
}
