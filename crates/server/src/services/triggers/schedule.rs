//! When a schedule is due: plain arithmetic over times in microseconds. No clock, no store.
//!
//! A cron expression is read on the wall clock of its zone. Where that clock skips an hour, a time of day inside the gap
//! is due when the gap ends; where it repeats an hour, a fixed time of day is due once and a repeating pattern in both.

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Longest cron expression, in bytes.
const MAX_EXPRESSION: usize = 128;

/// What decides the due times of a schedule.
#[derive(Clone, Debug)]
pub(crate) enum Timing {
    /// Every so often since the schedule was started.
    Interval {
        /// Microseconds between due times.
        every: i64,
        /// Microseconds before anything happens.
        delay: i64,
        /// Whether the first is due at the end of the delay rather than an interval later.
        at_once: bool,
        /// Whether due times keep to the clock of the first one; else each is an interval after the one before fired.
        steady: bool,
    },
    /// By the calendar.
    Cron(Box<Calendar>),
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    cron: Cron,
    zone: Tz,
}

impl Calendar {
    /// Reads an expression of five fields, or six with seconds; fails with the property at fault and why.
    pub(crate) fn read(expression: &str, zone: &str) -> Result<Self, (&'static str, String)> {
        let refused = |why: String| ("expression", why);
        if expression.len() > MAX_EXPRESSION {
            return Err(refused(format!("longer than {MAX_EXPRESSION} bytes")));
        }
        let fields = expression.split_whitespace().count();
        if !(5..=6).contains(&fields) && !expression.trim_start().starts_with('@') {
            let why = format!("'{expression}' has {fields} fields (expected 5, or 6 with seconds)");
            return Err(refused(why));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(expression)
            .map_err(|e| refused(format!("'{expression}': {e}")))?;
        let zone: Tz = zone.trim().parse().map_err(|_| {
            let shown: String = zone.chars().take(80).collect();
            let why = format!("'{shown}' (expected a zone such as Europe/Berlin or UTC)");
            ("timezone", why)
        })?;
        let calendar = Calendar { cron, zone };
        // A date such as 30 February is written correctly and never comes.
        match calendar.after(0) {
            Some(_) => Ok(calendar),
            None => Err(refused(format!("'{expression}' names no time"))),
        }
    }

    /// The first due time after the given one.
    fn after(&self, after: i64) -> Option<i64> {
        let local = self.local(after)?;
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        let next = next.timestamp_micros();
        (next > after).then_some(next)
    }

    /// The last due time up to the given one.
    fn up_to(&self, now: i64) -> Option<i64> {
        let local = self.local(now)?;
        let last = self.cron.find_previous_occurrence(&local, true).ok()?;
        let last = last.timestamp_micros();
        // Looking back may see what looking ahead does not; only what is due both ways counts.
        (last <= now && self.after(last.checked_sub(1)?) == Some(last)).then_some(last)
    }

    fn local(&self, at: i64) -> Option<DateTime<Tz>> {
        let utc = DateTime::<Utc>::from_timestamp_micros(at)?;
        Some(self.zone.from_utc_datetime(&utc.naive_utc()))
    }

    /// A time as people in the zone write it.
    pub(crate) fn text(&self, at: i64) -> String {
        self.local(at)
            .map(|t| t.to_rfc3339_opts(SecondsFormat::Secs, false))
            .unwrap_or_default()
    }
}

impl Timing {
    /// The first due time of a schedule that is started.
    pub(crate) fn first_due(&self, started_at: i64) -> Option<i64> {
        match self {
            Timing::Interval {
                every,
                delay,
                at_once,
                ..
            } => {
                let first = started_at.checked_add(*delay)?;
                first.checked_add(if *at_once { 0 } else { *every })
            }
            Timing::Cron(calendar) => calendar.after(started_at),
        }
    }

    /// The first due time after the given time.
    pub(crate) fn next_due(&self, started_at: i64, after: i64) -> Option<i64> {
        match self {
            Timing::Interval { every, steady, .. } => {
                if *every <= 0 {
                    return None;
                }
                let first = self.first_due(started_at)?;
                if after < first {
                    return Some(first);
                }
                let passed = if *steady { after - first } else { 0 };
                let base = if *steady { first } else { after };
                base.checked_add((passed / every).checked_add(1)?.checked_mul(*every)?)
            }
            Timing::Cron(calendar) => calendar.after(after),
        }
    }

    /// The due time that is fired now: the stored one, or the latest of those that were missed before `missed_before`.
    pub(crate) fn due_now(&self, started_at: i64, stored: i64, missed_before: i64) -> i64 {
        if stored >= missed_before {
            return stored;
        }
        let latest = match self {
            Timing::Interval { every, steady, .. } => {
                let first = self.first_due(started_at);
                first
                    .filter(|first| *steady && *every > 0 && *first <= missed_before)
                    .map(|first| missed_before - (missed_before - first) % every)
            }
            Timing::Cron(calendar) => calendar.up_to(missed_before),
        };
        latest.unwrap_or(stored).max(stored)
    }

    /// The due time after one that fired.
    pub(crate) fn due_after(&self, started_at: i64, due: i64, now: i64) -> Option<i64> {
        let keeps_time = !matches!(self, Timing::Interval { steady: false, .. });
        self.next_due(started_at, if keeps_time { due } else { now })
    }

    /// The stored due time, or an earlier one when the clock has gone back since it was worked out.
    pub(crate) fn corrected(&self, started_at: i64, stored: i64, now: i64) -> i64 {
        // The clock may have been wrong when the schedule was started, too.
        let started_at = started_at.min(now);
        match self.next_due(started_at, now) {
            Some(next) if stored > now => stored.min(next),
            _ => stored,
        }
    }
}

/// A time in UTC as ISO text.
pub(crate) fn utc_text(at: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, false)
}

#[cfg(test)]
mod tests;
