//! Signing in with a name and a password, and API keys as clients of the Orchestrator ask for them (spec 3.10).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_store::{ApiKeyRow, PersonRow};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::EnvelopeBody;
use super::nodes::Message;
use super::{Envelope, ErrorCode};
use crate::http::extract::{Path, Room, read_json};
use crate::http::keys::shown_once;
use crate::http::rate::address_of;
use crate::http::{AppState, json};
use crate::services::loops::ids;
use crate::services::{
    Caller, KeyError, LONGEST_KEY_NAME, NewKey, PeopleError, Registration, SignedIn, zulu_text,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register_person))
        .routes(routes!(log_in))
        .routes(routes!(refresh_tokens))
        .routes(routes!(get_me))
        .routes(routes!(log_out))
        .routes(routes!(list_keys, create_key))
        .routes(routes!(delete_key))
}

/// Somebody who has signed in.
#[derive(Serialize, ToSchema)]
struct PersonBody {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
}

impl From<PersonRow> for PersonBody {
    fn from(row: PersonRow) -> Self {
        PersonBody {
            id: row.id,
            username: row.username,
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
        }
    }
}

/// A person and what requests of theirs carry.
#[derive(Serialize, ToSchema)]
struct SignedInBody {
    user: PersonBody,
    /// For an hour.
    access: String,
    /// For seven days, once.
    refresh: String,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed: SignedIn) -> Self {
        SignedInBody {
            user: signed.person.into(),
            access: signed.access,
            refresh: signed.refresh,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct TokensBody {
    access: String,
    refresh: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct RegisterRequest {
    username: String,
    #[schema(required = false)]
    email: String,
    #[schema(required = false)]
    first_name: String,
    #[schema(required = false)]
    last_name: String,
    password: String,
    password_confirm: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct LogInRequest {
    username: String,
    password: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct RefreshRequest {
    refresh: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct NameRequest {
    name: String,
}

impl From<PeopleError> for Envelope {
    fn from(e: PeopleError) -> Self {
        match e {
            PeopleError::Fields(faults) => {
                let envelope = Envelope::invalid("The registration has faults");
                let refused = faults
                    .into_iter()
                    .fold(envelope, |envelope, (field, text)| {
                        envelope.field(field, text)
                    });
                refused.with_fields()
            }
            PeopleError::Closed => Envelope::new(
                ErrorCode::Forbidden,
                "Registration is closed on this server; --registration opens it",
            ),
            PeopleError::Wrong | PeopleError::Invalid | PeopleError::Used => {
                Envelope::new(ErrorCode::Unauthorized, e.to_string())
            }
            PeopleError::Busy => Envelope::new(ErrorCode::RateLimited, e.to_string()),
            e => Envelope::internal("people cannot be signed in", &e),
        }
    }
}

impl From<KeyError> for Envelope {
    fn from(e: KeyError) -> Self {
        match e {
            KeyError::NotFound => Envelope::not_found("ApiKey", "API key not found"),
            KeyError::ByKey => Envelope::new(ErrorCode::Unauthorized, e.to_string()),
            KeyError::TooMany => Envelope::new(ErrorCode::Conflict, e.to_string()),
            e => Envelope::internal("API keys cannot be used", &e),
        }
    }
}

pub(super) async fn object(request: Request) -> Result<Map, Envelope> {
    let room = Room {
        bytes: 64 << 10,
        setting: None,
    };
    let body = read_json(request, room).await;
    match body.map(|body| body.0) {
        Ok(Some(Value::Map(map))) => Ok(std::sync::Arc::unwrap_or_clone(map)),
        Ok(None) => Ok(Map::new()),
        Ok(Some(_)) => Err(Envelope::invalid("The body is not a JSON object")),
        Err(e) => Err(Envelope::invalid(format!(
            "JSON parse error - {}",
            e.detail()
        ))),
    }
}

fn text(body: &Map, key: &str) -> String {
    let text = body.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// Makes somebody known and signs them in.
#[utoipa::path(post, path = "/api/auth/register", tag = "people", request_body = RegisterRequest,
    responses((status = 201, body = SignedInBody), (status = 400, body = EnvelopeBody), (status = 403, body = EnvelopeBody)))]
async fn register_person(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, Envelope> {
    let from = address_of(request.extensions());
    if !app.door.failed_logins.allowed(from) {
        return Err(too_often());
    }
    let body = object(request).await?;
    let new = Registration {
        username: text(&body, "username"),
        email: text(&body, "email"),
        first_name: text(&body, "first_name"),
        last_name: text(&body, "last_name"),
        password: text(&body, "password"),
        password_confirm: text(&body, "password_confirm"),
    };
    let signed = app.door.accounts.register(new).await?;
    let mut response = shown_once(json(&SignedInBody::from(signed)));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Signs somebody in.
#[utoipa::path(post, path = "/api/auth/login", tag = "people", request_body = LogInRequest,
    responses((status = 200, body = SignedInBody), (status = 400, body = EnvelopeBody), (status = 401, body = EnvelopeBody),
        (status = 429, body = EnvelopeBody)))]
async fn log_in(State(app): State<AppState>, request: Request) -> Result<Response, Envelope> {
    let from = address_of(request.extensions());
    if !app.door.failed_logins.allowed(from) {
        return Err(too_often());
    }
    let body = object(request).await?;
    let (name, password) = (text(&body, "username"), text(&body, "password"));
    if name.is_empty() || password.is_empty() {
        return Err(Envelope::invalid("Username and password are required"));
    }
    match app.door.accounts.log_in(&name, password).await {
        Ok(signed) => Ok(shown_once(json(&SignedInBody::from(signed)))),
        Err(e) => {
            if matches!(e, PeopleError::Wrong) {
                app.door.failed_logins.failed(from);
            }
            Err(e.into())
        }
    }
}

/// Another pair of tokens for one that is used up thereby.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "people", request_body = RefreshRequest,
    responses((status = 200, body = TokensBody), (status = 400, body = EnvelopeBody), (status = 401, body = EnvelopeBody)))]
async fn refresh_tokens(
    State(app): State<AppState>,
    request: Request,
) -> Result<Response, Envelope> {
    let body = object(request).await?;
    let token = text(&body, "refresh");
    if token.is_empty() {
        let refused = Envelope::invalid("refresh: This field is required.");
        return Err(refused
            .field("refresh", "This field is required.")
            .with_fields());
    }
    let SignedIn {
        access, refresh, ..
    } = app.door.accounts.refresh(&token).await?;
    Ok(shown_once(json(&TokensBody { access, refresh })))
}

/// Who the caller is.
#[utoipa::path(get, path = "/api/auth/me", tag = "people",
    responses((status = 200, body = PersonBody), (status = 401, body = EnvelopeBody)))]
async fn get_me(State(app): State<AppState>, caller: Caller) -> Result<Response, Envelope> {
    let person = app.door.accounts.person(&caller).await?;
    // Those who come in by other doors have no more than their id here.
    let body = person.map_or_else(
        || PersonBody {
            id: caller.user_id.parse().unwrap_or_default(),
            username: caller.user_id.clone(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
        },
        PersonBody::from,
    );
    Ok(json(&body))
}

/// Uses a token to renew access up, if one is given.
#[utoipa::path(post, path = "/api/auth/logout", tag = "people", request_body = RefreshRequest,
    responses((status = 200, body = Message)))]
async fn log_out(State(app): State<AppState>, request: Request) -> Result<Response, Envelope> {
    let body = object(request).await.unwrap_or_default();
    if let Err(e) = app.door.accounts.log_out(&text(&body, "refresh")).await {
        tracing::warn!(error = %e, "a token could not be used up");
    }
    Ok(json(&Message {
        message: "Logout successful",
    }))
}

/// An API key, without the key itself.
#[derive(Serialize, ToSchema)]
struct KeyBody {
    id: String,
    name: String,
    prefix: String,
    created_at: String,
}

impl From<ApiKeyRow> for KeyBody {
    fn from(row: ApiKeyRow) -> Self {
        KeyBody {
            id: ids::shown(&row.id),
            name: row.name,
            prefix: row.prefix,
            created_at: zulu_text(row.created_at),
        }
    }
}

/// An API key that was just made.
#[derive(Serialize, ToSchema)]
struct NewKeyBody {
    #[serde(flatten)]
    row: KeyBody,
    /// The key; it is never shown again.
    key: String,
}

/// Keys manage no keys.
fn not_by_key(caller: &Caller) -> Result<(), Envelope> {
    if caller.by_key {
        return Err(KeyError::ByKey.into());
    }
    Ok(())
}

/// The caller's API keys, newest first.
#[utoipa::path(get, path = "/api/auth/api-keys", tag = "people",
    responses((status = 200, body = [KeyBody]), (status = 401, body = EnvelopeBody)))]
async fn list_keys(State(app): State<AppState>, caller: Caller) -> Result<Response, Envelope> {
    not_by_key(&caller)?;
    let keys = app.door.accounts.list_keys(&caller).await?;
    let keys: Vec<KeyBody> = keys.into_iter().map(Into::into).collect();
    Ok(json(&keys))
}

/// Makes an API key of the caller. The key is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/auth/api-keys", tag = "people", request_body = NameRequest,
    responses((status = 201, body = NewKeyBody), (status = 400, body = EnvelopeBody), (status = 401, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody)))]
async fn create_key(
    State(app): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Envelope> {
    not_by_key(&caller)?;
    let name = text(&object(request).await?, "name");
    let fault = match name.trim().chars().count() {
        0 => Some("This field is required.".to_owned()),
        n if n > LONGEST_KEY_NAME => Some(format!(
            "Ensure this field has no more than {LONGEST_KEY_NAME} characters."
        )),
        _ => None,
    };
    if let Some(fault) = fault {
        let refused = Envelope::invalid(format!("name: {fault}"));
        return Err(refused.field("name", fault).with_fields());
    }
    let NewKey { row, token } = app.door.accounts.create_key(&caller, name, None).await?;
    let body = NewKeyBody {
        row: row.into(),
        key: token,
    };
    let mut response = shown_once(json(&body));
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Takes an API key back; from then on it lets nobody in.
#[utoipa::path(delete, path = "/api/auth/api-keys/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204), (status = 401, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn delete_key(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let id = id.replace('-', "");
    app.door.accounts.delete_key(&caller, &id).await?;
    app.door.accounts.drop_tickets(&caller.user_id);
    app.sockets.close_of(&caller.user_id, true);
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn too_often() -> Envelope {
    let text = "Too many failed attempts; try again in a minute";
    Envelope::new(ErrorCode::RateLimited, text)
}
