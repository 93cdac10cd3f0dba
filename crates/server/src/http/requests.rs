//! What is told of each request: its id, one log line, its part in the numbers and in traces. Never its query or body:
//! those may hold secrets.

use std::borrow::Cow;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::listener::ClientAddr;
use crate::services::{Caller, metrics};
use crate::telemetry;

/// The header with the id of a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id taken from a client.
const ID_CHARS: usize = 64;
/// What is logged of a path without a route, and of each of its parts: a part may be a token that was mistyped.
const PATH_CHARS: usize = 200;
const PART_CHARS: usize = 24;

/// Gives a request its id and tells how it went. It has to be around everything that may answer.
pub(super) async fn track(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let unknown = match route {
        Some(_) => String::new(),
        None => safe_path(request.uri().path()),
    };
    let from = request.extensions().get::<ClientAddr>();
    let from = from.map(|from| from.0.to_canonical());
    // Lines about errors carry the span whatever is logged besides.
    let span = tracing::error_span!(
        "request",
        request.id = id.to_str().unwrap_or_default(),
        client.address = from.map(tracing::field::display),
        user.id = Empty,
        otel.name = Empty,
        otel.kind = Empty
    );
    let template = route.as_ref().map(MatchedPath::as_str);
    telemetry::trace_request(&span, &request, template.unwrap_or("other"));
    let open = metrics().request_begins();
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(open);
    let status = response.status().as_u16();
    telemetry::trace_answer(&span, status);
    let took = started.elapsed();
    metrics().request_ends(&method, template, status, took);
    let shown = template.unwrap_or(&unknown);
    if !matches!(shown, "/health" | "/ping" | "/api/health" | "/metrics") {
        let duration_ms = took.as_micros() as f64 / 1000.0;
        span.in_scope(|| {
            tracing::info!(http.method = %method, http.path = %shown, http.status = status, duration_ms, "request");
        });
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Puts the user into the lines of the request at work.
pub(super) fn note_caller(caller: &Caller) {
    Span::current().record("user.id", &*caller.user_id);
}

/// The client's own id for the request, if it is one that can stand in a log, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let good = |id: &&HeaderValue| {
        let id = id.as_bytes();
        let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
        (1..=ID_CHARS).contains(&id.len()) && id.iter().all(plain)
    };
    let mut given = headers.get_all(REQUEST_ID).iter();
    match (given.next().filter(good), given.next()) {
        (Some(id), None) => id.clone(),
        // Hexadecimal digits can always stand in a header.
        _ => HeaderValue::try_from(nodetool_store::new_id())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
    }
}

/// A path that no route has, with its long parts cut.
pub(super) fn safe_path(path: &str) -> String {
    let cut = |part| match str::char_indices(part).nth(PART_CHARS) {
        Some((at, _)) => Cow::Owned(format!("{}…", &part[..at.min(8)])),
        None => Cow::Borrowed(part),
    };
    let parts: Vec<Cow<'_, str>> = path.split('/').map(cut).collect();
    parts.join("/").chars().take(PATH_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(given: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for id in given {
            headers.append(REQUEST_ID, HeaderValue::from_str(id).unwrap());
        }
        request_id(&headers).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_good_id_of_the_client_is_kept_and_others_are_replaced() {
        let longest = "x".repeat(64);
        for good in ["a", "A-1_z", &longest] {
            assert_eq!(id_of(&[good]), good);
        }
        let long = "x".repeat(65);
        for bad in [
            &[][..],
            &[""],
            &["a b"],
            &["a\"b"],
            &["a.b"],
            &[&long],
            &["a", "b"],
        ] {
            let id = id_of(bad);
            assert!(
                id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()),
                "{id}"
            );
        }
    }

    #[test]
    fn what_may_be_a_token_does_not_show_in_an_unknown_path() {
        assert_eq!(safe_path("/api/nothing"), "/api/nothing");
        let token = "0123456789abcdef0123456789abcdef";
        assert_eq!(safe_path(&format!("/a/{token}/b")), "/a/01234567…/b");
        assert!(safe_path(&"/a".repeat(5000)).len() <= PATH_CHARS);
    }
}
