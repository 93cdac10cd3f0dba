//! Collections: documents found by meaning and by words (HTTP spec 6.10).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use nodetool_protocol::{Map, Value};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Path};
use super::storage::too_slow;
use super::transfer::{Upload, UploadBody, too_large};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{
    Caller, ChangeCollection, Collection, CollectionError, CollectionQuery, CollectionWays, Found,
    MAX_COLLECTION_FILE, RunError, Through, base_name,
};

/// Most texts of one query.
const MAX_TEXTS: usize = 32;
/// Most documents of one text.
const MAX_RESULTS: i64 = 1000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_collections, create_collection))
        .routes(routes!(
            get_collection,
            update_collection,
            delete_collection
        ))
        .routes(routes!(index_file))
        .routes(routes!(query_collection))
}

/// Those by which programs fill collections.
pub(super) fn deploy_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(index_deployed_collection))
}

impl From<CollectionError> for ApiError {
    fn from(e: CollectionError) -> Self {
        let as_told = |status| ApiError::new(status, e.to_string());
        match e {
            CollectionError::NotFound | CollectionError::NoWorkflow => {
                as_told(StatusCode::NOT_FOUND)
            }
            CollectionError::Taken(_) | CollectionError::OtherModel { .. } => {
                as_told(StatusCode::CONFLICT)
            }
            CollectionError::NoCollectionInput | CollectionError::NoFileInput => {
                as_told(StatusCode::BAD_REQUEST)
            }
            CollectionError::Field { field, reason } => ApiError::invalid(vec![FieldError::at(
                "value_error",
                &["body", &field],
                reason,
            )]),
            CollectionError::File(_) => as_told(StatusCode::UNPROCESSABLE_ENTITY),
            CollectionError::Model { .. }
            | CollectionError::Vectors { .. }
            | CollectionError::Run(_) => as_told(StatusCode::BAD_GATEWAY),
            CollectionError::Upload(e) if e.kind() == std::io::ErrorKind::TimedOut => too_slow(),
            CollectionError::Upload(e) => {
                tracing::debug!(error = %e, "a file could not be read");
                ApiError::bad_request("The multipart body could not be read to its end")
            }
            CollectionError::Scratch(_) => {
                ApiError::internal("a file could not be kept while it is read", &e)
            }
            CollectionError::Busy => as_told(StatusCode::SERVICE_UNAVAILABLE),
            CollectionError::ShuttingDown => RunError::ShuttingDown.into(),
            CollectionError::Store(e) => e.into(),
        }
    }
}

/// A collection as clients see it.
#[derive(Serialize, ToSchema)]
pub(super) struct CollectionBody {
    name: String,
    /// How many documents it has.
    count: u64,
    /// With the model that makes its vectors, and the workflow files go through.
    #[schema(value_type = Object)]
    metadata: Map,
    /// Name of the workflow the metadata names.
    workflow_name: Option<String>,
}

impl From<Collection> for CollectionBody {
    fn from(collection: Collection) -> Self {
        CollectionBody {
            name: collection.name,
            count: collection.count,
            metadata: collection.metadata,
            workflow_name: collection.workflow_name,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct CollectionList {
    collections: Vec<CollectionBody>,
    count: usize,
}

impl From<Vec<Collection>> for CollectionList {
    fn from(collections: Vec<Collection>) -> Self {
        CollectionList {
            count: collections.len(),
            collections: collections.into_iter().map(Into::into).collect(),
        }
    }
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct CollectionMessage {
    pub(super) message: String,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreateCollection {
    #[schema(max_length = 128)]
    name: String,
    /// The model that makes its vectors; `local/hash-384` when absent, which compares letters and words and needs
    /// neither key nor network.
    embedding_model: Option<String>,
    /// Provider of the model; found out from the model when absent.
    embedding_provider: Option<String>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct UpdateCollection {
    #[schema(max_length = 128)]
    name: Option<String>,
    /// Texts by key, merged into what is there. `workflow` is the id of a workflow files go through.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct QueryCollection {
    #[schema(min_items = 1, max_items = 32)]
    query_texts: Vec<String>,
    /// Most documents of each text; 10 when absent.
    #[schema(minimum = 1, maximum = 1000)]
    n_results: Option<i64>,
    /// What the metadata must be: `{"key": value}`, `{"key": {"$gt": 3}}`, `$and`, `$or`.
    #[schema(value_type = Option<Object>)]
    r#where: Option<Map>,
    /// `vector` for meaning, `keyword` for words, `hybrid` for both; `vector` when absent.
    mode: Option<String>,
}

/// What was found: for each text a list, best first.
#[derive(Default, Serialize, ToSchema)]
struct QueryResult {
    ids: Vec<Vec<String>>,
    documents: Vec<Vec<String>>,
    /// Squared distances; null where words alone found the document.
    distances: Vec<Vec<Option<f32>>>,
    #[schema(value_type = Vec<Vec<Object>>)]
    metadatas: Vec<Vec<Map>>,
    /// Scores of words or of both; null where meaning alone was looked for.
    scores: Vec<Vec<Option<f64>>>,
}

impl QueryResult {
    fn add(&mut self, found: Vec<Found>) {
        self.ids.push(Vec::new());
        self.documents.push(Vec::new());
        self.distances.push(Vec::new());
        self.metadatas.push(Vec::new());
        self.scores.push(Vec::new());
        for one in found {
            put(&mut self.ids, one.id);
            put(&mut self.documents, one.text);
            put(&mut self.distances, one.distance);
            put(&mut self.metadatas, one.metadata);
            put(&mut self.scores, one.score);
        }
    }
}

fn put<T>(lists: &mut [Vec<T>], value: T) {
    if let Some(list) = lists.last_mut() {
        list.push(value);
    }
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
struct IndexResult {
    /// Name of the file, without folders.
    path: String,
    /// Why it is not in the collection.
    error: Option<String>,
}

/// Reads what a collection is made of.
pub(super) fn read_create(body: JsonBody, model_required: bool) -> Result<[String; 3], ApiError> {
    let mut f = Fields::new(body.object()?);
    let name = f.required_text("name");
    let model = match model_required {
        true => f.required_text("embedding_model"),
        false => f.text("embedding_model").unwrap_or_default(),
    };
    let provider = f.text("embedding_provider").unwrap_or_default();
    f.at_most("name", Some(&name), 128);
    f.at_most("embedding_model", Some(&model), 128);
    f.at_most("embedding_provider", Some(&provider), 128);
    f.finish()?;
    Ok([name, model, provider])
}

/// Reads what is changed of a collection.
pub(super) fn read_update(body: JsonBody) -> Result<ChangeCollection, ApiError> {
    let mut f = Fields::new(body.object_or_empty()?);
    let name = f.text("name");
    f.at_most("name", name.as_deref(), 128);
    let mut metadata = Vec::new();
    for (key, value) in f.object("metadata").unwrap_or_default() {
        match value {
            Value::Str(text) => metadata.push((key.to_string(), text.to_string())),
            _ => {
                let place = ["body", "metadata", &key];
                let msg = "Input should be a valid string";
                f.refuse([FieldError::at("string_type", &place, msg)]);
            }
        }
    }
    f.finish()?;
    Ok(ChangeCollection { name, metadata })
}

/// Makes a collection.
#[utoipa::path(post, path = "/api/collections", tag = "collections", request_body = CreateCollection,
    responses((status = 200, body = CollectionBody), (status = 400, body = Refusal), (status = 409, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_collection(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let [name, model, provider] = read_create(body, false)?;
    let made = app.collections.create(&caller, &name, &model, &provider);
    Ok(json(&CollectionBody::from(made.await?)))
}

/// The caller's collections, by name.
#[utoipa::path(get, path = "/api/collections", tag = "collections",
    responses((status = 200, body = CollectionList)))]
async fn list_collections(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let collections = app.collections.list(&caller).await?;
    Ok(json(&CollectionList::from(collections)))
}

/// One collection.
#[utoipa::path(get, path = "/api/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = CollectionBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_collection(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
) -> Result<Response, ApiError> {
    let collection = app.collections.get(&caller, &name).await?;
    Ok(json(&CollectionBody::from(collection)))
}

/// Gives a collection another name or more metadata. The model can change while there are no documents.
#[utoipa::path(put, path = "/api/collections/{name}", tag = "collections", params(("name" = String, Path)),
    request_body = Option<UpdateCollection>,
    responses((status = 200, body = CollectionBody), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn update_collection(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let change = read_update(body)?;
    let changed = app.collections.update(&caller, &name, change).await?;
    Ok(json(&CollectionBody::from(changed)))
}

/// Deletes a collection with its documents.
#[utoipa::path(delete, path = "/api/collections/{name}", tag = "collections", params(("name" = String, Path)),
    responses((status = 200, body = CollectionMessage), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn delete_collection(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
) -> Result<Response, ApiError> {
    app.collections.delete(&caller, &name).await?;
    let message = format!("Collection {name} deleted successfully");
    Ok(json(&CollectionMessage { message }))
}

/// Puts a file into a collection: text, Markdown, HTML, PDF, docx, csv or JSON, or whatever the workflow of the
/// collection reads. What came from a file of that name before is replaced. A file that cannot be read is told in
/// `error`.
#[utoipa::path(post, path = "/api/collections/{name}/index", tag = "collections", params(("name" = String, Path)),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses((status = 200, body = IndexResult), (status = 503, body = Refusal), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 408, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn index_file(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
    upload: Upload,
) -> Result<Response, ApiError> {
    index(&app, &caller, &name, upload).await
}

/// Puts a file into a collection, as `/api/collections/{name}/index` does.
#[utoipa::path(post, path = "/collections/{name}/index", tag = "collections", params(("name" = String, Path)),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses((status = 200, body = IndexResult), (status = 503, body = Refusal), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 408, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn index_deployed_collection(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
    upload: Upload,
) -> Result<Response, ApiError> {
    index(&app, &caller, &name, upload).await
}

async fn index(
    app: &AppState,
    caller: &Caller,
    name: &str,
    mut upload: Upload,
) -> Result<Response, ApiError> {
    app.collections.get(caller, name).await?;
    let most = app.upload_limit.min(MAX_COLLECTION_FILE);
    while let Some(part) = upload.next().await? {
        if part.name() != Some("file") {
            continue;
        }
        let given = part.file_name().unwrap_or_default().to_owned();
        let path = base_name(&given);
        let received = app.collections.receive(&given, most, part.contents());
        let file = received.await?.ok_or_else(|| too_large(most))?;
        let through = Through {
            collections: &app.collections,
            jobs: &app.jobs,
        };
        let error = match through.index(caller, name, &file).await {
            Ok(()) => None,
            Err(e) if e.is_of_file() => Some(e.to_string()),
            Err(e) => return Err(e.into()),
        };
        return Ok(json(&IndexResult { path, error }));
    }
    Err(Upload::without_file())
}

/// Finds documents.
#[utoipa::path(post, path = "/api/collections/{name}/query", tag = "collections", params(("name" = String, Path)),
    request_body = QueryCollection,
    responses((status = 200, body = QueryResult), (status = 400, body = Refusal), (status = 404, body = Refusal),
        (status = 413, body = Refusal), (status = 422, body = Refusal), (status = 502, body = Refusal)))]
async fn query_collection(
    State(app): State<AppState>,
    caller: Caller,
    Path(name): Path,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    if f.is_absent("query_texts") {
        let place = ["body", "query_texts"];
        f.refuse([FieldError::at("missing", &place, "Field required")]);
    }
    let texts = f.texts("query_texts").unwrap_or_default();
    if !f.is_faulty() && !(1..=MAX_TEXTS).contains(&texts.len()) {
        let msg = format!(
            "List should have 1 to {MAX_TEXTS} items, not {}",
            texts.len()
        );
        f.refuse([FieldError::at("value_error", &["body", "query_texts"], msg)]);
    }
    let limit = f.whole_number("n_results", 1, MAX_RESULTS).unwrap_or(10);
    let filter = f.take("where");
    let mode = match f.is_absent("mode") {
        true => "vector".to_owned(),
        false => f.required_word("mode", &["vector", "keyword", "hybrid"]),
    };
    f.finish()?;
    let mut result = QueryResult::default();
    for text in texts {
        let query = CollectionQuery {
            ways: CollectionWays::of(&mode, text),
            limit: usize::try_from(limit).unwrap_or(1),
            filter: filter.clone(),
        };
        result.add(app.collections.query(&caller, &name, query).await?);
    }
    Ok(json(&result))
}
