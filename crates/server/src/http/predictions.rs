//! Predictions: calls of models, one by one (HTTP spec 6.23).

use axum::extract::State;
use axum::response::Response;
use nodetool_store::PredictionRow;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Fields, JsonBody, Path, Query};
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, Calls, NewPrediction, PROVIDERS, PredictionError, TimeText};

/// Longest name or id in characters.
const MAX_NAME: usize = 512;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_predictions, create_prediction))
        .routes(routes!(get_prediction))
}

impl From<PredictionError> for ApiError {
    fn from(e: PredictionError) -> Self {
        match e {
            PredictionError::NotFound => ApiError::not_found("Prediction not found"),
            PredictionError::Unwritable(e) => {
                ApiError::internal("parameters cannot be written as JSON", &e)
            }
            PredictionError::Store(e) => e.into(),
        }
    }
}

/// A prediction as clients see it.
#[derive(Serialize, ToSchema)]
struct PredictionBody {
    id: String,
    user_id: String,
    node_id: String,
    workflow_id: Option<String>,
    provider: String,
    model: String,
    status: String,
    logs: Option<String>,
    error: Option<String>,
    cost: Option<f64>,
    duration: Option<f64>,
    hardware: Option<String>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    total_tokens: Option<i64>,
    cached_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    input_size: Option<i64>,
    output_size: Option<i64>,
    created_at: TimeText,
    started_at: Option<TimeText>,
    completed_at: Option<TimeText>,
    #[schema(value_type = Option<Object>)]
    parameters: Option<Box<RawValue>>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

impl PredictionBody {
    fn of(row: PredictionRow) -> Result<Self, ApiError> {
        let raw = |text: Option<String>| {
            let raw = text.map(RawValue::from_string).transpose();
            raw.map_err(|e| ApiError::internal("a stored column is no JSON", &e))
        };
        Ok(PredictionBody {
            parameters: raw(row.parameters)?,
            metadata: raw(row.metadata)?,
            id: row.id,
            user_id: row.user_id,
            node_id: row.node_id,
            workflow_id: row.workflow_id,
            provider: row.provider,
            model: row.model,
            status: row.status,
            logs: row.logs,
            error: row.error,
            cost: row.cost,
            duration: row.duration,
            hardware: row.hardware,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            total_tokens: row.total_tokens,
            cached_tokens: row.cached_tokens,
            reasoning_tokens: row.reasoning_tokens,
            input_size: row.input_size,
            output_size: row.output_size,
            created_at: TimeText(row.created_at),
            started_at: row.started_at.map(TimeText),
            completed_at: row.completed_at.map(TimeText),
        })
    }
}

#[derive(Serialize, ToSchema)]
struct PredictionList {
    next: String,
    predictions: Vec<PredictionBody>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body for the API description")]
struct CreatePrediction {
    /// Name of a model provider.
    provider: String,
    #[schema(max_length = 512)]
    model: String,
    #[schema(max_length = 512)]
    node_id: String,
    params: Option<serde_json::Map<String, serde_json::Value>>,
    #[schema(max_length = 512)]
    version: Option<String>,
    #[schema(max_length = 512)]
    workflow_id: Option<String>,
}

/// The caller's predictions, newest first.
#[utoipa::path(get, path = "/api/predictions", tag = "predictions",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("page_size" = Option<usize>, Query, description = "1 to 1000; 100 when absent"),
        ("limit" = Option<usize>, Query, description = "Another name of `page_size`"),
    ),
    responses((status = 200, body = PredictionList), (status = 422, body = Refusal)))]
async fn list_predictions(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int(query.spelling("page_size", "limit"), 100usize, 1, 1000)?;
    let cursor = query.text("cursor").unwrap_or_default();
    let page = app
        .predictions
        .list(&caller, Calls::default(), limit, cursor)
        .await?;
    let rows = page.rows.into_iter().map(PredictionBody::of);
    Ok(json(&PredictionList {
        next: page.next,
        predictions: rows.collect::<Result<_, _>>()?,
    }))
}

/// Notes a call that is about to be made.
#[utoipa::path(post, path = "/api/predictions", tag = "predictions", request_body = CreatePrediction,
    responses((status = 200, body = PredictionBody), (status = 400, body = Refusal), (status = 413, body = Refusal),
        (status = 422, body = Refusal)))]
async fn create_prediction(
    State(app): State<AppState>,
    caller: Caller,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let new = NewPrediction {
        provider: f.required_word("provider", &PROVIDERS),
        model: f.required_text("model"),
        node_id: f.required_text("node_id"),
        params: f.object("params").unwrap_or_default(),
        version: f.text("version"),
        workflow_id: f.text("workflow_id"),
    };
    f.at_most("model", Some(&new.model), MAX_NAME);
    f.at_most("node_id", Some(&new.node_id), MAX_NAME);
    f.at_most("version", new.version.as_deref(), MAX_NAME);
    f.at_most("workflow_id", new.workflow_id.as_deref(), MAX_NAME);
    f.finish()?;
    let row = app.predictions.create(&caller, new).await?;
    Ok(json(&PredictionBody::of(row)?))
}

/// One prediction.
#[utoipa::path(get, path = "/api/predictions/{prediction_id}", tag = "predictions",
    params(("prediction_id" = String, Path)),
    responses((status = 200, body = PredictionBody), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_prediction(
    State(app): State<AppState>,
    caller: Caller,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let row = app.predictions.get(&caller, &id).await?;
    Ok(json(&PredictionBody::of(row)?))
}
