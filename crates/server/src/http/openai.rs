//! The OpenAI-compatible routes (HTTP spec 6.20). No provider can be configured yet, which is what they say.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json;

/// The routes, which need nothing of the server.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::new()
        .routes(routes!(list_provider_models))
        .routes(routes!(create_chat_completion))
}

/// A refusal as the clients of OpenAI read it.
#[derive(Serialize, ToSchema)]
struct OpenAiRefusal {
    error: OpenAiError,
    detail: &'static str,
}

#[derive(Serialize, ToSchema)]
struct OpenAiError {
    message: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<String>,
    code: &'static str,
}

/// A refusal in the shape of OpenAI, with the `detail` that all our refusals have.
pub(super) fn refusal(status: StatusCode, message: &'static str, code: &'static str) -> Response {
    let kind = if status.is_server_error() {
        "server_error"
    } else {
        "invalid_request_error"
    };
    let error = OpenAiError {
        message,
        kind,
        param: None,
        code,
    };
    let mut response = json(&OpenAiRefusal {
        error,
        detail: message,
    });
    *response.status_mut() = status;
    response
}

fn no_provider() -> Response {
    let message = "no provider configured: this server cannot reach language models yet";
    refusal(StatusCode::SERVICE_UNAVAILABLE, message, "no_provider")
}

/// Would list the models of all providers.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 503, body = OpenAiRefusal)))]
async fn list_provider_models() -> Response {
    no_provider()
}

/// Would have a model answer.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", responses((status = 503, body = OpenAiRefusal)))]
async fn create_chat_completion() -> Response {
    no_provider()
}
