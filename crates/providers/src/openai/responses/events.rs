//! The typed events of a streamed response.

use std::collections::VecDeque;

use nodetool_sdk::models::{ChatEvent, FinishReason, ModelError, Usage};
use nodetool_sdk::protocol::Value as Plain;
use serde_json::{Value, json};

use super::items;
use crate::Account;
use crate::openai::answer::{Progress, Reader};
use crate::sse::Event;

/// Most calls of a turn.
const MOST: usize = 256;

/// Reads the events of one response.
pub(super) struct Events {
    account: Account,
    /// Calls by their place among the items of the output, and whether arguments came.
    calls: Vec<(u64, bool)>,
    /// Whether reasoning came, so that the next part of it is a new paragraph.
    reasoned: bool,
    /// The model declined, in words that came as text.
    declined: bool,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Events {
    pub(super) fn new(account: &Account) -> Self {
        Events {
            account: account.clone(),
            calls: Vec::new(),
            reasoned: false,
            declined: false,
            finish: None,
            usage: None,
        }
    }

    /// The call at a place of the output.
    fn index(&self, place: u64) -> Option<u32> {
        let at = self.calls.iter().position(|(at, _)| *at == place)?;
        u32::try_from(at).ok()
    }

    fn call(&mut self, event: &Value, out: &mut VecDeque<ChatEvent>) -> Result<(), ModelError> {
        let item = &event["item"];
        let place = event["output_index"].as_u64().unwrap_or(0);
        if item["type"] != "function_call" || self.index(place).is_some() {
            return Ok(());
        }
        let (Some(id), Some(name)) = (item["call_id"].as_str(), item["name"].as_str()) else {
            return Err(self.account.nonsense("a tool call without an id or a name"));
        };
        if self.calls.len() == MOST {
            return Err(self.account.nonsense("too many tool calls"));
        }
        self.calls.push((place, false));
        out.push_back(ChatEvent::ToolCall {
            index: self.index(place).unwrap_or_default(),
            id: id.to_owned(),
            name: name.to_owned(),
            signature: None,
        });
        Ok(())
    }

    /// A piece of arguments, or all of them when no piece came.
    fn arguments(&mut self, event: &Value, text: &Value, all: bool, out: &mut VecDeque<ChatEvent>) {
        let place = event["output_index"].as_u64().unwrap_or(0);
        let (Some(index), Some(text)) = (self.index(place), text.as_str()) else {
            return;
        };
        let Some((_, came)) = self.calls.get_mut(index as usize) else {
            return;
        };
        if text.is_empty() || (all && *came) {
            return;
        }
        *came = true;
        let text = text.to_owned();
        out.push_back(ChatEvent::ToolArguments { index, text });
    }

    fn finished(&mut self, response: &Value, finish: FinishReason) -> Result<Progress, ModelError> {
        self.usage = usage(&response["usage"]);
        self.finish = Some(finish);
        Ok(Progress::Over)
    }

    fn failed(&self, error: &Value) -> ModelError {
        let message = error["message"].as_str().unwrap_or("the response failed");
        let about = json!({
            "code": error["code"], "message": message, "param": error["param"],
            "type": error["type"],
        });
        self.account.told(&json!({ "error": about }))
    }
}

impl Reader for Events {
    fn read(
        &mut self,
        event: &Event,
        out: &mut VecDeque<ChatEvent>,
    ) -> Result<Progress, ModelError> {
        let event: Value = serde_json::from_str(&event.data).map_err(|e| {
            let what = format_args!("an event that is no JSON ({e})");
            self.account.nonsense(what)
        })?;
        let text = |value: &Value| {
            let text = value.as_str().unwrap_or_default();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let response = &event["response"];
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" => {
                out.extend(text(&event["delta"]).map(ChatEvent::Text));
                let tokens = &event["logprobs"];
                if tokens.as_array().is_some_and(|tokens| !tokens.is_empty())
                    && let Ok(tokens) = serde_json::from_value::<Plain>(tokens.clone())
                {
                    out.push_back(ChatEvent::Logprobs(tokens));
                }
            }
            "response.refusal.delta" => {
                self.declined = true;
                out.extend(text(&event["delta"]).map(ChatEvent::Text));
            }
            "response.reasoning_summary_part.added" if self.reasoned => {
                out.push_back(ChatEvent::Reasoning("\n\n".to_owned()));
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                if let Some(text) = text(&event["delta"]) {
                    self.reasoned = true;
                    out.push_back(ChatEvent::Reasoning(text));
                }
            }
            "response.output_item.added" => self.call(&event, out)?,
            "response.function_call_arguments.delta" => {
                self.arguments(&event, &event["delta"], false, out);
            }
            "response.function_call_arguments.done" => {
                self.arguments(&event, &event["arguments"], true, out);
            }
            "response.output_item.done" => {
                let item = &event["item"];
                self.call(&event, out)?;
                self.arguments(&event, &item["arguments"], true, out);
                if item["type"] == "reasoning" {
                    let signature = items::signature(item);
                    out.extend(signature.map(ChatEvent::ReasoningSignature));
                }
            }
            "response.completed" => return self.finished(response, FinishReason::Stop),
            "response.incomplete" => {
                let reason = response["incomplete_details"]["reason"].as_str();
                let finish = match reason {
                    Some("content_filter") => FinishReason::ContentFilter,
                    _ => FinishReason::Length,
                };
                return self.finished(response, finish);
            }
            "response.failed" => return Err(self.failed(&response["error"])),
            // The fields of the error are those of the event, or in an object of their own.
            "error" => {
                return Err(match event["error"].is_object() {
                    true => self.failed(&event["error"]),
                    false => {
                        let mut error = event.clone();
                        error["type"] = Value::Null;
                        self.failed(&error)
                    }
                });
            }
            "" if !event["error"].is_null() => return Err(self.account.told(&event)),
            // Beginnings and ends of parts, whose contents come as pieces.
            _ => {}
        }
        Ok(Progress::Open)
    }

    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn end(&mut self, out: &mut VecDeque<ChatEvent>) -> Result<(), ModelError> {
        out.extend(self.usage.map(ChatEvent::Usage));
        let finish = match self.finish.take() {
            _ if self.declined => FinishReason::ContentFilter,
            Some(FinishReason::Stop) if !self.calls.is_empty() => FinishReason::ToolCalls,
            finish => finish.unwrap_or(FinishReason::Stop),
        };
        out.push_back(ChatEvent::Finish(finish));
        Ok(())
    }
}

fn usage(told: &Value) -> Option<Usage> {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    Some(Usage {
        input: told["input_tokens"].as_u64()?,
        output: number(&told["output_tokens"]),
        cached: number(&told["input_tokens_details"]["cached_tokens"]),
        reasoning: number(&told["output_tokens_details"]["reasoning_tokens"]),
        cost: None,
    })
}
