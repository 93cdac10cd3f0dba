//! File names that hold the time of writing.

use chrono::{Local, NaiveDateTime};

/// A name whose `%` marks are filled from the local time.
pub(super) fn stamped_now(name: &str) -> String {
    stamped(name, Local::now().naive_local())
}

/// Fills the marks of Python's strftime. What is no mark stays as it is.
fn stamped(name: &str, now: NaiveDateTime) -> String {
    let mut out = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('f') => out.push_str(&now.format("%6f").to_string()),
            // A local time knows no zone.
            Some('z' | 'Z') => {}
            Some(mark) if "aAwdbBmyYHIpMSjUWcxXGuV%".contains(mark) => {
                out.push_str(&now.format(&format!("%{mark}")).to_string());
            }
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn marks_are_filled_and_the_rest_stays() {
        let now = NaiveDate::from_ymd_opt(2024, 2, 3).and_then(|d| d.and_hms_micro_opt(4, 5, 6, 7));
        let name = stamped("%Y-%m-%d_%H%M%S.%f é%%%q%Z%", now.unwrap());
        assert_eq!(name, "2024-02-03_040506.000007 é%%q%");
    }
}
