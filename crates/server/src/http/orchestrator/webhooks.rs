//! Webhooks of running workflows (orchestrator spec 1.14, 3.9).
//!
//! A caller with an account reaches the workflows of that account. A sender without one signs the body with the secret
//! that the owner has set: `X-Webhook-Signature: sha256=<HMAC-SHA256 of the body, in hexadecimal digits>`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::Value;
use nodetool_sdk::steps::WebhookCall;
use nodetool_store::now_micros;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::execution::shown_headers;
use super::{Envelope, ErrorCode};
use crate::http::extract::{Query, Room, read_up_to};
use crate::http::rate::address_of;
use crate::http::{ApiError, AppState, json};
use crate::json_text;
use crate::sensitive::Sensitive;
use crate::services::loops::WebhookError;
use crate::services::{Caller, SecretsError, zulu_text};

/// Largest body of a call.
const LARGEST: usize = 1 << 20;

/// Holds the signature of a sender without an account.
pub(in crate::http) const SIGNATURE: &str = "x-webhook-signature";

/// Whether a request is a call of a webhook that says it is signed: it needs no token, its route looks at it.
pub(in crate::http) fn is_signed_call(parts: &Parts) -> bool {
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).take(5).collect();
    parts.method == Method::POST
        && matches!(path[..], ["api", "webhooks", _])
        && parts.headers.contains_key(SIGNATURE)
}

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(call_webhook))
        .routes(routes!(
            get_webhook_secret,
            set_webhook_secret,
            delete_webhook_secret
        ))
}

/// A call that was taken.
#[derive(Serialize, ToSchema)]
struct AcceptedCall {
    status: &'static str,
    webhook_id: String,
    /// Runs that wait for it.
    subscribers: usize,
    message: &'static str,
}

impl From<WebhookError> for Envelope {
    fn from(e: WebhookError) -> Self {
        let text = e.to_string();
        match e {
            WebhookError::BadId => Envelope::not_found("Webhook", text),
            WebhookError::Full(_) => Envelope::new(ErrorCode::RateLimited, text),
            WebhookError::BadSignature => Envelope::new(ErrorCode::Unauthorized, text),
            WebhookError::BadSecret => {
                Envelope::invalid(text).field("secret", "Expected a text of 16 to 1024 bytes.")
            }
            WebhookError::Secrets(SecretsError::Store(e)) | WebhookError::Store(e) => {
                ApiError::from(e).into()
            }
            WebhookError::Secrets(e) => Envelope::internal("the secret of a webhook failed", &e),
        }
    }
}

/// Hands a call to the running workflows that wait for it. It is kept until they take it, and refused when too many wait.
#[utoipa::path(post, path = "/api/webhooks/{webhook_id}", tag = "orchestrator",
    params(("webhook_id" = String, Path, description = "Letters, digits, hyphens and underscores"),
        ("x-webhook-signature" = Option<String>, Header,
            description = "`sha256=` and the HMAC-SHA256 of the body under the webhook's secret; instead of a token")),
    request_body(content = String, description = "JSON up to 1 MiB; what is none counts as an empty object",
        content_type = "application/json"),
    responses((status = 202, body = AcceptedCall), (status = 401, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn call_webhook(
    State(app): State<AppState>,
    Parted(webhook_id): Parted<String>,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Envelope> {
    let from = address_of(request.extensions());
    let caller = request.extensions().get::<Caller>().cloned();
    let headers = request.headers().clone();
    let room = Room {
        bytes: LARGEST,
        setting: None,
    };
    let bytes = read_up_to(request, room).await?;
    let caller = match caller {
        Some(caller) => caller,
        None => {
            // Whoever guesses is slowed down as with any other secret.
            let logins = &app.door.failed_logins;
            if !logins.allowed(from) {
                let text = "Too many failed attempts; try again in a minute";
                return Err(Envelope::new(ErrorCode::RateLimited, text));
            }
            let signature = headers.get(SIGNATURE).and_then(|v| v.to_str().ok());
            let signer = app
                .loops
                .signer(&webhook_id, &bytes, signature.unwrap_or_default());
            let signer = signer.await;
            if matches!(signer, Err(WebhookError::BadSignature)) {
                logins.failed(from);
            }
            signer?
        }
    };
    let call = WebhookCall {
        body: body_of(&bytes),
        headers: shown(&headers),
        method: "POST".into(),
        query_params: query.lists(),
        received_at: zulu_text(now_micros()),
    };
    let taken = app.loops.call_webhook(&caller, &webhook_id, call).await;
    let subscribers = match taken {
        Err(e @ WebhookError::Full(_)) => {
            let mut response = Envelope::from(e).into_response();
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
            return Ok(response);
        }
        taken => taken?,
    };
    let body = AcceptedCall {
        status: "accepted",
        webhook_id,
        subscribers,
        message: if subscribers > 0 {
            "Webhook data published"
        } else {
            "No subscribers listening"
        },
    };
    Ok((StatusCode::ACCEPTED, json(&body)).into_response())
}

fn shown(headers: &HeaderMap) -> nodetool_protocol::Map {
    let mut shown = shown_headers(headers);
    shown.shift_remove(SIGNATURE);
    shown
}

/// What was sent: `input` where that is all there is of an object; what is no JSON is an empty object.
fn body_of(bytes: &[u8]) -> Value {
    let value = json_text::parse(bytes).unwrap_or_else(|_| nodetool_protocol::Map::new().into());
    match &value {
        Value::Map(map) => match map.get("input") {
            Some(input @ Value::Map(_)) => input.clone(),
            _ => value,
        },
        _ => value,
    }
}

/// Whether a webhook takes senders without an account.
#[derive(Serialize, ToSchema)]
struct WebhookSecretBody {
    webhook_id: String,
    has_secret: bool,
}

/// The secret senders sign with.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct WebhookSecretRequest {
    /// 16 to 1024 bytes.
    secret: String,
}

/// Whether a webhook of the caller's takes signed calls of senders without an account. The secret is never shown.
#[utoipa::path(get, path = "/api/webhooks/{webhook_id}/secret", tag = "orchestrator",
    params(("webhook_id" = String, Path)),
    responses((status = 200, body = WebhookSecretBody), (status = 404, body = EnvelopeBody)))]
async fn get_webhook_secret(
    State(app): State<AppState>,
    caller: Caller,
    Parted(webhook_id): Parted<String>,
) -> Result<Response, Envelope> {
    let has_secret = app.loops.has_webhook_secret(&caller, &webhook_id).await?;
    Ok(json(&WebhookSecretBody {
        webhook_id,
        has_secret,
    }))
}

/// Sets the secret by which senders without an account sign what they send.
#[utoipa::path(put, path = "/api/webhooks/{webhook_id}/secret", tag = "orchestrator",
    params(("webhook_id" = String, Path)), request_body = WebhookSecretRequest,
    responses((status = 200, body = WebhookSecretBody), (status = 400, body = EnvelopeBody),
        (status = 404, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn set_webhook_secret(
    State(app): State<AppState>,
    caller: Caller,
    Parted(webhook_id): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    asked.require("secret");
    let secret = asked.filled("secret", 1024);
    asked.finish()?;
    let secret = Sensitive::new(secret.unwrap_or_default());
    app.loops
        .set_webhook_secret(&caller, &webhook_id, secret)
        .await?;
    Ok(json(&WebhookSecretBody {
        webhook_id,
        has_secret: true,
    }))
}

/// Takes the secret away: only callers with an account reach the webhook from then on.
#[utoipa::path(delete, path = "/api/webhooks/{webhook_id}/secret", tag = "orchestrator",
    params(("webhook_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_webhook_secret(
    State(app): State<AppState>,
    caller: Caller,
    Parted(webhook_id): Parted<String>,
) -> Result<Response, Envelope> {
    if app
        .loops
        .delete_webhook_secret(&caller, &webhook_id)
        .await?
    {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Envelope::not_found("Webhook", "The webhook has no secret"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_unwrapped_and_what_is_no_json_is_empty() {
        let body = |text: &str| serde_json::to_string(&body_of(text.as_bytes())).unwrap();
        assert_eq!(body(r#"{"input":{"a":1}}"#), r#"{"a":1}"#);
        assert_eq!(body(r#"{"input":1}"#), r#"{"input":1}"#);
        assert_eq!(body(r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(body("[1]"), "[1]");
        for none in ["", "{", "x"] {
            assert_eq!(body(none), "{}");
        }
    }
}
