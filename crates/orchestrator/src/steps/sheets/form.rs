//! The fields all steps of Google Sheets share: whose account, which spreadsheet, which sheet.

use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Choice, FieldKind, FieldSpec};
use nodetool_sdk::{BoxFuture, Map, NodeError, Value};

use super::Sheets;
use crate::Fields;

type Loaded<'a> = BoxFuture<'a, Result<Vec<Choice>, NodeError>>;

/// Account, spreadsheet and sheet, each chosen after the one before.
pub(in super::super) fn sheet_fields() -> Vec<FieldSpec> {
    vec![
        FieldSpec::new("google_account", FieldKind::Dependent(load_accounts))
            .required()
            .help("Account whose spreadsheets are used: one that is connected, or one among the secrets."),
        FieldSpec::new("spreadsheet", FieldKind::Dependent(load_spreadsheets))
            .after(&["google_account"])
            .required()
            .help("The spreadsheet."),
        FieldSpec::new("sheet", FieldKind::Dependent(load_sheets))
            .after(&["google_account", "spreadsheet"])
            .required()
            .help("The sheet of it."),
    ]
}

/// What the shared fields hold.
pub(in super::super) struct FieldsOf<'a> {
    /// The account.
    pub(in super::super) account: &'a str,
    /// Id of the spreadsheet.
    pub(in super::super) spreadsheet: &'a str,
    /// Title of the sheet.
    pub(in super::super) sheet: &'a str,
    /// Number of the row with the headers, from 1.
    pub(in super::super) header_row: i64,
}

impl<'a> FieldsOf<'a> {
    /// Reads them.
    pub(in super::super) fn read(fields: &'a Fields) -> Self {
        FieldsOf {
            account: fields.text("google_account"),
            spreadsheet: fields.text("spreadsheet"),
            sheet: fields.text("sheet"),
            header_row: fields.int("header_row").unwrap_or(1).max(1),
        }
    }

    /// A range of the sheet.
    pub(in super::super) fn range(&self, cells: &str) -> String {
        format!("{}!{cells}", self.whole())
    }

    /// All of the sheet.
    pub(in super::super) fn whole(&self) -> String {
        format!("'{}'", self.sheet.replace('\'', "''"))
    }
}

fn chosen<'a>(values: &'a Map, name: &str) -> &'a str {
    values.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn load_accounts<'a>(_: &'a Map, services: &'a Services) -> Loaded<'a> {
    Box::pin(Sheets::accounts(services))
}

fn load_spreadsheets<'a>(values: &'a Map, services: &'a Services) -> Loaded<'a> {
    Box::pin(async move {
        let mut sheets = Sheets::of(services, chosen(values, "google_account")).await?;
        sheets.spreadsheets(services).await
    })
}

fn load_sheets<'a>(values: &'a Map, services: &'a Services) -> Loaded<'a> {
    Box::pin(async move {
        let mut sheets = Sheets::of(services, chosen(values, "google_account")).await?;
        sheets.sheets(services, chosen(values, "spreadsheet")).await
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::testing::map;
    use super::super::fake::Google;
    use super::*;

    async fn choices(name: &str, values: serde_json::Value) -> Result<Vec<Choice>, NodeError> {
        let services = Google::with_people().services();
        let field = sheet_fields().into_iter().find(|f| f.name == name).unwrap();
        let FieldKind::Dependent(load) = field.kind else {
            panic!()
        };
        load(&map(values), &services).await
    }

    #[tokio::test]
    async fn each_field_offers_what_belongs_to_the_one_before() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let accounts = choices("google_account", json!({})).await.unwrap();
        assert_eq!(accounts, [pair("oauth", "Google account")]);
        let account = json!({"google_account": "oauth"});
        let files = choices("spreadsheet", account).await.unwrap();
        assert_eq!(files, [pair("s1", "People")]);
        let both = json!({"google_account": "oauth", "spreadsheet": "s1"});
        let sheets = choices("sheet", both).await.unwrap();
        assert_eq!(sheets, [pair("Sheet 1", "Sheet 1")]);
    }

    #[tokio::test]
    async fn an_account_that_is_not_the_users_is_refused() {
        let other = json!({"google_account": "other@a.example"});
        let said = choices("spreadsheet", other).await.unwrap_err().to_string();
        assert!(
            said.contains("`google_account`") && said.contains("`oauth`"),
            "{said}"
        );
    }
}
