//! A provider in the test's own process: it keeps what it was asked and answers as it was told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use nodetool_providers::{Account, Key, Patience, Provider, compatible, find};
use nodetool_sdk::models::{
    Answer, ChatEvent, ChatMessage, ChatRequest, ChatStream, ModelError, Role,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::exchange::{self, Exchange};

/// The key of all accounts; no message may have it.
pub(super) const KEY: &str = "sk-secret-0123456789";

/// What a provider was asked.
#[derive(Clone)]
pub(super) struct Asked {
    /// The other end of the connection.
    pub(super) peer: SocketAddr,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Fields of a form, files as `file name|type|contents`, in order.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        let kind = self.headers[header::CONTENT_TYPE].to_str().unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let boundary = format!("--{boundary}");
        let parts: Vec<&str> = body.split(&boundary).collect();
        let read = parts[1..parts.len() - 1].iter().map(|part| {
            let (head, contents) = part.trim_start().split_once("\r\n\r\n").unwrap();
            let contents = contents.strip_suffix("\r\n").unwrap();
            let quoted = |name: &str| {
                let (_, rest) = head.split_once(&format!(" {name}=\""))?;
                Some(rest.split_once('"')?.0.to_owned())
            };
            let kind = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Type: "));
            let value = match quoted("filename") {
                Some(file) => format!("{file}|{}|{contents}", kind.unwrap_or_default()),
                None => contents.to_owned(),
            };
            (quoted("name").unwrap(), value)
        });
        read.collect()
    }
}

/// All of what an answer says, where it is known before it is sent.
#[derive(Clone)]
struct Whole(Bytes);

/// How it answers.
pub(super) enum Reply {
    /// So.
    With(Response),
    /// Not at all.
    Never,
}

#[derive(Clone)]
struct Book {
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    /// The provider of the last account here.
    provider: Arc<Mutex<String>>,
}

/// The provider. Its server ends with it.
pub(super) struct Stub {
    book: Book,
    pub(super) address: String,
    _server: JoinSet<()>,
}

impl Stub {
    /// A provider that gives these answers, one after the other.
    pub(super) async fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let book = Book {
            asked: Arc::default(),
            provider: Arc::default(),
            replies: Arc::new(Mutex::new(replies.into_iter().collect())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new().fallback(reply).with_state(book.clone());
        let mut server = JoinSet::new();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        server.spawn(async move { axum::serve(listener, service).await.unwrap() });
        Stub {
            book,
            address,
            _server: server,
        }
    }

    /// A provider with one answer.
    pub(super) async fn with(response: Response) -> Self {
        Self::answering([Reply::With(response)]).await
    }

    /// More answers.
    pub(super) fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.book.replies.lock().unwrap().extend(replies);
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.book.asked.lock().unwrap().clone()
    }

    /// What it was asked the one time it was asked.
    pub(super) fn asked_once(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1);
        asked.into_iter().next().unwrap()
    }

    pub(super) fn account(&self, provider: &str) -> Account {
        provider.clone_into(&mut self.book.provider.lock().unwrap());
        Account {
            provider: provider.to_owned(),
            key: Some(Key::new(KEY)),
            address: self.address.clone(),
            context_length: None,
            client: client(),
            patience: Patience::default(),
        }
    }

    /// The client of a provider of the table, speaking to this one.
    pub(super) fn provider(&self, id: &str) -> Provider {
        (find(id).unwrap().make)(&self.account(id))
    }

    /// The client of an endpoint that somebody named.
    pub(super) fn custom(&self) -> Provider {
        compatible(&self.account("custom"))
    }
}

async fn reply(
    State(book): State<Book>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let reply = book.replies.lock().unwrap().pop_front();
    if let Some(Reply::With(response)) = &reply
        && let Some(Whole(answer)) = response.extensions().get()
    {
        let kind = response.headers().get(header::CONTENT_TYPE);
        let exchange = Exchange {
            provider: &book.provider.lock().unwrap(),
            method: parts.method.as_str(),
            path: &parts.uri.to_string(),
            headers: &parts.headers,
            body: &body,
            status: response.status().as_u16(),
            kind: kind.map_or("", |kind| kind.to_str().unwrap()),
            answer,
        };
        exchange.write();
    }
    book.asked.lock().unwrap().push(Asked {
        peer,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    });
    match reply {
        Some(Reply::With(response)) => response,
        Some(Reply::Never) => std::future::pending().await,
        None => status(500, json!({"error": {"message": "asked once too often"}})),
    }
}

pub(super) fn client() -> reqwest::Client {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// A patience that ends soon; only for servers that never answer.
pub(super) fn impatient() -> Patience {
    let soon = Duration::from_millis(40);
    Patience {
        first_byte: soon,
        next_byte: soon,
        whole: soon,
        list: soon,
    }
}

pub(super) fn status(status: u16, body: Value) -> Response {
    let mut response = whole("application/json", body.to_string());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

pub(super) fn ok(body: Value) -> Response {
    status(200, body)
}

pub(super) fn typed(kind: &str, body: impl Into<Body>) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .body(body.into())
        .unwrap()
}

/// A body that is sent at once.
pub(super) fn whole(kind: &str, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let mut response = typed(kind, body.clone());
    response.extensions_mut().insert(Whole(body));
    response
}

/// Chunks as events, without an end.
pub(super) fn events(chunks: &[Value]) -> String {
    chunks.iter().map(|c| format!("data: {c}\n\n")).collect()
}

/// A stream of chunks that ends as it should.
pub(super) fn stream_of(chunks: &[Value]) -> Response {
    let text = events(chunks) + "data: [DONE]\n\n";
    whole("text/event-stream", text)
}

/// A body that arrives in pieces of 1 to 7 bytes.
pub(super) fn in_pieces(kind: &str, body: &[u8]) -> Response {
    let (mut pieces, mut rest) = (Vec::new(), body);
    for size in (1..=7).cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        rest = after;
    }
    let mut response = typed(kind, Body::from_stream(stream::iter(pieces)));
    let whole = Whole(Bytes::copy_from_slice(body));
    response.extensions_mut().insert(whole);
    response
}

/// A body that breaks off.
pub(super) fn broken_off(kind: &str, body: &str) -> Response {
    let begun = Ok(Bytes::copy_from_slice(body.as_bytes()));
    let pieces = [begun, Err(std::io::Error::other("pulled the plug"))];
    // The first piece is on its way before the connection goes.
    let pieces = stream::iter(pieces).then(|piece| async move {
        tokio::task::yield_now().await;
        piece
    });
    typed(kind, Body::from_stream(pieces))
}

/// A body that begins and then never goes on.
pub(super) fn stuck(kind: &str, body: &str) -> Response {
    let begun = stream::iter([Ok::<_, Infallible>(Bytes::copy_from_slice(body.as_bytes()))]);
    typed(kind, Body::from_stream(begun.chain(stream::pending())))
}

/// A chunk with a delta.
pub(super) fn delta(delta: Value) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// The chunk that says why the model stopped.
pub(super) fn finish(reason: &str) -> Value {
    json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

/// A request with one message.
pub(super) fn hello(model: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![ChatMessage::text(Role::User, "Hello")],
        ..ChatRequest::default()
    }
}

pub(super) async fn begin(
    provider: &Provider,
    request: ChatRequest,
) -> Result<ChatStream, ModelError> {
    provider.chat.as_ref().unwrap().chat(request).await
}

pub(super) async fn answer(
    provider: &Provider,
    request: ChatRequest,
) -> Result<Answer, ModelError> {
    let answer = Answer::of(begin(provider, request).await?).await?;
    exchange::read(&answer);
    Ok(answer)
}

/// All events of an answer, and how it failed if it did.
pub(super) async fn all(mut stream: ChatStream) -> (Vec<ChatEvent>, Option<ModelError>) {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(e) => {
                assert!(stream.next().await.is_none(), "more after a failure");
                return (events, Some(e));
            }
        }
    }
    let again = stream::iter(events.clone().into_iter().map(Ok));
    exchange::read(&Answer::of(Box::pin(again)).await.unwrap());
    (events, None)
}
