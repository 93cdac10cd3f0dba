//! `nodetool.text.RegexMatch` and `RegexValidate`.

use nodetool_sdk::compat::regex::{Flags, PyRegex, RegexError};
use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::extract_regex::{Parts, with};
use crate::bounds::MAX_ITEMS;

/// Gives one group of every match of a regular expression.
/// text, regex, match, group, pattern, search
///
/// The dialect is that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Find Regex Matches")]
pub(super) struct RegexMatch {
    /// Where to look.
    text: String,
    /// The expression.
    pattern: String,
    /// Which group; 0 for the whole match.
    group: i64,
}

impl Process for RegexMatch {
    type Output = Parts;

    async fn process(self, _: &NodeCx) -> Result<Parts, NodeError> {
        let (text, pattern) = (self.text, self.pattern);
        let regex = with("pattern", move || PyRegex::new(&pattern, Flags::default())).await?;
        let groups = regex.group_count();
        let group = usize::try_from(self.group).ok().filter(|g| *g <= groups);
        let Some(group) = group else {
            return Err(NodeError::bad(
                "group",
                format!("no such group: {} (expected 0 to {groups})", self.group),
            ));
        };
        with("pattern", move || {
            let mut out = Vec::new();
            let mut bytes = 0;
            regex.each(&text, |found| {
                let part = found.group(group);
                bytes += part.map_or(0, str::len);
                if out.len() >= MAX_ITEMS || bytes > crate::bounds::MAX_TEXT {
                    return Err(RegexError::TooBig);
                }
                out.push(Value::from(part));
                Ok(true)
            })?;
            Ok(Parts::new(out))
        })
        .await
    }
}

/// Tells whether a text begins with what a regular expression describes.
/// text, regex, validate, check, format
///
/// End the expression with `$` to ask for the whole text. The dialect is that of Python.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Validate with Regex")]
pub(super) struct RegexValidate {
    /// The text.
    text: String,
    /// The expression.
    pattern: String,
}

impl Process for RegexValidate {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let (text, pattern) = (self.text, self.pattern);
        with("pattern", move || {
            let regex = PyRegex::new(&pattern, Flags::default())?;
            Ok(regex.match_start(&text)?.is_some())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_group_that_does_not_exist_is_refused() {
        let case = || {
            case::<RegexMatch>()
                .set("text", "a1 b2")
                .set("pattern", r"(\w)(\d)")
        };
        let digits = case().set("group", 2i64).value().await.unwrap();
        assert_eq!(digits, Value::list(["1".into(), "2".into()]));
        for group in [3i64, -1] {
            let e = case().set("group", group).value().await.unwrap_err();
            assert!(e.to_string().contains("no such group"), "{e}");
        }
    }

    #[tokio::test]
    async fn the_beginning_has_to_match() {
        for (text, yes) in [("abc1", true), ("-abc", false)] {
            let case = case::<RegexValidate>()
                .set("text", text)
                .set("pattern", "[a-c]+");
            assert_eq!(case.value().await.unwrap(), Value::from(yes), "{text}");
        }
    }
}
