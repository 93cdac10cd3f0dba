//! What a request says, read field by field: as JSON, as a form, or as a form with files (spec 3.1). Each fault names
//! its field, in the words that clients know.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::multipart::Multipart;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use nodetool_protocol::{Map, Value};

use super::{Envelope, ErrorCode};
use crate::http::AppState;
use crate::http::extract::{Room, read_up_to};
use crate::http::paced::MAX_PARTS;
use crate::json_text;

/// Most bytes of a body without files.
const MAX_BODY: usize = 10 << 20;
/// Most fields of a form.
const MAX_FIELDS: usize = 1000;

/// The variable parts of a route's path; what is no text names nothing.
pub(in crate::http) struct Parted<T>(pub(in crate::http) T);

impl<T: serde::de::DeserializeOwned + Send> FromRequestParts<AppState> for Parted<T> {
    type Rejection = Envelope;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Envelope> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        path.map(|path| Parted(path.0))
            .map_err(|_| Envelope::new(ErrorCode::NotFound, "Not found."))
    }
}

/// The fields of a body, and what is wrong with them so far.
pub(in crate::http) struct Asked {
    map: Map,
    /// Whether it came as a form, where every value is text.
    form: bool,
    faults: Vec<(String, String)>,
}

/// The media type of a body, in small letters.
fn kind_of(headers: &HeaderMap) -> String {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// A body of a type that nothing here reads.
pub(super) fn unsupported(headers: &HeaderMap) -> Envelope {
    let given = headers.get(header::CONTENT_TYPE);
    let given: String = given
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default()
        .chars()
        .take(100)
        .collect();
    let text = format!("Unsupported media type \"{given}\" in request.");
    Envelope::new(ErrorCode::UnsupportedMediaType, text)
}

impl FromRequest<AppState> for Asked {
    type Rejection = Envelope;

    async fn from_request(request: Request<Body>, _: &AppState) -> Result<Self, Envelope> {
        Asked::read(request, MAX_BODY).await
    }
}

impl Asked {
    /// Reads a body of at most so many bytes.
    pub(super) async fn read(request: Request<Body>, bytes: usize) -> Result<Self, Envelope> {
        let headers = request.headers().clone();
        let room = Room {
            bytes,
            setting: None,
        };
        let bytes = read_up_to(request, room).await?;
        if bytes.is_empty() {
            return Ok(Asked::new(Map::new(), false));
        }
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let text = "Compressed bodies are not taken; send it without Content-Encoding.";
            return Err(Envelope::new(ErrorCode::UnsupportedMediaType, text));
        }
        match kind_of(&headers).as_str() {
            "" | "application/json" => Ok(Asked::new(read_object(&bytes)?, false)),
            kind if kind.ends_with("+json") => Ok(Asked::new(read_object(&bytes)?, false)),
            "application/x-www-form-urlencoded" => Ok(Asked::new(read_pairs(&bytes)?, true)),
            "multipart/form-data" => Ok(Asked::new(read_parts(&headers, bytes).await?, true)),
            _ => Err(unsupported(&headers)),
        }
    }
}

fn read_object(bytes: &[u8]) -> Result<Map, Envelope> {
    let value = json_text::parse(bytes);
    let value = value.map_err(|e| Envelope::invalid(format!("JSON parse error - {e}")))?;
    match value {
        Value::Map(map) => Ok(Arc::unwrap_or_clone(map)),
        other => {
            let text = format!(
                "Invalid data. Expected a dictionary, but got {}.",
                other.kind()
            );
            Err(Envelope::invalid(text.clone()).field("non_field_errors", text))
        }
    }
}

fn too_many() -> Envelope {
    Envelope::invalid(format!("The form has more than {MAX_FIELDS} fields"))
}

fn read_pairs(bytes: &[u8]) -> Result<Map, Envelope> {
    let mut map = Map::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        if map.len() >= MAX_FIELDS {
            return Err(too_many());
        }
        map.insert(name.as_ref().into(), value.as_ref().into());
    }
    Ok(map)
}

async fn read_parts(headers: &HeaderMap, bytes: Bytes) -> Result<Map, Envelope> {
    let broken = |e: &dyn std::fmt::Display| {
        let text: String = e.to_string().chars().take(200).collect();
        Envelope::invalid(format!("Multipart form parse error - {text}"))
    };
    let mut request = Request::new(Body::from(bytes));
    *request.headers_mut() = headers.clone();
    // It is bounded already.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|e| broken(&e.body_text()))?;
    let mut map = Map::new();
    for _ in 0..=MAX_PARTS {
        let Some(part) = form.next_field().await.map_err(|e| broken(&e))? else {
            return Ok(map);
        };
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let text = part.bytes().await.map_err(|e| broken(&e))?;
        if !is_file {
            let text = String::from_utf8_lossy(&text);
            map.insert(name.into(), text.as_ref().into());
        }
    }
    Err(Envelope::invalid(format!(
        "The form has more than {MAX_PARTS} parts"
    )))
}

impl Asked {
    fn new(map: Map, form: bool) -> Self {
        Asked {
            map,
            form,
            faults: Vec::new(),
        }
    }

    /// Adds a fault of a field.
    pub(in crate::http) fn fault(&mut self, name: &str, message: impl Into<String>) {
        self.faults.push((name.to_owned(), message.into()));
    }

    /// Whether a field is there.
    pub(in crate::http) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// A field as it is; lists and objects of forms are JSON text.
    pub(in crate::http) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name)
    }

    /// A field that has to be there.
    pub(in crate::http) fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.fault(name, "This field is required.");
        }
    }

    /// One line of text of at most so many characters, without blanks around it.
    fn line(&mut self, name: &str, value: &Value, most: usize) -> Option<String> {
        let text = match value {
            Value::Str(text) => text.trim().to_owned(),
            Value::Int(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            _ => {
                self.fault(name, "Not a valid string.");
                return None;
            }
        };
        if text.contains('\0') {
            self.fault(name, "Null characters are not allowed.");
            return None;
        }
        if text.chars().count() > most {
            let message = format!("Ensure this field has no more than {most} characters.");
            self.fault(name, message);
            return None;
        }
        Some(text)
    }

    /// Text that is neither null nor empty where it is given.
    pub(in crate::http) fn filled(&mut self, name: &str, most: usize) -> Option<String> {
        let value = self.take(name)?;
        if value.is_null() {
            self.fault(name, "This field may not be null.");
            return None;
        }
        let text = self.line(name, &value, most)?;
        if text.is_empty() {
            self.fault(name, "This field may not be blank.");
            return None;
        }
        Some(text)
    }

    /// Text that may be null.
    pub(in crate::http) fn text(&mut self, name: &str, most: usize) -> Option<Option<String>> {
        let value = self.take(name)?;
        if value.is_null() {
            return Some(None);
        }
        self.line(name, &value, most).map(Some)
    }

    /// One of a few words.
    pub(in crate::http) fn word(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let value = self.take(name)?;
        match value.as_str().filter(|word| words.contains(word)) {
            Some(word) => Some(word.to_owned()),
            None if value.is_null() => {
                self.fault(name, "This field may not be null.");
                None
            }
            None => {
                let shown = match &value {
                    Value::Str(text) => text.chars().take(80).collect(),
                    other => other.preview(80),
                };
                self.fault(name, format!("\"{shown}\" is not a valid choice."));
                None
            }
        }
    }

    /// A value that is a list or an object: in a form it comes as JSON text.
    fn structured(&mut self, name: &str) -> Option<Value> {
        let value = self.take(name)?;
        let Some(text) = value.as_str().filter(|_| self.form) else {
            return Some(value);
        };
        match json_text::parse(text.as_bytes()) {
            Ok(value) => Some(value),
            Err(_) => {
                self.fault(name, "Value must be valid JSON.");
                None
            }
        }
    }

    /// An object.
    pub(in crate::http) fn object(&mut self, name: &str) -> Option<Map> {
        match self.structured(name)? {
            Value::Map(map) => Some(Arc::unwrap_or_clone(map)),
            Value::Null => {
                self.fault(name, "This field may not be null.");
                None
            }
            other => {
                let kind = other.kind();
                let message = format!("Expected a dictionary of items but got type \"{kind}\".");
                self.fault(name, message);
                None
            }
        }
    }

    /// A list of texts, each of at most so many characters.
    pub(in crate::http) fn texts(
        &mut self,
        name: &str,
        most: usize,
        longest: usize,
    ) -> Option<Vec<String>> {
        let items = match self.structured(name)? {
            Value::List(items) => items,
            other => {
                let kind = other.kind();
                let message = format!("Expected a list of items but got type \"{kind}\".");
                self.fault(name, message);
                return None;
            }
        };
        if items.len() > most {
            let message = format!("Ensure this field has no more than {most} elements.");
            self.fault(name, message);
            return None;
        }
        items
            .iter()
            .map(|item| self.line(name, item, longest))
            .collect()
    }

    /// A number.
    pub(in crate::http) fn number(&mut self, name: &str) -> Option<Value> {
        let value = self.take(name)?;
        let number = number_of(&value);
        if number.is_none() {
            self.fault(name, "A valid number is required.");
        }
        number
    }

    /// Nothing is wrong, or all that is.
    pub(in crate::http) fn finish(self) -> Result<(), Envelope> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let texts = self.faults.iter();
        let texts = texts.map(|(name, message)| format!("{name}: {message}"));
        let refusal = Envelope::invalid(texts.collect::<Vec<_>>().join(" "));
        let faults = self.faults.into_iter();
        Err(faults.fold(refusal, |refusal, (name, message)| {
            refusal.field(&name, message)
        }))
    }
}

/// A number, also one that is written as text.
pub(super) fn number_of(value: &Value) -> Option<Value> {
    match value {
        Value::Int(_) => Some(value.clone()),
        Value::Float(n) if n.is_finite() => Some(value.clone()),
        Value::Str(text) => {
            let text = text.trim();
            if let Ok(n) = text.parse::<i64>() {
                return Some(Value::Int(n));
            }
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
            number.map(Value::Float)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(json: &str) -> Asked {
        Asked::new(read_object(json.as_bytes()).unwrap(), false)
    }

    #[test]
    fn every_fault_is_told_at_once_and_by_field() {
        let mut asked = asked(
            r#"{"name":" ","kind":"x","env":[],"tags":{},"x":"q","y":"1.5","more":null,"long":"abc"}"#,
        );
        asked.require("missing");
        assert_eq!(asked.filled("name", 10), None);
        assert_eq!(asked.word("kind", &["a"]), None);
        assert_eq!(asked.object("env"), None);
        assert_eq!(asked.texts("tags", 3, 3), None);
        assert_eq!(asked.number("x"), None);
        assert_eq!(asked.number("y"), Some(Value::Float(1.5)));
        assert_eq!(asked.text("more", 3), Some(None));
        assert_eq!(asked.text("long", 2), None);
        let names: Vec<&str> = asked.faults.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["missing", "name", "kind", "env", "tags", "x", "long"]
        );
        assert!(asked.finish().is_err());
    }

    #[test]
    fn forms_hold_objects_as_json_text() {
        let map = read_pairs(b"env=%7B%22a%22%3A1%7D&tags=%5B%22t%22%5D&name=N").unwrap();
        let mut asked = Asked::new(map, true);
        assert_eq!(asked.filled("name", 9).as_deref(), Some("N"));
        assert_eq!(asked.object("env").unwrap().get("a"), Some(&Value::Int(1)));
        assert_eq!(asked.texts("tags", 3, 3), Some(vec!["t".to_owned()]));
        assert!(asked.finish().is_ok());
    }
}
