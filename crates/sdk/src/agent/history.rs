//! Makes a stored conversation fit for a model: every tool call has its answer, every answer its call.

use std::collections::HashSet;

use crate::models::{ChatMessage, Role, ToolCall};

/// What stands for the answer of a tool that never gave one.
const INTERRUPTED: &str = r#"{"error":"interrupted"}"#;

/// Gives each tool call without an answer the answer `{"error":"interrupted"}`, and leaves out answers without a call.
///
/// Providers refuse a conversation where these do not match. Answers count where they belong: directly after the
/// message with the calls.
pub fn close_open_calls(messages: Vec<ChatMessage>) -> Vec<ChatMessage> {
    let mut out = Vec::with_capacity(messages.len());
    let mut open: Vec<ToolCall> = Vec::new();
    let mut asked: HashSet<String> = HashSet::new();
    for message in messages {
        if message.role == Role::Tool {
            let id = message.tool_call_id.as_deref().unwrap_or_default();
            if asked.remove(id) {
                open.retain(|call| call.id != id);
                out.push(message);
            }
            continue;
        }
        close(&mut out, &mut open, &mut asked);
        if message.role == Role::Assistant {
            for call in &message.tool_calls {
                if asked.insert(call.id.clone()) {
                    open.push(call.clone());
                }
            }
        }
        out.push(message);
    }
    close(&mut out, &mut open, &mut asked);
    out
}

fn close(out: &mut Vec<ChatMessage>, open: &mut Vec<ToolCall>, asked: &mut HashSet<String>) {
    asked.clear();
    for call in open.drain(..) {
        out.push(ChatMessage::tool(&call, INTERRUPTED));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calling(ids: &[&str]) -> ChatMessage {
        let mut message = ChatMessage::text(Role::Assistant, "let me see");
        message.tool_calls = ids.iter().map(|id| call(id)).collect();
        message
    }

    fn call(id: &str) -> ToolCall {
        ToolCall {
            id: id.into(),
            name: "look".into(),
            ..ToolCall::default()
        }
    }

    fn answer(id: &str) -> ChatMessage {
        ChatMessage::tool(&call(id), "{}")
    }

    #[test]
    fn a_call_without_an_answer_gets_one_behind_those_that_came() {
        let user = ChatMessage::text(Role::User, "go on");
        let given = vec![calling(&["a", "b", "c"]), answer("b"), user.clone()];
        let repaired = close_open_calls(given.clone());
        assert_eq!(repaired[..2], given[..2]);
        assert_eq!(repaired[2], ChatMessage::tool(&call("a"), INTERRUPTED));
        assert_eq!(repaired[3], ChatMessage::tool(&call("c"), INTERRUPTED));
        assert_eq!(repaired[4..], [user]);
    }

    #[test]
    fn an_answer_without_a_call_is_left_out() {
        let user = ChatMessage::text(Role::User, "hello");
        let given = vec![answer("gone"), user.clone(), calling(&["a"])];
        let given = [given, vec![answer("a"), answer("a")]].concat();
        let want = vec![user, calling(&["a"]), answer("a")];
        assert_eq!(close_open_calls(given), want);
    }

    proptest! {
        #[test]
        fn afterwards_calls_and_answers_match_and_nothing_changes_a_second_time(
            shape in proptest::collection::vec((0u8..4, 0usize..4), 0..40)
        ) {
            let ids = ["a", "b", "c", "d"];
            let messages = shape.into_iter().map(|(kind, n)| match kind {
                0 => ChatMessage::text(Role::User, "x"),
                1 => calling(&ids[..n]),
                _ => answer(ids[n]),
            });
            let once = close_open_calls(messages.collect());
            let mut open: Vec<&str> = Vec::new();
            for message in &once {
                if message.role == Role::Tool {
                    let id = message.tool_call_id.as_deref().unwrap_or_default();
                    prop_assert!(open.contains(&id));
                    open.retain(|o| *o != id);
                } else {
                    prop_assert!(open.is_empty());
                    open = message.tool_calls.iter().map(|c| c.id.as_str()).collect();
                }
            }
            prop_assert!(open.is_empty());
            prop_assert_eq!(close_open_calls(once.clone()), once);
        }
    }
}
