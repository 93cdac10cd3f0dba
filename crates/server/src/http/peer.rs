//! Where a request comes from: this machine, or elsewhere.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::origins::is_local_origin;
use super::{ApiError, AppState};

/// Headers by which proxies say for whom they ask.
pub(crate) const FORWARDED: [&str; 4] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// The sender of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// A program on this machine that asks for itself: neither a proxy, nor a browser on behalf of somebody's page.
    pub(super) local: bool,
}

impl FromRequestParts<AppState> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Self::Rejection> {
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Peer {
            local: is_local(from.map(|from| from.0), &parts.headers),
        })
    }
}

/// Admits programs on this machine only; a server for others has no such routes.
pub(super) struct LocalOnly;

impl FromRequestParts<AppState> for LocalOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        if !app.own_machine {
            return Err(ApiError::not_found("Not Found"));
        }
        let Ok(peer) = Peer::from_request_parts(parts, app).await;
        if peer.local {
            return Ok(LocalOnly);
        }
        tracing::info!(target: "audit", event = "local_only.refused", http.path = parts.uri.path());
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "This is for programs on the server's own machine only",
        ))
    }
}

/// Whether a request comes from this machine and on behalf of nobody elsewhere.
pub(super) fn is_local(from: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let loopback = from.is_some_and(|from| from.ip().to_canonical().is_loopback());
    loopback && asks_for_itself(headers)
}

/// A page of somebody else shows itself by its origin, or, when it has rebound its name to this machine, by its host.
fn asks_for_itself(headers: &HeaderMap) -> bool {
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let text = |name| headers.get(name).map(HeaderValue::to_str);
    let host_fits =
        text(header::HOST).is_none_or(|h| h.is_ok_and(|h| is_local_origin(&format!("http://{h}"))));
    host_fits && text(header::ORIGIN).is_none_or(|o| o.is_ok_and(is_local_origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = given.iter().map(|(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn pages_of_others_and_proxies_do_not_ask_for_themselves() {
        for own in [
            &[][..],
            &[("host", "127.0.0.1:7777")],
            &[("host", "localhost")],
            &[("host", "[::1]:80")],
            &[
                ("host", "localhost:7777"),
                ("origin", "http://localhost:3000"),
            ],
        ] {
            assert!(asks_for_itself(&headers(own)), "{own:?}");
        }
        for foreign in [
            &[("host", "evil.example")][..],
            &[("host", "192.168.0.7:7777")],
            &[("host", "localhost.evil.example")],
            &[("host", "localhost"), ("origin", "https://evil.example")],
            &[("host", "localhost"), ("origin", "null")],
            &[("host", "localhost"), ("x-forwarded-for", "10.0.0.1")],
        ] {
            assert!(!asks_for_itself(&headers(foreign)), "{foreign:?}");
        }
    }
}
