//! Headers by which browsers keep an answer to what it is: every answer carries them unless its handler has its own.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

/// An answer that pages of others may show within themselves: it runs apart from this server's origin, or not at all.
#[derive(Clone, Copy)]
pub(super) struct Embeddable;

/// A file of the operator's own web UI, which may show its own pages within itself.
#[derive(Clone, Copy)]
pub(super) struct OwnPage;

/// Adds what is missing.
pub(super) async fn complete(mut response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let embeddable = response.extensions().get::<Embeddable>().is_some();
    let own_page = response.extensions().get::<OwnPage>().is_some();
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        let value = HeaderValue::from_static(value);
        headers.entry(name).or_insert(value);
    };
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "no-referrer");
    // Answers are somebody's own: a browser may keep them, but asks whether they still hold, and no proxy keeps them.
    add(header::CACHE_CONTROL, "private, no-cache");
    if own_page {
        // What the UI loads and from where is for those to say who made it; who may wrap it is not.
        add(
            header::CONTENT_SECURITY_POLICY,
            "frame-ancestors 'self'; base-uri 'self'",
        );
        add(header::X_FRAME_OPTIONS, "SAMEORIGIN");
    } else if !embeddable {
        // Pages of this program say what they need; those of extensions may need anything.
        let policy = if is_page {
            "frame-ancestors 'none'"
        } else {
            "default-src 'none'; frame-ancestors 'none'"
        };
        add(header::CONTENT_SECURITY_POLICY, policy);
        add(header::X_FRAME_OPTIONS, "DENY");
    }
    response
}
