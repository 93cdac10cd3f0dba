//! How much a model is to think, by the words it understands.
//!
//! | `reasoning_effort` | tokens of thinking | why |
//! |---|---|---|
//! | absent, `none` | no thinking | what the API does by itself |
//! | `minimal` | 1024 | the least the API takes |
//! | `low` | 2048 | one short plan before a tool call |
//! | `medium` | 8192 | as much as an answer has by default |
//! | `high` | 16384 | with an answer's 8192 below the 32k that every thinking model may write |
//! | `xhigh`, `max` | 16384 | no more than `high` where it is a number |
//!
//! Models from version 4.6 on measure their thinking themselves and get the word instead of a number (`low` for
//! `minimal`, which they do not know; those that do not know `xhigh` or `max` say so). Models before 3.7 do not think. A `max_tokens` of the caller covers thinking and
//! answer: thinking gets at most three quarters of it, and none when that is less than 1024.

use nodetool_sdk::models::{ChatMessage, ChatRequest, ModelError, Part, Role};

use crate::Account;
use crate::anthropic::conversation::thoughts;

/// The least the API takes.
const LEAST: u32 = 1024;

/// What the request says about thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Nothing.
    Off,
    /// So many tokens.
    Budget(u32),
    /// The model's own measure, with this effort.
    Adaptive(&'static str),
}

/// Major and minor version of a model; nothing for names of another form, which are taken for the newest.
pub(super) fn version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.rsplit_once("claude-")?;
    let mut words = name.split(['-', '.', '@', ':', '/']).map(|word| {
        // Longer numbers are dates.
        let number = word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit());
        number.then(|| word.parse().ok()).flatten()
    });
    let major = words.find_map(|number| number)?;
    Some((major, words.next().flatten().unwrap_or(0)))
}

/// Whether a model takes no temperature and no `top_p`.
pub(super) fn samples_itself(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 7))
}

/// How much thinking is asked for.
pub(super) fn thinking(account: &Account, request: &ChatRequest) -> Result<Thinking, ModelError> {
    let effort = request.reasoning_effort.as_deref().unwrap_or("none");
    let (tokens, word) = match effort {
        "none" => return Ok(Thinking::Off),
        "minimal" => (LEAST, "low"),
        "low" => (2048, "low"),
        "medium" => (8192, "medium"),
        "high" => (16_384, "high"),
        "xhigh" => (16_384, "xhigh"),
        "max" => (16_384, "max"),
        _ => {
            let message = format!(
                "`reasoning_effort` is `{effort}`; expected none, minimal, low, medium, high, xhigh or max"
            );
            return Err(account.wrong("reasoning_effort", message));
        }
    };
    match version(&request.model) {
        Some(version) if version < (3, 7) => {
            let what = format_args!("`reasoning_effort` with the model `{}`", request.model);
            Err(account.cannot("reasoning_effort", what))
        }
        Some(version) if version < (4, 6) => {
            let most = request.max_tokens.map_or(u32::MAX, |most| most / 4 * 3);
            let tokens = tokens.min(most);
            Ok(match tokens >= LEAST && can_go_on(&request.messages) {
                true => Thinking::Budget(tokens),
                false => Thinking::Off,
            })
        }
        _ => Ok(Thinking::Adaptive(word)),
    }
}

/// With a budget, a turn that has called tools may only go on thinking if it began by thinking: the API refuses the
/// request otherwise, as with a conversation that another model began.
fn can_go_on(messages: &[ChatMessage]) -> bool {
    let begin = messages
        .iter()
        .rposition(|message| message.role == Role::User);
    let turn = &messages[begin.map_or(0, |at| at + 1)..];
    turn.iter()
        .filter(|message| message.role == Role::Assistant && !message.tool_calls.is_empty())
        .all(|message| {
            message.parts.iter().any(|part| match part {
                Part::Thought { text, signature } => {
                    !thoughts(text, signature.as_deref()).is_empty()
                }
                _ => false,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_all_forms_of_names() {
        for (model, expected) in [
            ("claude-3-haiku-20240307", Some((3, 0))),
            ("claude-3-7-sonnet-latest", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-4-1-20250805", Some((4, 1))),
            ("anthropic/claude-haiku-4.5", Some((4, 5))),
            ("us.anthropic.claude-opus-4-6-v1:0", Some((4, 6))),
            ("claude-2.1", Some((2, 1))),
            ("claude-next", None),
            ("other", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }
}
