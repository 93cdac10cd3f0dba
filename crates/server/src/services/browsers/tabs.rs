//! The pages of one browser that can be looked at: those of steps, and those that are used by hand. The latter stay
//! until they are closed or their browser ends, so that whoever comes back finds them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nodetool_sdk::NodeError;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::config::SessionConfig;
use super::page::open_target;
use super::process::Lease;
use super::watched::Watched;

/// Pages of one browser that are used by hand, at a time.
const TABS: usize = 16;

/// How long a page may take to close before it is told again.
const AGAIN: Duration = Duration::from_secs(1);

/// One page; clones are the same.
#[derive(Clone)]
pub(super) struct Tab {
    /// The session in which it was made ready.
    pub(super) session: Arc<str>,
    pub(super) watched: Arc<Watched>,
    /// Its place among those that are used by hand; a step's page has none.
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Tab {
    /// The page, as the browser and those who look at it name it.
    pub(super) fn id(&self) -> &str {
        &self.watched.target
    }

    /// Whether a step steers it.
    pub(super) fn is_of_step(&self) -> bool {
        self.place.is_none()
    }
}

/// All of them, oldest first.
pub(super) struct Tabs {
    all: Mutex<Vec<Tab>>,
    changed: watch::Sender<()>,
    room: Arc<Semaphore>,
    /// Held by whoever makes the first one.
    first: tokio::sync::Mutex<()>,
}

impl Default for Tabs {
    fn default() -> Self {
        Tabs {
            all: Mutex::default(),
            changed: watch::channel(()).0,
            room: Arc::new(Semaphore::new(TABS)),
            first: tokio::sync::Mutex::default(),
        }
    }
}

impl Tabs {
    pub(super) fn all(&self) -> Vec<Tab> {
        self.lock().clone()
    }

    pub(super) fn find(&self, id: &str) -> Option<Tab> {
        self.lock().iter().find(|tab| tab.id() == id).cloned()
    }

    /// Sees pages come and go.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A step has a page.
    pub(super) fn add_step(&self, session: &Arc<str>, watched: &Arc<Watched>) {
        self.add(Tab {
            session: session.clone(),
            watched: watched.clone(),
            place: None,
        });
    }

    fn add(&self, tab: Tab) {
        self.lock().push(tab);
        self.changed.send_replace(());
    }

    /// A page is no more.
    pub(super) fn remove(&self, id: &str) {
        self.lock().retain(|tab| tab.id() != id);
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Tab>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a page that is used by hand.
pub(super) async fn open(lease: &Lease, config: &SessionConfig) -> Result<Tab, NodeError> {
    let tabs = &lease.wire.tabs;
    let Ok(place) = tabs.room.clone().try_acquire_owned() else {
        return Err(format!("{TABS} pages are open; close one first").into());
    };
    let (session, watched) = open_target(lease, config, Watched::by_hand).await?;
    let tab = Tab {
        session,
        watched,
        place: Some(Arc::new(place)),
    };
    tabs.add(tab.clone());
    Ok(tab)
}

/// Closes a page; it is gone then. A browser forgets the order where the page's window has just come.
pub(super) async fn close(lease: &Lease, id: &str) -> Result<(), NodeError> {
    let mut changes = lease.wire.tabs.changes();
    loop {
        let target = json!({"targetId": id});
        if let Err(e) = lease.wire.call(None, "Target.closeTarget", target).await
            && lease.wire.tabs.find(id).is_some()
        {
            return Err(e.to_string().into());
        }
        let gone = changes.wait_for(|()| lease.wire.tabs.find(id).is_none());
        if timeout(AGAIN, gone).await.is_ok() {
            return Ok(());
        }
    }
}

/// The page that is shown first: the newest that is used by hand, else a step's, else one that is opened for it.
pub(super) async fn first(lease: &Lease, config: &SessionConfig) -> Result<Tab, NodeError> {
    let _alone = lease.wire.tabs.first.lock().await;
    let mut all = lease.wire.tabs.all();
    let newest = all.iter().rposition(|tab| !tab.is_of_step());
    match newest.or(all.len().checked_sub(1)) {
        Some(place) => Ok(all.swap_remove(place)),
        None => open(lease, config).await,
    }
}
