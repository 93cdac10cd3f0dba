//! What the steps of a browser share: the session they work in, the addresses they go to, and a browser for tests.

use std::time::Duration;

use nodetool_sdk::browsers::{Page, PageOptions};
use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Choice, FieldKind, FieldSpec, StepCx};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

use crate::Fields;

/// Longest a page may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Most pages of one run.
const MAX_URLS: usize = 100;
/// Most bytes of an address.
const MAX_URL: usize = 8192;

/// The session a page is opened in.
pub(super) fn session_field() -> FieldSpec {
    FieldSpec::new("session_name", FieldKind::BrowserPool(load_sessions))
        .required()
        .help("Browser session the pages are opened in; it keeps its cookies.")
}

/// When a page counts as loaded.
pub(super) fn wait_field() -> FieldSpec {
    let modes = vec![
        ("load", "Load"),
        ("domcontentloaded", "DOM content loaded"),
        ("networkidle", "Network idle"),
    ];
    FieldSpec::new("wait_mode", FieldKind::Choice(modes))
        .required()
        .initial("load")
        .help("When a page counts as loaded.")
}

/// The addresses.
pub(super) fn urls_field() -> FieldSpec {
    FieldSpec::textarea("urls")
        .help("Addresses, one in each line; empty for `urls` or `url` of the data that came.")
}

/// Whether pauses between visits are kept.
pub(super) fn throttle_field() -> FieldSpec {
    FieldSpec::boolean("respect_domain_throttle")
        .label("Respect settings")
        .initial(true)
        .help("Keeps the pauses that are set for each domain.")
}

fn load_sessions<'a>(
    _: &'a Map,
    services: &'a Services,
) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>> {
    services.browsers.sessions()
}

/// Refuses to begin where there is no browser.
pub(super) fn needs_browser(identifier: &str, cx: &StepCx) -> Result<(), NodeError> {
    if cx.node.services().browsers.available() {
        return Ok(());
    }
    let text = format!("{identifier} needs a browser, which is not available");
    Err(text.into())
}

/// Opens a page in the session of a form.
pub(super) async fn open(
    identifier: &str,
    fields: &Fields,
    options: PageOptions,
    cx: &StepCx,
) -> Result<Box<dyn Page>, NodeError> {
    needs_browser(identifier, cx)?;
    let session = fields.text("session_name");
    cx.node.services().browsers.open(session, options).await
}

/// The addresses of a form, else those of the data.
pub(super) fn urls(fields: &Fields, data: &Map) -> Result<Vec<String>, NodeError> {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut found = lines(fields.text("urls"));
    if found.is_empty() {
        found = match data.get("urls") {
            Some(Value::List(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .flat_map(lines)
                .collect(),
            Some(Value::Str(text)) => lines(text),
            _ => Vec::new(),
        };
    }
    if found.is_empty() {
        found = lines(data.get("url").and_then(Value::as_str).unwrap_or_default());
    }
    if found.is_empty() {
        let why = "no address; expected lines here, or `urls` or `url` in the data that came";
        return Err(NodeError::bad("urls", why));
    }
    if found.len() > MAX_URLS {
        let why = format!("{} addresses; {MAX_URLS} are allowed", found.len());
        return Err(NodeError::bad("urls", why));
    }
    found.iter().try_for_each(|url| check_url("urls", url))?;
    Ok(found)
}

/// Refuses what is no address of the web: a browser opens files as well.
pub(super) fn check_url(field: &str, url: &str) -> Result<(), NodeError> {
    let of_web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if of_web && url.len() <= MAX_URL {
        return Ok(());
    }
    let shown: String = url.chars().take(100).collect();
    let why = format!("found `{shown}`, expected an address with http or https");
    Err(NodeError::bad(field, why))
}

#[cfg(test)]
pub(super) mod fake {
    use std::sync::{Arc, Mutex};

    use nodetool_sdk::browsers::{Browsers, Captured, Visit, WaitMode};

    use super::super::testing::context_of;
    use super::*;

    /// A browser whose pages are made of their address; addresses with `down` cannot be reached.
    #[derive(Default)]
    pub(in super::super) struct Browser {
        /// What it was told, in order.
        pub(in super::super) told: Arc<Mutex<Vec<String>>>,
        /// Requests each page made.
        pub(in super::super) requests: Vec<Captured>,
        /// Selectors there is an element for.
        pub(in super::super) elements: Vec<&'static str>,
    }

    impl Browser {
        pub(in super::super) fn cx(self) -> (StepCx, Arc<Mutex<Vec<String>>>) {
            let told = self.told.clone();
            let services = Services {
                browsers: Arc::new(self),
                ..Services::none()
            };
            (context_of(services, None), told)
        }
    }

    impl Browsers for Browser {
        fn available(&self) -> bool {
            true
        }
        fn sessions<'a>(&'a self) -> BoxFuture<'a, Result<Vec<(String, String)>, NodeError>> {
            let pools = vec![("pool:1".to_owned(), "First".to_owned())];
            Box::pin(std::future::ready(Ok(pools)))
        }
        fn open<'a>(
            &'a self,
            session: &'a str,
            options: PageOptions,
        ) -> BoxFuture<'a, Result<Box<dyn Page>, NodeError>> {
            let note = format!("open {session} throttle={}", options.throttle);
            self.told.lock().unwrap().push(note);
            let page = Opened {
                told: self.told.clone(),
                requests: self.requests.clone(),
                elements: self.elements.clone(),
                capture: options.capture,
                url: String::new(),
            };
            Box::pin(std::future::ready(Ok(Box::new(page) as Box<dyn Page>)))
        }
    }

    struct Opened {
        told: Arc<Mutex<Vec<String>>>,
        requests: Vec<Captured>,
        elements: Vec<&'static str>,
        capture: Option<nodetool_sdk::browsers::Capture>,
        url: String,
    }

    impl Opened {
        fn there(&self, selector: &str) -> bool {
            selector.split(", ").any(|one| self.elements.contains(&one))
        }
    }

    impl Page for Opened {
        fn goto<'a>(
            &'a mut self,
            url: &'a str,
            wait: WaitMode,
            _: Duration,
        ) -> BoxFuture<'a, Result<Visit, NodeError>> {
            self.told
                .lock()
                .unwrap()
                .push(format!("goto {url} {wait:?}"));
            self.url = format!("{url}#end");
            let visit = match url.contains("down") {
                true => Err("nobody there".into()),
                false => Ok(Visit {
                    url: self.url.clone(),
                    status: Some(200),
                }),
            };
            Box::pin(std::future::ready(visit))
        }
        fn content<'a>(&'a mut self) -> BoxFuture<'a, Result<String, NodeError>> {
            let html = format!("<html>{}</html>", self.url);
            Box::pin(std::future::ready(Ok(html)))
        }
        fn click<'a>(
            &'a mut self,
            selector: &'a str,
            _: Duration,
        ) -> BoxFuture<'a, Result<bool, NodeError>> {
            let there = self.there(selector);
            if there {
                self.told.lock().unwrap().push(format!("click {selector}"));
            }
            Box::pin(std::future::ready(Ok(there)))
        }
        fn shows<'a>(&'a mut self, selector: &'a str) -> BoxFuture<'a, Result<bool, NodeError>> {
            Box::pin(std::future::ready(Ok(self.there(selector))))
        }
        fn captured<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Captured>, NodeError>> {
            let capture = self.capture.clone().unwrap_or_default();
            let kept = self.requests.iter().filter(|r| {
                capture.takes_request(&r.resource_type, &r.method, &r.url)
                    && r.status.is_none_or(|status| capture.takes_status(status))
            });
            Box::pin(std::future::ready(Ok(kept.cloned().collect())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{context, fields, map};
    use super::*;

    #[test]
    fn addresses_come_from_the_form_then_from_the_data() {
        let read = |form, data| urls(&fields(form), &map(data));
        let a = "https://a.example/";
        let b = "http://b.example/";
        let form = json!({"urls": format!("{a}\n\n {b} ")});
        assert_eq!(read(form, json!({"url": "x"})).unwrap(), [a, b]);
        assert_eq!(
            read(json!({}), json!({"urls": [a, b], "url": "x"})).unwrap(),
            [a, b]
        );
        assert_eq!(read(json!({"urls": ""}), json!({"url": b})).unwrap(), [b]);
        for (form, data, part) in [
            (json!({}), json!({}), "no address"),
            (json!({"urls": "file:///etc/passwd"}), json!({}), "file:///"),
            (json!({}), json!({"url": "chrome://settings"}), "chrome://"),
            (
                json!({"urls": format!("{a}\n").repeat(101)}),
                json!({}),
                "101 addresses",
            ),
        ] {
            let said = read(form, data).unwrap_err().to_string();
            assert!(said.contains("`urls`") && said.contains(part), "{said}");
        }
    }

    #[test]
    fn without_a_browser_the_step_says_what_it_needs() {
        let said = needs_browser("some-step", &context())
            .unwrap_err()
            .to_string();
        assert_eq!(said, "some-step needs a browser, which is not available");
    }

    #[tokio::test]
    async fn sessions_are_offered() {
        let (cx, _) = fake::Browser::default().cx();
        let offered = load_sessions(&Map::new(), cx.node.services())
            .await
            .unwrap();
        assert_eq!(offered, [("pool:1".to_owned(), "First".to_owned())]);
    }
}
