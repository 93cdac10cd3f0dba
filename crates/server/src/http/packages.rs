//! Packages of nodes: the one that is built in (HTTP spec 6.23).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use nodetool_protocol::NodeMetadata;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Fields, JsonBody, Query};
use super::{ApiError, AppState, Refusal, json};
use crate::services::BUILT_IN;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_available_packages))
        .routes(routes!(list_installed_packages))
        .routes(routes!(search_nodes))
        .routes(routes!(list_nodes))
        .routes(routes!(find_package_of_node))
        .routes(routes!(install_package))
        .routes(routes!(update_package))
        .routes(routes!(uninstall_package))
}

#[derive(Serialize, ToSchema)]
struct PackageBody<'a> {
    name: &'static str,
    description: &'static str,
    /// Absent for the package that is built in.
    repo_id: Option<String>,
    version: &'static str,
    namespaces: Vec<&'a str>,
}

#[derive(Serialize, ToSchema)]
struct PackageList<'a> {
    packages: Vec<PackageBody<'a>>,
    count: usize,
}

#[derive(Serialize, ToSchema)]
struct NodeList<'a> {
    #[schema(value_type = Vec<Object>)]
    nodes: Vec<&'a NodeMetadata>,
    count: usize,
}

#[derive(Serialize, ToSchema)]
struct PackageOfNode<'a> {
    node_type: &'a str,
    package: Option<&'static str>,
    found: bool,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct PackageRequest {
    /// `owner/project`.
    repo_id: String,
}

fn packages(app: &AppState) -> Response {
    json(&PackageList {
        packages: vec![PackageBody {
            name: BUILT_IN,
            description: "The nodes built into this server",
            repo_id: None,
            version: env!("CARGO_PKG_VERSION"),
            namespaces: app.packages.namespaces(),
        }],
        count: 1,
    })
}

/// The packages there are: the one that is built in.
#[utoipa::path(get, path = "/api/packages/available", tag = "packages",
    responses((status = 200, body = PackageList)))]
async fn list_available_packages(State(app): State<AppState>) -> Response {
    packages(&app)
}

/// The packages in use: the one that is built in.
#[utoipa::path(get, path = "/api/packages/installed", tag = "packages",
    responses((status = 200, body = PackageList)))]
async fn list_installed_packages(State(app): State<AppState>) -> Response {
    packages(&app)
}

/// The nodes in whose title, description or type every word of the query occurs.
#[utoipa::path(get, path = "/api/packages/nodes/search", tag = "packages",
    params(("query" = Option<String>, Query, description = "Words; all nodes when absent")),
    responses((status = 200, body = NodeList), (status = 422, body = Refusal)))]
async fn search_nodes(State(app): State<AppState>, query: Query) -> Response {
    let nodes = app.packages.search(query.text("query").unwrap_or_default());
    json(&NodeList {
        count: nodes.len(),
        nodes,
    })
}

/// Every node.
#[utoipa::path(get, path = "/api/packages/nodes/all", tag = "packages", responses((status = 200, body = NodeList)))]
async fn list_nodes(State(app): State<AppState>) -> Response {
    let nodes = app.packages.search("");
    json(&NodeList {
        count: nodes.len(),
        nodes,
    })
}

/// The package a node type belongs to.
#[utoipa::path(get, path = "/api/packages/nodes/package", tag = "packages",
    params(("node_type" = String, Query, description = "Full name of a node type")),
    responses((status = 200, body = PackageOfNode), (status = 422, body = Refusal)))]
async fn find_package_of_node(
    State(app): State<AppState>,
    query: Query,
) -> Result<Response, ApiError> {
    let node_type = query.required("node_type")?;
    let found = app.packages.knows(node_type);
    Ok(json(&PackageOfNode {
        node_type,
        package: found.then_some(BUILT_IN),
        found,
    }))
}

fn fixed() -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "Packages cannot be installed, updated or removed: all nodes are built into this server",
    )
}

/// Reads `{"repo_id": "owner/project"}`, then says that it cannot be done.
fn refuse(body: JsonBody) -> ApiError {
    let repo_id = body.object().and_then(|map| {
        let mut f = Fields::new(map);
        let repo_id = f.required_text("repo_id");
        f.finish().map(|()| repo_id)
    });
    match repo_id {
        Ok(repo_id) if is_repo_id(&repo_id) => fixed(),
        Ok(_) => ApiError::bad_request("Invalid repo_id; expected owner/project"),
        Err(e) => e,
    }
}

fn is_repo_id(text: &str) -> bool {
    let plain = |part: &str| {
        (1..=100).contains(&part.len())
            && part
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    text.split_once('/')
        .is_some_and(|(owner, project)| plain(owner) && plain(project))
}

/// Would install a package; nodes are built into this server.
#[utoipa::path(post, path = "/api/packages/install", tag = "packages", request_body = PackageRequest,
    responses((status = 400, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal),
        (status = 501, body = Refusal)))]
async fn install_package(body: JsonBody) -> ApiError {
    refuse(body)
}

/// Would update a package; nodes are built into this server.
#[utoipa::path(post, path = "/api/packages/update", tag = "packages", request_body = PackageRequest,
    responses((status = 400, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal),
        (status = 501, body = Refusal)))]
async fn update_package(body: JsonBody) -> ApiError {
    refuse(body)
}

/// Would remove a package; nodes are built into this server.
#[utoipa::path(delete, path = "/api/packages/{owner}/{project}", tag = "packages",
    params(("owner" = String, Path), ("project" = String, Path)),
    responses((status = 501, body = Refusal)))]
async fn uninstall_package() -> ApiError {
    fixed()
}
