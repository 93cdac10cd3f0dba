//! A server for tests that answers as it is told and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::{Account, Key, Patience};

pub(crate) mod exchange;

use exchange::Exchange;

/// The key of accounts at the stub.
pub(crate) const SECRET: &str = "sk-very-secret-0123";

/// What comes after the pieces of a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    /// The body ends well.
    Well,
    /// The connection breaks off once the test has said so.
    Broken,
    /// Nothing, until the client goes.
    Never,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Bytes>,
    end: End,
    /// Whether the head waits until the test says so.
    waits: bool,
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(body: &Value) -> Self {
        Reply::bytes("application/json", body.to_string())
    }

    /// A whole body.
    pub(crate) fn bytes(kind: &str, body: impl Into<Bytes>) -> Self {
        Reply {
            status: 200,
            headers: vec![("content-type", kind.to_owned())],
            pieces: vec![body.into()],
            end: End::Well,
            waits: false,
        }
    }

    /// A stream of events, in one piece.
    pub(crate) fn events(body: impl Into<Bytes>) -> Self {
        Reply::bytes("text/event-stream; charset=utf-8", body)
    }

    /// The same in pieces of so many bytes.
    pub(crate) fn cut(mut self, size: usize) -> Self {
        let cut = |piece: &Bytes| -> Vec<Bytes> {
            piece.chunks(size).map(Bytes::copy_from_slice).collect()
        };
        self.pieces = self.pieces.iter().flat_map(cut).collect();
        self
    }

    /// With another status.
    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With another end.
    pub(crate) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// With a head that waits for [`Stub::go`].
    pub(crate) fn waiting(mut self) -> Self {
        self.waits = true;
        self
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method, path and query.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    /// Null when it is none.
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

#[derive(Default)]
struct Inner {
    replies: Mutex<Vec<Reply>>,
    seen: Mutex<Vec<Seen>>,
    /// The provider of the last account here.
    provider: Mutex<String>,
    go: Notify,
    gone: Notify,
}

/// The server; it ends when it is dropped.
pub(crate) struct Stub {
    pub(crate) address: String,
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

/// Tells when the client has gone.
struct Guard(Arc<Inner>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.gone.notify_one();
    }
}

impl Stub {
    /// A server that gives these answers in turn.
    pub(crate) async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let inner = Arc::new(Inner {
            replies: Mutex::new(replies.into_iter().collect()),
            ..Inner::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .fallback(answer)
            .with_state(inner.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Stub {
            address,
            inner,
            _tasks: tasks,
        }
    }

    /// An answer more.
    pub(crate) fn reply(&self, reply: Reply) {
        self.inner.replies.lock().unwrap().push(reply);
    }

    /// Lets an answer go on that waits.
    pub(crate) fn go(&self) {
        self.inner.go.notify_one();
    }

    /// Waits until the client has closed the connection of an answer without end.
    pub(crate) async fn gone(&self) {
        self.inner.gone.notified().await;
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// An account here.
    pub(crate) fn account(&self, provider: &str, path: &str) -> Account {
        let roots = rustls::RootCertStore::empty();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        provider.clone_into(&mut self.inner.provider.lock().unwrap());
        let long = Duration::from_secs(120);
        Account {
            provider: provider.to_owned(),
            key: Some(Key::new(SECRET)),
            address: format!("{}{path}", self.address),
            context_length: None,
            client,
            patience: Patience {
                first_byte: long,
                next_byte: long,
                whole: long,
                list: long,
            },
        }
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let line = format!("{method} {path}");
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 64 << 20).await;
    let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
    inner.seen.lock().unwrap().push(Seen {
        line,
        headers: headers.clone(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        text: text.clone(),
    });
    let reply = {
        let mut replies = inner.replies.lock().unwrap();
        assert!(!replies.is_empty(), "a request that nobody expected");
        replies.remove(0)
    };
    if reply.end == End::Well {
        let kind = reply
            .headers
            .iter()
            .find(|(name, _)| *name == "content-type");
        let exchange = Exchange {
            provider: &inner.provider.lock().unwrap(),
            method: &method,
            path: &path,
            headers: &headers,
            body: text.as_bytes(),
            status: reply.status,
            kind: kind.map_or("", |(_, kind)| kind),
            answer: &reply.pieces.concat(),
        };
        exchange.write();
    }
    if reply.waits {
        inner.go.notified().await;
    }
    let pieces = stream::iter(reply.pieces.into_iter().map(Ok::<_, Infallible>));
    let pieces = pieces.map(|piece| piece.map_err(std::io::Error::other));
    let end = reply.end;
    let guard = Guard(inner.clone());
    let last = stream::once(async move {
        let guard = guard;
        match end {
            End::Well => None,
            End::Broken => {
                guard.0.go.notified().await;
                Some(Err(std::io::Error::other("broken")))
            }
            End::Never => std::future::pending().await,
        }
    });
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = Body::from_stream(pieces.chain(last.filter_map(std::future::ready)));
    response.body(body).unwrap()
}
