//! The older way of the protocol over HTTP: one stream of events for what the server says, and a second place that takes
//! what the client says.
//!
//! A session lives as long as its stream. Each message is carried out for whoever sent it, and only the one who opened a
//! session may send to it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions};
use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Handler, MOST_SESSIONS, Offer};
use crate::services::Caller;

/// Where the stream is opened, and where messages go.
const STREAM: &str = "/mcp/sse";
const MESSAGES: &str = "/mcp/messages";
/// Largest message of a client.
const MOST: usize = 16 << 20;
/// Messages that wait on either way.
const WAITING: usize = 64;
/// How often an idle stream says that it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);

/// The routes, which have to stand behind the door.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(offer: Offer) -> Router<S> {
    let sessions = Arc::new(Sessions::default());
    Router::new()
        .route(STREAM, get(open))
        .with_state((offer, sessions.clone()))
        .merge(
            Router::new()
                .route(MESSAGES, post(take))
                .with_state(sessions),
        )
}

/// Takes what clients say to one session; when it is dropped, the session ends.
type Mailbox = mpsc::Sender<RxJsonRpcMessage<RoleServer>>;

/// The sessions of each user, oldest first.
#[derive(Default)]
struct Sessions(Mutex<HashMap<String, VecDeque<(String, Mailbox)>>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, VecDeque<(String, Mailbox)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session; the oldest of the same user make room.
    fn begin(&self, user_id: &str, id: String, mailbox: Mailbox) {
        let mut all = self.all();
        let own = all.entry(user_id.to_owned()).or_default();
        own.push_back((id, mailbox));
        while own.len() > MOST_SESSIONS {
            own.pop_front();
        }
    }

    fn find(&self, user_id: &str, id: &str) -> Option<Mailbox> {
        let all = self.all();
        let own = all.get(user_id)?.iter();
        own.filter(|(known, _)| known == id)
            .map(|(_, mailbox)| mailbox.clone())
            .next()
    }

    fn end(&self, user_id: &str, id: &str) {
        let mut all = self.all();
        if let Some(own) = all.get_mut(user_id) {
            own.retain(|(known, _)| known != id);
            if own.is_empty() {
                all.remove(user_id);
            }
        }
    }
}

/// Ends a session when its stream does.
struct Leave {
    sessions: Arc<Sessions>,
    user_id: String,
    id: String,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.sessions.end(&self.user_id, &self.id);
    }
}

/// A session as the protocol's machinery sees it.
struct Wire {
    incoming: mpsc::Receiver<RxJsonRpcMessage<RoleServer>>,
    outgoing: mpsc::Sender<TxJsonRpcMessage<RoleServer>>,
}

/// Nobody reads the stream any more.
#[derive(Debug, thiserror::Error)]
#[error("the client has gone")]
struct Gone;

impl Transport<RoleServer> for Wire {
    type Error = Gone;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Gone>> + Send + 'static {
        let outgoing = self.outgoing.clone();
        async move { outgoing.send(item).await.map_err(|_| Gone) }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        self.incoming.recv().await
    }

    async fn close(&mut self) -> Result<(), Gone> {
        self.incoming.close();
        Ok(())
    }
}

/// What a stream holds on to.
struct Streaming {
    said: mpsc::Receiver<TxJsonRpcMessage<RoleServer>>,
    /// The session's own place, until it is told.
    place: Option<String>,
    _leave: Leave,
    _work: JoinSet<()>,
}

async fn open(
    State((offer, sessions)): State<(Offer, Arc<Sessions>)>,
    request: Request,
) -> Response {
    let Some(caller) = request.extensions().get::<Caller>() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let user_id = caller.user_id.clone();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (mailbox, incoming) = mpsc::channel(WAITING);
    let (outgoing, said) = mpsc::channel(WAITING);
    sessions.begin(&user_id, id.clone(), mailbox);
    let mut work = JoinSet::new();
    work.spawn(async move {
        let wire = Wire { incoming, outgoing };
        match rmcp::serve_server(Handler(offer), wire).await {
            Ok(running) => {
                // Whether it was closed or broke off, the session is over.
                let _ = running.waiting().await;
            }
            Err(e) => tracing::debug!(error = %e, "a session of tools did not begin"),
        }
    });
    let streaming = Streaming {
        said,
        place: Some(format!("{MESSAGES}?session_id={id}")),
        _leave: Leave {
            sessions,
            user_id,
            id,
        },
        _work: work,
    };
    let body = Body::from_stream(stream::unfold(streaming, |mut s| async move {
        let piece = s.next().await?;
        Some((Ok::<_, Infallible>(piece), s))
    }));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Streaming {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(place) = self.place.take() {
            return Some(Bytes::from(format!("event: endpoint\ndata: {place}\n\n")));
        }
        loop {
            let Ok(said) = tokio::time::timeout(PING_EVERY, self.said.recv()).await else {
                return Some(Bytes::from_static(b": ping\n\n"));
            };
            match serde_json::to_string(&said?) {
                Ok(json) => return Some(Bytes::from(format!("event: message\ndata: {json}\n\n"))),
                Err(e) => tracing::error!(error = %e, "an answer to a program's call is no JSON"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Addressed {
    session_id: String,
}

async fn take(
    State(sessions): State<Arc<Sessions>>,
    addressed: Result<Query<Addressed>, QueryRejection>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(caller) = parts.extensions.get::<Caller>() else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(Query(addressed)) = addressed else {
        let why = "session_id: expected the one the stream has named";
        return (StatusCode::BAD_REQUEST, why).into_response();
    };
    let Some(mailbox) = sessions.find(&caller.user_id, &addressed.session_id) else {
        return (StatusCode::NOT_FOUND, "There is no such session").into_response();
    };
    let Ok(body) = to_bytes(body, MOST).await else {
        let why = format!("expected a message of at most {} MiB", MOST >> 20);
        return (StatusCode::PAYLOAD_TOO_LARGE, why).into_response();
    };
    let Ok(mut message) = serde_json::from_slice::<ClientJsonRpcMessage>(&body) else {
        let why = "the body is no message of the protocol";
        return (StatusCode::BAD_REQUEST, why).into_response();
    };
    match &mut message {
        ClientJsonRpcMessage::Request(asked) => {
            asked.request.extensions_mut().insert(parts);
        }
        ClientJsonRpcMessage::Notification(told) => {
            told.notification.extensions_mut().insert(parts);
        }
        _ => {}
    }
    match mailbox.send(message).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(_) => (StatusCode::NOT_FOUND, "The session is over").into_response(),
    }
}
