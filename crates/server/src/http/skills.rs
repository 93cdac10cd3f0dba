//! Skills agents may learn (HTTP spec 6.18).

use std::path::PathBuf;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::FieldError;
use super::extract::{Path, Query};
use super::peer::Peer;
use super::{ApiError, AppState, Refusal, json};
use crate::services::Skill;

/// Most folders one request may name.
const MAX_FOLDERS: usize = 16;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_skills))
        .routes(routes!(get_skill))
}

#[derive(Serialize, ToSchema)]
struct SkillBody {
    name: String,
    description: String,
    path: String,
    /// Left out of lists unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instructions: Option<String>,
}

impl SkillBody {
    fn of(skill: Skill, with_instructions: bool) -> Self {
        SkillBody {
            name: skill.name,
            description: skill.description,
            path: skill.path.to_string_lossy().into_owned(),
            instructions: with_instructions.then_some(skill.instructions),
        }
    }
}

#[derive(Serialize, ToSchema)]
struct SkillList {
    count: usize,
    skills: Vec<SkillBody>,
}

/// The folders a request names, which only programs on this machine may do.
fn folders(query: &Query, peer: Peer, app: &AppState) -> Result<Vec<PathBuf>, ApiError> {
    let named = query.texts("skill_dir");
    if named.is_empty() {
        return Ok(Vec::new());
    }
    if !app.own_machine || !peer.local {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "Only programs on the server's own machine may name folders of skills",
        ));
    }
    let fault = |msg| {
        let error = FieldError::at("value_error", &["query", "skill_dir"], msg);
        ApiError::invalid(vec![error])
    };
    if named.len() > MAX_FOLDERS {
        return Err(fault("at most 16 folders can be named"));
    }
    let folders: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
    if folders.iter().any(|folder| !folder.is_absolute()) {
        return Err(fault("expected an absolute path"));
    }
    Ok(folders)
}

/// The skills of the server, by name.
#[utoipa::path(get, path = "/api/skills", tag = "skills",
    params(
        ("include_instructions" = Option<bool>, Query, description = "Whether each skill comes with its text"),
        ("skill_dir" = Option<Vec<String>>, Query,
            description = "Absolute folders that are looked into first; for programs on the server's machine only"),
    ),
    responses((status = 200, body = SkillList), (status = 403, body = Refusal), (status = 422, body = Refusal)))]
async fn list_skills(
    State(app): State<AppState>,
    Ok(peer): Result<Peer, std::convert::Infallible>,
    query: Query,
) -> Result<Response, ApiError> {
    let with_instructions = query.boolean("include_instructions", false)?;
    let skills = app.machine.skills(folders(&query, peer, &app)?).await?;
    let skills = skills.into_iter();
    let skills: Vec<_> = skills
        .map(|s| SkillBody::of(s, with_instructions))
        .collect();
    Ok(json(&SkillList {
        count: skills.len(),
        skills,
    }))
}

/// One skill with its text.
#[utoipa::path(get, path = "/api/skills/{skill_name}", tag = "skills",
    params(
        ("skill_name" = String, Path),
        ("skill_dir" = Option<Vec<String>>, Query,
            description = "Absolute folders that are looked into first; for programs on the server's machine only"),
    ),
    responses((status = 200, body = SkillBody), (status = 403, body = Refusal), (status = 404, body = Refusal),
        (status = 422, body = Refusal)))]
async fn get_skill(
    State(app): State<AppState>,
    Ok(peer): Result<Peer, std::convert::Infallible>,
    Path(name): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let skills = app.machine.skills(folders(&query, peer, &app)?).await?;
    match skills.into_iter().find(|skill| skill.name == name) {
        Some(skill) => Ok(json(&SkillBody::of(skill, true))),
        None => {
            let name: String = name.chars().take(80).collect();
            Err(ApiError::not_found(&format!("Skill '{name}' not found")))
        }
    }
}
