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
use super::asked::model_name;
use super::{ApiError, UnifiedModel};
use crate::services::Caller;
use crate::services::downloads::{OllamaError, Pull};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_ollama_models, delete_ollama_model))
        .routes(routes!(get_ollama_model))
        .routes(routes!(pull_ollama_model))
}

/// A model at an Ollama server.
#[derive(Serialize, ToSchema)]
struct LlamaModel {
    /// `llama_model`
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    repo_id: String,
    modified_at: String,
    size: u64,
    digest: String,
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

impl LlamaModel {
    /// A model as the server tells it; nothing for one without a name.
    fn of(told: &serde_json::Value) -> Option<Self> {
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let name = told["name"].as_str().or_else(|| told["model"].as_str())?;
        let details = match &told["details"] {
            details @ serde_json::Value::Object(_) => details.clone(),
            _ => json!({}),
        };
        Some(LlamaModel {
            kind: "llama_model",
            name: name.to_owned(),
            repo_id: name.to_owned(),
            modified_at: text("modified_at"),
            size: told["size"].as_u64().unwrap_or_default(),
            digest: text("digest"),
            details,
        })
    }
}

fn llama_models(told: &[serde_json::Value]) -> Vec<LlamaModel> {
    told.iter().filter_map(LlamaModel::of).collect()
}

/// The models at the Ollama server; nothing when it does not answer.
pub(super) async fn pulled(app: &AppState) -> Vec<UnifiedModel> {
    let told = app.ollama.models().await.ok().flatten();
    let models = llama_models(&told.unwrap_or_default()).into_iter();
    let unified = models.map(|model| UnifiedModel {
        id: model.name.clone(),
        kind: Some(model.kind.to_owned()),
        repo_id: Some(model.repo_id),
        name: model.name,
        downloaded: Some(true),
        size_on_disk: Some(model.size),
        ..UnifiedModel::default()
    });
    unified.collect()
}

/// An Ollama server that does not tell, as a refusal.
fn not_told(e: &OllamaError) -> ApiError {
    let status = match e {
        OllamaError::NoAddress | OllamaError::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
        OllamaError::Refused(_) | OllamaError::Broken(_) => StatusCode::BAD_GATEWAY,
    };
    ApiError::new(status, format!("ConnectionError: {e}"))
}

/// The models at the Ollama server; none when no server is set.
#[utoipa::path(get, path = "/api/models/ollama", tag = "models",
    responses((status = 200, body = Vec<LlamaModel>), (status = 502, body = Refusal), (status = 503, body = Refusal)))]
async fn list_ollama_models(
    State(app): State<AppState>,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let told = app.ollama.models().await.map_err(|e| not_told(&e))?;
    Ok(json_body(&llama_models(&told.unwrap_or_default())))
}

/// What the Ollama server knows of a model; `null` when it has none of that name.
#[utoipa::path(get, path = "/api/models/ollama_model_info", tag = "models",
    params(("model_name" = String, Query, min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1F\x7F-\x9F]+$")),
    responses((status = 200, body = Option<serde_json::Map<String, serde_json::Value>>), (status = 422, body = Refusal),
        (status = 502, body = Refusal), (status = 503, body = Refusal)))]
async fn get_ollama_model(
    State(app): State<AppState>,
    _caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let model = model_name(&query)?;
    let told = app.ollama.show(&model).await.map_err(|e| not_told(&e))?;
    Ok(json_body(&told))
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
