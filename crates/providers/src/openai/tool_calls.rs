//! Tool calls that come in pieces. Servers differ: they repeat ids and names or send them once, leave out indexes or
//! ids, count all calls as 0, send calls whole.

use std::collections::VecDeque;

use nodetool_sdk::models::ChatEvent;
use serde_json::Value;
use uuid::Uuid;

/// Most calls of a turn.
const MOST: usize = 256;
/// Most bytes of arguments that come before the name of their tool.
const MAX_HELD: usize = 1 << 20;

/// The calls of a turn.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    /// The server's number.
    key: Option<u64>,
    id: String,
    /// Empty until it came.
    name: String,
    /// Arguments that came before the name.
    held: String,
}

impl Calls {
    /// Reads a piece; what is wrong with it otherwise.
    pub(super) fn read(
        &mut self,
        piece: &Value,
        out: &mut VecDeque<ChatEvent>,
    ) -> Result<(), &'static str> {
        let key = piece["index"].as_u64();
        let id = piece["id"].as_str().unwrap_or_default();
        let function = &piece["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let at = match self.find(key, id, name) {
            Some(at) => at,
            None if self.0.len() == MOST => return Err("too many tool calls"),
            None => {
                self.0.push(Call {
                    key,
                    ..Call::default()
                });
                self.0.len() - 1
            }
        };
        let call = &mut self.0[at];
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() && !name.is_empty() {
            name.clone_into(&mut call.name);
            if call.id.is_empty() {
                call.id = format!("call_{}", Uuid::new_v4().simple());
            }
            out.push_back(ChatEvent::ToolCall {
                index,
                id: call.id.clone(),
                name: call.name.clone(),
                signature: None,
            });
        }
        match &function["arguments"] {
            Value::Null => {}
            Value::String(text) => call.held.push_str(text),
            // Some servers write the arguments as what they are.
            whole => call.held.push_str(&whole.to_string()),
        }
        if call.name.is_empty() {
            return match call.held.len() > MAX_HELD {
                true => Err("a tool call without a name"),
                false => Ok(()),
            };
        }
        if !call.held.is_empty() {
            let text = std::mem::take(&mut call.held);
            out.push_back(ChatEvent::ToolArguments { index, text });
        }
        Ok(())
    }

    /// The call a piece belongs to, if it is none that begins.
    fn find(&self, key: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let calls = &self.0;
        if key.is_some() {
            let at = calls.iter().rposition(|call| call.key == key)?;
            let known = &calls[at];
            // Another id with a name is another call, whatever its number is.
            let another =
                !id.is_empty() && !name.is_empty() && !known.name.is_empty() && known.id != id;
            return (!another).then_some(at);
        }
        if !id.is_empty() {
            return calls.iter().rposition(|call| call.id == id);
        }
        let last = calls.len().checked_sub(1)?;
        (name.is_empty() || calls[last].name.is_empty()).then_some(last)
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether all have names, now that no more comes.
    pub(super) fn complete(&self) -> bool {
        self.0.iter().all(|call| !call.name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nodetool_sdk::models::{Answer, ToolCall};
    use serde_json::json;

    fn read(pieces: &[Value]) -> Vec<ToolCall> {
        let (mut calls, mut out) = (Calls::default(), VecDeque::new());
        for piece in pieces {
            calls.read(piece, &mut out).unwrap();
        }
        assert!(calls.complete());
        let mut answer = Answer::default();
        out.into_iter().for_each(|event| answer.add(event));
        answer.tool_calls
    }

    fn call(index: u32, id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            index,
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            signature: None,
        }
    }

    #[test]
    fn pieces_of_calls_may_be_interleaved() {
        let got = read(&[
            json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}),
            json!({"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}),
            json!({"index": 1, "function": {"arguments": "{}"}}),
            json!({"index": 0, "function": {"arguments": "{\"x\":"}}),
            json!({"index": 0, "function": {"arguments": "1}"}}),
        ]);
        assert_eq!(
            got,
            [call(0, "a", "f", "{\"x\":1}"), call(1, "b", "g", "{}")]
        );
    }

    #[test]
    fn repeated_ids_and_names_are_the_same_call() {
        let piece = |arguments: &str| json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}});
        let got = read(&[piece("{"), piece("}")]);
        assert_eq!(got, [call(0, "a", "f", "{}")]);
        let unnumbered =
            |arguments: &str| json!({"id": "a", "function": {"name": "f", "arguments": arguments}});
        assert_eq!(read(&[unnumbered("{"), unnumbered("}")]), got);
    }

    #[test]
    fn calls_that_all_have_number_0_are_told_apart_by_their_ids() {
        let got = read(&[
            json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}),
            json!({"index": 0, "id": "b", "function": {"name": "f", "arguments": "{\"x\""}}),
            json!({"index": 0, "function": {"arguments": ":2}"}}),
        ]);
        assert_eq!(
            got,
            [call(0, "a", "f", "{}"), call(1, "b", "f", "{\"x\":2}")]
        );
    }

    #[test]
    fn whole_calls_without_numbers_or_ids_get_ids() {
        let got = read(&[
            json!({"function": {"name": "f", "arguments": {"x": 1}}}),
            json!({"function": {"name": "g", "arguments": "{}"}}),
        ]);
        assert_eq!(got.len(), 2);
        assert_eq!(
            (got[0].name.as_str(), got[0].arguments.as_str()),
            ("f", "{\"x\":1}")
        );
        assert_eq!((got[1].name.as_str(), got[1].index), ("g", 1));
        assert!(got[0].id.starts_with("call_") && got[0].id != got[1].id);
    }

    #[test]
    fn a_name_may_come_after_the_first_arguments() {
        let got = read(&[
            json!({"index": 3, "id": "a", "function": {"arguments": "{"}}),
            json!({"index": 3, "function": {"name": "f"}}),
            json!({"index": 3, "function": {"arguments": "}"}}),
        ]);
        assert_eq!(got, [call(0, "a", "f", "{}")]);
    }
}
