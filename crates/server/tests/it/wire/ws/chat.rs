//! Chats over sockets (socket spec 7 and 8, conformance rows 39 to 51).

mod agents;
mod faults;
mod making;
mod replay;
mod survival;
mod tools;
mod turns;
mod workflows;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::server::{TestServer, folder};
use super::client::Socket;

/// What the model of the fake provider says when nothing is scripted.
const TEXT: &str = "Hello, this is a fake response!";

/// A server with the fake provider, whose models follow a script.
fn scripted(script: &Value, arguments: &[&str]) -> TestServer {
    let folder = folder();
    let file = folder.path().join("script.json");
    std::fs::write(&file, script.to_string()).unwrap();
    let address = format!("fake={}", file.display());
    let mut all = vec!["--enable-fake-provider", "--provider-url", &address];
    all.extend(arguments);
    TestServer::start_over(folder, &all)
}

/// A server whose models say what is said when nothing is scripted.
fn plain() -> TestServer {
    TestServer::start_with(&["--enable-fake-provider"])
}

/// A message to the fake provider.
fn said(thread: &str, text: &str) -> Value {
    json!({
        "thread_id": thread, "role": "user", "content": text, "provider": "fake", "model": "fake-model-v1",
    })
}

/// Whether a message is the last of its turn.
fn is_last(message: &Value) -> bool {
    message["type"] == "generation_stopped"
        || (message["type"] == "chunk" && message["done"] == true)
}

impl Socket {
    /// The messages of a thread up to the last of its turn, that one included.
    async fn turn(&mut self, thread: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            if message["thread_id"] != thread {
                continue;
            }
            let last = is_last(&message);
            messages.push(message);
            if last {
                return messages;
            }
        }
    }

    /// Says something and takes the whole answer, without the ack.
    async fn chat(&mut self, data: Value) -> Vec<Value> {
        let thread = data["thread_id"].as_str().unwrap().to_owned();
        self.command("chat_message", data).await;
        let ack = self.next().await;
        assert_eq!(
            ack,
            json!({ "message": "Chat message processing started", "thread_id": thread })
        );
        self.turn(&thread).await
    }

    /// The next message of a thread that is such.
    async fn until_such(&mut self, such: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if such(&message) {
                return message;
            }
        }
    }
}

/// The text of the chunks.
fn text(messages: &[Value]) -> String {
    let chunks = messages.iter().filter(|m| m["type"] == "chunk");
    chunks.filter_map(|m| m["content"].as_str()).collect()
}

/// The messages that were stored.
fn stored(messages: &[Value]) -> Vec<&Value> {
    messages.iter().filter(|m| m["type"] == "message").collect()
}

/// The messages of a type.
fn of<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    messages.iter().filter(|m| m["type"] == kind).collect()
}

/// What is stored of a thread.
async fn listed(client: &Client, thread: &str) -> Vec<Value> {
    let path = format!("/api/messages?thread_id={thread}&limit=1000");
    let list = client.get(&path).await.ok();
    list["messages"].as_array().unwrap().clone()
}

/// The roles of what is stored of a thread.
async fn roles(client: &Client, thread: &str) -> Vec<String> {
    let messages = listed(client, thread).await;
    let roles = messages.iter().map(|m| m["role"].as_str().unwrap());
    roles.map(str::to_owned).collect()
}
