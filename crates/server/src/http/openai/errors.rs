//! Refusals as clients of OpenAI read them, with the `detail` that all refusals of this server have (HTTP spec 6.20).
//!
//! Statuses are what users of the SDKs expect, who catch an error class for each:
//!
//! | What happened | Status, `code` | Why |
//! |---|---|---|
//! | the request is wrong | 400 | `BadRequestError`, with the place in `param` |
//! | no such model or provider | 404 `model_not_found` | as OpenAI says it |
//! | the key of a provider is not set here | 400 `provider_key_missing` | the caller's own token is right, so 401 would send them looking in the wrong place, and another try is no use |
//! | the provider does not take the key it was given | 502 `provider_key_rejected` | a fault between this server and the provider; marked as not worth another try |
//! | the account may not | 403 `permission_denied`, 429 `insufficient_quota` | as OpenAI says it |
//! | too many requests | 429 with `Retry-After` | passed through |
//! | the conversation is too long | 400 `context_length_exceeded` | as OpenAI says it |
//! | the provider fails, or cannot be reached | 502 | SDKs try 5xx again |
//! | the provider is silent | 504 | the same |
//!
//! `x-should-retry: false` is what the SDKs read before they judge by the status.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::ApiError;
use crate::services::WORKFLOW_FAILED;

/// Most bytes of a refusal whose form is changed.
const MAX_REFUSAL: usize = 1 << 20;

/// A refusal as the clients of OpenAI read it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenAiRefusal {
    error: OpenAiFault,
    /// The message again, where other clients look for it.
    detail: String,
}

/// What is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct OpenAiFault {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field of the request it is about.
    param: Option<String>,
    code: Option<String>,
}

/// Marks an answer that has the form already.
#[derive(Clone, Copy)]
struct Shaped;

/// A request that is not done.
#[derive(Debug)]
pub(crate) struct OpenAiError {
    status: StatusCode,
    fault: OpenAiFault,
    retry_after: Option<Duration>,
    /// Another try is no use, although the status would say so.
    final_: bool,
}

impl OpenAiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let fault = OpenAiFault {
            message: message.into(),
            kind: kind_of(status),
            param: None,
            code: None,
        };
        OpenAiError {
            status,
            fault,
            retry_after: None,
            final_: false,
        }
    }

    fn coded(mut self, code: impl Into<String>) -> Self {
        self.fault.code = Some(code.into());
        self
    }

    fn about(mut self, param: impl Into<String>) -> Self {
        self.fault.param = Some(param.into());
        self
    }

    /// A field that is not as it must be.
    pub(super) fn bad(param: &str, code: &str, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, message);
        error.coded(code).about(param)
    }

    /// A field whose value is not one of those it may have.
    pub(super) fn value(param: &str, message: impl Into<String>) -> Self {
        Self::bad(param, "invalid_value", message)
    }

    /// Something that is asked for and not done here.
    pub(super) fn unsupported(param: &str, message: impl Into<String>) -> Self {
        Self::bad(param, "unsupported_value", message)
    }

    pub(super) fn no_model(model: &str) -> Self {
        let model: String = model.chars().take(200).collect();
        let message = format!("The model `{model}` does not exist or you do not have access to it");
        let error = Self::new(StatusCode::NOT_FOUND, message);
        error.coded("model_not_found").about("model")
    }

    /// Nobody known asks.
    pub(in crate::http) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message).coded("invalid_api_key")
    }

    pub(super) fn message(&self) -> &str {
        &self.fault.message
    }

    #[cfg(test)]
    pub(super) fn fault(&self) -> &OpenAiFault {
        &self.fault
    }

    pub(super) fn code(&self) -> &str {
        self.fault.code.as_deref().unwrap_or("server_error")
    }
}

fn kind_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

impl From<ModelError> for OpenAiError {
    fn from(e: ModelError) -> Self {
        let code = e.code.as_deref();
        let (status, ours, param) = match &e.kind {
            ModelErrorKind::NoModel => (StatusCode::BAD_REQUEST, "model_required", Some("model")),
            ModelErrorKind::UnknownProvider | ModelErrorKind::UnknownModel => {
                (StatusCode::NOT_FOUND, "model_not_found", Some("model"))
            }
            ModelErrorKind::MissingKey { .. } => (
                StatusCode::BAD_REQUEST,
                "provider_key_missing",
                Some("model"),
            ),
            ModelErrorKind::Unauthorized => {
                (StatusCode::BAD_GATEWAY, "provider_key_rejected", None)
            }
            ModelErrorKind::Forbidden if code == Some("insufficient_quota") => {
                (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota", None)
            }
            ModelErrorKind::Forbidden => (StatusCode::FORBIDDEN, "permission_denied", None),
            ModelErrorKind::RateLimited { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", None)
            }
            ModelErrorKind::ContextTooLong => (
                StatusCode::BAD_REQUEST,
                "context_length_exceeded",
                Some("messages"),
            ),
            ModelErrorKind::BadRequest => (
                StatusCode::BAD_REQUEST,
                code.unwrap_or("invalid_request"),
                None,
            ),
            ModelErrorKind::Unsupported => (StatusCode::BAD_REQUEST, "unsupported_value", None),
            ModelErrorKind::Refused => (StatusCode::BAD_REQUEST, "content_policy_violation", None),
            ModelErrorKind::Budget => (StatusCode::TOO_MANY_REQUESTS, "budget_exceeded", None),
            ModelErrorKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "provider_timeout", None),
            ModelErrorKind::Connection => (StatusCode::BAD_GATEWAY, "provider_unreachable", None),
            ModelErrorKind::Server if code == Some(WORKFLOW_FAILED) => {
                (StatusCode::BAD_GATEWAY, WORKFLOW_FAILED, Some("model"))
            }
            ModelErrorKind::Server | ModelErrorKind::Protocol => {
                (StatusCode::BAD_GATEWAY, "provider_error", None)
            }
            ModelErrorKind::Internal => {
                tracing::error!(provider.id = %e.provider, error = %e.message, "a call of a model failed here");
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None)
            }
        };
        let mut error = OpenAiError::new(status, e.message.clone()).coded(ours);
        error.fault.param = e.param.or_else(|| param.map(str::to_owned));
        error.final_ = matches!(
            e.kind,
            ModelErrorKind::Unauthorized | ModelErrorKind::Forbidden | ModelErrorKind::Budget
        ) || ours == WORKFLOW_FAILED;
        if let ModelErrorKind::RateLimited { retry_after } = e.kind {
            error.retry_after = retry_after;
        }
        error
    }
}

impl From<ApiError> for OpenAiError {
    fn from(e: ApiError) -> Self {
        let message = match e.faults() {
            text if text.is_empty() => e.detail().to_owned(),
            text => text,
        };
        // What other routes call unprocessable, OpenAI calls a bad request.
        let status = match e.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        OpenAiError::new(status, message)
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let detail = self.fault.message.clone();
        let body = OpenAiRefusal {
            error: self.fault,
            detail,
        };
        let mut response = super::super::json(&body);
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Shaped);
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            let seconds = HeaderValue::from(wait.as_secs_f64().ceil() as u64);
            headers.insert(header::RETRY_AFTER, seconds);
        }
        if self.final_ {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

/// Adds the form that clients of OpenAI read to refusals that were not made here: of the door, of limits, of the router.
pub(in crate::http) async fn shape(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let ours = path == "/v1" || path.starts_with("/v1/");
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let json = kind.is_some_and(|kind| kind == "application/json");
    if !ours || !refused || !json || response.extensions().get::<Shaped>().is_some() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_REFUSAL).await else {
        return ApiError::internal(
            "a refusal cannot be read",
            &std::io::Error::other("too large"),
        )
        .into_response();
    };
    let mut value = serde_json::from_slice(&bytes).unwrap_or_default();
    // The answer to a HEAD request has no body.
    if let serde_json::Value::Object(map) = &mut value {
        let detail = map
            .get("detail")
            .and_then(|d| d.as_str())
            .unwrap_or_default();
        let mut error = OpenAiError::new(head.status, detail);
        if head.status == StatusCode::UNAUTHORIZED {
            error = error.coded("invalid_api_key");
        }
        map.insert(
            "error".into(),
            serde_json::to_value(error.fault).unwrap_or_default(),
        );
    } else {
        return Response::from_parts(head, bytes.into());
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, value.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_kind_of_failure_has_the_status_that_clients_expect() {
        let key = "OPENAI_API_KEY".to_owned();
        let wait = Some(Duration::from_millis(1500));
        for (kind, status, code, retry) in [
            (ModelErrorKind::NoModel, 400, "model_required", true),
            (
                ModelErrorKind::UnknownProvider,
                404,
                "model_not_found",
                true,
            ),
            (ModelErrorKind::UnknownModel, 404, "model_not_found", true),
            (
                ModelErrorKind::MissingKey { key },
                400,
                "provider_key_missing",
                true,
            ),
            (
                ModelErrorKind::Unauthorized,
                502,
                "provider_key_rejected",
                false,
            ),
            (ModelErrorKind::Forbidden, 403, "permission_denied", false),
            (
                ModelErrorKind::RateLimited { retry_after: wait },
                429,
                "rate_limit_exceeded",
                true,
            ),
            (
                ModelErrorKind::ContextTooLong,
                400,
                "context_length_exceeded",
                true,
            ),
            (ModelErrorKind::BadRequest, 400, "invalid_request", true),
            (ModelErrorKind::Unsupported, 400, "unsupported_value", true),
            (
                ModelErrorKind::Refused,
                400,
                "content_policy_violation",
                true,
            ),
            (
                ModelErrorKind::Connection,
                502,
                "provider_unreachable",
                true,
            ),
            (ModelErrorKind::TimedOut, 504, "provider_timeout", true),
            (ModelErrorKind::Server, 502, "provider_error", true),
            (ModelErrorKind::Protocol, 502, "provider_error", true),
            (ModelErrorKind::Budget, 429, "budget_exceeded", false),
            (ModelErrorKind::Internal, 500, "server_error", true),
        ] {
            let limited = matches!(kind, ModelErrorKind::RateLimited { .. });
            let error = OpenAiError::from(ModelError::new(kind, "p", "words"));
            let response = error.into_response();
            assert_eq!(response.status().as_u16(), status, "{code}");
            let headers = response.headers();
            assert_eq!(headers.contains_key("x-should-retry"), !retry, "{code}");
            let after = headers
                .get(header::RETRY_AFTER)
                .map(|v| v.to_str().unwrap());
            assert_eq!(after, limited.then_some("2"));
            let body = to_bytes(response.into_body(), MAX_REFUSAL).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["code"], code);
            assert_eq!(body["error"]["message"], "words");
            assert_eq!(body["detail"], "words");
        }
    }

    #[test]
    fn money_that_is_used_up_is_a_limit_that_waiting_does_not_lift() {
        let mut e = ModelError::new(ModelErrorKind::Forbidden, "p", "no credit");
        e.code = Some("insufficient_quota".into());
        let error = OpenAiError::from(e);
        assert_eq!(error.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(error.final_);
        assert_eq!(error.code(), "insufficient_quota");
    }
}
