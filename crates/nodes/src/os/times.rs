//! `lib.os.CreatedTime`, `ModifiedTime`, `AccessedTime`: in UTC.

use std::fs::Metadata;

use chrono::{DateTime as Moment, Datelike, Timelike, Utc};
use nodetool_sdk::{DateTime, Node, NodeCx, NodeError, Process, Value};

use super::probes::look;
use crate::workspace::place::{created, facts, utc};

/// Tells when a file was made.
/// file, time, created, date, metadata
///
/// Where the file system keeps no such time, when the file's entry changed last.
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct CreatedTime {
    /// Path inside the workspace.
    path: String,
}

impl Process for CreatedTime {
    type Output = DateTime;

    async fn process(self, cx: &NodeCx) -> Result<DateTime, NodeError> {
        time(cx, self.path, created).await
    }
}

/// Tells when a file's content changed last.
/// file, time, modified, changed, date, metadata
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct ModifiedTime {
    /// Path inside the workspace.
    path: String,
}

impl Process for ModifiedTime {
    type Output = DateTime;

    async fn process(self, cx: &NodeCx) -> Result<DateTime, NodeError> {
        time(cx, self.path, |facts| utc(facts.modified().ok()?)).await
    }
}

/// Tells when a file was read last.
/// file, time, accessed, read, date, metadata
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct AccessedTime {
    /// Path inside the workspace.
    path: String,
}

impl Process for AccessedTime {
    type Output = DateTime;

    async fn process(self, cx: &NodeCx) -> Result<DateTime, NodeError> {
        time(cx, self.path, |facts| utc(facts.accessed().ok()?)).await
    }
}

async fn time(
    cx: &NodeCx,
    path: String,
    which: impl FnOnce(&Metadata) -> Option<Moment<Utc>> + Send + 'static,
) -> Result<DateTime, NodeError> {
    look(cx, path, |path| match which(&facts(&path, "path")?) {
        Some(moment) => Ok(datetime(moment)),
        None => Err(NodeError::bad(
            "path",
            "the file system does not keep this time",
        )),
    })
    .await
}

fn datetime(t: Moment<Utc>) -> DateTime {
    let number = |n: u32| Value::from(i64::from(n));
    DateTime(Value::map([
        ("type", Value::from(DateTime::TAG)),
        ("year", i64::from(t.year()).into()),
        ("month", number(t.month())),
        ("day", number(t.day())),
        ("hour", number(t.hour())),
        ("minute", number(t.minute())),
        ("second", number(t.second())),
        ("microsecond", number(t.timestamp_subsec_micros())),
        ("tzinfo", "UTC".into()),
        ("utc_offset", 0i64.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[tokio::test]
    async fn times_are_datetimes_in_utc() {
        let root = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(root.path().join("f")).unwrap();
        let then = SystemTime::UNIX_EPOCH + Duration::from_micros(86_400_000_007);
        file.set_modified(then).unwrap();
        let cx = || context_with(Services::none(), Some(root.path().into()));
        let run = case::<ModifiedTime>().set("path", "f").within(cx());
        let time = run.value().await.unwrap();
        let part = |k: &str| time.get(k).unwrap().as_i64().unwrap();
        assert_eq!(
            (part("year"), part("day"), part("hour"), part("microsecond")),
            (1970, 2, 0, 7)
        );
        assert_eq!(time.type_tag(), Some("datetime"));
        let made = case::<CreatedTime>()
            .set("path", "f")
            .within(cx())
            .value()
            .await
            .unwrap();
        assert!(made.get("year").unwrap().as_i64().unwrap() > 2000);
    }
}
