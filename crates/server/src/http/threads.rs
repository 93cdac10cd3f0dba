//! Threads: conversations that messages belong to (HTTP spec 6.8).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use nodetool_store::{StoreError, ThreadRow};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path, Query};
use super::openapi::shapes::Nothing;
use super::{ApiError, AppState, Refusal, json, json_response};
use crate::services::{Caller, PROVIDERS, Slice, ThreadError, TimeText, TitleError};

/// Longest title in characters.
const MAX_TITLE: usize = 1000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_threads, create_thread))
        .routes(routes!(get_thread, update_thread, delete_thread))
        .routes(routes!(summarize_thread))
}

impl From<ThreadError> for ApiError {
    fn from(e: ThreadError) -> Self {
        match e {
            ThreadError::NoThread => ApiError::not_found("Thread not found"),
            ThreadError::NoMessage => ApiError::not_found("Message not found"),
            ThreadError::Unwritable(e) => {
                ApiError::internal("a message cannot be written as JSON", &e)
            }
            // Ids that no row may have are ids of no row.
            ThreadError::Store(StoreError::InvalidInput { .. }) => {
                ApiError::not_found("Thread not found")
            }
            ThreadError::Store(e) => e.into(),
        }
    }
}

/// A thread as clients see it.
#[derive(Serialize, ToSchema)]
struct ThreadBody {
    id: String,
    user_id: String,
    title: Option<String>,
    created_at: TimeText,
    updated_at: TimeText,
    etag: String,
}

impl From<ThreadRow> for ThreadBody {
    fn from(row: ThreadRow) -> Self {
        ThreadBody {
            etag: row.etag(),
            id: row.id,
            user_id: row.user_id,
            title: row.title,
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ThreadList {
    next: String,
    threads: Vec<ThreadBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateThread {
    #[schema(max_length = 1000)]
    title: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct UpdateThread {
    #[schema(max_length = 1000)]
    title: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct SummarizeThread {
    /// Name of a model provider.
    provider: String,
    model: String,
    content: String,
}

/// Reads which part of a list is asked for.
pub(super) fn slice(query: &Query, limit: usize) -> Result<Slice, ApiError> {
    Ok(Slice {
        newest_first: query.boolean("reverse", false)?,
        limit: query.int("limit", limit, 1, 1000)?,
        cursor: query.text("cursor").unwrap_or_default().to_owned(),
    })
}

/// Begins a thread.
#[utoipa::path(post, path = "/api/threads", tag = "threads", request_body = CreateThread,
    responses((status = 200, body = ThreadBody), (status = 400, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn create_thread(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let title = f.text("title");
    f.at_most("title", title.as_deref(), MAX_TITLE);
    f.finish()?;
    let row = app.threads.create(&caller, title).await?;
    Ok(json(&ThreadBody::from(row)))
}

/// The caller's threads, oldest first.
#[utoipa::path(get, path = "/api/threads", tag = "threads",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<usize>, Query, description = "1 to 1000; 10 when absent"),
        ("reverse" = Option<bool>, Query, description = "Newest first"),
    ),
    responses((status = 200, body = ThreadList), (status = 422, body = Refusal)))]
async fn list_threads(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let page = app.threads.list(&caller, slice(&query, 10)?).await?;
    Ok(json(&ThreadList {
        next: page.next,
        threads: page.rows.into_iter().map(Into::into).collect(),
    }))
}

/// One thread.
#[utoipa::path(get, path = "/api/threads/{thread_id}", tag = "threads", params(("thread_id" = String, Path)),
    responses((status = 200, body = ThreadBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_thread(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.threads.get(&caller, &id).await?;
    Ok(json(&ThreadBody::from(row)))
}

/// Gives a thread another title.
#[utoipa::path(put, path = "/api/threads/{thread_id}", tag = "threads", params(("thread_id" = String, Path)),
    request_body = UpdateThread,
    responses((status = 200, body = ThreadBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_thread(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let title = f.required_text("title");
    f.at_most("title", Some(&title), MAX_TITLE);
    f.finish()?;
    let row = app.threads.rename(&caller, &id, &title).await?;
    Ok(json(&ThreadBody::from(row)))
}

/// Deletes a thread and its messages; answers `null`.
#[utoipa::path(delete, path = "/api/threads/{thread_id}", tag = "threads", params(("thread_id" = String, Path)),
    responses((status = 200, body = Nothing), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_thread(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    app.threads.delete(&caller, &id).await?;
    Ok(json_response(bytes::Bytes::from_static(b"null")))
}

/// Has a model name a thread by what is said in it, in at most 60 characters.
#[utoipa::path(post, path = "/api/threads/{thread_id}/summarize", tag = "threads",
    params(("thread_id" = String, Path)), request_body = SummarizeThread,
    responses((status = 200, body = ThreadBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal), (status = 429, body = Refusal),
        (status = 502, body = Refusal), (status = 504, body = Refusal)))]
async fn summarize_thread(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let provider = f.required_text("provider");
    if !provider.is_empty()
        && !PROVIDERS.contains(&&*provider)
        && !app.chat.knows_provider(&provider)
    {
        let msg = "Input should be the name of a model provider";
        f.refuse([FieldError::at("enum", &["body", "provider"], msg)]);
    }
    let model = f.required_text("model");
    let content = f.required_text("content");
    f.finish()?;
    let chosen = (provider, model);
    let named = app.chat.name_thread(&caller, &id, chosen, &content).await;
    let row = named.map_err(|e| match e {
        TitleError::Thread(e) => e.into(),
        TitleError::Model(e) => not_answered(&e),
    })?;
    Ok(json(&ThreadBody::from(row)))
}

/// A model that does not answer, as our own routes tell it.
pub(super) fn not_answered(e: &ModelError) -> ApiError {
    let status = match e.kind {
        ModelErrorKind::MissingKey { .. } => StatusCode::BAD_REQUEST,
        ModelErrorKind::NoModel
        | ModelErrorKind::UnknownProvider
        | ModelErrorKind::UnknownModel
        | ModelErrorKind::ContextTooLong
        | ModelErrorKind::BadRequest
        | ModelErrorKind::Unsupported
        | ModelErrorKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        ModelErrorKind::RateLimited { .. } | ModelErrorKind::Budget => {
            StatusCode::TOO_MANY_REQUESTS
        }
        ModelErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ModelErrorKind::Unauthorized
        | ModelErrorKind::Forbidden
        | ModelErrorKind::Connection
        | ModelErrorKind::Server
        | ModelErrorKind::Protocol => StatusCode::BAD_GATEWAY,
        ModelErrorKind::Internal => {
            return ApiError::internal("a model could not be asked", e);
        }
    };
    ApiError::new(status, e.message.clone())
}
