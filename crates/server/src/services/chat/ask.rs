//! What a client says in a chat, read and judged (socket spec 7.1, 7.2). Plain decisions over plain values.

use std::sync::Arc;

use nodetool_protocol::{Graph, Map, Value};

use super::permission::PermissionMode;

/// Most parts of a content, and most names in a list.
const MOST_PARTS: usize = 1000;
const MOST_NAMES: usize = 256;
/// Longest name of anything, and longest id of a thread.
const LONGEST_NAME: usize = 256;
const LONGEST_THREAD_ID: usize = 128;
/// How deep contents may be nested.
const DEEPEST: usize = 64;

/// What is wrong with a field, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskFault {
    pub(crate) path: String,
    pub(crate) reason: String,
}

fn fault<T>(path: impl Into<String>, reason: impl Into<String>) -> Result<T, AskFault> {
    Err(AskFault {
        path: path.into(),
        reason: reason.into(),
    })
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Regular,
    Agent,
    Workflow,
    Media,
    /// A workflow, if it is one for chats; else as without it.
    PerhapsWorkflow,
}

/// A message of a person to be answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChatAsk {
    /// Nothing for a thread that is yet to be made.
    pub(crate) thread_id: Option<Arc<str>>,
    pub(crate) role: String,
    pub(crate) name: Option<String>,
    /// A text, a list of parts or an object.
    pub(crate) content: Value,
    pub(crate) provider: String,
    pub(crate) model: String,
    /// Names of tools.
    pub(crate) tools: Option<Vec<String>>,
    pub(crate) collections: Option<Vec<String>>,
    pub(crate) agent_mode: bool,
    pub(crate) help_mode: bool,
    pub(crate) workflow_id: Option<Arc<str>>,
    pub(crate) workflow_target: Option<Arc<str>>,
    pub(crate) graph: Option<Arc<Map>>,
    pub(crate) message_input: Option<Arc<str>>,
    pub(crate) messages_input: Option<Arc<str>>,
    pub(crate) input_files: Option<Value>,
    pub(crate) system_prompt: Option<Arc<str>>,
    pub(crate) ui_context: Option<Value>,
    pub(crate) params: Option<Arc<Map>>,
    pub(crate) media_generation: Option<Arc<Map>>,
    pub(crate) tool_calls: Option<Value>,
    pub(crate) tool_call_id: Option<String>,
    /// The mode of the thread from now on; as it was when nothing is said.
    pub(crate) permission_mode: Option<PermissionMode>,
}

/// The fields of a message, one after the other.
struct Fields<'a>(&'a Map);

impl Fields<'_> {
    fn take(&self, key: &str) -> Option<Value> {
        self.0.get(key).filter(|v| !v.is_null()).cloned()
    }

    fn text(&self, key: &str) -> Result<Option<Arc<str>>, AskFault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Str(text)) if text.is_empty() => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(other) => fault(key, format!("expected a string, got {}", other.kind())),
        }
    }

    fn name(&self, key: &str) -> Result<Option<Arc<str>>, AskFault> {
        match self.text(key)? {
            Some(text) if text.chars().count() > LONGEST_NAME => {
                fault(key, format!("expected at most {LONGEST_NAME} characters"))
            }
            name => Ok(name),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, AskFault> {
        match self.take(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => {
                let got = other.kind();
                fault(key, format!("expected true or false, got {got}"))
            }
        }
    }

    fn object(&self, key: &str) -> Result<Option<Arc<Map>>, AskFault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Map(map)) if Value::Map(map.clone()).deeper_than(DEEPEST) => {
                fault(key, format!("nested more than {DEEPEST} deep"))
            }
            Some(Value::Map(map)) => Ok(Some(map)),
            Some(other) => fault(key, format!("expected an object, got {}", other.kind())),
        }
    }

    fn list(&self, key: &str, most: usize) -> Result<Option<Arc<Vec<Value>>>, AskFault> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::List(items)) if items.len() > most => {
                fault(key, format!("expected at most {most} items"))
            }
            Some(Value::List(items)) => Ok(Some(items)),
            Some(other) => fault(key, format!("expected a list, got {}", other.kind())),
        }
    }

    /// Names, or objects with a `name`.
    fn names(&self, key: &str) -> Result<Option<Vec<String>>, AskFault> {
        let Some(items) = self.list(key, MOST_NAMES)? else {
            return Ok(None);
        };
        let mut names = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let name = item.as_str().or_else(|| item.get("name")?.as_str());
            match name {
                Some(name) if (1..=LONGEST_NAME).contains(&name.chars().count()) => {
                    names.push(name.to_owned());
                }
                _ => return fault(format!("{key}.{at}"), "expected a name"),
            }
        }
        Ok(Some(names))
    }
}

impl ChatAsk {
    /// Reads what a client says.
    pub(crate) fn read(data: &Map) -> Result<Self, AskFault> {
        let f = Fields(data);
        let thread_id = f.text("thread_id")?;
        if let Some(id) = &thread_id
            && let Some(reason) = no_thread_id(id)
        {
            return fault("thread_id", reason);
        }
        let role = f.name("role")?.unwrap_or_else(|| "user".into());
        if !matches!(&*role, "user" | "system" | "assistant" | "tool") {
            return fault("role", "expected user, assistant, system or tool");
        }
        let target = f.text("workflow_target")?;
        if target.as_deref().is_some_and(|word| word != "workflow") {
            return fault("workflow_target", "expected workflow");
        }
        let ask = ChatAsk {
            thread_id,
            role: role.to_string(),
            name: f.name("name")?.map(|n| n.to_string()),
            content: content(data.get("content"))?,
            provider: f
                .name("provider")?
                .map_or_else(String::new, |p| p.to_string()),
            model: f.name("model")?.map_or_else(String::new, |m| m.to_string()),
            tools: f.names("tools")?,
            collections: f.names("collections")?,
            agent_mode: f.flag("agent_mode")?,
            help_mode: f.flag("help_mode")?,
            workflow_id: f.name("workflow_id")?,
            workflow_target: target,
            graph: f.object("graph")?,
            message_input: f.name("workflow_message_input_name")?,
            messages_input: f.name("workflow_messages_input_name")?,
            input_files: f.list("input_files", MOST_NAMES)?.map(Value::List),
            system_prompt: f.text("system_prompt")?,
            ui_context: f.take("ui_context"),
            params: f.object("params")?,
            media_generation: f.object("media_generation")?,
            tool_calls: f.list("tool_calls", MOST_NAMES)?.map(Value::List),
            tool_call_id: f.name("tool_call_id")?.map(|id| id.to_string()),
            permission_mode: permission_mode(data)?,
        };
        if let Some(graph) = &ask.graph
            && ask.route() == Route::Workflow
        {
            read_graph(graph)?;
        }
        if ask.route() == Route::Workflow && ask.workflow_id.is_none() && ask.graph.is_none() {
            return fault("workflow_id", "expected the workflow that is to answer");
        }
        if matches!(ask.route(), Route::Regular | Route::Agent)
            && ask.content.is_null()
            && ask.role == "user"
        {
            return fault("content", "expected a text or parts");
        }
        Ok(ask)
    }

    /// Who answers it.
    pub(crate) fn route(&self) -> Route {
        if self.workflow_target.is_some() {
            Route::Workflow
        } else if self.media_generation.is_some() {
            Route::Media
        } else if self.workflow_id.is_some() {
            Route::PerhapsWorkflow
        } else {
            self.without_workflow()
        }
    }

    /// Who answers it when its workflow is not for chats.
    pub(crate) fn without_workflow(&self) -> Route {
        match self.agent_mode {
            true => Route::Agent,
            false => Route::Regular,
        }
    }

    /// All text of it.
    pub(crate) fn text(&self) -> String {
        text_of(&self.content)
    }
}

/// A graph that came with a message.
pub(super) fn read_graph(graph: &Arc<Map>) -> Result<Graph, AskFault> {
    Graph::from_value(Value::Map(graph.clone())).map_err(|faults| {
        let first = faults.first();
        let path = first.map_or_else(String::new, |f| f.path.join("."));
        let reason = first.map_or("cannot be read", |f| &f.message);
        AskFault {
            path: format!("graph.{path}").trim_end_matches('.').to_owned(),
            reason: reason.to_owned(),
        }
    })
}

/// Why a text is not the id of a thread.
fn no_thread_id(id: &str) -> Option<String> {
    if id.len() > LONGEST_THREAD_ID {
        return Some(format!(
            "expected at most {LONGEST_THREAD_ID} bytes, got {}",
            id.len()
        ));
    }
    let control = id.chars().position(char::is_control)?;
    Some(format!(
        "expected no control characters, got one at character {}",
        control + 1
    ))
}

/// The mode a client asks for.
pub(crate) fn permission_mode(data: &Map) -> Result<Option<PermissionMode>, AskFault> {
    let Some(word) = Fields(data).text("permission_mode")? else {
        return Ok(None);
    };
    match PermissionMode::read(&word) {
        None => fault("permission_mode", "expected plan, default or auto"),
        mode => Ok(mode),
    }
}

/// All text of a content.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::Str(text) => text.to_string(),
        Value::List(parts) => {
            let texts = parts.iter().filter(|p| p.type_tag() == Some("text"));
            let texts = texts.filter_map(|p| p.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// A content in the one shape it is stored in; assets still hold what the client sent.
fn content(content: Option<&Value>) -> Result<Value, AskFault> {
    match content {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(Value::Str(text)) if text.is_empty() => Ok(Value::Null),
        Some(text @ Value::Str(_)) => Ok(text.clone()),
        Some(value) if value.deeper_than(DEEPEST) => {
            fault("content", format!("nested more than {DEEPEST} deep"))
        }
        Some(map @ Value::Map(_)) => Ok(match map.type_tag() {
            Some(_) => Value::list([part(map, "content")?]),
            None => map.clone(),
        }),
        Some(Value::List(parts)) if parts.is_empty() => Ok(Value::Null),
        Some(Value::List(parts)) if parts.len() > MOST_PARTS => {
            fault("content", format!("expected at most {MOST_PARTS} parts"))
        }
        Some(Value::List(parts)) => {
            let parts = parts.iter().enumerate();
            let parts = parts.map(|(at, part_)| part(part_, &format!("content.{at}")));
            Ok(Value::List(Arc::new(parts.collect::<Result<_, _>>()?)))
        }
        Some(other) => {
            let got = other.kind();
            fault(
                "content",
                format!("expected a string, an object or a list of parts, got {got}"),
            )
        }
    }
}

/// One part; shapes that other APIs use become ours.
fn part(part: &Value, path: &str) -> Result<Value, AskFault> {
    if let Value::Str(text) = part {
        let text = Value::Str(text.clone());
        return Ok(Value::map([("type", "text".into()), ("text", text)]));
    }
    let Some(map) = part.as_map() else {
        return fault(path, format!("expected an object, got {}", part.kind()));
    };
    let Some(tag) = part.type_tag() else {
        return fault(format!("{path}.type"), "expected a string");
    };
    let asset = |key: &str| match map.get(key) {
        Some(asset @ Value::Map(_)) => Ok(asset.clone()),
        _ => fault(format!("{path}.{key}"), "expected an asset object"),
    };
    let typed = |tag: &'static str, key: &'static str, asset: Value| {
        Value::map([("type", tag.into()), (key, asset)])
    };
    match tag {
        "text" | "thought" => match map.get("text") {
            Some(Value::Str(_)) => Ok(part.clone()),
            _ => fault(format!("{path}.text"), "expected a string"),
        },
        "image_url" | "image" => {
            if let Some(address) = map.get("image_url") {
                let url = address.get("url").unwrap_or(address);
                return match url {
                    Value::Str(url) => Ok(typed("image_url", "image", by_uri("image", url))),
                    _ => fault(format!("{path}.image_url.url"), "expected a string"),
                };
            }
            Ok(typed("image_url", "image", asset("image")?))
        }
        "input_audio" => {
            let audio = map.get("input_audio");
            let data = audio.and_then(|a| a.get("data")?.as_str());
            let Some(data) = data else {
                return fault(format!("{path}.input_audio.data"), "expected base64");
            };
            let format = audio.and_then(|a| a.get("format")?.as_str());
            let uri = format!("data:audio/{};base64,{data}", format.unwrap_or("wav"));
            Ok(typed("audio", "audio", by_uri("audio", &uri)))
        }
        "audio" => Ok(typed("audio", "audio", asset("audio")?)),
        "video" => Ok(typed("video", "video", asset("video")?)),
        "document" => Ok(typed("document", "document", asset("document")?)),
        // Kept as it is, and told to no model.
        _ => Ok(part.clone()),
    }
}

fn by_uri(kind: &str, uri: &str) -> Value {
    Value::map([("type", Value::from(kind)), ("uri", uri.into())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: serde_json::Value) -> Result<ChatAsk, AskFault> {
        match serde_json::from_value::<Value>(data).unwrap() {
            Value::Map(map) => ChatAsk::read(&map),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn the_route_follows_from_what_is_asked() {
        let route = |more: serde_json::Value| {
            let mut data = json!({ "content": "hi" });
            data.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            read(data).unwrap().route()
        };
        assert_eq!(route(json!({})), Route::Regular);
        assert_eq!(route(json!({ "agent_mode": true })), Route::Agent);
        let all = json!({ "agent_mode": true, "media_generation": {}, "workflow_id": "w" });
        assert_eq!(route(all), Route::Media);
        let all =
            json!({ "workflow_target": "workflow", "media_generation": {}, "workflow_id": "w" });
        assert_eq!(route(all), Route::Workflow);
        assert_eq!(route(json!({ "workflow_id": "w" })), Route::PerhapsWorkflow);
    }

    #[test]
    fn parts_of_other_apis_become_ours_and_unknown_ones_stay() {
        let ask = read(json!({ "content": [
            { "type": "text", "text": "a" },
            { "type": "image_url", "image_url": { "url": "https://x.test/a.png" } },
            { "type": "input_audio", "input_audio": { "data": "aGk=", "format": "mp3" } },
            { "type": "image", "image": { "asset_id": "1" } },
            { "type": "hologram", "n": 1 },
        ] }));
        let content = serde_json::to_value(ask.unwrap().content).unwrap();
        assert_eq!(
            content,
            json!([
                { "type": "text", "text": "a" },
                { "type": "image_url", "image": { "type": "image", "uri": "https://x.test/a.png" } },
                { "type": "audio", "audio": { "type": "audio", "uri": "data:audio/mp3;base64,aGk=" } },
                { "type": "image_url", "image": { "asset_id": "1" } },
                { "type": "hologram", "n": 1 },
            ])
        );
    }

    #[test]
    fn a_thread_id_is_told_what_it_must_not_be() {
        let reason = |id: &str| no_thread_id(id).unwrap_or_default();
        assert_eq!(reason("a b"), "");
        assert_eq!(
            reason("ab\nc"),
            "expected no control characters, got one at character 3"
        );
        assert!(reason(&"x".repeat(129)).contains("at most 128 bytes, got 129"));
    }

    #[test]
    fn a_fault_names_its_field() {
        for (data, path) in [
            (json!({ "content": 1 }), "content"),
            (json!({}), "content"),
            (json!({ "content": [{ "type": "text" }] }), "content.0.text"),
            (
                json!({ "content": [{ "type": "image_url" }] }),
                "content.0.image",
            ),
            (json!({ "content": [7] }), "content.0"),
            (json!({ "content": "x", "tools": ["a", {}] }), "tools.1"),
            (json!({ "content": "x", "model": 4 }), "model"),
            (json!({ "content": "x", "role": "boss" }), "role"),
            (
                json!({ "content": "x", "thread_id": "x".repeat(200) }),
                "thread_id",
            ),
            (json!({ "content": "x", "thread_id": "a\nb" }), "thread_id"),
            (
                json!({ "content": "x", "workflow_target": "workflow" }),
                "workflow_id",
            ),
            (
                json!({ "content": "x", "workflow_target": "workflow", "graph": { "nodes": 3 } }),
                "graph.nodes",
            ),
            (
                json!({ "content": "x", "permission_mode": "god" }),
                "permission_mode",
            ),
        ] {
            let told = read(data.clone()).unwrap_err();
            assert_eq!(told.path, path, "{data}");
        }
        let names = read(json!({ "content": "x", "tools": ["a", { "name": "b" }] }));
        assert_eq!(names.unwrap().tools.unwrap(), ["a", "b"]);
    }
}
