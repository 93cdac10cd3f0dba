//! A piece of an answer: on a `chunk` slot, and told to whoever watches the run.

use std::sync::Arc;

use nodetool_sdk::protocol::JobEvent;
use nodetool_sdk::{Chunk, Map, NodeCx, Value};

/// A piece of streamed content.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    content: Arc<str>,
    content_type: &'static str,
    metadata: Map,
    thinking: bool,
    done: bool,
}

impl Piece {
    /// A piece of text.
    pub(crate) fn text(text: &str) -> Self {
        Piece {
            content: text.into(),
            content_type: "text",
            metadata: Map::new(),
            thinking: false,
            done: false,
        }
    }

    /// A piece of reasoning.
    pub(crate) fn thought(text: &str) -> Self {
        Piece {
            thinking: true,
            ..Piece::text(text)
        }
    }

    /// A piece of sound, base64 text.
    pub(crate) fn audio(base64: &str, metadata: Map) -> Self {
        Piece {
            content_type: "audio",
            metadata,
            ..Piece::text(base64)
        }
    }

    /// The end of the stream this piece is of.
    pub(crate) fn last(self) -> Self {
        Piece { done: true, ..self }
    }

    /// The piece as a slot gives it.
    pub(crate) fn value(&self, cx: &NodeCx) -> Chunk {
        Chunk(Value::map([
            ("type", "chunk".into()),
            ("node_id", cx.node.id.clone().into()),
            ("thread_id", Value::Null),
            ("workflow_id", super::workflow(cx).into()),
            ("content_type", self.content_type.into()),
            ("content", self.content.clone().into()),
            ("content_metadata", self.metadata.clone().into()),
            ("done", self.done.into()),
            ("thinking", self.thinking.into()),
        ]))
    }

    /// Tells whoever watches the run. The end is not told: what a node says may be one of many parts of a turn.
    pub(crate) fn tell(&self, cx: &NodeCx) {
        if self.done || !cx.run.events.listening() {
            return;
        }
        cx.run.events.emit(JobEvent::Chunk {
            node_id: Some(cx.node.id.clone()),
            thread_id: None,
            workflow_id: Some(cx.run.workflow_id.clone()),
            content_type: self.content_type.into(),
            content: self.content.clone().into(),
            content_metadata: self.metadata.clone(),
            done: false,
            thinking: self.thinking,
        });
    }
}
