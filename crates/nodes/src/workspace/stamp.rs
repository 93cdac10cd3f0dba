//! Date and time in file names, by Python's `%` directives.

use std::fmt::Write;

use chrono::{DateTime, Local};

/// The name with `%Y`, `%m`, `%d`, `%H` and their like replaced; what is none of them stays.
pub(super) fn stamped(name: &str, now: DateTime<Local>) -> String {
    let mut out = String::with_capacity(name.len() + 16);
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some('f') => {
                let _ = write!(out, "{:06}", now.timestamp_subsec_micros());
            }
            Some(d) if "aAbBdHIjmMpSUuVwWyYGzZ".contains(d) => {
                let _ = write!(out, "{}", now.format(&format!("%{d}")));
            }
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn known_directives_are_replaced_and_the_rest_stays() {
        let now = Local.with_ymd_and_hms(2026, 3, 4, 5, 6, 7).unwrap();
        for (name, expected) in [
            ("%Y-%m-%d-%H-%M-%S.png", "2026-03-04-05-06-07.png"),
            ("100%%_%Q_%", "100%_%Q_%"),
            ("%f.%b", "000000.Mar"),
            ("plain.png", "plain.png"),
        ] {
            assert_eq!(stamped(name, now), expected);
        }
    }
}
