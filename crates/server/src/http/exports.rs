//! What needs parts this server does not have: names made by a model, Python and Gradio sources.
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
        .routes(routes!(generate_workflow_name))
        .routes(routes!(export_workflow_dsl))
        .routes(routes!(export_workflow_gradio))
}

/// Providers of models by name (HTTP spec 5).
const PROVIDERS: &str = "aime openai openrouter anthropic cerebras groq minimax replicate ollama lmstudio kie together \
    comfy_local comfy_runpod local llama_cpp gemini vllm zai mistral empty mlx fal_ai fake huggingface \
    huggingface_cohere huggingface_fal_ai huggingface_featherless_ai huggingface_fireworks_ai huggingface_groq \
    huggingface_cerebras huggingface_hf_inference huggingface_hyperbolic huggingface_nebius huggingface_novita \
    huggingface_nscale huggingface_openai huggingface_replicate huggingface_sambanova huggingface_scaleway \
    huggingface_together huggingface_zai meshy rodin";

/// Which model is to find a name.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct GenerateName {
    provider: String,
    model: String,
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

/// Would name a workflow by a language model; this server has none yet.
#[utoipa::path(post, path = "/api/workflows/{id}/generate-name", tag = "workflows", params(("id" = String, Path)),
    request_body = GenerateName,
    responses((status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn generate_workflow_name(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
    body: JsonBody,
) -> Result<(), ApiError> {
    let mut f = Fields::new(body.object()?);
    let words: Vec<&str> = PROVIDERS.split_whitespace().collect();
    f.required_word("provider", &words);
    f.required_text("model");
    f.finish()?;
    app.workflows.check_owned(&caller, &id).await?;
    Err(ApiError::not_implemented(
        "Names cannot be generated: this server has no model provider",
    ))
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
