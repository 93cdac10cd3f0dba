//! An Ollama server on this machine that pulls nothing: one model comes, one breaks off in the middle, others are not
//! there.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The server.
pub(crate) struct Ollama {
    url: String,
    _serving: JoinSet<()>,
}

impl Ollama {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/api/tags", get(tags))
            .route("/api/show", post(show))
            .route("/api/pull", post(pull))
            .route("/api/delete", delete(remove));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Ollama {
            url,
            _serving: serving,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}

fn missing(text: &str, status: StatusCode) -> Response {
    (status, json!({ "error": text }).to_string()).into_response()
}

async fn pull(body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut lines = vec![
        json!({ "status": "pulling manifest" }),
        json!({ "status": "downloading", "digest": "sha256:a", "total": 10, "completed": 5 }),
    ];
    match body["model"].as_str().unwrap() {
        "good" => lines.push(json!({ "status": "success" })),
        "breaks" => lines.push(json!({ "error": "max retries exceeded" })),
        _ => return missing("file does not exist", StatusCode::INTERNAL_SERVER_ERROR),
    }
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    ([("content-type", "application/x-ndjson")], text).into_response()
}

async fn tags() -> Response {
    let model = json!({
        "name": "good:latest", "modified_at": "2026-01-01T00:00:00Z", "size": 7, "digest": "d",
        "details": { "family": "llama" },
    });
    json!({ "models": [model] }).to_string().into_response()
}

async fn show(body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    match body["model"].as_str().unwrap() {
        "good" => json!({ "capabilities": ["completion"] })
            .to_string()
            .into_response(),
        _ => missing("model not found", StatusCode::NOT_FOUND),
    }
}

async fn remove(body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    match body["model"].as_str().unwrap() {
        "good" => StatusCode::OK.into_response(),
        _ => missing("model not found", StatusCode::NOT_FOUND),
    }
}
