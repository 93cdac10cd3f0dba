//! `lib.date.ParseDate` and `lib.date.ParseDateTime`.

use nodetool_sdk::{Date, DateTime, Node, NodeCx, NodeError, Process};

use super::format::DateFormat;
use super::record::date_record;

/// Reads a date written in a known format.
/// date, parse, read, text, convert
///
/// A time of day in the text is read and left out.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct ParseDate {
    /// The text.
    date_string: String,
    /// How it is written.
    input_format: DateFormat,
}

impl Process for ParseDate {
    type Output = Date;

    async fn process(self, _: &NodeCx) -> Result<Date, NodeError> {
        let moment = self.input_format.read(&self.date_string);
        let moment = moment.map_err(|e| NodeError::bad("date_string", e))?;
        Ok(date_record(moment.wall().date()))
    }
}

/// Reads a date with its time of day from text in a known format.
/// datetime, parse, read, text, convert
///
/// Text without a zone counts as UTC.
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct ParseDateTime {
    /// The text.
    datetime_string: String,
    /// How it is written.
    input_format: DateFormat,
}

impl Process for ParseDateTime {
    type Output = DateTime;

    async fn process(self, _: &NodeCx) -> Result<DateTime, NodeError> {
        let moment = self.input_format.read(&self.datetime_string);
        let moment = moment.map_err(|e| NodeError::bad("datetime_string", e))?;
        Ok(moment.record())
    }
}
