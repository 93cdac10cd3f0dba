//! Models of this machine: what is in the caches, and what is missing of a model (HTTP spec 6.9).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
use nodetool_protocol::{Map, Value};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Fields, JsonBody, Query};
use super::gate::Admin;
use super::{ApiError, AppState, Refusal, json as json_body};
use crate::services::Caller;
use crate::services::downloads::{
    CachedRepo, FilePath, Filter, HubError, LibraryError, NameError, RepoId, is_llama_type,
};

mod asked;
mod cached;
mod offered;
mod ollama;
mod recommended;

pub(super) use ollama::{pull_lines, trouble};

use asked::{CacheAsked, CacheQuestion, FileAsked, FileWanted, HubFile, items, patterns, repo_in};

/// Requests to the hub at the same time for one of ours.
const AT_ONCE: usize = 8;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_cached_models, delete_cached_model))
        .merge(cached::router())
        .merge(ollama::router())
        .merge(offered::router())
        .merge(recommended::router())
        .routes(routes!(check_cached_files))
        .routes(routes!(check_cached_repos))
        .routes(routes!(compare_with_hub))
        .routes(routes!(list_cache_states))
        .routes(routes!(list_file_sizes))
}

impl From<LibraryError> for ApiError {
    fn from(e: LibraryError) -> Self {
        match e {
            LibraryError::Hub(e) => e.into(),
            LibraryError::Busy(_) => ApiError::conflict(e.to_string()),
            LibraryError::Disk(_) => ApiError::internal("the cache of models failed", &e),
            LibraryError::Thread(_) => ApiError::internal("a look at models failed", &e),
        }
    }
}

impl From<HubError> for ApiError {
    fn from(e: HubError) -> Self {
        let status = match e {
            HubError::NotFound(_) => StatusCode::NOT_FOUND,
            HubError::NeedsToken { .. } => StatusCode::FORBIDDEN,
            HubError::Busy(_)
            | HubError::Failed(_)
            | HubError::Broken(_)
            | HubError::Refused(_)
            | HubError::Nonsense(_) => StatusCode::BAD_GATEWAY,
        };
        ApiError::new(status, e.to_string())
    }
}

/// A name in a body or query that cannot be one.
fn bad_name(loc: &[&str], e: &NameError) -> ApiError {
    ApiError::invalid(vec![FieldError::at("value_error", loc, e.to_string())])
}

/// A model, as every list of models shows it.
#[derive(Default, Serialize, ToSchema)]
struct UnifiedModel {
    id: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    name: String,
    repo_id: Option<String>,
    path: Option<String>,
    artifact_family: Option<String>,
    artifact_component: Option<String>,
    artifact_confidence: Option<f64>,
    artifact_evidence: Option<Vec<String>>,
    cache_path: Option<String>,
    allow_patterns: Option<Vec<String>>,
    ignore_patterns: Option<Vec<String>>,
    description: Option<String>,
    readme: Option<String>,
    downloaded: Option<bool>,
    size_on_disk: Option<u64>,
    pipeline_tag: Option<String>,
    tags: Option<Vec<String>>,
    has_model_index: Option<bool>,
    downloads: Option<u64>,
    likes: Option<u64>,
    trending_score: Option<f64>,
}

impl UnifiedModel {
    fn cached(repo: CachedRepo, shows_paths: bool) -> Self {
        let mut files = repo.revisions.iter().flat_map(|r| &r.files);
        UnifiedModel {
            id: repo.repo_id.clone(),
            name: repo.repo_id.clone(),
            downloaded: Some(true),
            size_on_disk: Some(repo.size_on_disk),
            has_model_index: Some(files.any(|f| f.file_name == "model_index.json")),
            cache_path: shows_paths.then_some(repo.repo_path),
            repo_id: Some(repo.repo_id),
            ..UnifiedModel::default()
        }
    }
}

/// The models in the hub's cache.
#[utoipa::path(get, path = "/api/models/huggingface", tag = "models",
    responses((status = 200, body = Vec<UnifiedModel>)))]
async fn list_cached_models(
    State(app): State<AppState>,
    _caller: Caller,
) -> Result<Response, ApiError> {
    let repos = app.library.scan().await?.repos.into_iter();
    let models = repos.filter(|repo| repo.repo_type == "model" && repo.nb_files > 0);
    let models: Vec<_> = models
        .map(|repo| UnifiedModel::cached(repo, app.own_machine))
        .collect();
    Ok(json_body(&models))
}

/// Takes a model out of the hub's cache; `false` when it is not there.
#[utoipa::path(delete, path = "/api/models/huggingface", tag = "models",
    params(("repo_id" = String, Query, description = "`owner/name`",
        pattern = r"^[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*/[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*$", max_length = 193)),
    responses((status = 200, body = bool, content_type = "application/json"), (status = 409, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_cached_model(
    State(app): State<AppState>,
    Admin(caller): Admin,
    query: Query,
) -> Result<Response, ApiError> {
    let repo = RepoId::parse(query.required("repo_id")?);
    let repo = repo.map_err(|e| bad_name(&["query", "repo_id"], &e))?;
    if app.production {
        return Ok(json_body(&false));
    }
    let id = repo.as_str().to_owned();
    let deleted = app.library.delete(&app.downloads, repo).await?;
    if deleted {
        tracing::info!(target: "audit", event = "model.deleted", user.id = %caller.user_id, repo.id = %id, "a model was deleted");
    }
    Ok(json_body(&deleted))
}

/// A file, and whether it is here.
#[derive(Serialize, ToSchema)]
struct FileHere {
    repo_id: String,
    path: String,
    downloaded: bool,
}

/// Which of the files are in the hub's cache.
#[utoipa::path(post, path = "/api/models/huggingface/try_cache_files", tag = "models",
    request_body(content = Vec<FileAsked>),
    responses((status = 200, body = Vec<FileHere>), (status = 422, body = Refusal)))]
async fn check_cached_files(
    State(app): State<AppState>,
    _caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let files = items(body, FileWanted::read)?;
    let names = files.iter().map(|file| {
        let repo = RepoId::parse(&file.repo_id).ok()?;
        Some((repo, FilePath::parse(&file.path).ok()?))
    });
    let here = app.library.have_files(names.collect()).await?;
    let told: Vec<FileHere> = files
        .into_iter()
        .zip(here)
        .map(|(file, downloaded)| FileHere {
            repo_id: file.repo_id,
            path: file.path,
            downloaded,
        })
        .collect();
    Ok(json_body(&told))
}

/// A repository, and whether any of it is here.
#[derive(Serialize, ToSchema)]
struct RepoHere {
    repo_id: String,
    downloaded: bool,
}

/// Which of the repositories are in the hub's cache, at least in part.
#[utoipa::path(post, path = "/api/models/huggingface/try_cache_repos", tag = "models",
    request_body(content = Vec<String>),
    responses((status = 200, body = Vec<RepoHere>), (status = 422, body = Refusal)))]
async fn check_cached_repos(
    State(app): State<AppState>,
    _caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut told = Vec::new();
    for repo_id in asked::texts(body)? {
        let downloaded = match RepoId::parse(&repo_id) {
            Ok(repo) => app.library.suffices(repo, Filter::default()).await?,
            Err(_) => false,
        };
        told.push(RepoHere {
            repo_id,
            downloaded,
        });
    }
    Ok(json_body(&told))
}

/// How much of a model is here.
#[derive(Serialize, ToSchema)]
struct Comparison {
    repo_id: String,
    all_present: bool,
    total_files: usize,
    missing: Vec<String>,
}

/// Compares the hub's cache with what the hub has of a model.
#[utoipa::path(post, path = "/api/models/huggingface/check_cache", tag = "models",
    request_body(content = CacheAsked),
    responses((status = 200, body = Comparison), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal), (status = 502, body = Refusal)))]
async fn compare_with_hub(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut fields = Fields::new(body.object()?);
    let repo_id = fields.required_text("repo_id");
    let allow = patterns(&mut fields, "allow_pattern");
    let ignore = patterns(&mut fields, "ignore_pattern");
    fields.finish()?;
    let repo = repo_in(&repo_id)?;
    let filter = Filter::new(&allow, &ignore);
    let filter = filter.map_err(|e| bad_name(&["body", "allow_pattern"], &e))?;
    let told = app.library.missing(&caller.user_id, repo, filter).await?;
    Ok(json_body(&Comparison {
        repo_id,
        all_present: told.missing.is_empty(),
        total_files: told.wanted,
        missing: told.missing,
    }))
}

/// What was asked about, and whether it is here.
#[derive(Serialize, ToSchema)]
struct CacheState {
    key: String,
    downloaded: bool,
}

/// Which models are here, without asking the hub.
#[utoipa::path(post, path = "/api/models/huggingface/cache_status", tag = "models",
    request_body(content = Vec<CacheQuestion>),
    responses((status = 200, body = Vec<CacheState>), (status = 422, body = Refusal)))]
async fn list_cache_states(
    State(app): State<AppState>,
    _caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let questions = items(body, asked::Question::read)?;
    let mut told = Vec::new();
    for question in questions {
        let downloaded = is_here(&app, &question).await?;
        told.push(CacheState {
            key: question.key,
            downloaded,
        });
    }
    Ok(json_body(&told))
}

async fn is_here(app: &AppState, question: &asked::Question) -> Result<bool, ApiError> {
    let Ok(repo) = RepoId::parse(&question.repo_id) else {
        return Ok(false);
    };
    let path = question.path.as_deref().filter(|path| !path.is_empty());
    let path = path.map(FilePath::parse);
    let llama = question.model_type.as_deref().is_some_and(is_llama_type);
    Ok(match (path, llama) {
        (Some(Err(_)), _) | (None, true) => false,
        (Some(Ok(path)), true) => app.library.has_llama_file(repo, path).await?,
        (Some(Ok(path)), false) => {
            let here = app.library.have_files(vec![Some((repo, path))]).await?;
            here.contains(&true)
        }
        (None, false) => app.library.suffices(repo, question.filter.clone()).await?,
    })
}

/// How large files at the hub are. Not in production.
#[utoipa::path(post, path = "/api/models/huggingface/file_info", tag = "models",
    request_body(content = Vec<HubFile>),
    responses((status = 200, body = Vec<FileSize>), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal), (status = 502, body = Refusal)))]
async fn list_file_sizes(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    if app.production {
        return Err(ApiError::not_found("Not Found"));
    }
    let mut files = Vec::new();
    for (i, file) in items(body, FileWanted::read)?.into_iter().enumerate() {
        let i = i.to_string();
        let repo = RepoId::parse(&file.repo_id);
        let repo = repo.map_err(|e| bad_name(&["body", &i, "repo_id"], &e))?;
        let path = FilePath::parse(&file.path);
        let path = path.map_err(|e| bad_name(&["body", &i, "path"], &e))?;
        files.push((repo, path));
    }
    let sizes = stream::iter(files)
        .map(async |(repo, path)| {
            let size = app.library.size_of(&caller.user_id, &repo, &path).await?;
            Ok::<_, LibraryError>(FileSize {
                size,
                repo_id: repo.as_str().to_owned(),
                path: path.as_str().to_owned(),
            })
        })
        .buffered(AT_ONCE);
    let sizes: Vec<FileSize> = sizes.try_collect().await?;
    Ok(json_body(&sizes))
}

/// A file at the hub and its size in bytes.
#[derive(Serialize, ToSchema)]
struct FileSize {
    size: u64,
    repo_id: String,
    path: String,
}

/// The maps of a list.
fn list_of(body: JsonBody) -> Result<Vec<Map>, ApiError> {
    asked::list(body)?
        .into_iter()
        .enumerate()
        .map(|(i, item)| match item {
            Value::Map(map) => Ok(std::sync::Arc::unwrap_or_clone(map)),
            other => {
                let msg = format!("expected an object, got {}", other.kind());
                let i = i.to_string();
                let error = FieldError::at("dict_type", &["body", &i], msg);
                Err(ApiError::invalid(vec![error]))
            }
        })
        .collect()
}
