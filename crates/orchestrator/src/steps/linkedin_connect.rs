//! Sends a connection request on LinkedIn, and follows, through a browser that is signed in there.

use std::time::Duration;

use nodetool_sdk::browsers::{Page, PageOptions, WaitMode};
use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, StepCx, Token};
use nodetool_sdk::{NodeError, Value};
use url::Url;

use super::browser::{PATIENCE, needs_browser, open, session_field};
use crate::{Fields, FormStep};

/// How long a button may take to come.
const BUTTON: Duration = Duration::from_secs(5);
/// The part of the page that is about the person: others further down have buttons of their own.
const CONNECT: &str = "main section:first-of-type button[aria-label*='to connect']";
const PENDING: &str = "main section:first-of-type button[aria-label^='Pending']";
const MORE: &str = "main section:first-of-type button[aria-label='More actions']";
const MORE_CONNECT: &str =
    "main section:first-of-type div[role='button'][aria-label*='to connect']";
const MORE_CONNECTED: &str =
    "main section:first-of-type div[role='button'][aria-label^='Remove your connection']";
const SEND: &str = "button[aria-label='Send without a note'], button[aria-label='Send now']";
const FOLLOW: &str = "main section:first-of-type button[aria-label^='Follow']";
const MORE_FOLLOW: &str = "main section:first-of-type div[role='button'][aria-label^='Follow']";
const FOLLOWING: &str = "main section:first-of-type button[aria-label^='Following']";

/// It keeps nothing.
#[derive(Default)]
pub(super) struct SendConnectionRequest;

impl FormStep for SendConnectionRequest {
    const IDENTIFIER: &'static str = "linkedin-send-connection-request";
    const CLASS: &'static str = "SendConnectionRequest";
    const CATEGORY: &'static str = "Browser";
    const EFFECTS: bool = true;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "SendConnectionRequestForm",
            fields: vec![
                FieldSpec::text("profile_url")
                    .longest(2048)
                    .required()
                    .help("Address of the person's profile on LinkedIn."),
                session_field(),
                FieldSpec::boolean("send_connection_request")
                    .initial(true)
                    .help("Asks the person to connect."),
                FieldSpec::boolean("follow")
                    .initial(true)
                    .help("Follows the person."),
            ],
            check: None,
        })
    }

    async fn setup(&mut self, cx: &StepCx) -> Result<(), NodeError> {
        needs_browser(Self::IDENTIFIER, cx)
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let url = fields.text("profile_url");
        check_profile(url)?;
        let options = PageOptions {
            throttle: true,
            capture: None,
        };
        let mut page = open(Self::IDENTIFIER, fields, options, cx).await?;
        page.goto(url, WaitMode::Load, PATIENCE).await?;
        let connection = match fields.flag("send_connection_request") {
            true => connect(&mut *page).await?,
            false => "skipped",
        };
        let follow = match fields.flag("follow") {
            true => follow(&mut *page).await?,
            false => "skipped",
        };
        let result = Value::map([
            ("connection_request_status", Value::from(connection)),
            ("follow_status", follow.into()),
            ("profile_url", url.into()),
        ]);
        token.put("send_connection_request", result);
        Ok(Flow::Go(token))
    }
}

/// Only profiles: the session is signed in, and other pages of it are nobody's business here.
fn check_profile(text: &str) -> Result<(), NodeError> {
    let is_profile = Url::parse(text).is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https"
            && (host == "linkedin.com" || host.ends_with(".linkedin.com"))
            && url.path().starts_with("/in/")
    });
    if is_profile {
        return Ok(());
    }
    let shown: String = text.chars().take(100).collect();
    let why = format!("found `{shown}`, expected one such as `https://www.linkedin.com/in/name/`");
    Err(NodeError::bad("profile_url", why))
}

async fn connect(page: &mut dyn Page) -> Result<&'static str, NodeError> {
    if page.shows(PENDING).await? {
        return Ok("pending");
    }
    if !page.click(CONNECT, BUTTON).await? {
        if !page.click(MORE, BUTTON).await? {
            return Ok("not_available");
        }
        if page.shows(MORE_CONNECTED).await? {
            return Ok("already_connected");
        }
        if !page.click(MORE_CONNECT, BUTTON).await? {
            return Ok("not_available");
        }
    }
    Ok(match page.click(SEND, BUTTON).await? {
        true => "sent",
        false => "not_confirmed",
    })
}

async fn follow(page: &mut dyn Page) -> Result<&'static str, NodeError> {
    if page.shows(FOLLOWING).await? {
        return Ok("already_following");
    }
    if page.click(FOLLOW, BUTTON).await? {
        return Ok("followed");
    }
    let more = page.click(MORE, BUTTON).await? && page.click(MORE_FOLLOW, BUTTON).await?;
    Ok(if more { "followed" } else { "not_available" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::browser::fake::Browser;
    use super::super::testing::{data, refusal};
    use super::*;

    const URL: &str = "https://www.linkedin.com/in/ann/";

    async fn statuses(elements: &[&'static str], connect: bool, follow: bool) -> (String, String) {
        let browser = Browser {
            elements: elements.to_vec(),
            ..Browser::default()
        };
        let (cx, _) = browser.cx();
        let form = json!({"profile_url": URL, "session_name": "pool:1",
            "send_connection_request": connect, "follow": follow});
        let out = data::<SendConnectionRequest>(form, json!({}), &cx).await;
        let result = &out["send_connection_request"];
        assert_eq!(result["profile_url"], URL);
        let text = |key: &str| result[key].as_str().unwrap().to_owned();
        (text("connection_request_status"), text("follow_status"))
    }

    #[tokio::test]
    async fn what_happened_is_told_in_one_word_each() {
        let send = "button[aria-label='Send without a note']";
        for (elements, connection, followed) in [
            (vec![CONNECT, send, FOLLOW], "sent", "followed"),
            (vec![CONNECT], "not_confirmed", "not_available"),
            (
                vec![MORE, MORE_CONNECT, send, MORE_FOLLOW],
                "sent",
                "followed",
            ),
            (
                vec![MORE, MORE_CONNECTED, FOLLOWING],
                "already_connected",
                "already_following",
            ),
            (
                vec![PENDING, FOLLOWING, FOLLOW],
                "pending",
                "already_following",
            ),
            (vec![], "not_available", "not_available"),
        ] {
            let found = statuses(&elements, true, true).await;
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                (connection, followed),
                "{elements:?}"
            );
        }
        let skipped = statuses(&[CONNECT, FOLLOW], false, false).await;
        assert_eq!(skipped, ("skipped".to_owned(), "skipped".to_owned()));
    }

    #[tokio::test]
    async fn only_profiles_are_opened() {
        for url in [
            "https://www.linkedin.com/feed/",
            "http://www.linkedin.com/in/ann",
            "https://linkedin.com.evil.example/in/ann",
            "https://evil.example/in/ann",
            "file:///in/ann",
        ] {
            let (cx, told) = Browser::default().cx();
            let form = json!({"profile_url": url, "session_name": "pool:1"});
            let said = refusal::<SendConnectionRequest>(form, json!({}), &cx).await;
            assert!(said.contains("`profile_url`"), "{said}");
            assert!(told.lock().unwrap().is_empty());
        }
    }
}
