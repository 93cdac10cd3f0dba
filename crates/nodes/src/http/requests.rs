//! `lib.http`: one request, one answer.

use std::sync::Arc;

use bytes::Bytes;
use nodetool_sdk::{DocumentRef, Map, Node, NodeCx, NodeError, Outputs, Process, Value};

use super::exchange::{Exchange, text_of};

const TEXT: &str = "text/plain; charset=utf-8";

/// Fetches a URL as text.
/// http, get, fetch, request, url, web
#[derive(Node)]
#[node(namespace = "lib.http", title = "GET Request", tool, uncached)]
pub(super) struct GetRequest {
    /// Where to send the request.
    url: String,
}

impl Process for GetRequest {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let response = Exchange::new("GET", &self.url)?.send_ok(cx).await?;
        Ok(text_of(&response))
    }
}

/// Sends text to a URL and gives the answer as text.
/// http, post, send, request, url, web
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "POST Request",
    tool,
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct PostRequest {
    /// Where to send the request.
    url: String,
    /// The body.
    data: String,
}

impl Process for PostRequest {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let request = Exchange::new("POST", &self.url)?.body(TEXT, self.data);
        Ok(text_of(&request.send_ok(cx).await?))
    }
}

/// Replaces what is at a URL with text and gives the answer as text.
/// http, put, replace, request, url, web
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "PUT Request",
    tool,
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct PutRequest {
    /// Where to send the request.
    url: String,
    /// The body.
    data: String,
}

impl Process for PutRequest {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let request = Exchange::new("PUT", &self.url)?.body(TEXT, self.data);
        Ok(text_of(&request.send_ok(cx).await?))
    }
}

/// Deletes what is at a URL and gives the answer as text.
/// http, delete, remove, request, url, web
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "DELETE Request",
    tool,
    uncached,
    effect = "idempotent"
)]
pub(super) struct DeleteRequest {
    /// Where to send the request.
    url: String,
}

impl Process for DeleteRequest {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        let response = Exchange::new("DELETE", &self.url)?.send_ok(cx).await?;
        Ok(text_of(&response))
    }
}

/// Asks a URL for its headers only.
/// http, head, headers, request, url, web
#[derive(Node)]
#[node(namespace = "lib.http", title = "HEAD Request", uncached)]
pub(super) struct HeadRequest {
    /// Where to send the request.
    url: String,
}

/// The headers of an answer.
#[derive(Outputs)]
pub(super) struct Headers {
    #[slot(ty = "dict[str, str]")]
    output: Map,
}

impl Process for HeadRequest {
    type Output = Headers;

    async fn process(self, cx: &NodeCx) -> Result<Headers, NodeError> {
        let response = Exchange::new("HEAD", &self.url)?.send_ok(cx).await?;
        let mut output = Map::new();
        for (name, value) in response.headers {
            // A repeated header is one list, except cookies, whose values hold commas.
            let text = match output.get(name.as_str()).and_then(Value::as_str) {
                Some(earlier) if name == "set-cookie" => format!("{earlier}\n{value}"),
                Some(earlier) => format!("{earlier}, {value}"),
                None => value,
            };
            output.insert(name.into(), text.into());
        }
        Ok(Headers { output })
    }
}

/// Fetches a URL as bytes.
/// http, get, fetch, binary, download, url
#[derive(Node)]
#[node(namespace = "lib.http", title = "GET Binary", tool, uncached)]
pub(super) struct GetRequestBinary {
    /// Where to send the request.
    url: String,
}

impl Process for GetRequestBinary {
    type Output = Bytes;

    async fn process(self, cx: &NodeCx) -> Result<Bytes, NodeError> {
        Ok(Exchange::new("GET", &self.url)?.send_ok(cx).await?.body)
    }
}

/// Fetches a URL as a document.
/// http, get, fetch, document, pdf, download
#[derive(Node)]
#[node(namespace = "lib.http", title = "GET Document", tool, uncached)]
pub(super) struct GetRequestDocument {
    /// Where to send the request.
    url: String,
}

impl Process for GetRequestDocument {
    type Output = DocumentRef;

    async fn process(self, cx: &NodeCx) -> Result<DocumentRef, NodeError> {
        let response = Exchange::new("GET", &self.url)?.send_ok(cx).await?;
        Ok(DocumentRef(with_data(
            DocumentRef::default().0,
            response.body,
        )))
    }
}

/// Sends text or bytes to a URL and gives the answer as bytes.
/// http, post, send, binary, upload, url
#[derive(Node)]
#[node(
    namespace = "lib.http",
    title = "POST Binary",
    tool,
    basic("url"),
    uncached,
    effect = "idempotent"
)]
pub(super) struct PostRequestBinary {
    /// Where to send the request.
    url: String,
    /// The body, text or bytes.
    #[prop(default = "", ty = "union[str, bytes]")]
    data: Value,
}

impl Process for PostRequestBinary {
    type Output = Bytes;

    async fn process(self, cx: &NodeCx) -> Result<Bytes, NodeError> {
        let request = Exchange::new("POST", &self.url)?;
        let request = match self.data {
            Value::Bytes(data) => request.body("application/octet-stream", data),
            Value::Str(text) => request.body(TEXT, text.to_string()),
            other => {
                let message = format!(
                    "{} {} (expected str or bytes)",
                    other.kind(),
                    other.preview(80)
                );
                return Err(NodeError::bad("data", message));
            }
        };
        Ok(request.send_ok(cx).await?.body)
    }
}

/// A reference that carries its content.
pub(super) fn with_data(reference: Value, data: Bytes) -> Value {
    match reference {
        Value::Map(map) => {
            let mut map = Arc::unwrap_or_clone(map);
            map.insert("data".into(), Value::Bytes(data));
            map.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;
    use crate::http::testing::{Net, answer};

    #[tokio::test]
    async fn the_answer_is_read_in_the_charset_it_names() {
        for (kind, body, text) in [
            ("text/plain; charset=ISO-8859-1", &b"caf\xe9"[..], "café"),
            ("text/html; charset=\"Shift_JIS\"", b"\x8a\xbf", "漢"),
            ("text/html", "café".as_bytes(), "café"),
            ("text/html; charset=nonsense", b"a\xff", "a\u{fffd}"),
        ] {
            let net = Net::new(move |_| Ok(answer(200, ("content-type", kind), body)));
            let run = case::<GetRequest>()
                .set("url", "https://x.org/")
                .within(net.cx(None));
            assert_eq!(run.value().await.unwrap(), text.into(), "{kind}");
        }
    }

    #[tokio::test]
    async fn a_bad_status_is_an_error_that_keeps_the_urls_secrets() {
        let net = Net::new(|_| Ok(answer(404, ("a", "b"), b"body")));
        let run = case::<PostRequest>()
            .set("url", "https://user:pw@x.org/path?token=1")
            .within(net.cx(None));
        let said = run.value().await.unwrap_err().to_string();
        assert_eq!(
            said,
            "POST request: x.org answered 404 Not Found; expected success"
        );
        let said = case::<GetRequest>().value().await.unwrap_err().to_string();
        assert!(said.contains("`url`: cannot be empty"), "{said}");
    }

    #[tokio::test]
    async fn bodies_and_headers_arrive() {
        let net = Net::new(|_| Ok(answer(200, ("etag", "x"), b"\x00\xff")));
        let run = |data: Value| {
            let run = case::<PostRequestBinary>()
                .set("url", "https://x.org/")
                .set("data", data);
            run.within(net.cx(None)).value()
        };
        assert_eq!(
            run("text".into()).await.unwrap(),
            Bytes::from_static(b"\x00\xff").into()
        );
        run(Bytes::from_static(b"\x01").into()).await.unwrap();
        assert!(
            run(5i64.into())
                .await
                .unwrap_err()
                .to_string()
                .contains("`data`")
        );
        let sent: Vec<_> = net
            .seen
            .lock()
            .unwrap()
            .iter()
            .map(|r| r.body.clone().unwrap())
            .collect();
        assert_eq!(sent, [&b"text"[..], b"\x01"]);
        let run = case::<HeadRequest>()
            .set("url", "https://x.org/")
            .within(net.cx(None));
        assert_eq!(
            run.value().await.unwrap(),
            Value::map([("etag", "x".into())])
        );
        let run = case::<GetRequestDocument>()
            .set("url", "https://x.org/")
            .within(net.cx(None));
        let document = run.value().await.unwrap();
        assert_eq!(document.type_tag(), Some("document"));
        assert!(document.get("data").unwrap().as_bytes().is_some());
    }
}
