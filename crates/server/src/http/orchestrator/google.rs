//! Google accounts that users connect for their steps (orchestrator spec 3.10). Tokens and the app's secret are never in
//! an answer.

use axum::extract::{RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nodetool_protocol::Value;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::browser_sessions::ChoiceBody;
use super::error::EnvelopeBody;
use super::people::object;
use super::{Envelope, ErrorCode};
use crate::http::approvals::page;
use crate::http::extract::{Path, Query};
use crate::http::oauth::{read_return, shown};
use crate::http::{ApiError, AppState, json};
use crate::services::{
    Caller, GoogleAccount, GoogleError, GoogleSignIn, GoogleStart, MAX_SCOPES, SCOPE_KEYS,
    SignInError, TimeText,
};

/// Characters of a text of Google's that are passed on.
const SHOWN: usize = 500;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_google_accounts))
        .routes(routes!(list_google_account_choices))
        .routes(routes!(get_google_account, delete_google_account))
        .routes(routes!(get_google_credentials))
        .routes(routes!(link_google_sign_in, start_google_sign_in))
        .routes(routes!(finish_google_sign_in))
}

/// A connected Google account, without its tokens.
#[derive(Serialize, ToSchema)]
struct GoogleAccountBody {
    id: String,
    email: String,
    /// What it may be used for: `sheets_readonly`, `sheets`, `drive_readonly`, `drive`, `gmail_readonly`, `gmail_send`.
    scopes: Vec<&'static str>,
    created_at: TimeText,
}

impl From<GoogleAccount> for GoogleAccountBody {
    fn from(account: GoogleAccount) -> Self {
        GoogleAccountBody {
            id: account.id,
            email: account.email,
            scopes: account.scopes,
            created_at: TimeText(account.created_at),
        }
    }
}

/// Where the browser has to go.
#[derive(Serialize, ToSchema)]
struct GoogleSignInBody {
    authorization_url: String,
    /// What comes back with the code; good once and for ten minutes.
    state: String,
}

impl From<GoogleStart> for GoogleSignInBody {
    fn from(start: GoogleStart) -> Self {
        GoogleSignInBody {
            authorization_url: start.authorization_url,
            state: start.state,
        }
    }
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct GoogleSignInRequest {
    /// Some of `sheets_readonly`, `sheets`, `drive_readonly`, `drive`, `gmail_readonly` and `gmail_send`; `sheets` and
    /// `drive_readonly` when absent or empty.
    #[schema(required = false, max_items = 20)]
    scopes: Vec<String>,
    /// Where Google is to send the person back to, as it is registered for the app; the callback of this server when
    /// absent.
    #[schema(required = false, max_length = 2048)]
    redirect_uri: Option<String>,
}

impl From<GoogleError> for Envelope {
    fn from(e: GoogleError) -> Self {
        let text = e.to_string();
        match e {
            GoogleError::NotFound => Envelope::not_found("GoogleAccount", text),
            GoogleError::Field(field, why) => Envelope::invalid(text).field(field, why),
            GoogleError::Address(_) => Envelope::invalid(text),
            GoogleError::TooManyPending => Envelope::new(ErrorCode::RateLimited, text),
            GoogleError::NotConfigured(_)
            | GoogleError::Refused { .. }
            | GoogleError::Unreachable(_) => Envelope::new(ErrorCode::Unavailable, text),
            GoogleError::Sealed(e) => ApiError::from(e).into(),
            GoogleError::Store(e) => ApiError::from(e).into(),
            e @ GoogleError::NoRandomness => {
                Envelope::internal("a Google account cannot be connected", &e)
            }
        }
    }
}

/// The caller's Google accounts, oldest first.
#[utoipa::path(get, path = "/api/auth/google/accounts", tag = "google", responses((status = 200, body = [GoogleAccountBody])))]
async fn list_google_accounts(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let accounts = app.google.list(&caller.user_id).await?.into_iter();
    let bodies: Vec<GoogleAccountBody> = accounts.map(Into::into).collect();
    Ok(json(&bodies))
}

/// The caller's Google accounts as choices of a form.
#[utoipa::path(get, path = "/api/auth/google/accounts/choices", tag = "google", responses((status = 200, body = [ChoiceBody])))]
async fn list_google_account_choices(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let accounts = app.google.list(&caller.user_id).await?.into_iter();
    let choices: Vec<ChoiceBody> = accounts
        .map(|account| ChoiceBody::new(account.id.clone(), account.id, account.email))
        .collect();
    Ok(json(&choices))
}

/// One Google account.
#[utoipa::path(get, path = "/api/auth/google/accounts/{id}", tag = "google", params(("id" = String, Path)),
    responses((status = 200, body = GoogleAccountBody), (status = 404, body = EnvelopeBody)))]
async fn get_google_account(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let account = app.google.get(&caller.user_id, &id).await?;
    Ok(json(&GoogleAccountBody::from(account)))
}

/// Deletes a Google account with its tokens, and has Google forget them, too.
#[utoipa::path(delete, path = "/api/auth/google/accounts/{id}", tag = "google", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_google_account(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    app.google.delete(&caller.user_id, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Says that tokens and the app's secret are given to nobody.
#[utoipa::path(get, path = "/api/auth/google/accounts/{id}/credentials", tag = "google", params(("id" = String, Path)),
    responses((status = 404, body = EnvelopeBody)))]
async fn get_google_credentials(_: Caller, Path(_): Path) -> Envelope {
    let text =
        "The credentials of Google accounts are given to nobody; steps use them on this server.";
    Envelope::not_found("GoogleCredentials", text)
}

/// Begins to connect a Google account: the address to send the browser to. Keys of scopes may be separated by commas.
#[utoipa::path(get, path = "/api/auth/google/initiate", tag = "google",
    params(("scopes" = Option<String>, Query), ("redirect_uri" = Option<String>, Query)),
    responses((status = 200, body = GoogleSignInBody), (status = 400, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn link_google_sign_in(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, Envelope> {
    let given = query.lists();
    let all = |name: &str| given.get(name).and_then(Value::as_list).unwrap_or_default();
    let scopes = all("scopes").iter().filter_map(Value::as_str);
    let scopes = scopes.flat_map(keys).take(MAX_SCOPES + 1).collect();
    let redirect_uri = query.text("redirect_uri").filter(|uri| !uri.is_empty());
    let ask = GoogleSignIn {
        scopes,
        redirect_uri: redirect_uri.map(str::to_owned),
    };
    start(&app, &caller, ask).await
}

/// Begins to connect a Google account: the address to send the browser to.
#[utoipa::path(post, path = "/api/auth/google/initiate", tag = "google", request_body = GoogleSignInRequest,
    responses((status = 200, body = GoogleSignInBody), (status = 400, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 429, body = EnvelopeBody), (status = 503, body = EnvelopeBody)))]
async fn start_google_sign_in(
    State(app): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Envelope> {
    let body = object(request).await?;
    let scopes = match body.get("scopes") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Str(text)) => keys(text).take(MAX_SCOPES + 1).collect(),
        Some(Value::List(items)) => {
            let texts = items.iter().take(MAX_SCOPES + 1).map(Value::as_str);
            let texts: Option<Vec<_>> = texts.map(|text| text.map(str::to_owned)).collect();
            texts.ok_or_else(|| wrong_scopes("Not a list of texts."))?
        }
        Some(other) => {
            let kind = other.kind();
            let text = format!("Expected a list of items but got type \"{kind}\".");
            return Err(wrong_scopes(&text));
        }
    };
    let redirect_uri = match body.get("redirect_uri") {
        None | Some(Value::Null) => None,
        Some(Value::Str(text)) => Some(text.to_string()).filter(|text| !text.is_empty()),
        Some(_) => {
            let fault = "Not a valid string.";
            let refused = Envelope::invalid(format!("redirect_uri: {fault}"));
            return Err(refused.field("redirect_uri", fault));
        }
    };
    let ask = GoogleSignIn {
        scopes,
        redirect_uri,
    };
    start(&app, &caller, ask).await
}

fn wrong_scopes(fault: &str) -> Envelope {
    let known = SCOPE_KEYS.join(", ");
    let text = format!("scopes: {fault} Expected a list of some of {known}.");
    Envelope::invalid(text).field("scopes", fault)
}

/// The keys in a text.
fn keys(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| c == ',' || c.is_whitespace());
    parts.filter(|part| !part.is_empty()).map(str::to_owned)
}

async fn start(app: &AppState, caller: &Caller, ask: GoogleSignIn) -> Result<Response, Envelope> {
    let start = app.google.start(&caller.user_id, ask).await?;
    Ok(json(&GoogleSignInBody::from(start)))
}

/// Where Google sends the browser back to: a page for people, or JSON where `Accept` asks for it. The state says whose
/// account it becomes; a token that is shown as well has to be that user's.
#[utoipa::path(get, path = "/api/auth/google/callback", tag = "google", security(()),
    params(("code" = Option<String>, Query), ("state" = Option<String>, Query), ("error" = Option<String>, Query),
        ("error_description" = Option<String>, Query)),
    responses((status = 200, content((GoogleAccountBody = "application/json"), (String = "text/html"))),
        (status = 400, content((EnvelopeBody = "application/json"), (String = "text/html"))),
        (status = 500, content((EnvelopeBody = "application/json"), (String = "text/html")))))]
async fn finish_google_sign_in(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
    parts: Parts,
) -> Response {
    let by = match app.door.known(&parts).await {
        Ok(caller) => caller.map(|caller| caller.user_id),
        // Of nobody's token nobody has begun a sign-in.
        Err(_) => Some(String::new()),
    };
    let finished = app.google.finish(read_return(query), by.as_deref()).await;
    let programs = asks_for_json(&parts.headers);
    match finished {
        Ok(account) if programs => json(&GoogleAccountBody::from(account)),
        Ok(account) => {
            let content = format!(
                "<p>The Google account <b>{}</b> is connected. You can close this window.</p>",
                shown(&account.email)
            );
            page(StatusCode::OK, "Account connected", &content)
        }
        Err(e) => refuse(&e, programs),
    }
}

/// Whether a program asks, and no browser.
fn asks_for_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok());
    let accept = accept.unwrap_or_default().to_ascii_lowercase();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn refuse(e: &SignInError, programs: bool) -> Response {
    let (code, text) = match e {
        SignInError::Internal(cause) => {
            tracing::error!(error = %cause, "a Google account could not be connected");
            let text = "Something went wrong here; try again later.".to_owned();
            (ErrorCode::Internal, text)
        }
        e => (ErrorCode::InvalidRequest, e.to_string()),
    };
    let text: String = text.chars().take(SHOWN).collect();
    let kind: String = e.kind().chars().take(SHOWN).collect();
    if programs {
        let details = [("reason".into(), Value::str(kind))];
        let refused = Envelope::new(code, text).details(details.into_iter().collect());
        return refused.into_response();
    }
    let status = match code {
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let content = format!(
        "<p>The Google account was not connected.</p><p class=\"message\">{}</p><pre>{}</pre>",
        shown(&text),
        shown(&kind)
    );
    page(status, "Account not connected", &content)
}
