//! A page as steps steer it: where it goes, what is on it, what it asked the network for.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nodetool_sdk::browsers::{Captured, Page, PageOptions, Visit, WaitMode};
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::ThrottleRuleRow;
use serde_json::{Value as Json, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use url::Url;

use super::config::SessionConfig;
use super::fleet::Fleet;
use super::process::{Lease, PAGES};
use super::throttle::rule_for;
use super::travel::{address, lost, shown};
use super::watched::{Wanted, Watched};
use super::wire::{Heard, WireError};

/// How long a page may take to be opened, and to answer a question.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long bodies that are still on their way are waited for.
const LAST_BODIES: Duration = Duration::from_secs(5);
/// Between two looks for an element.
const LOOK: Duration = Duration::from_millis(100);
/// Most characters of a document.
const MAX_DOCUMENT: usize = 16 << 20;
/// Bodies that are asked for at a time.
const BODIES: usize = 4;
/// The world our own scripts run in: those of the page cannot change what they see.
const WORLD: &str = "nodetool";

const DOCUMENT: &str = "(() => { const root = document.documentElement; \
    const type = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : ''; \
    const text = type + (root ? root.outerHTML : ''); return text.length > LIMIT ? text.length : text; })()";
const FIND: &str = "((selector, scroll) => { for (const element of document.querySelectorAll(selector)) { \
    const seen = () => { const box = element.getBoundingClientRect(); const style = getComputedStyle(element); \
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden' ? box : null; }; \
    if (!seen()) continue; if (scroll) element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'}); \
    const box = seen(); if (box) return {x: box.x + box.width / 2, y: box.y + box.height / 2}; } return null; })";

/// A page of a session.
pub(super) struct OpenPage {
    fleet: Arc<Fleet>,
    /// Gone only while this is dropped.
    lease: Option<Lease>,
    _turn: OwnedSemaphorePermit,
    session: Arc<str>,
    watched: Arc<Watched>,
    /// The pauses to keep.
    rules: Vec<ThrottleRuleRow>,
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            // Its events are heard until it is closed: a question it asks on its way out has to be answered.
            self.watched.state().take();
            lease.wire.tabs.remove(&self.watched.target);
            let target = json!({"targetId": self.watched.target});
            lease.wire.tell(None, "Target.closeTarget", target);
        }
        self.fleet.make_way();
    }
}

/// Closes a page that never came to be used.
struct Unused<'a> {
    lease: &'a Lease,
    target: Option<&'a str>,
}

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        if let Some(target) = self.target {
            let target = json!({"targetId": target});
            self.lease.wire.tell(None, "Target.closeTarget", target);
        }
    }
}

impl OpenPage {
    /// Opens one.
    pub(super) async fn open(
        fleet: Arc<Fleet>,
        session: &str,
        config: &SessionConfig,
        options: PageOptions,
        rules: Vec<ThrottleRuleRow>,
    ) -> Result<OpenPage, NodeError> {
        let lease = fleet.lease(session).await?;
        let turn = timeout(PATIENCE, lease.pages.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let text =
                format!("{PAGES} pages of this browser session are open; none was closed in time");
            return Err(text.into());
        };
        let known = |target: &str| Watched::new(target, options.capture);
        let (session, watched) = open_target(&lease, config, known).await?;
        lease.wire.tabs.add_step(&session, &watched);
        Ok(OpenPage {
            fleet,
            lease: Some(lease),
            _turn: turn,
            session,
            watched,
            rules,
        })
    }

    fn browser(&self) -> Result<&Lease, NodeError> {
        self.lease.as_ref().ok_or(NodeError::Stopped)
    }

    async fn call(&self, method: &'static str, params: Json) -> Result<Json, NodeError> {
        let call = self
            .browser()?
            .wire
            .call(Some(&self.session), method, params);
        match timeout(PATIENCE, call).await {
            Ok(answer) => answer.map_err(failure),
            Err(_) => Err(NodeError::new(format!(
                "The page did not answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    async fn visit(&self, url: &Url, wait: WaitMode) -> Result<Visit, NodeError> {
        let mut changes = self.watched.changes();
        self.watched.state().begin();
        let going = self.browser()?.wire.call(
            Some(&self.session),
            "Page.navigate",
            json!({"url": url.as_str()}),
        );
        let mut bodies = FuturesUnordered::new();
        let mut going = std::pin::pin!(going);
        let mut arrived = false;
        loop {
            self.ask_for_bodies(&mut bodies)?;
            {
                let state = self.watched.state();
                if let Some(why) = state.failure() {
                    return Err(format!("The page at {} cannot be shown: {why}", shown(url)).into());
                }
                if arrived && state.is_loaded(wait) {
                    return Ok(Visit {
                        url: state.url.clone(),
                        status: state.status(),
                    });
                }
            }
            tokio::select! {
                went = &mut going, if !arrived => {
                    let went = went.map_err(failure)?;
                    if let Some(why) = went["errorText"].as_str().filter(|why| !why.is_empty()) {
                        return Err(self.lost(url, why));
                    }
                    arrived = true;
                    if went["loaderId"].as_str().is_none() {
                        // The same document at another place.
                        let mut state = self.watched.state();
                        state.stay();
                        return Ok(Visit { url: url.to_string(), status: state.status() });
                    }
                }
                Some((wanted, body)) = bodies.next(), if !bodies.is_empty() => {
                    self.watched.state().got(&wanted, body);
                }
                changed = changes.changed() => changed.map_err(|_| NodeError::Stopped)?,
            }
        }
    }

    /// Why a page was not reached, in words that help.
    fn lost(&self, url: &Url, why: &str) -> NodeError {
        let gate = self.lease.as_ref().map(|lease| &lease.gate);
        lost(gate, &self.watched, url, why).into()
    }

    fn ask_for_bodies<'a>(
        &'a self,
        bodies: &mut FuturesUnordered<BoxFuture<'a, (Wanted, Option<String>)>>,
    ) -> Result<(), NodeError> {
        let wire = &self.browser()?.wire;
        while bodies.len() < BODIES
            && let Some(wanted) = self.next_body()
        {
            bodies.push(Box::pin(async move {
                let what = json!({"requestId": wanted.request});
                let answer = wire.call(Some(&wanted.session), "Network.getResponseBody", what);
                let body = answer.await.ok().and_then(|answer| body_of(&answer));
                (wanted, body)
            }));
        }
        Ok(())
    }

    fn next_body(&self) -> Option<Wanted> {
        self.watched.state().want()
    }

    async fn last_bodies(&self) -> Result<(), NodeError> {
        let mut bodies = FuturesUnordered::new();
        loop {
            self.ask_for_bodies(&mut bodies)?;
            match bodies.next().await {
                Some((wanted, body)) => self.watched.state().got(&wanted, body),
                None => return Ok(()),
            }
        }
    }

    /// What a script of ours gives in the page.
    async fn evaluate(&self, script: &str) -> Result<Json, NodeError> {
        let frame = self.watched.state().frame.clone();
        let world = json!({"frameId": frame, "worldName": WORLD});
        let world = self.call("Page.createIsolatedWorld", world).await?;
        let how = json!({"expression": script, "contextId": world["executionContextId"], "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", how).await?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            let why = thrown["exception"]["description"]
                .as_str()
                .or(thrown["text"].as_str());
            let why: String = why
                .unwrap_or_default()
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(300)
                .collect();
            return Err(format!("The page refused a look: {why}").into());
        }
        Ok(answer["result"]["value"].take())
    }

    async fn find(&self, selector: &str, scroll: bool) -> Result<Json, NodeError> {
        self.evaluate(&format!("{FIND}({}, {scroll})", Json::from(selector)))
            .await
    }

    async fn press(&self, at: &Json) -> Result<(), NodeError> {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({"type": kind, "x": at["x"], "y": at["y"], "button": button, "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }
}

/// Makes a page, ready to go somewhere, and what is `known` of it; gives its session too.
pub(super) async fn open_target(
    lease: &Lease,
    config: &SessionConfig,
    known: impl FnOnce(&str) -> Arc<Watched>,
) -> Result<(Arc<str>, Arc<Watched>), NodeError> {
    let opening = async {
        // Pages in one window would hide each other, and a page that is hidden draws nothing.
        let blank = json!({"url": "about:blank", "newWindow": true});
        let made = lease.wire.call(None, "Target.createTarget", blank).await?;
        let target = text(&made, "targetId");
        let mut unused = Unused {
            lease,
            target: Some(&target),
        };
        let watched = known(&target);
        let session = attach(lease, &target).await?;
        lease.wire.watch(session.clone(), watched.clone());
        let opened = prepare(lease, &session, &watched, config).await;
        if let Err(e) = opened {
            lease.wire.forget(&watched);
            return Err(e);
        }
        unused.target = None;
        drop(unused);
        Ok((session, watched))
    };
    let opened = timeout(PATIENCE, opening).await;
    opened
        .map_err(|_| NodeError::new("The browser opened no page in time"))?
        .map_err(failure)
}

/// A session of its own with a page.
pub(super) async fn attach(lease: &Lease, target: &str) -> Result<Arc<str>, WireError> {
    let how = json!({"targetId": target, "flatten": true});
    let attached = lease.wire.call(None, "Target.attachToTarget", how).await?;
    Ok(text(&attached, "sessionId").into())
}

/// What a page is told before it goes anywhere.
async fn prepare(
    lease: &Lease,
    session: &str,
    watched: &Watched,
    config: &SessionConfig,
) -> Result<(), WireError> {
    let wire = &lease.wire;
    let on = json!({});
    wire.call(Some(session), "Page.enable", on).await?;
    let events = json!({"enabled": true});
    wire.call(Some(session), "Page.setLifecycleEventsEnabled", events)
        .await?;
    for (method, params) in watched.greeting().into_iter().chain(config.told()) {
        wire.call(Some(session), method, params).await?;
    }
    Ok(())
}

impl Page for OpenPage {
    fn goto<'a>(
        &'a mut self,
        url: &'a str,
        wait: WaitMode,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Visit, NodeError>> {
        Box::pin(async move {
            let url = address(url)
                .ok_or_else(|| NodeError::bad("url", "expected an address with http or https"))?;
            if let Some(rule) = rule_for(&self.rules, url.host_str().unwrap_or_default()) {
                sleep_until(self.fleet.turn(rule).into()).await;
            }
            match timeout(limit, self.visit(&url, wait)).await {
                Ok(visit) => visit,
                Err(_) => {
                    let wire = &self.browser()?.wire;
                    wire.tell(Some(&self.session), "Page.stopLoading", json!({}));
                    let seconds = limit.as_secs_f64();
                    Err(format!("The page at {} took longer than {seconds} s", shown(&url)).into())
                }
            }
        })
    }

    fn content<'a>(&'a mut self) -> BoxFuture<'a, Result<String, NodeError>> {
        Box::pin(async move {
            let script = DOCUMENT.replace("LIMIT", &MAX_DOCUMENT.to_string());
            match self.evaluate(&script).await? {
                Json::String(document) => Ok(document),
                Json::Number(length) => Err(format!(
                    "The document has {length} characters; {MAX_DOCUMENT} are allowed"
                )
                .into()),
                _ => Err("The page has no document".into()),
            }
        })
    }

    fn click<'a>(
        &'a mut self,
        selector: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<bool, NodeError>> {
        Box::pin(async move {
            let until = Instant::now() + limit;
            loop {
                let at = self.find(selector, true).await?;
                if !at.is_null() {
                    self.press(&at).await?;
                    return Ok(true);
                }
                if Instant::now() >= until {
                    return Ok(false);
                }
                sleep(LOOK).await;
            }
        })
    }

    fn shows<'a>(&'a mut self, selector: &'a str) -> BoxFuture<'a, Result<bool, NodeError>> {
        Box::pin(async move { Ok(!self.find(selector, false).await?.is_null()) })
    }

    fn captured<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Captured>, NodeError>> {
        Box::pin(async move {
            // Those that do not come in time are left out; what is known of their requests is not.
            if let Ok(Err(e)) = timeout(LAST_BODIES, self.last_bodies()).await {
                return Err(e);
            }
            Ok(self.watched.state().take())
        })
    }
}

pub(super) fn failure(e: WireError) -> NodeError {
    NodeError::new(e.to_string())
}

fn text(object: &Json, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}

/// A body, if it is text.
fn body_of(answer: &Json) -> Option<String> {
    let body = answer["body"].as_str()?;
    if answer["base64Encoded"] != true {
        return Some(body.to_owned());
    }
    String::from_utf8(STANDARD.decode(body).ok()?).ok()
}
