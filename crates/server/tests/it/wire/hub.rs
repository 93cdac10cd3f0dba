//! A hub of models on this machine that speaks the real protocol: lists in pages, redirects of large files to a second
//! server, ranges, and every way to misbehave a test asks for.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use sha1::Digest;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The repository it has.
pub(crate) const REPO: &str = "org/tiny-model";
/// Its latest commit.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of the repository.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) content: Bytes,
    /// Large files are elsewhere.
    pub(crate) large: bool,
}

impl File {
    pub(crate) fn small(path: &'static str, content: &'static str) -> Self {
        File {
            path,
            content: Bytes::from_static(content.as_bytes()),
            large: false,
        }
    }

    /// A file whose bytes all differ from their neighbours.
    pub(crate) fn large(path: &'static str, size: usize) -> Self {
        let byte = |i: usize| u8::try_from(i * 31 % 251).unwrap();
        File {
            path,
            content: (0..size).map(byte).collect::<Vec<u8>>().into(),
            large: true,
        }
    }

    /// What its content is called.
    pub(crate) fn id(&self) -> String {
        if self.large {
            return hex(&sha2::Sha256::digest(&self.content));
        }
        let mut hash = sha1::Sha1::new();
        hash.update(format!("blob {}\0", self.content.len()));
        hash.update(&self.content);
        hex(&hash.finalize())
    }

    fn entry(&self) -> Value {
        let size = self.content.len();
        let mut entry =
            json!({ "type": "file", "path": self.path, "size": size, "oid": self.id() });
        if self.large {
            entry["oid"] = "0".repeat(40).into();
            entry["lfs"] = json!({ "oid": self.id(), "size": size, "pointerSize": 134 });
        }
        entry
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// How it behaves.
#[derive(Default)]
pub(crate) struct Manners {
    /// Only for who brings this token.
    pub(crate) gated: Option<&'static str>,
    /// Requests for files that are told to come later.
    pub(crate) busy: usize,
    /// Each next file breaks off after so many bytes.
    pub(crate) breaks: VecDeque<usize>,
    /// Files wait after so many bytes until they are let go.
    pub(crate) hold_after: Option<usize>,
    /// Contents are not what they should be.
    pub(crate) corrupt: bool,
    /// Entries that no repository should have.
    pub(crate) strange: Vec<Value>,
}

/// A request it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether it came to the server of large files.
    pub(crate) elsewhere: bool,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
}

struct Shared {
    files: Vec<File>,
    manners: Mutex<Manners>,
    asked: Mutex<Vec<Asked>>,
    elsewhere: SocketAddr,
    released: watch::Sender<bool>,
}

/// The hub and its server of large files.
pub(crate) struct Hub {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

impl Hub {
    pub(crate) async fn start(files: Vec<File>) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (hub, elsewhere) = (bind().await.unwrap(), bind().await.unwrap());
        let address = hub.local_addr().unwrap();
        let shared = Arc::new(Shared {
            files,
            manners: Mutex::default(),
            asked: Mutex::default(),
            elsewhere: elsewhere.local_addr().unwrap(),
            released: watch::Sender::new(false),
        });
        let mut serving = JoinSet::new();
        for (listener, routes) in [
            (hub, Router::new().fallback(at_hub)),
            (elsewhere, Router::new().fallback(at_elsewhere)),
        ] {
            let routes = routes.with_state(shared.clone());
            serving.spawn(async move {
                axum::serve(listener, routes).await.unwrap();
            });
        }
        Hub {
            address,
            shared,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn behave(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.shared.manners.lock().unwrap());
    }

    /// Lets go what is held.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// The ranges asked for of large files, in order.
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        let asked = self.asked().into_iter().filter(|a| a.elsewhere);
        asked.map(|a| a.range).collect()
    }
}

fn note(shared: &Shared, request: &Request, elsewhere: bool) {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    shared.asked.lock().unwrap().push(Asked {
        elsewhere,
        method: request.method().to_string(),
        path: request.uri().to_string(),
        authorization: header("authorization"),
        range: header("range"),
    });
}

async fn at_hub(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    note(&shared, &request, false);
    if let Some(token) = shared.manners.lock().unwrap().gated {
        let given = request.headers().get("authorization");
        if given.is_none_or(|v| v != format!("Bearer {token}").as_str()) {
            let status = match given {
                Some(_) => StatusCode::FORBIDDEN,
                None => StatusCode::UNAUTHORIZED,
            };
            return (status, [("x-error-code", "GatedRepo")], "").into_response();
        }
    }
    let path = request.uri().path().replace("%20", " ");
    let api = format!("/api/models/{REPO}/");
    if path == format!("{api}revision/main") {
        return axum_json(&json!({ "id": REPO, "sha": COMMIT, "gated": false }));
    }
    if path == "/api/models" {
        let query = request.uri().query().unwrap_or_default();
        let found = match query.contains("search=tiny") {
            true => {
                json!([{ "id": REPO, "downloads": 7, "tags": ["x"], "pipeline_tag": "text-to-image" }, { "no": "id" }])
            }
            false => json!([]),
        };
        return axum_json(&found);
    }
    if path == format!("/api/models/{REPO}") {
        return axum_json(&json!({ "id": REPO, "gated": "manual", "likes": 2 }));
    }
    if path == format!("{api}tree/{COMMIT}") {
        return tree(&shared, &request);
    }
    if let Some(id) = path.strip_prefix("/api/resolve-cache/") {
        let file = shared.files.iter().find(|f| f.id() == id).unwrap();
        return content(&shared, file, &request, &format!("\"{id}\""));
    }
    let file = path.strip_prefix(&format!("/{REPO}/resolve/"));
    let file = file.and_then(|rest| rest.split_once('/'));
    let file = file.and_then(|(_, path)| shared.files.iter().find(|f| f.path == path));
    let Some(file) = file else {
        return (
            StatusCode::NOT_FOUND,
            [("x-error-code", "EntryNotFound")],
            "",
        )
            .into_response();
    };
    {
        let mut manners = shared.manners.lock().unwrap();
        if manners.busy > 0 {
            manners.busy -= 1;
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "").into_response();
        }
    }
    let size = file.content.len().to_string();
    let id = format!("\"{}\"", file.id());
    if file.large {
        let to = format!("http://{}/{}?signed=yes", shared.elsewhere, file.id());
        let head = [
            ("x-repo-commit", COMMIT),
            ("x-linked-size", &size),
            ("x-linked-etag", &id),
            ("location", &to),
        ];
        return (StatusCode::FOUND, head, "").into_response();
    }
    // Small files are at the hub itself, but not at this address.
    let to = format!("/api/resolve-cache/{}", file.id());
    let head = [("x-repo-commit", COMMIT), ("etag", &id), ("location", &to)];
    (StatusCode::TEMPORARY_REDIRECT, head, "elsewhere").into_response()
}

fn axum_json(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

/// Two entries a page.
fn tree(shared: &Shared, request: &Request) -> Response {
    let mut entries = vec![json!({ "type": "directory", "path": "sub", "oid": "x", "size": 0 })];
    entries.extend(shared.files.iter().map(File::entry));
    entries.extend(shared.manners.lock().unwrap().strange.clone());
    let query = request.uri().query().unwrap_or_default();
    assert!(query.contains("recursive=true"), "{query}");
    let cursor = query.split('&').find_map(|q| q.strip_prefix("cursor="));
    let from: usize = cursor.map_or(0, |c| c.parse().unwrap());
    let page = json!(entries[from..entries.len().min(from + 2)]);
    let mut response = axum_json(&page);
    if from + 2 < entries.len() {
        let next = format!(
            "<https://elsewhere.invalid/api?recursive=true&cursor={}>; rel=\"next\"",
            from + 2
        );
        response.headers_mut().insert("link", next.parse().unwrap());
    }
    response
}

async fn at_elsewhere(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    note(&shared, &request, true);
    let id = request.uri().path().trim_start_matches('/').to_owned();
    match shared.files.iter().find(|f| f.id() == id) {
        // Not the tag the hub has for it.
        Some(file) => content(&shared, file, &request, "\"another-tag\""),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A file, or the end of it.
fn content(shared: &Arc<Shared>, file: &File, request: &Request, etag: &str) -> Response {
    let size = file.content.len();
    let from = start(request.headers(), etag).filter(|from| *from < size);
    let mut rest = file.content.slice(from.unwrap_or(0)..);
    let (break_after, hold_after) = {
        let mut manners = shared.manners.lock().unwrap();
        if manners.corrupt {
            rest = vec![0; rest.len()].into();
        }
        let breaks = (*request.method() == Method::GET && file.large)
            .then(|| manners.breaks.pop_front())
            .flatten();
        (breaks, manners.hold_after)
    };
    let mut response = Response::builder()
        .header("etag", etag)
        .header("accept-ranges", "bytes")
        .header("content-length", rest.len());
    if let Some(from) = from {
        let range = format!("bytes {from}-{}/{size}", size - 1);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header("content-range", range);
    }
    let released = shared.released.subscribe();
    let cut = break_after.or(hold_after).unwrap_or(rest.len());
    let tail = rest.split_off(cut.min(rest.len()));
    let parts = stream::unfold(0, move |step| {
        let (head, tail, mut released) = (rest.clone(), tail.clone(), released.clone());
        async move {
            match step {
                0 => Some((Ok(head), 1)),
                1 if break_after.is_some() => Some((Err(std::io::Error::other("cut")), 2)),
                1 if !tail.is_empty() => {
                    // A hub that has gone lets go, too.
                    let _ = released.wait_for(|on| *on).await;
                    Some((Ok(tail), 2))
                }
                _ => None,
            }
        }
    });
    response.body(Body::from_stream(parts)).unwrap()
}

/// Where a request goes on; a tag that is not the file's asks for all of it.
fn start(headers: &HeaderMap, etag: &str) -> Option<usize> {
    if headers.get("if-range").is_some_and(|tag| tag != etag) {
        return None;
    }
    let range = headers.get("range")?.to_str().unwrap();
    let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
    Some(from.parse().unwrap())
}
