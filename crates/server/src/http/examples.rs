//! Example workflows (HTTP spec 6.2).

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{GraphBody, Path, Query};
use super::gate::Admin;
use super::workflows::{check_new_id, read_request};
use super::{ApiError, AppState, Refusal, json_response};
use crate::config::Mode;
use crate::services::Example;
use crate::services::workflow_body::{
    Beyond, WorkflowBody, WorkflowList, WorkflowRequest, write, write_list,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_examples))
        .routes(routes!(search_examples))
        .routes(routes!(update_example))
        .routes(routes!(get_example))
}

/// Package and name of an example.
struct ExamplePath(String, String);

impl FromRequestParts<AppState> for ExamplePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<(String, String)>::from_request_parts(parts, app).await;
        match path {
            Ok(path) => Ok(ExamplePath(path.0.0, path.0.1)),
            Err(_) => Err(ApiError::invalid(vec![FieldError::at(
                "string_unicode",
                &["path"],
                "the path is no UTF-8 after percent-decoding",
            )])),
        }
    }
}

fn beyond(example: &Example, without_graph: bool) -> Beyond<'_> {
    Beyond {
        columns: None,
        providers: example.required_providers.as_deref(),
        models: example.required_models.as_deref(),
        without_graph,
    }
}

/// Every example, without graphs.
#[utoipa::path(get, path = "/api/workflows/examples", tag = "examples",
    responses((status = 200, body = WorkflowList)))]
async fn list_examples(State(app): State<AppState>) -> Response {
    let all = app.examples.all();
    let rows = all.iter().map(|e| (&e.row, beyond(e, true)));
    json_response(write_list(None, rows))
}

/// Examples with a node whose type or title contains a text; all of them for an empty one.
#[utoipa::path(get, path = "/api/workflows/examples/search", tag = "examples",
    params(("query" = String, Query, description = "Part of a node's type or title")),
    responses((status = 200, body = WorkflowList), (status = 422, body = Refusal)))]
async fn search_examples(State(app): State<AppState>, query: Query) -> Result<Response, ApiError> {
    let Some(text) = query.text("query") else {
        let missing = FieldError::at("missing", &["query", "query"], "Field required");
        return Err(ApiError::invalid(vec![missing]));
    };
    let found = app.examples.search(text);
    let rows = found.iter().map(|e| (&e.row, beyond(e, false)));
    Ok(json_response(write_list(None, rows)))
}

/// One example of a package, by its name.
#[utoipa::path(get, path = "/api/workflows/examples/{package_name}/{example_name}", tag = "examples",
    params(("package_name" = String, Path), ("example_name" = String, Path)),
    responses((status = 200, body = WorkflowBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_example(
    State(app): State<AppState>,
    ExamplePath(package, name): ExamplePath,
) -> Result<Response, ApiError> {
    let example = app.examples.find(&package, &name);
    let example = example.ok_or_else(|| ApiError::not_found("Example not found"))?;
    Ok(json_response(write(&example.row, beyond(&example, false))))
}

/// Writes an example to the folder of examples; only on the machine of its author.
#[utoipa::path(put, path = "/api/workflows/examples/{id}", tag = "examples", params(("id" = String, Path)),
    request_body = WorkflowRequest,
    responses((status = 200, body = WorkflowBody), (status = 400, body = Refusal), (status = 403, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_example(
    State(app): State<AppState>,
    Admin(_): Admin,
    Path(id): Path,
    GraphBody(body): GraphBody,
) -> Result<Response, ApiError> {
    if app.production || app.mode != Mode::Desktop {
        let told = "Examples can only be written on their author's own machine";
        return Err(ApiError::new(StatusCode::FORBIDDEN, told));
    }
    check_new_id(&id)?;
    let save = read_request(body)?;
    let example = app.examples.write(&id, save).await?;
    Ok(json_response(write(&example.row, beyond(&example, false))))
}
