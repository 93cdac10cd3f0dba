//! The socket of downloads (socket spec 12.2): commands in, the state of the user's downloads out, JSON text both ways.
//! Closing it ends no download.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};

use super::writer::part;
use super::writer::{SIGN, SILENCE, STALL};
use super::{Close, Sockets};
use crate::services::Caller;
use crate::services::downloads::{DownloadError, DownloadService, Order, Ordered};

/// Time for the last words.
const GOODBYE: Duration = Duration::from_secs(2);

/// Serves a connection to its end.
pub(super) async fn serve(
    sockets: Sockets,
    downloads: DownloadService,
    caller: Caller,
    socket: WebSocket,
) {
    let (mut sink, mut stream) = socket.split();
    let mut draining = sockets.0.draining.subscribe();
    let mut watch = downloads.watch(&caller.user_id);
    let mut heard = Instant::now();
    let mut tick = tokio::time::interval_at(heard + SIGN, SIGN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let close = loop {
        let message = tokio::select! {
            biased;
            _ = draining.wait_for(|on| *on) => break Some(Close::DRAINING),
            message = stream.next() => {
                heard = Instant::now();
                let answer = match message {
                    Some(Ok(Message::Text(text))) => answer(&downloads, &caller, text.as_bytes()),
                    Some(Ok(Message::Binary(bytes))) => answer(&downloads, &caller, &bytes),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                };
                match answer {
                    Some(answer) => text(&answer),
                    None => continue,
                }
            }
            snapshot = watch.next() => match serde_json::to_value(&snapshot) {
                Ok(snapshot) => text(&snapshot),
                Err(_) => continue,
            },
            _ = tick.tick() => {
                if heard.elapsed() > SILENCE {
                    break Some(Close::SILENT);
                }
                Message::Ping(bytes::Bytes::new())
            }
        };
        match tokio::time::timeout(STALL, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break None,
            Err(_) => break Some(Close::TOO_SLOW),
        }
    };
    let last_words = async {
        if let Some(close) = close {
            goodbye(&mut sink, close).await;
            // The client's answer to the close.
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    // Whether the other side hears it or not, the connection is over.
    let _ = tokio::time::timeout(GOODBYE, last_words).await;
}

async fn goodbye(sink: &mut SplitSink<WebSocket, Message>, close: Close) {
    if let Err(e) = part(sink, close).await {
        tracing::debug!(error = %e, "a socket broke");
    }
}

fn text(value: &Value) -> Message {
    Message::Text(value.to_string().into())
}

/// Does what a client asks; what only this client is told.
fn answer(downloads: &DownloadService, caller: &Caller, bytes: &[u8]) -> Option<Value> {
    let Ok(command) = serde_json::from_slice::<Value>(bytes) else {
        return Some(json!({ "status": "error", "message": "expected a command as JSON" }));
    };
    let word = |key: &str| command[key].as_str().filter(|t| !t.is_empty());
    let (repo_id, path) = (word("repo_id"), word("path"));
    let refused = |error: &str| {
        let (repo_id, path) = (shown(repo_id), shown(path));
        json!({ "status": "error", "repo_id": repo_id, "path": path, "error": error })
    };
    match command["command"].as_str() {
        Some("start_download") => match start(downloads, caller, &command) {
            Ok(()) => None,
            Err(error) => Some(refused(&error)),
        },
        Some("cancel_download") => {
            let id = match (word("id"), repo_id, path) {
                (Some(id), _, _) => id.to_owned(),
                (None, Some(repo_id), Some(path)) => format!("{repo_id}/{path}"),
                (None, Some(repo_id), None) => repo_id.to_owned(),
                (None, None, _) => return Some(refused("`id` or `repo_id` is required")),
            };
            let cancelled = downloads.cancel(&caller.user_id, &id);
            (!cancelled).then(|| refused("no such download is at work"))
        }
        _ => Some(json!({ "status": "error", "message": "Unknown command" })),
    }
}

/// As much of a client's own word as is repeated to it.
fn shown(text: Option<&str>) -> Option<String> {
    text.map(|text| text.chars().take(1024).collect())
}

fn start(downloads: &DownloadService, caller: &Caller, command: &Value) -> Result<(), String> {
    let order = Order::read(Ordered {
        repo_id: one(command, "repo_id")?.unwrap_or_default(),
        path: one(command, "path")?,
        allow_patterns: many(command, "allow_patterns")?,
        ignore_patterns: many(command, "ignore_patterns")?,
        model_type: one(command, "model_type")?,
    });
    let order = order.map_err(|e| e.to_string())?;
    let started = downloads.start(&caller.user_id, order);
    started.map_err(|e: DownloadError| e.to_string())
}

fn one(command: &Value, key: &str) -> Result<Option<String>, String> {
    match &command[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(format!("`{key}` must be a text")),
    }
}

fn many(command: &Value, key: &str) -> Result<Vec<String>, String> {
    let fault = || format!("`{key}` must be a list of texts");
    match &command[key] {
        Value::Null => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(fault))
            .collect(),
        _ => Err(fault()),
    }
}
