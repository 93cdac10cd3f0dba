//! Begins an iteration with the first row of a Google sheet that conditions hold for; ends when there is none.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{Flow, FormSpec, Pool, StepCx, StepKind, Token};

use super::google_sheets_query::{GetRecordByQuery, query_fields};
use crate::{Fields, FormStep};

/// The query it asks again and again.
#[derive(Default)]
pub(super) struct GetRecordByQueryProvider(GetRecordByQuery);

impl FormStep for GetRecordByQueryProvider {
    const IDENTIFIER: &'static str = "google-sheets-get-record-by-query-provider";
    const CLASS: &'static str = "GoogleSheetsGetRecordByQueryProvider";
    const LABEL: Option<&'static str> = Some("Google Sheets: Get Record By Query (Provider)");
    const DESCRIPTION: Option<&'static str> = Some(
        "Begins each iteration with the first row of a Google sheet that all conditions hold for, until there is none.",
    );
    const CATEGORY: &'static str = "GoogleSheets";
    const KIND: StepKind = StepKind::Producer;
    const POOL: Pool = Pool::Thread;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "GoogleSheetsGetRecordByQueryProviderForm",
            fields: query_fields(),
            check: None,
        })
    }

    async fn run(&mut self, fields: &Fields, token: Token, cx: &StepCx) -> Result<Flow, NodeError> {
        Ok(match self.0.found(fields, token, cx).await? {
            Ok(token) => Flow::Go(token),
            Err(token) => Flow::Completed(token),
        })
    }

    async fn cleanup(&mut self, last: Option<&Token>, cx: &StepCx) {
        self.0.cleanup(last, cx).await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sheets::fake::Google;
    use super::super::testing::run;
    use super::*;

    #[tokio::test]
    async fn a_record_begins_an_iteration_and_none_ends_the_loop() {
        let cx = Google::with_people().cx();
        let form = |name: &str| {
            let conditions = json!([{"column": "name", "value": name}]).to_string();
            json!({"google_account": "oauth", "spreadsheet": "s1", "sheet": "Sheet 1",
                "header_row": 1, "query_conditions": conditions})
        };
        let found = run::<GetRecordByQueryProvider>(form("ann"), json!({}), &cx).await;
        assert!(matches!(found, Ok(Flow::Go(t)) if t.data.contains_key("google_sheets")));
        let none = run::<GetRecordByQueryProvider>(form("cid"), json!({}), &cx).await;
        assert!(matches!(none, Ok(Flow::Completed(t)) if t.data.is_empty()));
    }
}
