//! Jobs of the user.

use nodetool_sdk::{Severity, Value};
use nodetool_store::JobRow;

use super::Desk;
use super::arguments::{Arguments, cut};
use crate::services::{ListJobs, TimeText};

/// Characters of a line of a log.
const MOST_LINE: usize = 500;

fn time(micros: i64) -> Value {
    let text = serde_json::to_value(TimeText(micros)).unwrap_or_default();
    text.as_str().unwrap_or_default().into()
}

fn shown(row: &JobRow) -> Value {
    Value::map([
        ("id", Value::from(row.id.as_str())),
        ("status", row.status.as_str().into()),
        ("workflow_id", row.workflow_id.as_str().into()),
        ("started_at", time(row.started_at)),
        ("finished_at", row.finished_at.map(time).into()),
        (
            "error",
            row.error.as_deref().map(|e| cut(e, 1_000).0).into(),
        ),
        ("cost", row.cost.into()),
        ("suspension_reason", row.suspension_reason.as_deref().into()),
    ])
}

impl Desk {
    pub(super) async fn list_jobs(&self, arguments: &Arguments) -> Result<Value, String> {
        let list = ListJobs {
            workflow_id: arguments.given("workflow_id").map(str::to_owned),
            limit: arguments.count("limit", 20, 100).max(1),
            cursor: String::new(),
        };
        let page = self.house.jobs.list(&self.scope.caller, list).await;
        let page = page.map_err(|e| e.to_string())?;
        let jobs = Value::list(page.rows.iter().map(shown));
        Ok(Value::map([("jobs", jobs)]))
    }

    pub(super) async fn get_job(&self, arguments: &Arguments) -> Result<Value, String> {
        let row = self
            .house
            .jobs
            .get(&self.scope.caller, arguments.text("job_id"))
            .await;
        match row.map_err(|e| e.to_string())? {
            Some(row) => Ok(shown(&row)),
            None => Err(no_job()),
        }
    }

    pub(super) async fn get_job_logs(&self, arguments: &Arguments) -> Result<Value, String> {
        let logs = self
            .house
            .jobs
            .logs(&self.scope.caller, arguments.text("job_id"))
            .await;
        let Some(lines) = logs.map_err(|e| e.to_string())? else {
            return Err(no_job());
        };
        let limit = arguments.count("limit", 200, 1_000);
        let total = lines.len();
        let last = lines.into_iter().skip(total.saturating_sub(limit));
        let line = |line: crate::services::LogLine| {
            let level = match line.severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            Value::map([
                ("time", time(line.at)),
                ("level", level.into()),
                ("node", line.node_name.into()),
                ("message", cut(&line.content, MOST_LINE).0.into()),
            ])
        };
        Ok(Value::map([
            ("lines", Value::list(last.map(line))),
            ("total", total.into()),
        ]))
    }
}

fn no_job() -> String {
    "job_id: there is no such job".into()
}
