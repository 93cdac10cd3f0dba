//! What no route answers: files of the web UI, its page for deep links, else a 404 in JSON (HTTP spec 2.7).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::stream;
use tokio::io::AsyncReadExt;

use super::hygiene::OwnPage;
use super::{ApiError, pages};
use crate::services::{Site, SiteFile};

/// First parts of paths that belong to the server: nothing below them is ever a file of the UI or an extension.
pub(crate) const RESERVED: [&str; 23] = [
    "admin",
    "api",
    "api-demo.html",
    "approve",
    "chat",
    "collections",
    "docs",
    "editor",
    "health",
    "hf",
    "mcp",
    "media",
    "node-icons",
    "openapi.json",
    "ping",
    "predict",
    "redoc",
    "storage",
    "terminal",
    "updates",
    "v1",
    "workflows",
    "ws",
];

/// How dates are written in headers.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// Bytes of a file in memory per reader.
const PIECE: usize = 64 << 10;

/// What is there beside the API.
pub(crate) struct Front {
    /// The web UI.
    pub(crate) site: Option<Site>,
    /// Whether the API is described to those who ask.
    pub(crate) docs: bool,
    /// First parts of the paths of extensions.
    pub(crate) extensions: Vec<String>,
    /// Prefixes of the extensions that everybody may call.
    pub(crate) open_extensions: Vec<String>,
}

impl Front {
    /// Whether a path is one of a web UI's.
    pub(super) fn is_file(&self, path: &str) -> bool {
        self.site.is_some() && decoded(path).is_some_and(|path| !self.is_reserved(&path))
    }

    fn is_reserved(&self, path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next();
        let first = first.unwrap_or_default();
        RESERVED.contains(&first) || self.extensions.iter().any(|e| e == first)
    }
}

/// The answer to a request that no route has taken.
pub(super) async fn answer(front: Arc<Front>, request: Request) -> Response {
    let not_found = || ApiError::not_found("Not Found").into_response();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found();
    }
    let Some(path) = decoded(request.uri().path()) else {
        return not_found();
    };
    let Some(site) = &front.site else {
        return if path == "/" {
            pages::home(request.headers())
        } else {
            not_found()
        };
    };
    if front.is_reserved(&path) {
        return not_found();
    }
    let found = match site.find(&path).await {
        Ok(None) if wants_page(request.headers()) => site.find("/").await,
        found => found,
    };
    match found {
        Ok(Some(file)) => (Extension(OwnPage), send(file, request.headers())).into_response(),
        Ok(None) => not_found(),
        Err(e) => ApiError::internal("a file of the web UI cannot be read", &e).into_response(),
    }
}

/// A path without its percent signs; `None` when it is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, more @ ..] = rest {
        let digit = |i: usize| more.get(i).and_then(|d| char::from(*d).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a page is asked for by name, as browsers do when they go somewhere; `*/*` is no such wish.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    accepted
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_page = parts
                .next()
                .is_some_and(|t| t.eq_ignore_ascii_case("text/html"));
            is_page && !parts.any(|p| p == "q=0" || p.starts_with("q=0.0"))
        })
}

fn send(found: SiteFile, asked: &HeaderMap) -> Response {
    let since = found.modified.duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |d| d.as_nanos());
    let tag = format!("\"{:x}-{nanos:x}\"", found.length);
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ETAG, &tag);
    set(
        header::LAST_MODIFIED,
        &DateTime::<Utc>::from(found.modified)
            .format(HTTP_DATE)
            .to_string(),
    );
    set(
        header::CACHE_CONTROL,
        if never_changes(&found.path) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        },
    );
    if is_fresh(asked, &tag, Some(found.modified)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    set(header::CONTENT_TYPE, kind(&found.path));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_LENGTH, &found.length.to_string());
    (headers, contents(found)).into_response()
}

/// The bytes of a file, a piece at a time, and never more than were announced.
fn contents(found: SiteFile) -> Body {
    let reader = tokio::fs::File::from_std(found.file).take(found.length);
    Body::from_stream(stream::try_unfold(reader, |mut reader| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = reader.read_buf(&mut piece).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), reader)))
    }))
}

/// Whether what the client has is what it would get (RFC 9110, 13.2.2): the tag decides, the date only without one.
pub(super) fn is_fresh(asked: &HeaderMap, tag: &str, modified: Option<SystemTime>) -> bool {
    let text = |name: HeaderName| asked.get(name).and_then(|v| v.to_str().ok());
    if let Some(known) = text(header::IF_NONE_MATCH) {
        let plain = |t: &str| t.trim().trim_start_matches("W/").to_owned();
        return known.split(',').any(|t| plain(t) == tag || t.trim() == "*");
    }
    let Some(modified) = modified else {
        return false;
    };
    let since = text(header::IF_MODIFIED_SINCE)
        .and_then(|t| chrono::NaiveDateTime::parse_from_str(t.trim(), HTTP_DATE).ok());
    since.is_some_and(|since| {
        DateTime::<Utc>::from(modified).timestamp() <= since.and_utc().timestamp()
    })
}

/// Files under `assets/` with a hash of their contents in their names, such as `index-B7xq0Wv1.js`.
fn never_changes(path: &str) -> bool {
    let Some(name) = path
        .starts_with("assets/")
        .then(|| path.rsplit('/').next())
        .flatten()
    else {
        return false;
    };
    let stem = name.split('.').next().unwrap_or_default();
    let Some((_, hash)) = stem
        .len()
        .checked_sub(9)
        .and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    let hash = hash.strip_prefix('-').unwrap_or_default();
    hash.len() == 8
        && hash
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && hash
            .bytes()
            .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// The content type of a file, by its name alone.
fn kind(path: &str) -> &'static str {
    let ending = path.rsplit_once('.').map_or("", |(_, e)| e);
    match ending.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "xml" => "application/xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_never_change() {
        for path in ["assets/index-B7xq0Wv1.js", "assets/x/main-abcd1234.css.map"] {
            assert!(never_changes(path), "{path}");
        }
        for path in [
            "assets/my-filename.js",
            "assets/index.js",
            "index-B7xq0Wv1.js",
            "assets/",
            "assets/é-é1é1é1é.js",
        ] {
            assert!(!never_changes(path), "{path}");
        }
    }

    #[test]
    fn a_page_is_wanted_when_it_is_named() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            wants_page(&headers)
        };
        assert!(wants(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(wants("application/json, TEXT/HTML;q=0.5"));
        assert!(!wants("*/*"));
        assert!(!wants("application/json"));
        assert!(!wants("text/html;q=0"));
    }

    #[test]
    fn percent_signs_are_read_once() {
        assert_eq!(decoded("/a%20b%2fc").as_deref(), Some("/a b/c"));
        assert_eq!(decoded("/%252e").as_deref(), Some("/%2e"));
        assert_eq!(decoded("/50%").as_deref(), Some("/50%"));
        assert_eq!(decoded("/%ff"), None);
    }
}
