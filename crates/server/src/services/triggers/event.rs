//! Events: their names, the jobs they become, what the node is given. No store, no clock.

use nodetool_protocol::{Map, Value};
use nodetool_store::{TriggerInput, TriggerRow};
use uuid::Uuid;

use super::schedule::{SECOND, Timing, utc_text};
use super::spec::Spec;

/// Namespace of job ids made from event names.
const JOBS: Uuid = Uuid::from_u128(0x6f0d_51c7_9d0e_5c1b_9b53_2b8f_40f6_7d11);

/// An event of a schedule. `event` tells it from the schedule's other events; the same one twice is one event and one
/// job.
pub(super) fn input(row: &TriggerRow, event: &str, payload: &Value, now: i64) -> TriggerInput {
    let input_id = format!("{}:{}:{event}", row.workflow_id, row.node_id);
    // Nobody who does not know the salt can take the job's id first.
    let name = format!("{}:{input_id}", row.salt);
    TriggerInput {
        job_id: Uuid::new_v5(&JOBS, name.as_bytes()).simple().to_string(),
        input_id,
        user_id: row.user_id.clone(),
        workflow_id: row.workflow_id.clone(),
        node_id: row.node_id.clone(),
        payload: serde_json::to_string(payload).unwrap_or_else(|_| "{}".into()),
        created_at: now,
    }
}

/// What the node of a schedule is told when a due time has come.
pub(super) fn tick(row: &TriggerRow, spec: &Spec, timing: &Timing, due: i64) -> Value {
    let seconds = |micros: i64| micros as f64 / SECOND as f64;
    let mut tick = Map::new();
    tick.insert("tick".into(), Value::Int(row.fired + 1));
    let elapsed = seconds((due - row.started_at).max(0));
    tick.insert("elapsed_seconds".into(), elapsed.into());
    let (timestamp, source) = match timing {
        Timing::Interval { .. } => (utc_text(due), "interval"),
        Timing::Cron(calendar) => (calendar.text(due), "cron"),
    };
    if let Spec::Interval { every, .. } = spec {
        tick.insert("interval_seconds".into(), seconds(*every).into());
    }
    tick.insert("timestamp".into(), timestamp.into());
    tick.insert("source".into(), source.into());
    tick.insert("event_type".into(), "tick".into());
    tick.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_is_the_same_job_and_nobody_elses() {
        let row = TriggerRow {
            workflow_id: "w".into(),
            node_id: "n".into(),
            salt: "s".into(),
            ..TriggerRow::default()
        };
        let first = input(&row, "5", &Value::Null, 5);
        assert_eq!(first.input_id, "w:n:5");
        assert_eq!(first.job_id.len(), 32);
        assert_eq!(input(&row, "5", &Value::Null, 9).job_id, first.job_id);
        assert_ne!(input(&row, "6", &Value::Null, 5).job_id, first.job_id);
        let other = TriggerRow {
            salt: "t".into(),
            ..row
        };
        assert_ne!(input(&other, "5", &Value::Null, 5).job_id, first.job_id);
    }
}
