//! An answer of the Messages API, event by event.

use std::collections::BTreeMap;

use nodetool_sdk::models::{ChatEvent, FinishReason, ModelError, Usage};
use serde_json::Value;

use super::body::{Form, JSON_OUTPUT};
use super::conversation::{REDACTED, SIGNED};
use crate::Account;
use crate::answer::{MAX_HELD, Reader};
use crate::signature::Signature;
use crate::sse::Event;

/// Most blocks that are open at once. The API has one.
const MAX_BLOCKS: usize = 256;

/// Reads an answer.
pub(super) struct Answer {
    account: Account,
    form: Form,
    /// Blocks that have begun and not ended, by their place.
    open: BTreeMap<u64, Block>,
    /// Tools called so far, without the one that stands for the answer.
    calls: u32,
    /// Text that counts only if the answer does not come as arguments.
    held_text: String,
    /// Arguments that count only if no other tool is called.
    held_json: String,
    /// Whether the answer came, or comes, as arguments.
    json: bool,
    tokens: Tokens,
    stop: Option<String>,
}

enum Block {
    Text,
    Thinking {
        characters: usize,
        signature: String,
    },
    Tool {
        index: u32,
        input: Input,
    },
    Json {
        input: Input,
    },
    /// Of no interest, such as results of tools at the provider.
    Other,
}

/// The arguments of a call.
struct Input {
    /// What the block began with: an empty object, with the rest in pieces, unless somebody in between changed that.
    whole: String,
    /// Whether a piece came.
    begun: bool,
}

#[derive(Default)]
struct Tokens {
    input: u64,
    cache_creation: u64,
    cache_read: u64,
    output: u64,
}

impl Tokens {
    /// Takes what is said; the last numbers are the sums.
    fn take(&mut self, usage: &Value) {
        for (field, tokens) in [
            ("input_tokens", &mut self.input),
            ("cache_creation_input_tokens", &mut self.cache_creation),
            ("cache_read_input_tokens", &mut self.cache_read),
            ("output_tokens", &mut self.output),
        ] {
            *tokens = usage[field].as_u64().unwrap_or(*tokens);
        }
    }

    fn usage(&self) -> Usage {
        let cached = self.cache_creation.saturating_add(self.cache_read);
        Usage {
            input: self.input.saturating_add(cached),
            output: self.output,
            cached: self.cache_read,
            ..Usage::default()
        }
    }
}

impl Answer {
    pub(super) fn new(account: Account, form: Form) -> Self {
        Answer {
            account,
            form,
            open: BTreeMap::new(),
            calls: 0,
            held_text: String::new(),
            held_json: String::new(),
            json: false,
            tokens: Tokens::default(),
            stop: None,
        }
    }

    fn index(&self, event: &Value) -> Result<u64, ModelError> {
        let index = event["index"].as_u64();
        index.ok_or_else(|| self.account.nonsense("an event of a block without `index`"))
    }

    fn field<'a>(&self, about: &'a Value, field: &str) -> Result<&'a str, ModelError> {
        about[field].as_str().ok_or_else(|| {
            let kind = about["type"].as_str().unwrap_or("block");
            self.account
                .nonsense(format_args!("`{kind}` without `{field}`"))
        })
    }

    fn text(&mut self, text: &str, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        match self.form {
            _ if text.is_empty() => Ok(()),
            Form::Text => {
                out.push(ChatEvent::Text(text.to_owned()));
                Ok(())
            }
            Form::Json | Form::JsonPerhaps => hold(&self.account, &mut self.held_text, text),
        }
    }

    fn json(&mut self, text: &str, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        match self.form {
            Form::JsonPerhaps => hold(&self.account, &mut self.held_json, text),
            Form::Json | Form::Text => {
                out.push(ChatEvent::Text(text.to_owned()));
                Ok(())
            }
        }
    }

    fn begin(&mut self, event: &Value, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let at = self.index(event)?;
        let about = &event["content_block"];
        let block = match self.field(about, "type")? {
            "text" => {
                self.text(about["text"].as_str().unwrap_or_default(), out)?;
                Block::Text
            }
            "thinking" => {
                let text = about["thinking"].as_str().unwrap_or_default();
                if !text.is_empty() {
                    out.push(ChatEvent::Reasoning(text.to_owned()));
                }
                Block::Thinking {
                    characters: text.chars().count(),
                    signature: about["signature"].as_str().unwrap_or_default().to_owned(),
                }
            }
            "redacted_thinking" => {
                let signature = Signature {
                    tag: REDACTED,
                    characters: 0,
                    value: self.field(about, "data")?,
                };
                out.push(ChatEvent::ReasoningSignature(signature.write()));
                Block::Other
            }
            "tool_use" => {
                let name = self.field(about, "name")?;
                let input = Input {
                    whole: match &about["input"] {
                        Value::Null => "{}".to_owned(),
                        input => input.to_string(),
                    },
                    begun: false,
                };
                match (self.form, name, self.json) {
                    (Form::Json | Form::JsonPerhaps, JSON_OUTPUT, false) => {
                        self.json = true;
                        Block::Json { input }
                    }
                    // One answer is enough.
                    (Form::Json | Form::JsonPerhaps, JSON_OUTPUT, true) => Block::Other,
                    _ => {
                        let index = self.calls;
                        self.calls += 1;
                        out.push(ChatEvent::ToolCall {
                            index,
                            id: self.field(about, "id")?.to_owned(),
                            name: name.to_owned(),
                            signature: None,
                        });
                        Block::Tool { index, input }
                    }
                }
            }
            _ => Block::Other,
        };
        if self.open.len() >= MAX_BLOCKS {
            return Err(self.account.nonsense("too many blocks at once"));
        }
        self.open.insert(at, block);
        Ok(())
    }

    fn delta(&mut self, event: &Value, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let at = self.index(event)?;
        let about = &event["delta"];
        let kind = self.field(about, "type")?;
        let piece = match kind {
            "text_delta" => self.field(about, "text")?,
            "input_json_delta" => self.field(about, "partial_json")?,
            "thinking_delta" => self.field(about, "thinking")?,
            "signature_delta" => self.field(about, "signature")?,
            // Citations and whatever comes to be.
            _ => return Ok(()),
        };
        let Some(block) = self.open.get_mut(&at) else {
            let what = format_args!("`{kind}` for block {at}, which is not open");
            return Err(self.account.nonsense(what));
        };
        match (kind, block) {
            ("text_delta", Block::Text) => self.text(piece, out),
            ("thinking_delta", Block::Thinking { characters, .. }) => {
                *characters += piece.chars().count();
                if !piece.is_empty() {
                    out.push(ChatEvent::Reasoning(piece.to_owned()));
                }
                Ok(())
            }
            ("signature_delta", Block::Thinking { signature, .. }) => {
                hold(&self.account, signature, piece)
            }
            ("input_json_delta", Block::Tool { index, input }) => {
                if !piece.is_empty() {
                    input.begun = true;
                    out.push(ChatEvent::ToolArguments {
                        index: *index,
                        text: piece.to_owned(),
                    });
                }
                Ok(())
            }
            ("input_json_delta", Block::Json { input }) => match piece.is_empty() {
                true => Ok(()),
                false => {
                    input.begun = true;
                    self.json(piece, out)
                }
            },
            (_, Block::Other) => Ok(()),
            _ => {
                let what = format_args!("`{kind}` in a block of another type");
                Err(self.account.nonsense(what))
            }
        }
    }

    fn close(&mut self, event: &Value, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let at = self.index(event)?;
        match self.open.remove(&at) {
            Some(Block::Thinking {
                characters,
                signature,
            }) if characters > 0 || !signature.is_empty() => {
                let signature = Signature {
                    tag: SIGNED,
                    characters,
                    value: &signature,
                };
                out.push(ChatEvent::ReasoningSignature(signature.write()));
            }
            Some(Block::Tool { index, input }) if !input.begun => {
                out.push(ChatEvent::ToolArguments {
                    index,
                    text: input.whole,
                });
            }
            Some(Block::Json { input }) if !input.begun => self.json(&input.whole, out)?,
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let Some(stop) = self.stop.take() else {
            return Err(self.account.nonsense("an answer without `stop_reason`"));
        };
        let text = match self.json && self.calls == 0 {
            true => std::mem::take(&mut self.held_json),
            false => std::mem::take(&mut self.held_text),
        };
        if !text.is_empty() {
            out.push(ChatEvent::Text(text));
        }
        out.push(ChatEvent::Usage(self.tokens.usage()));
        out.push(ChatEvent::Finish(match stop.as_str() {
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "refusal" => FinishReason::ContentFilter,
            "tool_use" if self.calls > 0 => FinishReason::ToolCalls,
            // `end_turn`, `stop_sequence`, and `tool_use` when the tool is the answer.
            _ => FinishReason::Stop,
        }));
        Ok(())
    }
}

fn hold(account: &Account, held: &mut String, piece: &str) -> Result<(), ModelError> {
    if held.len() + piece.len() > MAX_HELD {
        return Err(account.nonsense(format_args!("more than {MAX_HELD} bytes in one block")));
    }
    held.push_str(piece);
    Ok(())
}

impl Reader for Answer {
    fn read(&mut self, event: &Event, out: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        let said: Value = serde_json::from_str(&event.data).map_err(|e| {
            self.account
                .nonsense(format_args!("an event is not JSON: {e}"))
        })?;
        match said["type"].as_str().unwrap_or(&event.name) {
            "message_start" => self.tokens.take(&said["message"]["usage"]),
            "content_block_start" => self.begin(&said, out)?,
            "content_block_delta" => self.delta(&said, out)?,
            "content_block_stop" => self.close(&said, out)?,
            "message_delta" => {
                self.tokens.take(&said["usage"]);
                if let Some(reason) = said["delta"]["stop_reason"].as_str() {
                    self.stop = Some(reason.to_owned());
                }
            }
            "message_stop" => self.finish(out)?,
            "error" => return Err(self.account.told(&said)),
            // `ping`, and types to come, which the API asks its readers to pass over.
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<ChatEvent>) -> Result<(), ModelError> {
        Err(self.account.cut_short())
    }
}
