//! Web browsers that steps steer: a Chromium of this machine for each session of a user, over the DevTools protocol.
//!
//! A session has a folder and a process of its own, so nothing is shared between users. Browsers reach the network
//! through [`gate`] only, where the policy of nodes holds. It must not know steps or HTTP routes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::browsers::{Browsers, Page, PageOptions};
use nodetool_sdk::dial::Dial;
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{BrowserKind, Store, ThrottleRuleRow};

use super::Caller;

mod config;
mod fleet;
mod gate;
mod input;
mod keys;
mod page;
mod process;
mod program;
mod rows;
mod screen;
mod stream;
mod tabs;
#[cfg(test)]
mod tests;
mod throttle;
mod travel;
mod watched;
mod wire;

use fleet::Fleet;
use page::OpenPage;

pub(crate) use config::SessionConfig;
pub(crate) use input::{Button, Input, Key, Motion};
pub(crate) use rows::{BrowserError, Pool, Rule, Session};
pub(crate) use screen::Frame;
pub(crate) use stream::{Act, Seen, Viewer, WatchError};
pub(crate) use travel::Journey;

/// What a choice of a pool begins with.
const POOL: &str = "pool:";

/// What browsers are started with.
#[derive(Clone, Debug)]
pub(crate) struct BrowserSettings {
    /// The program; empty for the first of the search path.
    pub(crate) path: PathBuf,
    pub(crate) search_path: OsString,
    /// Where the folders of sessions are.
    pub(crate) folder: PathBuf,
    /// Whether what pages run is confined by the system.
    pub(crate) sandbox: bool,
    /// Browsers at a time; 0 for none at all.
    pub(crate) most: usize,
    /// How long one stays that nobody uses.
    pub(crate) idle: Duration,
}

/// Sessions, pools and the browsers behind them.
#[derive(Clone)]
pub(crate) struct BrowserService {
    store: Store,
    fleet: Arc<Fleet>,
}

impl BrowserService {
    pub(crate) fn new(store: Store, settings: BrowserSettings, dial: Arc<dyn Dial>) -> Self {
        BrowserService {
            store,
            fleet: Arc::new(Fleet::new(settings, dial)),
        }
    }

    /// The browsers of a caller.
    pub(crate) fn of(&self, caller: &Caller) -> Arc<dyn Browsers> {
        Arc::new(BrowsersOf {
            service: self.clone(),
            user_id: caller.user_id.clone(),
        })
    }

    /// Whether there is any browser to start.
    pub(crate) fn available(&self) -> bool {
        self.fleet.available()
    }

    /// Starts the browser of a session, which stays as long as one that was just used.
    pub(crate) async fn launch(&self, caller: &Caller, id: &str) -> Result<Session, BrowserError> {
        let session = self.session(caller, id).await?;
        let lease = self.fleet.lease(&session.id).await;
        drop(lease.map_err(|e| BrowserError::Unavailable(e.to_string()))?);
        self.fleet.make_way();
        self.session(caller, &session.id).await
    }

    /// Shows somebody the browser of a session, started if need be.
    pub(crate) async fn watch(&self, caller: &Caller, id: &str) -> Result<Viewer, WatchError> {
        let session = self.session(caller, id).await.map_err(|e| match e {
            BrowserError::NotFound(_) => WatchError::NotFound(e.to_string()),
            e => WatchError::Failed(e.to_string()),
        })?;
        Viewer::open(self.fleet.clone(), &session.id, session.config).await
    }

    /// Ends all browsers.
    pub(crate) async fn shut_down(&self, patience: Duration) {
        self.fleet.shut_down(patience).await;
    }
}

struct BrowsersOf {
    service: BrowserService,
    user_id: String,
}

impl BrowsersOf {
    /// The session that a choice stands for, and the pauses its pool keeps.
    async fn find(&self, choice: &str) -> Result<(Session, Vec<ThrottleRuleRow>), NodeError> {
        let failed = |e: BrowserError| NodeError::bad("session_name", e.to_string());
        let store = |e| failed(BrowserError::Store(e));
        let Some(id) = choice.trim().strip_prefix(POOL) else {
            let session = self.service.session_of(&self.user_id, choice).await;
            return Ok((session.map_err(failed)?, Vec::new()));
        };
        let pool = self
            .service
            .pool_of(&self.user_id, id)
            .await
            .map_err(failed)?;
        let kind = BrowserKind::Session;
        let rows = self.service.store.list_browsers(kind, &self.user_id).await;
        let sessions = rows.map_err(store)?.into_iter().map(Session::of);
        let among = sessions.filter(|session| pool.sessions.contains(&session.id));
        // One that runs and is used least, else one that does not run yet.
        let busy = |session: &Session| {
            let users = self.service.fleet.users(&session.id);
            (users.unwrap_or(0), users.is_none())
        };
        let Some(session) = among.min_by_key(busy) else {
            let text = format!(
                "the pool `{}` has no browser session; add one to it",
                pool.name
            );
            return Err(NodeError::bad("session_name", text));
        };
        let rules = self
            .service
            .store
            .list_throttle_rules(&self.user_id, &pool.id);
        Ok((session, rules.await.map_err(store)?))
    }
}

impl Browsers for BrowsersOf {
    fn available(&self) -> bool {
        self.service.fleet.available()
    }

    fn sessions<'a>(&'a self) -> BoxFuture<'a, Result<Vec<(String, String)>, NodeError>> {
        Box::pin(async move {
            let pools = self
                .service
                .store
                .list_browsers(BrowserKind::Pool, &self.user_id);
            let pools = pools.await.map_err(|e| NodeError::new(e.to_string()))?;
            Ok(pools
                .into_iter()
                .map(|row| (format!("{POOL}{}", row.id), row.name))
                .collect())
        })
    }

    fn open<'a>(
        &'a self,
        session: &'a str,
        options: PageOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Page>, NodeError>> {
        Box::pin(async move {
            let (session, mut rules) = self.find(session).await?;
            if !options.throttle {
                rules.clear();
            }
            let fleet = self.service.fleet.clone();
            let page = OpenPage::open(fleet, &session.id, &session.config, options, rules).await?;
            Ok(Box::new(page) as Box<dyn Page>)
        })
    }
}
