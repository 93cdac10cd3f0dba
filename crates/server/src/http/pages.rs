//! The pages inside the program: what this server is, its API to read, its API to try. Each is one file without links
//! to other hosts, and its content policy lets run what is in it and nothing else.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::site;

static HOME: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("../../assets/home.html")));
static DOCS: LazyLock<Page> = LazyLock::new(|| Page::new(include_str!("../../assets/docs.html")));
static DEMO: LazyLock<Page> =
    LazyLock::new(|| Page::new(include_str!("../../assets/api-demo.html")));

struct Page {
    html: &'static str,
    policy: String,
    tag: String,
}

impl Page {
    fn new(html: &'static str) -> Page {
        let scripts = hashes(html, "<script>", "</script>");
        let styles = hashes(html, "<style>", "</style>");
        // Sockets are named by scheme: not every browser counts them as 'self'.
        let policy = format!(
            "default-src 'none'; script-src{scripts}; style-src{styles}; img-src 'self' data: blob:; \
             media-src 'self' data: blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        let tag = format!("\"{}\"", STANDARD.encode(Sha256::digest(html)));
        Page { html, policy, tag }
    }

    fn response(&self, asked: &HeaderMap) -> Response {
        let kept = [
            (header::ETAG, self.tag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        if site::is_fresh(asked, &self.tag, None) {
            return (StatusCode::NOT_MODIFIED, kept).into_response();
        }
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, self.policy.as_str()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        (kept, headers, self.html).into_response()
    }
}

/// The hash of each inline block, as the policy names them.
pub(super) fn hashes(html: &str, open: &str, close: &str) -> String {
    let blocks = html
        .split(open)
        .skip(1)
        .filter_map(|b| b.split(close).next());
    let mut all = String::new();
    for block in blocks {
        all.push_str(" 'sha256-");
        all.push_str(&STANDARD.encode(Sha256::digest(block)));
        all.push('\'');
    }
    all
}

/// The pages that have a path of their own.
pub(super) fn demo<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route(
        "/api-demo.html",
        get(|headers: HeaderMap| async move { DEMO.response(&headers) }),
    )
}

/// The API to read.
pub(super) fn docs<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = || get(|headers: HeaderMap| async move { DOCS.response(&headers) });
    Router::new().route("/docs", page()).route("/redoc", page())
}

/// What this server is, for those who open its address without a web UI.
pub(super) fn home(asked: &HeaderMap) -> Response {
    HOME.response(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_load_nothing_from_elsewhere_and_may_run_all_that_is_in_them() {
        for page in [&HOME, &DOCS, &DEMO] {
            let html = page.html;
            for forbidden in [
                "src=\"http",
                "href=\"http",
                "//cdn",
                "@import",
                " style=\"",
                " onclick=",
                "eval(",
            ] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
            assert_eq!(html.matches("<style").count(), 1);
            assert_eq!(html.matches("<style>").count(), 1);
            assert_eq!(
                html.matches("<script").count(),
                html.matches("<script>").count()
            );
            let hashes = page.policy.matches("'sha256-").count();
            assert_eq!(hashes, 1 + html.matches("<script>").count());
        }
    }
}
