//! Reading of JSON bodies so that every fault names its place, as OpenAI does: `messages[0].content[1].type`.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use nodetool_protocol::{Map, Value};

use super::super::extract::{Room, read_json};
use super::errors::OpenAiError;
use super::{GRAPH_LIMIT, OpenAiState};

/// A request's body: a JSON object.
pub(super) struct JsonObject(pub(super) Map);

impl FromRequest<OpenAiState> for JsonObject {
    type Rejection = OpenAiError;

    async fn from_request(
        request: Request<Body>,
        state: &OpenAiState,
    ) -> Result<Self, Self::Rejection> {
        let room = Room {
            bytes: state.body_limit,
            setting: Some(GRAPH_LIMIT),
        };
        let body = read_json(request, room).await?;
        Ok(JsonObject(body.object()?))
    }
}

impl JsonObject {
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields {
            map: &self.0,
            at: String::new(),
        }
    }
}

/// The fields of an object and where it stands. `null` is as good as nothing.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    map: &'a Map,
    at: String,
}

/// A value that has another type than it must have.
pub(super) fn wrong_type(at: &str, expected: &str, got: &Value) -> OpenAiError {
    let message = format!(
        "Invalid type for '{at}': expected {expected}, but got {} instead.",
        got.kind()
    );
    OpenAiError::bad(at, "invalid_type", message)
}

/// A value that has to be an object.
pub(super) fn object(value: &Value, at: String) -> Result<Fields<'_>, OpenAiError> {
    match value {
        Value::Map(map) => Ok(Fields { map, at }),
        other => Err(wrong_type(&at, "an object", other)),
    }
}

/// A value that has to be text.
pub(super) fn text<'a>(value: &'a Value, at: &str) -> Result<&'a str, OpenAiError> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(wrong_type(at, "a string", other)),
    }
}

impl<'a> Fields<'a> {
    /// Where a field stands.
    pub(super) fn place(&self, key: &str) -> String {
        match self.at.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.at),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn need(&self, key: &str) -> Result<&'a Value, OpenAiError> {
        self.get(key).ok_or_else(|| {
            let at = self.place(key);
            let message = format!("Missing required parameter: '{at}'.");
            OpenAiError::bad(&at, "missing_required_parameter", message)
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, OpenAiError> {
        self.get(key)
            .map(|value| text(value, &self.place(key)))
            .transpose()
    }

    pub(super) fn need_text(&self, key: &str) -> Result<&'a str, OpenAiError> {
        text(self.need(key)?, &self.place(key))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, OpenAiError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong_type(&self.place(key), "a boolean", other)),
        }
    }

    /// A number in a range.
    pub(super) fn number(
        &self,
        key: &str,
        low: f64,
        high: f64,
    ) -> Result<Option<f64>, OpenAiError> {
        let number = match self.get(key) {
            None => return Ok(None),
            Some(Value::Int(n)) => *n as f64,
            Some(Value::Float(n)) => *n,
            Some(other) => return Err(wrong_type(&self.place(key), "a number", other)),
        };
        if !(low..=high).contains(&number) {
            let at = self.place(key);
            let message = format!(
                "Invalid '{at}': expected a number from {low} to {high}, but got {number}."
            );
            return Err(OpenAiError::value(&at, message));
        }
        Ok(Some(number))
    }

    /// A whole number in a range.
    pub(super) fn whole(&self, key: &str, low: i64, high: i64) -> Result<Option<i64>, OpenAiError> {
        let number = match self.get(key) {
            None => return Ok(None),
            Some(Value::Int(n)) => *n,
            Some(other) => return Err(wrong_type(&self.place(key), "an integer", other)),
        };
        if !(low..=high).contains(&number) {
            let at = self.place(key);
            let message = format!(
                "Invalid '{at}': expected an integer from {low} to {high}, but got {number}."
            );
            return Err(OpenAiError::value(&at, message));
        }
        Ok(Some(number))
    }

    /// A count from 1 to as many as 32 bits of any client hold.
    pub(super) fn count(&self, key: &str) -> Result<Option<u32>, OpenAiError> {
        let count = self.whole(key, 1, i32::MAX.into())?;
        Ok(count.and_then(|n| u32::try_from(n).ok()))
    }

    /// A list of at most so many items.
    pub(super) fn list(&self, key: &str, most: usize) -> Result<Option<&'a [Value]>, OpenAiError> {
        let items = match self.get(key) {
            None => return Ok(None),
            Some(Value::List(items)) => items,
            Some(other) => return Err(wrong_type(&self.place(key), "an array", other)),
        };
        if items.len() > most {
            let at = self.place(key);
            let message = format!(
                "Invalid '{at}': array too long. Expected at most {most} items, but got {}.",
                items.len()
            );
            return Err(OpenAiError::bad(&at, "array_above_max_length", message));
        }
        Ok(Some(items))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, OpenAiError> {
        self.get(key)
            .map(|value| object(value, self.place(key)))
            .transpose()
    }

    pub(super) fn need_object(&self, key: &str) -> Result<Fields<'a>, OpenAiError> {
        object(self.need(key)?, self.place(key))
    }

    /// Text that has to be one of a few words.
    pub(super) fn word(&self, key: &str, words: &[&str]) -> Result<Option<&'a str>, OpenAiError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if words.contains(&text) {
            return Ok(Some(text));
        }
        Err(unknown_word(&self.place(key), text, words))
    }

    /// Refuses what is given and not done here; `false`, empty lists and empty objects ask for nothing.
    pub(super) fn refuse(&self, key: &str, why: &str) -> Result<(), OpenAiError> {
        let asks = match self.get(key) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::List(items)) => !items.is_empty(),
            Some(Value::Map(map)) => !map.is_empty(),
            Some(_) => true,
        };
        if !asks {
            return Ok(());
        }
        let at = self.place(key);
        let message = format!("'{at}' is not supported here: {why}.");
        Err(OpenAiError::bad(&at, "unsupported_parameter", message))
    }
}

/// A word that is none of those it could be.
pub(super) fn unknown_word(at: &str, got: &str, words: &[&str]) -> OpenAiError {
    let got: String = got.chars().take(100).collect();
    let known: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let message = format!(
        "Invalid value: '{got}' in '{at}'. Supported values are: {}.",
        known.join(", ")
    );
    OpenAiError::value(at, message)
}
