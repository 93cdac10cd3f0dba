//! What needs parts this server does not have: Python and Gradio sources.
//!
//! Requests are checked as if it had them, so that a client learns first of what is wrong with its own request.

use axum::extract::State;
use nodetool_protocol::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path};
use super::{ApiError, AppState, Refusal};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(export_workflow_dsl))
        .routes(routes!(export_workflow_gradio))
}

/// How a page made of a workflow looks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct GradioExport {
    app_title: Option<String>,
    theme: Option<String>,
    description: Option<String>,
    allow_flagging: Option<bool>,
    queue: Option<bool>,
}

/// Would write a workflow as Python source; this server has no Python.
#[utoipa::path(get, path = "/api/workflows/{id}/dsl-export", tag = "workflows", params(("id" = String, Path)),
    responses((status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn export_workflow_dsl(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<(), ApiError> {
    app.workflows.check_readable(&caller, &id).await?;
    Err(ApiError::not_implemented(
        "Workflows cannot be exported as Python source: this server runs them without Python",
    ))
}

/// Would write a workflow as a Gradio app; this server has no Python.
#[utoipa::path(post, path = "/api/workflows/{id}/gradio-export", tag = "workflows", params(("id" = String, Path)),
    request_body = GradioExport,
    responses((status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn export_workflow_gradio(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<(), ApiError> {
    let mut f = Fields::new(body.object_or_empty()?);
    for key in ["app_title", "theme", "description"] {
        f.text(key);
    }
    for key in ["allow_flagging", "queue"] {
        if !matches!(f.take(key), None | Some(Value::Bool(_))) {
            let msg = "Input should be a valid boolean";
            f.refuse([FieldError::at("bool_type", &["body", key], msg)]);
        }
    }
    f.finish()?;
    app.workflows.check_readable(&caller, &id).await?;
    Err(ApiError::not_implemented(
        "Workflows cannot be exported as Gradio apps: this server runs them without Python",
    ))
}
