//! Models of an Ollama server (HTTP spec 6.9).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::extract::Query;
use super::super::gate::Admin;
use super::super::{AppState, Refusal, json as json_body};
use super::ApiError;
use super::asked::model_name;
use crate::services::downloads::{OllamaError, Pull};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(delete_ollama_model))
        .routes(routes!(pull_ollama_model))
}

/// Takes a model out of the Ollama server; `false` when it is not there.
#[utoipa::path(delete, path = "/api/models/ollama", tag = "models",
    params(("model_name" = String, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")),
    responses((status = 200, body = bool, content_type = "application/json"), (status = 422, body = Refusal), (status = 502, body = Refusal)))]
async fn delete_ollama_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    query: Query,
) -> Result<Response, ApiError> {
    let model = model_name(&query)?;
    if app.production {
        return Ok(json_body(&false));
    }
    match app.ollama.delete(&model).await {
        Ok(deleted) => {
            if deleted {
                tracing::info!(target: "audit", event = "model.deleted", user.id = %caller.user_id, model.name = %model, "a model was deleted");
            }
            Ok(json_body(&deleted))
        }
        Err(OllamaError::NoAddress) => Ok(json_body(&false)),
        Err(e @ OllamaError::Unreachable(_)) => Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            e.to_string(),
        )),
        Err(e @ (OllamaError::Refused(_) | OllamaError::Broken(_))) => {
            Err(ApiError::new(StatusCode::BAD_GATEWAY, e.to_string()))
        }
    }
}

/// What is said of an Ollama server that does not answer.
#[derive(Serialize, ToSchema)]
struct OllamaAway {
    detail: OllamaTrouble,
}

#[derive(Serialize, ToSchema)]
struct OllamaTrouble {
    /// `unavailable`
    status: &'static str,
    message: String,
    error: String,
}

/// What a pull says at one moment.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a line for the API description")]
struct PullLine {
    #[schema(required = false)]
    status: String,
}

/// Has the Ollama server pull a model: a JSON object per line, as it says them. A line with `status` `error` is the
/// last. Not in production.
#[utoipa::path(post, path = "/api/models/pull_ollama_model", tag = "models",
    params(("model_name" = String, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")),
    responses((status = 200, body = PullLine), (status = 404, body = Refusal), (status = 422, body = Refusal),
        (status = 503, body = OllamaAway)))]
async fn pull_ollama_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    query: Query,
) -> Result<Response, ApiError> {
    if app.production {
        return Err(ApiError::not_found("Not Found"));
    }
    let model = model_name(&query)?;
    tracing::info!(target: "audit", event = "download.started", user.id = %caller.user_id, model.name = %model, "a pull of a model was started");
    match app.ollama.pull(&model).await {
        Ok(pull) => Ok(lines(pull_lines(pull, model))),
        Err(e @ OllamaError::Unreachable(_)) => {
            let away = OllamaAway {
                detail: OllamaTrouble {
                    status: "unavailable",
                    message: "The Ollama server is not available".into(),
                    error: e.to_string(),
                },
            };
            Ok((StatusCode::SERVICE_UNAVAILABLE, json_body(&away)).into_response())
        }
        Err(e) => Ok(lines(stream::iter([trouble(&e, &model)]))),
    }
}

/// The last line of a pull that failed.
pub(in super::super) fn trouble(e: &OllamaError, model: &str) -> serde_json::Value {
    json!({
        "status": "error",
        "message": format!("The model {model} could not be pulled"),
        "error": e.to_string(),
        "model": model,
    })
}

/// What the server says, to its end.
pub(in super::super) fn pull_lines(
    pull: Pull,
    model: String,
) -> impl stream::Stream<Item = serde_json::Value> + Send + 'static {
    stream::unfold(Some(pull), move |pull| {
        let model = model.clone();
        async move {
            let mut pull = pull?;
            match pull.next().await {
                Ok(Some(line)) => Some((line.into(), Some(pull))),
                Ok(None) => None,
                Err(e) => Some((trouble(&e, &model), None)),
            }
        }
    })
}

/// Lines of JSON under the type that clients of this route know.
fn lines(objects: impl stream::Stream<Item = serde_json::Value> + Send + 'static) -> Response {
    let pieces = objects.map(|object| Ok::<_, Infallible>(Bytes::from(format!("{object}\n"))));
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-content-format", HeaderValue::from_static("ndjson"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
