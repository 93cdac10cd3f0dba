//! Tools for models that have none: they are described in the system prompt, and calls are read from the answer's text.
//!
//! Pure: it must not know any provider or wire. [`without_tools`] makes the request, [`Reader`] reads the answer.

use nodetool_sdk::models::{ChatMessage, ChatRequest, Part, Role, ToolCall, ToolChoice, ToolSpec};
use serde_json::{Value, json};

mod call_text;
mod expression;
mod reader;
#[cfg(test)]
mod tests;

pub(crate) use reader::{Read, Reader};

/// The same request in words only: tools are in the system prompt, calls and results of earlier turns are text.
pub(crate) fn without_tools(request: &ChatRequest) -> ChatRequest {
    let mut plain = request.clone();
    let tools = std::mem::take(&mut plain.tools);
    plain.tool_choice = None;
    plain.parallel_tool_calls = None;
    plain.messages = request.messages.iter().map(in_words).collect();
    if tools.is_empty() || request.tool_choice == Some(ToolChoice::None) {
        return plain;
    }
    let described = description(&tools, request.tool_choice.as_ref());
    match plain.messages.first_mut() {
        Some(first) if first.role == Role::System => {
            first.parts.push(Part::Text(format!("\n\n{described}")));
        }
        _ => {
            let system = ChatMessage::text(Role::System, described);
            plain.messages.insert(0, system);
        }
    }
    plain
}

/// The form an answer has to have that calls one of these tools, for models that can be held to a form.
pub(crate) fn forced(tools: &[ToolSpec]) -> Value {
    let calls: Vec<_> = tools
        .iter()
        .map(|tool| {
            json!({
                "type": "object",
                "properties": { "name": { "enum": [tool.name] }, "arguments": tool.parameters },
                "required": ["name", "arguments"],
            })
        })
        .collect();
    match <[Value; 1]>::try_from(calls) {
        Ok([only]) => only,
        Err(calls) => json!({ "anyOf": calls }),
    }
}

/// The tools a choice leaves.
pub(crate) fn chosen(tools: &[ToolSpec], choice: Option<&ToolChoice>) -> Vec<ToolSpec> {
    let left = tools.iter().filter(|tool| match choice {
        Some(ToolChoice::None) => false,
        Some(ToolChoice::Named(name)) => tool.name == *name,
        Some(ToolChoice::Auto | ToolChoice::Required) | None => true,
    });
    left.cloned().collect()
}

fn description(tools: &[ToolSpec], choice: Option<&ToolChoice>) -> String {
    let mut text =
        "You can call tools. These are the tools, each with the JSON Schema of its arguments:\n"
            .to_owned();
    for tool in chosen(tools, choice) {
        let schema = serde_json::to_string(&tool.parameters).unwrap_or_default();
        text.push_str(&format!(
            "- {}: {}\n  {schema}\n",
            tool.name, tool.description
        ));
    }
    text.push_str(
        "To call a tool, answer with nothing but one JSON object: {\"name\": \"the tool\", \"arguments\": {…}}. To \
         call several, answer with a JSON list of such objects. Their results come with the next message.\n",
    );
    text.push_str(match choice {
        Some(ToolChoice::Required | ToolChoice::Named(_)) => "Call a tool now.",
        _ => "When no tool helps, answer in plain text.",
    });
    text
}

fn in_words(message: &ChatMessage) -> ChatMessage {
    let mut plain = message.clone();
    plain.tool_call_id = None;
    if message.role == Role::Tool {
        let tool = message.name.as_deref().unwrap_or("a tool");
        plain.role = Role::User;
        plain.name = None;
        plain
            .parts
            .insert(0, Part::Text(format!("The result of {tool}:\n")));
    }
    let calls = std::mem::take(&mut plain.tool_calls);
    if !calls.is_empty() {
        let before = if plain.plain_text().is_empty() {
            ""
        } else {
            "\n"
        };
        let written: Vec<_> = calls.iter().map(written).collect();
        let text = match written.as_slice() {
            [one] => format!("{before}{one}"),
            several => format!("{before}[{}]", several.join(", ")),
        };
        plain.parts.push(Part::Text(text));
    }
    plain
}

/// A call as the model is asked to write it.
fn written(call: &ToolCall) -> String {
    let arguments = serde_json::from_str::<Value>(&call.arguments);
    let arguments = arguments.unwrap_or_else(|_| call.arguments.clone().into());
    json!({ "name": call.name, "arguments": arguments }).to_string()
}
