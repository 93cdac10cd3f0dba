//! `nodetool.text.Compare` and `Equals`.

use std::cmp::Ordering;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{chars, on};

/// Tells which of two texts comes first.
/// text, compare, order, sort, less, greater
///
/// The answer is `less`, `equal` or `greater`, by code points.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "Compare Text")]
pub(super) struct Compare {
    /// One text.
    #[prop(title = "First Text")]
    text_a: String,
    /// The other.
    #[prop(title = "Second Text")]
    text_b: String,
    /// Whether capitals and small letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
    /// Whether blanks at the ends are left out.
    trim_whitespace: bool,
}

impl Process for Compare {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (b, strict, trim) = (self.text_b, self.case_sensitive, self.trim_whitespace);
        on(self.text_a, move |a| {
            let word = match order(a, &b, strict, trim) {
                Ordering::Less => "less",
                Ordering::Equal => "equal",
                Ordering::Greater => "greater",
            };
            Ok(word.to_owned())
        })
        .await
    }
}

/// Tells whether two texts are the same.
/// text, equals, same, match, compare
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct Equals {
    /// One text.
    #[prop(title = "First Text")]
    text_a: String,
    /// The other.
    #[prop(title = "Second Text")]
    text_b: String,
    /// Whether capitals and small letters differ.
    #[prop(default = true)]
    case_sensitive: bool,
    /// Whether blanks at the ends are left out.
    trim_whitespace: bool,
}

impl Process for Equals {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let (b, strict, trim) = (self.text_b, self.case_sensitive, self.trim_whitespace);
        on(self.text_a, move |a| Ok(order(a, &b, strict, trim).is_eq())).await
    }
}

fn order(a: &str, b: &str, case_sensitive: bool, trim: bool) -> Ordering {
    let (a, b) = if trim {
        (chars::trim(a), chars::trim(b))
    } else {
        (a, b)
    };
    if case_sensitive {
        a.cmp(b)
    } else {
        a.to_lowercase().cmp(&b.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_count_only_when_asked_for() {
        assert_eq!(order("Z", "a", true, false), Ordering::Less);
        assert_eq!(order("Z", "a", false, false), Ordering::Greater);
        assert_eq!(order(" É\n", "é", false, true), Ordering::Equal);
        assert_eq!(order("\u{ffff}", "\u{10000}", true, false), Ordering::Less);
    }
}
