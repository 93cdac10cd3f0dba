//! What all requests of nodes share: checks before, checks after, text out of bytes.

use bytes::Bytes;
use nodetool_sdk::services::{HttpRequest, HttpResponse};
use nodetool_sdk::{NodeCx, NodeError};
use url::Url;

use super::idempotency;
use crate::charset::Charset;

/// Most URLs of a batch.
const MAX_URLS: usize = 10_000;
/// Most requests at a time.
const MAX_CONCURRENT: i64 = 16;

/// A request in the making.
pub(crate) struct Exchange {
    request: HttpRequest,
}

impl Exchange {
    /// A request to the URL in the property `url`.
    pub(crate) fn new(method: &str, url: &str) -> Result<Self, NodeError> {
        let url = url.trim();
        if url.is_empty() {
            let message = "cannot be empty; expected a URL such as https://example.com/page";
            return Err(NodeError::bad("url", message));
        }
        Ok(Exchange {
            request: HttpRequest {
                method: method.into(),
                url: url.into(),
                headers: Vec::new(),
                body: None,
                timeout_s: None,
            },
        })
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.request.body = Some(body.into());
        self.header("content-type", content_type)
    }

    pub(super) fn within(mut self, seconds: f64) -> Self {
        self.request.timeout_s = Some(seconds);
        self
    }

    /// Sends it; the answer may have any status.
    pub(super) async fn send(mut self, cx: &NodeCx) -> Result<HttpResponse, NodeError> {
        idempotency::name(&mut self.request, cx, None);
        cx.services().http.send(self.request).await
    }

    /// Sends it and insists on a good answer.
    pub(crate) async fn send_ok(self, cx: &NodeCx) -> Result<HttpResponse, NodeError> {
        let (method, host) = (self.request.method.clone(), host_of(&self.request.url));
        let response = self.send(cx).await?;
        if is_good(response.status) {
            return Ok(response);
        }
        let status = status_text(response.status);
        Err(NodeError::new(format!(
            "{method} request: {host} answered {status}; expected success"
        )))
    }
}

/// Whether a status says that the thing is there.
pub(super) fn is_good(status: u16) -> bool {
    (200..400).contains(&status)
}

/// The host of a URL, for messages: the rest may hold secrets.
pub(super) fn host_of(url: &str) -> String {
    let host = Url::parse(url)
        .ok()
        .and_then(|u| u.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "the server".into())
}

/// A status with the words people know it by.
fn status_text(status: u16) -> String {
    let words = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => return status.to_string(),
    };
    format!("{status} {words}")
}

/// A header of an answer.
pub(crate) fn header_of<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
    let found = response
        .headers
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// The body as text, in the charset the answer names, UTF-8 when it names none.
pub(super) fn text_of(response: &HttpResponse) -> String {
    let kind = header_of(response, "content-type").unwrap_or_default();
    let named = kind.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"'))
    });
    let charset = named.and_then(Charset::named);
    charset
        .unwrap_or(Charset::Utf8 { mark: false })
        .decode_lossy(&response.body)
}

/// A number of requests at a time that makes sense.
pub(super) fn concurrency(asked: i64, property: &str) -> Result<usize, NodeError> {
    if asked < 1 {
        let message = format!("{asked} (expected at least 1)");
        return Err(NodeError::bad(property, message));
    }
    Ok(usize::try_from(asked.min(MAX_CONCURRENT)).unwrap_or(1))
}

/// Refuses a batch that is too large.
pub(super) fn check_batch(urls: &[String], property: &str) -> Result<(), NodeError> {
    if urls.len() > MAX_URLS {
        let message = format!("{} URLs (expected at most {MAX_URLS})", urls.len());
        return Err(NodeError::bad(property, message));
    }
    Ok(())
}
