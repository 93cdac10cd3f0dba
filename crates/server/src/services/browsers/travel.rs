//! Where pages go: what may be asked for, what a viewer sends them to, and why they did not get there.

use std::time::Duration;

use nodetool_sdk::NodeError;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};
use url::Url;

use super::gate::Gate;
use super::page::failure;
use super::process::Lease;
use super::tabs::Tab;
use super::watched::Watched;
use super::wire::WireError;

/// What the browser says of a page between two documents, how often it is asked again then, and for how long.
const AWAY: &str = "Not attached to an active page";
const AGAIN: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a page is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Journey {
    Back,
    Forward,
    Refresh,
    Goto(String),
}

/// Sends a page somewhere. How far it has loaded is seen on its pictures.
pub(super) async fn travel(lease: &Lease, tab: &Tab, journey: Journey) -> Result<(), NodeError> {
    let session = &*tab.session;
    match journey {
        Journey::Refresh => {
            when_there(lease, session, "Page.reload", json!({})).await?;
        }
        Journey::Goto(url) => {
            let url = address(&url).ok_or("url: expected an address with http or https")?;
            let going = json!({"url": url.as_str()});
            let went = when_there(lease, session, "Page.navigate", going).await?;
            if let Some(why) = went["errorText"].as_str().filter(|why| !why.is_empty()) {
                return Err(lost(Some(&lease.gate), &tab.watched, &url, why).into());
            }
        }
        Journey::Back | Journey::Forward => {
            let history =
                when_there(lease, session, "Page.getNavigationHistory", json!({})).await?;
            let now = history["currentIndex"].as_u64().unwrap_or_default();
            let (there, text) = match journey {
                Journey::Back => (now.checked_sub(1), "There is no page to go back to"),
                _ => (now.checked_add(1), "There is no page to go forward to"),
            };
            let there = there.and_then(|place| usize::try_from(place).ok());
            let entry = there.and_then(|place| history["entries"].get(place));
            let id = entry.map_or(&Json::Null, |entry| &entry["id"]);
            if id.is_null() {
                return Err(text.into());
            }
            let going = json!({"entryId": id});
            when_there(lease, session, "Page.navigateToHistoryEntry", going).await?;
        }
    }
    Ok(())
}

/// Has a page do something as soon as it is there: between two documents it is not, for a moment.
pub(super) async fn when_there(
    lease: &Lease,
    session: &str,
    method: &'static str,
    params: Json,
) -> Result<Json, NodeError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match lease.wire.call(Some(session), method, params.clone()).await {
            Err(WireError::Refused { message, .. })
                if message.contains(AWAY) && Instant::now() < until =>
            {
                sleep(AGAIN).await;
            }
            done => return done.map_err(failure),
        }
    }
}

/// An address that pages may be sent to; what is behind it is for the gate to decide.
pub(super) fn address(url: &str) -> Option<Url> {
    Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
}

/// Why a page was not reached, in words that help.
pub(super) fn lost(gate: Option<&Gate>, watched: &Watched, url: &Url, why: &str) -> String {
    let last = watched.state().underway().map(Url::parse);
    let last = last.and_then(Result::ok).unwrap_or_else(|| url.clone());
    let host = last.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = last.port_or_known_default().unwrap_or_default();
    match gate.and_then(|gate| gate.refusal(bare, port)) {
        Some(refusal) if why.contains("SOCKS") => refusal,
        _ => format!("The page at {} could not be loaded: {why}", shown(&last)),
    }
}

/// An address as messages show it: what comes after the host may be a secret.
pub(super) fn shown(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("`{}{port}`", url.host_str().unwrap_or_default())
}
