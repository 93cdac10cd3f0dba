//! `lib.datetime.Format`.

use chrono::{DateTime as Chrono, Datelike, Local, Offset, TimeZone, Timelike, Utc};
use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process, Value};

use super::moment::{iso, read};

const MOST_PATTERN: usize = 10_000;

/// Writes a date as a pattern says.
/// datetime, format, pattern, text, iso, epoch
///
/// Local time. Marks: YYYY YY MM M DD D HH H mm m ss s SSS, and Z for the distance from UTC; text in square
/// brackets is kept as it is.
#[derive(Node)]
#[node(namespace = "lib.datetime", uncached)]
pub(super) struct Format {
    /// ISO text, epoch milliseconds or a datetime; now when empty.
    #[prop(default = "")]
    date: Value,
    /// The pattern.
    #[prop(default = "YYYY-MM-DD HH:mm:ss")]
    pattern: String,
}

/// The date as text and number.
#[derive(Outputs)]
pub(super) struct Formatted {
    formatted: String,
    iso: String,
    epoch_ms: i64,
}

impl Process for Format {
    type Output = Formatted;

    async fn process(self, _: &NodeCx) -> Result<Formatted, NodeError> {
        let moment = read("date", &self.date, &Local)?;
        if self.pattern.len() > MOST_PATTERN {
            return Err(NodeError::bad(
                "pattern",
                format!(
                    "{} bytes (expected at most {MOST_PATTERN})",
                    self.pattern.len()
                ),
            ));
        }
        Ok(Formatted {
            formatted: write(&self.pattern, moment, &Local),
            iso: iso(&moment),
            epoch_ms: moment.timestamp_millis(),
        })
    }
}

/// Longer marks first.
const MARKS: [&str; 14] = [
    "YYYY", "SSS", "YY", "MM", "DD", "HH", "mm", "ss", "M", "D", "H", "m", "s", "Z",
];

fn write<Z: TimeZone>(pattern: &str, moment: Chrono<Utc>, zone: &Z) -> String {
    let local = moment.with_timezone(zone);
    let offset = local.offset().fix();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if let Some((literal, tail)) = rest.strip_prefix('[').and_then(|t| t.split_once(']')) {
            out.push_str(literal);
            rest = tail;
            continue;
        }
        let Some(mark) = MARKS.iter().find(|m| rest.starts_with(**m)) else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        rest = &rest[mark.len()..];
        let number = match mark.as_bytes()[0] {
            b'Y' if mark.len() == 2 => local.year().rem_euclid(100) as u32,
            b'Y' => local.year().unsigned_abs(),
            b'M' => local.month(),
            b'D' => local.day(),
            b'H' => local.hour(),
            b'm' => local.minute(),
            b's' => local.second(),
            b'S' => local.nanosecond() / 1_000_000,
            _ if offset.local_minus_utc() == 0 => {
                out.push('Z');
                continue;
            }
            _ => {
                out.push_str(&offset.to_string());
                continue;
            }
        };
        out.push_str(&format!("{number:0>width$}", width = mark.len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    #[test]
    fn marks_are_filled_and_brackets_kept() {
        let moment = "2024-03-05T04:06:07.089Z".parse().unwrap();
        let west = FixedOffset::west_opt(3 * 3600 + 1800).unwrap();
        for (pattern, utc, there) in [
            (
                "YYYY-MM-DD HH:mm:ss.SSS",
                "2024-03-05 04:06:07.089",
                "2024-03-05 00:36:07.089",
            ),
            ("YY M D H m s Z", "24 3 5 4 6 7 Z", "24 3 5 0 36 7 -03:30"),
            ("[Day] D [of [M] é[", "Day 5 of [M é[", "Day 5 of [M é["),
        ] {
            assert_eq!(write(pattern, moment, &Utc), utc);
            assert_eq!(write(pattern, moment, &west), there);
        }
    }
}
