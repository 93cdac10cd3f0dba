//! Attaching to a job again (socket spec 6.2).

use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Map, RunState, Value};
use nodetool_store::JobRow;

use super::command::{Command, object};
use super::connection::Socket;
use super::jobs::{id_or_null, named, workflow_of};
use super::outgoing::{Detail, resumed};
use crate::services::Begin;

/// Tells how a job stands, replays what the client has not seen and goes on from there.
pub(super) async fn reconnect_job(socket: &Socket, command: &Command) -> Result<(), Value> {
    let job_id = named(command)?;
    let last_seq = command.number("last_seq")?;
    let jobs = &socket.sockets.0.parts.jobs;
    let ack = |workflow_id: Value| {
        command.ack(object([
            ("message", format!("Reconnecting to job {job_id}").into()),
            ("job_id", (&*job_id).into()),
            ("workflow_id", workflow_id),
        ]))
    };
    if let Some(feed) = jobs.feed(&socket.caller, &job_id) {
        let from = last_seq.map_or(Begin::Snapshot, Begin::After);
        let ack = ack(id_or_null(&feed.subject().workflow_id));
        socket
            .outgoing
            .attach(&feed, from, Detail::Full, false, |watch| {
                let replay = watch.replay;
                let word = resumed(&feed, last_seq, replay.count, replay.incomplete);
                vec![socket.encode(&ack), socket.encode(&word)]
            });
        return Ok(());
    }
    let read = |e| command.internal("a job could not be read", &e);
    let row = jobs.get(&socket.caller, &job_id).await.map_err(read)?;
    let number = match row {
        Some(_) => jobs.number_beyond(&job_id).await.map_err(read)?,
        None => 1,
    };
    let number = number.max(last_seq.unwrap_or(0).saturating_add(1));
    let (workflow_id, update) = match row {
        Some(row) => {
            let result = jobs.result(&socket.caller, &job_id).await.map_err(read)?;
            (id_or_null(&row.workflow_id), stored_update(row, result))
        }
        None => {
            let workflow_id = workflow_of(socket, command, &job_id);
            let id = workflow_id.as_str().unwrap_or_default().into();
            let mut update = JobUpdate::new(JobStatus::Failed, job_id.clone(), id);
            update.error = Some(format!("Job {job_id} not found"));
            (workflow_id, update)
        }
    };
    socket.reply(&ack(workflow_id.clone()));
    let last_seq = last_seq.and_then(|n| i64::try_from(n).ok());
    socket.reply(
        &object([
            ("type", "job_resumed".into()),
            ("job_id", (&*job_id).into()),
            ("workflow_id", workflow_id),
            ("status", "unknown".into()),
            ("last_seq", last_seq.into()),
            ("replay_count", 0i64.into()),
            ("replay_incomplete", false.into()),
        ])
        .into(),
    );
    socket.reply(&event(update, number));
    Ok(())
}

/// How a job ended, or waits, by what is stored of it.
fn stored_update(row: JobRow, result: Option<Map>) -> JobUpdate {
    use nodetool_store::JobStatus as Stored;
    let status = match row.status {
        Stored::Scheduled => JobStatus::Scheduled,
        Stored::Running => JobStatus::Running,
        Stored::Suspended => JobStatus::Suspended,
        Stored::Paused => JobStatus::Paused,
        Stored::Completed => JobStatus::Completed,
        Stored::Failed => JobStatus::Failed,
        Stored::Cancelled => JobStatus::Cancelled,
        Stored::Recovering => JobStatus::Recovering,
    };
    let mut update = JobUpdate::new(status, row.id.into(), row.workflow_id.into());
    update.error = row.error;
    update.result = result.map(|by_name| {
        let mut result = by_name.clone();
        result.insert("outputs".into(), by_name.into());
        result
    });
    update.run_state = Some(RunState {
        status,
        suspended_node_id: row.suspended_node_id,
        suspension_reason: row.suspension_reason,
        error_message: row.error_message,
        execution_strategy: row.execution_strategy,
        is_resumable: matches!(status, JobStatus::Suspended | JobStatus::Paused),
    });
    update
}

/// The only message of a job that has no feed, with a number for it.
pub(super) fn event(update: JobUpdate, number: u64) -> Value {
    let json = serde_json::to_vec(&JobEvent::JobUpdate(update)).unwrap_or_default();
    let mut map = match serde_json::from_slice(&json) {
        Ok(Value::Map(map)) => Map::clone(&map),
        // Our own type with text keys: it is always an object.
        _ => Map::new(),
    };
    map.insert("job_seq".into(), number.cast_signed().into());
    map.into()
}
