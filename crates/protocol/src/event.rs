//! Messages of a run, as they stand on every wire: flat, tagged by `type`, every declared key present.
//!
//! Source: engine spec 6.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::{Map, Value};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for other jobs of its user to end; on the wire only, its row is `scheduled`.
    Queued,
    /// Row written, not started.
    Scheduled,
    /// Nodes are at work.
    Running,
    /// A node waits for the outside; resumable.
    Suspended,
    /// Stopped by its owner; resumable.
    Paused,
    /// All nodes ended well.
    Completed,
    /// Something ended it with an error.
    Failed,
    /// Ended on request.
    Cancelled,
    /// Its owner died; being taken over.
    Recovering,
}

impl JobStatus {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            JobStatus::Queued => "queued",
            JobStatus::Scheduled => "scheduled",
            JobStatus::Running => "running",
            JobStatus::Suspended => "suspended",
            JobStatus::Paused => "paused",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Recovering => "recovering",
        }
    }

    /// Whether nothing follows it.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled
        )
    }

    /// Whether `resume` makes sense (engine spec 5.2).
    pub fn is_resumable(self) -> bool {
        matches!(
            self,
            JobStatus::Running
                | JobStatus::Suspended
                | JobStatus::Paused
                | JobStatus::Recovering
                | JobStatus::Failed
        )
    }
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Something looks wrong.
    Warning,
    /// Something is wrong.
    Error,
}

/// State of a node in a `node_update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// An execution began.
    Running,
    /// An execution ended well.
    Completed,
    /// The node failed.
    Error,
    /// The node waits for a shared resource.
    Waiting,
    /// The node waits for the outside.
    Suspended,
}

/// State of an edge in an `edge_update`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeStatus {
    /// An item went over it; `counter` says how many so far.
    MessageSent,
    /// No more items will come.
    Drained,
}

/// The id of a graph that is not stored is empty inside and null on the wire.
#[expect(clippy::ref_option, reason = "the shape serde calls")]
fn id_or_null<S: serde::Serializer>(id: &Option<Arc<str>>, s: S) -> Result<S::Ok, S::Error> {
    id.as_ref().filter(|id| !id.is_empty()).serialize(s)
}

fn text_or_null<S: serde::Serializer>(id: &Arc<str>, s: S) -> Result<S::Ok, S::Error> {
    Some(id).filter(|id| !id.is_empty()).serialize(s)
}

/// One message of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JobEvent {
    /// Life of the job.
    JobUpdate(JobUpdate),
    /// Life of a node.
    NodeUpdate(NodeUpdate),
    /// How far a node is.
    NodeProgress {
        /// The node.
        node_id: Arc<str>,
        /// Its title.
        node_name: Arc<str>,
        /// Steps done.
        progress: i64,
        /// Steps in all.
        total: i64,
        /// Text so far, if any.
        chunk: String,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
    },
    /// Life of an edge.
    EdgeUpdate {
        /// The workflow.
        #[serde(serialize_with = "text_or_null")]
        workflow_id: Arc<str>,
        /// The edge.
        edge_id: Arc<str>,
        /// What happened.
        status: EdgeStatus,
        /// Items sent so far; null when drained.
        counter: Option<u64>,
    },
    /// A value at an output node.
    OutputUpdate(OutputUpdate),
    /// A value at a preview node.
    PreviewUpdate {
        /// The node.
        node_id: Arc<str>,
        /// The value.
        value: Value,
    },
    /// A node stored something.
    SaveUpdate {
        /// The node.
        node_id: Arc<str>,
        /// Name of the thing.
        name: Arc<str>,
        /// The thing.
        value: Value,
        /// Its type.
        output_type: Arc<str>,
        /// Free.
        metadata: Map,
    },
    /// A piece of streamed content.
    Chunk {
        /// The node.
        node_id: Option<Arc<str>>,
        /// The chat thread.
        thread_id: Option<Arc<str>>,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
        /// text, audio, image, video or document.
        content_type: Arc<str>,
        /// The content.
        content: Value,
        /// Free.
        content_metadata: Map,
        /// Whether it is the last.
        done: bool,
        /// Whether it is reasoning.
        thinking: bool,
    },
    /// A line a node wrote.
    LogUpdate {
        /// The node.
        node_id: Arc<str>,
        /// Its title.
        node_name: Arc<str>,
        /// The line.
        content: String,
        /// How loud.
        severity: Severity,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
    },
    /// A line meant for the user's attention.
    Notification {
        /// The node.
        node_id: Arc<str>,
        /// The line.
        content: String,
        /// How loud.
        severity: Severity,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
    },
    /// The values of a workflow used as a tool.
    ToolResultUpdate {
        /// The node.
        node_id: Arc<str>,
        /// The chat thread.
        thread_id: Option<Arc<str>>,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
        /// Values by handle.
        result: Map,
    },
    /// The run cannot go on; precedes its failed `job_update`.
    Error {
        /// What happened.
        message: String,
        /// The chat thread.
        thread_id: Option<Arc<str>>,
        /// The workflow.
        #[serde(serialize_with = "id_or_null")]
        workflow_id: Option<Arc<str>>,
    },
}

/// `job_update`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobUpdate {
    /// Where the job stands.
    pub status: JobStatus,
    /// The job.
    pub job_id: Option<Arc<str>>,
    /// The workflow.
    #[serde(serialize_with = "id_or_null")]
    pub workflow_id: Option<Arc<str>>,
    /// A sentence for people.
    pub message: Option<String>,
    /// On completed: output name to the list of its values.
    pub result: Option<Map>,
    /// On failed: why.
    pub error: Option<String>,
    /// On failed: where.
    pub traceback: Option<String>,
    /// Details for reconnecting clients.
    pub run_state: Option<RunState>,
    /// On completed: seconds.
    pub duration: Option<f64>,
    /// On queued: how many jobs come first, this one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_position: Option<usize>,
    /// On failed, where a program should tell causes apart: `NOT_FOUND`, `INVALID_INPUT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<&'static str>,
    /// On failed: what is wrong with the graph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_issues: Vec<Map>,
}

impl JobUpdate {
    /// An update with nothing but its status.
    pub fn new(status: JobStatus, job_id: Arc<str>, workflow_id: Arc<str>) -> Self {
        JobUpdate {
            status,
            job_id: Some(job_id),
            workflow_id: Some(workflow_id),
            message: None,
            result: None,
            error: None,
            traceback: None,
            run_state: None,
            duration: None,
            queue_position: None,
            error_code: None,
            validation_issues: Vec::new(),
        }
    }
}

/// Details of a job for a client that connects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunState {
    /// Where the job stands.
    pub status: JobStatus,
    /// The node that waits.
    pub suspended_node_id: Option<String>,
    /// Why it waits.
    pub suspension_reason: Option<String>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// How it runs.
    pub execution_strategy: Option<String>,
    /// Whether `resume_job` makes sense.
    pub is_resumable: bool,
}

/// `node_update`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeUpdate {
    /// The node.
    pub node_id: Arc<str>,
    /// Its title.
    pub node_name: Arc<str>,
    /// Its type.
    pub node_type: Arc<str>,
    /// What happened.
    pub status: NodeStatus,
    /// On error: why.
    pub error: Option<String>,
    /// On completed: values by slot.
    pub result: Option<Map>,
    /// On running and completed: property values.
    pub properties: Option<Map>,
    /// The workflow.
    #[serde(serialize_with = "id_or_null")]
    pub workflow_id: Option<Arc<str>>,
}

/// `output_update`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputUpdate {
    /// The output node.
    pub node_id: Arc<str>,
    /// The output's name.
    pub node_name: Arc<str>,
    /// The output's name again.
    pub output_name: Arc<str>,
    /// The value.
    pub value: Value,
    /// Name of the value's type.
    pub output_type: Arc<str>,
    /// Free.
    pub metadata: Map,
    /// The workflow.
    #[serde(serialize_with = "id_or_null")]
    pub workflow_id: Option<Arc<str>>,
}

/// The name of a value's own type for `output_update` (engine spec 6.2).
pub fn output_type_of(value: &Value) -> Arc<str> {
    match value {
        Value::Null => "none".into(),
        Value::Bool(_) => "bool".into(),
        Value::Int(_) => "int".into(),
        Value::Float(_) => "float".into(),
        Value::Str(_) => "str".into(),
        Value::Bytes(_) => "bytes".into(),
        Value::List(_) => "list".into(),
        Value::Map(_) => match value.type_tag() {
            Some(tag) if crate::catalogue::fields(tag).is_some() => tag.into(),
            _ => "dict".into(),
        },
    }
}

/// What a client asks to run (engine spec 5.1); unknown keys are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RunJobRequest {
    /// Client-chosen id.
    pub job_id: Option<Arc<str>>,
    /// Stored kind of job.
    pub job_type: Option<String>,
    /// Input name to value.
    pub params: Option<Map>,
    /// The stored workflow.
    pub workflow_id: Option<Arc<str>>,
    /// A graph in place of the stored one.
    pub graph: Option<crate::Graph>,
    /// Wrap primitive results as `{type, value}`.
    pub explicit_types: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_declared_key_is_present() {
        let event = JobEvent::JobUpdate(JobUpdate::new(JobStatus::Running, "j".into(), "w".into()));
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"type":"job_update","status":"running","job_id":"j","workflow_id":"w","message":null,"result":null,"error":null,"traceback":null,"run_state":null,"duration":null}"#
        );
        let event = JobEvent::EdgeUpdate {
            workflow_id: "w".into(),
            edge_id: "e".into(),
            status: EdgeStatus::Drained,
            counter: None,
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"type":"edge_update","workflow_id":"w","edge_id":"e","status":"drained","counter":null}"#
        );
    }

    #[test]
    fn output_types_are_builtin_names() {
        assert_eq!(&*output_type_of(&Value::Null), "none");
        assert_eq!(
            &*output_type_of(&Value::map([("type", "image".into())])),
            "image"
        );
        assert_eq!(
            &*output_type_of(&Value::map([("type", "mystery".into())])),
            "dict"
        );
    }
}
