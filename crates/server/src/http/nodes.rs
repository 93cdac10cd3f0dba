//! The node catalogue (HTTP spec 6.5).

use std::io::Write;
use std::sync::OnceLock;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use nodetool_sdk::Registry;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::conditions::{is_known, not_modified, with_etag};
use super::error::FieldError;
use super::extract::{Fields, JsonBody, Query};
use super::openapi::shapes::NodeMetadata;
use super::{ApiError, AppState, Refusal, json_response};
use crate::services::Caller;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_metadata))
        .routes(routes!(get_dummy))
        .routes(routes!(get_replicate_status))
        .routes(routes!(resolve_fal_schema))
        .routes(routes!(resolve_kie_schema))
        .routes(routes!(resolve_replicate_schema))
}

/// Every node type of the server as JSON, written once; compressed when somebody first asks for that.
pub(crate) struct Catalogue {
    plain: Bytes,
    etag: String,
    zipped: OnceLock<Option<Bytes>>,
    types: Vec<String>,
}

impl Catalogue {
    pub(crate) fn new(registry: &Registry) -> serde_json::Result<Self> {
        let shown = || registry.iter().filter(|d| !d.hidden).map(|d| &d.metadata);
        let listed: Vec<_> = shown().collect();
        let plain = Bytes::from(serde_json::to_vec(&listed)?);
        let digest = Sha256::digest(&plain);
        Ok(Catalogue {
            etag: digest[..16].iter().map(|b| format!("{b:02x}")).collect(),
            plain,
            zipped: OnceLock::new(),
            types: shown().map(|m| m.node_type.to_string()).collect(),
        })
    }

    /// Tells this set of node types from another.
    pub(crate) fn revision(&self) -> &str {
        &self.etag
    }

    fn zipped(&self) -> Option<Bytes> {
        let zip = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            let zipped = encoder
                .write_all(&self.plain)
                .and_then(|()| encoder.finish());
            // Written to memory; should it fail all the same, the plain text serves.
            zipped.ok().map(Bytes::from)
        };
        self.zipped.get_or_init(zip).clone()
    }
}

/// Every node type of this server.
#[utoipa::path(get, path = "/api/nodes/metadata", tag = "nodes",
    params(("If-None-Match" = Option<String>, Header, description = "Etags the client has")),
    responses((status = 200, body = [NodeMetadata]), (status = 304)))]
async fn list_metadata(State(app): State<AppState>, headers: HeaderMap) -> Response {
    let catalogue = &app.catalogue;
    // Two spellings of the same thing carry two etags; a client may come back with either.
    let zipped_etag = format!("{}-gzip", catalogue.etag);
    let zipped = accepts_gzip(&headers).then(|| catalogue.zipped()).flatten();
    let etag = if zipped.is_some() {
        &zipped_etag
    } else {
        &catalogue.etag
    };
    let known = is_known(&headers, &catalogue.etag) || is_known(&headers, &zipped_etag);
    let mut response = match zipped {
        _ if known => not_modified(etag),
        None => with_etag(json_response(catalogue.plain.clone()), etag),
        Some(zipped) => {
            let mut response = with_etag(json_response(zipped), etag);
            let gzip = HeaderValue::from_static("gzip");
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, gzip);
            response
        }
    };
    let vary = HeaderValue::from_static("accept-encoding");
    response.headers_mut().insert(header::VARY, vary);
    response
}

/// Whether the client takes gzip: named itself or covered by `*`, and not with a weight of nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let (mut named, mut any) = (None, None);
    for part in values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
    {
        let mut pieces = part.split(';').map(str::trim);
        let coding = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let weight = pieces.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        let wanted = weight.is_none_or(|q| q.trim().parse::<f32>().is_ok_and(|q| q > 0.0));
        match coding.as_str() {
            "gzip" | "x-gzip" => named = Some(wanted),
            "*" => any = Some(wanted),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

/// A greeting.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
struct Hello {
    hello: String,
}

/// Says hello.
#[utoipa::path(get, path = "/api/nodes/dummy", tag = "nodes", responses((status = 200, body = Hello)))]
async fn get_dummy() -> Response {
    json_response(Bytes::from_static(b"{\"hello\":\"world\"}"))
}

/// Would tell how the model behind a node of Replicate is; this server has no such nodes.
#[utoipa::path(get, path = "/api/nodes/replicate_status", tag = "nodes",
    params(("node_type" = String, Query, description = "A node type of this server")),
    responses((status = 404, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn get_replicate_status(State(app): State<AppState>, query: Query) -> Result<(), ApiError> {
    let Some(node_type) = query.text("node_type") else {
        let missing = FieldError::at("missing", &["query", "node_type"], "Field required");
        return Err(ApiError::invalid(vec![missing]));
    };
    if !app.catalogue.types.iter().any(|t| t == node_type) {
        return Err(ApiError::not_found("Node type not found"));
    }
    Err(ApiError::not_implemented(
        "The state of models cannot be told: this server has no nodes of Replicate",
    ))
}

/// The model whose inputs and outputs are wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct ModelInfo {
    /// Its name, or what its provider shows of it.
    model_info: String,
}

fn refuse_schema(body: JsonBody, provider: &str) -> Result<(), ApiError> {
    let mut f = Fields::new(body.object()?);
    let info = f.required_text("model_info");
    f.finish()?;
    if info.trim().is_empty() {
        return Err(ApiError::bad_request("model_info is empty"));
    }
    Err(ApiError::not_implemented(format!(
        "Schemas of {provider}'s models cannot be resolved: this server has no nodes of that provider"
    )))
}

/// Would tell inputs and outputs of a model of fal; this server has no such nodes.
#[utoipa::path(post, path = "/api/fal/resolve-dynamic-schema", tag = "nodes", request_body = ModelInfo,
    responses((status = 400, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn resolve_fal_schema(_caller: Caller, body: JsonBody) -> Result<(), ApiError> {
    refuse_schema(body, "fal")
}

/// Would tell inputs and outputs of a model of Kie; this server has no such nodes.
#[utoipa::path(post, path = "/api/kie/resolve-dynamic-schema", tag = "nodes", request_body = ModelInfo,
    responses((status = 400, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn resolve_kie_schema(_caller: Caller, body: JsonBody) -> Result<(), ApiError> {
    refuse_schema(body, "Kie")
}

/// Would tell inputs and outputs of a model of Replicate; this server has no such nodes.
#[utoipa::path(post, path = "/api/replicate/resolve-dynamic-schema", tag = "nodes", request_body = ModelInfo,
    responses((status = 400, body = Refusal), (status = 422, body = Refusal), (status = 501, body = Refusal)))]
async fn resolve_replicate_schema(_caller: Caller, body: JsonBody) -> Result<(), ApiError> {
    refuse_schema(body, "Replicate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, wanted) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip; q=0.0", false),
            ("identity", false),
            ("*;q=0", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_static(accepted);
            headers.insert(header::ACCEPT_ENCODING, value);
            assert_eq!(accepts_gzip(&headers), wanted, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
