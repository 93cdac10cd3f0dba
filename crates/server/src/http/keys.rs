//! API keys and socket tickets of the caller.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_store::ApiKeyRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{
    Caller, HOLDS, KeyError, LONGEST_KEY_NAME, MOST_DAYS, NewKey, TicketError, TimeText,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_api_keys, create_api_key))
        .routes(routes!(delete_api_key))
        .routes(routes!(create_ticket))
}

impl From<KeyError> for ApiError {
    fn from(e: KeyError) -> Self {
        match e {
            KeyError::NotHere => ApiError::not_implemented(e.to_string()),
            KeyError::NotFound => ApiError::not_found(&e.to_string()),
            KeyError::ByKey => ApiError::new(StatusCode::FORBIDDEN, e.to_string()),
            KeyError::TooMany => ApiError::conflict(e.to_string()),
            KeyError::NoChance(_) => ApiError::internal("an API key could not be made", &e),
            KeyError::Store(e) => e.into(),
        }
    }
}

impl From<TicketError> for ApiError {
    fn from(e: TicketError) -> Self {
        match e {
            TicketError::TooMany => ApiError::new(StatusCode::TOO_MANY_REQUESTS, e.to_string()),
            TicketError::NoChance(_) => ApiError::internal("a ticket could not be made", &e),
        }
    }
}

/// An answer with a token in it, which nothing on the way may keep.
pub(super) fn shown_once(body: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    ([(header::CACHE_CONTROL, no_store)], body).into_response()
}

/// An API key, without the key itself.
#[derive(Serialize, ToSchema)]
struct ApiKeyBody {
    id: String,
    name: String,
    /// The first characters of the key.
    prefix: String,
    created_at: TimeText,
    expires_at: Option<TimeText>,
    /// To the minute.
    last_used_at: Option<TimeText>,
}

impl From<ApiKeyRow> for ApiKeyBody {
    fn from(row: ApiKeyRow) -> Self {
        ApiKeyBody {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_at: TimeText(row.created_at),
            expires_at: row.expires_at.map(TimeText),
            last_used_at: row.last_used_at.map(TimeText),
        }
    }
}

/// An API key that was just made.
#[derive(Serialize, ToSchema)]
struct NewApiKey {
    #[serde(flatten)]
    key: ApiKeyBody,
    /// The key; it is never shown again.
    token: String,
}

#[derive(Serialize, ToSchema)]
struct ApiKeyList {
    keys: Vec<ApiKeyBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateApiKey {
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    name: String,
    /// The key holds for ever when absent.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<i64>,
}

fn read_key(body: JsonBody) -> Result<(String, Option<i64>), ApiError> {
    let mut f = Fields::new(body.object()?);
    let name = f.required_text("name");
    f.at_most("name", Some(&name), LONGEST_KEY_NAME);
    let days = f.whole_number("expires_in_days", 1, MOST_DAYS);
    f.refuse_others();
    if !f.is_faulty() && name.trim().is_empty() {
        let msg = "String should have at least 1 character that is not blank";
        f.refuse([FieldError::at("string_too_short", &["body", "name"], msg)]);
    }
    f.finish()?;
    Ok((name, days))
}

/// Makes an API key of the caller. The key is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/keys", tag = "keys", request_body = CreateApiKey,
    responses((status = 200, body = NewApiKey), (status = 403, body = Refusal), (status = 409, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_api_key(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let (name, days) = read_key(body)?;
    let NewKey { row, token } = app.door.accounts.create_key(&caller, name, days).await?;
    Ok(shown_once(json(&NewApiKey {
        key: row.into(),
        token,
    })))
}

/// The caller's API keys, newest first.
#[utoipa::path(get, path = "/api/keys", tag = "keys", responses((status = 200, body = ApiKeyList)))]
async fn list_api_keys(State(app): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let keys = app.door.accounts.list_keys(&caller).await?;
    let keys = keys.into_iter().map(Into::into).collect();
    Ok(json(&ApiKeyList { keys }))
}

/// Takes an API key back; from then on it lets nobody in.
#[utoipa::path(delete, path = "/api/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn delete_api_key(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    app.door.accounts.delete_key(&caller, &id).await?;
    app.door.accounts.drop_tickets(&caller.user_id);
    app.sockets.close_of(&caller.user_id, true);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a socket may be opened with instead of a token.
#[derive(Serialize, ToSchema)]
struct TicketBody {
    /// Goes into the query of the socket's address as `token`, once.
    ticket: String,
    /// Seconds.
    expires_in: u64,
}

/// A ticket with which the caller's next socket may be opened, for clients that cannot send a header with one.
#[utoipa::path(post, path = "/api/tickets", tag = "keys",
    responses((status = 200, body = TicketBody), (status = 429, body = Refusal)))]
async fn create_ticket(State(app): State<AppState>, caller: Caller) -> Result<Response, ApiError> {
    let ticket = app.door.accounts.issue_ticket(&caller)?;
    Ok(shown_once(json(&TicketBody {
        ticket,
        expires_in: HOLDS.as_secs(),
    })))
}
