//! One numbered message, encoded once for all its listeners.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use nodetool_protocol::{JobEvent, Map};
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
        }
    }

    /// The message as one JSON object, stamped with `job_id`, `workflow_id` and `job_seq` (socket spec 5.1).
    pub(crate) fn json(&self) -> Bytes {
        self.json
            .get_or_init(|| {
                let mut out = Vec::with_capacity(320);
                if serde_json::to_writer(&mut out, &self.event).is_err() || out.len() < 2 {
                    out = br#"{"type":"error","message":"This message cannot be written as JSON""#
                        .to_vec();
                } else {
                    out.pop();
                }
                self.each_stamp(|key, value| {
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    let _ = match value {
                        Stamp::Number(n) => serde_json::to_writer(&mut out, &n),
                        Stamp::Id(id) => serde_json::to_writer(&mut out, &id),
                    };
                });
                out.push(b'}');
                out.into()
            })
            .clone()
    }

    /// The fields every message of a job carries beyond its own.
    fn each_stamp(&self, mut write: impl FnMut(&'static str, Stamp<'_>)) {
        if !matches!(self.event, JobEvent::JobUpdate(_)) {
            write("job_id", Stamp::Id(Some(&self.job_id)));
        }
        if matches!(
            self.event,
            JobEvent::PreviewUpdate { .. } | JobEvent::SaveUpdate { .. }
        ) {
            let id = Some(&*self.workflow_id).filter(|id| !id.is_empty());
            write("workflow_id", Stamp::Id(id));
        }
        write("job_seq", Stamp::Number(self.number));
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
