//! `lib.date.IsDateInRange`.

use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process};

use super::record::Moment;

/// Tells whether a datetime lies between two others.
/// datetime, range, between, check, compare
#[derive(Node)]
#[node(namespace = "lib.date", tool)]
pub(super) struct IsDateInRange {
    /// The moment in question.
    check_date: DateTime,
    /// Start of the range.
    start_date: DateTime,
    /// End of the range.
    end_date: DateTime,
    /// Whether the ends belong to the range.
    #[prop(default = true)]
    inclusive: bool,
}

impl Process for IsDateInRange {
    type Output = bool;

    async fn process(self, _: &NodeCx) -> Result<bool, NodeError> {
        let check = Moment::read("check_date", &self.check_date)?.instant();
        let start = Moment::read("start_date", &self.start_date)?.instant();
        let end = Moment::read("end_date", &self.end_date)?.instant();
        Ok(if self.inclusive {
            start <= check && check <= end
        } else {
            start < check && check < end
        })
    }
}
