//! Small facts for the editor: fonts, templates, the way back to its first page (HTTP spec 2.7, 6.18).

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ApiError, AppState, json};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(open_editor))
        .routes(routes!(list_fonts))
        .routes(routes!(list_app_templates))
}

#[derive(Serialize, ToSchema)]
struct FontList {
    fonts: Vec<String>,
}

/// A look that a workflow's app may get.
#[derive(Serialize, ToSchema)]
struct AppTemplate {
    id: &'static str,
    name: &'static str,
    description: &'static str,
    prompt: &'static str,
}

const TEMPLATES: [AppTemplate; 5] = [
    AppTemplate {
        id: "minimal",
        name: "Minimal",
        description: "White space, one column, one accent colour",
        prompt: "Build a calm page in one column: generous white space, a system font, thin borders, and one accent \
                 colour that only the main button has.",
    },
    AppTemplate {
        id: "dark",
        name: "Dark",
        description: "Dark surfaces with bright results",
        prompt: "Build a page on a nearly black ground: raised panels in dark grey, light text of high contrast, and \
                 results that stand out by brightness.",
    },
    AppTemplate {
        id: "gradient",
        name: "Gradient",
        description: "A colourful ground behind translucent panels",
        prompt: "Build a page whose ground blends two or three colours, with translucent rounded panels on it and \
                 text that stays readable everywhere.",
    },
    AppTemplate {
        id: "professional",
        name: "Professional",
        description: "A sober tool with labelled forms",
        prompt: "Build a sober business tool: a header with the workflow's name, labelled form fields in a grid, clear \
                 states for loading and errors, and results in a table or card.",
    },
    AppTemplate {
        id: "playful",
        name: "Playful",
        description: "Large shapes, friendly words, small motions",
        prompt: "Build a cheerful page: large round shapes, friendly wording, bright colours, and small motions that \
                 stop for people who prefer less movement.",
    },
];

/// Leads old links to a workflow's editor to the first page.
#[utoipa::path(get, path = "/editor/{workflow_id}", tag = "system", params(("workflow_id" = String, Path)),
    responses((status = 307, description = "To `/`")))]
async fn open_editor() -> Response {
    let to = [(header::LOCATION, HeaderValue::from_static("/"))];
    (StatusCode::TEMPORARY_REDIRECT, to).into_response()
}

/// Names of the fonts of the server's machine, sorted.
#[utoipa::path(get, path = "/api/fonts", tag = "fonts", responses((status = 200, body = FontList)))]
async fn list_fonts(State(app): State<AppState>) -> Result<Response, ApiError> {
    let fonts = app.machine.fonts().await?;
    Ok(json(&FontList { fonts }))
}

/// Looks that a workflow's app may get.
#[utoipa::path(get, path = "/api/vibecoding/templates", tag = "vibecoding",
    responses((status = 200, body = Vec<AppTemplate>)))]
async fn list_app_templates() -> Response {
    json(&TEMPLATES)
}
