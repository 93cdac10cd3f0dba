//! A watcher of a workflow.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::server::{TestServer, within};

/// A socket of a workflow.
pub(super) struct Watch(WebSocketStream<TcpStream>);

impl Watch {
    /// Opens a socket, with a token or without.
    pub(super) async fn open(server: &TestServer, path: &str, token: Option<&str>) -> Self {
        let stream = TcpStream::connect(server.address()).await;
        let url = format!("ws://localhost{path}");
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let stream = stream.expect("the server listens");
        let opened = within("a socket to open", client_async(request, stream)).await;
        Watch(opened.expect("an accepted socket").0)
    }

    pub(super) async fn say(&mut self, text: &str) {
        let sent = self.0.send(Message::text(text.to_owned())).await;
        sent.expect("an open socket");
    }

    /// The next message, or the code of the close.
    pub(super) async fn next(&mut self) -> Result<Value, u16> {
        within("a message", async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        return Ok(serde_json::from_str(&text).expect("a JSON message"));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Err(frame.expect("a close with a code").code.into());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(e)) => panic!("the socket broke: {e}"),
                    None => panic!("the socket ended without a close"),
                }
            }
        })
        .await
    }

    /// All messages up to one that is as wanted, that one included.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.expect("a message");
            let last = wanted(&message);
            messages.push(message);
            if last {
                return messages;
            }
        }
    }

    /// The state, as it is told at the beginning.
    pub(super) async fn state(&mut self) -> Value {
        let messages = self.until(|m| m["type"] == "state_sync").await;
        messages.last().unwrap()["state"].clone()
    }

    /// The state once it is as wanted; asks for it again and again.
    pub(super) async fn until_state(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            // A state may come unasked; the pong tells that the one that was asked for has come.
            self.say(r#"{"type": "request_state"}"#).await;
            self.say(r#"{"type": "ping"}"#).await;
            let messages = self.until(|m| m["type"] == "pong").await;
            let told = messages.iter().rev().find(|m| m["type"] == "state_sync");
            let state = told.expect("a state")["state"].clone();
            if wanted(&state) {
                return state;
            }
            super::pace().await;
        }
    }
}

/// Whether a message ends a run.
pub(super) fn is_end(message: &Value) -> bool {
    matches!(
        message["type"].as_str(),
        Some("workflow_completed" | "workflow_failed")
    )
}
