//! Names with the time in them: Python's `strftime` directives over chrono.
//!
//! What is no directive stays as it is, as the C library leaves it. It must not know which clock is asked.

use std::fmt::{Display, Write};

use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeZone, Timelike};

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment in its zone by a format such as `%Y-%m-%d-%H-%M-%S.txt`.
pub fn strftime<Tz: TimeZone>(moment: &DateTime<Tz>, format: &str) -> String
where
    Tz::Offset: Display,
{
    let offset = moment.offset().fix().local_minus_utc();
    let zone = moment.offset().to_string();
    Clock {
        wall: moment.naive_local(),
        zone: Some((offset, &zone)),
    }
    .format(format)
}

/// A moment without a zone: `%z` and `%Z` are empty.
pub fn strftime_naive(moment: &NaiveDateTime, format: &str) -> String {
    Clock {
        wall: *moment,
        zone: None,
    }
    .format(format)
}

struct Clock<'a> {
    wall: NaiveDateTime,
    zone: Option<(i32, &'a str)>,
}

impl Clock<'_> {
    fn format(&self, format: &str) -> String {
        let mut out = String::with_capacity(format.len() * 2);
        self.write(format, &mut out);
        out
    }

    fn write(&self, format: &str, out: &mut String) {
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let flag = after.chars().next().filter(|c| "-_0^:".contains(*c));
            let body = &after[flag.map_or(0, char::len_utf8)..];
            let known = body
                .chars()
                .next()
                .filter(|c| self.directive(*c, flag, out));
            rest = match known {
                Some(c) => &body[c.len_utf8()..],
                None => {
                    out.push('%');
                    after
                }
            };
        }
        out.push_str(rest);
    }

    /// Writes one directive; false when there is none of that letter.
    fn directive(&self, letter: char, flag: Option<char>, out: &mut String) -> bool {
        let t = &self.wall;
        let sunday_based = t.weekday().num_days_from_sunday();
        let monday_based = t.weekday().num_days_from_monday();
        let hour12 = (t.hour() + 11) % 12 + 1;
        // glibc pads: zeros unless the letter or the flag says blanks, nothing after `-`.
        let mut number = |value: i64, width: usize, pad: char| {
            let pad = match flag {
                Some('_') => ' ',
                Some('0') => '0',
                _ => pad,
            };
            let _ = match (flag, pad) {
                (Some('-'), _) => write!(out, "{value}"),
                (_, ' ') => write!(out, "{value:>width$}"),
                _ => write!(out, "{value:0>width$}"),
            };
            true
        };
        match letter {
            'C' => return number(i64::from(t.year().div_euclid(100)), 2, '0'),
            'd' => return number(t.day().into(), 2, '0'),
            'e' => return number(t.day().into(), 2, ' '),
            'f' => return number((t.nanosecond() / 1000 % 1_000_000).into(), 6, '0'),
            'g' => return number(i64::from(t.iso_week().year().rem_euclid(100)), 2, '0'),
            'G' => return number(t.iso_week().year().into(), 4, '0'),
            'H' => return number(t.hour().into(), 2, '0'),
            'I' => return number(hour12.into(), 2, '0'),
            'j' => return number(t.ordinal().into(), 3, '0'),
            'k' => return number(t.hour().into(), 2, ' '),
            'l' => return number(hour12.into(), 2, ' '),
            'm' => return number(t.month().into(), 2, '0'),
            'M' => return number(t.minute().into(), 2, '0'),
            's' => {
                let offset = self.zone.map_or(0, |(offset, _)| i64::from(offset));
                return number(t.and_utc().timestamp() - offset, 1, '0');
            }
            'S' => return number(t.second().into(), 2, '0'),
            'u' => return number((monday_based + 1).into(), 1, '0'),
            'U' => return number(((t.ordinal0() + 7 - sunday_based) / 7).into(), 2, '0'),
            'V' => return number(t.iso_week().week().into(), 2, '0'),
            'w' => return number(sunday_based.into(), 1, '0'),
            'W' => return number(((t.ordinal0() + 7 - monday_based) / 7).into(), 2, '0'),
            'y' => return number(i64::from(t.year().rem_euclid(100)), 2, '0'),
            'Y' => return number(t.year().into(), 4, '0'),
            _ => {}
        }
        let mut name = |text: &str| match flag {
            Some('^') => out.push_str(&text.to_uppercase()),
            _ => out.push_str(text),
        };
        match letter {
            'a' => name(&DAYS[sunday_based as usize][..3]),
            'A' => name(DAYS[sunday_based as usize]),
            'b' | 'h' => name(&MONTHS[t.month0() as usize][..3]),
            'B' => name(MONTHS[t.month0() as usize]),
            'p' => name(if t.hour() < 12 { "AM" } else { "PM" }),
            'P' => name(if t.hour() < 12 { "am" } else { "pm" }),
            'c' => self.write("%a %b %e %H:%M:%S %Y", out),
            'D' | 'x' => self.write("%m/%d/%y", out),
            'F' => self.write("%Y-%m-%d", out),
            'r' => self.write("%I:%M:%S %p", out),
            'R' => self.write("%H:%M", out),
            'T' | 'X' => self.write("%H:%M:%S", out),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            '%' => out.push('%'),
            'Z' => name(self.zone.map_or("", |(_, name)| name)),
            'z' => {
                if let Some((offset, _)) = self.zone {
                    let sign = if offset < 0 { '-' } else { '+' };
                    let (minutes, seconds) = (offset.abs() / 60, offset.abs() % 60);
                    let colon = if flag == Some(':') { ":" } else { "" };
                    let _ = write!(out, "{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60);
                    if seconds != 0 {
                        let _ = write!(out, "{colon}{seconds:02}");
                    }
                }
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, NaiveDate, Utc};

    use super::*;

    fn moment() -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(2024, 3, 5).unwrap();
        day.and_hms_micro_opt(14, 7, 9, 123_456).unwrap()
    }

    #[test]
    fn directives_give_what_python_gives() {
        let t = moment().and_utc();
        for (format, text) in [
            ("%Y-%m-%d-%H-%M-%S.txt", "2024-03-05-14-07-09.txt"),
            ("%a %A %b %B %p", "Tue Tuesday Mar March PM"),
            ("%y %j %U %W %V %G %u %w", "24 065 09 10 10 2024 2 2"),
            ("%I %f %e|%-d|%k", "02 123456  5|5|14"),
            ("%c|%x|%X", "Tue Mar  5 14:07:09 2024|03/05/24|14:07:09"),
            ("%z %s", "+0000 1709647629"),
            ("100%% %Q %", "100% %Q %"),
        ] {
            assert_eq!(strftime(&t, format), text, "{format}");
        }
        assert_eq!(strftime(&Utc.timestamp_nanos(0), "%Z"), "UTC");
    }

    #[test]
    fn offsets_show_only_where_there_is_a_zone() {
        let zone = FixedOffset::west_opt(5 * 3600 + 1800).unwrap();
        let t = zone.from_local_datetime(&moment()).unwrap();
        assert_eq!(strftime(&t, "%H%z|%:z"), "14-0530|-05:30");
        assert_eq!(strftime_naive(&moment(), "%F[%z%Z]"), "2024-03-05[]");
    }
}
