//! Downloads of models to a deployed server (HTTP spec 6.19), for administrators. The folder is the server's, whatever
//! a caller names.

use axum::extract::State;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody};
use super::gate::Admin;
use super::models::{pull_lines, trouble};
use super::streams::events_response;
use super::{ApiError, AppState, Refusal, json as json_body};
use crate::services::downloads::{
    DownloadError, Order, Ordered, Snapshot, Status, Watch, is_model_name,
};

mod cache;

/// The form of a body that callers of another server know; it is not used.
const OLD_CACHE_DIR: &str = "cache_dir";

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(download_hub_model))
        .routes(routes!(download_ollama_model))
        .merge(cache::router())
}

/// What to download from the hub.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct HubDownload {
    #[schema(
        pattern = r"^[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*/[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*$",
        max_length = 193
    )]
    repo_id: String,
    /// Accepted and not used.
    cache_dir: Option<String>,
    file_path: Option<String>,
    ignore_patterns: Option<Vec<String>>,
    allow_patterns: Option<Vec<String>>,
    #[schema(required = false)]
    stream: Option<bool>,
}

/// How far a download is.
#[derive(Debug, Serialize, ToSchema)]
struct DownloadProgress {
    /// `starting`, `progress`, `completed` or `error`
    status: &'static str,
    repo_id: String,
    message: String,
    current_file: Option<String>,
    /// Of the whole download, from 0 to 1.
    file_progress: Option<f64>,
    total_files: usize,
    downloaded_files: usize,
    downloaded_size: u64,
    total_size: u64,
    cached_files: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_file: Option<String>,
}

impl DownloadProgress {
    fn of(now: Snapshot) -> Self {
        let id = now.id();
        let (status, message) = match now.status {
            Status::Idle => ("starting", format!("{id} waits for other downloads")),
            Status::Start => ("starting", format!("Starting to download {id}")),
            Status::Progress => ("progress", format!("Downloading {id}")),
            Status::Completed => ("completed", format!("{id} is downloaded")),
            Status::Error => ("error", format!("{id} could not be downloaded")),
            Status::Cancelled => ("error", format!("The download of {id} was cancelled")),
        };
        let error = match now.status {
            Status::Cancelled => Some("cancelled".to_owned()),
            _ => now.error,
        };
        let part = now.downloaded_bytes as f64 / now.total_bytes as f64;
        DownloadProgress {
            status,
            message,
            repo_id: now.repo_id,
            current_file: now.current_files.into_iter().next(),
            file_progress: (now.total_bytes > 0).then_some(part),
            total_files: now.total_files,
            downloaded_files: now.downloaded_files,
            downloaded_size: now.downloaded_bytes,
            total_size: now.total_bytes,
            cached_files: now.cached_files,
            local_path: now.local_path.map(|p| p.to_string_lossy().into_owned()),
            error,
            error_file: now.error_file,
        }
    }
}

impl From<DownloadError> for ApiError {
    fn from(e: DownloadError) -> Self {
        match e {
            DownloadError::Name(e) => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body"],
                e.to_string(),
            )]),
            DownloadError::TooMany => ApiError::conflict(e.to_string()),
            DownloadError::Stopping => {
                ApiError::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, e.to_string())
            }
            DownloadError::Hub(_)
            | DownloadError::File { .. }
            | DownloadError::NothingFits
            | DownloadError::NoRoom { .. }
            | DownloadError::Checksum { .. }
            | DownloadError::Disk(_)
            | DownloadError::Internal => ApiError::internal("a download could not begin", &e),
        }
    }
}

/// Downloads a model from the hub into the server's cache. Streams how far it is as events, then `[DONE]`; with
/// `stream` false, answers with the end. The download goes on when the client goes away.
#[utoipa::path(post, path = "/admin/models/huggingface/download", tag = "admin",
    request_body(content = HubDownload),
    responses((status = 200, content((DownloadProgress = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = Refusal), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 409, body = Refusal), (status = 422, body = Refusal)))]
async fn download_hub_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::new(body.object_or_empty()?);
    let repo_id = fields.text("repo_id").unwrap_or_default();
    fields.text(OLD_CACHE_DIR);
    let path = fields.text("file_path");
    let ordered = Ordered {
        repo_id,
        path,
        allow_patterns: fields.texts("allow_patterns").unwrap_or_default(),
        ignore_patterns: fields.texts("ignore_patterns").unwrap_or_default(),
        model_type: None,
    };
    let streams = fields.flag("stream").unwrap_or(true);
    fields.finish()?;
    if ordered.repo_id.is_empty() {
        return Err(ApiError::bad_request("repo_id is required"));
    }
    let order = Order::read(ordered).map_err(DownloadError::from)?;
    let id = order.id();
    app.downloads.start(&caller.user_id, order)?;
    let mut watch = app.downloads.watch(&caller.user_id);
    if !streams {
        let end = watch.end_of(&id).await;
        return Ok(json_body(&DownloadProgress::of(end)));
    }
    Ok(events_response(progress_of(watch, id)))
}

/// What a download says, to its end.
fn progress_of(
    watch: Watch,
    id: String,
) -> impl stream::Stream<Item = serde_json::Value> + Send + 'static {
    stream::unfold(Some(watch), move |watch| {
        let id = id.clone();
        async move {
            let mut watch = watch?;
            loop {
                let now = watch.next().await;
                if now.id() != id {
                    continue;
                }
                let more = (!now.status.is_terminal()).then_some(watch);
                return Some((json!(DownloadProgress::of(now)), more));
            }
        }
    })
}

/// What to pull from Ollama.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct OllamaDownload {
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = r"^[^\x00-\x1F\x7F-\x9F]+$"
    )]
    model_name: String,
    #[schema(required = false)]
    stream: Option<bool>,
}

/// How a pull ended.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of an answer for the API description")]
struct PullEnd {
    /// `completed` or `error`
    status: String,
    model: String,
    message: String,
    #[schema(required = false)]
    error: String,
}

/// Has the Ollama server pull a model. Streams what that says as events, then `[DONE]`; with `stream` false, answers
/// with the end.
#[utoipa::path(post, path = "/admin/models/ollama/download", tag = "admin",
    request_body(content = OllamaDownload),
    responses((status = 200, content((PullEnd = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = Refusal), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 422, body = Refusal)))]
async fn download_ollama_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::new(body.object_or_empty()?);
    let model = fields.text("model_name").unwrap_or_default();
    let streams = fields.flag("stream").unwrap_or(true);
    if !model.is_empty() && !is_model_name(&model) {
        let msg = "no model can be called that";
        fields.refuse([FieldError::at("value_error", &["body", "model_name"], msg)]);
    }
    fields.finish()?;
    if model.is_empty() {
        return Err(ApiError::bad_request("model_name is required"));
    }
    tracing::info!(target: "audit", event = "download.started", user.id = %caller.user_id, model.name = %model, "a pull of a model was started");
    let starting = json!({ "status": "starting", "model": model, "message": format!("Starting to pull {model}") });
    let ended =
        json!({ "status": "completed", "model": model, "message": format!("{model} is pulled") });
    let pull = app.ollama.pull(&model).await;
    let said = match pull {
        Ok(pull) => pull_lines(pull, model).left_stream(),
        Err(e) => stream::iter([trouble(&e, &model)]).right_stream(),
    };
    let said = with_end(said, ended);
    if streams {
        return Ok(events_response(stream::iter([starting]).chain(said)));
    }
    let mut said = std::pin::pin!(said);
    let mut last = serde_json::Value::Null;
    while let Some(line) = said.next().await {
        last = line;
    }
    Ok(json_body(&last))
}

/// The lines of a pull, and a last one unless they end in trouble.
fn with_end(
    said: impl stream::Stream<Item = serde_json::Value> + Send + 'static,
    end: serde_json::Value,
) -> impl stream::Stream<Item = serde_json::Value> + Send + 'static {
    stream::unfold(Some((Box::pin(said), end)), |state| async move {
        let (mut said, end) = state?;
        match said.next().await {
            Some(line) if line["status"] == "error" => Some((line, None)),
            Some(line) => Some((line, Some((said, end)))),
            None => Some((end, None)),
        }
    })
}
