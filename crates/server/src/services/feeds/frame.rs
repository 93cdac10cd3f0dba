//! One numbered message, encoded once for all its listeners.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use nodetool_protocol::{JobEvent, JobUpdate, Map, NodeStatus, Value, pack};
use serde::Serialize;

use super::Subject;

/// A message of a job, with its number.
pub(crate) struct Frame {
    pub(crate) number: u64,
    pub(crate) event: JobEvent,
    job_id: Arc<str>,
    workflow_id: Arc<str>,
    /// About how much memory it holds.
    pub(super) weight: usize,
    json: OnceLock<Bytes>,
    packed: OnceLock<Bytes>,
}

/// Whether clients are told of it: nodes that only hold a value say nothing but their errors (socket spec 5.5).
pub(super) fn is_relayed(event: &JobEvent) -> bool {
    let JobEvent::NodeUpdate(update) = event else {
        return true;
    };
    let quiet = |kind: &str| update.node_type.starts_with(kind);
    update.status == NodeStatus::Error || !(quiet("nodetool.constant.") || quiet("nodetool.input."))
}

/// A closing message whose result is there in both shapes: by name, and again under `outputs` (socket spec 5.4).
fn with_outputs(event: &JobEvent) -> Option<JobEvent> {
    let JobEvent::JobUpdate(update) = event else {
        return None;
    };
    let by_name = update.result.as_ref()?;
    let mut result = by_name.clone();
    result.insert("outputs".into(), by_name.clone().into());
    Some(JobEvent::JobUpdate(JobUpdate {
        result: Some(result),
        ..update.clone()
    }))
}

impl Frame {
    pub(super) fn new(number: u64, subject: &Subject, event: JobEvent) -> Self {
        Frame {
            number,
            weight: size_of::<Frame>() + 64 + weight(&event),
            event,
            job_id: subject.job_id.clone(),
            workflow_id: subject.workflow_id.clone(),
            json: OnceLock::new(),
            packed: OnceLock::new(),
        }
    }

    /// The message as one MessagePack map with the stamps of [`json`](Self::json).
    pub(crate) fn packed(&self) -> Bytes {
        self.packed
            .get_or_init(|| {
                let closing = with_outputs(&self.event);
                let event = closing.as_ref().unwrap_or(&self.event);
                let packed = pack::to_vec_with(event, &self.stamps()).or_else(|_| {
                    let text = "This message cannot be written as MessagePack";
                    let error =
                        Value::map([("type", Value::from("error")), ("message", text.into())]);
                    pack::to_vec_with(&error, &self.stamps())
                });
                packed.unwrap_or_default().into()
            })
            .clone()
    }

    /// The message as one JSON object, stamped with `job_id`, `workflow_id` and `job_seq` (socket spec 5.1).
    pub(crate) fn json(&self) -> Bytes {
        self.json
            .get_or_init(|| {
                let mut out = Vec::with_capacity(320);
                let closing = with_outputs(&self.event);
                let event = closing.as_ref().unwrap_or(&self.event);
                if serde_json::to_writer(&mut out, event).is_err() || out.len() < 2 {
                    out = br#"{"type":"error","message":"This message cannot be written as JSON""#
                        .to_vec();
                } else {
                    out.pop();
                }
                for (key, value) in self.stamps() {
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    // A number or an id: both can be written.
                    let _ = serde_json::to_writer(&mut out, &value);
                }
                out.push(b'}');
                out.into()
            })
            .clone()
    }

    /// The fields every message of a job carries beyond its own.
    fn stamps(&self) -> Vec<(&'static str, Stamp<'_>)> {
        let mut stamps = Vec::with_capacity(3);
        // What the event has itself is not written twice.
        let has_workflow = !matches!(
            self.event,
            JobEvent::PreviewUpdate { .. } | JobEvent::SaveUpdate { .. }
        );
        if !matches!(self.event, JobEvent::JobUpdate(_)) {
            stamps.push(("job_id", Stamp::Id(Some(&self.job_id))));
        }
        if !has_workflow {
            let id = Some(&*self.workflow_id).filter(|id| !id.is_empty());
            stamps.push(("workflow_id", Stamp::Id(id)));
        }
        stamps.push(("job_seq", Stamp::Number(self.number)));
        stamps
    }
}

/// A value of a stamp.
#[derive(Serialize)]
#[serde(untagged)]
enum Stamp<'a> {
    Number(u64),
    Id(Option<&'a str>),
}

/// About how many bytes of texts and blobs a message holds.
fn weight(event: &JobEvent) -> usize {
    let map = |m: &Map| {
        m.iter()
            .map(|(k, v)| 64 + k.len() + v.weight())
            .sum::<usize>()
    };
    let maybe = |m: &Option<Map>| m.as_ref().map_or(0, map);
    match event {
        JobEvent::JobUpdate(u) => maybe(&u.result) + u.error.as_ref().map_or(0, String::len),
        JobEvent::NodeUpdate(u) => maybe(&u.result) + maybe(&u.properties),
        JobEvent::OutputUpdate(u) => u.value.weight() + map(&u.metadata),
        JobEvent::PreviewUpdate { value, .. } => value.weight(),
        JobEvent::SaveUpdate {
            value, metadata, ..
        } => value.weight() + map(metadata),
        JobEvent::Chunk {
            content,
            content_metadata,
            ..
        } => content.weight() + map(content_metadata),
        JobEvent::LogUpdate { content, .. } | JobEvent::Notification { content, .. } => {
            content.len()
        }
        JobEvent::ToolResultUpdate { result, .. } => map(result),
        JobEvent::Error { message, .. } => message.len(),
        JobEvent::NodeProgress { chunk, .. } => chunk.len(),
        JobEvent::EdgeUpdate { .. } => 0,
    }
}
