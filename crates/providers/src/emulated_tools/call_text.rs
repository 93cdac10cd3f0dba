//! Recognises tool calls that a model has written as text: JSON in one of the usual forms, bare, fenced or tagged, or an
//! expression such as `search(query="rust")`.

use nodetool_sdk::models::ToolSpec;
use serde_json::Value;

use super::expression;

/// Most calls of one text.
const MOST: usize = 64;
/// Lists in lists are no calls.
const DEEPEST: usize = 4;

/// A call: the tool and the JSON text of its arguments.
pub(super) type Call = (String, String);

/// The calls that a text consists of; nothing when it is anything but calls of known tools.
pub(super) fn parse(text: &str, tools: &[ToolSpec]) -> Option<Vec<Call>> {
    let text = bare(text.trim());
    let mut calls = Vec::new();
    match serde_json::from_str::<Value>(text) {
        Ok(json) => collect(&json, tools, 0, &mut calls)?,
        Err(_) => calls = expression::parse(text, tools)?,
    }
    (1..=MOST).contains(&calls.len()).then_some(calls)
}

/// Without a tag and a code fence around it.
fn bare(text: &str) -> &str {
    let text = match text.strip_prefix("<tool_call>") {
        Some(inner) => inner.strip_suffix("</tool_call>").unwrap_or(inner).trim(),
        None => text,
    };
    let Some(inner) = text.strip_prefix("```") else {
        return text;
    };
    let inner = inner.strip_suffix("```").unwrap_or(inner);
    // What follows the fence is the name of a language, when a line ends behind it.
    let language = inner.split_once('\n').filter(|(first, _)| {
        let first = first.trim();
        first.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    language.map_or(inner, |(_, rest)| rest).trim()
}

fn collect(json: &Value, tools: &[ToolSpec], depth: usize, calls: &mut Vec<Call>) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match json {
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| collect(item, tools, depth + 1, calls)),
        Value::Object(object) => {
            if let Some(inner @ Value::Array(_)) = object.get("tool_calls") {
                return collect(inner, tools, depth + 1, calls);
            }
            if let Some(inner @ Value::Object(_)) = object.get("function") {
                return collect(inner, tools, depth + 1, calls);
            }
            let first = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key));
            let name = first(&["name", "tool", "tool_name", "function"])?.as_str()?;
            let arguments = first(&["arguments", "parameters", "args", "input"]);
            tools.iter().find(|tool| tool.name == name)?;
            let arguments = match arguments {
                Some(Value::Object(_)) => arguments?.to_string(),
                // Some models write the JSON of the arguments as a text; what is wrong with it is told to them later.
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) => "{}".to_owned(),
                None if object.len() == 1 => "{}".to_owned(),
                _ => return None,
            };
            calls.push((name.to_owned(), arguments));
            Some(())
        }
        _ => None,
    }
}
