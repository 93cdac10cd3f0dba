//! `nodetool.text.ToUppercase`, `ToLowercase`, `ToTitlecase` and `CapitalizeText`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::on;

/// Makes all letters capitals.
/// text, uppercase, capitals, transform
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct ToUppercase {
    /// The text.
    text: String,
}

impl Process for ToUppercase {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        on(self.text, |text| Ok(text.to_uppercase())).await
    }
}

/// Makes all letters small.
/// text, lowercase, small letters, transform
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct ToLowercase {
    /// The text.
    text: String,
}

impl Process for ToLowercase {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        on(self.text, |text| Ok(text.to_lowercase())).await
    }
}

/// Gives every word a capital and small letters.
/// text, titlecase, heading, transform
///
/// A word begins after everything that is no letter: `it's` becomes `It'S`.
#[derive(Node)]
#[node(namespace = "nodetool.text", title = "To Title Case")]
pub(super) struct ToTitlecase {
    /// The text.
    text: String,
}

impl Process for ToTitlecase {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        on(self.text, |text| Ok(title(text))).await
    }
}

/// Begins a text with a capital and makes the rest small.
/// text, capitalize, first letter, transform
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct CapitalizeText {
    /// The text.
    text: String,
}

impl Process for CapitalizeText {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        on(self.text, |text| Ok(capitalized(text))).await
    }
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            push_title(c, &mut out);
        }
        inside = c.is_lowercase() || c.is_uppercase();
    }
    out
}

fn capitalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    if let Some(first) = chars.next() {
        push_title(first, &mut out);
    }
    out.push_str(&chars.as_str().to_lowercase());
    out
}

/// A letter that becomes several, such as `ß`, begins with a capital only.
fn push_title(c: char, out: &mut String) {
    let mut upper = c.to_uppercase();
    out.extend(upper.next());
    for rest in upper {
        out.extend(rest.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_after_everything_that_is_no_letter() {
        assert_eq!(title("they're 2nd-hand ÉTÉ"), "They'Re 2Nd-Hand Été");
        assert_eq!(capitalized("ßTRASSE Ab"), "Sstrasse ab");
    }
}
