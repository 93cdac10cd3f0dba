//! Naming requests that change something, so that a server can tell one that is sent again from a new one.

use md5::{Digest, Md5};
use nodetool_sdk::NodeCx;
use nodetool_sdk::services::HttpRequest;

const HEADER: &str = "idempotency-key";
/// Longest key in bytes; a longer one is digested.
const MAX_KEY: usize = 200;

/// Adds the key of the execution at work, unless the request has one or changes nothing.
///
/// `nth` tells several requests of one execution apart.
pub(crate) fn name(request: &mut HttpRequest, cx: &NodeCx, nth: Option<u64>) {
    let reads = ["GET", "HEAD", "OPTIONS", "TRACE"];
    let has = |(name, _): &(String, String)| name.eq_ignore_ascii_case(HEADER);
    if reads.contains(&&*request.method) || request.headers.iter().any(has) {
        return;
    }
    if let Some(key) = cx.effect_key() {
        let key = match nth {
            Some(nth) => format!("{key}:{nth}"),
            None => key,
        };
        request.headers.push((HEADER.into(), presentable(key)));
    }
}

/// Ids of nodes come from documents and may hold what a header must not.
fn presentable(key: String) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    if key.len() <= MAX_KEY && key.bytes().all(plain) {
        return key;
    }
    Md5::digest(key.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::context;

    use super::*;

    fn named(method: &str, own: Option<&str>, begun: bool) -> Option<String> {
        let cx = context();
        if begun {
            cx.begin_effect(2);
        }
        let own = own.map(|key| ("Idempotency-Key".to_owned(), key.to_owned()));
        let mut request = HttpRequest {
            method: method.into(),
            url: "https://x.org/".into(),
            headers: own.into_iter().collect(),
            body: None,
            timeout_s: None,
        };
        name(&mut request, &cx, None);
        assert!(request.headers.len() < 2);
        request.headers.pop().map(|(_, value)| value)
    }

    #[test]
    fn what_changes_something_is_named_after_its_execution() {
        assert_eq!(named("POST", None, true).as_deref(), Some("job:node:2"));
        assert_eq!(named("DELETE", None, true).as_deref(), Some("job:node:2"));
        assert_eq!(named("GET", None, true), None);
        assert_eq!(named("POST", None, false), None);
        assert_eq!(named("POST", Some("own"), true).as_deref(), Some("own"));
    }

    #[test]
    fn a_key_is_always_fit_for_a_header() {
        for odd in ["a\r\nb".to_owned(), "é".to_owned(), "x".repeat(201)] {
            let key = presentable(odd);
            assert_eq!(key.len(), 32);
            assert!(key.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
