//! Rows of a downloaded file, cast to declared columns.

use nodetool_sdk::{NodeError, Value};

/// Most cells of a table.
const MAX_CELLS: usize = 10_000_000;

/// A declared column.
pub(super) struct Column {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Int,
    Float,
    Bool,
    Text,
    Any,
}

impl Column {
    /// The columns of a record type.
    pub(super) fn all(record_type: &Value) -> Result<Vec<Column>, NodeError> {
        let bad = |message: String| NodeError::bad("columns", message);
        let columns = record_type.get("columns").and_then(Value::as_list);
        let mut read = Vec::new();
        for column in columns.unwrap_or_default() {
            let name = column.get("name").and_then(Value::as_str);
            let Some(name) = name.filter(|n| !n.is_empty()) else {
                return Err(bad(format!(
                    "{} (expected an object with a `name`)",
                    column.preview(80)
                )));
            };
            let kind = match column
                .get("data_type")
                .and_then(Value::as_str)
                .unwrap_or("object")
            {
                "int" => Kind::Int,
                "float" => Kind::Float,
                "bool" => Kind::Bool,
                "string" | "str" | "datetime" | "date" => Kind::Text,
                "object" | "any" => Kind::Any,
                other => {
                    return Err(bad(format!(
                        "column `{name}` has the type `{other}` (expected int, float, bool, string, datetime or object)"
                    )));
                }
            };
            read.push(Column {
                name: name.into(),
                kind,
            });
        }
        Ok(read)
    }

    /// A cell of this column; blank cells of other kinds than text are null.
    fn cast(&self, cell: &Value, row: usize) -> Result<Value, NodeError> {
        let wrong = |expected: &str| {
            let (name, shown) = (&self.name, cell.preview(80));
            let message = format!("row {row} has {shown} in column `{name}` (expected {expected})");
            Err(NodeError::bad("columns", message))
        };
        let text = cell.as_str().map(str::trim);
        match (self.kind, cell, text) {
            (_, Value::Null, _) => Ok(Value::Null),
            (Kind::Any, ..) | (Kind::Text, Value::Str(_), _) => Ok(cell.clone()),
            (Kind::Text, ..) => Ok(nodetool_sdk::compat::py_str(cell).into()),
            (_, _, Some("")) => Ok(Value::Null),
            (Kind::Int, Value::Int(_), _) | (Kind::Bool, Value::Bool(_), _) => Ok(cell.clone()),
            (Kind::Int, _, text) => {
                let exact = text.and_then(|t| t.parse::<i64>().ok());
                let float = cell.as_f64().or_else(|| text?.parse().ok());
                match (exact, float) {
                    (Some(i), _) => Ok(i.into()),
                    (None, Some(f)) if f.fract() == 0.0 && f.abs() < 9.2e18 => {
                        Ok((f as i64).into())
                    }
                    _ => wrong("a whole number"),
                }
            }
            (Kind::Float, _, text) => match cell.as_f64().or_else(|| text?.parse().ok()) {
                Some(f) => Ok(f.into()),
                None => wrong("a number"),
            },
            (Kind::Bool, _, text) => match text.map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "yes" | "1") => Ok(true.into()),
                Some("false" | "no" | "0") => Ok(false.into()),
                _ => wrong("true or false"),
            },
        }
    }
}

/// Rows of cells, as many as there are columns, from a CSV text with a header.
pub(super) fn from_csv(
    text: &str,
    delimiter: u8,
    columns: &[Column],
) -> Result<Vec<Value>, NodeError> {
    let unreadable =
        |e: csv::Error| NodeError::new(format!("The file is not a readable table: {e}"));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(unreadable)?.clone();
    let places: Vec<usize> = columns
        .iter()
        .map(|column| {
            let found = header.iter().position(|h| h.trim() == column.name);
            found.ok_or_else(|| missing(&column.name, header.iter()))
        })
        .collect::<Result<_, _>>()?;
    let mut rows = Rows::new(columns);
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        rows.push(|i| record.get(places[i]).map_or(Value::Null, Value::from))?;
    }
    Ok(rows.rows)
}

/// Rows of cells from a JSON list of objects or of lists.
pub(super) fn from_json(text: &str, columns: &[Column]) -> Result<Vec<Value>, NodeError> {
    let expected = "expected a list of objects or of lists";
    let parsed: Value = serde_json::from_str(text)
        .map_err(|e| NodeError::new(format!("The file is not JSON: {e} ({expected})")))?;
    let items = match &parsed {
        Value::List(items) => items.as_slice(),
        // One object is a table of one row, and some services wrap their rows.
        Value::Map(_) => match parsed.get("data").and_then(Value::as_list) {
            Some(rows) => rows,
            None => std::slice::from_ref(&parsed),
        },
        other => {
            return Err(NodeError::new(format!(
                "The file holds {} ({expected})",
                other.kind()
            )));
        }
    };
    let mut rows = Rows::new(columns);
    for item in items {
        match item {
            Value::Map(map) => {
                if let Some(column) = columns.iter().find(|c| !map.contains_key(c.name.as_str())) {
                    return Err(missing(&column.name, map.keys().map(|k| &**k)));
                }
                rows.push(|i| map[columns[i].name.as_str()].clone())?;
            }
            Value::List(cells) => rows.push(|i| cells.get(i).cloned().unwrap_or_default())?,
            other => {
                return Err(NodeError::new(format!(
                    "The list holds {} ({expected})",
                    other.kind()
                )));
            }
        }
    }
    Ok(rows.rows)
}

fn missing<'a>(name: &str, there: impl Iterator<Item = &'a str>) -> NodeError {
    let there: Vec<_> = there
        .take(20)
        .map(|h| h.chars().take(40).collect::<String>())
        .collect();
    let message = format!(
        "the file has no column `{name}` (it has {})",
        there.join(", ")
    );
    NodeError::bad("columns", message)
}

struct Rows<'a> {
    columns: &'a [Column],
    rows: Vec<Value>,
}

impl<'a> Rows<'a> {
    fn new(columns: &'a [Column]) -> Self {
        Rows {
            columns,
            rows: Vec::new(),
        }
    }

    fn push(&mut self, cell: impl Fn(usize) -> Value) -> Result<(), NodeError> {
        if (self.rows.len() + 1).saturating_mul(self.columns.len()) > MAX_CELLS {
            let message = format!("the table has more than {MAX_CELLS} cells");
            return Err(NodeError::bad("columns", message));
        }
        let row = self.rows.len() + 1;
        let cells = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, c)| c.cast(&cell(i), row));
        self.rows
            .push(Value::from(cells.collect::<Result<Vec<_>, _>>()?));
        Ok(())
    }
}
