//! Keeps the values of secrets out of what a run tells: messages, logs, error texts, results.
//!
//! A value is known from the moment a node has read it, and is replaced wherever it stands as it is or in one of the
//! usual disguises: in a URL, in JSON, in base64. It protects from accidents, not from a workflow made to give its
//! secrets away: that can always encode them in yet another way. A run that reads no secret pays one load.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use nodetool_engine::RunOutcome;
use nodetool_protocol::{JobEvent, Map, Value};

/// What stands in place of a value.
const MASK: &str = "***";
/// Values of fewer bytes are left alone: they stand in texts by chance.
const SHORTEST: usize = 4;
/// Shortest value whose base64 is known, too.
const SHORTEST_ENCODED: usize = 8;

/// The values of the secrets that a run has read.
#[derive(Default)]
pub(crate) struct Seen {
    any: AtomicBool,
    /// Longest first, so that none is replaced in part.
    words: RwLock<Vec<String>>,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen")
    }
}

impl Seen {
    /// A node has read this value.
    pub(crate) fn add(&self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        for word in disguises(value) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        self.any.store(true, Ordering::Release);
    }

    /// The text without values; nothing when there are none in it.
    fn text(&self, text: &str) -> Option<String> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        let mut hidden: Option<String> = None;
        for word in words.iter() {
            let current = hidden.as_deref().unwrap_or(text);
            if current.contains(word.as_str()) {
                hidden = Some(current.replace(word.as_str(), MASK));
            }
        }
        hidden
    }

    fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        let found = words
            .iter()
            .any(|word| memmem::find(bytes, word.as_bytes()).is_some());
        if !found {
            return None;
        }
        let mut hidden = bytes.to_vec();
        for word in words.iter() {
            let mut from = 0;
            while let Some(at) = memmem::find(&hidden[from..], word.as_bytes()) {
                let at = from + at;
                hidden.splice(at..at + word.len(), MASK.bytes());
                from = at + MASK.len();
            }
        }
        Some(hidden)
    }

    /// The value without values of secrets; nothing when there are none in it.
    fn value(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Str(text) => self.text(text).map(Value::from),
            Value::Bytes(bytes) => self.bytes(bytes).map(|b| Value::Bytes(b.into())),
            Value::List(items) => {
                let mut hidden: Option<Vec<Value>> = None;
                for (at, item) in items.iter().enumerate() {
                    if let Some(item) = self.value(item) {
                        hidden.get_or_insert_with(|| items.to_vec())[at] = item;
                    }
                }
                hidden.map(Value::from)
            }
            Value::Map(map) => self.map(map).map(Value::from),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => None,
        }
    }

    fn map(&self, map: &Map) -> Option<Map> {
        let has = |(key, value): (&Arc<str>, &Value)| {
            self.text(key).is_some() || self.value(value).is_some()
        };
        if !map.iter().any(has) {
            return None;
        }
        let pairs = map.iter().map(|(key, value)| {
            let key = self.text(key).map_or_else(|| key.clone(), Into::into);
            (key, self.value(value).unwrap_or_else(|| value.clone()))
        });
        Some(pairs.collect())
    }

    fn hide_text(&self, text: &mut String) {
        if let Some(hidden) = self.text(text) {
            *text = hidden;
        }
    }

    fn hide_value(&self, value: &mut Value) {
        if let Some(hidden) = self.value(value) {
            *value = hidden;
        }
    }

    fn hide_map(&self, map: &mut Map) {
        if let Some(hidden) = self.map(map) {
            *map = hidden;
        }
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    /// Whether a value of a secret is in any of these.
    pub(crate) fn is_in<'a>(&self, values: impl IntoIterator<Item = &'a Value>) -> bool {
        !self.is_empty() && values.into_iter().any(|value| self.value(value).is_some())
    }

    /// A text as it may be told.
    pub(crate) fn shown_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let hidden = (!self.is_empty()).then(|| self.text(text)).flatten();
        hidden.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Values as they may be told.
    pub(crate) fn shown_map<'a>(&self, map: &'a Map) -> Cow<'a, Map> {
        let hidden = (!self.is_empty()).then(|| self.map(map)).flatten();
        hidden.map_or(Cow::Borrowed(map), Cow::Owned)
    }

    /// A message as it may be told.
    pub(crate) fn hide_event(&self, mut event: JobEvent) -> JobEvent {
        if self.is_empty() {
            return event;
        }
        match &mut event {
            JobEvent::JobUpdate(update) => {
                let texts = [
                    &mut update.message,
                    &mut update.error,
                    &mut update.traceback,
                ];
                texts.into_iter().flatten().for_each(|t| self.hide_text(t));
                update.result.iter_mut().for_each(|map| self.hide_map(map));
                let state = update.run_state.iter_mut();
                for state in state {
                    let texts = [&mut state.suspension_reason, &mut state.error_message];
                    texts.into_iter().flatten().for_each(|t| self.hide_text(t));
                }
                let issues = update.validation_issues.iter_mut();
                issues.for_each(|issue| self.hide_map(issue));
            }
            JobEvent::NodeUpdate(update) => {
                update.error.iter_mut().for_each(|t| self.hide_text(t));
                let maps = [&mut update.result, &mut update.properties];
                maps.into_iter().flatten().for_each(|m| self.hide_map(m));
            }
            JobEvent::OutputUpdate(update) => {
                self.hide_value(&mut update.value);
                self.hide_map(&mut update.metadata);
            }
            JobEvent::SaveUpdate {
                value, metadata, ..
            } => {
                self.hide_value(value);
                self.hide_map(metadata);
            }
            JobEvent::Chunk {
                content,
                content_metadata,
                ..
            } => {
                self.hide_value(content);
                self.hide_map(content_metadata);
            }
            JobEvent::NodeProgress { chunk: text, .. }
            | JobEvent::LogUpdate { content: text, .. }
            | JobEvent::Notification { content: text, .. }
            | JobEvent::Error { message: text, .. } => self.hide_text(text),
            JobEvent::PreviewUpdate { value, .. } => self.hide_value(value),
            JobEvent::ToolResultUpdate { result, .. } => self.hide_map(result),
            JobEvent::EdgeUpdate { .. } => {}
        }
        event
    }

    /// The end of a run as it may be told and stored.
    pub(crate) fn hide_outcome(&self, outcome: &mut RunOutcome) {
        if self.is_empty() {
            return;
        }
        let outputs = outcome.outputs.iter_mut();
        for value in outputs.flat_map(|(_, values)| values) {
            self.hide_value(value);
        }
        self.hide_map(&mut outcome.last);
        outcome.error.iter_mut().for_each(|t| self.hide_text(t));
        if let Some((_, reason, state)) = &mut outcome.suspended {
            self.hide_text(reason);
            self.hide_value(state);
        }
    }
}

/// The forms a value is looked for in.
fn disguises(value: &str) -> Vec<String> {
    let mut words = vec![value.to_owned()];
    let query: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    words.push(query.replace('+', "%20"));
    words.push(query);
    if let Ok(json) = serde_json::to_string(value) {
        words.push(unquoted(&json));
    }
    words.push(unquoted(&format!("{value:?}")));
    if value.len() >= SHORTEST_ENCODED {
        words.push(STANDARD_NO_PAD.encode(value));
        words.push(URL_SAFE_NO_PAD.encode(value));
    }
    words.retain(|word| word.len() >= SHORTEST);
    words
}

/// A quoted text without its quotes.
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[&str]) -> Seen {
        let seen = Seen::default();
        values.iter().for_each(|value| seen.add(value));
        seen
    }

    fn hidden(seen: &Seen, text: &str) -> String {
        let mut text = text.to_owned();
        seen.hide_text(&mut text);
        text
    }

    #[test]
    fn a_value_is_hidden_in_every_usual_disguise() {
        let seen = seen(&["a b/\"c\"&d"]);
        for (text, expected) in [
            ("said: a b/\"c\"&d!", "said: ***!"),
            ("?k=a+b%2F%22c%22%26d&x=1", "?k=***&x=1"),
            ("?k=a%20b%2F%22c%22%26d", "?k=***"),
            (r#"{"k":"a b/\"c\"&d"}"#, r#"{"k":"***"}"#),
            ("Basic YSBiLyJjIiZk", "Basic ***"),
            ("a b/", "a b/"),
        ] {
            assert_eq!(hidden(&seen, text), expected);
        }
    }

    #[test]
    fn of_values_within_each_other_the_whole_one_is_hidden() {
        let seen = seen(&["word", "password", "abc"]);
        assert_eq!(hidden(&seen, "password word abc"), "*** *** abc");
    }

    #[test]
    fn values_are_hidden_however_deep_they_are() {
        let seen = seen(&["hush-hush"]);
        let value = |word: &str| {
            Value::map([
                ("plain", Value::Int(1)),
                (
                    "list",
                    Value::list([Value::map([("k", Value::from(format!("x {word}")))])]),
                ),
                (
                    "bytes",
                    Value::Bytes(format!("{word}{word}.").into_bytes().into()),
                ),
            ])
        };
        let mut told = value("hush-hush");
        assert!(seen.is_in([&told]));
        seen.hide_value(&mut told);
        assert_eq!(told, value("***"));
        assert!(!seen.is_in([&told]));
        let mut map = Map::new();
        map.insert("hush-hush".into(), Value::Null);
        seen.hide_map(&mut map);
        assert_eq!(map.keys().next().map(|k| &**k), Some("***"));
        assert!(!Seen::default().is_in([&value("hush-hush")]));
    }
}
