//! Differences between two texts.
//! It must not know the interpreter.

use std::time::Duration;

use nodetool_protocol::Value;
use similar::TextDiff;

use super::{option, text, text_option};

/// After this the shortest difference is no longer looked for, only some difference.
const PATIENCE: Duration = Duration::from_secs(2);

/// `unified(a, b, {oldName?, newName?, context?})`: a unified diff, empty when the texts are equal.
pub(super) fn unified(args: &[Value]) -> Result<Value, String> {
    let (old, new) = (
        text(args, 0, "the old text")?,
        text(args, 1, "the new text")?,
    );
    let old_name = text_option(args, 2, "oldName")?.unwrap_or("a");
    let new_name = text_option(args, 2, "newName")?.unwrap_or("b");
    let context = match option(args, 2, "context") {
        None => 3,
        Some(lines) => lines
            .as_f64()
            .filter(|lines| *lines >= 0.0)
            .ok_or_else(|| {
                format!(
                    "option `context` must be a number of lines, not {}",
                    lines.preview(40)
                )
            })? as usize,
    };
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    Ok(diff
        .unified_diff()
        .context_radius(context.min(1 << 20))
        .header(old_name, new_name)
        .to_string()
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_shown_in_its_context() {
        let options = Value::map([
            ("oldName", Value::from("old.txt")),
            ("newName", Value::from("new.txt")),
            ("context", Value::Int(1)),
        ]);
        let diff = unified(&["a\nb\nc\nd\n".into(), "a\nb\nx\nd\n".into(), options]).unwrap();
        assert_eq!(
            diff.as_str(),
            Some("--- old.txt\n+++ new.txt\n@@ -2,3 +2,3 @@\n b\n-c\n+x\n d\n")
        );
    }

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(
            unified(&["same".into(), "same".into()]).unwrap(),
            Value::from("")
        );
    }

    #[test]
    fn wrong_arguments_are_named() {
        assert_eq!(
            unified(&["a".into()]).unwrap_err(),
            "the new text is missing"
        );
        let options = Value::map([("context", Value::from("all"))]);
        assert!(
            unified(&["a".into(), "b".into(), options])
                .unwrap_err()
                .contains("context")
        );
    }
}
