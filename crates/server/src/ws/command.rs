//! The envelope of what clients send, and the replies to what is wrong with it (socket spec 3).

use std::sync::Arc;

use nodetool_protocol::{Map, Value};

/// A command.
pub(super) struct Command {
    pub(super) name: Arc<str>,
    pub(super) data: Map,
    request_id: Option<Arc<str>>,
}

/// What a client sent.
pub(super) enum Incoming {
    Command(Command),
    /// Its type and all of it.
    Control(Control, Map),
    /// What has neither a command nor the type of a control message.
    Bare(Map),
    /// A reply to what is neither.
    Refused(Value),
}

/// The control messages (socket spec 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Ping,
    Pong,
    Stop,
    /// The tools a client offers.
    Manifest,
    /// What such a tool gave.
    ToolResult,
    /// Answers to questions nobody asks here: there are no gates.
    Other,
}

/// The reply to what has no command, where one is needed.
pub(super) fn no_command() -> Value {
    error(
        "invalid_message",
        "All messages must include a 'command' field. Use 'chat_message' command for chat.",
    )
}

/// A reply of these pairs.
pub(super) fn object<const N: usize>(pairs: [(&'static str, Value); N]) -> Map {
    pairs.into_iter().map(|(k, v)| (k.into(), v)).collect()
}

/// An error without a command.
pub(super) fn error(kind: &str, message: &str) -> Value {
    object([("error", kind.into()), ("message", message.into())]).into()
}

impl Incoming {
    /// Sorts a decoded message.
    pub(super) fn of(value: Value) -> Incoming {
        let Value::Map(map) = value else {
            let text = format!("a message must be an object, not {}", value.kind());
            return Incoming::Refused(error("invalid_frame", &text));
        };
        let mut map = Arc::unwrap_or_clone(map);
        if map.get("command").is_none_or(Value::is_null) {
            let kind = map
                .get("type")
                .and_then(Value::as_str)
                .map(Arc::<str>::from);
            return match kind.as_deref().and_then(control) {
                Some((control, rules)) => match broken_rule(&map, rules) {
                    None => Incoming::Control(control, map),
                    Some((path, reason)) => {
                        let kind = kind.unwrap_or_default();
                        let text = format!("Malformed '{kind}' frame: {path}: {reason}");
                        Incoming::Refused(error("invalid_message", &text))
                    }
                },
                None => Incoming::Bare(map),
            };
        }
        let name = map.shift_remove("command");
        let request_id = map.shift_remove("request_id");
        let data = map.shift_remove("data");
        let mut command = Command {
            name: name
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .into(),
            data: Map::new(),
            request_id: None,
        };
        if !matches!(name, Some(Value::Str(_))) {
            let details = "Malformed command: command: expected a string".to_owned();
            return Incoming::Refused(command.invalid(details));
        }
        match request_id {
            Some(Value::Str(id)) => command.request_id = Some(id),
            None | Some(Value::Null) => {}
            Some(other) => {
                let reason = format!("expected a string, got {}", other.kind());
                return Incoming::Refused(command.malformed("request_id", &reason));
            }
        }
        match data {
            Some(Value::Map(data)) => command.data = Arc::unwrap_or_clone(data),
            None | Some(Value::Null) => {}
            Some(other) => {
                let details = format!(
                    "Malformed '{}' data: expected an object, got {}",
                    command.name,
                    other.kind()
                );
                return Incoming::Refused(command.invalid(details));
            }
        }
        Incoming::Command(command)
    }
}

/// What a field of a control message must be.
enum Rule {
    Text(&'static str),
    Word(&'static str, &'static [&'static str]),
    Named(&'static str),
}

fn control(kind: &str) -> Option<(Control, &'static [Rule])> {
    Some(match kind {
        "ping" => (Control::Ping, &[]),
        "pong" => (Control::Pong, &[]),
        "stop" => (Control::Stop, &[]),
        "client_tools_manifest" => (Control::Manifest, &[Rule::Named("tools")]),
        "tool_result" | "renderer_tool_result" => {
            (Control::ToolResult, &[Rule::Text("tool_call_id")])
        }
        "tool_approval_response" => (
            Control::ToolResult,
            &[
                Rule::Text("approval_id"),
                Rule::Word("decision", &["allow", "allow_for_chat", "deny"]),
            ],
        ),
        "plan_approval_response" => (
            Control::Other,
            &[
                Rule::Text("approval_id"),
                Rule::Word("decision", &["approve", "reject"]),
            ],
        ),
        "secret_request_response" => (
            Control::Other,
            &[Rule::Word("status", &["saved", "declined"])],
        ),
        _ => return None,
    })
}

fn broken_rule(map: &Map, rules: &[Rule]) -> Option<(String, String)> {
    let fault = |path: &str, reason: String| Some((path.to_owned(), reason));
    rules.iter().find_map(|rule| match rule {
        Rule::Text(key) => match map.get(*key) {
            Some(Value::Str(_)) => None,
            _ => fault(key, "expected a string".into()),
        },
        Rule::Word(key, words) => match map.get(*key).and_then(Value::as_str) {
            Some(word) if words.contains(&word) => None,
            _ => fault(key, format!("expected one of {}", words.join(", "))),
        },
        Rule::Named(key) => match map.get(*key) {
            Some(Value::List(items)) => {
                let unnamed = |v: &Value| v.get("name").and_then(Value::as_str).is_none();
                let at = items.iter().position(unnamed)?;
                fault(&format!("{key}.{at}.name"), "expected a string".into())
            }
            _ => fault(key, "expected a list".into()),
        },
    })
}

impl Command {
    /// A command that came in an older form.
    pub(super) fn legacy(name: &str, data: Map) -> Self {
        Command {
            name: name.into(),
            data,
            request_id: None,
        }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Adds what tells a client which of its commands this answers.
    pub(super) fn ack(&self, mut reply: Map) -> Value {
        if let Some(id) = &self.request_id {
            reply.insert("request_id".into(), id.clone().into());
        }
        reply.into()
    }

    /// An error with the command and every id that came with it.
    pub(super) fn refuse(&self, mut reply: Map) -> Value {
        reply
            .entry("command".into())
            .or_insert_with(|| self.name.clone().into());
        for key in ["job_id", "workflow_id", "thread_id"] {
            if let Some(id @ Value::Str(_)) = self.data.get(key) {
                reply.entry(key.into()).or_insert_with(|| id.clone());
            }
        }
        self.ack(reply)
    }

    /// An error that is a sentence.
    pub(super) fn fail(&self, sentence: &str) -> Value {
        self.refuse(object([("error", sentence.into())]))
    }

    fn invalid(&self, details: String) -> Value {
        self.refuse(object([
            ("error", "invalid_command".into()),
            ("details", details.into()),
        ]))
    }

    pub(super) fn malformed(&self, path: &str, reason: &str) -> Value {
        self.invalid(format!("Malformed '{}' data: {path}: {reason}", self.name))
    }

    pub(super) fn unknown(&self) -> Value {
        let name: String = self.name.chars().take(200).collect();
        self.refuse(object([
            ("error", "invalid_command".into()),
            ("message", "Unknown command".into()),
            ("details", format!("Unknown command: {name}").into()),
            ("command", name.into()),
        ]))
    }

    /// Something of ours went wrong; the log says what.
    pub(super) fn internal(&self, what: &str, cause: &dyn std::error::Error) -> Value {
        tracing::error!(command = %self.name, error = %cause, "{what}");
        self.refuse(object([
            ("type", "error".into()),
            ("message", "Internal server error".into()),
        ]))
    }

    /// A text of the data; empty and null count as absent.
    pub(super) fn text(&self, key: &str) -> Result<Option<Arc<str>>, Value> {
        match self.data.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(s)) if s.is_empty() => Ok(None),
            Some(Value::Str(s)) => Ok(Some(s.clone())),
            Some(other) => Err(self.expected(key, "a string", other)),
        }
    }

    pub(super) fn boolean(&self, key: &str) -> Result<bool, Value> {
        match self.data.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(b)) => Ok(*b),
            Some(other) => Err(self.expected(key, "true or false", other)),
        }
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Arc<Map>>, Value> {
        match self.data.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Map(map)) => Ok(Some(map.clone())),
            Some(other) => Err(self.expected(key, "an object", other)),
        }
    }

    /// A whole number of the data; floats that are whole count.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Value> {
        match self.data.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Int(n)) if *n >= 0 => Ok(Some(n.unsigned_abs())),
            Some(Value::Float(f)) if f.fract() == 0.0 && (0.0..9e15).contains(f) => {
                Ok(Some(*f as u64))
            }
            Some(other) => Err(self.expected(key, "a whole number", other)),
        }
    }

    fn expected(&self, key: &str, what: &str, got: &Value) -> Value {
        let reason = format!("expected {what}, got {}", got.preview(40));
        self.malformed(key, &reason)
    }
}
