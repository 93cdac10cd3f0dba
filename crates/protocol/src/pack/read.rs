//! From bytes to a value.

use std::sync::Arc;

use bytes::Bytes;

use super::{MAX_DEPTH, MAX_VALUES, PackError};
use crate::value::{Map, Value};

/// Extension type of JavaScript's `undefined`.
const UNDEFINED: i8 = 0;
/// Extension type of a point in time.
const TIMESTAMP: i8 = -1;

/// Reads one message.
///
/// # Errors
/// When the bytes are not exactly one message of at most [`MAX_DEPTH`] levels.
pub fn from_slice(bytes: &[u8]) -> Result<Value, PackError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        values: 0,
    };
    let value = reader.value(0)?;
    match bytes.len() - reader.at {
        0 => Ok(value),
        left => Err(PackError::Trailing {
            at: reader.at,
            left,
        }),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize, expected: &'static str) -> Result<&'a [u8], PackError> {
        match self.bytes[self.at..].get(..len) {
            Some(part) => {
                self.at += len;
                Ok(part)
            }
            None => Err(PackError::Short {
                at: self.at,
                expected,
            }),
        }
    }

    /// A big-endian unsigned number of at most eight bytes.
    fn number(&mut self, width: usize) -> Result<u64, PackError> {
        let bytes = self.take(width, "a number")?;
        Ok(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn length(&mut self, width: usize) -> Result<usize, PackError> {
        // At most four bytes wide, so it fits.
        Ok(self.number(width)? as usize)
    }

    fn form(&self, what: impl Into<String>) -> PackError {
        PackError::Form {
            at: self.at.saturating_sub(1),
            what: what.into(),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, PackError> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(PackError::TooMany);
        }
        let head = self.take(1, "a value")?[0];
        Ok(match head {
            0x00..=0x7f => Value::Int(i64::from(head)),
            0xe0..=0xff => Value::Int(i64::from(head.cast_signed())),
            0x80..=0x8f => self.map(usize::from(head & 0x0f), depth)?,
            0xde => {
                let len = self.length(2)?;
                self.map(len, depth)?
            }
            0xdf => {
                let len = self.length(4)?;
                self.map(len, depth)?
            }
            0x90..=0x9f => self.list(usize::from(head & 0x0f), depth)?,
            0xdc => {
                let len = self.length(2)?;
                self.list(len, depth)?
            }
            0xdd => {
                let len = self.length(4)?;
                self.list(len, depth)?
            }
            0xa0..=0xbf => self.text(usize::from(head & 0x1f))?,
            0xd9..=0xdb => {
                let len = self.length(1 << (head - 0xd9))?;
                self.text(len)?
            }
            0xc4..=0xc6 => {
                let len = self.length(1 << (head - 0xc4))?;
                Value::Bytes(Bytes::copy_from_slice(self.take(len, "bytes")?))
            }
            0xc0 => Value::Null,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xca => {
                let bits = self.number(4)? as u32;
                Value::Float(f64::from(f32::from_bits(bits)))
            }
            0xcb => Value::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => {
                let n = self.number(1 << (head - 0xcc))?;
                i64::try_from(n).map_or(Value::Float(n as f64), Value::Int)
            }
            0xd0 => Value::Int(i64::from((self.number(1)? as u8).cast_signed())),
            0xd1 => Value::Int(i64::from((self.number(2)? as u16).cast_signed())),
            0xd2 => Value::Int(i64::from((self.number(4)? as u32).cast_signed())),
            0xd3 => Value::Int(self.number(8)?.cast_signed()),
            0xd4..=0xd8 => self.extension(1 << (head - 0xd4))?,
            0xc7..=0xc9 => {
                let len = self.length(1 << (head - 0xc7))?;
                self.extension(len)?
            }
            0xc1 => return Err(self.form("0xc1 begins no value")),
        })
    }

    /// Text; bytes that are no text stay bytes, as old writers send them.
    fn text(&mut self, len: usize) -> Result<Value, PackError> {
        let bytes = self.take(len, "text")?;
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) => Value::str(text),
            Err(_) => Value::Bytes(Bytes::copy_from_slice(bytes)),
        })
    }

    fn list(&mut self, len: usize, depth: usize) -> Result<Value, PackError> {
        let depth = self.deeper(len, depth, "a list's items")?;
        let mut items = Vec::with_capacity(len.min(4096));
        for _ in 0..len {
            items.push(self.value(depth)?);
        }
        Ok(items.into())
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value, PackError> {
        let depth = self.deeper(len.saturating_mul(2), depth, "an object's entries")?;
        let mut map = Map::with_capacity(len.min(1024));
        for _ in 0..len {
            let key = self.key()?;
            map.insert(key, self.value(depth)?);
        }
        Ok(map.into())
    }

    /// Goes down one level, into so many values; each takes a byte at least.
    fn deeper(
        &self,
        values: usize,
        depth: usize,
        expected: &'static str,
    ) -> Result<usize, PackError> {
        if values > self.bytes.len() - self.at {
            return Err(PackError::Short {
                at: self.bytes.len(),
                expected,
            });
        }
        if depth == MAX_DEPTH {
            return Err(PackError::TooDeep);
        }
        Ok(depth + 1)
    }

    fn key(&mut self) -> Result<Arc<str>, PackError> {
        let at = self.at;
        // A key that is a list or an object is none; nothing is read into it.
        match self.value(MAX_DEPTH) {
            Ok(Value::Str(key)) => Ok(key),
            Ok(Value::Int(i)) => Ok(i.to_string().into()),
            Ok(other) => Err(PackError::Form {
                at,
                what: format!("an object's key must be text, not {}", other.kind()),
            }),
            Err(PackError::TooDeep) => Err(PackError::Form {
                at,
                what: "an object's key must be text".into(),
            }),
            Err(e) => Err(e),
        }
    }

    fn extension(&mut self, len: usize) -> Result<Value, PackError> {
        let kind = self.take(1, "the type of an extension")?[0].cast_signed();
        let at = self.at.saturating_sub(1);
        let bytes = self.take(len, "the content of an extension")?;
        match kind {
            UNDEFINED => Ok(Value::Null),
            TIMESTAMP => moment(bytes).ok_or(PackError::Form {
                at,
                what: "not a time between the years 1 and 9999".into(),
            }),
            other => Err(PackError::Form {
                at,
                what: format!("extensions of type {other} are not known"),
            }),
        }
    }
}

/// A timestamp of 4, 8 or 12 bytes as ISO text.
fn moment(bytes: &[u8]) -> Option<Value> {
    let number = |part: &[u8]| part.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let (seconds, nanos) = match bytes.len() {
        4 => (number(bytes).cast_signed(), 0),
        8 => {
            let both = number(bytes);
            ((both & 0x3_ffff_ffff).cast_signed(), both >> 34)
        }
        12 => (number(&bytes[4..]).cast_signed(), number(&bytes[..4])),
        _ => return None,
    };
    if nanos > 999_999_999 {
        return None;
    }
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days)?;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        text.push_str(&format!(".{:06}", nanos / 1000));
    }
    text.push_str("+00:00");
    Some(text.into())
}

/// The date so many days after 1970-01-01, if its year has four digits; years are counted from March, so that the
/// leap day is the last of its year.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    const ERA: i64 = 146_097;
    if !(-719_162..=2_932_896).contains(&days) {
        return None;
    }
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let date = day - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    Some((era * 400 + year + i64::from(month <= 2), month, date))
}
