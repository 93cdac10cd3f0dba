//! How a turn's end is told: the end marker, the word that it was stopped, and errors (socket spec 8.9).

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{ModelError, ModelErrorKind};

use super::turn::{Turn, TurnError};

/// What is told of an error.
pub(super) struct Told {
    pub(super) frame: Map,
    /// What the assistant says about it.
    pub(super) message: Option<String>,
}

/// The last message of a turn.
pub(super) fn end_marker(turn: &Turn, more: Map) -> Map {
    let mut marker = turn.chunk(String::new(), false);
    marker.insert("done".into(), true.into());
    marker.extend(more);
    marker
}

/// The word that a turn was stopped.
pub(super) fn stopped(turn: &Turn, job_id: Option<&Arc<str>>) -> Map {
    turn.frame(
        "generation_stopped",
        [
            ("message", "Generation stopped by user".into()),
            ("job_id", job_id.cloned().into()),
        ],
    )
}

/// What is told of a failed turn.
pub(super) fn told(turn: &Turn, error: TurnError) -> Told {
    let plain = |text: String, more: Vec<(&'static str, Value)>| {
        let mut frame = turn.frame("error", [("message", text.into())]);
        frame.extend(more.into_iter().map(|(k, v)| (k.into(), v)));
        frame
    };
    match error {
        TurnError::Model(e) => of_model(&e, plain),
        TurnError::Agent(text) => {
            let text = format!("Agent execution error: {text}");
            let kind = vec![("error_type", "agent_error".into())];
            Told {
                frame: plain(text.clone(), kind),
                message: Some(text),
            }
        }
        TurnError::Workflow(begins, text) => {
            let text = format!("{begins}: {text}");
            Told {
                frame: plain(text.clone(), Vec::new()),
                message: Some(text),
            }
        }
        TurnError::Plain(text) => Told {
            frame: plain(text, Vec::new()),
            message: None,
        },
        TurnError::Internal(what, cause) => {
            tracing::error!(thread.id = %turn.thread_id, error = %cause, "{what}");
            Told {
                frame: plain("Internal server error".into(), Vec::new()),
                message: None,
            }
        }
    }
}

fn of_model(e: &ModelError, plain: impl Fn(String, Vec<(&'static str, Value)>) -> Map) -> Told {
    let kind = |word: &'static str| vec![("error_type", Value::from(word))];
    let message = e.message.clone();
    if let ModelErrorKind::MissingKey { .. } = e.kind {
        return Told {
            frame: plain(message, kind("missing_api_key")),
            message: None,
        };
    }
    if let Some(status) = e.status {
        let mut more = kind("http_status_error");
        more.push(("status_code", i64::from(status).into()));
        let said = format!(
            "I encountered an API error (HTTP {status}): {message}{}",
            hint(status)
        );
        return Told {
            frame: plain(message, more),
            message: Some(said),
        };
    }
    match error_type(&e.kind) {
        Some("connection_error") => Told {
            frame: plain(message.clone(), kind("connection_error")),
            message: Some(format!("I encountered a connection error: {message}")),
        },
        Some(word) => Told {
            frame: plain(message, kind(word)),
            message: None,
        },
        None => Told {
            frame: plain(message, Vec::new()),
            message: None,
        },
    }
}

/// What programs tell causes apart by.
fn error_type(kind: &ModelErrorKind) -> Option<&'static str> {
    Some(match kind {
        ModelErrorKind::NoModel => "NO_MODEL_SELECTED",
        ModelErrorKind::UnknownProvider => "unknown_provider",
        ModelErrorKind::UnknownModel => "unknown_model",
        ModelErrorKind::MissingKey { .. } => "missing_api_key",
        ModelErrorKind::ContextTooLong => "context_length_error",
        ModelErrorKind::RateLimited { .. } => "rate_limit_error",
        ModelErrorKind::Unauthorized | ModelErrorKind::Forbidden => "authentication_error",
        ModelErrorKind::Unsupported => "unsupported",
        ModelErrorKind::Refused => "refused",
        ModelErrorKind::Budget => "budget_error",
        ModelErrorKind::Connection | ModelErrorKind::TimedOut => "connection_error",
        ModelErrorKind::BadRequest
        | ModelErrorKind::Server
        | ModelErrorKind::Protocol
        | ModelErrorKind::Internal => return None,
    })
}

/// An error before a turn began, or outside of one.
pub(crate) fn error_frame(e: &ModelError) -> Map {
    let mut frame = Map::new();
    frame.insert("type".into(), "error".into());
    frame.insert("message".into(), e.message.as_str().into());
    if let Some(word) = error_type(&e.kind) {
        frame.insert("error_type".into(), word.into());
    }
    if let Some(status) = e.status {
        frame.insert("status_code".into(), i64::from(status).into());
    }
    frame
}

/// What a person may do about a status.
fn hint(status: u16) -> &'static str {
    match status {
        400 => ". The provider does not take this request; another model may.",
        401 => ". Check the API key of this provider in the settings.",
        403 => ". The account may not use this model.",
        404 => ". The provider has no such model.",
        429 => ". The limit of this provider is reached; try again in a moment.",
        500.. => ". The provider has a problem of its own; try again later.",
        _ => "",
    }
}
