//! `nodetool.text.Slugify`.

use nodetool_sdk::compat::is_py_space;
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::strip_accents::plain;
use super::{fits, on};

/// Makes a text fit for an address or a file name.
/// text, slug, url, id, name
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct Slugify {
    /// The text.
    text: String,
    /// What stands between words.
    #[prop(default = "-")]
    separator: String,
    /// Whether all letters become small.
    #[prop(default = true)]
    lowercase: bool,
    /// Whether letters beyond ASCII stay.
    allow_unicode: bool,
}

impl Process for Slugify {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (separator, lowercase, unicode) = (self.separator, self.lowercase, self.allow_unicode);
        on(self.text, move |text| {
            slug(text, &separator, lowercase, unicode)
        })
        .await
    }
}

fn slug(text: &str, separator: &str, lowercase: bool, unicode: bool) -> Result<String, NodeError> {
    let mut out = String::new();
    let mut gap = false;
    for c in plain(text).filter(|c| unicode || c.is_ascii()) {
        if is_py_space(c) || c == '_' || c == '-' {
            gap = true;
        } else if c.is_alphanumeric() {
            // No separator at the ends.
            if gap && !out.is_empty() {
                fits("separator", out.len() + separator.len())?;
                out.push_str(separator);
            }
            gap = false;
            if lowercase {
                out.extend(c.to_lowercase());
            } else {
                out.push(c);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_and_the_rest_goes() {
        for (text, unicode, expected) in [
            ("  Héllo,  Wörld_--! ", false, "hello-world"),
            ("日本 a", false, "a"),
            ("日本 É", true, "日本-e"),
            ("...", false, ""),
        ] {
            assert_eq!(slug(text, "-", true, unicode).unwrap(), expected, "{text}");
        }
    }
}
