//! The Messages API as a local server speaks it.

use futures_util::{TryStreamExt, stream};
use nodetool_sdk::models::{
    Answer, ChatEvent, ChatMessage, ChatRequest, ChatStream, ModelError, Role, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use crate::Account;
use crate::stub::{Reply, Stub, exchange};

mod asked;
mod broken;
mod listed;
mod said;

const MODEL: &str = "claude-sonnet-4-5-20250929";

fn account(stub: &Stub) -> Account {
    stub.account("anthropic", "/v1")
}

async fn chat(account: &Account, request: ChatRequest) -> Result<ChatStream, ModelError> {
    let provider = (super::DEFINITION.make)(account);
    provider.chat.unwrap().chat(request).await
}

/// Events as the API writes them.
fn events(events: &[Value]) -> String {
    let write = |event: &Value| {
        let name = event["type"].as_str().unwrap();
        format!("event: {name}\ndata: {event}\n\n")
    };
    events.iter().map(write).collect()
}

fn message_start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_01", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 20, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1}
    }})
}

fn ping() -> Value {
    json!({"type": "ping"})
}

fn start(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u32, kind: &str, field: &str, piece: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn text(index: u32, pieces: &[&str]) -> Vec<Value> {
    let deltas = pieces
        .iter()
        .map(|piece| delta(index, "text_delta", "text", piece));
    let start = start(index, json!({"type": "text", "text": ""}));
    [start]
        .into_iter()
        .chain(deltas)
        .chain([stop(index)])
        .collect()
}

fn tool(index: u32, id: &str, name: &str, pieces: &[&str]) -> Vec<Value> {
    let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    let deltas = pieces
        .iter()
        .map(|piece| delta(index, "input_json_delta", "partial_json", piece));
    let start = [start(index, block)].into_iter();
    start.chain(deltas).chain([stop(index)]).collect()
}

fn finish(reason: &str) -> Vec<Value> {
    vec![
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 15}}),
        json!({"type": "message_stop"}),
    ]
}

/// A whole answer made of blocks.
fn message(blocks: &[Vec<Value>], reason: &str) -> String {
    let all = [
        vec![message_start(), ping()],
        blocks.concat(),
        finish(reason),
    ];
    events(&all.concat())
}

fn hello() -> String {
    message(&[text(0, &["Hello", ", wörld €😀!"])], "end_turn")
}

fn ask(messages: Vec<ChatMessage>) -> ChatRequest {
    ChatRequest {
        provider: "anthropic".into(),
        model: MODEL.into(),
        messages,
        ..ChatRequest::default()
    }
}

fn say(text: &str) -> ChatMessage {
    ChatMessage::text(Role::User, text)
}

fn weather() -> ToolSpec {
    ToolSpec {
        name: "weather".into(),
        description: "The weather of a city.".into(),
        parameters: value(json!({
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"]
        })),
        ..ToolSpec::default()
    }
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "weather".into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    }
}

fn value(json: Value) -> nodetool_sdk::Value {
    serde_json::from_value(json).unwrap()
}

/// The body that a request becomes.
async fn body(request: ChatRequest) -> Value {
    let stub = Stub::new([Reply::events(hello())]).await;
    let stream = chat(&account(&stub), request).await.unwrap();
    exchange::read(&Answer::of(stream).await.unwrap());
    stub.seen()[0].body.clone()
}

/// All events of an answer.
async fn answered(request: ChatRequest, reply: Reply) -> Vec<ChatEvent> {
    let stub = Stub::new([reply]).await;
    let stream = chat(&account(&stub), request).await.unwrap();
    let events: Vec<ChatEvent> = stream.try_collect().await.unwrap();
    let again = stream::iter(events.clone().into_iter().map(Ok));
    exchange::read(&Answer::of(Box::pin(again)).await.unwrap());
    events
}

/// The refusal of a request that is never sent.
async fn refused(request: ChatRequest) -> ModelError {
    let stub = Stub::new([]).await;
    let refusal = chat(&account(&stub), request).await.err().unwrap();
    assert!(stub.seen().is_empty());
    refusal
}
