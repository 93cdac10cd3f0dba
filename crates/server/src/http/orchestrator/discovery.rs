//! The step types of this server and their forms (spec 3.8).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use nodetool_orchestrator::form::{FieldQuestion, OptionsError};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::StepDef;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::nodes::Message;
use super::{Envelope, icons};
use crate::http::{AppState, json};
use crate::services::Caller;
use crate::services::loops::{NodeDetail, NodeMeta, detail, meta, tree};

/// Longest name of a field, in characters.
const MAX_FIELD: usize = 100;

pub(super) fn router() -> OpenApiRouter<AppState> {
    let described = OpenApiRouter::<AppState>::new()
        .routes(routes!(get_node_icon))
        .into_openapi();
    OpenApiRouter::with_openapi(described)
        // A description has no word for the rest of a path.
        .route("/node-icons/{*path}", axum::routing::get(get_node_icon))
        .routes(routes!(list_steps))
        .routes(routes!(list_steps_flat))
        .routes(routes!(count_steps))
        .routes(routes!(refresh_steps))
        .routes(routes!(get_step))
        .routes(routes!(get_step_form))
        .routes(routes!(update_step_form))
        .routes(routes!(list_field_options))
}

/// How many step types there are.
#[derive(Serialize, ToSchema)]
struct StepCount {
    count: usize,
}

/// A step type with its form, if it has one.
#[derive(Serialize, ToSchema)]
struct StepForm {
    node: NodeDetail,
    #[schema(value_type = Option<Object>, required)]
    form: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

/// Values for a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct FormValues {
    #[schema(value_type = Object, required = false)]
    field_values: Map,
}

/// A field whose options are wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct FieldAsked {
    parent_field: String,
    #[schema(value_type = Option<serde_json::Value>)]
    parent_value: Option<Value>,
    dependent_field: String,
    #[schema(value_type = Object, required = false)]
    form_values: Map,
}

/// One option.
#[derive(Serialize, ToSchema)]
struct FieldOption {
    value: String,
    text: String,
}

/// The options of a field.
#[derive(Serialize, ToSchema)]
struct FieldOptions {
    field: String,
    options: Vec<FieldOption>,
}

fn find(app: &AppState, identifier: &str) -> Result<Arc<StepDef>, Envelope> {
    app.loops.steps().get(identifier).ok_or_else(|| {
        let identifier: String = identifier.chars().take(200).collect();
        Envelope::not_found("NodeType", "Node not found").with("identifier", identifier)
    })
}

/// Every step type by category: `{category: {nodes, subfolders}}`.
#[utoipa::path(get, path = "/api/nodes", tag = "orchestrator", responses((status = 200, body = Object)))]
async fn list_steps(State(app): State<AppState>) -> Response {
    json(&tree(app.loops.steps().iter()))
}

/// Every step type.
#[utoipa::path(get, path = "/api/nodes/flat", tag = "orchestrator", responses((status = 200, body = [NodeMeta])))]
async fn list_steps_flat(State(app): State<AppState>) -> Response {
    let all: Vec<NodeMeta> = app.loops.steps().iter().map(|def| meta(def)).collect();
    json(&all)
}

/// How many step types there are.
#[utoipa::path(get, path = "/api/nodes/count", tag = "orchestrator", responses((status = 200, body = StepCount)))]
async fn count_steps(State(app): State<AppState>) -> Response {
    let count = app.loops.steps().iter().count();
    json(&StepCount { count })
}

/// Says that the step types are those of the program, which they always are.
#[utoipa::path(post, path = "/api/nodes/refresh", tag = "orchestrator", responses((status = 200, body = Message)))]
async fn refresh_steps(_caller: Caller) -> Response {
    json(&Message {
        message: "Node cache refreshed successfully",
    })
}

/// One step type.
#[utoipa::path(get, path = "/api/nodes/{identifier}", tag = "orchestrator", params(("identifier" = String, Path)),
    responses((status = 200, body = NodeDetail), (status = 404, body = EnvelopeBody)))]
async fn get_step(
    State(app): State<AppState>,
    Parted(identifier): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&detail(&*find(&app, &identifier)?)))
}

fn with_form(def: &StepDef, form: Option<Value>) -> Response {
    let message = form.is_none().then_some("This node does not have a form");
    json(&StepForm {
        node: detail(def),
        form,
        message,
    })
}

/// The form of a step type.
#[utoipa::path(get, path = "/api/nodes/{identifier}/form", tag = "orchestrator", params(("identifier" = String, Path)),
    responses((status = 200, body = StepForm), (status = 404, body = EnvelopeBody)))]
async fn get_step_form(
    State(app): State<AppState>,
    caller: Caller,
    Parted(identifier): Parted<String>,
) -> Result<Response, Envelope> {
    let def = find(&app, &identifier)?;
    Ok(with_form(&def, app.loops.form(&caller, &def).await))
}

/// The form of a step type with these values in it.
#[utoipa::path(post, path = "/api/nodes/{identifier}/form/update", tag = "orchestrator",
    params(("identifier" = String, Path)), request_body = FormValues,
    responses((status = 200, body = StepForm), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_step_form(
    State(app): State<AppState>,
    caller: Caller,
    Parted(identifier): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let def = find(&app, &identifier)?;
    let values = asked.object("field_values").unwrap_or_default();
    asked.finish()?;
    let form = app.loops.form_with(&caller, &def, &values).await;
    Ok(with_form(&def, form))
}

/// The options of a field that depends on others.
#[utoipa::path(post, path = "/api/nodes/{identifier}/field-options", tag = "orchestrator",
    params(("identifier" = String, Path)), request_body = FieldAsked,
    responses((status = 200, body = FieldOptions), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn list_field_options(
    State(app): State<AppState>,
    caller: Caller,
    Parted(identifier): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    let def = find(&app, &identifier)?;
    let needed = |given: Option<Option<String>>| given.flatten().filter(|name| !name.is_empty());
    let parent = needed(asked.text("parent_field", MAX_FIELD));
    let dependent = needed(asked.text("dependent_field", MAX_FIELD));
    let parent_value = asked.take("parent_value").unwrap_or_default();
    let values = asked.object("form_values").unwrap_or_default();
    let (Some(parent), Some(dependent)) = (parent, dependent) else {
        let text = "parent_field and dependent_field are required";
        return Err(Envelope::invalid(text));
    };
    asked.finish()?;
    let question = FieldQuestion {
        parent_field: parent,
        parent_value,
        dependent_field: dependent.clone(),
        form_values: values,
    };
    let options = app.loops.options(&caller, &def, question).await;
    let options = options.map_err(|e| match e {
        OptionsError::Loader(e) => {
            Envelope::invalid(e.to_string()).field(&dependent, e.to_string())
        }
        e => Envelope::invalid(e.to_string()),
    })?;
    let options = options.into_iter();
    let options = options.map(|(value, text)| FieldOption { value, text });
    Ok(json(&FieldOptions {
        field: dependent,
        options: options.collect(),
    }))
}

/// A picture of a step type, by the name the type gives it.
#[utoipa::path(get, path = "/node-icons/{path}", tag = "orchestrator", params(("path" = String, Path)),
    responses((status = 200, content_type = "image/png"), (status = 404, body = EnvelopeBody)))]
async fn get_node_icon(Parted(path): Parted<String>) -> Result<Response, Envelope> {
    let bytes = icons::find(&path).ok_or_else(|| Envelope::not_found("Icon", "Icon not found"))?;
    let png = HeaderValue::from_static("image/png");
    Ok(([(CONTENT_TYPE, png)], bytes).into_response())
}
