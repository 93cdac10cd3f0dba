//! An answer of the Gemini API, event by event. Each event is a whole response with the next piece.

use nodetool_sdk::models::{ChatEvent, FinishReason, Media, ModelError, ModelErrorKind, Usage};
use serde_json::Value;

use super::body::{Form, JSON_OUTPUT};
use super::conversation::{OF_ANSWER, OF_THOUGHT};
use crate::Account;
use crate::answer::{MAX_HELD, Reader};
use crate::inline::from_base64;
use crate::signature::Signature;
use crate::sse::Event;

/// Reads an answer.
pub(super) struct Answer {
    account: Account,
    form: Form,
    /// Whether only the first call counts, as the API cannot be told to make one only.
    one_call: bool,
    calls: u32,
    /// Characters of thoughts that are not signed yet.
    thought: usize,
    /// Text that counts only if the answer does not come as arguments.
    held_text: String,
    /// The answer that came as arguments.
    json: Option<String>,
    usage: Usage,
    finish: Option<FinishReason>,
}

impl Answer {
    pub(super) fn new(account: Account, form: Form, one_call: bool) -> Self {
        Answer {
            account,
            form,
            one_call,
            calls: 0,
            thought: 0,
            held_text: String::new(),
            json: None,
            usage: Usage::default(),
            finish: None,
        }
    }

    fn part(&mut self, part: &Value, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let thought = part["thought"].as_bool() == Some(true);
        let signature = part["thoughtSignature"].as_str();
        if let Some(text) = part["text"].as_str() {
            match (thought, self.form) {
                _ if text.is_empty() => {}
                (true, _) => {
                    self.thought += text.chars().count();
                    out.push(ChatEvent::Reasoning(text.to_owned()));
                }
                (false, Form::Text) => out.push(ChatEvent::Text(text.to_owned())),
                (false, Form::Call) => {
                    if self.held_text.len() + text.len() > MAX_HELD {
                        let what = format_args!("more than {MAX_HELD} bytes in one answer");
                        return Err(self.account.nonsense(what));
                    }
                    self.held_text.push_str(text);
                }
            }
        }
        if let Some(data) = part.get("inlineData").filter(|_| !thought) {
            out.push(ChatEvent::File(file(&self.account, data)?));
        }
        if let Some(call) = part.get("functionCall") {
            return self.call(call, signature, out);
        }
        if let Some(value) = signature {
            let signature = Signature {
                tag: if thought { OF_THOUGHT } else { OF_ANSWER },
                characters: std::mem::take(&mut self.thought),
                value,
            };
            out.push(ChatEvent::ReasoningSignature(signature.write()));
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: &Value,
        signature: Option<&str>,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), ModelError> {
        let Some(name) = call["name"].as_str() else {
            return Err(self.account.nonsense("a function call without `name`"));
        };
        let arguments = match &call["args"] {
            Value::Null => "{}".to_owned(),
            arguments => arguments.to_string(),
        };
        if self.form == Form::Call && name == JSON_OUTPUT {
            self.json.get_or_insert(arguments);
            return Ok(());
        }
        if self.one_call && self.calls > 0 {
            return Ok(());
        }
        let index = self.calls;
        self.calls += 1;
        let id = call["id"].as_str().filter(|id| !id.is_empty());
        out.push(ChatEvent::ToolCall {
            index,
            id: match id {
                Some(id) => id.to_owned(),
                None => format!("call_{}", uuid::Uuid::new_v4().simple()),
            },
            name: name.to_owned(),
            signature: signature.map(str::to_owned),
        });
        out.push(ChatEvent::ToolArguments {
            index,
            text: arguments,
        });
        Ok(())
    }
}

/// Tokens of a response.
pub(super) fn usage(response: &Value) -> Option<Usage> {
    let about = response.get("usageMetadata")?;
    let tokens = |field: &str| about[field].as_u64().unwrap_or(0);
    let reasoning = tokens("thoughtsTokenCount");
    Some(Usage {
        input: tokens("promptTokenCount").saturating_add(tokens("toolUsePromptTokenCount")),
        output: tokens("candidatesTokenCount").saturating_add(reasoning),
        cached: tokens("cachedContentTokenCount"),
        reasoning,
        cost: None,
    })
}

/// The contents of an `inlineData`.
pub(super) fn file(account: &Account, data: &Value) -> Result<Media, ModelError> {
    let (Some(mime), Some(text)) = (data["mimeType"].as_str(), data["data"].as_str()) else {
        return Err(account.nonsense("`inlineData` without `mimeType` or `data`"));
    };
    let bytes = from_base64(text)
        .map_err(|e| account.nonsense(format_args!("`inlineData` that is no base64: {e}")))?;
    Ok(Media::bytes(mime, bytes))
}

/// The refusal to answer a prompt, if a response is one.
pub(super) fn blocked(account: &Account, response: &Value) -> Option<ModelError> {
    let feedback = &response["promptFeedback"];
    let reason = feedback["blockReason"].as_str()?;
    let words = feedback["blockReasonMessage"].as_str();
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    let message = format!("gemini refused the prompt ({reason}){words}");
    Some(ModelError {
        code: Some(reason.to_owned()),
        ..account.error(ModelErrorKind::Refused, message)
    })
}

/// What the reason means that a model stopped for.
pub(super) fn finish(account: &Account, reason: &str) -> Result<FinishReason, ModelError> {
    Ok(match reason {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "NO_IMAGE" => FinishReason::ContentFilter,
        reason if reason.starts_with("IMAGE_") => FinishReason::ContentFilter,
        // A malformed call, and reasons that are not told.
        reason => {
            return Err(ModelError {
                code: Some(reason.to_owned()),
                ..account.error(
                    ModelErrorKind::Server,
                    format!("gemini's model broke off its answer ({reason})"),
                )
            });
        }
    })
}

impl Reader for Answer {
    fn read(&mut self, event: &Event, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let response: Value = serde_json::from_str(&event.data).map_err(|e| {
            self.account
                .nonsense(format_args!("an event is not JSON: {e}"))
        })?;
        if response.get("error").is_some() {
            return Err(self.account.told(&response));
        }
        if let Some(refusal) = blocked(&self.account, &response) {
            return Err(refusal);
        }
        if let Some(usage) = usage(&response) {
            self.usage = usage;
        }
        let candidate = &response["candidates"][0];
        let parts = candidate["content"]["parts"].as_array();
        for part in parts.into_iter().flatten() {
            self.part(part, out)?;
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            self.finish = Some(finish(&self.account, reason)?);
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let Some(finish) = self.finish.take() else {
            return Err(self.account.cut_short());
        };
        let held = std::mem::take(&mut self.held_text);
        // Arguments are the answer only if no other tool is called.
        let json = self.json.take().filter(|_| self.calls == 0);
        let text = json.unwrap_or(held);
        if !text.is_empty() {
            out.push(ChatEvent::Text(text));
        }
        out.push(ChatEvent::Usage(self.usage));
        out.push(ChatEvent::Finish(match finish {
            FinishReason::Stop if self.calls > 0 => FinishReason::ToolCalls,
            finish => finish,
        }));
        Ok(())
    }
}
