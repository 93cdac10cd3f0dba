//! Writes values into a row of a Google sheet.

use nodetool_sdk::steps::{FieldSpec, Flow, FormSpec, Pool, StepCx, Token};
use nodetool_sdk::{Map, NodeError, Value};

use super::google_sheets_get_row::{header_row, way};
use super::sheets::{FieldsOf, Sheets, read_row, sheet_fields};
use crate::{Fields, FormStep};

/// The way of the account, with its token.
#[derive(Default)]
pub(super) struct UpdateRow(Option<Sheets>);

impl FormStep for UpdateRow {
    const IDENTIFIER: &'static str = "google-sheets-update-row";
    const CLASS: &'static str = "GoogleSheetsUpdateRowNode";
    const LABEL: Option<&'static str> = Some("Google Sheets: Update Row");
    const DESCRIPTION: Option<&'static str> =
        Some("Writes values into the columns of a row they are named for and leaves the others.");
    const CATEGORY: &'static str = "GoogleSheets";
    const POOL: Pool = Pool::Thread;
    const EFFECTS: bool = true;

    fn form() -> Option<FormSpec> {
        let mut fields = sheet_fields();
        fields.extend([
            FieldSpec::integer("row_number")
                .least(1)
                .required()
                .help("Number of the row, from 1."),
            header_row(),
            FieldSpec::json("row_data")
                .required()
                .help("JSON object of headers and new values."),
        ]);
        Some(FormSpec {
            name: "GoogleSheetsUpdateRowForm",
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
        let new = new_values(fields.text("row_data"))?;
        let (of, services) = (FieldsOf::read(fields), cx.node.services());
        let row = fields.int("row_number").unwrap_or(1).max(1);
        let sheets = way(&mut self.0, of.account, cx).await?;
        let found = read_row(sheets, services, &of, row).await?;
        let headers = found.headers();
        let matched: Vec<&str> = headers
            .iter()
            .map(String::as_str)
            .filter(|h| !h.is_empty() && new.contains_key(*h))
            .collect();
        if matched.is_empty() {
            let known: String = headers.join(", ").chars().take(500).collect();
            let why = format!("none of its keys is a header; the sheet has {known}");
            return Err(NodeError::bad("row_data", why));
        }
        let cells = headers.iter().map(|h| match new.get(h.as_str()) {
            Some(value) if !h.is_empty() => cell(value),
            _ => Value::Null,
        });
        let range = of.range(&format!("A{row}:{}{row}", column(headers.len())));
        let written = sheets.update(services, of.spreadsheet, &range, cells.collect());
        let (range, count) = written.await?;
        let texts = |all: &mut dyn Iterator<Item = &str>| Value::list(all.map(Value::from));
        let result = Value::map([
            ("row_number", Value::Int(row)),
            ("updated_cells", count.into()),
            ("updated_range", range.into()),
            ("headers", texts(&mut headers.iter().map(String::as_str))),
            ("matched_headers", texts(&mut matched.iter().copied())),
            ("spreadsheet_id", of.spreadsheet.into()),
            ("sheet_name", of.sheet.into()),
        ]);
        token.put("google_sheets", result);
        Ok(Flow::Go(token))
    }

    async fn cleanup(&mut self, _: Option<&Token>, _: &StepCx) {
        self.0 = None;
    }
}

fn new_values(text: &str) -> Result<Map, NodeError> {
    let wrong = |why: String| NodeError::bad("row_data", why);
    match serde_json::from_str(text) {
        Ok(Value::Map(map)) => Ok(std::sync::Arc::unwrap_or_clone(map)),
        Ok(other) => Err(wrong(format!(
            "found {}, expected a JSON object",
            other.kind()
        ))),
        Err(e) => Err(wrong(format!("{e}; expected a JSON object"))),
    }
}

/// What a cell can hold: null empties it, what is no plain value is written as JSON.
fn cell(value: &Value) -> Value {
    match value {
        Value::Null => "".into(),
        Value::List(_) | Value::Map(_) => serde_json::to_string(value).unwrap_or_default().into(),
        plain => plain.clone(),
    }
}

/// The letters of a column by its number, from 1: A … Z, AA ….
fn column(mut number: usize) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(char::from(
            b'A' + u8::try_from(number % 26).unwrap_or_default(),
        ));
        number /= 26;
    }
    letters.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sheets::fake::Google;
    use super::super::testing::{data, refusal};
    use super::*;

    fn form(row: i64, row_data: &str) -> serde_json::Value {
        json!({"google_account": "oauth", "spreadsheet": "s1", "sheet": "Sheet 1",
            "row_number": row, "header_row": 1, "row_data": row_data})
    }

    #[tokio::test]
    async fn only_the_named_columns_are_written() {
        let google = Google::with_people();
        let form = form(3, r#"{"city": "Oslo", "done": null, "other": 1}"#);
        let out = data::<UpdateRow>(form, json!({}), &google.cx()).await;
        assert_eq!(
            out["google_sheets"],
            json!({"row_number": 3, "updated_cells": 2, "updated_range": "'Sheet 1'!A3:D3",
                "headers": ["name", "city", "", "done"], "matched_headers": ["city", "done"],
                "spreadsheet_id": "s1", "sheet_name": "Sheet 1"})
        );
        assert_eq!(google.rows()[2], ["Bob", "Oslo", "x", ""]);
    }

    #[tokio::test]
    async fn data_that_names_no_column_is_refused() {
        let google = Google::with_people();
        for (row_data, part) in [
            (r#"{"other": 1}"#, "the sheet has name, city"),
            ("[1]", "found list"),
            ("{", "expected a JSON object"),
        ] {
            let said = refusal::<UpdateRow>(form(2, row_data), json!({}), &google.cx()).await;
            assert!(said.contains("`row_data`") && said.contains(part), "{said}");
        }
        assert_eq!(google.rows(), Google::with_people().rows());
    }

    #[test]
    fn columns_have_letters() {
        for (number, letters) in [(1, "A"), (26, "Z"), (27, "AA"), (52, "AZ"), (703, "AAA")] {
            assert_eq!(column(number), letters);
        }
    }
}
