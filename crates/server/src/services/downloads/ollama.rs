//! A client of an Ollama server: pulls models, line by line, and deletes them.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode, Url};
use serde_json::{Map, Value, json};

use super::hub::{SetupError, address, broken, http_client};

/// Longest line of a pull, and of a refusal.
const LINE: usize = 64 << 10;
/// Largest answer that is no stream.
const ANSWER: usize = 8 << 20;
/// Time for an answer that is no stream.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest name of a model.
const NAME: usize = 256;

/// Whether a model can be called that.
pub(crate) fn is_model_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=NAME).contains(&length) && !name.chars().any(char::is_control)
}

/// Why the Ollama server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OllamaError {
    #[error("no Ollama server is set; name one with OLLAMA_API_URL")]
    NoAddress,
    #[error("the Ollama server cannot be reached: {0}")]
    Unreachable(String),
    #[error("{0}")]
    Refused(String),
    #[error("the connection to the Ollama server broke: {0}")]
    Broken(String),
}

/// An Ollama server, if one is set.
#[derive(Clone, Debug)]
pub(crate) struct Ollama {
    http: reqwest::Client,
    base: Option<Url>,
}

impl Ollama {
    /// The server at an address; an empty one means there is none.
    pub(crate) fn new(url: &str) -> Result<Self, SetupError> {
        let base = Some(url).filter(|url| !url.is_empty());
        Ok(Ollama {
            http: http_client()?,
            base: base.map(address).transpose()?,
        })
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Response, OllamaError> {
        let mut url = self.base.clone().ok_or(OllamaError::NoAddress)?;
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(["api", path]);
        }
        let mut request = self.http.request(method, url);
        if !body.is_null() {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = tokio::time::timeout(PATIENCE, request.send()).await;
        match response {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(e)) => Err(OllamaError::Unreachable(broken(&e).to_string())),
            Err(_) => Err(OllamaError::Unreachable(format!(
                "no answer within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// The models that are there; nothing when there is no address of a server.
    pub(crate) async fn models(&self) -> Result<Option<Vec<Value>>, OllamaError> {
        if self.base.is_none() {
            return Ok(None);
        }
        let response = self.ask(Method::GET, "tags", &Value::Null).await?;
        let mut told = whole(response).await?;
        match told.get_mut("models").map(Value::take) {
            Some(Value::Array(models)) => Ok(Some(models)),
            _ => Err(OllamaError::Broken("it tells no list of models".into())),
        }
    }

    /// What the server knows of a model; nothing when it has none of that name, or there is no server.
    pub(crate) async fn show(&self, model: &str) -> Result<Option<Value>, OllamaError> {
        if self.base.is_none() {
            return Ok(None);
        }
        let body = json!({ "model": model, "name": model });
        let response = self.ask(Method::POST, "show", &body).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            _ => whole(response).await.map(Some),
        }
    }

    /// Begins to pull a model; dropping the pull ends it.
    pub(crate) async fn pull(&self, model: &str) -> Result<Pull, OllamaError> {
        // Older servers know the model by `name`.
        let body = json!({ "model": model, "name": model, "stream": true });
        let response = self.ask(Method::POST, "pull", &body).await?;
        if response.status().is_success() {
            return Ok(Pull {
                response,
                lines: VecDeque::new(),
                buffer: Vec::new(),
                ended: false,
            });
        }
        Err(refusal(response).await)
    }

    /// Deletes a model; false when it is not there.
    pub(crate) async fn delete(&self, model: &str) -> Result<bool, OllamaError> {
        let body = json!({ "model": model, "name": model });
        let response = self.ask(Method::DELETE, "delete", &body).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refusal(response).await),
        }
    }
}

/// An answer that is one object.
async fn whole(mut response: Response) -> Result<Value, OllamaError> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    let read = async {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| broken(&e).to_string())? {
            if body.len() + chunk.len() > ANSWER {
                return Err(format!("its answer has more than {ANSWER} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| "it sent something that is no JSON".to_owned())
    };
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(value @ Value::Object(_))) => Ok(value),
        Ok(Ok(_)) => Err(OllamaError::Broken("it sent no object".into())),
        Ok(Err(e)) => Err(OllamaError::Broken(e)),
        Err(_) => Err(OllamaError::Broken("it did not end its answer".into())),
    }
}

/// What a refusal says.
async fn refusal(mut response: Response) -> OllamaError {
    let status = response.status();
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > LINE {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    let said: Option<Value> = serde_json::from_slice(&body).ok();
    let said = said.as_ref().and_then(|v| v["error"].as_str());
    OllamaError::Refused(match said {
        Some(said) => calm(said),
        None => format!("the Ollama server answered {status}"),
    })
}

fn calm(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// A pull at work.
pub(crate) struct Pull {
    response: Response,
    lines: VecDeque<Map<String, Value>>,
    buffer: Vec<u8>,
    ended: bool,
}

impl Pull {
    /// The next thing the server says; nothing at the end. What it says went wrong is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Map<String, Value>>, OllamaError> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return match line.get("error").and_then(Value::as_str) {
                    Some(error) => Err(OllamaError::Refused(calm(error))),
                    None => Ok(Some(line)),
                };
            }
            if self.ended {
                return Ok(None);
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.take(&chunk)?,
                Ok(None) => {
                    self.ended = true;
                    self.take(b"\n")?;
                }
                Err(e) => return Err(OllamaError::Broken(broken(&e).to_string())),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), OllamaError> {
        for byte in chunk {
            if *byte != b'\n' {
                if self.buffer.len() >= LINE {
                    return Err(OllamaError::Broken("it sent a line without an end".into()));
                }
                self.buffer.push(*byte);
                continue;
            }
            if !self.buffer.trim_ascii().is_empty() {
                let line = serde_json::from_slice(&self.buffer)
                    .map_err(|_| OllamaError::Broken("it sent something that is no JSON".into()))?;
                self.lines.push_back(line);
            }
            self.buffer.clear();
        }
        Ok(())
    }
}
