//! Answers the listener gives by itself, to what does not reach the surface. It must not know connections.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::limits::{HEAD_BYTES, HEADERS, URI_BYTES};
use crate::http::json_response;

/// What is said with a status.
fn detail(status: StatusCode) -> String {
    match status {
        StatusCode::REQUEST_TIMEOUT => "The request did not arrive in time".to_owned(),
        StatusCode::URI_TOO_LONG => {
            format!("The address of a request may have at most {URI_BYTES} bytes")
        }
        StatusCode::TOO_MANY_REQUESTS => {
            "There are too many connections from this address; try again later".to_owned()
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => format!(
            "The head of a request may have at most {HEADERS} headers and {HEAD_BYTES} bytes"
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            "There are too many connections; try again later".to_owned()
        }
        _ => "The request is not proper HTTP".to_owned(),
    }
}

fn body(status: StatusCode) -> String {
    serde_json::json!({ "detail": detail(status) }).to_string()
}

/// The answer as a response, after which the connection ends.
pub(super) fn response(status: StatusCode) -> Response {
    let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
    (status, close, json_response(body(status))).into_response()
}

/// The answer as it goes over the wire, after which the connection ends.
pub(super) fn bytes(status: StatusCode) -> Bytes {
    let body = body(status);
    let again = match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "retry-after: 5\r\n",
        _ => "",
    };
    Bytes::from(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{again}connection: close\r\n\r\n{body}",
        body.len()
    ))
}

/// What a client is told that speaks HTTP where HTTPS is spoken.
pub(super) const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 41\r\nconnection: close\r\n\r\nThis port speaks HTTPS; ask with https://";

/// The status of an answer that hyper gives by itself, which has no body.
pub(super) fn without_body(head: &[u8]) -> Option<StatusCode> {
    let rest = head.strip_prefix(b"HTTP/1.1 ");
    let rest = rest.or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let status = StatusCode::from_bytes(rest.get(..3)?).ok()?;
    let own = matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::URI_TOO_LONG
            | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    own.then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_bodies() {
        let mut answers = vec![SPEAKS_TLS.to_vec()];
        for status in [400, 408, 414, 429, 431, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            answers.push(bytes(status).to_vec());
        }
        for answer in answers {
            let text = String::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(
                head.contains(&format!("content-length: {}\r\n", body.len())),
                "{text}"
            );
        }
    }

    #[test]
    fn only_answers_to_bad_heads_are_taken_for_such() {
        let of = |head: &str| without_body(head.as_bytes()).map(|s| s.as_u16());
        assert_eq!(
            of("HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            Some(431)
        );
        assert_eq!(of("HTTP/1.0 400 Bad Request\r\n"), Some(400));
        assert_eq!(of("HTTP/1.1 200 OK\r\n"), None);
        assert_eq!(of("HTTP/1.1 4"), None);
        assert_eq!(of("data"), None);
    }
}
