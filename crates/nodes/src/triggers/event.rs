//! An event delivered from outside, and the facts every trigger adds to its own.

use chrono::{SecondsFormat, Utc};
use nodetool_sdk::{Map, NodeError, Value, ValueType};

/// The undeclared property that holds the event.
const EVENT: &str = "__event__";

/// The fields of a delivered event.
pub(crate) struct Delivered(Map);

impl Delivered {
    /// The event among the undeclared properties, if one was delivered.
    pub(crate) fn among(mut undeclared: Map) -> Result<Option<Self>, NodeError> {
        match undeclared.shift_remove(EVENT) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(fields)) => {
                Ok(Some(Delivered(std::sync::Arc::unwrap_or_clone(fields))))
            }
            Some(other) => Err(NodeError::bad(
                EVENT,
                format!("{} {} (expected dict)", other.kind(), other.preview(80)),
            )),
        }
    }

    /// The event, or the failure of a trigger that has no eyes of its own.
    pub(super) fn required(undeclared: Map, trigger: &str) -> Result<Self, NodeError> {
        Self::among(undeclared)?.ok_or_else(|| {
            NodeError::new(format!(
                "{trigger} needs a delivered event; start the run by delivering one to this node"
            ))
        })
    }

    /// A field; `absent` when the event does not say.
    pub(crate) fn take<T: ValueType>(&mut self, name: &str, absent: T) -> Result<T, NodeError> {
        let value = match self.0.shift_remove(name) {
            None | Some(Value::Null) => return Ok(absent),
            Some(value) => value,
        };
        let refused = |why| NodeError::bad(format!("{EVENT}.{name}"), why);
        let fitted = T::type_metadata()
            .assign(value)
            .map_err(|misfit| refused(misfit.to_string()))?;
        T::from_value(fitted).map_err(refused)
    }

    /// What is left, as one value.
    pub(super) fn rest(self) -> Value {
        self.0.into()
    }

    /// Whether the event has the field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// The time now, in UTC, as ISO text.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// A number of seconds that a clock can count.
pub(super) fn seconds(property: &str, value: f64) -> Result<std::time::Duration, NodeError> {
    const TEN_YEARS: f64 = 315_360_000.0;
    if !(0.0..=TEN_YEARS).contains(&value) {
        return Err(NodeError::bad(
            property,
            format!("{value} (expected 0 to {TEN_YEARS} seconds)"),
        ));
    }
    Ok(std::time::Duration::from_secs_f64(value))
}

/// How many events a trigger may send; nothing for no end.
pub(super) fn most_events(max_events: i64) -> Result<Option<u64>, NodeError> {
    match u64::try_from(max_events) {
        Ok(0) => Ok(None),
        Ok(most) => Ok(Some(most)),
        Err(_) => Err(NodeError::bad(
            "max_events",
            format!("{max_events} (expected 0 for no end, or more)"),
        )),
    }
}
