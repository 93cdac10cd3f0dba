//! Names of workflows that a model finds (HTTP spec 6.2).

use axum::extract::State;
use axum::response::Response;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path};
use super::threads::not_answered;
use super::workflows::reply;
use super::{ApiError, AppState, Refusal};
use crate::services::workflow_body::WorkflowBody;
use crate::services::{Caller, NamingError, PROVIDERS};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(generate_workflow_name))
}

/// Which model is to find a name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct GenerateName {
    provider: String,
    model: String,
}

/// Has a model name a workflow by what it is made of, in at most 60 characters.
#[utoipa::path(post, path = "/api/workflows/{id}/generate-name", tag = "workflows", params(("id" = String, Path)),
    request_body = GenerateName,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal),
        (status = 404, body = Refusal), (status = 412, body = Refusal), (status = 422, body = Refusal),
        (status = 429, body = Refusal), (status = 502, body = Refusal), (status = 504, body = Refusal)))]
async fn generate_workflow_name(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let provider = f.required_text("provider");
    if !provider.is_empty()
        && !PROVIDERS.contains(&&*provider)
        && !app.chat.knows_provider(&provider)
    {
        let msg = "Input should be the name of a model provider";
        f.refuse([FieldError::at("enum", &["body", "provider"], msg)]);
    }
    let model = f.required_text("model");
    f.finish()?;
    let named = app
        .chat
        .name_workflow(&caller, &id, (provider, model))
        .await;
    let row = named.map_err(|e| match e {
        NamingError::Workflow(e) => e.into(),
        NamingError::Model(e) => not_answered(&e),
    })?;
    Ok(reply(&row))
}
