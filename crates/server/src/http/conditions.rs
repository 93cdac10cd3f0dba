//! Conditional requests: etags in headers, `If-Match`, `If-None-Match`. It must not know what is tagged.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_store::IfMatch;

/// Most tags of one request that are looked at.
const MAX_TAGS: usize = 64;

/// What `If-Match` asks of the stored row. Tags may be quoted, weak, or bare as in a body's `etag`.
pub(super) fn if_match(headers: &HeaderMap) -> IfMatch {
    if !headers.contains_key(header::IF_MATCH) {
        return IfMatch::Anything;
    }
    let tags = tags(headers, &header::IF_MATCH);
    if tags.iter().any(|tag| tag == "*") {
        IfMatch::Existing
    } else {
        IfMatch::OneOf(tags)
    }
}

/// What `If-None-Match` asks of what is stored before it is replaced: that it is none of these.
pub(super) fn if_none_match(headers: &HeaderMap) -> IfMatch {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return IfMatch::Anything;
    }
    let tags = tags(headers, &header::IF_NONE_MATCH);
    if tags.iter().any(|tag| tag == "*") {
        IfMatch::Existing
    } else {
        IfMatch::OneOf(tags)
    }
}

/// Whether the client already has what carries this etag.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    tags(headers, &header::IF_NONE_MATCH)
        .iter()
        .any(|tag| tag == "*" || tag == etag)
}

/// The answer to a client that already has it.
pub(super) fn not_modified(etag: &str) -> Response {
    with_etag(StatusCode::NOT_MODIFIED.into_response(), etag)
}

/// The response with its etag in the header.
pub(super) fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(bare)
        .filter(|tag| !tag.is_empty())
        .take(MAX_TAGS)
        .map(str::to_owned)
        .collect()
}

/// A tag without its quotes and its `W/`.
fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let quoted = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    quoted.unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        let value = |v: &&'static str| (name.clone(), HeaderValue::from_static(v));
        values.iter().map(value).collect()
    }

    #[test]
    fn tags_come_quoted_weak_bare_and_in_lists() {
        for (values, tags) in [
            (vec!["\"a\""], vec!["a"]),
            (vec!["W/\"a\""], vec!["a"]),
            (vec!["a"], vec!["a"]),
            (vec!["\"a\", W/\"b\" ,c"], vec!["a", "b", "c"]),
            (vec!["\"a\"", "\"b\""], vec!["a", "b"]),
            (vec![""], vec![]),
            (vec![","], vec![]),
        ] {
            let tags = tags.into_iter().map(str::to_owned).collect();
            let found = if_match(&headers(header::IF_MATCH, &values));
            assert_eq!(found, IfMatch::OneOf(tags), "{values:?}");
        }
        assert_eq!(
            if_match(&headers(header::IF_MATCH, &["*"])),
            IfMatch::Existing
        );
        assert_eq!(if_match(&HeaderMap::new()), IfMatch::Anything);
    }

    #[test]
    fn a_known_etag_is_found_among_others() {
        let none = header::IF_NONE_MATCH;
        for (values, known) in [
            (vec!["\"x\", W/\"e\""], true),
            (vec!["*"], true),
            (vec!["\"x\""], false),
            (vec![], false),
        ] {
            let headers = headers(none.clone(), &values);
            assert_eq!(is_known(&headers, "e"), known, "{values:?}");
        }
    }
}
