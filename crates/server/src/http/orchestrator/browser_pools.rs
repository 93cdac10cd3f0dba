//! Pools of browser sessions, and the pauses they keep between visits (orchestrator spec 3.10, other routes).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::answers::{created, listed};
use super::browser_sessions::ChoiceBody;
use super::error::EnvelopeBody;
use super::people::object;
use crate::http::extract::{Path, PathPair};
use crate::http::{AppState, json};
use crate::services::{BrowserPool, Caller, ThrottleRule, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_browser_pools, create_browser_pool))
        .routes(routes!(list_browser_pool_choices))
        .routes(routes!(
            get_browser_pool,
            replace_browser_pool,
            update_browser_pool,
            delete_browser_pool
        ))
        .routes(routes!(list_throttle_rules, create_throttle_rule))
        .routes(routes!(
            get_throttle_rule,
            update_throttle_rule,
            delete_throttle_rule
        ))
}

/// Some sessions of a user; a page is opened in the one that has the fewest.
#[derive(Serialize, ToSchema)]
struct PoolBody {
    id: String,
    name: String,
    description: String,
    /// Ids of browser sessions.
    browser_sessions: Vec<String>,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<BrowserPool> for PoolBody {
    fn from(pool: BrowserPool) -> Self {
        PoolBody {
            id: pool.id,
            name: pool.name,
            description: pool.description,
            browser_sessions: pool.sessions,
            created_at: TimeText(pool.created_at),
            updated_at: TimeText(pool.updated_at),
        }
    }
}

/// The pause between visits to a domain and what is below it.
#[derive(Serialize, ToSchema)]
struct RuleBody {
    id: String,
    domain: String,
    delay_seconds: f64,
    enabled: bool,
    created_at: TimeText,
    updated_at: TimeText,
}

impl From<ThrottleRule> for RuleBody {
    fn from(rule: ThrottleRule) -> Self {
        RuleBody {
            id: rule.id,
            domain: rule.domain,
            delay_seconds: rule.delay_seconds,
            enabled: rule.enabled,
            created_at: TimeText(rule.created_at),
            updated_at: TimeText(rule.updated_at),
        }
    }
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct PoolRequest {
    #[schema(max_length = 100)]
    name: String,
    #[schema(required = false, max_length = 1000)]
    description: String,
    /// Ids of the caller's browser sessions.
    #[schema(required = false)]
    browser_sessions: Vec<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct RuleRequest {
    /// Such as `example.com`; it holds for what is below it, too.
    #[schema(max_length = 253)]
    domain: String,
    #[schema(minimum = 0, maximum = 3600)]
    delay_seconds: f64,
    #[schema(required = false)]
    enabled: bool,
}

/// The caller's browser pools, oldest first.
#[utoipa::path(get, path = "/api/browser-pools", tag = "browsers", responses((status = 200, body = [PoolBody])))]
async fn list_browser_pools(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let pools = app.browsers.pools(&caller).await?;
    Ok(listed::<PoolBody>(pools))
}

/// Makes a browser pool.
#[utoipa::path(post, path = "/api/browser-pools", tag = "browsers", request_body = PoolRequest,
    responses((status = 201, body = PoolBody), (status = 400, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn create_browser_pool(
    State(app): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response, Envelope> {
    let pool = app
        .browsers
        .create_pool(&caller, &object(request).await?)
        .await?;
    Ok(created(&PoolBody::from(pool)))
}

/// The caller's browser pools as forms of steps offer them.
#[utoipa::path(get, path = "/api/browser-pools/choices", tag = "browsers", responses((status = 200, body = [ChoiceBody])))]
async fn list_browser_pool_choices(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, Envelope> {
    let pools = app.browsers.pools(&caller).await?;
    let choice = |p: BrowserPool| ChoiceBody::new(format!("pool:{}", p.id), p.id, p.name);
    Ok(listed::<ChoiceBody>(pools.into_iter().map(choice)))
}

/// One browser pool.
#[utoipa::path(get, path = "/api/browser-pools/{id}", tag = "browsers", params(("id" = String, Path)),
    responses((status = 200, body = PoolBody), (status = 404, body = EnvelopeBody)))]
async fn get_browser_pool(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    Ok(json(&PoolBody::from(
        app.browsers.pool(&caller, &id).await?,
    )))
}

/// Changes a browser pool; a name has to be there.
#[utoipa::path(put, path = "/api/browser-pools/{id}", tag = "browsers", params(("id" = String, Path)),
    request_body = PoolRequest,
    responses((status = 200, body = PoolBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn replace_browser_pool(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let pool = app.browsers.change_pool(&caller, &id, &sent, true).await?;
    Ok(json(&PoolBody::from(pool)))
}

/// Changes what is named of a browser pool.
#[utoipa::path(patch, path = "/api/browser-pools/{id}", tag = "browsers", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, body = PoolBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn update_browser_pool(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let pool = app.browsers.change_pool(&caller, &id, &sent, false).await?;
    Ok(json(&PoolBody::from(pool)))
}

/// Deletes a browser pool with its rules; its sessions stay.
#[utoipa::path(delete, path = "/api/browser-pools/{id}", tag = "browsers", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_browser_pool(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    app.browsers.delete_pool(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The pauses a pool keeps, by domain.
#[utoipa::path(get, path = "/api/browser-pools/{id}/domain-throttle-rules", tag = "browsers",
    params(("id" = String, Path)),
    responses((status = 200, body = [RuleBody]), (status = 404, body = EnvelopeBody)))]
async fn list_throttle_rules(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, Envelope> {
    let rules = app.browsers.rules(&caller, &id).await?;
    Ok(listed::<RuleBody>(rules))
}

/// Adds a pause to a pool.
#[utoipa::path(post, path = "/api/browser-pools/{id}/domain-throttle-rules", tag = "browsers",
    params(("id" = String, Path)), request_body = RuleRequest,
    responses((status = 201, body = RuleBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody)))]
async fn create_throttle_rule(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let rule = app.browsers.create_rule(&caller, &id, &sent).await?;
    Ok(created(&RuleBody::from(rule)))
}

/// One pause of a pool.
#[utoipa::path(get, path = "/api/browser-pools/{id}/domain-throttle-rules/{rule_id}", tag = "browsers",
    params(("id" = String, Path), ("rule_id" = String, Path)),
    responses((status = 200, body = RuleBody), (status = 404, body = EnvelopeBody)))]
async fn get_throttle_rule(
    State(app): State<AppState>,
    caller: Caller,
    PathPair(id, rule_id): PathPair,
) -> Result<Response, Envelope> {
    Ok(json(&RuleBody::from(
        app.browsers.rule(&caller, &id, &rule_id).await?,
    )))
}

/// Changes how long a pause is and whether it is kept.
#[utoipa::path(patch, path = "/api/browser-pools/{id}/domain-throttle-rules/{rule_id}", tag = "browsers",
    params(("id" = String, Path), ("rule_id" = String, Path)), request_body = Object,
    responses((status = 200, body = RuleBody), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody)))]
async fn update_throttle_rule(
    State(app): State<AppState>,
    caller: Caller,
    PathPair(id, rule_id): PathPair,
    request: Request,
) -> Result<Response, Envelope> {
    let sent = object(request).await?;
    let rule = app
        .browsers
        .change_rule(&caller, &id, &rule_id, &sent)
        .await?;
    Ok(json(&RuleBody::from(rule)))
}

/// Removes a pause.
#[utoipa::path(delete, path = "/api/browser-pools/{id}/domain-throttle-rules/{rule_id}", tag = "browsers",
    params(("id" = String, Path), ("rule_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody)))]
async fn delete_throttle_rule(
    State(app): State<AppState>,
    caller: Caller,
    PathPair(id, rule_id): PathPair,
) -> Result<Response, Envelope> {
    app.browsers.delete_rule(&caller, &id, &rule_id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
