//! The socket of somebody who looks at the browser of a session and uses it (orchestrator spec 4.5).
//!
//! A client that takes little gets few pictures: the next is asked for when the last has been written, and only the
//! newest waits meanwhile.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

use super::loops::{FOREIGN, UNKNOWN};
use super::writer::{self, SIGN, SILENCE, STALL, part_with};
use super::{Close, READ_BUFFER, Sockets, WRITE_BUFFER, address, no_socket};
use crate::listener::ClientAddr;
use crate::services::{BrowserService, BrowserViewer as Viewer, Caller, WatchError};
use message::{Asked, error, read, write};

mod message;

/// Largest message of a client.
const LARGEST: usize = 64 << 10;
/// Time in which a client does nothing after which it does not look any more.
const UNTOUCHED: Duration = Duration::from_secs(1800);

/// There is no browser.
const ABSENT: Close = Close {
    code: 1011,
    reason: "There is no browser",
};
/// The session is not there, or not the caller's.
const NOT_FOUND: Close = Close {
    code: 4404,
    reason: "No BrowserSession matches the given query.",
};
const LEFT: Close = Close {
    code: 1000,
    reason: "Nothing was done for half an hour",
};

impl Sockets {
    /// The route of those who look at browsers.
    pub(crate) fn video_routes<S>(&self, browsers: BrowserService) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        Router::new()
            .route("/ws/video", any(open))
            .with_state((self.clone(), browsers))
    }
}

async fn open(
    State((sockets, browsers)): State<(Sockets, BrowserService)>,
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
        .on_upgrade(move |mut socket: WebSocket| async move {
            let _counted = counted;
            let caller = match admitted {
                Ok(caller) => caller,
                Err(close) => return writer::say_goodbye(socket, close).await,
            };
            let users = sockets.0.users.clone();
            let Some(seat) = users.enter(&caller, sockets.0.parts.per_user) else {
                return writer::say_goodbye(socket, Close::CROWD).await;
            };
            if !browsers.available() {
                // Whoever has gone needs no goodbye.
                let said = error("A browser is not available on this server");
                if socket.send(said).await.is_ok() {
                    writer::say_goodbye(socket, ABSENT).await;
                }
                return;
            }
            tokio::select! {
                () = serve(&sockets, &browsers, &caller, socket) => {}
                () = seat.dismissed() => {}
            }
        })
}

/// Serves a connection to its end.
async fn serve(sockets: &Sockets, browsers: &BrowserService, caller: &Caller, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let mut draining = sockets.0.draining.subscribe();
    let mut viewer: Option<Viewer> = None;
    let mut coming: Option<BoxFuture<'_, Result<Viewer, WatchError>>> = None;
    let mut heard = Instant::now();
    let mut touched = heard;
    let mut tick = tokio::time::interval_at(heard + SIGN, SIGN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let close = loop {
        let seen = async {
            match &mut viewer {
                Some(viewer) => viewer.next().await,
                None => std::future::pending().await,
            }
        };
        // What is said last, with the goodbye that follows.
        let mut end = None;
        let message = tokio::select! {
            biased;
            _ = draining.wait_for(|on| *on) => break Some(Close::DRAINING),
            seen = seen => match seen {
                Some(seen) => write(seen),
                None => {
                    end = Some(ABSENT);
                    error("The browser has ended")
                }
            },
            message = stream.next() => {
                heard = Instant::now();
                let asked = match message {
                    Some(Ok(Message::Text(text))) => read(&text),
                    Some(Ok(Message::Binary(_))) => Err("Messages are JSON text".into()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    // What it holds is not read, so that nothing after it can be.
                    Some(Err(_)) => break Some(Close::TOO_LARGE),
                    Some(Ok(Message::Close(_))) | None => break None,
                };
                if matches!(asked, Ok(Some(Asked::Start(_) | Asked::Act(_)))) {
                    touched = heard;
                }
                match asked {
                    Ok(Some(Asked::Ping)) => {
                        Message::Text(json!({"type": "pong"}).to_string().into())
                    }
                    Ok(Some(Asked::Start(id))) => {
                        // The one before leaves first.
                        viewer = None;
                        coming = Some(Box::pin(async move { browsers.watch(caller, &id).await }));
                        continue;
                    }
                    Ok(Some(Asked::Act(act))) => match &mut viewer {
                        Some(viewer) => {
                            viewer.act(act);
                            continue;
                        }
                        None => error("type: expected start first; no page is shown yet"),
                    },
                    Ok(None) => continue,
                    Err(why) => error(&why),
                }
            }
            Some(come) = OptionFuture::from(coming.as_mut()) => {
                coming = None;
                match come {
                    Ok(come) => {
                        viewer = Some(come);
                        continue;
                    }
                    Err(why) => {
                        end = goodbye(&why);
                        error(&why.to_string())
                    }
                }
            }
            _ = tick.tick() => {
                if heard.elapsed() > SILENCE {
                    break Some(Close::SILENT);
                }
                if touched.elapsed() > UNTOUCHED {
                    break Some(LEFT);
                }
                Message::Ping(bytes::Bytes::new())
            }
        };
        match tokio::time::timeout(STALL, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break None,
            Err(_) => break Some(Close::TOO_SLOW),
        }
        if end.is_some() {
            break end;
        }
    };
    // Nothing is drawn for somebody who says goodbye.
    drop(viewer);
    if let Some(close) = close {
        part_with(&mut sink, &mut stream, close).await;
    }
}

/// How a connection ends that is not shown what it asks for.
fn goodbye(why: &WatchError) -> Option<Close> {
    match why {
        WatchError::NotFound(_) => Some(NOT_FOUND),
        WatchError::Crowded => None,
        WatchError::Failed(_) => Some(ABSENT),
    }
}
