//! Searches of the hub's cache: by names, and by what models are for (HTTP spec 6.9).

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::extract::{Path, Query};
use super::super::{ApiError, AppState, Refusal, json as json_body};
use super::{UnifiedModel, bad_name};
use crate::services::Caller;
use crate::services::downloads::Filter;

/// Most models of an answer.
const MOST: usize = 10_000;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(search_cached_models))
        .routes(routes!(list_cached_models_of_type))
}

fn filter(query: &Query, key: &str) -> Result<(Filter, bool), ApiError> {
    let texts: Vec<String> = query.texts(key).into_iter().map(str::to_owned).collect();
    let given = texts.iter().any(|text| !text.is_empty());
    let filter = Filter::new(&texts, &[]).map_err(|e| bad_name(&["query", key], &e))?;
    Ok((filter, given))
}

/// Models in the hub's cache by patterns such as `org/*` for repositories and `*.gguf` for files: the repositories, or
/// where patterns for files are given the files. In production there are none.
#[utoipa::path(get, path = "/api/models/huggingface/search", tag = "models",
    params(("repo_pattern" = Option<Vec<String>>, Query, description = "Patterns of repositories; all when left out"),
        ("filename_pattern" = Option<Vec<String>>, Query, description = "Patterns of files")),
    responses((status = 200, body = Vec<UnifiedModel>), (status = 422, body = Refusal)))]
async fn search_cached_models(
    State(app): State<AppState>,
    _caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let (repos, _) = filter(&query, "repo_pattern")?;
    let (files, by_file) = filter(&query, "filename_pattern")?;
    if app.production {
        return Ok(json_body(&Vec::<UnifiedModel>::new()));
    }
    let mut models = Vec::new();
    for repo in app.library.scan().await?.repos {
        if repo.repo_type != "model" || repo.nb_files == 0 || !repos.wants(&repo.repo_id) {
            continue;
        }
        if !by_file {
            models.push(UnifiedModel::cached(repo, app.own_machine));
            continue;
        }
        let mut seen = std::collections::HashSet::new();
        for file in repo.revisions.iter().flat_map(|r| &r.files) {
            if files.wants(&file.file_name) && seen.insert(&file.file_name) {
                models.push(UnifiedModel {
                    id: format!("{}:{}", repo.repo_id, file.file_name),
                    name: file.file_name.clone(),
                    repo_id: Some(repo.repo_id.clone()),
                    path: Some(file.file_name.clone()),
                    downloaded: Some(true),
                    size_on_disk: Some(file.size_on_disk),
                    cache_path: app.own_machine.then(|| file.file_path.clone()),
                    ..UnifiedModel::default()
                });
            }
        }
    }
    models.truncate(MOST);
    Ok(json_body(&models))
}

/// Models in the hub's cache that are for something, such as `hf.text_to_image`, by what their own files say.
#[utoipa::path(get, path = "/api/models/huggingface/type/{model_type}", tag = "models",
    params(("model_type" = String, Path, description = "What they are for")),
    responses((status = 200, body = Vec<UnifiedModel>), (status = 422, body = Refusal)))]
async fn list_cached_models_of_type(
    State(app): State<AppState>,
    _caller: Caller,
    Path(kind): Path,
) -> Result<Response, ApiError> {
    let found = app.library.of_kind(kind.clone()).await?.into_iter();
    let models = found.take(MOST).map(|repo| UnifiedModel {
        kind: Some(kind.clone()),
        ..UnifiedModel::cached(repo, app.own_machine)
    });
    let models: Vec<_> = models.collect();
    Ok(json_body(&models))
}
