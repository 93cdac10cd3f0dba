//! Turns that a workflow answers (socket spec 8.4).

use std::sync::Arc;

use nodetool_engine::AssetMode;
use nodetool_protocol::{Graph, JobEvent, JobStatus, Map, Value, pack};
use tokio::sync::Notify;

use super::ask::{read_graph, text_of};
use super::turn::{Turn, TurnError, Voice};
use crate::services::{
    Frame, Loaded, RunError, StartRun, Taken, WorkflowError, read_graph as stored_graph, record,
};

/// Messages of the job taken at once.
const PORTION: usize = 64;

/// The workflow, and the names of the inputs that take the message and the conversation.
struct Chosen {
    loaded: Arc<Loaded>,
    /// It was made for chats.
    for_chats: bool,
    message: Arc<str>,
    messages: Arc<str>,
}

/// Answers with a workflow; gives what the end marker says of its job.
pub(super) async fn answer(turn: &Turn, voice: &Voice) -> Result<Map, TurnError> {
    let chosen = choose(turn).await?;
    let begins = match chosen.for_chats {
        true => "Error processing chat workflow",
        false => "Error processing workflow",
    };
    let failed = |text: String| TurnError::Workflow(begins, text);
    let params = params(turn, &chosen).await?;
    let start = StartRun {
        assets: AssetMode::StorageUrl,
        concurrent: true,
        limited: true,
        ..StartRun::new(turn.caller.clone(), chosen.loaded.clone(), params)
    };
    let wake = Arc::new(Notify::new());
    let jobs = &turn.service.0.parts.jobs;
    let mut followed = jobs
        .follow(start, wake.clone())
        .await
        .map_err(|e| match e {
            RunError::Store(e) => TurnError::Internal("a job could not be started", e.to_string()),
            e => failed(e.to_string()),
        })?;
    let job_id = followed.watch.feed().subject().job_id.clone();
    let _ = turn.over.live.job_id.set(job_id.clone());
    let mut end = None;
    loop {
        let frames = match followed.watch.next(&wake, PORTION).await {
            Taken::Frames(frames) | Taken::Snapshot(frames) => frames,
            Taken::Nothing => continue,
            Taken::Ended => break,
        };
        for frame in frames {
            if let JobEvent::JobUpdate(update) = &frame.event
                && update.status.is_terminal()
            {
                end = Some(update.clone());
            }
            if let Some(message) = relayed(turn, &frame) {
                voice.frame(message).await;
            }
        }
    }
    followed.let_go();
    let ids = [
        ("job_id", Value::from(job_id)),
        ("workflow_id", turn.ask.workflow_id.clone().into()),
    ];
    let ids: Map = ids.into_iter().map(|(k, v)| (k.into(), v)).collect();
    let Some(end) = end else {
        return Err(failed("the run ended without a word".into()));
    };
    match end.status {
        JobStatus::Completed => {
            let parts = parts(end.result.unwrap_or_default());
            voice
                .message_with(turn.says(&Value::list(parts)), ids.clone())
                .await;
            Ok(ids)
        }
        JobStatus::Cancelled => Err(failed("the run was cancelled".into())),
        _ => Err(failed(end.error.unwrap_or_else(|| "it failed".into()))),
    }
}

/// A message of the job as one of the thread.
fn relayed(turn: &Turn, frame: &Frame) -> Option<Map> {
    // Its error is told once, at the end of the turn.
    if matches!(frame.event, JobEvent::Error { .. }) {
        return None;
    }
    let Ok(Value::Map(map)) = pack::from_slice(&frame.packed()) else {
        return None;
    };
    let mut message = Arc::unwrap_or_clone(map);
    message.insert("thread_id".into(), turn.thread_id.clone().into());
    if let Some(done) = message.get_mut("done")
        && matches!(frame.event, JobEvent::Chunk { .. })
    {
        // A turn has one end marker.
        *done = false.into();
    }
    Some(message)
}

async fn choose(turn: &Turn) -> Result<Chosen, TurnError> {
    let workflows = &turn.service.0.parts.workflows;
    let internal =
        |e: WorkflowError| TurnError::Internal("a workflow could not be read", e.to_string());
    let id = turn.ask.workflow_id.clone().unwrap_or_default();
    if let Some(graph) = &turn.ask.graph {
        let graph = read_graph(graph).map_err(|e| TurnError::Plain(e.reason))?;
        let loaded = workflows.plan_graph_of(id, &turn.caller, &graph);
        let loaded = loaded.await.map_err(internal)?;
        return Ok(Chosen::of(turn, loaded, false, &graph));
    }
    let missing = || {
        TurnError::Workflow(
            "Error processing workflow",
            format!("Workflow {id} not found"),
        )
    };
    let row = match workflows.get(&turn.caller, &id).await {
        Ok(row) => row,
        Err(WorkflowError::NotFound | WorkflowError::Foreign) => return Err(missing()),
        Err(e) => return Err(internal(e)),
    };
    let loaded = workflows.load(&turn.caller, &id).await.map_err(internal)?;
    let graph = stored_graph(&row.id, &row.graph).map_err(internal)?;
    let for_chats = row.run_mode.as_deref() == Some("chat");
    Ok(Chosen::of(turn, loaded, for_chats, &graph))
}

impl Chosen {
    fn of(turn: &Turn, loaded: Arc<Loaded>, for_chats: bool, graph: &Graph) -> Self {
        let input = |kind: &str, usual: &str| -> Arc<str> {
            let found = graph.nodes.iter().find(|n| n.node_type.ends_with(kind));
            let name = found.and_then(|node| node.name()).unwrap_or(usual);
            name.into()
        };
        let named = |name: &Option<Arc<str>>, kind: &str, usual: &str| {
            name.clone().unwrap_or_else(|| input(kind, usual))
        };
        Chosen {
            message: named(&turn.ask.message_input, ".MessageInput", "message"),
            messages: named(&turn.ask.messages_input, ".MessageListInput", "messages"),
            loaded,
            for_chats,
        }
    }
}

/// What the workflow is given.
async fn params(turn: &Turn, chosen: &Chosen) -> Result<Map, TurnError> {
    let rows = turn.rows().await?;
    let history = rows.iter().map(record);
    let mut params = Map::new();
    if chosen.for_chats {
        params.insert("chat_input".into(), turn.ask.text().into());
        let short = history.clone().map(|message| {
            let field = |key: &str| message.get(key).cloned().unwrap_or_default();
            Value::map(["role", "content", "created_at"].map(|key| (key, field(key))))
        });
        params.insert("messages".into(), Value::list(short));
    }
    params.insert(chosen.message.clone(), record(&turn.said).into());
    let whole = Value::list(history.map(Value::from));
    if !(chosen.for_chats && *chosen.messages == *"messages" && !takes_messages(turn, chosen)) {
        params.insert(chosen.messages.clone(), whole);
    }
    if let Some(given) = &turn.ask.params {
        params.extend(given.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(params)
}

/// Whether the client names the input for the conversation.
fn takes_messages(turn: &Turn, chosen: &Chosen) -> bool {
    turn.ask.messages_input.as_ref() == Some(&chosen.messages)
}

/// The parts of the answer, from the values of the outputs.
fn parts(result: Map) -> Vec<Value> {
    let mut parts = Vec::new();
    for (_, values) in result {
        let values = match &values {
            Value::List(values) => values.to_vec(),
            _ => vec![values],
        };
        let mut text = String::new();
        for value in values {
            match media(&value) {
                Some(part) => {
                    end_text(&mut text, &mut parts);
                    parts.push(part);
                }
                None => text.push_str(&as_text(&value)),
            }
        }
        end_text(&mut text, &mut parts);
    }
    if parts.is_empty() {
        let mut text = "Workflow completed successfully.".to_owned();
        end_text(&mut text, &mut parts);
    }
    parts
}

fn end_text(text: &mut String, parts: &mut Vec<Value>) {
    if !text.is_empty() {
        let text = Value::from(std::mem::take(text));
        parts.push(Value::map([("type", "text".into()), ("text", text)]));
    }
}

/// The part that a value is of its own.
fn media(value: &Value) -> Option<Value> {
    let (tag, key) = match value.type_tag()? {
        "image" => ("image_url", "image"),
        "audio" => ("audio", "audio"),
        "video" => ("video", "video"),
        "document" => ("document", "document"),
        _ => return None,
    };
    Some(Value::map([("type", tag.into()), (key, value.clone())]))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Str(text) => text.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(as_text).collect();
            items.join("\n")
        }
        Value::Map(map) => match value.type_tag() {
            // Pieces of a text, and messages of a conversation.
            Some("chunk" | "message") => match map.get("content") {
                Some(Value::Str(text)) => text.to_string(),
                Some(content) => text_of(content),
                None => String::new(),
            },
            _ => serde_json::to_string(value).unwrap_or_default(),
        },
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(result: serde_json::Value) -> serde_json::Value {
        match serde_json::from_value(result).unwrap() {
            Value::Map(map) => serde_json::to_value(parts(Map::clone(&map))).unwrap(),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn the_answer_has_a_part_for_each_kind_of_value() {
        let image = json!({ "type": "image", "uri": "/api/storage/a.png" });
        let answer = of(json!({
            "a": ["Hel", "lo", { "type": "chunk", "content": "!" }],
            "b": [["a", "b"], image, 7],
            "c": [{ "n": 1 }],
        }));
        assert_eq!(
            answer,
            json!([
                { "type": "text", "text": "Hello!" },
                { "type": "text", "text": "a\nb" },
                { "type": "image_url", "image": image },
                { "type": "text", "text": "7" },
                { "type": "text", "text": "{\"n\":1}" },
            ])
        );
    }

    #[test]
    fn a_workflow_without_values_says_that_it_is_done() {
        let said = json!([{ "type": "text", "text": "Workflow completed successfully." }]);
        assert_eq!(of(json!({})), said);
        assert_eq!(of(json!({ "out": [null] })), said);
    }
}
