//! A small HTTP client: one kept connection for plain requests, one of its own for each stream, so that dropping the
//! stream is what a client does that goes away.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::description::{self, Answer};
use super::server::{pace, within};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |v| v.to_str().expect("a readable header"))
    }

    /// The body as JSON, which is what every route answers with.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The JSON body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The `detail` of an error of the given status.
    #[track_caller]
    pub(crate) fn detail(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        json["detail"].as_str().expect("a detail").to_owned()
    }

    /// The `errors` of a refused request.
    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<Value> {
        assert_eq!(self.detail(422), "Request validation failed");
        self.json()["errors"].as_array().expect("errors").clone()
    }

    /// Type and place of each error of a refused request.
    #[track_caller]
    pub(crate) fn places(&self) -> Vec<(String, Value)> {
        let place = |e: &Value| (e["type"].as_str().unwrap().to_owned(), e["loc"].clone());
        self.errors().iter().map(place).collect()
    }
}

/// A connection and the task that serves it.
struct Connection {
    send: SendRequest<Full<Bytes>>,
    _task: JoinSet<()>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address)
            .await
            .expect("the server listens");
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            // What goes wrong with it shows in the answers.
            let _ = connection.await;
        });
        Connection { send, _task: task }
    }
}

/// A client of one server.
pub(crate) struct Client {
    address: SocketAddr,
    kept: Mutex<Option<Connection>>,
    opened: AtomicUsize,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client {
            address,
            kept: Mutex::new(None),
            opened: AtomicUsize::new(0),
        }
    }

    /// How many connections it has opened for plain requests.
    pub(crate) fn connections(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sends a request over the kept connection.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let (method, path) = asked(&request);
        let reply = self.send_unchecked(request).await;
        description::check(&method, &path, &description::whole(&reply));
        reply
    }

    /// The same where the server is not the one that is described: it has other routes.
    pub(crate) async fn send_unchecked(&self, request: Request<Full<Bytes>>) -> Reply {
        let (method, path) = asked(&request);
        within(&format!("{method} {path}"), async {
            let mut kept = self.kept.lock().await;
            if kept.as_ref().is_none_or(|c| c.send.is_closed()) {
                self.opened.fetch_add(1, Ordering::Relaxed);
                *kept = Some(Connection::open(self.address).await);
            }
            let connection = kept.as_mut().expect("just opened");
            connection
                .send
                .ready()
                .await
                .expect("the connection is open");
            let response = connection
                .send
                .send_request(request)
                .await
                .expect("an answer");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("a whole body").to_bytes();
            Reply {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            }
        })
        .await
    }

    /// Sends a request without a body.
    pub(crate) async fn call(&self, method: Method, path: &str) -> Reply {
        self.send(bare(method, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(json(Method::POST, path, body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(json(Method::PUT, path, body)).await
    }

    /// Posts bytes under a content type.
    pub(crate) async fn post_as(&self, path: &str, kind: &str, body: impl Into<Bytes>) -> Reply {
        let request = request(Method::POST, path).header("content-type", kind);
        self.send(request.body(Full::new(body.into())).unwrap())
            .await
    }

    /// Saves a graph as a workflow; gives its id.
    pub(crate) async fn save(&self, graph: &Value) -> String {
        let body = serde_json::json!({ "name": "W", "access": "private", "graph": graph });
        let saved = self.post("/api/workflows/", &body).await.ok();
        saved["id"].as_str().expect("an id").to_owned()
    }

    /// Runs a workflow to its end.
    pub(crate) async fn run(&self, id: &str, params: Value) -> Reply {
        let body = serde_json::json!({ "params": params });
        self.post(&format!("/api/workflows/{id}/run"), &body).await
    }

    /// Opens a stream over a connection of its own.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Stream {
        let (method, path) = asked(&request);
        let stream = self.open_unchecked(request).await;
        let kind = stream.headers.get("content-type");
        let answer = Answer {
            status: stream.status,
            content_type: kind.and_then(|v| v.to_str().ok()).unwrap_or_default(),
            body: None,
        };
        description::check(&method, &path, &answer);
        stream
    }

    /// Opens a stream the API description does not know.
    pub(crate) async fn open_unchecked(&self, request: Request<Full<Bytes>>) -> Stream {
        within("the head of a stream", async {
            let mut connection = Connection::open(self.address).await;
            let response = connection
                .send
                .send_request(request)
                .await
                .expect("an answer");
            let (head, body) = response.into_parts();
            Stream {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
                read: Vec::new(),
                _connection: connection,
            }
        })
        .await
    }

    /// Runs a workflow as a stream of JSON lines.
    pub(crate) async fn run_lines(&self, id: &str, body: &Value) -> Stream {
        let path = format!("/api/workflows/{id}/run?stream=true");
        self.open(json(Method::POST, &path, body)).await
    }

    /// The one job of a workflow, once it has ended.
    pub(crate) async fn ended_job(&self, workflow: &str) -> Value {
        within("the end of a job", async {
            loop {
                let jobs = self
                    .get(&format!("/api/jobs?workflow_id={workflow}"))
                    .await
                    .ok();
                let job = &jobs["jobs"][0];
                if !job["finished_at"].is_null() {
                    return job.clone();
                }
                pace().await;
            }
        })
        .await
    }

    /// The server is well: it answers, and a run works.
    #[track_caller]
    pub(crate) fn check_health(&self) -> impl Future<Output = ()> {
        let here = std::panic::Location::caller();
        async move {
            assert_eq!(self.get("/health").await.ok(), "OK", "{here}");
            let id = self.save(&super::graphs::greeting()).await;
            let outputs = self
                .run(&id, serde_json::json!({ "name": "hi" }))
                .await
                .ok();
            assert_eq!(outputs, serde_json::json!({ "out": "hi" }), "{here}");
        }
    }
}

/// An answer that is still coming; dropping it closes its connection.
pub(crate) struct Stream {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    read: Vec<u8>,
    _connection: Connection,
}

impl Stream {
    /// The next part of the body up to a separator, without it; nothing at the end.
    async fn part(&mut self, separator: &[u8]) -> Option<String> {
        loop {
            let at = self
                .read
                .windows(separator.len())
                .position(|w| w == separator);
            if let Some(at) = at {
                let rest = self.read.split_off(at + separator.len());
                let part = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8(part[..at].to_vec()).expect("UTF-8"));
            }
            let frame = within("a piece of a stream", self.body.frame()).await;
            match frame {
                Some(frame) => {
                    let frame = frame.expect("the stream is not cut");
                    self.read
                        .extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                None => {
                    assert!(self.read.is_empty(), "the last part has no end");
                    return None;
                }
            }
        }
    }

    /// The next line as JSON.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        let line = self.part(b"\n").await?;
        Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")))
    }

    /// All lines that are still to come.
    pub(crate) async fn lines(mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }

    /// The next server-sent event with all its lines.
    pub(crate) async fn frame(&mut self) -> Option<String> {
        self.part(b"\n\n").await
    }

    /// The next server-sent event, without its `data: `.
    pub(crate) async fn event(&mut self) -> Option<String> {
        let event = self.part(b"\n\n").await?;
        let data = event.strip_prefix("data: ");
        Some(
            data.unwrap_or_else(|| panic!("no event: {event}"))
                .to_owned(),
        )
    }

    /// All server-sent events that are still to come.
    pub(crate) async fn events(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }
}

/// Method and path of a request.
fn asked(request: &Request<Full<Bytes>>) -> (String, String) {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    (request.method().to_string(), path.to_owned())
}

/// A request under construction.
pub(crate) fn request(method: Method, path: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
}

/// A request without a body.
pub(crate) fn bare(method: Method, path: &str) -> Request<Full<Bytes>> {
    request(method, path).body(Full::default()).unwrap()
}

/// A request with a JSON body.
pub(crate) fn json(method: Method, path: &str, body: &Value) -> Request<Full<Bytes>> {
    request(method, path)
        .header("content-type", "application/json")
        .body(Full::new(body.to_string().into()))
        .unwrap()
}
