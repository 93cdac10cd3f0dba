//! The formats a date may be written in, and strict reading of them.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use nodetool_sdk::{TypeMetadata, Value, ValueType};

use super::record::Moment;

/// One of the known formats.
pub(super) struct DateFormat(&'static str);

/// In catalogue order; the zoned format stands there twice, under two names.
const FORMATS: [&str; 9] = [
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%B %d, %Y",
    "%Y%m%d",
    "%Y%m%d_%H%M%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%z",
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl ValueType for DateFormat {
    fn type_metadata() -> TypeMetadata {
        TypeMetadata::enumeration(
            FORMATS.map(Value::from),
            Some("nodetool.nodes.lib.date.DateFormat"),
        )
    }
    fn from_value(value: Value) -> Result<Self, String> {
        FORMATS
            .into_iter()
            .find(|f| value.as_str() == Some(f))
            .map(DateFormat)
            .ok_or_else(|| nodetool_sdk::derive::not_a_member(&value, &FORMATS))
    }
    fn into_value(self) -> Value {
        self.0.into()
    }
    fn default_value() -> Value {
        FORMATS[0].into()
    }
}

impl DateFormat {
    /// The moment as text.
    pub(super) fn write(&self, moment: &Moment) -> String {
        match moment.zoned() {
            Some(zoned) => zoned.format(self.0).to_string(),
            None => String::new(),
        }
    }

    /// Reads text that is exactly in this format; what it does not say is midnight and UTC.
    pub(super) fn read(&self, text: &str) -> Result<Moment, String> {
        self.scan(text).ok_or_else(|| {
            format!(
                "{} is not a date in the format {} (expected something like {})",
                Value::from(text).preview(80),
                self.0,
                self.write(&example())
            )
        })
    }

    fn scan(&self, text: &str) -> Option<Moment> {
        let (mut year, mut month, mut day, mut offset) = (0, 0, 0, 0);
        let (mut hour, mut minute, mut second) = (0, 0, 0);
        let mut rest = text;
        let mut pattern = self.0.chars();
        while let Some(c) = pattern.next() {
            match c {
                '%' => match pattern.next()? {
                    'Y' => (year, rest) = year_digits(rest)?,
                    'm' => (month, rest) = up_to(rest, 12)?,
                    'd' => (day, rest) = up_to(rest, 31)?,
                    'H' => (hour, rest) = up_to(rest, 23)?,
                    'M' => (minute, rest) = up_to(rest, 59)?,
                    'S' => (second, rest) = up_to(rest, 59)?,
                    'B' => (month, rest) = month_name(rest)?,
                    _ => (offset, rest) = zone(rest)?,
                },
                ' ' => rest = rest.strip_prefix(char::is_whitespace)?.trim_start(),
                c => rest = rest.strip_prefix(c)?,
            }
        }
        if !rest.is_empty() || year == 0 {
            return None;
        }
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        let wall = NaiveDateTime::new(date, NaiveTime::from_hms_opt(hour, minute, second)?);
        Some(Moment::with_offset(wall, offset))
    }
}

fn example() -> Moment {
    Moment::utc(
        NaiveDate::from_ymd_opt(2024, 3, 15)
            .and_then(|d| d.and_hms_opt(14, 30, 0))
            .unwrap_or_default(),
    )
}

fn year_digits(text: &str) -> Option<(i32, &str)> {
    let digits = text.get(..4).filter(|d| is_digits(d))?;
    Some((digits.parse().ok()?, &text[4..]))
}

/// One or two digits: two where they are no more than `max`.
fn up_to(text: &str, max: u32) -> Option<(u32, &str)> {
    for width in [2, 1] {
        if let Some(digits) = text.get(..width).filter(|d| is_digits(d))
            && let Ok(n) = digits.parse::<u32>()
            && n <= max
        {
            return Some((n, &text[width..]));
        }
    }
    None
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn month_name(text: &str) -> Option<(u32, &str)> {
    (1u32..).zip(MONTHS).find_map(|(n, name)| {
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name)
            .then(|| (n, &text[name.len()..]))
    })
}

/// `Z`, `+HHMM`, `+HH:MM`, each with optional seconds; in seconds.
fn zone(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |t| {
        let (digits, rest): (&str, &str) = (str::get(t, ..2)?, &t[2..]);
        let n = is_digits(digits).then(|| digits.parse::<i32>().ok())??;
        Some((n, rest))
    };
    let (hours, mut rest) = two(&text[1..])?;
    let colon = rest.strip_prefix(':');
    let (minutes, tail) = two(colon.unwrap_or(rest))?;
    rest = tail;
    let mut seconds = 0;
    if let Some((s, tail)) = if colon.is_some() {
        rest.strip_prefix(':').and_then(two)
    } else {
        two(rest)
    } {
        (seconds, rest) = (s, tail);
    }
    let valid = hours < 24 && minutes < 60 && seconds < 60;
    valid.then_some((sign * (hours * 3600 + minutes * 60 + seconds), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_reads_what_it_writes() {
        let moment = example();
        for f in FORMATS {
            let format = DateFormat(f);
            let text = format.write(&moment);
            assert_eq!(format.write(&format.read(&text).unwrap()), text, "{f}");
        }
    }

    #[test]
    fn zones_are_read_and_the_rest_is_utc() {
        let format = DateFormat(FORMATS[7]);
        for (zone, seconds) in [("Z", 0), ("+0230", 9000), ("-02:30", -9000), ("+01", -1)] {
            let read = format.read(&format!("2024-03-15T14:30:00{zone}"));
            match read {
                Ok(m) => assert_eq!(m.record().get("utc_offset"), Value::from(seconds)),
                Err(_) => assert_eq!(seconds, -1, "{zone}"),
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, f) in [
            ("not-a-date", FORMATS[0]),
            ("", FORMATS[0]),
            ("2024-02-30", FORMATS[0]),
            ("2024-02-03x", FORMATS[0]),
            ("0000-01-01", FORMATS[0]),
            ("2024-é3-01", FORMATS[0]),
            ("Mar 05, 2026", FORMATS[3]),
            ("2024-02-03T25:00:00", FORMATS[6]),
            ("2024-02-03T05:00:00+2500", FORMATS[7]),
        ] {
            assert!(DateFormat(f).read(text).is_err(), "{text}");
        }
    }
}
