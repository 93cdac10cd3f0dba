//! The lines of an answer as events.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use nodetool_sdk::models::{
    ChatEvent, ChatStream, FinishReason, ModelError, ModelErrorKind, Usage,
};
use reqwest::Response;
use serde_json::Value;

use super::request::to_wire;
use crate::Account;
use crate::emulated_tools::{Read, Reader};

/// The events of an answer. With a reader, calls are found in its text.
pub(super) fn events(account: Account, response: Response, reader: Option<Reader>) -> ChatStream {
    let answer = Answer {
        lines: Box::pin(account.lines(response)),
        account,
        reader,
        calls: 0,
        ready: VecDeque::new(),
        is_over: false,
    };
    Box::pin(stream::unfold(answer, |mut answer| async move {
        let next = answer.next().await?;
        Some((next, answer))
    }))
}

struct Answer {
    account: Account,
    lines: Pin<Box<dyn Stream<Item = Result<String, ModelError>> + Send>>,
    reader: Option<Reader>,
    /// Calls so far.
    calls: u32,
    ready: VecDeque<ChatEvent>,
    is_over: bool,
}

impl Answer {
    async fn next(&mut self) -> Option<Result<ChatEvent, ModelError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.is_over {
                return None;
            }
            let read = match self.lines.next().await {
                Some(Ok(line)) => self.line(&line),
                Some(Err(e)) => Err(e),
                None => {
                    let message = "ollama broke off in the middle of its answer";
                    Err(self.account.error(ModelErrorKind::Connection, message))
                }
            };
            if let Err(e) = read {
                self.is_over = true;
                self.ready.clear();
                return Some(Err(e));
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<(), ModelError> {
        let json: Value = serde_json::from_str(line).map_err(|e| self.account.nonsense(e))?;
        if !json["error"].is_null() {
            return Err(self.account.told(&json));
        }
        let message = &json["message"];
        if let Some(thinking) = message["thinking"].as_str().filter(|t| !t.is_empty()) {
            self.ready
                .push_back(ChatEvent::Reasoning(thinking.to_owned()));
        }
        if let Some(text) = message["content"].as_str().filter(|t| !t.is_empty()) {
            match &mut self.reader {
                None => self.ready.push_back(ChatEvent::Text(text.to_owned())),
                Some(reader) => {
                    let read = reader.push(text);
                    read.into_iter().for_each(|read| self.found(read));
                }
            }
        }
        let logprobs = &json["logprobs"];
        if logprobs.as_array().is_some_and(|tokens| !tokens.is_empty()) {
            self.ready.push_back(ChatEvent::Logprobs(to_wire(logprobs)));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let Some(name) = function["name"].as_str() else {
                return Err(self.account.nonsense("a tool call without a name"));
            };
            let arguments = match &function["arguments"] {
                Value::Null => "{}".to_owned(),
                Value::String(text) => text.clone(),
                arguments => arguments.to_string(),
            };
            self.call(call["id"].as_str(), name.to_owned(), arguments);
        }
        if json["done"] == true {
            self.finish(&json);
        }
        Ok(())
    }

    fn found(&mut self, read: Read) {
        match read {
            Read::Text(text) => self.ready.push_back(ChatEvent::Text(text)),
            Read::Call { name, arguments } => self.call(None, name, arguments),
        }
    }

    fn call(&mut self, id: Option<&str>, name: String, arguments: String) {
        let index = self.calls;
        self.calls += 1;
        let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        self.ready.push_back(ChatEvent::ToolCall {
            index,
            id: id.unwrap_or_else(|| format!("call_{}", uuid::Uuid::new_v4().simple())),
            name,
            signature: None,
        });
        self.ready.push_back(ChatEvent::ToolArguments {
            index,
            text: arguments,
        });
    }

    fn finish(&mut self, json: &Value) {
        if let Some(mut reader) = self.reader.take() {
            reader
                .finish()
                .into_iter()
                .for_each(|read| self.found(read));
        }
        let count = |name: &str| json[name].as_u64();
        if let (input, Some(output)) = (count("prompt_eval_count"), count("eval_count")) {
            self.ready.push_back(ChatEvent::Usage(Usage {
                // Left out when the whole prompt was in the cache.
                input: input.unwrap_or_default(),
                output,
                ..Usage::default()
            }));
        }
        let reason = match json["done_reason"].as_str() {
            _ if self.calls > 0 => FinishReason::ToolCalls,
            Some("length") => FinishReason::Length,
            _ => FinishReason::Stop,
        };
        self.ready.push_back(ChatEvent::Finish(reason));
        self.is_over = true;
    }
}
