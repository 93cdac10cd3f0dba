//! The chat server: the OpenAI-compatible routes and signs of life, and nothing else (HTTP spec 1.1, 3.2 row M3). It
//! needs no database.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;
use utoipa_axum::router::OpenApiRouter;

use super::auth::{Door, NotAdmitted, bearer};
use super::rate::address_of;
use super::{
    ApiError, OpenAiState, Surface, cors, hygiene, json_response, openai, openapi, pages, requests,
    system,
};

/// The routes of a chat server.
pub(crate) fn chat_surface(door: Arc<Door>, chat: OpenAiState, docs: bool) -> Surface {
    let (chat, description) = OpenApiRouter::new()
        .merge(openai::router(chat))
        .split_for_parts();
    let chat = chat.layer(middleware::from_fn_with_state(door.clone(), pass));
    let health = json!({ "status": "healthy" }).to_string();
    let mut routes: Router = Router::new()
        .route(
            "/health",
            get(move || std::future::ready(json_response(health.clone()))),
        )
        .route("/ping", get(system::get_ping))
        .merge(chat);
    if docs {
        let document = openapi::document(&description, "NodeTool Chat Server", "1.0.0");
        let document = document.map(bytes::Bytes::from);
        let answer = move || std::future::ready(document.clone().map(json_response));
        routes = routes
            .merge(pages::docs())
            .route("/openapi.json", get(answer));
    }
    let routes = routes
        .fallback(|| async { ApiError::not_found("Not Found") })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(middleware::from_fn_with_state(door.clone(), own_pages_only))
        .layer(middleware::from_fn(openai::shape))
        .layer(middleware::from_fn_with_state(door, cors::tell))
        .layer(middleware::map_response(hygiene::complete))
        .layer(middleware::from_fn(requests::track));
    NormalizePathLayer::trim_trailing_slash().layer(routes)
}

/// Without tokens, pages of other sites get nothing.
async fn own_pages_only(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match door.check_page(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    }
}

/// Asks for a token before a model is asked anything.
async fn pass(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    // Tokens in an address end up in logs; here they are taken from the header only.
    let admitted = match bearer(request.headers()) {
        None if door.accounts.enforced() => Err(NotAdmitted::Missing),
        _ => {
            let from = address_of(request.extensions());
            door.admit(request.headers(), None, from).await
        }
    };
    let why = match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            return next.run(request).await;
        }
        Err(why) => why,
    };
    let detail = match why {
        NotAdmitted::Missing => "Authentication credentials were not provided.",
        NotAdmitted::Invalid | NotAdmitted::Throttled => "Failed to validate authentication token.",
        NotAdmitted::Unavailable => "Authentication provider is configured but unavailable.",
    };
    tracing::info!(target: "audit", event = "request.refused", http.status = 401, reason = detail);
    openai::OpenAiError::unauthorized(detail).into_response()
}
