//! Requests to providers: sent with patience, refusals read, streams that say how they broke off.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, stream};
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use reqwest::{RequestBuilder, Response, StatusCode, header};
use serde_json::Value;

use crate::Account;
use crate::sse::{BadStream, Event, Events, Lines};

/// Most bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 << 10;
/// Most bytes of an answer that comes in one piece.
const MAX_ANSWER: usize = 256 << 20;
/// Most characters of a provider's own words.
const MAX_WORDS: usize = 2000;

impl Account {
    /// A failure in words of ours.
    pub(crate) fn error(&self, kind: ModelErrorKind, message: impl Into<String>) -> ModelError {
        ModelError::new(kind, &self.provider, message)
    }

    /// What came is not what the protocol says.
    pub(crate) fn nonsense(&self, what: impl std::fmt::Display) -> ModelError {
        let message = format!(
            "{} answered with something unexpected: {what}",
            self.provider
        );
        self.error(ModelErrorKind::Protocol, message)
    }

    /// What the client says of a failed exchange; never an address with a key in it.
    pub(crate) fn broken(&self, e: &reqwest::Error) -> ModelError {
        if e.is_timeout() {
            return self.too_slow();
        }
        let mut cause: &dyn std::error::Error = e;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let message = if e.is_connect() {
            format!("{} cannot be reached: {cause}", self.provider)
        } else {
            format!("the connection to {} broke off: {cause}", self.provider)
        };
        self.error(ModelErrorKind::Connection, message)
    }

    pub(crate) fn too_slow(&self) -> ModelError {
        let message = format!("{} did not answer in time", self.provider);
        self.error(ModelErrorKind::TimedOut, message)
    }

    /// There are signs of life and no answer.
    fn only_alive(&self) -> ModelError {
        let message = format!("{} is there, but does not answer", self.provider);
        self.error(ModelErrorKind::TimedOut, message)
    }

    /// Sends a request; anything but success is an error with the provider's own words.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Response, ModelError> {
        let response = self.exchange(request, patience).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// Sends a request and gives the answer, whatever its status.
    pub(crate) async fn exchange(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Response, ModelError> {
        let response = tokio::time::timeout(patience, request.send()).await;
        response
            .map_err(|_| self.too_slow())?
            .map_err(|e| self.broken(&e))
    }

    /// Sends a request and reads its JSON answer.
    pub(crate) async fn json(
        &self,
        request: RequestBuilder,
        patience: Duration,
    ) -> Result<Value, ModelError> {
        let work = async {
            let response = self.send(request, patience).await?;
            let body = self.whole(response, MAX_ANSWER).await?;
            serde_json::from_slice(&body).map_err(|e| self.nonsense(e))
        };
        let result = tokio::time::timeout(patience, work).await;
        result.map_err(|_| self.too_slow())?
    }

    /// Reads a body to its end, up to a size.
    pub(crate) async fn whole(
        &self,
        mut response: Response,
        most: usize,
    ) -> Result<Vec<u8>, ModelError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|e| self.broken(&e))? {
            if body.len() + piece.len() > most {
                return Err(self.nonsense(format_args!("more than {most} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// Reads a refusal.
    pub(crate) async fn refusal(&self, mut response: Response) -> ModelError {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(piece)) = response.chunk().await {
                body.extend_from_slice(&piece[..piece.len().min(MAX_REFUSAL - body.len())]);
                if body.len() == MAX_REFUSAL {
                    break;
                }
            }
        };
        // Without its words the refusal still has a status.
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await;
        self.refused(status, retry_after, &body)
    }

    /// A refusal, from its status and body.
    pub(crate) fn refused(
        &self,
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> ModelError {
        let json = serde_json::from_slice::<Value>(body).unwrap_or_default();
        // Gemini puts its refusals into a list.
        let json = match json {
            Value::Array(mut items) if !items.is_empty() => items.swap_remove(0),
            json => json,
        };
        let about = match &json["error"] {
            Value::Null => &json,
            about => about,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let words = text(&about["message"])
            .or_else(|| text(about))
            .or_else(|| text(&about["detail"]))
            .or_else(|| text(&json["detail"]))
            .or_else(|| faults(&json["detail"]))
            .unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
        // A router has the words of whom it asked beside its own.
        let words = match text(&about["metadata"]["raw"]) {
            Some(raw) => format!("{words}: {raw}"),
            None => words,
        };
        let words = match &self.key {
            // A provider that repeats the key must not put it into a log.
            Some(key) if key.expose().len() >= 4 => words.replace(key.expose(), "…"),
            _ => words,
        };
        let words: String = words.chars().take(MAX_WORDS).collect();
        let code = text(&about["code"])
            .or_else(|| text(&about["status"]))
            .or_else(|| text(&about["type"]));
        let kind = kind_of(
            status,
            code.as_deref().unwrap_or_default(),
            &words,
            retry_after,
        );
        let message = match words.is_empty() {
            true => format!("{} answered {}", self.provider, status.as_u16()),
            false => words,
        };
        ModelError {
            status: Some(status.as_u16()),
            code,
            param: text(&about["param"]),
            ..self.error(kind, message)
        }
    }

    /// An error that a provider tells in the middle of a stream that began well.
    pub(crate) fn told(&self, event: &Value) -> ModelError {
        let about = match &event["error"] {
            Value::Null => event,
            about => about,
        };
        let status = about["code"].as_u64().or_else(|| about["status"].as_u64());
        let status =
            status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
        // Some say more in the one word, some in the other.
        let words = [&about["code"], &about["type"]];
        let meant = words.into_iter().find_map(|word| {
            Some(match word.as_str()? {
                "overloaded_error" => StatusCode::SERVICE_UNAVAILABLE,
                "rate_limit_error" | "rate_limit_exceeded" => StatusCode::TOO_MANY_REQUESTS,
                "invalid_request_error" | "invalid_prompt" | "context_length_exceeded" => {
                    StatusCode::BAD_REQUEST
                }
                "authentication_error" | "invalid_api_key" => StatusCode::UNAUTHORIZED,
                "permission_error" => StatusCode::FORBIDDEN,
                "insufficient_quota" => StatusCode::TOO_MANY_REQUESTS,
                "model_not_found" => StatusCode::NOT_FOUND,
                _ => return None,
            })
        });
        let status = status
            .or(meant)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.refused(status, None, event.to_string().as_bytes())
    }

    /// The events of a stream; each piece within the patience. Ends where the connection ends well.
    pub(crate) fn events(
        &self,
        response: Response,
    ) -> impl Stream<Item = Result<Event, ModelError>> + Send + 'static {
        let mut source = (
            self.clone(),
            Some(response),
            Events::default(),
            VecDeque::new(),
        );
        // Some servers send the head at once and think then.
        let (later, first) = (self.patience.next_byte, self.patience.first_byte);
        source.0.patience.next_byte = later.max(first);
        let most = self.patience.without_data();
        stream::unfold(
            source,
            move |(mut account, mut response, mut events, mut ready)| async move {
                // Signs of life are none of an answer: whoever sends nothing else is given up.
                let since = Instant::now();
                loop {
                    if let Some(event) = ready.pop_front() {
                        return Some((Ok(event), (account, response, events, ready)));
                    }
                    let open = response.as_mut()?;
                    if since.elapsed() > most {
                        let e = account.only_alive();
                        return Some((Err(e), (account, None, events, ready)));
                    }
                    let read = match account.piece(open).await {
                        Ok(Some(piece)) => {
                            account.patience.next_byte = later;
                            events.push(&piece).map_err(|e| account.bad(&e))
                        }
                        Ok(None) => {
                            response = None;
                            let rest = events.rest().map_err(|e| account.bad(&e));
                            rest.map(|event| event.into_iter().collect())
                        }
                        Err(e) => Err(e),
                    };
                    match read {
                        Ok(more) => ready.extend(more),
                        Err(e) => return Some((Err(e), (account, None, events, ready))),
                    }
                }
            },
        )
    }

    /// The lines of a stream of JSON lines; empty ones left out.
    pub(crate) fn lines(
        &self,
        response: Response,
    ) -> impl Stream<Item = Result<String, ModelError>> + Send + 'static {
        let source = (
            self.clone(),
            Some(response),
            Lines::default(),
            VecDeque::new(),
        );
        let most = self.patience.without_data();
        stream::unfold(
            source,
            move |(account, mut response, mut lines, mut ready)| async move {
                let since = Instant::now();
                loop {
                    match ready.pop_front() {
                        Some(line) if String::is_empty(&line) => continue,
                        Some(line) => return Some((Ok(line), (account, response, lines, ready))),
                        None => {}
                    }
                    let open = response.as_mut()?;
                    if since.elapsed() > most {
                        let e = account.only_alive();
                        return Some((Err(e), (account, None, lines, ready)));
                    }
                    let read = match account.piece(open).await {
                        Ok(Some(piece)) => lines.push(&piece).map_err(|e| account.bad(&e)),
                        Ok(None) => {
                            response = None;
                            let rest = lines.rest().map_err(|e| account.bad(&e));
                            rest.map(|line| line.into_iter().collect())
                        }
                        Err(e) => Err(e),
                    };
                    match read {
                        Ok(more) => ready.extend(more),
                        Err(e) => return Some((Err(e), (account, None, lines, ready))),
                    }
                }
            },
        )
    }

    /// The next piece of a body, within the patience.
    pub(crate) async fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, ModelError> {
        match tokio::time::timeout(self.patience.next_byte, response.chunk()).await {
            Ok(piece) => piece.map_err(|e| self.broken(&e)),
            Err(_) => Err(self.error(
                ModelErrorKind::TimedOut,
                format!("{} stopped in the middle of its answer", self.provider),
            )),
        }
    }

    fn bad(&self, e: &BadStream) -> ModelError {
        self.nonsense(match e {
            BadStream::TooLong => "a line without end",
            BadStream::NotText => "bytes that are no text",
        })
    }
}

/// Faults of fields, as services that check their input with pydantic list them.
fn faults(detail: &Value) -> Option<String> {
    let faults = detail.as_array()?.iter().take(8).filter_map(|fault| {
        let place = fault["loc"].as_array()?.iter().filter_map(Value::as_str);
        let place: Vec<_> = place.filter(|part| *part != "body").collect();
        Some(format!("{}: {}", place.join("."), fault["msg"].as_str()?))
    });
    let faults: Vec<_> = faults.collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

fn kind_of(
    status: StatusCode,
    code: &str,
    words: &str,
    retry_after: Option<Duration>,
) -> ModelErrorKind {
    let words = words.to_ascii_lowercase();
    let too_long = code == "context_length_exceeded"
        || [
            "context length",
            "context window",
            "context size",
            "maximum prompt length",
            "context limit",
            "maximum context",
            "prompt is too long",
            "too many tokens",
            "exceeds the maximum number of tokens",
        ]
        .iter()
        .any(|sign| words.contains(sign));
    match status.as_u16() {
        400 | 413 | 422 if too_long => ModelErrorKind::ContextTooLong,
        // Gemini and xAI say 400 to a wrong key.
        400 if words.contains("api key not valid") || words.contains("incorrect api key") => {
            ModelErrorKind::Unauthorized
        }
        // Anthropic says 400 to an empty purse.
        400 if words.contains("credit balance is too low") => ModelErrorKind::Forbidden,
        401 => ModelErrorKind::Unauthorized,
        402 | 403 => ModelErrorKind::Forbidden,
        404 => ModelErrorKind::UnknownModel,
        408 | 504 => ModelErrorKind::TimedOut,
        // Money that is used up does not come back by waiting.
        429 if code == "insufficient_quota" => ModelErrorKind::Forbidden,
        429 => ModelErrorKind::RateLimited { retry_after },
        // An address that leads elsewhere leads there the next time, too.
        300..400 => ModelErrorKind::Protocol,
        400..500 => ModelErrorKind::BadRequest,
        _ => ModelErrorKind::Server,
    }
}
