//! Requests as a program on the server's own machine sends them, and files as forms carry them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::Value;

/// What separates the parts of a form.
const BOUNDARY: &str = "--a-boundary--";

/// A request that names this machine as its host.
pub(crate) fn local(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    with_headers(method, path, &[], body)
}

/// The same with more headers.
pub(crate) fn with_headers(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// A request with a JSON body.
pub(crate) fn local_json(method: Method, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let headers = [("content-type", "application/json")];
    with_headers(method, path, &headers, body.to_string())
}

/// A form with one file.
pub(crate) fn upload(path: &str, part: &str, content: &[u8]) -> Request<Full<Bytes>> {
    let mut body = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\nx\r\n\
         --{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"ignored\"\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    with_headers(Method::POST, path, &[("content-type", &kind)], body)
}
