//! Times and pages as clients see them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

/// A time in microseconds, written as `2026-01-02T03:04:05.000678+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub(crate) struct TimeText(pub(crate) i64);

impl Serialize for TimeText {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&time_text(self.0))
    }
}

/// A time in microseconds UTC as clients read it.
pub(crate) fn time_text(micros: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// The same with a `Z`, as clients of the Orchestrator read it.
pub(crate) fn zulu_text(micros: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Which jobs a list holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListJobs {
    pub(crate) workflow_id: Option<String>,
    pub(crate) limit: usize,
    pub(crate) cursor: String,
}
