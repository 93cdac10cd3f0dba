//! File names with the date and time of now in them. It must not know where files go.

use chrono::Local;
use nodetool_sdk::NodeError;
use nodetool_sdk::compat::strftime_naive;

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
    Ok(stamped(name))
}

/// The name with its strftime marks filled from the local time; what is no mark stays.
pub(crate) fn stamped(name: &str) -> String {
    strftime_naive(&Local::now().naive_local(), name)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn marks_are_filled_and_the_rest_stays() {
        let now = NaiveDate::from_ymd_opt(2024, 2, 3).and_then(|d| d.and_hms_micro_opt(4, 5, 6, 7));
        let name = strftime_naive(&now.unwrap(), "%Y-%m-%d_%H%M%S.%f é%%%q%Z%");
        assert_eq!(name, "2024-02-03_040506.000007 é%%q%");
    }

    #[test]
    fn known_directives_are_replaced_and_the_rest_stays() {
        let now = NaiveDate::from_ymd_opt(2026, 3, 4).and_then(|d| d.and_hms_opt(5, 6, 7));
        for (name, expected) in [
            ("%Y-%m-%d-%H-%M-%S.png", "2026-03-04-05-06-07.png"),
            ("100%%_%Q_%", "100%_%Q_%"),
            ("%f.%b", "000000.Mar"),
            ("plain.png", "plain.png"),
        ] {
            assert_eq!(strftime_naive(&now.unwrap(), name), expected);
        }
    }

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
