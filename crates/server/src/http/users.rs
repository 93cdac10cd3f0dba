//! Users of a server that many use (HTTP spec 6.13).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Fields, JsonBody, Path};
use super::gate::Admin;
use super::keys::shown_once;
use super::{ApiError, App, AppState, Refusal, json};
use crate::services::{NewToken, Record, Role, UsersError};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(reset_user_token))
        .routes(routes!(get_user, delete_user))
}

impl From<UsersError> for ApiError {
    fn from(e: UsersError) -> Self {
        let as_told = |status| ApiError::new(status, e.to_string());
        match &e {
            UsersError::NotHere => ApiError::not_implemented(e.to_string()),
            UsersError::NotFound(_) => as_told(StatusCode::NOT_FOUND),
            UsersError::Exists(_)
            | UsersError::BadRole(_)
            | UsersError::BadName
            | UsersError::LastAdmin(_)
            | UsersError::TooMany => as_told(StatusCode::BAD_REQUEST),
            UsersError::Broken { .. } | UsersError::File(_) => {
                tracing::error!(error = %e, "the users file cannot be used");
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The users file cannot be used; the server's log says why",
                )
            }
            UsersError::NoChance(_) | UsersError::BrokenOff => {
                ApiError::internal("the users could not be changed", &e)
            }
        }
    }
}

/// A user as administrators see them.
#[derive(Serialize, ToSchema)]
struct UserBody {
    username: String,
    user_id: String,
    role: &'static str,
    /// The beginning of the hash of the user's token.
    token_hash: String,
    created_at: String,
}

impl From<Record> for UserBody {
    fn from(record: Record) -> Self {
        UserBody {
            token_hash: record.token_hint(),
            role: record.role.word(),
            username: record.username,
            user_id: record.user_id,
            created_at: record.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct UserList {
    users: Vec<UserBody>,
}

/// A user with a new token.
#[derive(Serialize, ToSchema)]
struct UserToken {
    username: String,
    user_id: String,
    role: &'static str,
    /// The token; it is never shown again.
    token: String,
    created_at: String,
}

impl From<NewToken> for UserToken {
    fn from(NewToken { record, token }: NewToken) -> Self {
        UserToken {
            role: record.role.word(),
            username: record.username,
            user_id: record.user_id,
            token,
            created_at: record.created_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct UserRemoved {
    message: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateUser {
    /// Not `reset-token`, `.` or `..`.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$")]
    username: String,
    /// `admin` or `user`, which is the default.
    #[schema(pattern = "^(admin|user)$")]
    role: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct ResetUserToken {
    username: String,
}

/// Everybody in the users file.
#[utoipa::path(get, path = "/api/users", tag = "users",
    responses((status = 200, body = UserList), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 501, body = Refusal), (status = 503, body = Refusal)))]
async fn list_users(State(app): State<AppState>, _: Admin) -> Result<Response, ApiError> {
    let users = app.door.accounts.list_users().await?;
    let users = users.into_iter().map(Into::into).collect();
    Ok(json(&UserList { users }))
}

/// One user.
#[utoipa::path(get, path = "/api/users/{username}", tag = "users", params(("username" = String, Path)),
    responses((status = 200, body = UserBody), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal),
        (status = 503, body = Refusal)))]
async fn get_user(
    State(app): State<AppState>,
    _: Admin,
    Path(username): Path,
) -> Result<Response, ApiError> {
    let record = app.door.accounts.get_user(username).await?;
    Ok(json(&UserBody::from(record)))
}

/// Adds a user, whose token is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = CreateUser,
    responses((status = 200, body = UserToken), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal),
        (status = 501, body = Refusal), (status = 503, body = Refusal)))]
async fn create_user(
    State(app): State<AppState>,
    Admin(caller): Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let username = f.required_text("username");
    let role = f.text("role");
    f.refuse_others();
    f.finish()?;
    let role = role.unwrap_or_else(|| Role::User.word().to_owned());
    let added = app.door.accounts.add_user(&caller, username, role).await?;
    Ok(shown_once(json(&UserToken::from(added))))
}

/// Gives a user another token; the one before lets nobody in any more.
#[utoipa::path(post, path = "/api/users/reset-token", tag = "users", request_body = ResetUserToken,
    responses((status = 200, body = UserToken), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal),
        (status = 501, body = Refusal), (status = 503, body = Refusal)))]
async fn reset_user_token(
    State(app): State<AppState>,
    Admin(caller): Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let username = f.required_text("username");
    f.refuse_others();
    f.finish()?;
    let reset = app
        .door
        .accounts
        .reset_user_token(&caller, username)
        .await?;
    let_go(&app, &reset.record.user_id);
    Ok(shown_once(json(&UserToken::from(reset))))
}

/// What a user holds through a token that does not count any more.
fn let_go(app: &App, user_id: &str) {
    app.door.accounts.drop_tickets(user_id);
    app.sockets.close_of(user_id, false);
}

/// Removes a user, but not the last one who administers. What belongs to them stays.
#[utoipa::path(delete, path = "/api/users/{username}", tag = "users", params(("username" = String, Path)),
    responses((status = 200, body = UserRemoved), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal),
        (status = 501, body = Refusal), (status = 503, body = Refusal)))]
async fn delete_user(
    State(app): State<AppState>,
    Admin(caller): Admin,
    Path(username): Path,
) -> Result<Response, ApiError> {
    let accounts = &app.door.accounts;
    let removed = accounts.remove_user(&caller, username.clone()).await?;
    let_go(&app, &removed.user_id);
    let message = format!("User '{username}' removed successfully");
    Ok(json(&UserRemoved { message }))
}
