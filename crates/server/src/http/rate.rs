//! How many requests one caller or address may make in a minute, and what each answer says of it (HTTP spec 7).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{ApiError, AppState, Front, json};
use crate::listener::ClientAddr;
use crate::services::{Caller, Standing, Windows, network_of, now_seconds};

/// Paths by which a server is watched; they are always answered.
const WATCHED: [&str; 3] = ["/health", "/ping", "/api/health"];

/// What is counted.
pub(crate) struct Rates {
    /// Requests, where they are limited.
    pub(crate) requests: Option<Windows>,
    /// Whether callers are told apart; else addresses are.
    pub(crate) by_caller: bool,
}

/// Whose requests are counted together.
#[derive(Hash)]
enum Key<'a> {
    Caller(&'a str),
    Address(IpAddr),
}

/// Counts a request and answers in place of the routes when there were too many. It stands inside of what finds out who
/// calls.
pub(super) async fn limit(
    State((app, front)): State<(AppState, Arc<Front>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(windows) = &app.rates.requests else {
        return next.run(request).await;
    };
    if is_free(&front, &request) {
        return next.run(request).await;
    }
    let now = now_seconds();
    let address = address_of(request.extensions());
    let caller = request.extensions().get::<Caller>();
    let caller = caller.filter(|_| app.rates.by_caller);
    let standing = match caller {
        Some(caller) => windows.count(Key::Caller(&caller.user_id), now),
        None => windows.count(Key::Address(network_of(address)), now),
    };
    if standing.first_refused {
        let user = caller.map(|caller| &*caller.user_id);
        tracing::info!(target: "audit", event = "rate.limited", user.id = user, client.address = %address, "too many requests in a minute");
    }
    let mut response = if standing.allowed {
        next.run(request).await
    } else {
        refusal(request.uri().path(), standing.resets_at.saturating_sub(now))
    };
    tell(response.headers_mut(), windows.limit(), standing);
    response
}

/// The address of whoever asks.
pub(super) fn address_of(extensions: &Extensions) -> IpAddr {
    let from = extensions.get::<ClientAddr>();
    from.map_or(Ipv4Addr::UNSPECIFIED.into(), |from| from.0)
}

/// What is not counted: looks at the server's health, and the files of the web UI, which come by the dozen.
fn is_free(front: &Front, request: &Request) -> bool {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_routed = request.extensions().get::<MatchedPath>().is_some();
    WATCHED.contains(&path) || (is_read && !is_routed && front.is_file(path))
}

fn tell(headers: &mut HeaderMap, limit: u32, standing: Standing) {
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", standing.left.into());
    headers.insert("x-ratelimit-reset", standing.resets_at.into());
}

/// The answer to one request too many, in the words of the surface it was for.
fn refusal(path: &str, seconds: u64) -> Response {
    let mut response = if path.starts_with("/api/workflow/") {
        let body = serde_json::json!({
            "error": "Rate limit exceeded",
            "code": "RATE_LIMITED",
            "details": { "retry_after": seconds },
            "detail": "Rate limit exceeded",
        });
        (StatusCode::TOO_MANY_REQUESTS, json(&body)).into_response()
    } else {
        ApiError::too_many("Rate limit exceeded").into_response()
    };
    let seconds = HeaderValue::from(seconds.max(1));
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    response
}
