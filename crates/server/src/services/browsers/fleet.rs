//! The browsers that run: one for each session, no more than are allowed at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nodetool_sdk::NodeError;
use nodetool_sdk::dial::Dial;
use nodetool_store::ThrottleRuleRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BrowserSettings;
use super::process::{Browser, Launch, Lease};
use super::program;
use super::throttle::Pauses;
use crate::config::private_folder;

/// How long somebody waits for a turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place of one session's browser.
type Seat = Arc<tokio::sync::Mutex<Option<Arc<Browser>>>>;

/// All browsers of this server.
pub(super) struct Fleet {
    settings: BrowserSettings,
    program: Option<PathBuf>,
    dial: Arc<dyn Dial>,
    seats: Mutex<HashMap<String, Seat>>,
    running: Mutex<HashMap<String, Arc<Browser>>>,
    room: Arc<Semaphore>,
    /// Who waits for room.
    waiting: AtomicUsize,
    pauses: Mutex<Pauses>,
    tasks: TaskTracker,
    ended: CancellationToken,
}

struct InLine<'a>(&'a AtomicUsize);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Fleet {
    pub(super) fn new(settings: BrowserSettings, dial: Arc<dyn Dial>) -> Self {
        let program = program::find(&settings.path, &settings.search_path);
        if program.is_none() && !settings.path.as_os_str().is_empty() {
            tracing::warn!(path = %settings.path.display(), "browser_path names no program; there will be no browsers");
        }
        Fleet {
            room: Arc::new(Semaphore::new(settings.most)),
            program: program.filter(|_| settings.most > 0),
            settings,
            dial,
            seats: Mutex::default(),
            running: Mutex::default(),
            waiting: AtomicUsize::new(0),
            pauses: Mutex::default(),
            tasks: TaskTracker::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Whether there is a browser to start.
    pub(super) fn available(&self) -> bool {
        self.program.is_some()
    }

    /// How many use the browser of a session; nothing when it does not run.
    pub(super) fn users(&self, session: &str) -> Option<usize> {
        lock(&self.running).get(session)?.leases()
    }

    /// How many pages a session has open; nothing when its browser does not run.
    pub(super) fn pages(&self, session: &str) -> Option<usize> {
        let running = lock(&self.running);
        let browser = running.get(session)?;
        browser.leases().map(|_| browser.wire.tabs.all().len())
    }

    /// Where the browser of a session keeps its things.
    fn profile(&self, session: &str) -> PathBuf {
        self.settings.folder.join(session)
    }

    /// Takes the next turn for a visit and says when it is.
    pub(super) fn turn(&self, rule: &ThrottleRuleRow) -> Instant {
        lock(&self.pauses).turn(rule, Instant::now())
    }

    /// The browser of a session, started if need be.
    pub(super) async fn lease(&self, session: &str) -> Result<Lease, NodeError> {
        let Some(program) = &self.program else {
            return Err("A browser is not available on this server".into());
        };
        let seat = lock(&self.seats)
            .entry(session.to_owned())
            .or_default()
            .clone();
        let mut seated = seat.lock().await;
        if let Some(lease) = seated.as_ref().and_then(Browser::lease) {
            return Ok(lease);
        }
        if let Some(before) = seated.take() {
            // Two processes must not have one folder.
            before.gone().await;
        }
        let place = self.place().await?;
        let browser = self.start(session, program, place).await?;
        let lease = browser.lease().ok_or("the browser has ended")?;
        lock(&self.running).insert(session.to_owned(), browser.clone());
        *seated = Some(browser);
        Ok(lease)
    }

    async fn start(
        &self,
        session: &str,
        program: &Path,
        place: OwnedSemaphorePermit,
    ) -> Result<Arc<Browser>, NodeError> {
        if self.ended.is_cancelled() {
            return Err(NodeError::Stopped);
        }
        let profile = self.profile(session);
        private_folder(&profile).map_err(|e| NodeError::new(format!("{e:#}")))?;
        Browser::start(Launch {
            settings: &self.settings,
            program,
            profile,
            dial: self.dial.clone(),
            place,
            tasks: &self.tasks,
            ended: self.ended.child_token(),
        })
        .await
    }

    /// Room for one more; a browser that nobody uses makes way.
    async fn place(&self) -> Result<OwnedSemaphorePermit, NodeError> {
        if let Ok(place) = self.room.clone().try_acquire_owned() {
            return Ok(place);
        }
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _in_line = InLine(&self.waiting);
        self.make_way();
        match timeout(PATIENCE, self.room.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(NodeError::new(format!(
                "{} browsers are at work; none ended within {} s (max_browsers)",
                self.settings.most,
                PATIENCE.as_secs()
            ))),
        }
    }

    /// How many wait for a browser to end.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// The browser of a session, if it runs.
    #[cfg(test)]
    pub(super) fn browser(&self, session: &str) -> Option<Arc<Browser>> {
        lock(&self.running).get(session).cloned()
    }

    /// Ends a browser that nobody uses if somebody waits for its place.
    pub(super) fn make_way(&self) {
        let mut running = lock(&self.running);
        running.retain(|_, browser| browser.leases().is_some());
        if self.waiting.load(Ordering::Acquire) > 0 {
            let _ = running.values().any(|browser| browser.end_idle());
        }
    }

    /// Ends the browser of a session and removes all it kept.
    pub(super) async fn forget(&self, session: &str) -> std::io::Result<()> {
        let seat = lock(&self.seats).remove(session);
        lock(&self.running).remove(session);
        if let Some(seat) = seat
            && let Some(browser) = seat.lock().await.take()
        {
            browser.end();
            browser.gone().await;
        }
        let profile = self.profile(session);
        match tokio::fs::remove_dir_all(profile).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Ends all of them; no more are started.
    pub(super) async fn shut_down(&self, patience: Duration) {
        self.ended.cancel();
        self.tasks.close();
        if timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("browsers did not end in time");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
