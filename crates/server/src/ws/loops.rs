//! The socket of a workflow as a loop (orchestrator spec 4): its state first, then what happens, in order.
//!
//! What a client does not take waits in a bounded place of its own (`LoopWatch`); nothing is held here.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::StreamExt;
use futures_util::stream::SplitSink;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior};

use super::writer::{self, Gone, SIGN, SILENCE, flush, part_with, put};
use super::{Close, READ_BUFFER, Sockets, WRITE_BUFFER, address, no_socket};
use crate::listener::ClientAddr;
use crate::services::LoopService;
use crate::services::loops::LoopWatch;

/// Largest message of a client.
const LARGEST: usize = 64 << 10;

/// Messages of a client that are read in a moment; what comes beyond waits for the next one.
const SAID: u32 = 64;
const MOMENT: Duration = Duration::from_millis(20);

/// The workflow is not there, or not the caller's.
const NOT_FOUND: Close = Close {
    code: 4404,
    reason: "No WorkFlow matches the given query.",
};
/// Nobody known asks.
pub(super) const UNKNOWN: Close = Close {
    code: 4401,
    reason: "Authentication credentials were not provided or are invalid",
};
pub(super) const FOREIGN: Close = Close {
    code: 4403,
    reason: "Sockets are not for pages of other sites",
};

impl Sockets {
    /// The route of loops.
    pub(crate) fn loop_routes<S>(&self, loops: LoopService) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        Router::new()
            .route("/ws/workflow/{id}", any(open))
            .with_state((self.clone(), loops))
    }
}

async fn open(
    State((sockets, loops)): State<(Sockets, LoopService)>,
    Path(id): Path<String>,
    from: Option<Extension<ClientAddr>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return no_socket();
    };
    let door = &sockets.0.parts.door;
    let admitted = if door.origins.allows(&headers) {
        let caller = door.admit(&headers, uri.query(), address(from)).await;
        caller.map_err(|_| UNKNOWN)
    } else {
        Err(FOREIGN)
    };
    let counted = sockets.0.open.token();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(move |socket: WebSocket| async move {
            let _counted = counted;
            let caller = match admitted {
                Ok(caller) => caller,
                Err(close) => return writer::say_goodbye(socket, close).await,
            };
            let users = sockets.0.users.clone();
            let Some(seat) = users.enter(&caller, sockets.0.parts.per_user) else {
                return writer::say_goodbye(socket, Close::CROWD).await;
            };
            let Ok(watch) = loops.watch(&caller, &id).await else {
                return writer::say_goodbye(socket, NOT_FOUND).await;
            };
            tokio::select! {
                () = serve(&sockets, watch, socket) => {}
                () = seat.dismissed() => {}
            }
        })
}

/// Serves a connection to its end.
async fn serve(sockets: &Sockets, mut watch: LoopWatch, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let mut draining = sockets.0.draining.subscribe();
    let mut heard = Instant::now();
    let mut tick = tokio::time::interval_at(heard + SIGN, SIGN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut messages = Vec::new();
    let mut said = 0;
    let mut moment = heard;
    let close = loop {
        if send(&mut sink, &mut messages).await.is_err() {
            break None;
        }
        // Whoever says much is told all the same, and leaves others their share.
        messages.push(tokio::select! {
            _ = draining.wait_for(|on| *on) => break Some(Close::DRAINING),
            () = tokio::time::sleep_until(moment + MOMENT), if said >= SAID => {
                said = 0;
                continue;
            }
            message = stream.next(), if said < SAID => {
                heard = Instant::now();
                if heard >= moment + MOMENT {
                    (moment, said) = (heard, 0);
                }
                said += 1;
                match message {
                    Some(Ok(Message::Text(text))) => {
                        answer(&mut watch, &text, &mut messages);
                        continue;
                    }
                    Some(Ok(Message::Binary(_))) => error("Messages are JSON text"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    // What it holds is not read, so that nothing after it can be.
                    Some(Err(_)) => break Some(Close::TOO_LARGE),
                    Some(Ok(Message::Close(_))) | None => break None,
                }
            }
            frames = watch.next() => {
                messages.extend(frames.iter().map(|frame| text(frame)));
                continue;
            }
            _ = tick.tick() => {
                if heard.elapsed() > SILENCE {
                    break Some(Close::SILENT);
                }
                Message::Ping(bytes::Bytes::new())
            }
        });
    };
    if let Some(close) = close {
        part_with(&mut sink, &mut stream, close).await;
    }
}

/// Sends what there is, in as few packets as it takes.
async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    messages: &mut Vec<Message>,
) -> Result<(), Gone> {
    for message in messages.drain(..) {
        put(sink, message).await?;
    }
    flush(sink).await
}

/// What a client is told at once; words nobody knows are for others.
fn answer(watch: &mut LoopWatch, said: &str, messages: &mut Vec<Message>) {
    let said = match serde_json::from_str::<Value>(said) {
        Ok(said) if said.is_object() => said,
        Ok(_) => return messages.push(error("Messages are JSON objects")),
        Err(_) => return messages.push(error("Invalid JSON")),
    };
    match said["type"].as_str() {
        Some("ping") => messages.push(text(&json!({"type": "pong"}).to_string())),
        Some("request_state") => messages.extend(watch.state().iter().map(|frame| text(frame))),
        _ => {}
    }
}

fn error(message: &str) -> Message {
    text(&json!({"type": "error", "message": message}).to_string())
}

fn text(frame: &str) -> Message {
    Message::Text(frame.into())
}
