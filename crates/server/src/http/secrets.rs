//! Secrets of users, stored encrypted (HTTP spec 6.12, 6.19, 6.22).

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use nodetool_protocol::{Map, Value};
use nodetool_store::{SecretRow, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path, Query};
use super::gate::Admin;
use super::peer::Peer;
use super::{ApiError, AppState, Refusal, json};
use crate::sensitive::Sensitive;
use crate::services::{
    Caller, ImportedSecret, MAX_DESCRIPTION, MAX_IMPORT, NewSecret, SecretsError, TimeText,
    registered,
};

/// The header administrators show their second factor in.
const ADMIN_TOKEN: &str = "x-admin-token";
/// Most secrets of a page.
const MAX_PAGE: usize = 1000;

/// The secrets of the caller.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_secrets))
        .routes(routes!(get_secret, update_secret, delete_secret))
}

/// What administers the secrets of everybody.
pub(super) fn admin_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import_secrets))
}

impl From<SecretsError> for ApiError {
    fn from(e: SecretsError) -> Self {
        match e {
            SecretsError::NotFound => ApiError::not_found("Secret not found"),
            SecretsError::Value(fault) => {
                let place = ["body", "value"];
                ApiError::invalid(vec![FieldError::at("value_error", &place, fault)])
            }
            SecretsError::Undecryptable | SecretsError::OtherKey => {
                ApiError::conflict(e.to_string())
            }
            SecretsError::Key(e) => {
                tracing::error!(error = %e, "there is no master key for secrets");
                ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server has no master key for secrets; its log says why",
                )
            }
            SecretsError::Cipher => ApiError::internal("a secret cannot be encrypted", &e),
            // Ids that no row may have are ids of no row.
            SecretsError::Store(StoreError::InvalidInput { .. }) => {
                ApiError::not_found("Secret not found")
            }
            SecretsError::Store(e) => e.into(),
        }
    }
}

/// A secret as clients see it.
#[derive(Serialize, ToSchema)]
struct SecretBody {
    id: Option<String>,
    user_id: Option<String>,
    key: String,
    description: Option<String>,
    created_at: Option<TimeText>,
    updated_at: Option<TimeText>,
    is_configured: bool,
    /// Only where it was asked for and may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl From<SecretRow> for SecretBody {
    fn from(row: SecretRow) -> Self {
        SecretBody {
            id: Some(row.id),
            user_id: Some(row.user_id),
            key: row.key,
            description: row.description,
            created_at: Some(TimeText(row.created_at)),
            updated_at: Some(TimeText(row.updated_at)),
            is_configured: true,
            value: None,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct SecretList {
    secrets: Vec<SecretBody>,
    /// `start_key` of the next page; null on the last.
    next_key: Option<&'static str>,
}

/// Every registered secret, in order, with what is stored of it.
#[utoipa::path(get, path = "/api/settings/secrets", tag = "settings",
    params(("limit" = Option<i64>, Query, description = "Secrets of a page, from 1 to 1000; 100 if not given"),
        ("start_key" = Option<String>, Query, description = "`next_key` of the page before")),
    responses((status = 200, body = SecretList), (status = 422, body = Refusal)))]
async fn list_secrets(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int("limit", 100, 1, MAX_PAGE)?;
    let start = query.text("start_key").filter(|key| !key.is_empty());
    let first = match start {
        None => 0,
        Some(start) => {
            let at = registered().position(|secret| secret.key == start);
            at.ok_or_else(|| ApiError::bad_cursor("start_key"))?
        }
    };
    let mut stored = app.secrets.stored(&caller.user_id).await?;
    let mut left = registered().skip(first);
    let page = left.by_ref().take(limit);
    let secrets = page.map(|secret| match stored.remove(secret.key) {
        Some(row) => SecretBody {
            description: row
                .description
                .clone()
                .or_else(|| Some(secret.description.into())),
            ..row.into()
        },
        None => SecretBody {
            id: None,
            user_id: None,
            key: secret.key.into(),
            description: Some(secret.description.into()),
            created_at: None,
            updated_at: None,
            is_configured: false,
            value: None,
        },
    });
    Ok(json(&SecretList {
        secrets: secrets.collect(),
        next_key: left.next().map(|secret| secret.key),
    }))
}

/// Whether the sender may see values: a program on this machine, or whoever holds the administrators' token.
struct MaySee(bool);

impl FromRequestParts<AppState> for MaySee {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let Peer { local } = Peer::from_request_parts(parts, app).await?;
        let shown = parts.headers.get(ADMIN_TOKEN).map(HeaderValue::to_str);
        let known = match (&app.door.admin_token, shown) {
            (Some(expected), Some(Ok(shown))) => expected.is(shown),
            _ => false,
        };
        Ok(MaySee(local || known))
    }
}

/// A stored secret; its value only if asked for, and only for programs on the server's machine and administrators.
#[utoipa::path(get, path = "/api/settings/secrets/{key}", tag = "settings",
    params(("key" = String, Path), ("decrypt" = Option<String>, Query, description = "Whether the value is wanted: true or false"),
        ("x-admin-token" = Option<String>, Header, description = "Lets requests from elsewhere see the value")),
    responses((status = 200, body = SecretBody), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 409, body = Refusal), (status = 422, body = Refusal), (status = 503, body = Refusal)))]
async fn get_secret(
    State(app): State<AppState>,
    caller: Caller,
    MaySee(may_see): MaySee,
    Path(key): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let decrypt = query.boolean("decrypt", false)?;
    if decrypt && !may_see {
        tracing::info!(target: "audit", event = "secret.refused", user.id = %caller.user_id, secret.key = %key);
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "Values of secrets are shown to programs on the server's own machine, or with a valid X-Admin-Token header",
        ));
    }
    let row = app.secrets.row(&caller, &key).await?;
    if !decrypt {
        return Ok(json(&SecretBody::from(row)));
    }
    let value = app.secrets.reveal(&caller, &row).await?;
    let mut response = json(&SecretBody {
        value: Some(value.expose().to_owned()),
        ..row.into()
    });
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    Ok(response)
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct UpdateSecret {
    #[schema(min_length = 1, max_length = 16384)]
    value: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
}

/// Stores a registered secret.
#[utoipa::path(put, path = "/api/settings/secrets/{key}", tag = "settings", params(("key" = String, Path)),
    request_body = UpdateSecret,
    responses((status = 200, body = SecretBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal),
        (status = 503, body = Refusal)))]
async fn update_secret(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let value = secret_text(&mut f, "value");
    let description = f.text("description");
    f.at_most("description", description.as_deref(), MAX_DESCRIPTION);
    f.finish()?;
    let secret = NewSecret {
        key,
        value: Sensitive::new(value),
        description,
    };
    let row = app.secrets.put(&caller, secret).await?;
    Ok(json(&SecretBody::from(row)))
}

/// A required text that no refusal repeats.
fn secret_text(f: &mut Fields, key: &str) -> String {
    let (kind, msg) = match f.take(key) {
        Some(Value::Str(text)) => return text.to_string(),
        Some(_) => ("string_type", "Input should be a valid string"),
        None => ("missing", "Field required"),
    };
    f.refuse([FieldError::at(kind, &["body", key], msg)]);
    String::new()
}

#[derive(Serialize, ToSchema)]
struct SecretDeleted {
    message: &'static str,
}

/// Deletes a stored secret.
#[utoipa::path(delete, path = "/api/settings/secrets/{key}", tag = "settings", params(("key" = String, Path)),
    responses((status = 200, body = SecretDeleted), (status = 404, body = Refusal)))]
async fn delete_secret(
    State(app): State<AppState>,
    caller: Caller,
    Path(key): Path,
) -> Result<Response, ApiError> {
    app.secrets.delete(&caller, &key).await?;
    Ok(json(&SecretDeleted {
        message: "Secret deleted successfully",
    }))
}

/// A secret as a server with the same master key has stored it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct ImportSecret {
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,128}$")]
    user_id: String,
    key: String,
    encrypted_value: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// ISO 8601; UTC if it names no zone.
    created_at: Option<String>,
    updated_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct SecretsImported {
    imported: usize,
    /// Keys that are not registered, or whose value this server cannot decrypt.
    rejected: Vec<String>,
}

/// Takes over secrets that a server with the same master key has stored, for their users.
#[utoipa::path(post, path = "/admin/secrets/import", tag = "settings", request_body = Vec<ImportSecret>,
    responses((status = 200, body = SecretsImported), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal), (status = 503, body = Refusal)))]
async fn import_secrets(
    Admin(caller): Admin,
    State(app): State<AppState>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let rows = read_import(body)?;
    let done = app.secrets.import(&caller, rows).await?;
    Ok(json(&SecretsImported {
        imported: done.imported,
        rejected: done.rejected,
    }))
}

fn read_import(body: Option<Value>) -> Result<Vec<ImportedSecret>, ApiError> {
    let fault = |kind, msg: &str| ApiError::invalid(vec![FieldError::at(kind, &["body"], msg)]);
    let rows = match body {
        None => return Err(fault("missing", "Field required")),
        Some(Value::List(rows)) => rows,
        Some(_) => return Err(fault("list_type", "Input should be a valid list")),
    };
    if rows.len() > MAX_IMPORT {
        let msg = format!("List should have at most {MAX_IMPORT} items");
        return Err(fault("too_long", &msg));
    }
    let (mut read, mut faults) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        match row {
            Value::Map(map) => read.push(read_row(map, &at.to_string(), &mut faults)),
            _ => {
                let msg = "Input should be a valid dictionary";
                faults.push(FieldError::at("dict_type", &["body", &at.to_string()], msg));
            }
        }
    }
    if faults.is_empty() {
        Ok(read)
    } else {
        // One body may have thousands.
        faults.truncate(100);
        Err(ApiError::invalid(faults))
    }
}

fn read_row(row: &Map, at: &str, faults: &mut Vec<FieldError>) -> ImportedSecret {
    let mut refuse = |key: &str, kind, msg: &str| {
        faults.push(FieldError::at(kind, &["body", at, key], msg));
    };
    let mut text = |key: &str, required: bool| match row.get(key) {
        Some(Value::Str(text)) => Some(text.to_string()),
        None | Some(Value::Null) if required => {
            refuse(key, "missing", "Field required");
            None
        }
        None | Some(Value::Null) => None,
        Some(_) => {
            refuse(key, "string_type", "Input should be a valid string");
            None
        }
    };
    let user_id = text("user_id", true);
    let key = text("key", true);
    let encrypted_value = text("encrypted_value", true);
    let description = text("description", false);
    let times = ["created_at", "updated_at"].map(|key| (key, text(key, false)));
    if user_id.as_deref().is_some_and(|id| !is_id(id)) {
        let msg = "Input should be 1 to 128 letters, digits or any of _.:-";
        refuse("user_id", "value_error", msg);
    }
    if key.as_ref().is_some_and(|key| key.len() > 128) {
        refuse(
            "key",
            "string_too_long",
            "String should have at most 128 characters",
        );
    }
    let long = |text: &String| text.chars().count() > MAX_DESCRIPTION;
    if description.as_ref().is_some_and(long) {
        let msg = format!("String should have at most {MAX_DESCRIPTION} characters");
        refuse("description", "string_too_long", &msg);
    }
    let [created_at, updated_at] = times.map(|(key, text)| {
        let time = micros(text.as_deref()?);
        if time.is_none() {
            refuse(
                key,
                "datetime_parsing",
                "Input should be a time in ISO 8601",
            );
        }
        time
    });
    ImportedSecret {
        user_id: user_id.unwrap_or_default(),
        key: key.unwrap_or_default(),
        encrypted_value: encrypted_value.unwrap_or_default(),
        description,
        created_at,
        updated_at,
    }
}

fn is_id(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b':' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// Microseconds UTC of a time in ISO 8601, with a zone or in UTC.
fn micros(text: &str) -> Option<i64> {
    let zoned = chrono::DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_micros());
    let naive = || {
        text.parse::<chrono::NaiveDateTime>()
            .map(|t| t.and_utc().timestamp_micros())
    };
    zoned.or_else(|_| naive()).ok()
}
