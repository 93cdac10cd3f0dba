//! Downloads of models: one for each user and id, at work whether or not anybody watches. It knows no sockets and no
//! HTTP of ours.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod cache;
mod digest;
mod fault;
mod hub;
mod inventory;
mod kinds;
mod library;
mod llama;
mod names;
mod ollama;
mod order;
mod patterns;
mod state;
mod tokens;
mod transfer;
mod watch;
mod work;

pub(crate) use fault::DownloadError;
pub(crate) use hub::{HubError, HubModel, SetupError};
pub(crate) use inventory::{CachedRepo, Inventory};
pub(crate) use library::{LibraryError, ModelLibrary};
pub(crate) use llama::is_llama_type;
pub(crate) use names::{FilePath, NameError, RepoId};
pub(crate) use ollama::{Ollama, OllamaError, Pull, is_model_name};
pub(crate) use order::{Order, Ordered};
pub(crate) use patterns::Filter;
pub(crate) use state::{Snapshot, Status};
pub(crate) use tokens::Tokens;
pub(crate) use watch::Watch;

use cache::HubCache;
use hub::Hub;
use llama::LlamaCache;
use state::Live;
use work::Engine;

/// Time between two words about a download.
const EVERY: Duration = Duration::from_millis(100);
/// How long the end of a download is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Words that wait for a slow watcher; one that has missed some is told everything anew.
const WAITING: usize = 1024;
/// Downloads of one user that wait or are at work.
const PER_USER: usize = 64;
/// Downloads of one user that are remembered, with those that have ended.
const REMEMBERED_PER_USER: usize = 256;

/// What downloads need.
pub(crate) struct DownloadParts {
    /// Address of the hub.
    pub(crate) endpoint: String,
    /// Folder of the hub's cache.
    pub(crate) cache: PathBuf,
    /// Folder of llama.cpp's cache.
    pub(crate) llama: PathBuf,
    pub(crate) tokens: Tokens,
    /// Bytes that stay free on the disk.
    pub(crate) min_free: u64,
    /// Downloads at work at the same time.
    pub(crate) at_once: usize,
    /// Files of one download at the same time.
    pub(crate) parallel_files: usize,
}

/// A download by its owner and its id.
type Key = (String, String);

struct Entry {
    live: Arc<Live>,
    cancel: CancellationToken,
    ended: Option<Instant>,
}

struct News {
    user_id: String,
    snapshot: Snapshot,
}

struct Inner {
    engine: Engine,
    known: Mutex<BTreeMap<Key, Entry>>,
    news: broadcast::Sender<Arc<News>>,
    room: Semaphore,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Starts, watches and cancels downloads; clones share them.
#[derive(Clone)]
pub(crate) struct DownloadService(Arc<Inner>);

impl DownloadService {
    pub(crate) fn new(parts: DownloadParts) -> Result<Self, SetupError> {
        Ok(DownloadService(Arc::new(Inner {
            engine: Engine {
                hub: Hub::new(&parts.endpoint)?,
                cache: HubCache::new(parts.cache),
                llama: LlamaCache::new(parts.llama),
                tokens: parts.tokens,
                min_free: parts.min_free,
                parallel_files: parts.parallel_files,
            },
            known: Mutex::default(),
            news: broadcast::Sender::new(WAITING),
            room: Semaphore::new(parts.at_once.max(1)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })))
    }

    /// What is here already, and what the hub says of it.
    pub(crate) fn library(&self) -> ModelLibrary {
        let engine = &self.0.engine;
        ModelLibrary::new(
            engine.hub.clone(),
            engine.cache.clone(),
            engine.llama.clone(),
            engine.tokens.clone(),
        )
    }

    /// Begins a download. One that is at work goes on as it is, and is told anew.
    pub(crate) fn start(&self, user_id: &str, order: Order) -> Result<(), DownloadError> {
        let inner = &self.0;
        if inner.stop.is_cancelled() {
            return Err(DownloadError::Stopping);
        }
        let snapshot = order.snapshot();
        let key = (user_id.to_owned(), snapshot.id());
        let mut known = inner.known();
        if let Some(entry) = known.get(&key)
            && entry.ended.is_none()
        {
            inner.tell(user_id, entry.live.now());
            return Ok(());
        }
        let own = known
            .iter()
            .filter(|((user, _), e)| user == user_id && e.ended.is_none());
        if own.count() >= PER_USER {
            return Err(DownloadError::TooMany);
        }
        forget_oldest(&mut known, user_id);
        tracing::info!(
            target: "audit",
            event = "download.started",
            user.id = %user_id,
            repo.id = order.repo.as_str(),
            "a download of a model was started"
        );
        let entry = Entry {
            live: Arc::new(Live::new(snapshot)),
            cancel: inner.stop.child_token(),
            ended: None,
        };
        let (live, cancel) = (entry.live.clone(), entry.cancel.clone());
        if let Some(now) = live.news() {
            inner.tell(user_id, now);
        }
        known.insert(key.clone(), entry);
        drop(known);
        let task = inner.clone();
        inner.tasks.spawn(async move {
            task.see_through(&key, &order, &live, &cancel).await;
        });
        Ok(())
    }

    /// Cancels a download; false when none of this id is at work.
    pub(crate) fn cancel(&self, user_id: &str, id: &str) -> bool {
        let known = self.0.known();
        let entry = known.get(&(user_id.to_owned(), id.to_owned()));
        let entry = entry.filter(|entry| entry.ended.is_none());
        if let Some(entry) = entry {
            entry.cancel.cancel();
        }
        entry.is_some()
    }

    /// Everything a user's downloads do from now on, after how they stand.
    pub(crate) fn watch(&self, user_id: &str) -> Watch {
        Watch::new(self.0.clone(), user_id)
    }

    /// Whether anybody downloads from a repository now.
    pub(crate) fn is_busy_with(&self, repo: &RepoId) -> bool {
        let known = self.0.known();
        known
            .values()
            .any(|e| e.ended.is_none() && e.live.now().repo_id == repo.as_str())
    }

    /// Ends all downloads; what has come stays for the next time.
    pub(crate) fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
    }

    /// The same, and waits for their ends.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        self.stop();
        if tokio::time::timeout(patience, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("downloads did not end in time");
        }
    }
}

/// Makes room for one more download of a user.
fn forget_oldest(known: &mut BTreeMap<Key, Entry>, user_id: &str) {
    let own = known.iter().filter(|((user, _), _)| user == user_id);
    if own.clone().count() < REMEMBERED_PER_USER {
        return;
    }
    let ended = own.filter_map(|(key, entry)| Some((entry.ended?, key)));
    let oldest = ended.min_by_key(|(at, _)| *at).map(|(_, key)| key.clone());
    if let Some(oldest) = oldest {
        known.remove(&oldest);
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, entry| entry.ended.is_none_or(|at| at.elapsed() < REMEMBERED));
        known
    }

    fn tell(&self, user_id: &str, snapshot: Snapshot) {
        // Nobody may be watching.
        let _ = self.news.send(Arc::new(News {
            user_id: user_id.to_owned(),
            snapshot,
        }));
    }

    fn listen(&self, user_id: &str) -> (broadcast::Receiver<Arc<News>>, VecDeque<Snapshot>) {
        // Under the lock nothing is told, so that nothing is missed between the two.
        let known = self.known();
        let own = known.iter().filter(|((user, _), _)| user == user_id);
        let waiting = own.map(|(_, entry)| entry.live.now()).collect();
        (self.news.subscribe(), waiting)
    }

    /// Tells how a download stands, if that is news.
    fn tell_of(&self, user_id: &str, live: &Live) {
        let _known = self.known();
        if let Some(now) = live.news() {
            self.tell(user_id, now);
        }
    }

    /// A download from its place in line to its end.
    async fn see_through(&self, key: &Key, order: &Order, live: &Live, cancel: &CancellationToken) {
        let (user_id, _) = key;
        let work = async {
            // Never closed.
            let Ok(_room) = self.room.acquire().await else {
                return Err(DownloadError::Stopping);
            };
            live.change(|now| now.status = Status::Start);
            self.tell_of(user_id, live);
            self.engine.work(user_id, order, live).await
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        let mut work = std::pin::pin!(work);
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break None,
                result = &mut work => break Some(result),
                _ = tick.tick() => self.tell_of(user_id, live),
            }
        };
        self.end(
            key,
            live,
            result.map(|r| r.unwrap_or(Err(DownloadError::Internal))),
        );
    }

    fn end(&self, key: &Key, live: &Live, result: Option<Result<PathBuf, DownloadError>>) {
        let failed = |e: &DownloadError| {
            let repo = &live.now().repo_id;
            tracing::warn!(repo.id = %repo, error = %e, "a download of a model failed");
        };
        live.change(|now| {
            now.current_files.clear();
            match &result {
                Some(Ok(place)) => {
                    now.status = Status::Completed;
                    now.local_path = Some(place.clone());
                }
                Some(Err(e)) => {
                    now.status = Status::Error;
                    now.error = Some(e.to_string());
                    if let DownloadError::File { path, .. } = e {
                        now.error_file = Some(path.clone());
                    }
                }
                None if self.stop.is_cancelled() => {
                    now.status = Status::Error;
                    now.error = Some(DownloadError::Stopping.to_string());
                }
                None => now.status = Status::Cancelled,
            }
        });
        if let Some(Err(e)) = &result {
            failed(e);
        }
        let mut known = self.known();
        if let Some(entry) = known.get_mut(key) {
            entry.ended = Some(Instant::now());
        }
        if let Some(now) = live.news() {
            self.tell(&key.0, now);
        }
    }
}

#[cfg(test)]
mod tests;
