//! File names with the date and time of now in them. It must not know where files go.

use chrono::Local;
use nodetool_sdk::NodeError;
use nodetool_sdk::compat::strftime;

const MAX_NAME: usize = 1024;

/// Fills in strftime marks such as `%Y` or `%H`; marks it does not know stay as they are.
pub(crate) fn dated(property: &str, name: &str) -> Result<String, NodeError> {
    if name.trim().is_empty() {
        return Err(NodeError::bad(
            property,
            format!("{property} cannot be empty"),
        ));
    }
    if name.len() > MAX_NAME {
        return Err(NodeError::bad(
            property,
            format!(
                "a name of {} bytes (expected at most {MAX_NAME})",
                name.len()
            ),
        ));
    }
    Ok(strftime(&Local::now(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_marks_are_filled_and_others_stay() {
        let name = dated("name", "%%-%Q-%Y").unwrap();
        assert!(name.starts_with("%-%Q-2"), "{name}");
    }

    #[test]
    fn an_empty_name_is_refused() {
        let e = dated("filename", " ").unwrap_err().to_string();
        assert!(e.contains("filename cannot be empty"), "{e}");
    }
}
