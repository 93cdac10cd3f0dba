//! One browser that runs: its process, its proxy, the wire to it, and how many pages are open in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::NodeError;
use nodetool_sdk::dial::Dial;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::BrowserSettings;
use super::gate::Gate;
use super::program::Start;
use super::wire::Wire;

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(90);
/// How long one that was told to end may take to put its cookies away.
const GRACE: Duration = Duration::from_secs(3);
/// Pages of one browser at a time.
pub(super) const PAGES: usize = 8;
/// Those who look at one browser at a time.
const VIEWERS: usize = 4;
/// Most bytes of its last words.
const MAX_WORDS: usize = 4000;
/// The number of pages of a browser that is ending.
const ENDING: usize = usize::MAX;

/// A browser at work.
pub(super) struct Browser {
    pub(super) wire: Arc<Wire>,
    pub(super) gate: Gate,
    pub(super) pages: Arc<Semaphore>,
    pub(super) viewers: Arc<Semaphore>,
    /// How many leases there are, or that there will be none any more.
    leases: watch::Sender<usize>,
    ended: CancellationToken,
    /// Its process is no more.
    gone: CancellationToken,
}

/// The right to use a browser for a page; it does not end meanwhile, unless all does.
pub(super) struct Lease(Arc<Browser>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0
            .leases
            .send_modify(|leases| *leases -= usize::from(*leases != ENDING));
    }
}

impl std::ops::Deref for Lease {
    type Target = Browser;
    fn deref(&self) -> &Browser {
        &self.0
    }
}

/// What a browser is started with.
pub(super) struct Launch<'a> {
    pub(super) settings: &'a BrowserSettings,
    pub(super) program: &'a std::path::Path,
    pub(super) profile: PathBuf,
    pub(super) dial: Arc<dyn Dial>,
    /// Its place among the browsers of this server, given back when its process has ended.
    pub(super) place: OwnedSemaphorePermit,
    pub(super) tasks: &'a TaskTracker,
    pub(super) ended: CancellationToken,
}

impl Browser {
    /// Starts one and waits until it answers.
    pub(super) async fn start(launch: Launch<'_>) -> Result<Arc<Browser>, NodeError> {
        let Launch {
            settings,
            program,
            profile,
            dial,
            place,
            tasks,
            ended,
        } = launch;
        let failed =
            |why: String| NodeError::new(format!("The browser could not be started: {why}"));
        let (gate, keeper) = Gate::open(dial).await.map_err(|e| failed(e.to_string()))?;
        let start = Start {
            program,
            search_path: &settings.search_path,
            profile: &profile,
            proxy: &gate.url(),
            sandbox: settings.sandbox,
        };
        let mut child = start.spawn().map_err(|e| failed(e.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("it has no pipe".into()));
        };
        let (wire, ends) = Wire::new(ended.clone());
        let (words, said) = watch::channel(Vec::new());
        let leases = watch::channel(0).0;
        let browser = Arc::new(Browser {
            wire,
            gate,
            pages: Arc::new(Semaphore::new(PAGES)),
            viewers: Arc::new(Semaphore::new(VIEWERS)),
            leases,
            ended: ended.clone(),
            gone: CancellationToken::new(),
        });
        let until = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = keeper.serve() => {}
                () = until.cancelled() => {}
            }
        });
        tasks.spawn(listen(stderr, words));
        tasks.spawn(ends.drive(stdin, stdout));
        let gone = browser.gone.clone();
        tasks.spawn(see_off(child, ended.clone(), gone, place));
        // Ends what was begun when this is dropped before it is through.
        let guard = ended.drop_guard();
        let greeted = timeout(
            START,
            browser.wire.call(None, "Browser.getVersion", json!({})),
        )
        .await;
        match greeted {
            Ok(Ok(version)) => {
                tracing::info!(version = %version["product"], "a browser has started");
            }
            Ok(Err(e)) => {
                let words = last_words(&said.borrow());
                return Err(failed(format!("{e}; its last words: {words}")));
            }
            Err(_) => {
                return Err(failed(format!(
                    "it did not answer within {} s",
                    START.as_secs()
                )));
            }
        }
        for (method, params) in [
            ("Browser.setDownloadBehavior", json!({"behavior": "deny"})),
            ("Target.setDiscoverTargets", json!({"discover": true})),
        ] {
            let told = browser.wire.call(None, method, params).await;
            told.map_err(|e| failed(e.to_string()))?;
        }
        guard.disarm();
        let (idle, mut leases) = (settings.idle, browser.leases.subscribe());
        let (resting, until) = (browser.clone(), browser.ended.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = rest(&resting, &mut leases, idle) => {}
                () = until.cancelled() => {}
            }
        });
        Ok(browser)
    }

    /// Takes it for a page; nothing when it is ending.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let leased = self.leases.send_if_modified(|leases| {
            let open = *leases != ENDING;
            *leases += usize::from(open);
            open
        });
        (leased && !self.ended.is_cancelled()).then(|| Lease(self.clone()))
    }

    /// How many pages use it; nothing when it is ending.
    pub(super) fn leases(&self) -> Option<usize> {
        Some(*self.leases.borrow()).filter(|leases| *leases != ENDING && !self.ended.is_cancelled())
    }

    /// Ends it if nobody uses it.
    pub(super) fn end_idle(&self) -> bool {
        let ending = self.leases.send_if_modified(|leases| {
            let idle = *leases == 0;
            if idle {
                *leases = ENDING;
            }
            idle
        });
        if ending {
            self.ended.cancel();
        }
        ending
    }

    /// Waits until its process is no more; it has to be ending.
    pub(super) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Ends it, whoever uses it.
    pub(super) fn end(&self) {
        self.leases.send_replace(ENDING);
        self.ended.cancel();
    }
}

/// Ends a browser that nobody has used for so long.
async fn rest(browser: &Browser, leases: &mut watch::Receiver<usize>, idle: Duration) {
    loop {
        if leases.wait_for(|leases| *leases == 0).await.is_err() {
            return;
        }
        let used = leases.wait_for(|leases| *leases > 0);
        if timeout(idle, used).await.is_err() && browser.end_idle() {
            tracing::info!("a browser that nobody used has been ended");
            return;
        }
    }
}

/// Waits for the end of a process that was told of it, or that has come to it by itself.
async fn see_off(
    mut child: Child,
    ended: CancellationToken,
    gone: CancellationToken,
    place: OwnedSemaphorePermit,
) {
    tokio::select! {
        _ = child.wait() => {}
        () = ended.cancelled() => {
            // Its pipe has been closed, which it takes for a wish.
            if timeout(GRACE, child.wait()).await.is_err() {
                kill(&mut child).await;
            }
        }
    }
    ended.cancel();
    gone.cancel();
    drop(place);
}

async fn kill(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = id.and_then(Pid::from_raw) {
        // It leads a group of its own, with the processes of its pages.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.kill().await;
}

async fn listen(mut stderr: ChildStderr, words: watch::Sender<Vec<u8>>) {
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        words.send_modify(|words| {
            words.extend_from_slice(&piece[..count]);
            let over = words.len().saturating_sub(MAX_WORDS);
            words.drain(..over);
        });
    }
}

fn last_words(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let line = text.lines().rev().find(|line| !line.trim().is_empty());
    let line: String = line.unwrap_or("none").trim().chars().take(300).collect();
    line
}
