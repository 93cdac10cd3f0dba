//! What clients ask about models, read from their bodies.

use nodetool_protocol::Value;
use utoipa::ToSchema;

use super::super::error::FieldError;
use super::super::extract::{Fields, JsonBody, Query};
use super::{ApiError, bad_name, list_of};
use crate::services::downloads::{Filter, RepoId, is_model_name};

/// Most items of one list.
const MOST: usize = 1000;
/// Longest text that is repeated in an answer.
const LONGEST: usize = 2048;

/// A file, and what the client believes of it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct FileAsked {
    #[schema(max_length = 2048)]
    repo_id: String,
    #[schema(max_length = 2048)]
    path: String,
    #[schema(required = false)]
    downloaded: Option<bool>,
}

/// A file at the hub.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct HubFile {
    #[schema(
        pattern = r"^[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*/[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*$",
        max_length = 193
    )]
    repo_id: String,
    #[schema(min_length = 1, max_length = 1024)]
    path: String,
}

/// A text, or several.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// A model, and which of its files count.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct CacheAsked {
    #[schema(
        pattern = r"^[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*/[A-Za-z0-9_]+((-(\.-)*\.?|\.(-\.)*-?)[A-Za-z0-9_]+)*$",
        max_length = 193
    )]
    repo_id: String,
    allow_pattern: Option<OneOrMany>,
    ignore_pattern: Option<OneOrMany>,
}

/// A model that may be here.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
pub(super) struct CacheQuestion {
    /// What the answer is told by.
    #[schema(max_length = 2048)]
    key: String,
    #[schema(max_length = 2048)]
    repo_id: String,
    model_type: Option<String>,
    path: Option<String>,
    allow_patterns: Option<Vec<String>>,
    ignore_patterns: Option<Vec<String>>,
}

/// A file a client asks about.
pub(super) struct FileWanted {
    pub(super) repo_id: String,
    pub(super) path: String,
}

impl FileWanted {
    pub(super) fn read(fields: &mut Fields, _: usize) -> Result<Self, ApiError> {
        let repo_id = fields.required_text("repo_id");
        fields.at_most("repo_id", Some(&repo_id), LONGEST);
        let path = fields.required_text("path");
        fields.at_most("path", Some(&path), LONGEST);
        fields.flag("downloaded");
        Ok(FileWanted { repo_id, path })
    }
}

/// A model a client asks about.
pub(super) struct Question {
    pub(super) key: String,
    pub(super) repo_id: String,
    pub(super) model_type: Option<String>,
    pub(super) path: Option<String>,
    pub(super) filter: Filter,
}

impl Question {
    pub(super) fn read(fields: &mut Fields, index: usize) -> Result<Self, ApiError> {
        let key = fields.required_text("key");
        fields.at_most("key", Some(&key), LONGEST);
        let repo_id = fields.required_text("repo_id");
        fields.at_most("repo_id", Some(&repo_id), LONGEST);
        let model_type = fields.text("model_type");
        let path = fields.text("path");
        let allow = fields.texts("allow_patterns").unwrap_or_default();
        let ignore = fields.texts("ignore_patterns").unwrap_or_default();
        let index = index.to_string();
        let filter = Filter::new(&allow, &ignore)
            .map_err(|e| bad_name(&["body", &index, "allow_patterns"], &e))?;
        Ok(Question {
            key,
            repo_id,
            model_type,
            path,
            filter,
        })
    }
}

/// The items of a list.
pub(super) fn list(body: JsonBody) -> Result<Vec<Value>, ApiError> {
    let fault = |kind, msg: String| ApiError::invalid(vec![FieldError::at(kind, &["body"], msg)]);
    match body.0 {
        None => Err(fault("missing", "Field required".into())),
        Some(Value::List(items)) if items.len() > MOST => Err(fault(
            "too_long",
            format!("List should have at most {MOST} items"),
        )),
        Some(Value::List(items)) => Ok(items.to_vec()),
        Some(other) => Err(fault(
            "list_type",
            format!("expected a list, got {}", other.kind()),
        )),
    }
}

/// The items of a list of objects.
pub(super) fn items<T>(
    body: JsonBody,
    read: impl Fn(&mut Fields, usize) -> Result<T, ApiError>,
) -> Result<Vec<T>, ApiError> {
    let maps = list_of(body)?.into_iter().enumerate();
    maps.map(|(i, map)| {
        let mut fields = Fields::new(map);
        let item = read(&mut fields, i)?;
        fields.finish_item(i)?;
        Ok(item)
    })
    .collect()
}

/// The items of a list of texts.
pub(super) fn texts(body: JsonBody) -> Result<Vec<String>, ApiError> {
    let items = list(body)?.into_iter().enumerate();
    items
        .map(|(i, item)| match item {
            Value::Str(text) if text.chars().count() <= LONGEST => Ok(text.to_string()),
            _ => {
                let i = i.to_string();
                let msg = format!("Input should be a string of at most {LONGEST} characters");
                let error = FieldError::at("string_type", &["body", &i], msg);
                Err(ApiError::invalid(vec![error]))
            }
        })
        .collect()
}

/// Patterns: one, several or none.
pub(super) fn patterns(fields: &mut Fields, key: &str) -> Vec<String> {
    match fields.take(key) {
        Some(Value::Str(one)) => vec![one.to_string()],
        Some(Value::List(items)) if items.iter().all(|v| v.as_str().is_some()) => {
            let texts = items.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        Some(_) => {
            let msg = "Input should be a string or a list of strings";
            fields.refuse([FieldError::at("string_type", &["body", key], msg)]);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// The repository a body names.
pub(super) fn repo_in(repo_id: &str) -> Result<RepoId, ApiError> {
    RepoId::parse(repo_id).map_err(|e| bad_name(&["body", "repo_id"], &e))
}

/// The Ollama model a query names.
pub(super) fn model_name(query: &Query) -> Result<String, ApiError> {
    let name = query.required("model_name")?;
    if is_model_name(name) {
        return Ok(name.to_owned());
    }
    let msg = "no model can be called that";
    let error = FieldError::at("value_error", &["query", "model_name"], msg);
    Err(ApiError::invalid(vec![error]))
}
