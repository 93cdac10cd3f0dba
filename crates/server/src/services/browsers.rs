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
mod page;
mod process;
mod program;
mod rows;
#[cfg(test)]
mod tests;
mod throttle;
mod watched;
mod wire;

use fleet::Fleet;
use page::OpenPage;

pub(crate) use config::SessionConfig;
pub(crate) use rows::{BrowserError, Pool, Rule, Session};

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
        // One that runs and has the fewest pages, else one that does not run yet.
        let busy = |session: &Session| {
            let pages = self.service.fleet.pages(&session.id);
            (pages.unwrap_or(0), pages.is_none())
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
