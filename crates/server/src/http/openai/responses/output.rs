//! The items of a response, and the response they are in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_protocol::Value;
use nodetool_sdk::models::{Answer, FinishReason, Media, MediaSource, Usage};
use serde_json::{Map, json};

use super::super::completions::entries;
use super::super::files;
use super::super::unique;
use super::super::usage::Estimate;

/// An item of the output.
pub(super) enum Item {
    Reasoning {
        id: String,
        text: String,
        signature: Option<String>,
    },
    Message {
        id: String,
        text: String,
        logprobs: Vec<Value>,
    },
    Call {
        id: String,
        call_id: String,
        name: String,
        arguments: String,
    },
    Image {
        id: String,
        base64: String,
    },
}

impl Item {
    pub(super) fn reasoning() -> Self {
        Item::Reasoning {
            id: unique("rs_"),
            text: String::new(),
            signature: None,
        }
    }

    pub(super) fn message() -> Self {
        Item::Message {
            id: unique("msg_"),
            text: String::new(),
            logprobs: Vec::new(),
        }
    }

    pub(super) fn call(call_id: String, name: String) -> Self {
        Item::Call {
            id: unique("fc_"),
            call_id,
            name,
            arguments: String::new(),
        }
    }

    /// A picture that is here; nothing for other files.
    pub(super) fn image(file: &Media) -> Option<Self> {
        match &file.source {
            MediaSource::Bytes(bytes) if file.mime.starts_with("image/") => Some(Item::Image {
                id: unique("ig_"),
                base64: STANDARD.encode(bytes),
            }),
            _ => None,
        }
    }

    pub(super) fn id(&self) -> &str {
        match self {
            Item::Reasoning { id, .. }
            | Item::Message { id, .. }
            | Item::Call { id, .. }
            | Item::Image { id, .. } => id,
        }
    }

    /// The part of a message that holds its text.
    pub(super) fn part(&self) -> serde_json::Value {
        let (text, logprobs): (&str, &[Value]) = match self {
            Item::Message { text, logprobs, .. } => (text, logprobs),
            _ => ("", &[]),
        };
        json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": logprobs })
    }

    /// The item, whole or as it begins.
    pub(super) fn json(&self, begins: bool) -> serde_json::Value {
        let status = if begins { "in_progress" } else { "completed" };
        match self {
            Item::Reasoning {
                id,
                text,
                signature,
            } => {
                let summary = match begins || text.is_empty() {
                    true => json!([]),
                    false => json!([{ "type": "summary_text", "text": text }]),
                };
                json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": signature })
            }
            Item::Message { id, .. } => {
                let content = if begins {
                    json!([])
                } else {
                    json!([self.part()])
                };
                json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
            }
            Item::Call {
                id,
                call_id,
                name,
                arguments,
            } => {
                let arguments = if begins { "" } else { arguments };
                json!({ "id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": arguments })
            }
            Item::Image { id, base64 } => {
                let result = if begins { json!(null) } else { json!(base64) };
                json!({ "id": id, "type": "image_generation_call", "status": status, "result": result })
            }
        }
    }
}

/// A response while its items come together.
pub(super) struct Report {
    echo: Map<String, serde_json::Value>,
    pub(super) items: Vec<Item>,
    pub(super) usage: Option<Usage>,
    estimate: Estimate,
}

impl Report {
    pub(super) fn new(echo: Map<String, serde_json::Value>, estimate: Estimate) -> Self {
        Report {
            echo,
            items: Vec::new(),
            usage: None,
            estimate,
        }
    }

    /// The response before anything has come.
    pub(super) fn begun(&self) -> &Map<String, serde_json::Value> {
        &self.echo
    }

    /// The response at its end.
    pub(super) async fn ended(&mut self, reason: &FinishReason) -> Map<String, serde_json::Value> {
        let mut response = self.echo.clone();
        let why = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => None,
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::ContentFilter => Some("content_filter"),
        };
        let status = if why.is_some() {
            "incomplete"
        } else {
            "completed"
        };
        response.insert("status".into(), status.into());
        if let Some(reason) = why {
            response.insert("incomplete_details".into(), json!({ "reason": reason }));
        }
        response.insert("output".into(), self.output());
        let usage = match self.usage {
            Some(usage) => usage,
            None => self.estimated().await,
        };
        response.insert("usage".into(), told(usage));
        response
    }

    /// The response when its call has failed.
    pub(super) fn failed(&self, code: &str, message: &str) -> Map<String, serde_json::Value> {
        let mut response = self.echo.clone();
        response.insert("status".into(), "failed".into());
        response.insert("output".into(), self.output());
        response.insert("error".into(), json!({ "code": code, "message": message }));
        response
    }

    fn output(&self) -> serde_json::Value {
        self.items.iter().map(|item| item.json(false)).collect()
    }

    async fn estimated(&mut self) -> Usage {
        for item in &self.items {
            if let Item::Reasoning { text, .. }
            | Item::Message { text, .. }
            | Item::Call {
                arguments: text, ..
            } = item
            {
                self.estimate.add(text).await;
            }
        }
        self.estimate.usage().await
    }

    /// The response of a whole answer.
    pub(super) async fn of_answer(mut self, answer: Answer) -> Map<String, serde_json::Value> {
        let Answer {
            mut text,
            reasoning,
            signature,
            files,
            tool_calls,
            logprobs,
            finish,
            usage,
        } = answer;
        self.usage = usage;
        if !reasoning.is_empty() || signature.is_some() {
            self.items.push(Item::Reasoning {
                id: unique("rs_"),
                text: reasoning,
                signature,
            });
        }
        let mut images = Vec::new();
        for file in &files {
            match Item::image(file) {
                Some(image) => images.push(image),
                None => text.push_str(&files::link(file)),
            }
        }
        if !text.is_empty() || (tool_calls.is_empty() && images.is_empty()) {
            self.items.push(Item::Message {
                id: unique("msg_"),
                text,
                logprobs: logprobs.into_iter().flat_map(entries).collect(),
            });
        }
        self.items.extend(images);
        self.items
            .extend(tool_calls.into_iter().map(|call| Item::Call {
                id: unique("fc_"),
                call_id: call.id,
                name: call.name,
                arguments: call.arguments,
            }));
        self.ended(&finish.unwrap_or(FinishReason::Stop)).await
    }
}

fn told(usage: Usage) -> serde_json::Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": { "cached_tokens": usage.cached },
        "output_tokens": usage.output,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning },
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}
