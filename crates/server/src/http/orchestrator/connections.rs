//! Connections between the nodes of a workflow (spec 3.4).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Envelope;
use super::asked::{Asked, Parted};
use super::error::EnvelopeBody;
use super::nodes::Message;
use crate::http::{AppState, json};
use crate::services::Caller;
use crate::services::loops::{EdgeChange, EdgeFault, EdgeObject, EditError, MAX_HANDLE};

/// Longest id of a node that is looked up, in characters.
const MAX_ID: usize = 128;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_connections, create_connection))
        .routes(routes!(add_connection))
        .routes(routes!(
            get_connection,
            replace_connection,
            update_connection,
            delete_connection
        ))
        .routes(routes!(remove_connection))
}

/// A connection as clients send it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct ConnectionRequest {
    source_node: String,
    target_node: String,
    /// Which way out; `default` when absent.
    #[schema(max_length = 50)]
    source_handle: Option<String>,
}

/// A connection as editors send it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct AddConnection {
    source: String,
    target: String,
    /// Which way out; `default` when absent.
    #[schema(rename = "sourceHandle", max_length = 50)]
    source_handle: Option<String>,
}

/// The names of the fields of a connection.
struct Names {
    source: &'static str,
    target: &'static str,
    handle: &'static str,
}

const ROWS: Names = Names {
    source: "source_node",
    target: "target_node",
    handle: "source_handle",
};
const EDITORS: Names = Names {
    source: "source",
    target: "target",
    handle: "sourceHandle",
};

fn read_ends(mut asked: Asked, names: &Names, required: bool) -> Result<EdgeChange, Envelope> {
    if required {
        asked.require(names.source);
        asked.require(names.target);
    }
    let ends = EdgeChange {
        source: asked.filled(names.source, MAX_ID),
        target: asked.filled(names.target, MAX_ID),
        handle: asked
            .text(names.handle, MAX_HANDLE)
            .map(Option::unwrap_or_default),
    };
    asked.finish()?;
    Ok(ends)
}

/// A refusal in the words of fields, as forms show it.
fn by_field(e: EditError, ends: &EdgeChange) -> Envelope {
    let unknown = |name: &'static str, given: &Option<String>| {
        let given: String = given.iter().flat_map(|id| id.chars()).take(80).collect();
        let text = format!("Invalid pk \"{given}\" - object does not exist.");
        Envelope::invalid(format!("{name}: {text}")).field(name, text)
    };
    match e {
        EditError::Edge(EdgeFault::NoSource) => unknown(ROWS.source, &ends.source),
        EditError::Edge(EdgeFault::NoTarget) => unknown(ROWS.target, &ends.target),
        EditError::Edge(fault @ EdgeFault::Exists) => {
            Envelope::invalid(fault.to_string()).field("non_field_errors", fault.to_string())
        }
        e => e.into(),
    }
}

/// The connections of a workflow, newest first.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/connections", tag = "orchestrator", params(("workflow_id" = String, Path)),
    responses((status = 200, body = [EdgeObject]), (status = 404, body = EnvelopeBody)))]
async fn list_connections(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.edges(&caller, &wid).await?))
}

/// Connects two nodes.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/connections", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = ConnectionRequest,
    responses((status = 201, body = EdgeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn create_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let ends = read_ends(asked, &ROWS, true)?;
    let made = app.loops.add_edge(&caller, &wid, ends.clone()).await;
    let made = made.map_err(|e| by_field(e, &ends))?;
    Ok((StatusCode::CREATED, json(&made)).into_response())
}

/// Connects two nodes on the canvas.
#[utoipa::path(post, path = "/api/workflow/{workflow_id}/connections/add", tag = "orchestrator", params(("workflow_id" = String, Path)),
    request_body = AddConnection,
    responses((status = 201, body = EdgeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn add_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted(wid): Parted<String>,
    asked: Asked,
) -> Result<Response, Envelope> {
    app.loops.check_own(&caller, &wid).await?;
    let ends = read_ends(asked, &EDITORS, true)?;
    let made = app.loops.add_edge(&caller, &wid, ends).await?;
    Ok((StatusCode::CREATED, json(&made)).into_response())
}

/// One connection.
#[utoipa::path(get, path = "/api/workflow/{workflow_id}/connections/{connection_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("connection_id" = String, Path)),
    responses((status = 200, body = EdgeObject), (status = 404, body = EnvelopeBody)))]
async fn get_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, cid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    Ok(json(&app.loops.edge(&caller, &wid, &cid).await?))
}

/// Changes a connection; both ends have to be there.
#[utoipa::path(put, path = "/api/workflow/{workflow_id}/connections/{connection_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("connection_id" = String, Path)), request_body = ConnectionRequest,
    responses((status = 200, body = EdgeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn replace_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, cid)): Parted<(String, String)>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &caller, &wid, &cid, asked, true).await
}

/// Changes what is given of a connection.
#[utoipa::path(patch, path = "/api/workflow/{workflow_id}/connections/{connection_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("connection_id" = String, Path)), request_body = ConnectionRequest,
    responses((status = 200, body = EdgeObject), (status = 400, body = EnvelopeBody), (status = 404, body = EnvelopeBody),
        (status = 409, body = EnvelopeBody), (status = 413, body = EnvelopeBody), (status = 415, body = EnvelopeBody)))]
async fn update_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, cid)): Parted<(String, String)>,
    asked: Asked,
) -> Result<Response, Envelope> {
    change(&app, &caller, &wid, &cid, asked, false).await
}

async fn change(
    app: &AppState,
    caller: &Caller,
    wid: &str,
    cid: &str,
    asked: Asked,
    whole: bool,
) -> Result<Response, Envelope> {
    app.loops.edge(caller, wid, cid).await?;
    let ends = read_ends(asked, &ROWS, whole)?;
    let changed = app.loops.change_edge(caller, wid, cid, ends.clone()).await;
    Ok(json(&changed.map_err(|e| by_field(e, &ends))?))
}

/// Takes a connection out of a workflow.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}/connections/{connection_id}", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("connection_id" = String, Path)),
    responses((status = 204), (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn delete_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, cid)): Parted<(String, String)>,
) -> Result<StatusCode, Envelope> {
    app.loops.remove_edge(&caller, &wid, &cid).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a connection off the canvas.
#[utoipa::path(delete, path = "/api/workflow/{workflow_id}/connections/{connection_id}/remove", tag = "orchestrator",
    params(("workflow_id" = String, Path), ("connection_id" = String, Path)),
    responses((status = 200, body = Message), (status = 404, body = EnvelopeBody), (status = 409, body = EnvelopeBody)))]
async fn remove_connection(
    State(app): State<AppState>,
    caller: Caller,
    Parted((wid, cid)): Parted<(String, String)>,
) -> Result<Response, Envelope> {
    app.loops.remove_edge(&caller, &wid, &cid).await?;
    Ok(json(&Message {
        message: "Connection removed successfully",
    }))
}
