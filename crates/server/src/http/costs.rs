//! Costs: what calls of models come to (HTTP spec 6.15).

use axum::extract::State;
use axum::response::Response;
use nodetool_store::{CostTotals, PredictionRow, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::Query;
use super::{ApiError, AppState, Refusal, json};
use crate::services::{Caller, Calls, PredictionError, TimeText};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_costs))
        .routes(routes!(get_total_costs))
        .routes(routes!(list_costs_by_provider))
        .routes(routes!(list_costs_by_model))
        .routes(routes!(get_cost_summary))
}

/// One call.
#[derive(Serialize, ToSchema)]
struct CallBody {
    id: String,
    user_id: String,
    node_id: String,
    provider: String,
    model: String,
    workflow_id: Option<String>,
    cost: Option<f64>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    total_tokens: Option<i64>,
    cached_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    created_at: TimeText,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

impl CallBody {
    fn of(row: PredictionRow) -> Result<Self, ApiError> {
        let metadata = row.metadata.map(RawValue::from_string).transpose();
        Ok(CallBody {
            metadata: metadata.map_err(|e| ApiError::internal("a stored column is no JSON", &e))?,
            id: row.id,
            user_id: row.user_id,
            node_id: row.node_id,
            provider: row.provider,
            model: row.model,
            workflow_id: row.workflow_id,
            cost: row.cost,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            total_tokens: row.total_tokens,
            cached_tokens: row.cached_tokens,
            reasoning_tokens: row.reasoning_tokens,
            created_at: TimeText(row.created_at),
        })
    }
}

#[derive(Serialize, ToSchema)]
struct CallList {
    calls: Vec<CallBody>,
    next_start_key: String,
}

/// What the calls come to altogether.
#[derive(Serialize, ToSchema)]
struct CostTotalBody {
    total_cost: f64,
    total_input_tokens: i64,
    total_output_tokens: i64,
    total_tokens: i64,
    call_count: i64,
    user_id: String,
    provider: Option<String>,
    model: Option<String>,
}

/// What the calls of one provider come to.
#[derive(Serialize, ToSchema)]
struct ProviderCostBody {
    total_cost: f64,
    total_input_tokens: i64,
    total_output_tokens: i64,
    total_tokens: i64,
    call_count: i64,
    provider: String,
}

/// What the calls of one model come to.
#[derive(Serialize, ToSchema)]
struct ModelCostBody {
    #[serde(flatten)]
    of: ProviderCostBody,
    model: String,
}

/// One of the newest calls.
#[derive(Serialize, ToSchema)]
struct RecentCallBody {
    id: String,
    provider: String,
    model: String,
    cost: Option<f64>,
    total_tokens: Option<i64>,
    created_at: TimeText,
}

#[derive(Serialize, ToSchema)]
struct CostSummaryBody {
    overall: CostTotalBody,
    by_provider: Vec<ProviderCostBody>,
    by_model: Vec<ModelCostBody>,
    recent_calls: Vec<RecentCallBody>,
}

fn total(totals: CostTotals, caller: &Caller, calls: Calls) -> CostTotalBody {
    CostTotalBody {
        total_cost: totals.cost,
        total_input_tokens: totals.input_tokens,
        total_output_tokens: totals.output_tokens,
        total_tokens: totals.total_tokens,
        call_count: totals.calls,
        user_id: caller.user_id.clone(),
        provider: calls.provider,
        model: calls.model,
    }
}

impl From<CostTotals> for ProviderCostBody {
    fn from(totals: CostTotals) -> Self {
        ProviderCostBody {
            total_cost: totals.cost,
            total_input_tokens: totals.input_tokens,
            total_output_tokens: totals.output_tokens,
            total_tokens: totals.total_tokens,
            call_count: totals.calls,
            provider: totals.provider.unwrap_or_default(),
        }
    }
}

impl From<CostTotals> for ModelCostBody {
    fn from(mut totals: CostTotals) -> Self {
        ModelCostBody {
            model: totals.model.take().unwrap_or_default(),
            of: totals.into(),
        }
    }
}

fn calls(query: &Query) -> Calls {
    let text = |key| query.text(key).filter(|t| !t.is_empty()).map(str::to_owned);
    Calls {
        provider: text("provider"),
        model: text("model"),
    }
}

/// The caller's calls, newest first.
#[utoipa::path(get, path = "/api/costs", tag = "costs",
    params(
        ("provider" = Option<String>, Query, description = "Only calls of this provider"),
        ("model" = Option<String>, Query, description = "Only calls of this model"),
        ("limit" = Option<i64>, Query, description = "100 when absent", minimum = 1, maximum = 1000),
        ("start_key" = Option<String>, Query, description = "`next_start_key` of the page before"),
        ("cursor" = Option<String>, Query, description = "Another name of `start_key`"),
    ),
    responses((status = 200, body = CallList), (status = 422, body = Refusal)))]
async fn list_costs(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let limit = query.int_within("limit", 100, 1, 1000)?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let named = query.spelling("start_key", "cursor");
    let cursor = query.text(named).unwrap_or_default();
    let page = app.predictions.list(&caller, calls(&query), limit, cursor);
    let page = page.await.map_err(|e| match e {
        PredictionError::Store(StoreError::BadCursor { .. }) => ApiError::bad_cursor(named),
        e => e.into(),
    })?;
    let rows = page.rows.into_iter().map(CallBody::of);
    Ok(json(&CallList {
        calls: rows.collect::<Result<_, _>>()?,
        next_start_key: page.next,
    }))
}

/// What the caller's calls come to altogether.
#[utoipa::path(get, path = "/api/costs/aggregate", tag = "costs",
    params(
        ("provider" = Option<String>, Query, description = "Only calls of this provider"),
        ("model" = Option<String>, Query, description = "Only calls of this model"),
    ),
    responses((status = 200, body = CostTotalBody), (status = 422, body = Refusal)))]
async fn get_total_costs(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let calls = calls(&query);
    let totals = app.predictions.total(&caller, calls.clone()).await?;
    Ok(json(&total(totals, &caller, calls)))
}

/// What the calls of each provider come to, the dearest first, at most 1000.
#[utoipa::path(get, path = "/api/costs/aggregate/by-provider", tag = "costs",
    responses((status = 200, body = Vec<ProviderCostBody>)))]
async fn list_costs_by_provider(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let totals = app.predictions.by_provider(&caller).await?;
    let totals: Vec<ProviderCostBody> = totals.into_iter().map(Into::into).collect();
    Ok(json(&totals))
}

/// What the calls of each model come to, the dearest first, at most 1000.
#[utoipa::path(get, path = "/api/costs/aggregate/by-model", tag = "costs",
    params(("provider" = Option<String>, Query, description = "Only calls of this provider")),
    responses((status = 200, body = Vec<ModelCostBody>), (status = 422, body = Refusal)))]
async fn list_costs_by_model(
    State(app): State<AppState>,
    caller: Caller,
    query: Query,
) -> Result<Response, ApiError> {
    let totals = app
        .predictions
        .by_model(&caller, calls(&query).provider)
        .await?;
    let totals: Vec<ModelCostBody> = totals.into_iter().map(Into::into).collect();
    Ok(json(&totals))
}

/// All costs at a glance, with the ten newest calls.
#[utoipa::path(get, path = "/api/costs/summary", tag = "costs", responses((status = 200, body = CostSummaryBody)))]
async fn get_cost_summary(
    State(app): State<AppState>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let summary = app.predictions.summary(&caller).await?;
    let recent = summary.recent.into_iter().map(|row| RecentCallBody {
        id: row.id,
        provider: row.provider,
        model: row.model,
        cost: row.cost,
        total_tokens: row.total_tokens,
        created_at: TimeText(row.created_at),
    });
    Ok(json(&CostSummaryBody {
        overall: total(summary.overall, &caller, Calls::default()),
        by_provider: summary.by_provider.into_iter().map(Into::into).collect(),
        by_model: summary.by_model.into_iter().map(Into::into).collect(),
        recent_calls: recent.collect(),
    }))
}
