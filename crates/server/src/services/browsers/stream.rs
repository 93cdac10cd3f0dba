//! Somebody who looks at the browser of a session and uses it: which page is shown, what is done to it, what is told.
//!
//! It must not know sockets or how messages are written. What the viewer does is done one after the other and waits in
//! a bounded line; nothing waits for the viewer but the newest picture and what is told of pages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::OptionFuture;
use futures_util::stream::FuturesUnordered;
use nodetool_sdk::{BoxFuture, NodeError};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::config::SessionConfig;
use super::fleet::Fleet;
use super::input::{Hands, Input};
use super::process::Lease;
use super::screen::{Frame, Screen};
use super::tabs::{self, Tab};
use super::travel::{Journey, address, travel};
use super::watched::State;

/// What hands did and the page has not taken.
const WAITING: usize = 64;
/// How long a page may take to take it.
const TOUCH: Duration = Duration::from_secs(10);
/// Journeys, and pages that are opened and closed, at a time.
const UNDER_WAY: usize = 8;
/// How long each of these may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a browser cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// The caller has no such session.
    #[error("{0}")]
    NotFound(String),
    /// As many look at it as may.
    #[error("As many as may watch this browser session do already")]
    Crowded,
    #[error("{0}")]
    Failed(String),
}

/// What a viewer does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Input(Input),
    /// Another page is to be shown.
    Switch(String),
    Open,
    Close(String),
    Travel(Journey),
}

/// What a viewer is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Pages(Vec<String>),
    Added(String),
    Removed(String),
    Switched { id: String, url: String },
    Url(String),
    Error(String),
    Frame(Frame),
}

/// What came of something under way.
enum Done {
    Nothing,
    Opened(Tab),
}

type Errand = BoxFuture<'static, Result<Done, String>>;
type Turn = BoxFuture<'static, Result<(Tab, Screen), String>>;
type Touch = BoxFuture<'static, Result<(), String>>;

/// The page that is shown.
struct Shown {
    tab: Tab,
    screen: Screen,
    hands: Hands,
    /// Sees what becomes of the page.
    changes: watch::Receiver<()>,
    url: String,
    failed: bool,
}

/// Lets somebody who waits have the browser's place, once it is not used any more.
struct Leaving(Arc<Fleet>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.make_way();
    }
}

/// Somebody who looks at a browser; the browser stays meanwhile.
pub(crate) struct Viewer {
    shown: Option<Shown>,
    turning: Option<Turn>,
    touching: Option<Touch>,
    errands: FuturesUnordered<Errand>,
    inputs: VecDeque<Input>,
    told: VecDeque<Seen>,
    /// The pages that were told.
    known: Vec<String>,
    roster: watch::Receiver<()>,
    config: SessionConfig,
    lease: Arc<Lease>,
    _seat: OwnedSemaphorePermit,
    // Dropped after the lease.
    _leaving: Leaving,
}

impl Viewer {
    /// Somebody who comes: is told which pages there are, and shown one of them.
    pub(super) async fn open(
        fleet: Arc<Fleet>,
        session: &str,
        config: SessionConfig,
    ) -> Result<Viewer, WatchError> {
        let failed = |e: NodeError| WatchError::Failed(e.to_string());
        let leaving = Leaving(fleet.clone());
        let lease = Arc::new(fleet.lease(session).await.map_err(failed)?);
        let seat = lease.viewers.clone().try_acquire_owned();
        let seat = seat.map_err(|_| WatchError::Crowded)?;
        let roster = lease.wire.tabs.changes();
        let first = timeout(PATIENCE, tabs::first(&lease, &config)).await;
        let first = first.map_err(|_| failed("The browser opened no page in time".into()))?;
        let first = first.map_err(failed)?;
        let known = ids(&lease);
        let mut viewer = Viewer {
            shown: None,
            turning: None,
            touching: None,
            errands: FuturesUnordered::new(),
            inputs: VecDeque::new(),
            told: VecDeque::from([Seen::Pages(known.clone())]),
            known,
            roster,
            config,
            lease,
            _seat: seat,
            _leaving: leaving,
        };
        viewer.turn_to(first);
        Ok(viewer)
    }

    /// The session in which the page is drawn for the viewer.
    #[cfg(test)]
    pub(super) fn drawn(&self) -> Option<Arc<str>> {
        self.shown
            .as_ref()
            .map(|shown| shown.screen.session.clone())
    }

    /// Takes what the viewer does. What cannot be done is told.
    pub(crate) fn act(&mut self, act: Act) {
        let done = match act {
            Act::Input(input) => self.touch(input),
            Act::Switch(id) => self.tab(&id).map(|tab| self.turn_to(tab)),
            Act::Open => {
                let (lease, config) = (self.lease.clone(), self.config.clone());
                self.send(async move {
                    let opened = tabs::open(&lease, &config).await;
                    opened.map(Done::Opened).map_err(|e| e.to_string())
                })
            }
            Act::Close(id) => self.close(&id),
            Act::Travel(journey) => self.travel(journey),
        };
        if let Err(why) = done {
            self.told.push_back(Seen::Error(why));
        }
    }

    /// What the viewer is to be told next; nothing when the browser has ended. Nothing is lost when this is dropped.
    pub(crate) async fn next(&mut self) -> Option<Seen> {
        loop {
            self.notice();
            self.begin_touch();
            if let Some(seen) = self.told.pop_front() {
                return Some(seen);
            }
            let stir = async {
                match &mut self.shown {
                    Some(shown) => tokio::select! {
                        _ = shown.changes.changed() => None,
                        frame = shown.screen.next() => Some(frame),
                    },
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.lease.wire.gone() => return None,
                _ = self.roster.changed() => {}
                Some(turned) = OptionFuture::from(self.turning.as_mut()) => {
                    self.turning = None;
                    self.turned(turned);
                }
                Some(touched) = OptionFuture::from(self.touching.as_mut()) => {
                    self.touching = None;
                    self.told.extend(touched.err().map(Seen::Error));
                }
                Some(done) = self.errands.next() => match done {
                    Ok(Done::Nothing) => {}
                    Ok(Done::Opened(tab)) => self.turn_to(tab),
                    Err(why) => self.told.push_back(Seen::Error(why)),
                },
                frame = stir => {
                    if let Some(frame) = frame {
                        return Some(Seen::Frame(frame));
                    }
                }
            }
        }
    }

    /// Sees which pages have come and gone, and what has become of the one that is shown.
    fn notice(&mut self) {
        let now = ids(&self.lease);
        if now != self.known {
            let gone = self.known.iter().filter(|id| !now.contains(id));
            self.told.extend(gone.cloned().map(Seen::Removed));
            let come = now.iter().filter(|id| !self.known.contains(id));
            self.told.extend(come.cloned().map(Seen::Added));
            if let Some(shown) = &self.shown
                && !now.iter().any(|id| id == shown.tab.id())
            {
                self.shown = None;
                self.inputs.clear();
                let next = self.lease.wire.tabs.all().pop();
                if let Some(next) = next.filter(|_| self.turning.is_none()) {
                    self.turn_to(next);
                }
            }
            self.known = now;
        }
        let Some(shown) = &mut self.shown else {
            return;
        };
        shown.changes.mark_unchanged();
        let (url, failure, window) = {
            let mut state = shown.tab.watched.state();
            let failure = state.failure().map(str::to_owned);
            (url_of(&state), failure, state.window())
        };
        if url != shown.url {
            shown.url.clone_from(&url);
            self.told.push_back(Seen::Url(url));
        }
        let failed = failure.is_some();
        if let Some(why) = failure.filter(|_| !shown.failed) {
            self.told.push_back(Seen::Error(why));
        }
        shown.failed = failed;
        if let Some(window) = window {
            self.open_window(&window);
        }
    }

    /// A link that asks for a window gets a page of its own.
    fn open_window(&mut self, url: &str) {
        let Some(url) = address(url) else { return };
        let (lease, config) = (self.lease.clone(), self.config.clone());
        let opened = self.send(async move {
            let tab = tabs::open(&lease, &config).await;
            let tab = tab.map_err(|e| e.to_string())?;
            // How it goes on is seen on the page.
            let going = json!({"url": url.as_str()});
            lease.wire.tell(Some(&tab.session), "Page.navigate", going);
            Ok(Done::Opened(tab))
        });
        self.told.extend(opened.err().map(Seen::Error));
    }

    fn tab(&self, id: &str) -> Result<Tab, String> {
        let found = self.lease.wire.tabs.find(id);
        found.ok_or_else(|| {
            "page_id: there is no such page; expected one of those that were told".into()
        })
    }

    /// The page that is shown, for those who send it somewhere.
    fn steered(&self) -> Result<&Tab, String> {
        let shown = self.shown.as_ref().ok_or("No page is shown")?;
        match shown.tab.is_of_step() {
            true => Err("A step steers this page; it goes where the step says".into()),
            false => Ok(&shown.tab),
        }
    }

    fn turn_to(&mut self, tab: Tab) {
        let lease = self.lease.clone();
        self.turning = Some(Box::pin(async move {
            match timeout(PATIENCE, Screen::open(lease, &tab)).await {
                Ok(Ok(screen)) => Ok((tab, screen)),
                Ok(Err(e)) => Err(format!("The page cannot be shown: {e}")),
                Err(_) => Err("The page cannot be shown: it did not answer in time".into()),
            }
        }));
    }

    fn turned(&mut self, turned: Result<(Tab, Screen), String>) {
        match turned {
            Ok((tab, screen)) => {
                let url = url_of(&tab.watched.state());
                let id = tab.id().to_owned();
                self.inputs.clear();
                self.touching = None;
                self.shown = Some(Shown {
                    changes: tab.watched.changes(),
                    tab,
                    screen,
                    hands: Hands::default(),
                    url: url.clone(),
                    failed: false,
                });
                // Told before it is noticed, it is no news afterwards.
                if !self.known.contains(&id) {
                    self.told.push_back(Seen::Added(id.clone()));
                    self.known.push(id.clone());
                }
                self.told.push_back(Seen::Switched { id, url });
            }
            Err(why) => self.told.push_back(Seen::Error(why)),
        }
    }

    fn touch(&mut self, input: Input) -> Result<(), String> {
        if self.shown.is_none() {
            // On the way from one page to another.
            return Ok(());
        }
        let moves = input.is_move();
        let room = self.inputs.len() < WAITING;
        match self.inputs.back_mut() {
            Some(last) if moves && last.is_move() => *last = input,
            _ if room => self.inputs.push_back(input),
            _ if moves || matches!(input, Input::Wheel { .. }) => {}
            _ => return Err("The page does not take what is typed and clicked in time".into()),
        }
        Ok(())
    }

    /// Has the page take the next of what hands did.
    fn begin_touch(&mut self) {
        let Some(shown) = self.shown.as_mut().filter(|_| self.touching.is_none()) else {
            return;
        };
        let Some(input) = self.inputs.pop_front() else {
            return;
        };
        let now = std::time::Instant::now();
        let (method, params) = shown.hands.tell(input, shown.screen.scale, now);
        let (wire, session) = (self.lease.wire.clone(), shown.screen.session.clone());
        self.touching = Some(Box::pin(async move {
            match timeout(TOUCH, wire.call(Some(&session), method, params)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(e)) => Err(e.to_string()),
                Err(_) => Err(format!("The page took no input for {} s", TOUCH.as_secs())),
            }
        }));
    }

    fn close(&mut self, id: &str) -> Result<(), String> {
        let tab = self.tab(id)?;
        if tab.is_of_step() {
            return Err("page_id: a step uses this page; it is closed when the step ends".into());
        }
        let lease = self.lease.clone();
        self.send(async move {
            let closed = tabs::close(&lease, tab.id()).await;
            closed.map(|()| Done::Nothing).map_err(|e| e.to_string())
        })
    }

    fn travel(&mut self, journey: Journey) -> Result<(), String> {
        let tab = self.steered()?.clone();
        if let Journey::Goto(url) = &journey
            && address(url).is_none()
        {
            return Err("url: expected an address with http or https".into());
        }
        let lease = self.lease.clone();
        self.send(async move {
            let went = travel(&lease, &tab, journey).await;
            went.map(|()| Done::Nothing).map_err(|e| e.to_string())
        })
    }

    fn send(
        &mut self,
        errand: impl Future<Output = Result<Done, String>> + Send + 'static,
    ) -> Result<(), String> {
        if self.errands.len() >= UNDER_WAY {
            return Err(format!(
                "{UNDER_WAY} pages are being loaded, opened or closed; wait for one of them"
            ));
        }
        self.errands.push(Box::pin(async move {
            let done = timeout(PATIENCE, errand).await;
            done.unwrap_or_else(|_| {
                Err(format!(
                    "The browser did not answer within {} s",
                    PATIENCE.as_secs()
                ))
            })
        }));
        Ok(())
    }
}

/// Where a page is; one that has been nowhere is blank.
fn url_of(state: &State) -> String {
    match &*state.url {
        "" => "about:blank".into(),
        url => url.to_owned(),
    }
}

fn ids(lease: &Lease) -> Vec<String> {
    let all = lease.wire.tabs.all();
    all.iter().map(|tab| tab.id().to_owned()).collect()
}
