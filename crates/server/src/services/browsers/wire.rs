//! Speaks the DevTools protocol with one browser, over the pipe it was started with: texts that end with a zero byte.
//!
//! Answers go to whoever waits for them, events at once into what is known of their page. It must not know what the
//! methods mean, but for pages that nobody has asked for any more: those are closed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::tabs::Tabs;
use super::watched::Follow;

/// Largest message of a browser: the largest body that is kept, with every character escaped.
const MAX_MESSAGE: usize = 256 << 20;
/// Messages to a browser that wait to be written.
const WAITING: usize = 4096;
/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Why a browser did not do what it was told.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WireError {
    /// It is gone.
    #[error("the browser has ended")]
    Ended,
    /// It says why.
    #[error("the browser refused {method}: {message}")]
    Refused {
        method: &'static str,
        message: String,
    },
}

type Waiting = HashMap<u64, oneshot::Sender<Result<Json, String>>>;

/// What hears the events of sessions.
pub(super) trait Heard: Send + Sync {
    /// The page, as the browser names it.
    fn target(&self) -> &str;
    /// Takes an event in and says what it asks for.
    fn note(&self, session: &Arc<str>, method: &str, params: &Json) -> Vec<Follow>;
    /// What further sessions of the page are told first.
    fn greeting(&self) -> Vec<(&'static str, Json)>;
    /// The browser has ended.
    fn gone(&self);
}

/// The grip on one browser.
pub(super) struct Wire {
    out: mpsc::Sender<String>,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
    /// Who hears which session; frames of other sites and workers have sessions of their own.
    pages: Mutex<HashMap<Arc<str>, Arc<dyn Heard>>>,
    /// The pages that can be looked at.
    pub(super) tabs: Tabs,
    ended: CancellationToken,
}

/// What has to be driven for a wire to carry anything.
pub(super) struct Ends {
    wire: Arc<Wire>,
    queue: mpsc::Receiver<String>,
}

/// Stops waiting for an answer when it is dropped.
struct Slot<'a> {
    wire: &'a Wire,
    id: u64,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(&self.wire.waiting).remove(&self.id);
    }
}

impl Wire {
    /// A wire, and what drives it until `ended`.
    pub(super) fn new(ended: CancellationToken) -> (Arc<Wire>, Ends) {
        let (out, queue) = mpsc::channel(WAITING);
        let wire = Arc::new(Wire {
            out,
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            pages: Mutex::default(),
            tabs: Tabs::default(),
            ended,
        });
        let ends = Ends {
            wire: wire.clone(),
            queue,
        };
        (wire, ends)
    }

    /// Has something done, by the browser itself or in the session of a page, and gives the result.
    pub(super) async fn call(
        &self,
        session: Option<&str>,
        method: &'static str,
        params: Json,
    ) -> Result<Json, WireError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tx, rx) = oneshot::channel();
        lock(&self.waiting).insert(id, tx);
        let _slot = Slot { wire: self, id };
        let text = message(id, session, method, params);
        let answer = async {
            self.out.send(text).await.map_err(|_| WireError::Ended)?;
            rx.await.map_err(|_| WireError::Ended)
        };
        let answer = tokio::select! {
            answer = answer => answer?,
            () = self.ended.cancelled() => return Err(WireError::Ended),
        };
        answer.map_err(|message| WireError::Refused { method, message })
    }

    /// Has something done that nobody waits for.
    pub(super) fn tell(&self, session: Option<&str>, method: &'static str, params: Json) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if self
            .out
            .try_send(message(id, session, method, params))
            .is_err()
        {
            // A browser that has not read thousands of messages is of no use to anybody.
            self.ended.cancel();
        }
    }

    /// Sends the events of a session to what is known of a page.
    pub(super) fn watch(&self, session: Arc<str>, page: Arc<dyn Heard>) {
        lock(&self.pages).insert(session, page);
    }

    /// Forgets what is known of a page with all its sessions.
    pub(super) fn forget<H: Heard>(&self, page: &Arc<H>) {
        let known = Arc::as_ptr(page);
        lock(&self.pages).retain(|_, other| !std::ptr::addr_eq(Arc::as_ptr(other), known));
    }

    /// Resolves when there is nobody at the other end any more.
    pub(super) async fn gone(&self) {
        self.ended.cancelled().await;
    }

    fn heard(&self, bytes: &[u8]) {
        let Ok(mut message) = serde_json::from_slice::<Json>(bytes) else {
            tracing::warn!("a browser said something that is not JSON");
            self.ended.cancel();
            return;
        };
        if let Some(id) = message.get("id").and_then(Json::as_u64) {
            self.answered(id, &mut message);
            return;
        }
        let session = message.get("sessionId").and_then(Json::as_str);
        if session.is_none() {
            self.found(&message);
        }
        let Some((session, page)) = session.and_then(|id| {
            let pages = lock(&self.pages);
            pages.get_key_value(id).map(|(k, v)| (k.clone(), v.clone()))
        }) else {
            return;
        };
        let method = message.get("method").and_then(Json::as_str);
        let params = message.get("params").unwrap_or(&Json::Null);
        for follow in page.note(&session, method.unwrap_or_default(), params) {
            match follow {
                Follow::Tell(method, params) => self.tell(Some(&session), method, params),
                Follow::Adopt(child) => {
                    self.watch(child.clone(), page.clone());
                    for (method, params) in page.greeting() {
                        self.tell(Some(&child), method, params);
                    }
                }
                Follow::Refuse(child, target) => {
                    // One that waits to be let go on is not closed.
                    self.tell(Some(&child), "Runtime.runIfWaitingForDebugger", json!({}));
                    self.tell(None, "Target.closeTarget", json!({"targetId": target}));
                }
            }
        }
    }

    /// Windows that pages open are nobody's; a page that is closed needs nobody who listens.
    fn found(&self, message: &Json) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Target.targetCreated" | "Target.targetInfoChanged" => {
                let info = &params["targetInfo"];
                if info["type"] == "page" && info["openerId"].is_string() {
                    let target = json!({"targetId": info["targetId"]});
                    self.tell(None, "Target.closeTarget", target);
                }
            }
            "Target.targetDestroyed" => {
                let gone = params["targetId"].as_str().unwrap_or_default();
                lock(&self.pages).retain(|_, page| page.target() != gone);
                self.tabs.remove(gone);
            }
            _ => {}
        }
    }

    fn answered(&self, id: u64, message: &mut Json) {
        let answer = match message.get("error") {
            Some(error) => {
                let text = error.get("message").and_then(Json::as_str);
                Err(text.unwrap_or("no reason").chars().take(500).collect())
            }
            None => Ok(message
                .get_mut("result")
                .map(Json::take)
                .unwrap_or_default()),
        };
        let unheard = match lock(&self.waiting).remove(&id) {
            Some(tx) => tx.send(answer).err(),
            None => Some(answer),
        };
        // Whoever asked for a page, or a session, has gone meanwhile: nobody else knows of it.
        if let Some(Ok(result)) = unheard {
            if let Some(target) = result.get("targetId") {
                self.tell(None, "Target.closeTarget", json!({"targetId": target}));
            } else if let Some(session) = result.get("sessionId") {
                let session = json!({"sessionId": session});
                self.tell(None, "Target.detachFromTarget", session);
            }
        }
    }
}

impl Ends {
    /// Carries messages both ways until the browser or the wire has ended. The browser ends when its pipe does.
    pub(super) async fn drive(self, stdin: ChildStdin, stdout: ChildStdout) {
        let Ends { wire, queue } = self;
        let ended = wire.ended.clone();
        tokio::select! {
            () = write(queue, stdin) => {}
            () = read(&wire, stdout) => {}
            () = ended.cancelled() => {}
        }
        ended.cancel();
        // Nobody waits for answers that cannot come.
        lock(&wire.waiting).clear();
        for page in lock(&wire.pages).values() {
            page.gone();
        }
    }
}

async fn write(mut queue: mpsc::Receiver<String>, mut stdin: ChildStdin) {
    while let Some(text) = queue.recv().await {
        if stdin.write_all(text.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn read(wire: &Wire, mut stdout: ChildStdout) {
    let mut held: Vec<u8> = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = match stdout.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let mut rest = &piece[..count];
        while let Some(end) = memchr::memchr(0, rest) {
            if held.is_empty() {
                wire.heard(&rest[..end]);
            } else {
                held.extend_from_slice(&rest[..end]);
                wire.heard(&held);
                held = Vec::new();
            }
            rest = &rest[end + 1..];
        }
        if held.len() + rest.len() > MAX_MESSAGE {
            tracing::warn!(
                "a browser sent a message of more than {MAX_MESSAGE} bytes; it is ended"
            );
            return;
        }
        held.extend_from_slice(rest);
    }
}

fn message(id: u64, session: Option<&str>, method: &str, params: Json) -> String {
    let mut message = json!({"id": id, "method": method, "params": params});
    if let Some(session) = session {
        message["sessionId"] = session.into();
    }
    format!("{message}\0")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
