//! File names with the date and time of now in them. It must not know where files go.

use std::fmt::Write;

use chrono::{DateTime, Local};
use nodetool_sdk::NodeError;

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
    Ok(fill(name, &Local::now()))
}

fn fill(name: &str, now: &DateTime<Local>) -> String {
    let mut out = String::with_capacity(name.len() + 16);
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('f') => write_mark(&mut out, now, "%6f"),
            Some(m) if "YmdHMSjyBbAaIpUWwuVGZzcxXeFTDRhCkl".contains(m) => {
                write_mark(&mut out, now, &format!("%{m}"));
            }
            Some(other) => {
                out.push('%');
                out.push(other);
            }
            None => out.push('%'),
        }
    }
    out
}

fn write_mark(out: &mut String, now: &DateTime<Local>, mark: &str) {
    // The marks are from the list above, and writing to a String cannot fail.
    let _ = write!(out, "{}", now.format(mark));
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn known_marks_are_filled_and_others_stay() {
        let now = Local.with_ymd_and_hms(2024, 3, 9, 8, 7, 6).unwrap();
        assert_eq!(
            fill("%Y-%m-%d-%H-%M-%S.json", &now),
            "2024-03-09-08-07-06.json"
        );
        assert_eq!(fill("100%% %Q %f %", &now), "100% %Q 000000 %");
    }

    #[test]
    fn every_known_mark_can_be_written() {
        let now = Local.with_ymd_and_hms(2024, 3, 9, 8, 7, 6).unwrap();
        for m in "YmdHMSjyBbAaIpUWwuVGZzcxXeFTDRhCkl".chars() {
            assert!(!fill(&format!("%{m}"), &now).starts_with('%'), "%{m}");
        }
    }

    #[test]
    fn an_empty_name_is_refused() {
        let e = dated("filename", " ").unwrap_err().to_string();
        assert!(e.contains("filename cannot be empty"), "{e}");
    }
}
