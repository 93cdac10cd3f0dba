//! How a graph is spoken to: which of its inputs take a conversation, and which of its nodes speak (socket spec 8.4).

use std::collections::HashSet;
use std::sync::Arc;

use nodetool_engine::Plan;
use nodetool_protocol::{Graph, Map, Node, Value, encode_data_uri};
use nodetool_sdk::models::{ChatMessage, ChatRequest, Media, MediaSource, Part, Role};
use nodetool_store::now_micros;

/// Names of text inputs that are the message, when there are several text inputs.
const MESSAGE_NAMES: [&str; 9] = [
    "message",
    "chat_input",
    "prompt",
    "input",
    "question",
    "query",
    "text",
    "user_message",
    "user_input",
];
/// Output nodes whose values may be text.
const OUTPUTS: [&str; 6] = [
    "Output",
    "StringOutput",
    "TextOutput",
    "MessageOutput",
    "ChatOutput",
    "ListOutput",
];
/// The slot on which nodes give pieces of text.
const CHUNK: &str = "chunk";

/// How a graph is spoken to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::services) struct Talk {
    /// Inputs that take the last message.
    message: Vec<String>,
    /// Inputs that take the whole conversation.
    messages: Vec<String>,
    /// The input that takes the text of the last message.
    text: Option<String>,
    /// The workflow is made for chat and may have inputs of the old names.
    chat: bool,
    /// Nodes whose pieces are the answer while its whole text is not there yet.
    pub(super) speakers: HashSet<Arc<str>>,
}

fn class(node: &Node) -> &str {
    node.node_type.rsplit('.').next().unwrap_or_default()
}

fn is_output(node: &Node) -> bool {
    node.node_type.starts_with("nodetool.output.") && OUTPUTS.contains(&class(node))
}

impl Talk {
    /// How a graph is spoken to; nothing for one that takes no message or gives no text.
    pub(super) fn of(graph: &Graph, run_mode: Option<&str>) -> Option<Self> {
        let outputs: HashSet<&str> = graph
            .nodes
            .iter()
            .filter(|node| is_output(node))
            .map(|node| &*node.id)
            .collect();
        if outputs.is_empty() {
            return None;
        }
        let named = |wanted: &[&str]| -> Vec<String> {
            let nodes = graph.nodes.iter();
            let nodes =
                nodes.filter(|n| n.node_type.contains("input.") && wanted.contains(&class(n)));
            nodes
                .filter_map(|node| node.name().map(str::to_owned))
                .collect()
        };
        let message = named(&["MessageInput"]);
        let messages = named(&["MessageListInput"]);
        let texts = named(&["StringInput", "ChatInput"]);
        let chat = run_mode == Some("chat");
        // Beside an input for messages, texts are parameters.
        let text = match message.is_empty() && messages.is_empty() {
            true => MESSAGE_NAMES
                .iter()
                .find_map(|name| texts.iter().find(|text| text == name))
                .or(texts.first())
                .cloned(),
            false => None,
        };
        if message.is_empty() && messages.is_empty() && text.is_none() {
            return None;
        }
        let to_outputs = graph.edges.iter().filter(|e| outputs.contains(&*e.target));
        // Whoever gives pieces to an output needs not be listened to.
        let (pieces, wholes): (Vec<_>, Vec<_>) =
            to_outputs.partition(|edge| &*edge.source_handle == CHUNK);
        let mut speakers: HashSet<Arc<str>> = wholes.iter().map(|e| e.source.clone()).collect();
        pieces.iter().for_each(|edge| {
            speakers.remove(&edge.source);
        });
        Some(Talk {
            message,
            messages,
            text,
            chat,
            speakers,
        })
    }

    /// The parameters of a run that answers a request.
    pub(in crate::services) fn params(&self, request: &ChatRequest, plan: &Plan) -> Map {
        let mut params = Map::new();
        let inputs: HashSet<&str> = plan.input_names().collect();
        let said = request.messages.iter().rev().find(|m| m.role == Role::User);
        let said = said.or(request.messages.last());
        let text = said.map(ChatMessage::plain_text).unwrap_or_default();
        if self.chat {
            for (name, value) in [
                ("chat_input", Value::from(text.clone())),
                ("messages", Value::list(request.messages.iter().map(brief))),
            ] {
                if inputs.contains(name) {
                    params.insert(name.into(), value);
                }
            }
        }
        for name in &self.messages {
            let all = Value::list(request.messages.iter().map(whole));
            params.insert(name.as_str().into(), all);
        }
        for name in &self.message {
            let message = said.map(whole).unwrap_or_default();
            params.insert(name.as_str().into(), message);
        }
        if let Some(name) = &self.text {
            params.insert(name.as_str().into(), text.into());
        }
        params
    }
}

fn now_text() -> String {
    let now = chrono::DateTime::<chrono::Utc>::from_timestamp_micros(now_micros());
    now.unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, false)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// A message as workflows for chat of old took it.
fn brief(message: &ChatMessage) -> Value {
    Value::map([
        ("role", Value::from(role(message.role))),
        ("content", message.plain_text().into()),
        ("created_at", now_text().into()),
    ])
}

/// A message as nodes take it.
fn whole(message: &ChatMessage) -> Value {
    let texts_only = message
        .parts
        .iter()
        .all(|part| matches!(part, Part::Text(_)));
    let content = match texts_only {
        true => message.plain_text().into(),
        false => Value::list(message.parts.iter().filter_map(part)),
    };
    let mut map = Map::from_iter([
        ("type".into(), "message".into()),
        ("role".into(), role(message.role).into()),
        ("content".into(), content),
        ("created_at".into(), now_text().into()),
    ]);
    if let Some(name) = &message.name {
        map.insert("name".into(), name.as_str().into());
    }
    if let Some(id) = &message.tool_call_id {
        map.insert("tool_call_id".into(), id.as_str().into());
    }
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter().map(|call| {
            let args = nodetool_sdk::models::read_arguments(&call.arguments).unwrap_or_default();
            Value::map([
                ("id", Value::from(call.id.as_str())),
                ("name", call.name.as_str().into()),
                ("args", args.into()),
            ])
        });
        map.insert("tool_calls".into(), Value::list(calls));
    }
    map.into()
}

fn part(part: &Part) -> Option<Value> {
    let (kind, key, tag, media) = match part {
        Part::Text(text) => {
            return Some(Value::map(
                [("type", "text"), ("text", text)].map(|(k, v)| (k, Value::from(v))),
            ));
        }
        Part::Thought { .. } => return None,
        Part::Image(media) => ("image_url", "image", "image", media),
        Part::Audio(media) => ("audio", "audio", "audio", media),
        Part::Video(media) => ("video", "video", "video", media),
        Part::Document(media) => ("document", "document", "document", media),
    };
    let asset = Value::map([("type", Value::from(tag)), ("uri", uri(media).into())]);
    Some(Value::map([("type", Value::from(kind)), (key, asset)]))
}

fn uri(media: &Media) -> String {
    match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Bytes(bytes) => encode_data_uri(&media.mime, bytes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn talk(graph: serde_json::Value, run_mode: Option<&str>) -> Option<Talk> {
        Talk::of(&serde_json::from_value(graph).unwrap(), run_mode)
    }

    fn node(id: &str, kind: &str, name: &str) -> serde_json::Value {
        json!({ "id": id, "type": kind, "data": { "name": name } })
    }

    #[test]
    fn a_workflow_converses_when_it_takes_a_message_and_gives_text() {
        let out = node("o", "nodetool.output.Output", "out");
        let graph = |nodes: &[serde_json::Value]| json!({ "nodes": nodes, "edges": [] });
        let string = |name: &str| node(name, "nodetool.input.StringInput", name);
        let found = talk(
            graph(&[string("name"), string("prompt"), out.clone()]),
            None,
        )
        .unwrap();
        assert_eq!(found.text.as_deref(), Some("prompt"));
        let found = talk(graph(&[string("name"), out.clone()]), None).unwrap();
        assert_eq!(found.text.as_deref(), Some("name"));
        let message = node("m", "nodetool.input.MessageInput", "question");
        let found = talk(graph(&[string("style"), message, out.clone()]), None).unwrap();
        assert_eq!((found.message, found.text), (vec!["question".into()], None));
        let list = node("m", "nodetool.input.MessageListInput", "history");
        let found = talk(graph(&[list, out.clone()]), None).unwrap();
        assert_eq!(found.messages, ["history"]);
        let number = node("n", "nodetool.input.IntegerInput", "n");
        assert_eq!(talk(graph(&[number, out.clone()]), None), None);
        assert_eq!(talk(graph(&[out]), Some("chat")), None);
        let image = node("o", "nodetool.output.ImageOutput", "out");
        assert_eq!(talk(graph(&[string("name"), image]), None), None);
    }

    #[test]
    fn nodes_speak_for_an_output_that_waits_for_their_whole_text() {
        let graph = |handle: &str| {
            json!({ "nodes": [node("i", "nodetool.input.StringInput", "prompt"), node("a", "nodetool.agents.Agent", ""),
                node("o", "nodetool.output.Output", "out")],
              "edges": [{ "source": "a", "sourceHandle": handle, "target": "o", "targetHandle": "value" }] })
        };
        let speakers = |handle: &str| talk(graph(handle), None).unwrap().speakers.len();
        assert_eq!((speakers("text"), speakers("chunk")), (1, 0));
    }
}
