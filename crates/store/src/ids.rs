//! Row ids and times. It must not know any table.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::StoreError;

/// Longest id the store accepts, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// A fresh id: the 32 lowercase hex digits of a UUIDv7, rising with time within a process.
#[must_use]
pub fn new_id() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Microseconds since 1970 in UTC, as the store writes times.
#[must_use]
pub fn now_micros() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Refuses ids no row may have. NUL is out because PostgreSQL text cannot hold it.
pub(crate) fn check_id(field: &'static str, id: &str) -> Result<(), StoreError> {
    let reason = match id.len() {
        0 => "is empty, expected an id".to_owned(),
        n if n > MAX_ID_BYTES => format!("has {n} bytes, expected at most {MAX_ID_BYTES}"),
        _ if id.contains('\0') => "contains a NUL character".to_owned(),
        _ => return Ok(()),
    };
    Err(StoreError::InvalidInput { field, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_32_lowercase_hex_digits_of_a_version_7_uuid() {
        let id = new_id();
        assert_eq!(id.len(), 32);
        assert!(
            id.chars()
                .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
            "{id}"
        );
        assert_eq!(&id[12..13], "7", "{id}");
    }

    #[test]
    fn ids_rise_in_the_order_they_are_made() {
        let ids: Vec<String> = (0..10_000).map(|_| new_id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn empty_long_and_nul_ids_are_refused() {
        assert!(check_id("id", "a").is_ok());
        assert!(check_id("id", &"x".repeat(MAX_ID_BYTES)).is_ok());
        for bad in ["", "a\0b", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(matches!(
                check_id("id", bad),
                Err(StoreError::InvalidInput { field: "id", .. })
            ));
        }
    }
}
