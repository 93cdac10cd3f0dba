//! Predictions: calls of models, and what they have cost.

use nodetool_protocol::{Map, Value};
use nodetool_store::{
    CostTotals, Page, PredictionFilter, PredictionRow, Store, StoreError, new_id, now_micros,
};

use super::Caller;

/// Calls in a summary.
const RECENT: usize = 10;

/// Why a prediction use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PredictionError {
    #[error("Prediction not found")]
    NotFound,
    #[error("parameters cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A call somebody is about to make.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewPrediction {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) node_id: String,
    pub(crate) params: Map,
    pub(crate) version: Option<String>,
    pub(crate) workflow_id: Option<String>,
}

/// Which calls are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
}

/// All costs at a glance.
pub(crate) struct CostSummary {
    pub(crate) overall: CostTotals,
    pub(crate) by_provider: Vec<CostTotals>,
    pub(crate) by_model: Vec<CostTotals>,
    pub(crate) recent: Vec<PredictionRow>,
}

/// The one owner of prediction rows in this process.
#[derive(Clone)]
pub(crate) struct PredictionService {
    store: Store,
}

impl PredictionService {
    pub(crate) fn new(store: Store) -> Self {
        PredictionService { store }
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        new: NewPrediction,
    ) -> Result<PredictionRow, PredictionError> {
        let version = new.version.map(|version| {
            serde_json::to_string(&Value::map([("version", version.as_str().into())]))
        });
        let row = PredictionRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            node_id: new.node_id,
            provider: new.provider,
            model: new.model,
            workflow_id: new.workflow_id,
            status: "starting".to_owned(),
            created_at: now_micros(),
            parameters: Some(serde_json::to_string(&new.params)?),
            metadata: version.transpose()?,
            ..PredictionRow::default()
        };
        self.store.insert_prediction(row.clone()).await?;
        Ok(row)
    }

    pub(crate) async fn get(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<PredictionRow, PredictionError> {
        let row = self.store.get_prediction(&caller.user_id, id).await?;
        row.ok_or(PredictionError::NotFound)
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        calls: Calls,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<PredictionRow>, PredictionError> {
        let filter = filter(caller, calls);
        Ok(self.store.list_predictions(filter, limit, cursor).await?)
    }

    pub(crate) async fn total(
        &self,
        caller: &Caller,
        calls: Calls,
    ) -> Result<CostTotals, PredictionError> {
        Ok(self.store.total_costs(filter(caller, calls)).await?)
    }

    pub(crate) async fn by_provider(
        &self,
        caller: &Caller,
    ) -> Result<Vec<CostTotals>, PredictionError> {
        let filter = filter(caller, Calls::default());
        Ok(self.store.costs_by_provider(filter).await?)
    }

    pub(crate) async fn by_model(
        &self,
        caller: &Caller,
        provider: Option<String>,
    ) -> Result<Vec<CostTotals>, PredictionError> {
        let calls = Calls {
            provider,
            model: None,
        };
        Ok(self.store.costs_by_model(filter(caller, calls)).await?)
    }

    pub(crate) async fn summary(&self, caller: &Caller) -> Result<CostSummary, PredictionError> {
        let recent = self.list(caller, Calls::default(), RECENT, "").await?;
        Ok(CostSummary {
            overall: self.total(caller, Calls::default()).await?,
            by_provider: self.by_provider(caller).await?,
            by_model: self.by_model(caller, None).await?,
            recent: recent.rows,
        })
    }
}

fn filter(caller: &Caller, calls: Calls) -> PredictionFilter {
    PredictionFilter {
        user_id: caller.user_id.clone(),
        provider: calls.provider,
        model: calls.model,
    }
}
