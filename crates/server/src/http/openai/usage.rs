//! What a call took, as clients of OpenAI read it; estimated where the provider does not say.

use nodetool_sdk::models::{ChatMessage, ChatRequest, Part, Usage};
use serde::Serialize;
use utoipa::ToSchema;

/// Tokens that stand for the frame of a message.
const FRAME: u64 = 4;
/// Text that is held before it is counted.
const HELD: usize = 64 << 10;

/// Tokens of a conversation.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(super) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct PromptDetails {
    cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for ChatUsage {
    fn from(usage: Usage) -> Self {
        ChatUsage {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
            },
        }
    }
}

/// The text of a request, kept until it is known whether anybody has to count it.
pub(super) struct Estimate {
    prompt: String,
    frames: u64,
    held: String,
    counted: u64,
}

impl Estimate {
    pub(super) fn of(request: &ChatRequest) -> Self {
        let mut prompt = String::new();
        for message in &request.messages {
            write_text(message, &mut prompt);
        }
        Estimate {
            prompt,
            frames: FRAME * request.messages.len() as u64,
            held: String::new(),
            counted: 0,
        }
    }

    /// A piece of the answer.
    pub(super) async fn add(&mut self, piece: &str) {
        self.held.push_str(piece);
        if self.held.len() > HELD {
            self.counted += count(std::mem::take(&mut self.held)).await;
        }
    }

    /// What the call took, about.
    pub(super) async fn usage(&mut self) -> Usage {
        let read = count(std::mem::take(&mut self.prompt)).await;
        self.counted += count(std::mem::take(&mut self.held)).await;
        Usage {
            input: read + self.frames,
            output: self.counted,
            ..Usage::default()
        }
    }
}

fn write_text(message: &ChatMessage, out: &mut String) {
    for part in &message.parts {
        if let Part::Text(text) | Part::Thought { text, .. } = part {
            out.push_str(text);
            out.push('\n');
        }
    }
    for call in &message.tool_calls {
        out.push_str(&call.name);
        out.push_str(&call.arguments);
        out.push('\n');
    }
}

/// Tokens of a text, about; long texts keep a thread busy that has nothing else to do.
pub(super) async fn count(text: String) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let bytes = text.len() as u64;
    let counted = tokio::task::spawn_blocking(move || nodetool_nodes::count_tokens(&text)).await;
    // A runtime that is ending counts nothing any more.
    counted.unwrap_or(bytes / 4)
}
