//! What a model is told before a conversation.

use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{ChatMessage, Part, Role};

use super::ChatAsk;

/// Who the assistant is, unless the client says so.
const ASSISTANT: &str = "You are the assistant of NodeTool, a program in which people build workflows out of \
    connected nodes and run them. Answer in the language of the person, in Markdown, as briefly as the question allows. \
    Use your tools when they help; do not guess what a tool can find out.\n\
    - Show an image that a tool gives as Markdown: ![what it shows](its uri).\n\
    - Files are named relative to the workspace, such as notes/today.txt. Stored assets are named by their uri, such as \
    /api/storage/….";

/// What is added for questions about the program.
const HELP: &str = "The person wants help with NodeTool itself. Before you name a node, look it up with the tools \
    search_nodes, list_nodes and get_node_info, and use the names and inputs they give. Explain how to connect nodes \
    step by step.";

/// Nodes of a graph that are told.
const MOST_NODES: usize = 200;
/// Characters of what the client's screen shows.
const MOST_CONTEXT: usize = 20_000;

/// The text that comes first.
pub(super) fn system(ask: &ChatAsk) -> String {
    let mut text = match &ask.system_prompt {
        Some(own) => own.to_string(),
        None => ASSISTANT.to_owned(),
    };
    if ask.help_mode {
        text.push_str("\n\n");
        text.push_str(HELP);
        if let Some(graph) = &ask.graph {
            text.push_str("\n\n");
            text.push_str(&summary(graph));
        }
    }
    text
}

/// What the client's screen shows, as text.
pub(super) fn context(ask: &ChatAsk) -> Option<String> {
    let text = match ask.ui_context.as_ref()? {
        Value::Str(text) => text.to_string(),
        other => serde_json::to_string(other).ok()?,
    };
    let text: String = text.trim().chars().take(MOST_CONTEXT).collect();
    (!text.is_empty()).then(|| format!("What the person sees in the program now:\n{text}"))
}

/// Puts the text that comes first in, unless the conversation has one; and what the screen shows in any case.
pub(super) fn begin(messages: &mut Vec<ChatMessage>, ask: &ChatAsk) {
    if !messages.iter().any(|m| m.role == Role::System) {
        messages.insert(0, ChatMessage::text(Role::System, system(ask)));
    }
    let first = messages.iter_mut().find(|m| m.role == Role::System);
    if let (Some(context), Some(first)) = (context(ask), first) {
        first.parts.push(Part::Text(format!("\n\n{context}")));
    }
}

/// Tells which files came along with the last thing that was said.
pub(super) fn name_files(messages: &mut [ChatMessage], files: &[String]) {
    let last = messages.iter_mut().rev().find(|m| m.role == Role::User);
    if let (false, Some(last)) = (files.is_empty(), last) {
        let text = format!("\n\nFiles in the workspace: {}", files.join(", "));
        last.parts.push(Part::Text(text));
    }
}

/// A graph in a line for each node and edge.
fn summary(graph: &Map) -> String {
    let list = |key: &str| graph.get(key).and_then(Value::as_list).unwrap_or_default();
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str).unwrap_or("?");
        text.chars().take(120).collect::<String>()
    };
    let (nodes, edges) = (list("nodes"), list("edges"));
    let mut out = "The workflow that is open, a line for each node and each connection:".to_owned();
    for node in nodes.iter().take(MOST_NODES) {
        out.push_str(&format!("\n{}: {}", text(node, "id"), text(node, "type")));
    }
    for edge in edges.iter().take(MOST_NODES) {
        let [from, out_of, to, into] =
            ["source", "sourceHandle", "target", "targetHandle"].map(|key| text(edge, key));
        out.push_str(&format!("\n{from}.{out_of} -> {to}.{into}"));
    }
    if nodes.len() > MOST_NODES || edges.len() > MOST_NODES {
        out.push_str("\n…");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_begins_with_one_system_message_and_keeps_its_own() {
        let ask = ChatAsk {
            ui_context: Some("a graph".into()),
            ..ChatAsk::default()
        };
        let user = || ChatMessage::text(Role::User, "hi");
        let mut messages = vec![user()];
        begin(&mut messages, &ask);
        assert_eq!(messages.len(), 2);
        assert!(messages[0].plain_text().ends_with("a graph"));
        let mut own = vec![ChatMessage::text(Role::System, "mine"), user()];
        begin(&mut own, &ask);
        assert_eq!(own.len(), 2);
        assert!(own[0].plain_text().starts_with("mine"));
    }

    #[test]
    fn help_tells_the_open_graph() {
        let graph = serde_json::json!({
            "nodes": [{ "id": "a", "type": "nodetool.text.Concat" }],
            "edges": [{ "source": "a", "sourceHandle": "output", "target": "b", "targetHandle": "value" }],
        });
        let Ok(Value::Map(graph)) = serde_json::from_value(graph) else {
            panic!("an object");
        };
        let ask = ChatAsk {
            help_mode: true,
            graph: Some(graph),
            ..ChatAsk::default()
        };
        let text = system(&ask);
        assert!(text.contains("a: nodetool.text.Concat"), "{text}");
        assert!(text.contains("a.output -> b.value"), "{text}");
    }
}
