//! What takes bytes from strangers, callable with any bytes: each function panics when what must hold does not. Used by
//! the property tests and by the targets in `fuzz/`; no part of the library.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use futures_util::future::poll_immediate;
use nodetool_engine::Plan;
use nodetool_protocol::{Graph, Value, pack};
use nodetool_sdk::compat::template::{Limits, Template};
use nodetool_store::BlobKey;

use crate::cli::Event;
use crate::http::bearer;

/// A name, and what takes bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("graph_json", graph_json),
    ("frame", frame),
    ("multipart", multipart),
    ("events", events),
    ("template", template),
    ("storage_key", storage_key),
    ("authorization", authorization),
];

/// A graph document: read, checked, and written as it was read.
pub fn graph_json(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let Ok(graph) = Graph::from_value(value) else {
        return;
    };
    let written = serde_json::to_vec(&graph).expect("a graph can be written");
    let value = serde_json::from_slice(&written).expect("what we write is JSON");
    let again = Graph::from_value(value).expect("what we write is a graph");
    // Defaults are written out, once.
    let once_more = serde_json::to_vec(&again).expect("a graph can be written");
    assert_eq!(written, once_more);
    if let Err(faults) = Plan::build(&graph, &crate::node_services::registry()) {
        assert!(!faults.faults.is_empty(), "a refusal has a reason");
    }
}

/// A binary message of a socket: what is read can be written and read again.
pub fn frame(bytes: &[u8]) {
    let Ok(value) = pack::from_slice(bytes) else {
        return;
    };
    let written = pack::to_vec(&value).expect("what was read can be written");
    let again = pack::from_slice(&written).expect("what was written can be read");
    // A NaN is not itself, so that the bytes are compared.
    assert_eq!(written, pack::to_vec(&again).expect("it was just written"));
}

/// A form; its first byte says how long the boundary is that follows.
pub fn multipart(bytes: &[u8]) {
    let Some((&length, rest)) = bytes.split_first() else {
        return;
    };
    let (boundary, body) = rest.split_at(usize::from(length % 80).min(rest.len()));
    let kind = [b"multipart/form-data; boundary=".as_slice(), boundary].concat();
    let Ok(kind) = HeaderValue::from_bytes(&kind) else {
        return;
    };
    let mut request = Request::new(Body::from(body.to_vec()));
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    let read = async {
        let Ok(mut form) = Multipart::from_request(request, &()).await else {
            return;
        };
        let mut size = 0;
        while let Ok(Some(mut part)) = form.next_field().await {
            while let Ok(Some(piece)) = part.chunk().await {
                size += piece.len();
            }
        }
        assert!(size <= body.len(), "parts hold no more than the form");
    };
    // The whole body is there, so that there is nothing to wait for.
    let read = futures_util::FutureExt::now_or_never(poll_immediate(Box::pin(read)));
    assert_eq!(read.flatten(), Some(()), "a form that waits for nothing");
}

/// An event stream of another server, line by line.
pub fn events(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let begins = line.starts_with(b"data:");
        match crate::cli::event(line) {
            Ok(Event::Nothing) => assert!(!begins),
            Ok(Event::End) => assert!(begins && line.contains(&b']')),
            Ok(Event::Said(said)) => {
                serde_json::to_vec(&said).expect("what was read can be written");
            }
            Err(e) => assert!(begins && !e.to_string().is_empty()),
        }
    }
}

/// A template, rendered with texts and lists; loops end by the limits.
pub fn template(bytes: &[u8]) {
    let Ok(template) = Template::parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let lookup = |name: &str| match name.len() % 3 {
        0 => None,
        1 => Some(Value::from("text")),
        _ => Some(Value::list((0..10).map(Value::Int))),
    };
    // Refusals have texts of their own; that it comes back is what counts.
    let _ = template.render(&lookup, Limits::default());
}

/// A key of a stored file: it names something in its bucket, or nothing.
pub fn storage_key(bytes: &[u8]) {
    let Ok(key) = BlobKey::parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    let text = key.as_str();
    assert!(!text.starts_with('/') && !text.contains('\\') && !text.contains('\0'));
    assert!(text.split('/').all(|part| !matches!(part, "" | "." | "..")));
    assert_eq!(BlobKey::parse(text).as_ref(), Ok(&key), "a key is itself");
}

/// A header that says who asks: one token without blanks, or none.
pub fn authorization(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, value);
    if let Some(token) = bearer(&headers) {
        assert!(!token.is_empty() && !token.contains(char::is_whitespace));
        assert!(bytes.len() > token.len() + "bearer".len());
    }
}
