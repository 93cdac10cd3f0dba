//! `nodetool.text.TrimWhitespace`, `CollapseWhitespace` and `IsEmpty`.

use nodetool_sdk::compat::is_py_space;
use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::{chars, fits, on};

/// Cuts blanks off the ends of a text.
/// text, trim, strip, blanks, clean
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct TrimWhitespace {
    /// The text.
    text: String,
    /// Whether to cut at the beginning.
    #[prop(default = true)]
    trim_start: bool,
    /// Whether to cut at the end.
    #[prop(default = true)]
    trim_end: bool,
}

impl Process for TrimWhitespace {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (start, end) = (self.trim_start, self.trim_end);
        on(self.text, move |text| {
            let mut text = text;
            if start {
                text = text.trim_start_matches(is_py_space);
            }
            if end {
                text = text.trim_end_matches(is_py_space);
            }
            Ok(text.to_owned())
        })
        .await
    }
}

/// Makes one separator of every run of blanks.
/// text, whitespace, normalize, clean, squeeze
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct CollapseWhitespace {
    /// The text.
    text: String,
    /// Whether line ends stay.
    preserve_newlines: bool,
    /// What comes instead of a run.
    #[prop(default = " ")]
    replacement: String,
    /// Whether blanks at the ends are cut off first.
    #[prop(default = true)]
    trim_edges: bool,
}

impl Process for CollapseWhitespace {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let (keep, replacement, trim) = (self.preserve_newlines, self.replacement, self.trim_edges);
        on(self.text, move |text| {
            let text = if trim { chars::trim(text) } else { text };
            collapse(text, keep, &replacement)
        })
        .await
    }
}

/// Tells whether a text is empty.
/// text, empty, blank, check
#[derive(Node)]
#[node(namespace = "nodetool.text")]
pub(super) struct IsEmpty {
    /// The text.
    text: String,
    /// Whether blanks alone count as empty.
    #[prop(default = true)]
    trim_whitespace: bool,
}

impl Process for IsEmpty {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        Ok(if self.trim_whitespace {
            chars::trim(&self.text).is_empty()
        } else {
            self.text.is_empty()
        })
    }
}

fn collapse(text: &str, keep_newlines: bool, replacement: &str) -> Result<String, NodeError> {
    let blank = |c: char| is_py_space(c) && !(keep_newlines && matches!(c, '\n' | '\r'));
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if blank(c) {
            if !inside {
                fits("replacement", out.len() + replacement.len())?;
                out.push_str(replacement);
            }
            inside = true;
        } else {
            out.push(c);
            inside = false;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_stay_when_asked_for() {
        assert_eq!(collapse("a \t b\n\nc", false, "_").unwrap(), "a_b_c");
        assert_eq!(collapse("a \t b \n\n c", true, " ").unwrap(), "a b \n\n c");
    }
}
