//! Refusals of the Orchestrator's routes that were not made by them: of the door, of limits, of the router. They get
//! the body that clients of these routes read (spec 3.1).

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Envelope, ErrorCode, Shaped};
use crate::http::auth;

/// Most bytes of a refusal whose form is changed.
const MAX_REFUSAL: usize = 1 << 20;

/// Routes below `/api/nodes` that are not of this surface.
const OF_OTHERS: [&str; 3] = ["metadata", "dummy", "replicate_status"];

/// Whether a path is one of this surface.
fn owns(path: &str) -> bool {
    let mut parts = path.trim_matches('/').split('/');
    match (parts.next(), parts.next()) {
        (Some("media" | "node-icons"), _)
        | (
            Some("api"),
            Some("workflow" | "webhooks" | "celery" | "auth" | "demo-requests" | "contact"),
        ) => true,
        (Some("api"), Some("nodes")) => parts.next().is_none_or(|p| !OF_OTHERS.contains(&p)),
        _ => false,
    }
}

/// Gives such a refusal the form of this surface.
pub(in crate::http) async fn shape(request: Request, next: Next) -> Response {
    if !owns(request.uri().path()) {
        return next.run(request).await;
    }
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let json = kind.is_some_and(|kind| kind == "application/json");
    if !refused || !json || response.extensions().get::<Shaped>().is_some() {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_REFUSAL).await else {
        let cause = "more than a MiB";
        return Envelope::internal("a refusal cannot be read", &cause).into_response();
    };
    let told: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if told["code"].is_string() {
        return Response::from_parts(head, bytes.into());
    }
    let detail = told["detail"].as_str().unwrap_or_default();
    let mut shaped = envelope(head.status, detail, &method, &headers).into_response();
    *shaped.status_mut() = head.status;
    let mut kept = head.headers;
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE] {
        kept.remove(name);
    }
    if shaped.headers().contains_key(header::WWW_AUTHENTICATE) {
        kept.remove(header::WWW_AUTHENTICATE);
    }
    shaped.headers_mut().extend(kept);
    // What other layers have noted of it still holds.
    shaped.extensions_mut().extend(head.extensions);
    shaped
}

fn envelope(status: StatusCode, detail: &str, method: &Method, headers: &HeaderMap) -> Envelope {
    match status {
        StatusCode::UNAUTHORIZED => Envelope::new(ErrorCode::Unauthorized, unknown(headers)),
        StatusCode::METHOD_NOT_ALLOWED => {
            let text = format!("Method \"{method}\" not allowed.");
            Envelope::new(ErrorCode::MethodNotAllowed, text)
        }
        status => Envelope::new(ErrorCode::of(status), detail),
    }
}

/// Why nobody known asks, by what was shown.
fn unknown(headers: &HeaderMap) -> &'static str {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let scheme = shown.split_whitespace().next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("api-key") || headers.contains_key("x-api-key") {
        "Invalid or unknown API key."
    } else if auth::bearer(headers).is_some() {
        "Given token not valid for any token type"
    } else {
        "Authentication credentials were not provided."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_surface_are_shaped() {
        for own in [
            "/api/workflow",
            "/api/workflow/x/nodes/",
            "/api/nodes",
            "/api/nodes/counter/form",
            "/api/webhooks/w",
            "/api/celery/task/t/status",
            "/api/auth/login",
            "/api/demo-requests/x/update_status",
            "/api/contact/submissions",
            "/media/node_files/n/k/f",
            "/node-icons/x.png",
        ] {
            assert!(owns(own), "{own}");
        }
        for other in [
            "/api/workflows",
            "/api/workflowx",
            "/api/nodes/metadata",
            "/api/nodes/dummy/",
            "/api/nodes/replicate_status",
            "/api",
            "/",
            "/workflow",
        ] {
            assert!(!owns(other), "{other}");
        }
    }
}
