//! Tools that a client offers and runs itself: the list it sends, and calls that wait for its answers (socket spec 8.2).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::ToolSpec;
use nodetool_store::new_id;
use tokio::sync::{oneshot, watch};

use super::permission::Decision;
use super::turn::Voice;
use crate::services::{Human, HumanQuestion};

/// The tool by which a client says that it puts questions to a person.
pub(super) const ASK_HUMAN: &str = "ask_human";
/// Most tools of a client, and their weight.
const MOST_TOOLS: usize = 256;
const MOST_BYTES: usize = 1 << 20;
/// Longest name of a tool.
const LONGEST_NAME: usize = 64;
/// How long nobody may listen to a thread before its client counts as gone.
const GONE: Duration = Duration::from_secs(15);

/// The tools of a client; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest(Arc<Vec<ToolSpec>>);

impl Manifest {
    /// Reads the list of a client. A tool that no model could be told of is left out.
    pub(crate) fn read(tools: &[Value]) -> Self {
        let mut read: Vec<ToolSpec> = Vec::new();
        let mut bytes = 0;
        for tool in tools.iter().take(MOST_TOOLS) {
            bytes += tool.weight();
            if bytes > MOST_BYTES {
                tracing::warn!("the tools of a client are too large; the rest is left out");
                break;
            }
            let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default();
            let name = text("name");
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
                continue;
            }
            let parameters = tool.get("parameters").or_else(|| tool.get("input_schema"));
            let parameters = match parameters {
                Some(schema @ Value::Map(_)) => schema.clone(),
                _ => Value::map([
                    ("type", Value::from("object")),
                    ("properties", Map::new().into()),
                ]),
            };
            read.retain(|known| known.name != name);
            read.push(ToolSpec {
                name: name.to_owned(),
                description: text("description").to_owned(),
                parameters,
                ..ToolSpec::default()
            });
        }
        Manifest(Arc::new(read))
    }

    pub(super) fn specs(&self) -> &[ToolSpec] {
        &self.0
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|tool| tool.name == name)
    }
}

/// A call that waits for its client.
struct Waiter {
    user_id: Arc<str>,
    thread_id: Arc<str>,
    call_id: String,
    answer: oneshot::Sender<Map>,
}

/// The calls that wait for their clients; clones share them.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Vec<Waiter>>>);

impl Waiting {
    fn all(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an answer of a user's client.
    pub(super) fn answer(&self, user_id: &str, answer: &Map) {
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        let Some(call_id) = text("tool_call_id").or_else(|| text("approval_id")) else {
            return;
        };
        let mut all = self.all();
        let at = all.iter().position(|w| {
            *w.user_id == *user_id
                && w.call_id == call_id
                && text("thread_id").is_none_or(|id| id.is_empty() || *w.thread_id == *id)
        });
        if let Some(at) = at {
            // The turn may have ended in this moment.
            let _ = all.swap_remove(at).answer.send(answer.clone());
        }
    }
}

/// What a call of a client's tool needs.
pub(super) struct ClientCalls {
    pub(super) waiting: Waiting,
    pub(super) user_id: Arc<str>,
    pub(super) thread_id: Arc<str>,
    pub(super) voice: Voice,
    pub(super) patience: Duration,
    pub(super) attached: watch::Receiver<usize>,
}

/// A call's place among those that wait; given up when dropped.
struct Place<'a> {
    calls: &'a ClientCalls,
    call_id: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.calls.waiting.all().retain(|w| {
            w.call_id != self.call_id
                || w.user_id != self.calls.user_id
                || w.thread_id != self.calls.thread_id
        });
    }
}

impl ClientCalls {
    /// Has the client run a tool.
    pub(super) async fn call(
        &self,
        call_id: &str,
        name: &str,
        arguments: Map,
    ) -> Result<Value, String> {
        let pairs: [(&str, Value); 5] = [
            ("type", "tool_call".into()),
            ("thread_id", self.thread_id.clone().into()),
            ("tool_call_id", call_id.into()),
            ("name", name.into()),
            ("args", arguments.into()),
        ];
        let frame = pairs.into_iter().map(|(k, v)| (k.into(), v)).collect();
        result_of(self.answer_to(call_id, frame).await?)
    }

    /// Asks the person whether a tool of ours may be called; why not, when nobody answers.
    pub(super) async fn approval(
        &self,
        name: &str,
        message: String,
        arguments: &Map,
    ) -> Result<Decision, String> {
        let id = format!("appr_{}", new_id());
        let pairs: [(&str, Value); 8] = [
            ("type", "tool_approval_request".into()),
            ("thread_id", self.thread_id.clone().into()),
            ("approval_id", id.as_str().into()),
            ("tool_name", name.into()),
            ("category", "effects".into()),
            ("message", format!("May {name} be called?").into()),
            ("description", message.into()),
            ("args", arguments.clone().into()),
        ];
        let frame = pairs.into_iter().map(|(k, v)| (k.into(), v)).collect();
        let answer = self.answer_to(&id, frame).await;
        let answer = answer.map_err(|_| format!("nobody has allowed {name}"))?;
        let decision = answer.get("decision").and_then(Value::as_str);
        Ok(Decision::read(decision))
    }

    /// Tells the client something and waits for its answer.
    async fn answer_to(&self, call_id: &str, frame: Map) -> Result<Map, String> {
        let (answer, answered) = oneshot::channel();
        self.waiting.all().push(Waiter {
            user_id: self.user_id.clone(),
            thread_id: self.thread_id.clone(),
            call_id: call_id.to_owned(),
            answer,
        });
        let _place = Place {
            calls: self,
            call_id,
        };
        self.voice.frame(frame).await;
        tokio::select! {
            answer = answered => answer.map_err(|_| "Client tool timed out".into()),
            () = tokio::time::sleep(self.patience) => Err("Client tool timed out".into()),
            () = deserted(self.attached.clone()) => Err("Client disconnected".into()),
        }
    }
}

impl Human for ClientCalls {
    fn ask<'a>(&'a self, question: HumanQuestion) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let options = question.options.into_iter().map(Value::from);
            let arguments = Map::from_iter([
                ("question".into(), question.question.into()),
                ("options".into(), Value::list(options)),
            ]);
            let answer = self.call(&new_id(), ASK_HUMAN, arguments).await?;
            Ok(match answer {
                Value::Str(text) => text.to_string(),
                other => serde_json::to_string(&other).unwrap_or_default(),
            })
        })
    }
}

/// Resolves when nobody has listened for a while.
async fn deserted(mut attached: watch::Receiver<usize>) {
    // The turn holds the feed, so that the sender is there as long as this waits.
    loop {
        let _ = attached.wait_for(|n| *n == 0).await.map(|_| ());
        let back = async { attached.wait_for(|n| *n > 0).await.map(|_| ()) };
        if tokio::time::timeout(GONE, back).await.is_err() {
            return;
        }
    }
}

/// What the model is told of a client's answer.
fn result_of(mut answer: Map) -> Result<Value, String> {
    if answer.get("ok").and_then(Value::as_bool) == Some(false) {
        return Err(match answer.get("error") {
            Some(Value::Str(text)) => text.to_string(),
            None | Some(Value::Null) => "The client could not run the tool".into(),
            Some(other) => serde_json::to_string(other).unwrap_or_default(),
        });
    }
    for key in ["result", "content"] {
        if let Some(value) = answer.shift_remove(key)
            && !value.is_null()
        {
            return Ok(value);
        }
    }
    answer.shift_remove("type");
    Ok(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: serde_json::Value) -> Map {
        match serde_json::from_value(json).unwrap() {
            Value::Map(map) => Map::clone(&map),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn the_list_of_a_client_is_read_without_what_no_model_could_be_told_of() {
        let tools: Value = serde_json::from_value(serde_json::json!([
            { "name": "ui_x", "description": "first" },
            { "name": "no good" },
            { "name": "" },
            { "name": "ui_x", "description": "again", "input_schema": { "type": "object", "n": 1 } },
        ]))
        .unwrap();
        let manifest = Manifest::read(tools.as_list().unwrap());
        assert_eq!(manifest.specs().len(), 1);
        assert_eq!(manifest.specs()[0].description, "again");
        assert_eq!(manifest.specs()[0].parameters.get("n"), Some(&1i64.into()));
        assert!(manifest.has("ui_x") && !manifest.has("no good"));
    }

    #[test]
    fn the_answer_of_a_client_is_its_result_or_its_error() {
        use serde_json::json;
        let ok = result_of(map(
            json!({ "ok": true, "result": { "n": 1 }, "content": 2 }),
        ));
        assert_eq!(ok.unwrap().get("n"), Some(&1i64.into()));
        let content = result_of(map(json!({ "content": "c" })));
        assert_eq!(content.unwrap(), "c".into());
        let whole = result_of(map(
            json!({ "type": "tool_result", "tool_call_id": "c", "n": 1 }),
        ));
        assert_eq!(whole.unwrap().get("n"), Some(&1i64.into()));
        let failed = result_of(map(json!({ "ok": false, "error": "no", "result": 1 })));
        assert_eq!(failed.unwrap_err(), "no");
        assert!(result_of(map(json!({ "ok": false }))).is_err());
    }
}
