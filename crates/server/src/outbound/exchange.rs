//! One request and what redirects make of it.

use bytes::Bytes;
use nodetool_sdk::services::HttpRequest;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::OutboundError;
use super::allow::AllowList;
use super::target::{Target, host_of};

/// Most headers of a request.
const MAX_HEADERS: usize = 200;

/// Headers the connection itself is steered by.
const OWN: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Parts of header names that hold something meant for one server only.
const SECRETIVE: [&str; 6] = ["auth", "cookie", "credential", "key", "secret", "token"];

/// A request as it stands after the redirects so far.
pub(super) struct Exchange {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl Exchange {
    pub(super) fn new(request: HttpRequest, allow: &AllowList) -> Result<Self, OutboundError> {
        let target = Target::read(&request.url, allow)?;
        let mut headers = read_headers(&request.headers)?;
        if let Some(credentials) = target.credentials {
            headers.entry(header::AUTHORIZATION).or_insert(credentials);
        }
        Ok(Exchange {
            method: read_method(&request.method)?,
            url: target.url,
            headers,
            body: request.body,
        })
    }

    pub(super) fn host(&self) -> String {
        host_of(&self.url)
    }

    /// Turns into the next request when the answer is a redirect; the new URL passes all checks again.
    pub(super) fn follow(
        &mut self,
        response: &Response,
        allow: &AllowList,
    ) -> Result<bool, OutboundError> {
        let (status, Some(location)) =
            (response.status(), response.headers().get(header::LOCATION))
        else {
            return Ok(false);
        };
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let next = location
            .to_str()
            .ok()
            .and_then(|text| self.url.join(text).ok())
            .ok_or_else(|| OutboundError::Failed {
                host: self.host(),
                why: "it redirects to something that is not a URL".into(),
            })?;
        // Credentials in a redirect are not the caller's: they are dropped with the target's own.
        let next = Target::check(next, allow)?.url;
        self.become_request_to(next, status);
        Ok(true)
    }

    fn become_request_to(&mut self, next: Url, status: StatusCode) {
        let as_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if as_get {
            self.method = Method::GET;
            self.body = None;
            self.drop_headers(|name| name.starts_with("content-"));
        }
        if next.origin() != self.url.origin() {
            self.drop_headers(|name| SECRETIVE.iter().any(|part| name.contains(part)));
        }
        self.url = next;
    }

    fn drop_headers(&mut self, unwanted: impl Fn(&str) -> bool) {
        let names: Vec<HeaderName> = self
            .headers
            .keys()
            .filter(|name| unwanted(name.as_str()))
            .cloned()
            .collect();
        for name in names {
            self.headers.remove(name);
        }
    }
}

fn read_method(text: &str) -> Result<Method, OutboundError> {
    let wrong = || OutboundError::Method(text.chars().take(40).collect());
    let method = Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(|_| wrong())?;
    if method == Method::CONNECT || method == Method::TRACE || text.len() > 20 {
        return Err(wrong());
    }
    Ok(method)
}

fn read_headers(pairs: &[(String, String)]) -> Result<HeaderMap, OutboundError> {
    let mut headers = HeaderMap::new();
    for (i, (name, value)) in pairs.iter().enumerate() {
        let wrong = |why| OutboundError::Header {
            name: name.chars().take(60).collect(),
            why,
        };
        if i >= MAX_HEADERS {
            return Err(wrong("there are more than 200 headers"));
        }
        let key = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| wrong("the name has characters that no header may have"))?;
        if OWN.contains(&key.as_str()) {
            return Err(wrong("the connection sets it itself"));
        }
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|_| wrong("the value has characters that no header may have"))?;
        value.set_sensitive(SECRETIVE.iter().any(|part| key.as_str().contains(part)));
        headers.append(key, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, url: &str) -> Exchange {
        let text = |s: &str| s.to_owned();
        let request = HttpRequest {
            method: text(method),
            url: text(url),
            headers: vec![
                (text("Authorization"), text("Bearer x")),
                (text("Cookie"), text("a=b")),
                (text("X-Api-Key"), text("k")),
                (text("Content-Type"), text("text/plain")),
                (text("Accept"), text("*/*")),
            ],
            body: Some(Bytes::from_static(b"body")),
            timeout_s: None,
        };
        Exchange::new(request, &AllowList::default()).unwrap()
    }

    fn after(method: &str, status: u16, to: &str) -> Exchange {
        let mut e = exchange(method, "https://a.example/x");
        let next = e.url.join(to).unwrap();
        e.become_request_to(next, StatusCode::from_u16(status).unwrap());
        e
    }

    #[test]
    fn another_origin_gets_no_secrets_and_the_same_one_does() {
        for to in [
            "https://b.example/",
            "http://a.example/x",
            "https://a.example:8443/x",
            "https://sub.a.example/",
        ] {
            let e = after("GET", 302, to);
            assert_eq!(e.headers.len(), 2, "{to}: {:?}", e.headers);
            assert!(e.headers.contains_key("accept"));
        }
        assert_eq!(after("GET", 302, "/other").headers.len(), 5);
    }

    #[test]
    fn redirects_change_the_method_as_browsers_do() {
        for (method, status, then, keeps_body) in [
            ("POST", 301, "GET", false),
            ("POST", 302, "GET", false),
            ("POST", 303, "GET", false),
            ("PUT", 303, "GET", false),
            ("PUT", 302, "PUT", true),
            ("POST", 307, "POST", true),
            ("POST", 308, "POST", true),
            ("HEAD", 303, "HEAD", true),
        ] {
            let e = after(method, status, "/next");
            assert_eq!(e.method.as_str(), then, "{method} {status}");
            assert_eq!(e.body.is_some(), keeps_body, "{method} {status}");
            assert_eq!(e.headers.contains_key("content-type"), keeps_body);
        }
    }

    #[test]
    fn headers_and_methods_that_cannot_be_sent_are_named_without_their_value() {
        for (name, value) in [
            ("Host", "secret"),
            ("Transfer-Encoding", "secret"),
            ("a b", "secret"),
            ("x", "secret\r\nInjected: 1"),
        ] {
            let said = read_headers(&[(name.into(), value.into())])
                .unwrap_err()
                .to_string();
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
        }
        for method in ["CONNECT", "trace", "", "GE T", "G\r\n"] {
            assert!(read_method(method).is_err(), "{method}");
        }
        assert_eq!(read_method("patch").unwrap(), Method::PATCH);
    }
}
