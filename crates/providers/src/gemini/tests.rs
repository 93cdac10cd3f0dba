//! The Gemini API as a local server speaks it.

use std::time::Duration;

use futures_util::{TryStreamExt, stream};
use nodetool_sdk::models::{
    Answer, ChatEvent, ChatMessage, ChatRequest, ChatStream, ModelError, Role, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use super::Gemini;
use crate::stub::{Reply, Stub, exchange};
use crate::{Account, Provider};

mod asked;
mod broken;
mod listed;
mod made;
mod said;

const MODEL: &str = "gemini-2.5-flash";

fn account(stub: &Stub) -> Account {
    stub.account("gemini", "/v1beta")
}

fn provider(account: &Account) -> Provider {
    Gemini::new(account.clone(), Duration::from_millis(1)).provider()
}

async fn chat(account: &Account, request: ChatRequest) -> Result<ChatStream, ModelError> {
    provider(account).chat.unwrap().chat(request).await
}

fn events(events: &[Value]) -> String {
    let write = |event: &Value| format!("data: {event}\r\n\r\n");
    events.iter().map(write).collect()
}

/// A response with the next parts.
fn next(parts: Value) -> Value {
    json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        "modelVersion": MODEL,
        "responseId": "r1"
    })
}

/// The last one.
fn last(parts: Value, reason: &str) -> Value {
    let mut last = next(parts);
    last["candidates"][0]["finishReason"] = json!(reason);
    last["usageMetadata"] = json!({
        "promptTokenCount": 50, "candidatesTokenCount": 7, "totalTokenCount": 77,
        "cachedContentTokenCount": 30, "thoughtsTokenCount": 20
    });
    last
}

fn hello() -> String {
    events(&[
        next(json!([{"text": "Hello"}])),
        last(json!([{"text": ", wörld €😀!"}]), "STOP"),
    ])
}

fn ask(messages: Vec<ChatMessage>) -> ChatRequest {
    ChatRequest {
        provider: "gemini".into(),
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
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": false
        })),
        ..ToolSpec::default()
    }
}

fn declared() -> Value {
    json!({
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"]
        }
    })
}

fn value(json: Value) -> nodetool_sdk::Value {
    serde_json::from_value(json).unwrap()
}

async fn body(request: ChatRequest) -> Value {
    let stub = Stub::new([Reply::events(hello())]).await;
    let stream = chat(&account(&stub), request).await.unwrap();
    exchange::read(&Answer::of(stream).await.unwrap());
    stub.seen()[0].body.clone()
}

async fn answered(request: ChatRequest, reply: Reply) -> Vec<ChatEvent> {
    let stub = Stub::new([reply]).await;
    let stream = chat(&account(&stub), request).await.unwrap();
    let events: Vec<ChatEvent> = stream.try_collect().await.unwrap();
    let again = stream::iter(events.clone().into_iter().map(Ok));
    exchange::read(&Answer::of(Box::pin(again)).await.unwrap());
    events
}

async fn refused(request: ChatRequest) -> ModelError {
    let stub = Stub::new([]).await;
    let refusal = chat(&account(&stub), request).await.err().unwrap();
    assert!(stub.seen().is_empty());
    refusal
}
