//! What browsers are told about pages of other origins (HTTP spec 2.5): outermost, so that every answer says it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::Door;

const METHODS: HeaderValue =
    HeaderValue::from_static("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
const SECONDS: HeaderValue = HeaderValue::from_static("3600");
/// Headers of ours that a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "content-disposition, content-length, content-range, etag, last-modified, retry-after, x-content-format, \
     x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-request-id",
);

/// Answers preflights, and adds to other answers whether a page may read them.
pub(super) async fn tell(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let named = origin
        .to_str()
        .is_ok_and(|o| door.origins.is_ours(o, headers));
    let allowed = if named {
        Some(origin)
    } else {
        door.origins.any.then(|| HeaderValue::from_static("*"))
    };
    let asks_first = *request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first {
        preflight(headers, allowed.is_some())
    } else {
        next.run(request).await
    };
    let out = response.headers_mut();
    out.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if named {
            set(out, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        out.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    response
}

fn preflight(asked: &HeaderMap, allowed: bool) -> Response {
    let mut response = "OK".into_response();
    let headers = response.headers_mut();
    if allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, SECONDS);
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
    }
    set(headers, header::VARY, "Access-Control-Request-Headers");
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
