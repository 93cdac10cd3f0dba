//! Accounts at Hugging Face and GitHub (HTTP spec 6.14). Tokens are never in an answer.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nodetool_store::OauthCredentialRow;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::approvals::{escaped, page};
use super::extract::Query;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, OAuthError, OAuthProvider, SignInError, SignInReturn, TimeText};

/// Characters of a text of a site that are shown.
const SHOWN: usize = 500;
/// Longest value that is read of what comes back from a site.
const LONGEST: usize = 4 << 10;

/// Statuses of a site that are passed on; others are told as 502.
const PASSED_ON: [u16; 11] = [400, 403, 404, 409, 410, 429, 451, 500, 502, 503, 504];

/// `/api/oauth`. The callbacks are for browsers that come back from a site, without any token of this server.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(start_hf_oauth))
        .routes(routes!(start_github_oauth))
        .routes(routes!(finish_hf_oauth))
        .routes(routes!(finish_github_oauth))
        .routes(routes!(list_hf_tokens))
        .routes(routes!(list_github_tokens))
        .routes(routes!(refresh_hf_token))
        .routes(routes!(get_hf_account))
        .routes(routes!(get_github_user))
}

/// Why an account cannot be used: a text, or a short name with a text.
#[derive(Serialize, ToSchema)]
struct OAuthRefusal {
    detail: OAuthDetail,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum OAuthDetail {
    Text(String),
    Named {
        error: &'static str,
        error_description: String,
    },
}

fn refusal(status: StatusCode, error: &'static str, error_description: String) -> Response {
    let detail = OAuthDetail::Named {
        error,
        error_description,
    };
    (status, json(&OAuthRefusal { detail })).into_response()
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let text = self.to_string();
        let plain = |status| {
            let detail = OAuthDetail::Text(text.clone());
            (status, json(&OAuthRefusal { detail })).into_response()
        };
        match self {
            OAuthError::NotConfigured { .. } => plain(StatusCode::INTERNAL_SERVER_ERROR),
            OAuthError::TooManyPending => plain(StatusCode::SERVICE_UNAVAILABLE),
            OAuthError::NoCredential => plain(StatusCode::NOT_FOUND),
            OAuthError::NoRefreshToken => plain(StatusCode::BAD_REQUEST),
            OAuthError::RefreshFailed(text) => {
                refusal(StatusCode::BAD_REQUEST, "refresh_failed", text)
            }
            OAuthError::Network(text) => {
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "network_error", text)
            }
            OAuthError::Unauthorized(text) => {
                refusal(StatusCode::UNAUTHORIZED, "unauthorized", text)
            }
            OAuthError::Api { status, text } => {
                let status = Some(status).filter(|status| PASSED_ON.contains(status));
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                refusal(status.unwrap_or(StatusCode::BAD_GATEWAY), "api_error", text)
            }
            OAuthError::Sealed(e) => ApiError::from(e).into_response(),
            OAuthError::NoRandomness => {
                ApiError::internal("an account cannot be used", &self).into_response()
            }
            OAuthError::Store(e) => ApiError::from(e).into_response(),
        }
    }
}

/// Where the browser has to go.
#[derive(Serialize, ToSchema)]
struct SignInStart {
    auth_url: String,
}

fn start(app: &AppState, caller: &Caller, provider: OAuthProvider) -> Response {
    match app.oauth.start(&caller.user_id, provider) {
        Ok(auth_url) => json(&SignInStart { auth_url }),
        Err(e) => e.into_response(),
    }
}

/// Begins to connect a Hugging Face account: the address to send the browser to, good for five minutes.
#[utoipa::path(get, path = "/api/oauth/hf/start", tag = "oauth",
    responses((status = 200, body = SignInStart), (status = 500, body = OAuthRefusal)))]
async fn start_hf_oauth(State(app): State<AppState>, caller: Caller) -> Response {
    start(&app, &caller, OAuthProvider::HuggingFace)
}

/// Begins to connect a GitHub account: the address to send the browser to, good for five minutes.
#[utoipa::path(get, path = "/api/oauth/github/start", tag = "oauth",
    responses((status = 200, body = SignInStart), (status = 500, body = OAuthRefusal)))]
async fn start_github_oauth(State(app): State<AppState>, caller: Caller) -> Response {
    start(&app, &caller, OAuthProvider::GitHub)
}

/// Takes whatever query there is: a person looks at the answer, whatever a site has sent them with.
pub(super) fn read_return(query: Option<String>) -> SignInReturn {
    let query = query.unwrap_or_default();
    let mut back = SignInReturn::default();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let field = match &*key {
            "code" => &mut back.code,
            "state" => &mut back.state,
            "error" => &mut back.error,
            "error_description" => &mut back.description,
            _ => continue,
        };
        if value.len() <= LONGEST {
            *field = Some(value.into_owned());
        }
    }
    back.error.take_if(|error| error.is_empty());
    back
}

async fn finish(app: &AppState, provider: OAuthProvider, query: Option<String>) -> Response {
    let finished = app.oauth.finish(provider, read_return(query)).await;
    let site = provider.title();
    let (title, content) = match finished {
        Ok(row) => {
            let name = row.username.as_deref().unwrap_or(&row.account_id);
            let content = format!(
                "<p>The {site} account <b>{}</b> is connected. You can close this window.</p>",
                shown(name)
            );
            ("Account connected", content)
        }
        Err(e) => {
            if let SignInError::Internal(cause) = &e {
                tracing::error!(error = %cause, "an account could not be connected");
            }
            let text = match &e {
                SignInError::Internal(_) => "Something went wrong here; try again later.".into(),
                e => shown(&e.to_string()),
            };
            let content = format!(
                "<p>The {site} account was not connected.</p><p class=\"message\">{text}</p><pre>{}</pre>",
                shown(e.kind())
            );
            ("Account not connected", content)
        }
    };
    page(StatusCode::OK, title, &content)
}

pub(super) fn shown(text: &str) -> String {
    escaped(&text.chars().take(SHOWN).collect::<String>())
}

/// Where Hugging Face sends the browser back to. Answers with a page for people, whatever came of it.
#[utoipa::path(get, path = "/api/oauth/hf/callback", tag = "oauth", security(()),
    params(("code" = Option<String>, Query), ("state" = Option<String>, Query), ("error" = Option<String>, Query),
        ("error_description" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn finish_hf_oauth(State(app): State<AppState>, RawQuery(query): RawQuery) -> Response {
    finish(&app, OAuthProvider::HuggingFace, query).await
}

/// Where GitHub sends the browser back to. Answers with a page for people, whatever came of it.
#[utoipa::path(get, path = "/api/oauth/github/callback", tag = "oauth", security(()),
    params(("code" = Option<String>, Query), ("state" = Option<String>, Query), ("error" = Option<String>, Query),
        ("error_description" = Option<String>, Query)),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn finish_github_oauth(State(app): State<AppState>, RawQuery(query): RawQuery) -> Response {
    finish(&app, OAuthProvider::GitHub, query).await
}

/// A connected account, without its tokens.
#[derive(Serialize, ToSchema)]
struct OAuthAccount {
    id: String,
    provider: String,
    account_id: String,
    username: Option<String>,
    token_type: String,
    scope: Option<String>,
    received_at: TimeText,
    expires_at: Option<TimeText>,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<OauthCredentialRow> for OAuthAccount {
    fn from(row: OauthCredentialRow) -> Self {
        OAuthAccount {
            id: row.id,
            provider: row.provider,
            account_id: row.account_id,
            username: row.username,
            token_type: row.token_type,
            scope: row.scope,
            received_at: TimeText(row.received_at),
            expires_at: row.expires_at.map(TimeText),
            created_at: TimeText(row.created_at),
            updated_at: TimeText(row.updated_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct OAuthAccounts {
    tokens: Vec<OAuthAccount>,
}

async fn list(app: &AppState, caller: &Caller, provider: OAuthProvider) -> Response {
    match app.oauth.list(&caller.user_id, provider).await {
        Ok(rows) => json(&OAuthAccounts {
            tokens: rows.into_iter().map(OAuthAccount::from).collect(),
        }),
        Err(e) => e.into_response(),
    }
}

/// The caller's connected Hugging Face accounts, the newest first.
#[utoipa::path(get, path = "/api/oauth/hf/tokens", tag = "oauth", responses((status = 200, body = OAuthAccounts)))]
async fn list_hf_tokens(State(app): State<AppState>, caller: Caller) -> Response {
    list(&app, &caller, OAuthProvider::HuggingFace).await
}

/// The caller's connected GitHub accounts, the newest first.
#[utoipa::path(get, path = "/api/oauth/github/tokens", tag = "oauth", responses((status = 200, body = OAuthAccounts)))]
async fn list_github_tokens(State(app): State<AppState>, caller: Caller) -> Response {
    list(&app, &caller, OAuthProvider::GitHub).await
}

#[derive(Serialize, ToSchema)]
struct TokenRefreshed {
    success: bool,
    message: &'static str,
}

/// Fetches a fresh token of a connected Hugging Face account.
#[utoipa::path(post, path = "/api/oauth/hf/refresh", tag = "oauth", params(("account_id" = String, Query)),
    responses((status = 200, body = TokenRefreshed), (status = 400, body = OAuthRefusal), (status = 404, body = Refusal),
        (status = 409, body = OAuthRefusal), (status = 500, body = OAuthRefusal)))]
async fn refresh_hf_token(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let account_id = query.required("account_id")?;
    let refreshed = app.oauth.refresh(&caller.user_id, account_id).await;
    Ok(match refreshed {
        Ok(()) => json(&TokenRefreshed {
            success: true,
            message: "Token refreshed successfully",
        }),
        Err(e) => e.into_response(),
    })
}

async fn profile(
    app: &AppState,
    caller: &Caller,
    provider: OAuthProvider,
    query: &Query,
) -> Result<Result<Value, Response>, ApiError> {
    let account_id = query.required("account_id")?;
    let profile = app.oauth.profile(&caller.user_id, provider, account_id);
    Ok(profile.await.map_err(IntoResponse::into_response))
}

fn text(profile: &Value, key: &str) -> Option<String> {
    profile[key].as_str().map(str::to_owned)
}

/// A Hugging Face account as Hugging Face describes it.
#[derive(Serialize, ToSchema)]
struct HfAccount {
    id: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Organisations the account is in, as Hugging Face describes them.
    #[schema(value_type = Option<Vec<Object>>)]
    orgs: Option<Vec<Value>>,
}

/// Asks Hugging Face about a connected account.
#[utoipa::path(get, path = "/api/oauth/hf/whoami", tag = "oauth", params(("account_id" = String, Query)),
    responses((status = 200, body = HfAccount), (status = 400, body = OAuthRefusal), (status = 401, body = OAuthRefusal),
        (status = 403, body = OAuthRefusal), (status = 404, body = OAuthRefusal), (status = 409, body = OAuthRefusal),
        (status = 410, body = OAuthRefusal), (status = 429, body = OAuthRefusal),
        (status = 451, body = OAuthRefusal), (status = 500, body = OAuthRefusal), (status = 502, body = OAuthRefusal),
        (status = 503, body = OAuthRefusal), (status = 504, body = OAuthRefusal)))]
async fn get_hf_account(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let profile = match profile(&app, &caller, OAuthProvider::HuggingFace, &query).await? {
        Ok(profile) => profile,
        Err(refused) => return Ok(refused),
    };
    let orgs = profile["orgs"].as_array();
    let orgs = orgs.map(|all| all.iter().filter(|org| org.is_object()).cloned().collect());
    Ok(json(&HfAccount {
        id: text(&profile, "id").unwrap_or_default(),
        name: text(&profile, "name"),
        email: text(&profile, "email"),
        kind: text(&profile, "type"),
        orgs,
    }))
}

/// A GitHub account as GitHub describes it.
#[derive(Serialize, ToSchema)]
struct GitHubUser {
    login: String,
    id: i64,
    node_id: String,
    avatar_url: Option<String>,
    name: Option<String>,
    email: Option<String>,
    bio: Option<String>,
    company: Option<String>,
    location: Option<String>,
    blog: Option<String>,
    public_repos: Option<i64>,
    public_gists: Option<i64>,
    followers: Option<i64>,
    following: Option<i64>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

/// Asks GitHub about a connected account.
#[utoipa::path(get, path = "/api/oauth/github/user", tag = "oauth", params(("account_id" = String, Query)),
    responses((status = 200, body = GitHubUser), (status = 400, body = OAuthRefusal), (status = 401, body = OAuthRefusal),
        (status = 403, body = OAuthRefusal), (status = 404, body = OAuthRefusal), (status = 409, body = OAuthRefusal),
        (status = 410, body = OAuthRefusal), (status = 429, body = OAuthRefusal),
        (status = 451, body = OAuthRefusal), (status = 500, body = OAuthRefusal), (status = 502, body = OAuthRefusal),
        (status = 503, body = OAuthRefusal), (status = 504, body = OAuthRefusal)))]
async fn get_github_user(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let profile = match profile(&app, &caller, OAuthProvider::GitHub, &query).await? {
        Ok(profile) => profile,
        Err(refused) => return Ok(refused),
    };
    let count = |key: &str| profile[key].as_i64();
    Ok(json(&GitHubUser {
        login: text(&profile, "login").unwrap_or_default(),
        id: count("id").unwrap_or_default(),
        node_id: text(&profile, "node_id").unwrap_or_default(),
        avatar_url: text(&profile, "avatar_url"),
        name: text(&profile, "name"),
        email: text(&profile, "email"),
        bio: text(&profile, "bio"),
        company: text(&profile, "company"),
        location: text(&profile, "location"),
        blog: text(&profile, "blog"),
        public_repos: count("public_repos"),
        public_gists: count("public_gists"),
        followers: count("followers"),
        following: count("following"),
        created_at: text(&profile, "created_at"),
        updated_at: text(&profile, "updated_at"),
    }))
}
