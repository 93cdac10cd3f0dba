//! What went over the wire between a client and a stub, written down for the judges of `ci/judges.py`: the libraries of
//! the providers themselves say whether they would have asked so, and whether they could have read the answer.
//!
//! Both test programs of this crate have this file. It must not know either stub. Nothing is written unless a folder is
//! named.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::models::Answer;
use serde_json::{Value, json};

/// The folder for exchanges.
const FOLDER: &str = "NODETOOL_PROVIDER_EXCHANGES";
/// Headers of a request that say what it is; keys are in others.
const HEADERS: [&str; 4] = [
    "content-type",
    "accept",
    "anthropic-version",
    "anthropic-beta",
];

/// A request and the whole of its answer.
pub(crate) struct Exchange<'a> {
    /// The id of the provider that the account is of.
    pub(crate) provider: &'a str,
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) status: u16,
    /// The type of the answer.
    pub(crate) kind: &'a str,
    pub(crate) answer: &'a [u8],
}

impl Exchange<'_> {
    /// Writes the exchange down. The test's own thread has to call this, for its name.
    pub(crate) fn write(&self) {
        let headers: Value = HEADERS
            .iter()
            .filter_map(|name| Some((*name, self.headers.get(*name)?.to_str().ok()?)))
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        write(json!({
            "provider": self.provider,
            "method": self.method,
            "path": self.path,
            "headers": headers,
            "body": STANDARD.encode(self.body),
            "status": self.status,
            "kind": self.kind,
            "answer": STANDARD.encode(self.answer),
        }));
    }
}

/// Writes down what our client read of the last answer.
pub(crate) fn read(answer: &Answer) {
    let calls = answer.tool_calls.iter();
    let calls: Vec<_> = calls.map(|c| [&c.id, &c.name, &c.arguments]).collect();
    write(json!({"read": {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "calls": calls,
    }}));
}

/// Writes a file, with the name of the test and its place among the files of the test.
fn write(mut about: Value) {
    static ORDER: AtomicU64 = AtomicU64::new(0);
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    about["test"] = std::thread::current().name().into();
    about["order"] = ORDER.fetch_add(1, Ordering::Relaxed).into();
    let file = PathBuf::from(folder).join(format!("{}.json", uuid::Uuid::new_v4()));
    std::fs::write(file, about.to_string()).unwrap();
}
