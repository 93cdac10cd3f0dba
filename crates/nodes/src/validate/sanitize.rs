//! `lib.validate.Sanitize`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

use super::email::is_email;
use crate::bounds::{MAX_TEXT, work};

/// Makes text safe to show in HTML, trims it and puts an email address in its usual form.
/// validate, sanitize, escape, html, trim, email, clean
#[derive(Node)]
#[node(namespace = "lib.validate")]
pub(super) struct Sanitize {
    /// The text.
    value: String,
}

/// The text in three forms.
#[derive(Outputs)]
pub(super) struct Sanitized {
    escaped: String,
    trimmed: String,
    normalized_email: String,
}

impl Process for Sanitize {
    type Output = Sanitized;

    async fn process(self, _: &NodeCx) -> Result<Sanitized, NodeError> {
        // An escaped character takes up to six bytes.
        if self.value.len() > MAX_TEXT / 6 {
            return Err(NodeError::bad(
                "value",
                format!(
                    "{} bytes (expected at most {})",
                    self.value.len(),
                    MAX_TEXT / 6
                ),
            ));
        }
        work(self.value.len() / 16, move || {
            let trimmed = self.value.trim();
            Ok(Sanitized {
                escaped: escape(&self.value),
                trimmed: trimmed.to_owned(),
                normalized_email: if is_email(trimmed) {
                    trimmed.to_ascii_lowercase()
                } else {
                    String::new()
                },
            })
        })
        .await
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '/' => out.push_str("&#x2F;"),
            c => out.push(c),
        }
    }
    out
}
