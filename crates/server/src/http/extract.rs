//! Extractors whose refusals have our shape.

use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt;
use nodetool_protocol::{Map, Value};

use super::AppState;
use super::error::{ApiError, FieldError};
use super::storage::{PATIENCE, too_slow};
use crate::json_text::{self, JsonFault};

/// Bytes of a body that is too large which are still read, so that its sender gets to see the refusal.
const DISCARD_LIMIT: usize = 256 << 20;

/// Longest query string.
const QUERY_BYTES: usize = 16 << 10;
/// Most parameters in a query.
const QUERY_PAIRS: usize = 1000;

/// Largest JSON bodies, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Of every route that takes JSON.
    pub(crate) json: usize,
    /// Of the routes that take graphs or values for them.
    pub(crate) graph: usize,
}

/// How much of a body is taken.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    /// The setting that decides it, where one does.
    pub(crate) setting: Option<&'static str>,
}

impl Room {
    fn too_large(self) -> ApiError {
        let mut text = format!("The body is larger than {} bytes", self.bytes);
        if let Some(setting) = self.setting {
            text.push_str(&format!(" (setting {setting})"));
        }
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }
}

/// The one variable part of a route's path.
pub(crate) struct Path(pub(crate) String);

impl FromRequestParts<AppState> for Path {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        match axum::extract::Path::<String>::from_request_parts(parts, app).await {
            Ok(path) => Ok(Path(spelled(parts, app, path.0).await?)),
            Err(_) => Err(ApiError::invalid(vec![FieldError::at(
                "string_unicode",
                &["path"],
                "the path is no UTF-8 after percent-decoding",
            )])),
        }
    }
}

/// The first variable part of a path as it is stored: ids of workflows may be written with hyphens or without.
async fn spelled(parts: &Parts, app: &AppState, first: String) -> Result<String, ApiError> {
    let of_workflow = |path: &MatchedPath| {
        let path = path.as_str();
        path.starts_with("/api/workflows/{") || path.starts_with("/workflows/{")
    };
    if first.len() != 36 || !parts.extensions.get().is_some_and(of_workflow) {
        return Ok(first);
    }
    Ok(app.workflows.spelling(first).await?)
}

/// The two variable parts of a route's path.
pub(crate) struct PathPair(pub(crate) String, pub(crate) String);

impl FromRequestParts<AppState> for PathPair {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        match axum::extract::Path::<(String, String)>::from_request_parts(parts, app).await {
            Ok(axum::extract::Path((first, second))) => {
                Ok(PathPair(spelled(parts, app, first).await?, second))
            }
            Err(_) => Err(ApiError::invalid(vec![FieldError::at(
                "string_unicode",
                &["path"],
                "the path is no UTF-8 after percent-decoding",
            )])),
        }
    }
}

/// A JSON body; `None` when it is empty.
pub(crate) struct JsonBody(pub(crate) Option<Value>);

impl FromRequest<AppState> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &AppState) -> Result<Self, ApiError> {
        let room = Room {
            bytes: app.bodies.json,
            setting: Some("json_limit"),
        };
        read_json(request, room).await
    }
}

/// A JSON body that may hold a graph or the values of one, which are large.
pub(crate) struct GraphBody(pub(crate) JsonBody);

impl FromRequest<AppState> for GraphBody {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &AppState) -> Result<Self, ApiError> {
        let room = Room {
            bytes: app.bodies.graph,
            setting: Some("graph_limit"),
        };
        read_json(request, room).await.map(GraphBody)
    }
}

/// Reads a JSON body of at most so many bytes.
pub(crate) async fn read_json(request: Request<Body>, room: Room) -> Result<JsonBody, ApiError> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    let packed = encoding.is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"));
    let is_json = kind.is_empty() || kind == "application/json" || kind.ends_with("+json");
    let bytes = read_up_to(request, room).await?;
    if bytes.is_empty() {
        return Ok(JsonBody(None));
    }
    if packed {
        let msg = "expected a body without a Content-Encoding: compressed bodies are not taken";
        let error = FieldError::at("content_encoding", &["header", "content-encoding"], msg);
        return Err(ApiError::invalid(vec![error]));
    }
    if !is_json {
        let kind: String = kind.chars().take(100).collect();
        let msg = format!("expected a JSON body (application/json), got {kind}");
        return Err(ApiError::invalid(vec![FieldError::at(
            "json_type",
            &["body"],
            msg,
        )]));
    }
    Ok(JsonBody(Some(parse_json(&bytes, &["body"])?)))
}

/// JSON text, or where it stops being any.
pub(crate) fn parse_json(bytes: &[u8], place: &[&str]) -> Result<Value, ApiError> {
    json_text::parse(bytes).map_err(|fault| {
        let kind = match &fault {
            JsonFault::TooDeep => "json_depth",
            JsonFault::TooMany => "json_size",
            JsonFault::Syntax(e) => {
                let offset = offset_of(bytes, e.line(), e.column()).to_string();
                let place: Vec<&str> = place.iter().copied().chain([offset.as_str()]).collect();
                let mut error = FieldError::at("json_invalid", &place, "JSON decode error");
                error.ctx = Some(Value::map([("error", e.to_string().into())]));
                return ApiError::invalid(vec![error]);
            }
        };
        let msg = format!("the JSON has {fault}");
        ApiError::invalid(vec![FieldError::at(kind, place, msg)])
    })
}

/// The whole body. What is too large is read to its end but not kept, as far as that is reasonable: a client that is
/// still sending when the connection closes never sees the answer.
pub(crate) async fn read_up_to(request: Request<Body>, room: Room) -> Result<Bytes, ApiError> {
    let limit = room.bytes;
    let headers = request.headers();
    let declared: u64 = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    let waits = headers.contains_key(header::EXPECT);
    if declared > DISCARD_LIMIT as u64 || (waits && declared > limit as u64) {
        return Err(room.too_large());
    }
    let mut chunks = request.into_body().into_data_stream();
    let mut kept = Bytes::new();
    let mut joined: Vec<u8> = Vec::new();
    let mut total = 0;
    while let Some(chunk) = tokio::time::timeout(PATIENCE, chunks.next())
        .await
        .map_err(|_| too_slow())?
    {
        let chunk = chunk.map_err(|e| {
            tracing::debug!(error = %e, "a body could not be read");
            ApiError::bad_request("The body could not be read to its end")
        })?;
        if total == 0 && chunk.len() <= limit {
            kept = chunk.clone();
        } else if total + chunk.len() <= limit {
            if joined.is_empty() {
                joined.extend_from_slice(&kept);
            }
            joined.extend_from_slice(&chunk);
        } else {
            (kept, joined) = (Bytes::new(), Vec::new());
        }
        total += chunk.len();
        if total > DISCARD_LIMIT {
            break;
        }
    }
    if total > limit {
        return Err(room.too_large());
    }
    Ok(if joined.is_empty() {
        kept
    } else {
        joined.into()
    })
}

fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let starts = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(i, _)| i + 1);
    let start = std::iter::once(0)
        .chain(starts)
        .nth(line.saturating_sub(1))
        .unwrap_or(0);
    (start + column.saturating_sub(1)).min(bytes.len())
}

impl JsonBody {
    /// The body as an object; a missing one is an error.
    pub(crate) fn object(self) -> Result<Map, ApiError> {
        match self.0 {
            Some(Value::Map(map)) => Ok(std::sync::Arc::unwrap_or_clone(map)),
            None => Err(ApiError::invalid(vec![FieldError::at(
                "missing",
                &["body"],
                "Field required",
            )])),
            Some(other) => {
                let msg = format!("expected an object, got {}", other.kind());
                Err(ApiError::invalid(vec![FieldError::at(
                    "dict_type",
                    &["body"],
                    msg,
                )]))
            }
        }
    }

    /// The body as an object; a missing one is an empty one.
    pub(crate) fn object_or_empty(self) -> Result<Map, ApiError> {
        if self.0.is_none() {
            Ok(Map::new())
        } else {
            self.object()
        }
    }
}

/// The query string, read field by field so that each fault names its field.
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<AppState> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        let refused =
            |msg| ApiError::invalid(vec![FieldError::at("query_invalid", &["query"], msg)]);
        let text = parts.uri.query().unwrap_or_default();
        if text.len() > QUERY_BYTES {
            return Err(refused(format!(
                "the query string is longer than {QUERY_BYTES} bytes"
            )));
        }
        if text.split('&').nth(QUERY_PAIRS).is_some() {
            return Err(refused(format!(
                "the query has more than {QUERY_PAIRS} parameters"
            )));
        }
        axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|q| Query(q.0))
            .map_err(|e| refused(e.body_text()))
    }
}

impl Query {
    /// The last value of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// All parameters: lists of values by name.
    pub(crate) fn lists(&self) -> Map {
        let mut lists = indexmap::IndexMap::<&str, Vec<Value>>::new();
        for (key, value) in &self.0 {
            lists.entry(key).or_default().push(value.as_str().into());
        }
        let lists = lists.into_iter();
        lists
            .map(|(key, values)| (key.into(), values.into()))
            .collect()
    }

    /// The one of two names of a parameter that the client used; the first when both or neither.
    pub(crate) fn spelling(&self, name: &'static str, other: &'static str) -> &'static str {
        if self.text(name).is_none() && self.text(other).is_some() {
            other
        } else {
            name
        }
    }

    /// All values of a key.
    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(k, _)| k == key);
        values.map(|(_, v)| v.as_str()).collect()
    }

    /// The last value of a key that has to be there.
    pub(crate) fn required(&self, key: &str) -> Result<&str, ApiError> {
        self.text(key).ok_or_else(|| {
            let error = FieldError::at("missing", &["query", key], "Field required");
            ApiError::invalid(vec![error])
        })
    }

    /// An integer that has to lie in the given range.
    pub(crate) fn int_within(
        &self,
        key: &str,
        default: i64,
        low: i64,
        high: i64,
    ) -> Result<i64, ApiError> {
        let number = self.int(key, default, i64::MIN, i64::MAX)?;
        let (kind, msg) = if number < low {
            (
                "greater_than_equal",
                format!("Input should be greater than or equal to {low}"),
            )
        } else if number > high {
            (
                "less_than_equal",
                format!("Input should be less than or equal to {high}"),
            )
        } else {
            return Ok(number);
        };
        let mut error = FieldError::at(kind, &["query", key], msg);
        error.input = self.text(key).map(|t| t.chars().take(256).collect());
        Err(ApiError::invalid(vec![error]))
    }

    /// An integer, brought into the given range; empty ones do not count.
    pub(crate) fn int<T: FromStr + Ord>(
        &self,
        key: &str,
        default: T,
        low: T,
        high: T,
    ) -> Result<T, ApiError> {
        let mut given = self
            .0
            .iter()
            .rev()
            .filter(|(k, v)| k == key && !v.is_empty());
        let Some((_, text)) = given.next() else {
            return Ok(default);
        };
        match text.trim().parse::<T>() {
            Ok(n) => Ok(n.clamp(low, high)),
            // A number all the same, only out of range of the type.
            Err(_) if is_whole_number(text.trim()) => Ok(if text.trim().starts_with('-') {
                low
            } else {
                high
            }),
            Err(_) => {
                let msg = "Input should be a valid integer, unable to parse string as an integer";
                let mut error = FieldError::at("int_parsing", &["query", key], msg);
                error.input = Some(text.chars().take(256).collect());
                Err(ApiError::invalid(vec![error]))
            }
        }
    }

    /// A boolean in any of its spellings.
    pub(crate) fn boolean(&self, key: &str, default: bool) -> Result<bool, ApiError> {
        let Some(text) = self.text(key) else {
            return Ok(default);
        };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
            _ => {
                let msg = "Input should be a valid boolean, unable to interpret input";
                let mut error = FieldError::at("bool_parsing", &["query", key], msg);
                error.input = Some(text.chars().take(256).collect());
                Err(ApiError::invalid(vec![error]))
            }
        }
    }
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())
}

/// Reads the fields of a body and collects what is wrong with them.
pub(crate) struct Fields {
    map: Map,
    errors: Vec<FieldError>,
}

impl Fields {
    pub(crate) fn new(map: Map) -> Self {
        Fields {
            map,
            errors: Vec::new(),
        }
    }

    fn wrong(&mut self, key: &str, kind: &'static str, expected: &str, got: &Value) {
        let mut error = FieldError::at(
            kind,
            &["body", key],
            format!("Input should be a valid {expected}"),
        );
        error.input = Some(got.preview(80));
        self.errors.push(error);
    }

    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        match self.map.shift_remove(key) {
            None | Some(Value::Null) => None,
            Some(Value::Str(s)) => Some(s.to_string()),
            Some(other) => {
                self.wrong(key, "string_type", "string", &other);
                None
            }
        }
    }

    pub(crate) fn required_text(&mut self, key: &str) -> String {
        if self.map.get(key).is_none_or(Value::is_null) {
            self.errors
                .push(FieldError::at("missing", &["body", key], "Field required"));
        }
        self.text(key).unwrap_or_default()
    }

    /// A required text that is one of a few words.
    pub(crate) fn required_word(&mut self, key: &str, words: &[&str]) -> String {
        let before = self.errors.len();
        let text = self.required_text(key);
        if self.errors.len() == before && !words.contains(&text.as_str()) {
            let msg = format!("Input should be '{}'", words.join("' or '"));
            let mut error = FieldError::at("enum", &["body", key], msg);
            error.input = Some(text.chars().take(80).collect());
            self.errors.push(error);
        }
        text
    }

    pub(crate) fn object(&mut self, key: &str) -> Option<Map> {
        match self.map.shift_remove(key) {
            None | Some(Value::Null) => None,
            Some(Value::Map(m)) => Some(std::sync::Arc::unwrap_or_clone(m)),
            Some(other) => {
                self.wrong(key, "dict_type", "dictionary", &other);
                None
            }
        }
    }

    /// Whether a field is not there at all.
    pub(crate) fn is_absent(&self, key: &str) -> bool {
        self.map.get(key).is_none_or(Value::is_null)
    }

    /// Whether anything was wrong so far.
    pub(crate) fn is_faulty(&self) -> bool {
        !self.errors.is_empty()
    }

    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.map.shift_remove(key) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(flag),
            Some(other) => {
                self.wrong(key, "bool_type", "boolean", &other);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(crate) fn whole_number(&mut self, key: &str, low: i64, high: i64) -> Option<i64> {
        match self.map.shift_remove(key) {
            None | Some(Value::Null) => None,
            Some(Value::Int(n)) if (low..=high).contains(&n) => Some(n),
            Some(Value::Int(_)) => {
                let msg = format!("Input should be from {low} to {high}");
                self.errors
                    .push(FieldError::at("value_error", &["body", key], msg));
                None
            }
            Some(other) => {
                self.wrong(key, "int_type", "integer", &other);
                None
            }
        }
    }

    /// Refuses the fields that nobody has read, for bodies where a field must not be taken for another.
    pub(crate) fn refuse_others(&mut self) {
        for (key, _) in std::mem::take(&mut self.map) {
            let key: String = key.chars().take(80).collect();
            let msg = "Extra inputs are not permitted";
            self.errors
                .push(FieldError::at("extra_forbidden", &["body", &key], msg));
        }
    }

    /// Refuses a text that is longer than so many characters.
    pub(crate) fn at_most(&mut self, key: &str, text: Option<&str>, limit: usize) {
        if text.is_some_and(|text| text.chars().count() > limit) {
            let msg = format!("String should have at most {limit} characters");
            self.errors
                .push(FieldError::at("string_too_long", &["body", key], msg));
        }
    }

    pub(crate) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        match self.map.shift_remove(key) {
            None | Some(Value::Null) => None,
            Some(Value::List(items)) if items.iter().all(|v| v.as_str().is_some()) => Some(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            Some(other) => {
                self.wrong(key, "list_type", "list of strings", &other);
                None
            }
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|v| !v.is_null())
    }

    /// Adds what the reader of a field found wrong with it.
    pub(crate) fn refuse(&mut self, errors: impl IntoIterator<Item = FieldError>) {
        self.errors.extend(errors);
    }

    /// The faults of an item of a list, each with the place of that item.
    pub(crate) fn finish_item(mut self, index: usize) -> Result<(), ApiError> {
        for error in &mut self.errors {
            error.loc.insert(1.min(error.loc.len()), index.into());
        }
        self.finish()
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(self.errors))
        }
    }
}
