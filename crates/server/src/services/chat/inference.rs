//! A call of a model that belongs to no thread: nothing of it is stored (socket spec 7.5).

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::agent::close_open_calls;
use nodetool_sdk::models::{ChatMessage, ChatRequest, ChatStream, ModelError};
use nodetool_store::MessageRow;

use super::ask::{AskFault, ChatAsk};
use super::{ChatService, Manifest, content};
use crate::services::{Caller, MOST_MESSAGES, fetch, spoken};

/// What is asked of a model.
pub(crate) struct InferenceAsk {
    messages: Vec<ChatAsk>,
    provider: String,
    model: String,
    tools: Manifest,
}

impl InferenceAsk {
    /// Reads what a client asks.
    pub(crate) fn read(data: &Map) -> Result<Self, AskFault> {
        let fault = |path: &str, reason: &str| AskFault {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let messages = match data.get("messages") {
            Some(Value::List(messages)) if messages.len() <= MOST_MESSAGES => messages.clone(),
            Some(Value::List(_)) => {
                return Err(fault("messages", "expected at most 1000 messages"));
            }
            _ => return Err(fault("messages", "expected a list of messages")),
        };
        if messages.is_empty() {
            return Err(fault("messages", "expected at least one message"));
        }
        let mut read = Vec::with_capacity(messages.len());
        for (at, message) in messages.iter().enumerate() {
            let Value::Map(message) = message else {
                return Err(fault(&format!("messages.{at}"), "expected an object"));
            };
            read.push(ChatAsk::read(message).map_err(|e| AskFault {
                path: format!("messages.{at}.{}", e.path),
                ..e
            })?);
        }
        let text = |key: &str| match data.get(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::Str(text)) => Ok(text.to_string()),
            Some(_) => Err(fault(key, "expected a string")),
        };
        let tools = match data.get("tools") {
            None | Some(Value::Null) => Arc::default(),
            Some(Value::List(tools)) => tools.clone(),
            Some(_) => return Err(fault("tools", "expected a list")),
        };
        Ok(InferenceAsk {
            messages: read,
            provider: text("provider")?,
            model: text("model")?,
            tools: Manifest::read(&tools),
        })
    }
}

impl ChatService {
    /// Has a model answer once; its tool calls are the client's to run.
    pub(crate) async fn infer(
        &self,
        caller: &Caller,
        mut ask: InferenceAsk,
    ) -> Result<Result<ChatStream, ModelError>, AskFault> {
        let assets = self.assets(caller);
        let mut messages: Vec<ChatMessage> = Vec::with_capacity(ask.messages.len());
        for (at, said) in ask.messages.iter_mut().enumerate() {
            content::check(said).map_err(|e| AskFault {
                path: format!("messages.{at}.{}", e.path),
                ..e
            })?;
            let json = |value: &Value| serde_json::to_string(value).ok();
            let row = MessageRow {
                role: said.role.clone(),
                name: said.name.clone(),
                content: json(&said.content),
                tool_calls: said.tool_calls.as_ref().and_then(json),
                tool_call_id: said.tool_call_id.clone(),
                ..MessageRow::default()
            };
            messages.extend(spoken(&row));
        }
        let mut messages = close_open_calls(messages);
        fetch(&mut messages, &*assets).await;
        let request = ChatRequest {
            provider: ask.provider,
            model: ask.model,
            messages,
            tools: ask.tools.specs().to_vec(),
            node_id: Some(super::regular::COST_OF.into()),
            ..ChatRequest::default()
        };
        Ok(self.0.parts.models.of(caller).chat(request).await)
    }
}
