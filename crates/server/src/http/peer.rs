//! Where a request comes from: this machine, or elsewhere.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::{ApiError, AppState};

/// Headers by which proxies say for whom they ask.
const FORWARDED: [&str; 4] = [
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
        let loopback = from.is_some_and(|from| from.0.ip().to_canonical().is_loopback());
        Ok(Peer {
            local: loopback && asks_for_itself(&parts.headers),
        })
    }
}

/// Admits programs on this machine only, and nobody in production.
pub(super) struct LocalOnly;

impl FromRequestParts<AppState> for LocalOnly {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        if app.production {
            return Err(ApiError::not_found("Not Found"));
        }
        let Ok(peer) = Peer::from_request_parts(parts, app).await;
        if peer.local {
            return Ok(LocalOnly);
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "This is for programs on the server's own machine only",
        ))
    }
}

/// A page of somebody else shows itself by its origin, or, when it has rebound its name to this machine, by its host.
fn asks_for_itself(headers: &HeaderMap) -> bool {
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return false;
    }
    let host = headers.get(header::HOST).map(|v| v.to_str());
    let origin = headers.get(header::ORIGIN).map(|v| v.to_str());
    let of_origin = |origin: &str| {
        let url = url::Url::parse(origin).ok();
        let host = url.as_ref().and_then(url::Url::host_str);
        host.is_some_and(is_this_machine)
    };
    let host_fits = host.is_none_or(|host| host.is_ok_and(|h| is_this_machine(without_port(h))));
    host_fits && origin.is_none_or(|origin| origin.is_ok_and(of_origin))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => {
            let name = bare.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
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
