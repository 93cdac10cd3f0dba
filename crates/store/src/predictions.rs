//! Prediction rows: calls of models, and what they cost in sum.
//!
//! It must not know providers or prices; sums are made by the database.

use rusqlite::{Connection, Row};

use crate::error::During;
use crate::filter::Filter;
use crate::ids::check_id;
use crate::listing::{By, First, Listing};
use crate::page::{Key, List, Page};
use crate::sql::{Values, each_row, first_row, first_value};
use crate::{Store, StoreError};

const KIND: &str = "prediction";

/// Most groups a sum by provider or model holds, the dearest first.
pub const MAX_COST_GROUPS: usize = 1000;

macro_rules! columns {
    () => {
        "id, user_id, node_id, provider, model, workflow_id, error, logs, status, created_at, started_at, \
         completed_at, cost, duration, hardware, input_tokens, output_tokens, total_tokens, cached_tokens, \
         reasoning_tokens, input_size, output_size, parameters, metadata"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO nodetool_predictions (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
     $22, $23, $24) ON CONFLICT (id) DO NOTHING RETURNING id"
);

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM nodetool_predictions WHERE id = $1 AND user_id = $2"
);

const SUMS: &str = "COALESCE(SUM(cost), 0.0), CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT), \
     CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(total_tokens), 0) AS BIGINT), COUNT(*)";

const LISTING: Listing<PredictionRow> = Listing {
    list: List::Predictions,
    operation: "list predictions",
    select: concat!("SELECT ", columns!(), " FROM nodetool_predictions"),
    by: By::Created,
    read: PredictionRow::read,
    key: |row| Key {
        at: row.created_at,
        id: row.id.clone(),
    },
    text: PredictionRow::text_bytes,
};

/// One call of a model, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictionRow {
    /// Primary key.
    pub id: String,
    /// Owner.
    pub user_id: String,
    /// Node that made the call.
    pub node_id: String,
    /// Provider of the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Workflow of the node.
    pub workflow_id: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// What the provider wrote about it.
    pub logs: Option<String>,
    /// `starting`, then whatever the call comes to.
    pub status: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub started_at: Option<i64>,
    /// Microseconds UTC.
    pub completed_at: Option<i64>,
    /// Credits.
    pub cost: Option<f64>,
    /// Seconds.
    pub duration: Option<f64>,
    /// What it ran on.
    pub hardware: Option<String>,
    /// Tokens read.
    pub input_tokens: Option<i64>,
    /// Tokens written.
    pub output_tokens: Option<i64>,
    /// Tokens read and written.
    pub total_tokens: Option<i64>,
    /// Tokens read from the provider's cache.
    pub cached_tokens: Option<i64>,
    /// Tokens spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Bytes sent.
    pub input_size: Option<i64>,
    /// Bytes received.
    pub output_size: Option<i64>,
    /// JSON object.
    pub parameters: Option<String>,
    /// JSON object.
    pub metadata: Option<String>,
}

/// Which predictions a list or a sum holds; what is `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct PredictionFilter {
    /// Of this owner.
    pub user_id: String,
    /// By this provider only.
    pub provider: Option<String>,
    /// By this model only.
    pub model: Option<String>,
}

impl PredictionFilter {
    fn filter(&self) -> Filter {
        let mut filter = Filter::default();
        filter.equals("user_id = ?", Some(&self.user_id));
        filter.equals("provider = ?", self.provider.as_deref());
        filter.equals("model = ?", self.model.as_deref());
        filter
    }
}

/// What some calls come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostTotals {
    /// Provider of the calls, when they were put together by it.
    pub provider: Option<String>,
    /// Model of the calls, when they were put together by it.
    pub model: Option<String>,
    /// Credits.
    pub cost: f64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Tokens read and written.
    pub total_tokens: i64,
    /// How many calls.
    pub calls: i64,
}

/// What calls are put together by.
#[derive(Clone, Copy)]
enum Grouping {
    All,
    Provider,
    Model,
}

impl Grouping {
    fn query(self, filter: &PredictionFilter) -> (String, Filter) {
        let mut filter = filter.filter();
        let limit = filter.bind(rusqlite::types::Value::Integer(
            i64::try_from(MAX_COST_GROUPS).unwrap_or(i64::MAX),
        ));
        let conditions = filter.sql();
        let (keys, group) = match self {
            Grouping::All => ("NULL, NULL", ""),
            Grouping::Provider => ("provider, NULL", " GROUP BY provider ORDER BY 3 DESC, 1"),
            Grouping::Model => (
                "provider, model",
                " GROUP BY provider, model ORDER BY 3 DESC, 1, 2",
            ),
        };
        let sql = format!(
            "SELECT {keys}, {SUMS} FROM nodetool_predictions{conditions}{group} LIMIT {limit}"
        );
        (sql, filter)
    }

    fn run(
        self,
        db: &Connection,
        filter: &PredictionFilter,
    ) -> Result<Vec<CostTotals>, StoreError> {
        let (sql, filter) = self.query(filter);
        let mut totals = Vec::new();
        each_row(db, "sum predictions", &sql, &filter.values(), |row| {
            totals.push(CostTotals::read(row).during("read a sum of predictions")?);
            Ok(true)
        })?;
        Ok(totals)
    }
}

impl CostTotals {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            provider: row.get(0)?,
            model: row.get(1)?,
            cost: row.get(2)?,
            input_tokens: row.get(3)?,
            output_tokens: row.get(4)?,
            total_tokens: row.get(5)?,
            calls: row.get(6)?,
        })
    }
}

impl PredictionRow {
    fn text_bytes(&self) -> usize {
        let optional = [
            &self.workflow_id,
            &self.error,
            &self.logs,
            &self.hardware,
            &self.parameters,
            &self.metadata,
        ];
        let required = [
            &self.id,
            &self.user_id,
            &self.node_id,
            &self.provider,
            &self.model,
            &self.status,
        ];
        let optional = optional
            .iter()
            .map(|text| text.as_ref().map_or(0, String::len));
        optional.sum::<usize>() + required.iter().map(|text| text.len()).sum::<usize>()
    }

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Self::columns(row).during("read a prediction")
    }

    fn columns(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            node_id: row.get(2)?,
            provider: row.get(3)?,
            model: row.get(4)?,
            workflow_id: row.get(5)?,
            error: row.get(6)?,
            logs: row.get(7)?,
            status: row.get(8)?,
            created_at: row.get(9)?,
            started_at: row.get(10)?,
            completed_at: row.get(11)?,
            cost: row.get(12)?,
            duration: row.get(13)?,
            hardware: row.get(14)?,
            input_tokens: row.get(15)?,
            output_tokens: row.get(16)?,
            total_tokens: row.get(17)?,
            cached_tokens: row.get(18)?,
            reasoning_tokens: row.get(19)?,
            input_size: row.get(20)?,
            output_size: row.get(21)?,
            parameters: row.get(22)?,
            metadata: row.get(23)?,
        })
    }
}

impl Store {
    /// Stores a new prediction.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the id is taken.
    pub async fn insert_prediction(&self, row: PredictionRow) -> Result<(), StoreError> {
        check_id("id", &row.id)?;
        self.write(KIND, row.text_bytes(), move |db| insert(db, &row))
            .await
    }

    /// Reads one prediction of a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn get_prediction(
        &self,
        user_id: &str,
        id: &str,
    ) -> Result<Option<PredictionRow>, StoreError> {
        let (user_id, id) = (user_id.to_owned(), id.to_owned());
        self.read(move |db| {
            let values: &Values<'_> = &[&id, &user_id];
            first_row(db, "read a prediction", SELECT, values, PredictionRow::read)
        })
        .await
    }

    /// One page of predictions, newest first.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] when the cursor is not one of this list.
    pub async fn list_predictions(
        &self,
        filter: PredictionFilter,
        limit: usize,
        cursor: &str,
    ) -> Result<Page<PredictionRow>, StoreError> {
        let after = Key::decode(List::Predictions, cursor)?;
        self.read(move |db| LISTING.page(db, filter.filter(), First::Newest, limit, after))
            .await
    }

    /// What the calls come to altogether.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn total_costs(&self, filter: PredictionFilter) -> Result<CostTotals, StoreError> {
        let mut totals = self.read(move |db| Grouping::All.run(db, &filter)).await?;
        Ok(totals.pop().unwrap_or_default())
    }

    /// What the calls of each provider come to, the dearest first, at most [`MAX_COST_GROUPS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn costs_by_provider(
        &self,
        filter: PredictionFilter,
    ) -> Result<Vec<CostTotals>, StoreError> {
        self.read(move |db| Grouping::Provider.run(db, &filter))
            .await
    }

    /// What the calls of each model come to, the dearest first, at most [`MAX_COST_GROUPS`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn costs_by_model(
        &self,
        filter: PredictionFilter,
    ) -> Result<Vec<CostTotals>, StoreError> {
        self.read(move |db| Grouping::Model.run(db, &filter)).await
    }
}

fn insert(db: &Connection, row: &PredictionRow) -> Result<(), StoreError> {
    let values: &Values<'_> = &[
        &row.id,
        &row.user_id,
        &row.node_id,
        &row.provider,
        &row.model,
        &row.workflow_id,
        &row.error,
        &row.logs,
        &row.status,
        &row.created_at,
        &row.started_at,
        &row.completed_at,
        &row.cost,
        &row.duration,
        &row.hardware,
        &row.input_tokens,
        &row.output_tokens,
        &row.total_tokens,
        &row.cached_tokens,
        &row.reasoning_tokens,
        &row.input_size,
        &row.output_size,
        &row.parameters,
        &row.metadata,
    ];
    first_value::<String>(db, "insert a prediction", INSERT, values)?
        .map(|_| ())
        .ok_or_else(|| StoreError::AlreadyExists {
            kind: KIND,
            id: row.id.clone(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::tests::assert_indexed;

    #[test]
    fn no_list_of_predictions_sorts_or_scans_the_table() {
        let own = PredictionFilter {
            user_id: "u".into(),
            ..PredictionFilter::default()
        };
        let of_model = PredictionFilter {
            model: Some("m".into()),
            ..own.clone()
        };
        let of_both = PredictionFilter {
            provider: Some("p".into()),
            ..of_model.clone()
        };
        for filter in [own, of_model, of_both] {
            assert_indexed(&LISTING, || filter.filter());
        }
    }
}
