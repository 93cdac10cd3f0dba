//! Nodes of a workflow (spec 3.4).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nodetool_protocol::{Map, Value};
use nodetool_sdk::steps::Compat;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use crate::http::{AppState, json};
use crate::services::Caller;
use crate::services::loops::{CanvasNode, EditedNode, NodeChange, NodeObject, NodeType, Position};

/// Longest name of a node type, in characters.
const MAX_TYPE: usize = 200;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_loop_nodes, create_loop_node))
        .routes(routes!(add_loop_node))
        .routes(routes!(
            get_loop_node,
            replace_loop_node,
            update_loop_node,
            delete_loop_node
        ))
        .routes(routes!(get_node_input))
        .routes(routes!(get_node_output))
        .routes(routes!(move_loop_node))
        .routes(routes!(remove_loop_node))
}

/// A node as clients send it; what cannot be set is passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct NodeRequest {
    #[schema(min_length = 1, max_length = 200)]
    node_type: String,
    #[schema(required = false)]
    x: f64,
    #[schema(required = false)]
    y: f64,
    #[schema(value_type = Object, required = false)]
    form_values: Map,
    #[schema(value_type = Object, required = false)]
    config: Map,
    #[schema(value_type = Object, required = false)]
    input_data: Map,
    #[schema(value_type = Object, required = false)]
    output_data: Map,
}

/// Where to put a node; what is left out stays, or is 0.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct PositionRequest {
    #[schema(required = false)]
    x: f64,
    #[schema(required = false)]
    y: f64,
}

/// A new node as editors send it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct AddNode {
    /// A node type; `custom-node` when absent.
    #[schema(rename = "nodeTemplate", max_length = 200, required = false)]
    node_template: String,
    #[schema(required = false)]
    position: PositionRequest,
    #[schema(value_type = Object, required = false)]
    form_values: Map,
}

/// Where a node is to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct MoveNode {
    #[schema(required = false)]
    position: PositionRequest,
}

/// A node, and where it is.
#[derive(Serialize, ToSchema)]
struct PlacedNode {
    #[serde(flatten)]
    node: NodeObject,
    position: Position,
}

/// A new node, and what its type is.
#[derive(Serialize, ToSchema)]
struct AddedNode {
    #[serde(flatten)]
    node: NodeObject,
    position: Position,
    node_type_info: NodeType,
}

/// What comes to a node.
#[derive(Serialize, ToSchema)]
struct NodeInput {
    #[schema(value_type = Object)]
    input_data: Map,
}

/// What a node last gave.
#[derive(Serialize, ToSchema)]
struct NodeOutput {
    #[schema(value_type = Object)]
    output_data: Map,
}

/// It was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    pub(super) message: &'static str,
}

fn read_node(mut asked: Asked, type_required: bool) -> Result<NodeChange, Envelope> {
    if type_required {
        asked.require("node_type");
    }
    let change = NodeChange {
        node_type: asked.filled("node_type", MAX_TYPE),
        x: asked.number("x"),
        y: asked.number("y"),
        form_values: asked.object("form_values"),
        config: asked.object("config"),
        input_data: asked.object("input_data"),
        output_data: asked.object("output_data"),
    };
    asked.finish()?;
    Ok(change)
}

/// `position: {x, y}`, each optional.
fn read_position(asked: &mut Asked) -> (Option<Value>, Option<Value>) {
    let Some(position) = asked.object("position") else {
        return (None, None);
    };
    let mut axis = |name: &str| {
        let value = position.get(name)?;
        let number = super::asked::number_of(value);
        if number.is_none() {
            asked.fault("position", format!("{name}: A valid number is required."));
        }
        number
    };
    (axis("x"), axis("y"))
}

/// The nodes of a workflow, newest first.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = [NodeObject]), (status = 404, body = EnvelopeBody)))]
async fn list_loop_nodes(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.nodes(&caller, &wid).await?))
}

/// Puts a node into a workflow.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/nodes", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = NodeRequest,
    responses((status = 201, body = NodeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn create_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let change = read_node(asked, true)?;
    let made = app.loops.add_node(&caller, &wid, change).await?;
    Ok((StatusCode::CREATED, json(&made.object)).into_response())
}

/// Puts a node on the canvas, by default one of no type yet at 0, 0.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/nodes/add", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = Option<AddNode>,
    responses((status = 201, body = AddedNode), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn add_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let node_type = asked.filled("nodeTemplate", MAX_TYPE);
    let (x, y) = read_position(&mut asked);
    let form_values = asked.object("form_values");
    asked.finish()?;
    let change = NodeChange {
        node_type,
        x,
        y,
        form_values,
        ..NodeChange::default()
    };
    let EditedNode {
        object,
        position,
        node_type,
    } = app.loops.add_node(&caller, &wid, change).await?;
    let added = match app.loops.steps().compat() {
        Compat::Doc => json(&AddedNode {
            node: object,
            position,
            node_type_info: node_type,
        }),
        Compat::Reference => json(&CanvasNode::new(object, position, node_type)),
    };
    Ok((StatusCode::CREATED, added).into_response())
}

/// One node.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes/{node_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 200, body = NodeObject), (status = 404, body = EnvelopeBody)))]
async fn get_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.node(&caller, &wid, &nid).await?.object))
}

/// Changes a node; its type has to be there.
#[utoipa::path(put, path = "/api/workflow/{workflow_id}/nodes/{node_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)), request_body = NodeRequest,
    responses((status = 200, body = NodeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn replace_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
    asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let change = read_node(asked, true)?;
    let changed = app.loops.change_node(&caller, &wid, &nid, change).await?;
    Ok(json(&changed.object))
}

/// Changes what is given of a node.
#[utoipa::path(patch, path = "/api/workflow/{workflow_id}/nodes/{node_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)), request_body = NodeRequest,
    responses((status = 200, body = NodeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
    asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let change = read_node(asked, false)?;
    let changed = app.loops.change_node(&caller, &wid, &nid, change).await?;
    Ok(json(&changed.object))
}

async fn remove(app: &AppState, caller: &Caller, wid: &str, nid: &str) -> Result<(), Envelope> {
    let contents = app.loops.remove_node(caller, wid, nid).await?;
    app.loops.drop_contents(app.assets.blobs(), contents).await;
    Ok(())
}

/// Takes a node out of a workflow.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}/nodes/{node_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn delete_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<StatusCode, Envelope> {
    remove(&app, &caller, &wid, &nid).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a node off the canvas, with its connections.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}/nodes/{node_id}/remove", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 200, body = Message), (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn remove_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    remove(&app, &caller, &wid, &nid).await?;
    Ok(json(&Message {
        message: "Node removed successfully",
    }))
}

/// What the nodes before a node last gave, as one.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes/{node_id}/input", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 200, body = NodeInput), (status = 404, body = EnvelopeBody)))]
async fn get_node_input(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    let input_data = app.loops.node_input(&caller, &wid, &nid).await?;
    Ok(match app.loops.steps().compat() {
        Compat::Doc => json(&NodeInput { input_data }),
        Compat::Reference => json(&input_data),
    })
}

/// What a node last gave.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/nodes/{node_id}/output", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)),
    responses((status = 200, body = NodeOutput), (status = 404, body = EnvelopeBody)))]
async fn get_node_output(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    let output_data = app.loops.node_output(&caller, &wid, &nid).await?;
    Ok(match app.loops.steps().compat() {
        Compat::Doc => json(&NodeOutput { output_data }),
        Compat::Reference => json(&output_data),
    })
}

/// Moves a node on the canvas.
#[utoipa::path(patch, path = "/api/workflow/{workflow_id}/nodes/{node_id}/position", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("node_id" = String, Path)), request_body = MoveNode,
    responses((status = 200, body = PlacedNode), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn move_loop_node(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, nid)): Parted<(String, String)>,
    mut asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.node(&caller, &wid, &nid).await?;
    let (x, y) = read_position(&mut asked);
    asked.finish()?;
    let change = NodeChange {
        x,
        y,
        ..NodeChange::default()
    };
    let moved = app.loops.change_node(&caller, &wid, &nid, change).await?;
    Ok(json(&PlacedNode {
        node: moved.object,
        position: moved.position,
    }))
}
