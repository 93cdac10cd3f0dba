//! `lib.date.FormatDateTime`.

use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process};

use super::format::DateFormat;
use super::record::Moment;

/// Writes a datetime as text.
/// datetime, format, text, string, convert
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct FormatDateTime {
    /// What to write.
    input_datetime: DateTime,
    /// How to write it.
    #[prop(default = "%B %d, %Y")]
    output_format: DateFormat,
}

impl Process for FormatDateTime {
    type Output = String;

    async fn process(self, _: &NodeCx) -> Result<String, NodeError> {
        let moment = Moment::read("input_datetime", &self.input_datetime)?;
        Ok(self.output_format.write(&moment))
    }
}
