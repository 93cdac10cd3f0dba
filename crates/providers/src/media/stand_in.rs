//! A local server that answers as a service would, and remembers what it was asked.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response, StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::job::Pace;
use crate::{Account, Key, Patience};

/// How often tests look at a job: always.
pub(crate) const AT_ONCE: Pace = Pace {
    first: Duration::ZERO,
    most: Duration::ZERO,
};

/// A key of tests. No error may show it.
pub(crate) const KEY: &str = "secret-key-1234";

/// A request that came.
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// Method and path.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// How an answer ends.
#[derive(Clone, Copy)]
enum End {
    Well,
    BreaksOff,
    Hangs,
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    pieces: Vec<Bytes>,
    gate: Option<Arc<Notify>>,
    end: End,
}

impl Answer {
    pub(crate) fn bytes(mime: &str, body: impl Into<Bytes>) -> Self {
        Answer::pieces(mime, [body.into()])
    }

    pub(crate) fn json(body: Value) -> Self {
        Answer::bytes("application/json", body.to_string())
    }

    /// A body in pieces, wherever they are cut.
    pub(crate) fn pieces<B: Into<Bytes>>(mime: &str, pieces: impl IntoIterator<Item = B>) -> Self {
        Answer {
            status: StatusCode::OK,
            headers: vec![("content-type", mime.to_owned())],
            pieces: pieces.into_iter().map(Into::into).collect(),
            gate: None,
            end: End::Well,
        }
    }

    /// The body waits until it is told to come.
    pub(crate) fn after(mut self, gate: &Arc<Notify>) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The connection is lost behind the pieces.
    pub(crate) fn breaks_off(mut self) -> Self {
        self.end = End::BreaksOff;
        self
    }

    /// Nothing comes behind the pieces.
    pub(crate) fn hangs(mut self) -> Self {
        self.end = End::Hangs;
        self
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The server. It ends when dropped.
pub(crate) struct StandIn {
    pub(crate) address: String,
    asked: mpsc::UnboundedReceiver<Asked>,
    left: mpsc::UnboundedReceiver<()>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (ask, asked) = mpsc::unbounded_channel();
        let (leave, left) = mpsc::unbounded_channel();
        let script: Arc<Script> = Arc::new(script);
        let handler = move |request: Request| {
            let (script, ask, leave) = (script.clone(), ask.clone(), leave.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 30).await.unwrap();
                let path = head.uri.path_and_query().map(|p| p.to_string());
                let asked = Asked {
                    method: head.method,
                    path: path.unwrap_or_default(),
                    headers: head.headers,
                    body,
                };
                let answer = script(&asked);
                let _ = ask.send(asked);
                Ok::<_, Infallible>(respond(answer, leave))
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = axum::serve(listener, Router::new().fallback(handler)).await;
        });
        StandIn {
            address,
            asked,
            left,
            _tasks: tasks,
        }
    }

    /// An account at this server, with a key.
    pub(crate) fn account(&self, provider: &str) -> Account {
        account(provider, &self.address)
    }

    /// The next request, once it has come.
    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }

    /// All requests that have come and were not looked at.
    pub(crate) fn all_asked(&mut self) -> Vec<Asked> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }

    /// Waits until a client has left an answer that hangs.
    pub(crate) async fn left(&mut self) {
        self.left.recv().await.unwrap();
    }
}

struct Leaving(mpsc::UnboundedSender<()>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn respond(answer: Answer, leave: mpsc::UnboundedSender<()>) -> Response<Body> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let (gate, pieces) = (answer.gate, answer.pieces);
    let pieces = stream::once(async move {
        if let Some(gate) = gate {
            gate.notified().await;
        }
        stream::iter(pieces.into_iter().map(Ok::<_, io::Error>))
    });
    let pieces = pieces.flatten();
    let body = match answer.end {
        End::Well => Body::from_stream(pieces),
        End::BreaksOff => {
            let broken = stream::once(async {
                // What waits to be sent goes out while nothing more is ready.
                tokio::task::yield_now().await;
                Err(io::Error::other("broken off"))
            });
            Body::from_stream(pieces.chain(broken))
        }
        End::Hangs => {
            let leaving = Leaving(leave);
            let forever = stream::once(async move {
                let _leaving = leaving;
                std::future::pending().await
            });
            Body::from_stream(pieces.chain(forever))
        }
    };
    response.body(body).unwrap()
}

/// An account anywhere, with a key.
pub(crate) fn account(provider: &str, address: &str) -> Account {
    account_with(provider, address, |client| client)
}

/// The same, with a client set up further.
pub(crate) fn account_with(
    provider: &str,
    address: &str,
    set_up: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Account {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(ring);
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none());
    Account {
        provider: provider.to_owned(),
        key: Some(Key::new(KEY)),
        address: address.to_owned(),
        context_length: None,
        client: set_up(client).build().unwrap(),
        patience: Patience::default(),
    }
}

/// An address where nobody listens.
pub(crate) async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
