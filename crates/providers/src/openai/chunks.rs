//! The chunks of a streamed chat completion, as every server of the family writes them.

use std::collections::VecDeque;

use nodetool_sdk::models::{ChatEvent, FinishReason, Media, ModelError, ModelErrorKind, Usage};
use nodetool_sdk::protocol::Value as Plain;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::answer::{Progress, Reader};
use super::contents;
use super::thinking::Thinking;
use super::tool_calls::Calls;
use crate::Account;
use crate::sse::Event;

/// Reads chunks, or one whole completion.
pub(super) struct Chunks {
    account: Account,
    /// Present where reasoning may come inside the text.
    tags: Option<Thinking>,
    calls: Calls,
    /// The model declined, in words that came as text.
    declined: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Chunks {
    pub(super) fn new(account: &Account, think_tags: bool) -> Self {
        Chunks {
            account: account.clone(),
            tags: think_tags.then(Thinking::default),
            calls: Calls::default(),
            declined: false,
            finish: None,
            usage: None,
        }
    }

    fn text(&mut self, text: &str, out: &mut VecDeque<ChatEvent>) {
        match &mut self.tags {
            Some(tags) => tags.push(text, out),
            None if text.is_empty() => {}
            None => out.push_back(ChatEvent::Text(text.to_owned())),
        }
    }

    fn choice(&mut self, choice: &Value, out: &mut VecDeque<ChatEvent>) -> Result<(), ModelError> {
        let delta = match &choice["delta"] {
            Value::Null => &choice["message"],
            delta => delta,
        };
        // Some servers say the same in both fields.
        let mut fields = ["reasoning_content", "reasoning"].iter();
        let thought = fields.find_map(|field| delta[*field].as_str().filter(|t| !t.is_empty()));
        if let Some(thought) = thought {
            out.push_back(ChatEvent::Reasoning(thought.to_owned()));
        }
        match &delta["content"] {
            Value::String(text) => self.text(text, out),
            Value::Array(parts) => parts.iter().for_each(|part| self.part(part, out)),
            _ => {}
        }
        if let Some(words) = delta["refusal"].as_str().filter(|words| !words.is_empty()) {
            self.declined = true;
            self.text(words, out);
        }
        for image in delta["images"].as_array().into_iter().flatten() {
            let file = image["image_url"]["url"].as_str().and_then(inline);
            out.extend(file.map(ChatEvent::File));
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let read = self.calls.read(call, out);
            read.map_err(|what| self.account.nonsense(what))?;
        }
        // The form before there were several calls of a turn.
        if delta["function_call"].is_object() {
            let call = json!({ "index": 0, "function": delta["function_call"] });
            let read = self.calls.read(&call, out);
            read.map_err(|what| self.account.nonsense(what))?;
        }
        let logprobs = &choice["logprobs"]["content"];
        if logprobs.as_array().is_some_and(|tokens| !tokens.is_empty())
            && let Ok(tokens) = serde_json::from_value::<Plain>(logprobs.clone())
        {
            out.push_back(ChatEvent::Logprobs(tokens));
        }
        match choice["finish_reason"].as_str() {
            None | Some("") => Ok(()),
            Some(reason) => self.finished(reason),
        }
    }

    /// A part of a content that comes as a list (Mistral).
    fn part(&mut self, part: &Value, out: &mut VecDeque<ChatEvent>) {
        match part["type"].as_str() {
            Some("text") => self.text(part["text"].as_str().unwrap_or_default(), out),
            Some("thinking") => {
                let thoughts = part["thinking"].as_array().into_iter().flatten();
                let thoughts = thoughts.filter_map(|thought| thought["text"].as_str());
                let thoughts = thoughts.filter(|text| !text.is_empty());
                out.extend(thoughts.map(|text| ChatEvent::Reasoning(text.to_owned())));
            }
            Some("image_url") => {
                let file = part["image_url"]["url"].as_str().and_then(inline);
                out.extend(file.map(ChatEvent::File));
            }
            _ => {}
        }
    }

    fn finished(&mut self, reason: &str) -> Result<(), ModelError> {
        let reason = match reason {
            "length" | "max_tokens" | "model_length" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" | "sensitive" => FinishReason::ContentFilter,
            // Failures that a few servers tell as a reason to stop.
            "error" | "network_error" | "insufficient_system_resource" | "abort" => {
                let message = format!(
                    "{} stopped in the middle of its answer: {reason}",
                    self.account.provider
                );
                return Err(self.account.error(ModelErrorKind::Server, message));
            }
            _ => FinishReason::Stop,
        };
        self.finish = Some(reason);
        Ok(())
    }

    /// A refusal that comes with status 200 (MiniMax).
    fn refused(&self, chunk: &Value) -> Option<ModelError> {
        let base = &chunk["base_resp"];
        let code = base["status_code"].as_i64().filter(|code| *code != 0)?;
        let status = match code {
            1002 | 1039 => StatusCode::TOO_MANY_REQUESTS,
            1004 | 2049 => StatusCode::UNAUTHORIZED,
            1008 => StatusCode::PAYMENT_REQUIRED,
            2013 => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let told = json!({ "error": { "message": base["status_msg"], "code": code.to_string() } });
        let told = told.to_string();
        Some(self.account.refused(status, None, told.as_bytes()))
    }
}

impl Reader for Chunks {
    fn read(
        &mut self,
        event: &Event,
        out: &mut VecDeque<ChatEvent>,
    ) -> Result<Progress, ModelError> {
        let data = event.data.trim();
        if data == "[DONE]" {
            return match self.is_finished() {
                true => Ok(Progress::Over),
                false => Err(self.account.nonsense("an end without a reason to stop")),
            };
        }
        let chunk: Value = serde_json::from_str(data).map_err(|e| {
            let what = format_args!("an event that is no JSON ({e})");
            self.account.nonsense(what)
        })?;
        if !chunk.is_object() {
            return Err(self.account.nonsense("an event that is no JSON object"));
        }
        if !chunk["error"].is_null() || event.name == "error" {
            return Err(self.account.told(&chunk));
        }
        if let Some(e) = self.refused(&chunk) {
            return Err(e);
        }
        let choices = chunk["choices"].as_array().into_iter().flatten();
        for choice in choices {
            // Where several answers were made, ours is the first.
            if choice["index"].as_u64().unwrap_or(0) == 0 {
                self.choice(choice, out)?;
                self.usage = usage(&choice["usage"]).or(self.usage);
            }
        }
        let told = usage(&chunk["usage"]).or_else(|| usage(&chunk["x_groq"]["usage"]));
        self.usage = told.or(self.usage);
        Ok(Progress::Open)
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, out: &mut VecDeque<ChatEvent>) -> Result<(), ModelError> {
        if let Some(tags) = &mut self.tags {
            tags.end(out);
        }
        if !self.calls.complete() {
            return Err(self.account.nonsense("a tool call without a name"));
        }
        out.extend(self.usage.map(ChatEvent::Usage));
        let finish = match self.finish.take() {
            _ if self.declined => FinishReason::ContentFilter,
            // Some servers stop for tools without saying so.
            Some(FinishReason::Stop) if self.calls.any() => FinishReason::ToolCalls,
            Some(FinishReason::ToolCalls) if !self.calls.any() => FinishReason::Stop,
            finish => finish.unwrap_or(FinishReason::Stop),
        };
        out.push_back(ChatEvent::Finish(finish));
        Ok(())
    }
}

/// A file that comes inside its address.
fn inline(address: &str) -> Option<Media> {
    let (head, body) = address.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?;
    Some(Media::bytes(mime, contents::from_base64(body)?))
}

/// Tokens, by the names of all servers.
fn usage(told: &Value) -> Option<Usage> {
    let number = |value: &Value| value.as_u64();
    let input = number(&told["prompt_tokens"])?;
    let output = number(&told["completion_tokens"]).unwrap_or(0);
    let reasoning = number(&told["completion_tokens_details"]["reasoning_tokens"])
        .or_else(|| number(&told["reasoning_tokens"]))
        .unwrap_or(0);
    let cached = number(&told["prompt_tokens_details"]["cached_tokens"])
        .or_else(|| number(&told["prompt_cache_hit_tokens"]))
        .or_else(|| number(&told["cached_tokens"]))
        .unwrap_or(0);
    // Most count reasoning with the answer, a few beside it; their total tells.
    let whole = input.saturating_add(output).saturating_add(reasoning);
    let beside = reasoning > 0 && number(&told["total_tokens"]) == Some(whole);
    Some(Usage {
        input,
        output: if beside { output + reasoning } else { output },
        cached,
        reasoning,
        cost: told["cost"].as_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_by_the_names_of_every_server() {
        let openai = json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 5},
            "cost": 0.25});
        let expected = Usage {
            input: 10,
            output: 7,
            cached: 4,
            reasoning: 5,
            cost: Some(0.25),
        };
        assert_eq!(usage(&openai), Some(expected));
        let beside = json!({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 17,
            "prompt_cache_hit_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 5}});
        let expected = Usage {
            cost: None,
            ..expected
        };
        assert_eq!(usage(&beside), Some(expected));
        assert_eq!(usage(&Value::Null), None);
    }
}
