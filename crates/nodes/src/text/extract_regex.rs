//! `nodetool.text.ExtractRegex` and `FindAllRegex`.

use nodetool_sdk::compat::regex::{Flags, PyRegex};
use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use crate::bounds::blocking;

/// Texts, or null for a group that took no part.
#[derive(Outputs)]
pub(super) struct Parts {
    #[slot(ty = "list[str]")]
    output: Value,
}

impl Parts {
    pub(super) fn new(items: Vec<Value>) -> Self {
        Parts {
            output: items.into(),
        }
    }
}

/// Takes the groups of the first match of a regular expression.
/// text, regex, extract, groups, pattern
///
/// A group that took no part is null; without a match the list is empty. The dialect is that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Extract Regex Groups")]
pub(super) struct ExtractRegex {
    /// Where to look.
    text: String,
    /// The expression, with groups.
    regex: String,
    /// Whether a dot stands for a line end too.
    dotall: bool,
    /// Whether letters match in both cases.
    ignorecase: bool,
    /// Whether ^ and $ stand for the ends of lines.
    multiline: bool,
}

impl Process for ExtractRegex {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let flags = flags(self.dotall, self.ignorecase, self.multiline);
        let (text, pattern) = (self.text, self.regex);
        with("regex", move || {
            let regex = PyRegex::new(&pattern, flags)?;
            let found = regex.search(&text)?;
            let groups = found.map(|f| f.groups().map(Value::from).collect());
            Ok(Parts::new(groups.unwrap_or_default()))
        })
        .await
    }
}

/// Finds all matches of a regular expression.
/// text, regex, find, all, pattern, matches
///
/// Gives whole matches, or the group when there is one, or lists of the groups when there are several. The dialect is
/// that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Find All Regex Matches")]
pub(super) struct FindAllRegex {
    /// Where to look.
    text: String,
    /// The expression.
    regex: String,
    /// Whether a dot stands for a line end too.
    dotall: bool,
    /// Whether letters match in both cases.
    ignorecase: bool,
    /// Whether ^ and $ stand for the ends of lines.
    multiline: bool,
}

impl Process for FindAllRegex {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let flags = flags(self.dotall, self.ignorecase, self.multiline);
        let (text, pattern) = (self.text, self.regex);
        with("regex", move || {
            PyRegex::new(&pattern, flags)?
                .find_all(&text)
                .map(Parts::new)
        })
        .await
    }
}

fn flags(dotall: bool, ignorecase: bool, multiline: bool) -> Flags {
    Flags {
        dotall,
        ignorecase,
        multiline,
        ..Flags::default()
    }
}

/// Matches on a thread for blocking work: even a short text can take long. What goes wrong is the pattern's fault.
pub(super) async fn with<T: Send + 'static>(
    property: &'static str,
    f: impl FnOnce() -> Result<T, nodetool_sdk::compat::regex::RegexError> + Send + 'static,
) -> Result<T, NodeError> {
    blocking(move || f().map_err(|e| NodeError::bad(property, e.to_string()))).await
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn groups_that_took_no_part_are_null() {
        let case = || case::<ExtractRegex>().set("text", "a=1\nb");
        let groups = case().set("regex", r"(\w)=(\d)|(x)").value().await.unwrap();
        assert_eq!(groups, Value::list(["a".into(), "1".into(), Value::Null]));
        let none = case().set("regex", "z").value().await.unwrap();
        assert_eq!(none, Value::list([]));
        let e = case()
            .set("regex", "(")
            .value()
            .await
            .unwrap_err()
            .to_string();
        assert!(e.contains("`regex`") && e.contains("unterminated"), "{e}");
    }

    #[tokio::test]
    async fn flags_change_what_matches() {
        let all = case::<FindAllRegex>()
            .set("text", "A\nb")
            .set("regex", "^.")
            .set("multiline", true)
            .value();
        assert_eq!(all.await.unwrap(), Value::list(["A".into(), "b".into()]));
        let all = case::<FindAllRegex>()
            .set("text", "A\nb")
            .set("regex", "a.")
            .set("dotall", true)
            .set("ignorecase", true)
            .value();
        assert_eq!(all.await.unwrap(), Value::list(["A\n".into()]));
    }
}
