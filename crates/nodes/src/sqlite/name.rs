//! Names of tables and columns, written so that they can be nothing else.

use nodetool_sdk::NodeError;

/// Longest name, in bytes.
const MAX_NAME: usize = 200;

/// A name between quotes.
pub(super) fn quoted(property: &str, name: &str) -> Result<String, NodeError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(NodeError::bad(
            property,
            "has an empty name (expected one such as cards)",
        ));
    }
    if name.len() > MAX_NAME || name.chars().any(char::is_control) {
        let shown: String = name.chars().take(40).collect();
        let message = format!(
            "{shown:?} (expected a name of at most {MAX_NAME} bytes without control characters)"
        );
        return Err(NodeError::bad(property, message));
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_a_name() {
        assert_eq!(quoted("t", " a b ").unwrap(), "\"a b\"");
        assert_eq!(quoted("t", "a\"; DROP").unwrap(), "\"a\"\"; DROP\"");
        for name in ["", "a\0b", "a\nb", &"x".repeat(201)] {
            let refused = quoted("table_name", name).unwrap_err().to_string();
            assert!(refused.contains("`table_name`"), "{refused}");
        }
    }
}
