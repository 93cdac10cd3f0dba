//! `lib.datetime.Now`.

use chrono::{DateTime as Chrono, Utc};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Outputs, Process};

use super::moment::{iso, record};

/// Gives the present moment.
/// datetime, now, current, clock, iso, epoch
#[derive(Node)]
#[node(namespace = "lib.datetime", uncached)]
pub(super) struct Now;

/// A moment as text, number and record.
#[derive(Outputs)]
pub(super) struct Moment {
    iso: String,
    epoch_ms: i64,
    date: DateTime,
}

impl From<Chrono<Utc>> for Moment {
    fn from(moment: Chrono<Utc>) -> Self {
        Moment {
            iso: iso(&moment),
            epoch_ms: moment.timestamp_millis(),
            date: record(&moment),
        }
    }
}

impl Process for Now {
    type Output = Moment;

    async fn process(self, _: &NodeCx) -> Result<Moment, NodeError> {
        Ok(Utc::now().into())
    }
}
