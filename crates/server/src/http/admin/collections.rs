//! The collections of whoever administers a deployed server, filled with documents that have their vectors already
//! (HTTP spec 6.19).

use axum::extract::State;
use axum::response::Response;
use nodetool_protocol::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::collections::{
    CollectionBody, CollectionList, CollectionMessage, UpdateCollection, read_create, read_update,
};
use super::super::error::FieldError;
use super::super::extract::{Fields, JsonBody, Path};
use super::super::gate::Admin;
use super::super::{ApiError, AppState, Refusal, json};
use super::note;
use crate::services::PutDocument;

/// Most documents that are added at once.
const MAX_ADDED: usize = 10_000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_deployed_collections,
            create_deployed_collection
        ))
        .routes(routes!(
            get_deployed_collection,
            update_deployed_collection,
            delete_deployed_collection
        ))
        .routes(routes!(add_to_deployed_collection))
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateDeployedCollection {
    #[schema(max_length = 128)]
    name: String,
    embedding_model: String,
    embedding_provider: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct AddDocuments {
    documents: Vec<String>,
    ids: Vec<String>,
    /// Texts, numbers and flags by key.
    #[schema(value_type = Vec<Object>)]
    metadatas: Vec<Map>,
    embeddings: Vec<Vec<f32>>,
}

/// The administrator's collections.
#[utoipa::path(get, path = "/admin/collections", tag = "collections",
    responses((status = 200, body = CollectionList), (status = 401, body = Refusal), (status = 403, body = Refusal)))]
async fn list_deployed_collections(
    State(app): State<AppState>,
    admin: Admin,
) -> Result<Response, ApiError> {
    let collections = app.collections.list(&admin.0).await?;
    Ok(json(&CollectionList::from(collections)))
}

/// Makes a collection.
#[utoipa::path(post, path = "/admin/collections", tag = "collections", request_body = CreateDeployedCollection,
    responses((status = 200, body = CollectionBody), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn create_deployed_collection(
    State(app): State<AppState>,
    admin: Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let [name, model, provider] = read_create(body, true)?;
    let made = app.collections.create(&admin.0, &name, &model, &provider);
    let made = made.await?;
    note(&admin, "admin.collection.create", "collection", &name);
    Ok(json(&CollectionBody::from(made)))
}

/// One collection.
#[utoipa::path(get, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = CollectionBody), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_deployed_collection(
    State(app): State<AppState>,
    admin: Admin,
    Path(name): Path,
) -> Result<Response, ApiError> {
    let collection = app.collections.get(&admin.0, &name).await?;
    Ok(json(&CollectionBody::from(collection)))
}

/// Gives a collection another name or more metadata.
#[utoipa::path(put, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    request_body = Option<UpdateCollection>,
    responses((status = 200, body = CollectionBody), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_deployed_collection(
    State(app): State<AppState>,
    admin: Admin,
    Path(name): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let change = read_update(body)?;
    let changed = app.collections.update(&admin.0, &name, change).await?;
    note(&admin, "admin.collection.update", "collection", &name);
    Ok(json(&CollectionBody::from(changed)))
}

/// Deletes a collection with its documents.
#[utoipa::path(delete, path = "/admin/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = CollectionMessage), (status = 401, body = Refusal), (status = 403, body = Refusal),
        (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_deployed_collection(
    State(app): State<AppState>,
    admin: Admin,
    Path(name): Path,
) -> Result<Response, ApiError> {
    app.collections.delete(&admin.0, &name).await?;
    note(&admin, "admin.collection.delete", "collection", &name);
    let message = format!("Collection {name} deleted successfully");
    Ok(json(&CollectionMessage { message }))
}

/// Adds documents with their vectors, or puts them in the place of those with the same ids.
#[utoipa::path(post, path = "/admin/collections/{name}/add", tag = "collections", params(("name" = String, Path)),
    request_body = AddDocuments,
    responses((status = 200, body = CollectionMessage), (status = 400, body = Refusal), (status = 401, body = Refusal),
        (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 409, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn add_to_deployed_collection(
    State(app): State<AppState>,
    admin: Admin,
    Path(name): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let documents = read_documents(body)?;
    app.collections
        .put(&admin.0, &name, documents, None)
        .await?;
    note(&admin, "admin.collection.add", "collection", &name);
    let message = format!("Documents added to collection {name} successfully");
    Ok(json(&CollectionMessage { message }))
}

fn read_documents(body: JsonBody) -> Result<Vec<PutDocument>, ApiError> {
    let mut f = Fields::new(body.object()?);
    for key in ["documents", "ids", "metadatas", "embeddings"] {
        if f.is_absent(key) {
            f.refuse([FieldError::at("missing", &["body", key], "Field required")]);
        }
    }
    let texts = f.texts("documents").unwrap_or_default();
    let ids = f.texts("ids").unwrap_or_default();
    let metadatas = items(&mut f, "metadatas", "dictionary", |value| match value {
        Value::Map(map) => Some((**map).clone()),
        _ => None,
    });
    let embeddings = items(&mut f, "embeddings", "list of numbers", numbers);
    if !f.is_faulty() {
        let lengths = [ids.len(), metadatas.len(), embeddings.len()];
        for (key, length) in ["ids", "metadatas", "embeddings"].into_iter().zip(lengths) {
            if length != texts.len() {
                let msg = format!(
                    "has {length} items, expected {}, one for each document",
                    texts.len()
                );
                f.refuse([FieldError::at("value_error", &["body", key], msg)]);
            }
        }
        if texts.len() > MAX_ADDED {
            let msg = format!(
                "List should have at most {MAX_ADDED} items, not {}",
                texts.len()
            );
            f.refuse([FieldError::at("value_error", &["body", "documents"], msg)]);
        }
    }
    f.finish()?;
    let rest = ids.into_iter().zip(metadatas).zip(embeddings);
    let documents = texts.into_iter().zip(rest);
    Ok(documents
        .map(|(text, ((id, metadata), vector))| PutDocument {
            id,
            text,
            metadata,
            vector: Some(vector),
        })
        .collect())
}

/// The items of a list, each read alike; the first that is something else is refused by its place.
fn items<T>(
    f: &mut Fields,
    key: &str,
    expected: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Vec<T> {
    let Some(value) = f.take(key) else {
        return Vec::new();
    };
    let Some(list) = value.as_list() else {
        let msg = "Input should be a valid list";
        f.refuse([FieldError::at("list_type", &["body", key], msg)]);
        return Vec::new();
    };
    let mut items = Vec::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let Some(item) = read(item) else {
            let (at, msg) = (
                at.to_string(),
                format!("Input should be a valid {expected}"),
            );
            f.refuse([FieldError::at("value_error", &["body", key, &at], msg)]);
            return Vec::new();
        };
        items.push(item);
    }
    items
}

fn numbers(value: &Value) -> Option<Vec<f32>> {
    let numbers = value.as_list()?.iter();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "vectors are kept in single precision"
    )]
    let numbers = numbers.map(|n| n.as_f64().map(|n| n as f32));
    numbers.collect()
}
