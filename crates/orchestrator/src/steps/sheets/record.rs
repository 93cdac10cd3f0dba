//! Rows of a sheet as records: values by header.

use nodetool_sdk::services::Services;
use nodetool_sdk::{Map, NodeError, Value};

use super::{Condition, FieldsOf, Sheets};

/// A row that was found.
pub(in super::super) struct Found {
    row_number: i64,
    headers: Vec<String>,
    values: Vec<Value>,
}

impl Found {
    /// As steps add it.
    pub(in super::super) fn to_value(&self, of: &FieldsOf<'_>) -> Value {
        let cell = |at: usize| self.values.get(at).cloned().unwrap_or_else(|| "".into());
        let named = self
            .headers
            .iter()
            .enumerate()
            .filter(|(_, h)| !h.is_empty());
        let data: Map = named.map(|(at, h)| (h.as_str().into(), cell(at))).collect();
        let headers = self.headers.iter().map(|h| Value::from(h.as_str()));
        Value::map([
            ("row_number", Value::Int(self.row_number)),
            ("header_row", of.header_row.into()),
            ("values", self.values.clone().into()),
            ("headers", Value::list(headers)),
            ("data", data.into()),
            ("spreadsheet_id", of.spreadsheet.into()),
            ("sheet_name", of.sheet.into()),
        ])
    }

    /// The headers, in the order of the columns.
    pub(in super::super) fn headers(&self) -> &[String] {
        &self.headers
    }
}

fn headers_of(of: &FieldsOf<'_>, cells: &[Value]) -> Result<Vec<String>, NodeError> {
    let headers: Vec<String> = cells.iter().map(super::query::text_of).collect();
    if headers.iter().all(String::is_empty) {
        let why = format!(
            "row {} of the sheet `{}` has no headers",
            of.header_row, of.sheet
        );
        return Err(NodeError::bad("header_row", why));
    }
    Ok(headers)
}

/// The row of a number with its headers.
pub(in super::super) async fn read_row(
    sheets: &mut Sheets,
    services: &Services,
    of: &FieldsOf<'_>,
    row_number: i64,
) -> Result<Found, NodeError> {
    let header = of.header_row;
    let ranges = [
        of.range(&format!("{header}:{header}")),
        of.range(&format!("{row_number}:{row_number}")),
    ];
    let found = sheets.values(services, of.spreadsheet, &ranges).await?;
    let mut rows = found
        .into_iter()
        .map(|rows| rows.into_iter().next().unwrap_or_default());
    let headers = headers_of(of, &rows.next().unwrap_or_default())?;
    Ok(Found {
        row_number,
        headers,
        values: rows.next().unwrap_or_default(),
    })
}

/// The first row below the headers all conditions hold for.
pub(in super::super) async fn find(
    sheets: &mut Sheets,
    services: &Services,
    of: &FieldsOf<'_>,
    conditions: &[Condition],
) -> Result<Option<Found>, NodeError> {
    let found = sheets
        .values(services, of.spreadsheet, &[of.whole()])
        .await?;
    let before = usize::try_from(of.header_row - 1).unwrap_or_default();
    let mut rows = found.into_iter().flatten().skip(before);
    let headers = headers_of(of, &rows.next().unwrap_or_default())?;
    let mut columns = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let column = condition.column();
        let at = headers.iter().position(|h| h == column).ok_or_else(|| {
            let known = headers.join(", ");
            let known: String = known.chars().take(500).collect();
            NodeError::bad(
                "query_conditions",
                format!("no column is called `{column}`; the sheet has {known}"),
            )
        })?;
        columns.push((at, condition));
    }
    let nothing = Value::Null;
    let hit = rows.enumerate().find(|(_, row)| {
        let holds = |(at, condition): &(usize, &Condition)| {
            condition.holds(row.get(*at).unwrap_or(&nothing))
        };
        columns.iter().all(holds)
    });
    Ok(hit.map(|(at, values)| Found {
        row_number: of.header_row + 1 + i64::try_from(at).unwrap_or_default(),
        headers,
        values,
    }))
}
