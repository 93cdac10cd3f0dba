//! What a client needs to speak for somebody at a provider.

use std::fmt;
use std::time::Duration;

use nodetool_sdk::models::{ModelError, ModelErrorKind};
use reqwest::header::HeaderValue;

/// A key; never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// A key.
    pub fn new(value: impl Into<String>) -> Self {
        Key(value.into())
    }

    /// Its text, for a header only.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of an answer. Long prompts take their time.
    pub first_byte: Duration,
    /// For the next piece of a stream.
    pub next_byte: Duration,
    /// For something that is made in one go: a picture, a video.
    pub whole: Duration,
    /// For a list of models.
    pub list: Duration,
}

impl Patience {
    /// How long a stream may go on without anything of the answer in it, however often it says that it is alive.
    pub(crate) fn without_data(&self) -> Duration {
        self.first_byte.max(self.next_byte).saturating_mul(2)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            first_byte: Duration::from_secs(300),
            next_byte: Duration::from_secs(120),
            whole: Duration::from_secs(1800),
            list: Duration::from_millis(1800),
        }
    }
}

/// Somebody's account at a provider.
#[derive(Clone, Debug)]
pub struct Account {
    /// Id of the provider, for messages.
    pub provider: String,
    /// The key, where one is set.
    pub key: Option<Key>,
    /// Where the provider is, without a slash at its end: `https://api.openai.com/v1`.
    pub address: String,
    /// Tokens of context that a server of one's own is told to give a model.
    pub context_length: Option<u32>,
    /// The client to use; it follows no redirects.
    pub client: reqwest::Client,
    /// How long to wait.
    pub patience: Patience,
}

impl Account {
    /// The key as the value of a header, which is never printed either; `secret` is what the key is called.
    pub(crate) fn key_header(&self, secret: &str) -> Result<HeaderValue, ModelError> {
        let Some(key) = self.key.as_ref().filter(|key| !key.0.is_empty()) else {
            let kind = ModelErrorKind::MissingKey {
                key: secret.to_owned(),
            };
            return Err(self.error(kind, format!("{secret} is not configured")));
        };
        let mut value = HeaderValue::from_str(&key.0).map_err(|_| {
            let message = format!("{secret} has characters that no key has");
            self.error(ModelErrorKind::Unauthorized, message)
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A field of a request that is not right.
    pub(crate) fn wrong(&self, field: impl Into<String>, message: impl Into<String>) -> ModelError {
        ModelError {
            param: Some(field.into()),
            ..self.error(ModelErrorKind::BadRequest, message)
        }
    }

    /// A field of a request that asks for something the provider does not do.
    pub(crate) fn cannot(&self, field: impl Into<String>, what: impl fmt::Display) -> ModelError {
        ModelError {
            param: Some(field.into()),
            ..ModelError::unsupported(&self.provider, what)
        }
    }
}
