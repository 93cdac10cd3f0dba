//! Browsers that steps work in, each with cookies of its own (orchestrator spec 3.10, other routes).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answers::{created, listed};
use super::error::EnvelopeBody;
use super::people::object;
use super::{Envelope, ErrorCode};
use crate::http::extract::Path;
use crate::http::{AppState, json};
use crate::services::{BrowserError, BrowserSession, Caller, SessionConfig, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_browser_sessions, create_browser_session))
        .routes(routes!(list_browser_session_choices))
        .routes(routes!(
            get_browser_session,
            replace_browser_session,
            update_browser_session,
            delete_browser_session
        ))
        .routes(routes!(get_browser_session_config))
}

/// Size of a window.
#[derive(Serialize, ToSchema)]
struct ViewportBody {
    #[schema(minimum = 100, maximum = 8192)]
    width: u32,
    #[schema(minimum = 100, maximum = 8192)]
    height: u32,
}

/// How a browser shows itself.
#[derive(Serialize, ToSchema)]
struct ConfigBody {
    viewport: ViewportBody,
    #[schema(required = true)]
    user_agent: Option<String>,
    /// Such as `en-US`.
    #[schema(required = true)]
    locale: Option<String>,
    /// Such as `Europe/Berlin`.
    #[schema(required = true)]
    timezone: Option<String>,
}

impl From<SessionConfig> for ConfigBody {
    fn from(config: SessionConfig) -> Self {
        ConfigBody {
            viewport: ViewportBody {
                width: config.viewport.width,
                height: config.viewport.height,
            },
            user_agent: config.user_agent,
            locale: config.locale,
            timezone: config.timezone,
        }
    }
}

/// A browser with cookies of its own.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionBody {
    id: String,
    name: String,
    description: String,
    browser_type: &'static str,
    config: ConfigBody,
    /// `running` while its browser is there, else `idle`.
    status: &'static str,
    open_pages: usize,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<BrowserSession> for SessionBody {
    fn from(session: BrowserSession) -> Self {
        SessionBody {
            id: session.id,
            name: session.name,
            description: session.description,
            browser_type: "chromium",
            config: session.config.into(),
            status: session.pages.map_or("idle", |_| "running"),
            open_pages: session.pages.unwrap_or(0),
            created_at: TimeText(session.created_at),
            updated_at: TimeText(session.updated_at),
        }
    }
}

/// What the browser of a session is started with.
#[derive(Serialize, ToSchema)]
struct LaunchBody {
    session_id: String,
    name: String,
    browser_type: &'static str,
    headless: bool,
    config: ConfigBody,
}

/// A choice of a form.
#[derive(Serialize, ToSchema)]
pub(super) struct ChoiceBody {
    value: String,
    label: String,
    id: String,
    name: String,
}

impl ChoiceBody {
    pub(super) fn new(value: String, id: String, name: String) -> Self {
        ChoiceBody {
            value,
            label: name.clone(),
            id,
            name,
        }
    }
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct SessionRequest {
    #[schema(max_length = 100)]
    name: String,
    #[schema(required = false, max_length = 1000)]
    description: String,
    /// Only `chromium`.
    #[schema(required = false)]
    browser_type: String,
    /// `viewport {width, height}`, `user_agent`, `locale`, `timezone`; what is absent is the browser's own.
    #[schema(required = false, value_type = Object)]
    config: (),
}

impl From<BrowserError> for Envelope {
    fn from(e: BrowserError) -> Self {
        let text = e.to_string();
        match e {
            BrowserError::NotFound(kind) => Envelope::not_found(kind, text),
            BrowserError::Fields(faults) => {
                let envelope = Envelope::invalid(text);
                let named = |envelope: Envelope, (field, why)| envelope.field(field, why);
                faults.into_iter().fold(envelope, named).with_fields()
            }
            BrowserError::Unavailable(_) => Envelope::new(ErrorCode::Unavailable, text),
            BrowserError::TooMany { .. } => Envelope::new(ErrorCode::Conflict, text),
            e @ (BrowserError::Folder(_) | BrowserError::Store(_)) => {
                Envelope::internal("browsers cannot be kept", &e)
            }
        }
    }
}

/// The caller's browser sessions, oldest first.
#[utoipa::path(get, path = "/api/browser-sessions", tag = "browsers", responses((status = 200, body = [SessionBody])))]
async fn list_browser_sessions(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let sessions = app.browsers.sessions(&caller).await?;
    Ok(listed::<SessionBody>(sessions))
}

/// Makes a browser session.
#[utoipa::path(post, path = "/api/browser-sessions", tag = "browsers", request_body = SessionRequest,
    responses((status = 201, body = SessionBody), (status = 400, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn create_browser_session(
    State(app): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Envelope> {
    let session = app
        .browsers
        .create_session(&caller, &object(request).await?)
        .await?;
    Ok(created(&SessionBody::from(session)))
}

/// The caller's browser sessions as choices of a form.
#[utoipa::path(get, path = "/api/browser-sessions/choices", tag = "browsers", responses((status = 200, body = [ChoiceBody])))]
async fn list_browser_session_choices(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let sessions = app.browsers.sessions(&caller).await?;
    let choice = |s: BrowserSession| ChoiceBody::new(s.id.clone(), s.id, s.name);
    Ok(listed::<ChoiceBody>(sessions.into_iter().map(choice)))
}

/// One browser session.
#[utoipa::path(get, path = "/api/browser-sessions/{id}", tag = "browsers", params(("id" = String, Path)),
    responses((status = 200, body = SessionBody), (status = 404, body = EnvelopeBody)))]
async fn get_browser_session(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let session = app.browsers.session(&caller, &id).await?;
    Ok(json(&SessionBody::from(session)))
}

/// Changes a browser session; a name has to be there. What it is set to counts for pages opened later.
#[utoipa::path(put, path = "/api/browser-sessions/{id}", tag = "browsers", params(("id" = String, Path)),
    request_body = SessionRequest,
    responses((status = 200, body = SessionBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn replace_browser_session(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let session = app
        .browsers
        .change_session(&caller, &id, &sent, true)
        .await?;
    Ok(json(&SessionBody::from(session)))
}

/// Changes what is named of a browser session.
#[utoipa::path(patch, path = "/api/browser-sessions/{id}", tag = "browsers", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, body = SessionBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn update_browser_session(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let session = app
        .browsers
        .change_session(&caller, &id, &sent, false)
        .await?;
    Ok(json(&SessionBody::from(session)))
}

/// Deletes a browser session with its cookies; its browser ends.
#[utoipa::path(delete, path = "/api/browser-sessions/{id}", tag = "browsers", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_browser_session(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    app.browsers.delete_session(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What the browser of a session is started with.
#[utoipa::path(get, path = "/api/browser-sessions/{id}/config", tag = "browsers", params(("id" = String, Path)),
    responses((status = 200, body = LaunchBody), (status = 404, body = EnvelopeBody)))]
async fn get_browser_session_config(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let session = app.browsers.session(&caller, &id).await?;
    Ok(json(&LaunchBody {
        session_id: session.id,
        name: session.name,
        browser_type: "chromium",
        headless: true,
        config: session.config.into(),
    }))
}
