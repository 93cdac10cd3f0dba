//! Words for web browsers that steps steer: a page of its own in a named session, where it goes, what is on it and
//! what went over the network meanwhile.
//!
//! It must not know any browser or its protocol. Dropping a page closes it.

use std::time::Duration;

use nodetool_protocol::Map;

use crate::{BoxFuture, NodeError};

/// When a page counts as loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitMode {
    /// With all its pictures and scripts.
    #[default]
    Load,
    /// When its document has been read.
    DomContentLoaded,
    /// When nothing has gone over the network for half a second.
    NetworkIdle,
}

impl WaitMode {
    /// The mode of a word: `load`, `domcontentloaded`, `networkidle`.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "load" => Some(WaitMode::Load),
            "domcontentloaded" => Some(WaitMode::DomContentLoaded),
            "networkidle" => Some(WaitMode::NetworkIdle),
            _ => None,
        }
    }
}

/// Which requests of a page are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    /// Kinds of resources in small letters, such as `xhr`; none for all.
    pub resource_types: Vec<String>,
    /// Methods in capitals; none for all.
    pub methods: Vec<String>,
    /// Part of the URL; with `*`, a pattern of the whole of it. Empty for all.
    pub url_pattern: String,
    /// Ranges of status codes, both ends included; none for all.
    pub statuses: Vec<(u16, u16)>,
    /// Whether bodies of answers are kept.
    pub bodies: bool,
    /// Most bytes of one body; larger ones are left out.
    pub max_body: usize,
}

impl Capture {
    /// Whether a request is one of those that are kept, as far as it is known before the answer.
    pub fn takes_request(&self, resource_type: &str, method: &str, url: &str) -> bool {
        let among = |words: &[String], word: &str| {
            words.is_empty() || words.iter().any(|w| w.eq_ignore_ascii_case(word))
        };
        among(&self.resource_types, resource_type)
            && among(&self.methods, method)
            && matches_url(&self.url_pattern, url)
    }

    /// Whether an answer of this status is one of those that are kept.
    pub fn takes_status(&self, status: u16) -> bool {
        let within = |(least, most): &(u16, u16)| (*least..=*most).contains(&status);
        self.statuses.is_empty() || self.statuses.iter().any(within)
    }
}

/// Without a star any part of the URL, with stars the whole of it. Linear: parts are found from left to right.
fn matches_url(pattern: &str, url: &str) -> bool {
    if !pattern.contains('*') {
        return url.contains(pattern);
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = url.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// How a page is opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageOptions {
    /// Whether it keeps to the pauses that were set for each domain.
    pub throttle: bool,
    /// The requests it keeps, if any.
    pub capture: Option<Capture>,
}

/// Where a page has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// URL after redirects.
    pub url: String,
    /// Status of the document, where it came over HTTP.
    pub status: Option<u16>,
}

/// A request and its answer that a page kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Captured {
    /// Kind of resource in small letters.
    pub resource_type: String,
    /// Method in capitals.
    pub method: String,
    /// URL.
    pub url: String,
    /// Headers of the request, names in small letters.
    pub request_headers: Map,
    /// What was sent, if anything.
    pub request_body: Option<String>,
    /// Status of the answer; `None` when there was none.
    pub status: Option<u16>,
    /// Headers of the answer, names in small letters.
    pub response_headers: Map,
    /// Its body, where it is kept and is text.
    pub response_body: Option<String>,
    /// Whether the body was larger than is kept.
    pub too_large: bool,
}

/// The browsers of a run's user.
pub trait Browsers: Send + Sync {
    /// Whether there is any.
    fn available(&self) -> bool;
    /// Sessions the user may choose: value and label.
    fn sessions<'a>(&'a self) -> BoxFuture<'a, Result<Vec<(String, String)>, NodeError>>;
    /// Opens a page of its own in a session.
    fn open<'a>(
        &'a self,
        session: &'a str,
        options: PageOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Page>, NodeError>>;
}

/// A page of a browser. Dropping it closes it.
pub trait Page: Send {
    /// Goes to a URL and waits until it counts as loaded, at most so long.
    fn goto<'a>(
        &'a mut self,
        url: &'a str,
        wait: WaitMode,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Visit, NodeError>>;
    /// The document as HTML, as it stands now.
    fn content<'a>(&'a mut self) -> BoxFuture<'a, Result<String, NodeError>>;
    /// Clicks the first visible element of a CSS selector, waiting at most so long for one; whether there was one.
    fn click<'a>(
        &'a mut self,
        selector: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<bool, NodeError>>;
    /// Whether there is a visible element of a CSS selector now.
    fn shows<'a>(&'a mut self, selector: &'a str) -> BoxFuture<'a, Result<bool, NodeError>>;
    /// Takes the requests kept so far, in the order they were made, waiting for nothing.
    fn captured<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Captured>, NodeError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_with_stars_the_whole_of_a_url() {
        let url = "https://a.example/api/v1/items?page=2";
        for (pattern, matches) in [
            ("", true),
            ("/api/", true),
            ("/other/", false),
            ("*/api/*", true),
            ("https://a.example/*", true),
            ("https://b.example/*", false),
            ("*page=2", true),
            ("*page=3", false),
            ("*items*page*items", false),
            ("**", true),
        ] {
            assert_eq!(matches_url(pattern, url), matches, "{pattern}");
        }
        assert!(!matches_url("abc*bcd", "abcd"), "parts do not overlap");
    }

    #[test]
    fn a_capture_takes_what_all_of_its_filters_take() {
        let capture = Capture {
            resource_types: vec!["xhr".into()],
            methods: vec!["POST".into()],
            statuses: vec![(200, 299), (404, 404)],
            ..Capture::default()
        };
        assert!(capture.takes_request("XHR", "post", "https://a.example/"));
        assert!(!capture.takes_request("document", "POST", "https://a.example/"));
        assert!(!capture.takes_request("xhr", "GET", "https://a.example/"));
        assert!(capture.takes_status(204) && capture.takes_status(404));
        assert!(!capture.takes_status(301));
        assert!(Capture::default().takes_request("any", "GET", ""));
        assert!(Capture::default().takes_status(500));
    }
}
