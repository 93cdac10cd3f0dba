//! Chat messages as values, read for models.

use nodetool_sdk::models::{ChatMessage, Media, MediaSource, Part, Role, ToolCall};
use nodetool_sdk::{NodeCx, NodeError, Value};

use crate::models::media::{self, Kind};

/// Most messages of a history.
const MAX_MESSAGES: usize = 10_000;

/// Reads the messages of the property `history`, oldest first.
pub(super) async fn read(cx: &NodeCx, history: &[Value]) -> Result<Vec<ChatMessage>, NodeError> {
    if history.len() > MAX_MESSAGES {
        let message = format!(
            "{} messages (expected at most {MAX_MESSAGES})",
            history.len()
        );
        return Err(NodeError::bad("history", message));
    }
    let mut messages = Vec::with_capacity(history.len());
    for (i, value) in history.iter().enumerate() {
        if let Some(message) = message(cx, i, value).await? {
            messages.push(message);
        }
    }
    Ok(messages)
}

/// Reads one message; nothing for one that says nothing to a model.
async fn message(cx: &NodeCx, at: usize, value: &Value) -> Result<Option<ChatMessage>, NodeError> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let role = match text("role").unwrap_or_default() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        // What an agent did on the way is told to people, not to models.
        "agent_execution" => return Ok(None),
        other => {
            let message = format!(
                "message {at} has the role {:?} (expected system, user, assistant or tool)",
                other.chars().take(40).collect::<String>()
            );
            return Err(NodeError::bad("history", message));
        }
    };
    let mut parts = Vec::new();
    match value.get("content").unwrap_or(&Value::Null) {
        Value::Null => {}
        Value::Str(said) if said.is_empty() => {}
        Value::Str(said) => parts.push(Part::Text(said.to_string())),
        Value::List(content) => {
            for item in content.iter() {
                parts.extend(part(cx, item).await?);
            }
        }
        one @ Value::Map(_) => parts.extend(part(cx, one).await?),
        other => {
            let kind = other.kind();
            let message =
                format!("the content of message {at} is {kind} (expected a text or parts)");
            return Err(NodeError::bad("history", message));
        }
    }
    let calls = value.get("tool_calls").and_then(Value::as_list);
    let calls = calls.unwrap_or_default().iter();
    let tool_calls: Vec<ToolCall> = (0..).zip(calls).map(|(i, c)| tool_call(i, c)).collect();
    if parts.is_empty() && tool_calls.is_empty() && role != Role::Tool {
        return Ok(None);
    }
    Ok(Some(ChatMessage {
        role,
        name: text("name").map(str::to_owned),
        parts,
        tool_calls,
        tool_call_id: text("tool_call_id").map(str::to_owned),
    }))
}

/// Reads `{id, name, args}`, or OpenAI's `{id, function: {name, arguments}}`.
fn tool_call(index: u32, value: &Value) -> ToolCall {
    let function = value.get("function").unwrap_or(value);
    let text = |of: &Value, key: &str| {
        let text = of.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let given = function.get("args").or_else(|| function.get("arguments"));
    let arguments = match given {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::Str(text)) => text.to_string(),
        Some(other) => serde_json::to_string(other).unwrap_or_default(),
    };
    ToolCall {
        index,
        id: text(value, "id"),
        name: text(function, "name"),
        arguments,
        signature: None,
    }
}

/// Reads a part of a message; kinds no model takes are left out.
async fn part(cx: &NodeCx, value: &Value) -> Result<Option<Part>, NodeError> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let object = |key: &str| value.get(key).filter(|v| v.as_map().is_some());
    Ok(match value.type_tag() {
        Some("text") => {
            let text = text("text").filter(|t| !t.is_empty());
            text.map(|text| Part::Text(text.to_owned()))
        }
        Some("thought") => text("text").map(|said| Part::Thought {
            text: said.to_owned(),
            signature: text("thought_signature").map(str::to_owned),
        }),
        Some("image_url" | "image") => {
            let address = object("image_url").and_then(|o| o.get("url"));
            let reference = match (object("image"), address.and_then(Value::as_str)) {
                (Some(image), _) => image.clone(),
                (None, Some(url)) => at("image", url),
                (None, None) => value.clone(),
            };
            let image = media::read(cx, "history", &reference, Kind::Image).await?;
            image.map(Part::Image)
        }
        Some("audio") => {
            let reference = object("audio").unwrap_or(value);
            let audio = media::read(cx, "history", reference, Kind::Audio).await?;
            audio.map(Part::Audio)
        }
        Some("input_audio") => {
            let given = object("input_audio");
            let member = |key: &str| given.and_then(|g| g.get(key)?.as_str());
            let format = member("format").unwrap_or("wav");
            let data = member("data").unwrap_or_default();
            let reference = at("audio", &format!("data:audio/{format};base64,{data}"));
            let audio = media::read(cx, "history", &reference, Kind::Audio).await?;
            audio.map(Part::Audio)
        }
        Some(kind @ ("document" | "video")) => {
            let uri = object(kind).and_then(|o| o.get("uri"));
            let uri = uri.and_then(Value::as_str).unwrap_or_default();
            // Others are read where they come from: their kinds are too many to tell apart here.
            let public = uri.starts_with("https://") || uri.starts_with("http://");
            let media = public.then(|| Media {
                mime: String::new(),
                name: None,
                source: MediaSource::Url(uri.to_owned()),
            });
            match kind {
                "video" => media.map(Part::Video),
                _ => media.map(Part::Document),
            }
        }
        _ => None,
    })
}

fn at(tag: &'static str, uri: &str) -> Value {
    Value::map([("type", Value::from(tag)), ("uri", uri.into())])
}

#[cfg(test)]
pub(super) mod testing {
    //! Conversations kept in memory.

    use std::collections::HashMap;
    use std::sync::Mutex;

    use nodetool_sdk::collections::Conversations;
    use nodetool_sdk::models::ChatMessage;
    use nodetool_sdk::{BoxFuture, NodeError};

    #[derive(Default)]
    pub(crate) struct Kept(Mutex<HashMap<String, Vec<ChatMessage>>>);

    impl Kept {
        /// One conversation.
        pub(crate) fn with(id: &str, messages: Vec<ChatMessage>) -> Self {
            Kept(Mutex::new([(id.to_owned(), messages)].into()))
        }

        /// What was said in a conversation.
        pub(crate) fn said(&self, id: &str) -> Vec<ChatMessage> {
            self.0.lock().unwrap().get(id).cloned().unwrap_or_default()
        }
    }

    impl Conversations for Kept {
        /// New ones have the id `new:` and their title.
        fn ensure<'a>(
            &'a self,
            id: &'a str,
            title: &'a str,
        ) -> BoxFuture<'a, Result<String, NodeError>> {
            let mut kept = self.0.lock().unwrap();
            let id = match kept.contains_key(id) {
                true => id.to_owned(),
                false => format!("new:{title}"),
            };
            kept.entry(id.clone()).or_default();
            Box::pin(async move { Ok(id) })
        }
        fn messages<'a>(
            &'a self,
            id: &'a str,
        ) -> BoxFuture<'a, Result<Vec<ChatMessage>, NodeError>> {
            let said = self.said(id);
            Box::pin(async move { Ok(said) })
        }
        fn add<'a>(
            &'a self,
            id: &'a str,
            messages: Vec<ChatMessage>,
        ) -> BoxFuture<'a, Result<(), NodeError>> {
            let mut kept = self.0.lock().unwrap();
            kept.entry(id.to_owned()).or_default().extend(messages);
            Box::pin(async { Ok(()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::context;

    use super::*;

    async fn read_json(text: &str) -> Result<Vec<ChatMessage>, NodeError> {
        let value: Value = serde_json::from_str(text).unwrap();
        read(&context(), value.as_list().unwrap()).await
    }

    #[tokio::test]
    async fn messages_of_both_shapes_are_read_and_those_for_people_left_out() {
        let messages = read_json(
            r#"[{"role":"user","content":"hi"},
                {"role":"agent_execution","content":{"step":1}},
                {"role":"assistant","content":null,"tool_calls":[{"id":"c1","name":"look","args":{"at":1}},
                    {"id":"c2","function":{"name":"look","arguments":"{}"}}]},
                {"role":"tool","name":"look","tool_call_id":"c1","content":"{}"},
                {"role":"assistant","content":[]},
                {"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x.org/a.png"}},
                    {"type":"odd"}]}]"#,
        )
        .await
        .unwrap();
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[0].plain_text(), "hi");
        let calls = &messages[1].tool_calls;
        assert_eq!(calls[0].arguments, r#"{"at":1}"#);
        assert_eq!((&*calls[1].name, &*calls[1].id), ("look", "c2"));
        assert_eq!(messages[2].tool_call_id.as_deref(), Some("c1"));
        assert!(matches!(
            messages[3].parts[..],
            [Part::Text(_), Part::Image(_)]
        ));
    }

    #[tokio::test]
    async fn a_message_that_is_none_is_named() {
        for (text, said) in [
            (
                r#"[{"role":"user","content":"a"},{"content":"b"}]"#,
                "message 1 has the role",
            ),
            (
                r#"[{"role":"user","content":3}]"#,
                "the content of message 0 is int",
            ),
        ] {
            let refused = read_json(text).await.unwrap_err().to_string();
            assert!(
                refused.contains("`history`") && refused.contains(said),
                "{refused}"
            );
        }
    }
}
