//! Reads a row of a Google sheet by its number.

use nodetool_sdk::NodeError;
use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, Pool, StepCx, Token};

use super::sheets::{FieldsOf, Sheets, read_row, sheet_fields};
use crate::{Fields, FormStep};

/// The way of the account, with its token.
#[derive(Default)]
pub(super) struct GetRow(Option<Sheets>);

impl FormStep for GetRow {
    const IDENTIFIER: &'static str = "google-sheets-get-row";
    const CLASS: &'static str = "GoogleSheetsGetRowNode";
    const LABEL: Option<&'static str> = Some("Google Sheets: Get Row");
    const DESCRIPTION: Option<&'static str> =
        Some("Reads a row of a Google sheet by its number and names its values by the headers.");
    const CATEGORY: &'static str = "GoogleSheets";
    const POOL: Pool = Pool::Thread;

    fn form() -> Option<FormSpec> {
        let mut fields = sheet_fields();
        fields.extend([
            FieldSpec::integer("row_number")
                .least(1)
                .required()
                .help("Number of the row, from 1."),
            header_row(),
        ]);
        Some(FormSpec {
            name: "GoogleSheetsGetRowForm",
            fields,
            check: None,
        })
    }

    async fn run(
        &mut self,
        fields: &Fields,
        mut token: Token,
        cx: &StepCx,
    ) -> Result<Flow, NodeError> {
        let (of, services) = (FieldsOf::read(fields), cx.node.services());
        let row = fields.int("row_number").unwrap_or(1).max(1);
        let sheets = way(&mut self.0, of.account, cx).await?;
        let found = read_row(sheets, services, &of, row).await?;
        token.put("google_sheets", found.to_value(&of));
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        self.0 = None;
    }
}

/// The field of the row with the headers.
pub(super) fn header_row() -> FieldSpec {
    FieldSpec::integer("header_row")
        .least(1)
        .required()
        .initial(1)
        .help("Number of the row with the headers, from 1.")
}

/// The kept way, or a new one when it is another account's.
pub(super) async fn way<'a>(
    kept: &'a mut Option<Sheets>,
    account: &str,
    cx: &StepCx,
) -> Result<&'a mut Sheets, NodeError> {
    if kept.as_ref().is_none_or(|sheets| !sheets.is_of(account)) {
        *kept = None;
    }
    match kept {
        Some(sheets) => Ok(sheets),
        none => Ok(none.insert(Sheets::of(cx.node.services(), account).await?)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sheets::fake::Google;
    use super::super::testing::{data, refusal};
    use super::*;

    fn form(row: i64) -> serde_json::Value {
        json!({"google_account": "oauth", "spreadsheet": "s1", "sheet": "Sheet 1",
            "row_number": row, "header_row": 1})
    }

    #[tokio::test]
    async fn a_row_has_its_values_by_header() {
        let cx = Google::with_people().cx();
        let out = data::<GetRow>(form(3), json!({}), &cx).await;
        assert_eq!(
            out["google_sheets"],
            json!({"row_number": 3, "header_row": 1, "values": ["Bob", "Rome", "x", "no"],
                "headers": ["name", "city", "", "done"],
                "data": {"name": "Bob", "city": "Rome", "done": "no"},
                "spreadsheet_id": "s1", "sheet_name": "Sheet 1"})
        );
        let out = data::<GetRow>(form(2), json!({"google_sheets": 1}), &cx).await;
        let second = &out["google_sheets_2"]["data"];
        assert_eq!(*second, json!({"name": "Ann", "city": "Bern", "done": ""}));
        let out = data::<GetRow>(form(99), json!({}), &cx).await;
        assert_eq!(out["google_sheets"]["values"], json!([]));
    }

    #[tokio::test]
    async fn a_connected_account_is_asked_for_another_token_when_one_is_refused() {
        // What is wrong with the secrets is no matter to it.
        let google = Google::with_people().secret("GOOGLE_SERVICE_ACCOUNT_JSON", "{");
        let mut connected = form(2);
        connected["google_account"] = json!("c1");
        let cx = google.clone().connected(&["stale", "fresh"]).cx();
        let out = data::<GetRow>(connected.clone(), json!({}), &cx).await;
        assert_eq!(out["google_sheets"]["data"]["name"], "Ann");
        let cx = google.connected(&["stale"]).cx();
        let said = refusal::<GetRow>(connected.clone(), json!({}), &cx).await;
        assert!(said.contains("`ada@a.example` is not connected"), "{said}");
        let cx = Google::with_people().cx();
        let said = refusal::<GetRow>(connected, json!({}), &cx).await;
        assert!(said.contains("expected one of `oauth`"), "{said}");
    }

    #[tokio::test]
    async fn what_google_refuses_is_told() {
        let cx = Google::with_people().cx();
        let mut other = form(2);
        other["spreadsheet"] = json!("s2/../s1");
        let said = refusal::<GetRow>(other, json!({}), &cx).await;
        assert!(
            said.contains("status 404") && said.contains("not found"),
            "{said}"
        );
        let mut empty = form(2);
        empty["header_row"] = json!(9);
        let said = refusal::<GetRow>(empty, json!({}), &cx).await;
        assert!(said.contains("`header_row`"), "{said}");
        let stale = Google::with_people()
            .secret("GOOGLE_OAUTH_TOKEN", "stale")
            .cx();
        let said = refusal::<GetRow>(form(2), json!({}), &stale).await;
        assert!(
            said.contains("status 401") && !said.contains("stale"),
            "{said}"
        );
        let none = super::super::testing::context();
        let said = refusal::<GetRow>(form(2), json!({}), &none).await;
        assert!(said.contains("GOOGLE_SERVICE_ACCOUNT_JSON"), "{said}");
    }
}
