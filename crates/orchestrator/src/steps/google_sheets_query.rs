//! Finds the first row of a Google sheet that conditions hold for.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, Pool, StepCx, Token};

use super::google_sheets_get_row::{header_row, way};
use super::sheets::{FieldsOf, Sheets, conditions, find, sheet_fields};
use crate::{Fields, FormStep};

/// The way of the account, with its token.
#[derive(Default)]
pub(super) struct GetRecordByQuery(pub(super) Option<Sheets>);

impl FormStep for GetRecordByQuery {
    const IDENTIFIER: &'static str = "google-sheets-get-record-by-query";
    const CLASS: &'static str = "GoogleSheetsGetRecordByQueryNode";
    const LABEL: Option<&'static str> = Some("Google Sheets: Get Record By Query");
    const DESCRIPTION: Option<&'static str> =
        Some("Finds the first row of a Google sheet that all conditions hold for.");
    const CATEGORY: &'static str = "GoogleSheets";
    const POOL: Pool = Pool::Thread;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "GoogleSheetsGetRecordByQueryForm",
            fields: query_fields(),
            check: None,
        })
    }

    async fn run(&mut self, fields: &Fields, token: Token, cx: &StepCx) -> Result<Flow, NodeError> {
        match self.found(fields, token, cx).await? {
            Ok(token) => Ok(Flow::Go(token)),
            Err(_) => Err("No record matches the conditions".into()),
        }
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        self.0 = None;
    }
}

impl GetRecordByQuery {
    /// The token with what was found, or as it was.
    pub(super) async fn found(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Result<Token, Token>, NodeError> {
        let conditions = conditions(fields.text("query_conditions"))?;
        let of = FieldsOf::read(fields);
        let sheets = way(&mut self.0, of.account, cx).await?;
        let found = find(sheets, cx.node.services(), &of, &conditions).await?;
        Ok(match found {
            Some(found) => {
                token.put("google_sheets", found.to_value(&of));
                Ok(token)
            }
            None => Err(token),
        })
    }
}

/// The fields of a query.
pub(super) fn query_fields() -> Vec<FieldSpec> {
    let mut fields = sheet_fields();
    fields.extend([
        header_row(),
        FieldSpec::json("query_conditions").required().help(
            "JSON array of objects with `column`, `value`, `operator` (equals, contains or in) and `case_sensitive`; all have to hold.",
        ),
    ]);
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sheets::fake::Google;
    use super::super::testing::{data, refusal};
    use super::*;

    fn form(conditions: &str) -> serde_json::Value {
        json!({"google_account": "oauth", "spreadsheet": "s1", "sheet": "Sheet 1",
            "header_row": 1, "query_conditions": conditions})
    }

    #[tokio::test]
    async fn the_first_row_that_all_conditions_hold_for_is_found() {
        let cx = Google::with_people().cx();
        let both = r#"[{"column": "name", "value": "b", "operator": "contains"},
            {"column": "done", "value": ["no", "never"], "operator": "in"}]"#;
        let out = data::<GetRecordByQuery>(form(both), json!({}), &cx).await;
        let found = &out["google_sheets"];
        assert_eq!(
            (&found["row_number"], &found["data"]["city"]),
            (&json!(3), &json!("Rome"))
        );
        let empty = r#"[{"column": "done", "value": ""}]"#;
        let out = data::<GetRecordByQuery>(form(empty), json!({}), &cx).await;
        assert_eq!(
            out["google_sheets"]["row_number"], 2,
            "a missing cell is an empty one"
        );
    }

    #[tokio::test]
    async fn no_record_and_no_such_column_are_told() {
        let cx = Google::with_people().cx();
        let none = form(r#"[{"column": "name", "value": "Cid"}]"#);
        let said = refusal::<GetRecordByQuery>(none, json!({}), &cx).await;
        assert_eq!(said, "No record matches the conditions");
        let column = form(r#"[{"column": "age", "value": 1}]"#);
        let said = refusal::<GetRecordByQuery>(column, json!({}), &cx).await;
        assert!(
            said.contains("`age`") && said.contains("name, city"),
            "{said}"
        );
    }
}
