//! `Frame`: a table as named, typed columns.
//!
//! It must not know nodes, assets or text formats. The shapes it is read from and written to are in `wire`.

use std::ops::Range;
use std::sync::Arc;

use nodetool_sdk::{Map, Value};

mod wire;

/// Most cells of a table a node makes.
pub(crate) const MAX_CELLS: usize = 16_000_000;

/// Integers up to this size are exact as floats.
const EXACT: u64 = 1 << 53;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole numbers, none missing.
    Int,
    /// Floats, some perhaps missing.
    Float,
    /// Points in time.
    Datetime,
    /// Text.
    String,
    /// Anything else, booleans and mixtures included.
    Object,
}

impl Kind {
    /// The word for it in `data_type`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Int => "int",
            Kind::Float => "float",
            Kind::Datetime => "datetime",
            Kind::String => "string",
            Kind::Object => "object",
        }
    }

    /// The kind of a `data_type` word; words of other programs are understood where they are plain.
    pub(crate) fn named(word: &str) -> Option<Kind> {
        match word {
            "int" | "integer" | "int64" => Some(Kind::Int),
            "float" | "number" | "float64" => Some(Kind::Float),
            "datetime" | "date" => Some(Kind::Datetime),
            "string" | "str" => Some(Kind::String),
            "object" => Some(Kind::Object),
            _ => None,
        }
    }

    /// Whether it holds numbers only.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Float)
    }
}

/// One column. Missing values are null; NaN is not kept.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: Arc<str>,
    kind: Kind,
    values: Vec<Value>,
}

impl Column {
    /// A column of the given values. Whole numbers become floats beside floats or gaps, as in pandas, unless that would
    /// lose digits. `wanted` decides where the values leave it open.
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        mut values: Vec<Value>,
        wanted: Option<Kind>,
    ) -> Self {
        let kind = settle(&mut values, wanted);
        Column {
            name: name.into(),
            kind,
            values,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it holds.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Its values.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Its values, taken out.
    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// The same column under another name.
    pub(crate) fn named(self, name: impl Into<Arc<str>>) -> Self {
        Column {
            name: name.into(),
            ..self
        }
    }

    /// The values at the given rows, in that order.
    pub(crate) fn take(&self, rows: &[usize]) -> Column {
        Column {
            name: self.name.clone(),
            kind: self.kind,
            values: rows.iter().map(|&r| self.values[r].clone()).collect(),
        }
    }

    /// The same column with nulls at its end up to `rows`.
    pub(crate) fn padded(mut self, rows: usize) -> Column {
        if self.values.len() < rows {
            self.values.resize(rows, Value::Null);
            self.kind = settle(&mut self.values, Some(self.kind));
        }
        self
    }
}

/// Brings values to one shape and tells what they are.
fn settle(values: &mut [Value], wanted: Option<Kind>) -> Kind {
    let (mut missing, mut ints, mut floats, mut texts, mut moments, mut others) =
        (false, false, false, false, false, false);
    let mut long = false;
    for v in values.iter_mut() {
        match v {
            Value::Null => missing = true,
            Value::Float(f) if f.is_nan() => {
                *v = Value::Null;
                missing = true;
            }
            Value::Int(i) => {
                ints = true;
                long |= i.unsigned_abs() > EXACT;
            }
            Value::Float(_) => floats = true,
            Value::Str(_) => texts = true,
            Value::Map(_) if matches!(v.type_tag(), Some("datetime" | "date")) => moments = true,
            _ => others = true,
        }
    }
    match (ints || floats, texts, moments, others) {
        (true, false, false, false) => {
            if !floats && !missing && (wanted != Some(Kind::Float) || long) {
                return Kind::Int;
            }
            if long {
                return Kind::Object;
            }
            for v in values.iter_mut() {
                if let Value::Int(i) = v {
                    *v = Value::Float(*i as f64);
                }
            }
            Kind::Float
        }
        (false, true, false, false) if wanted == Some(Kind::Datetime) => Kind::Datetime,
        (false, true, false, false) => Kind::String,
        (false, false, true, false) => Kind::Datetime,
        (false, false, false, false) => match wanted {
            Some(Kind::Int) if missing => Kind::Float,
            Some(kind) => kind,
            None => Kind::Object,
        },
        _ => Kind::Object,
    }
}

/// A table. Column names may repeat; where a name stands for one column, the last one of that name is meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    columns: Vec<Column>,
    rows: usize,
}

impl Frame {
    /// A table of columns of equal length.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let rows = columns.first().map_or(0, |c| c.values.len());
        debug_assert!(columns.iter().all(|c| c.values.len() == rows));
        Frame { columns, rows }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns, taken out.
    pub(crate) fn into_columns(self) -> Vec<Column> {
        self.columns
    }

    /// Whether there is no cell at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 || self.columns.is_empty()
    }

    /// Place of the column of that name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().rposition(|c| &*c.name == name)
    }

    /// Place of the column of that name, or a refusal that lists the names there are.
    pub(crate) fn find(&self, name: &str) -> Result<usize, String> {
        self.position(name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().take(20).map(|c| &*c.name).collect();
            let more = if self.columns.len() > 20 { ", …" } else { "" };
            let shown: String = name.chars().take(80).collect();
            if names.is_empty() {
                format!("there is no column '{shown}'; the table has no columns")
            } else {
                format!(
                    "there is no column '{shown}'; the table has {}{more}",
                    names.join(", ")
                )
            }
        })
    }

    /// Places of the columns in a comma-separated list. Names count as written; blanks around one are dropped only
    /// when no column has them.
    pub(crate) fn find_all(&self, list: &str) -> Result<Vec<usize>, String> {
        if let Some(one) = self.position(list) {
            return Ok(vec![one]);
        }
        list.split(',')
            .map(|name| match self.position(name) {
                Some(at) => Ok(at),
                None => self.find(name.trim()),
            })
            .collect()
    }

    /// The rows at the given places, in that order.
    pub(crate) fn take(&self, rows: &[usize]) -> Frame {
        Frame {
            columns: self.columns.iter().map(|c| c.take(rows)).collect(),
            rows: rows.len(),
        }
    }

    /// The rows of a range that lies inside the table.
    pub(crate) fn slice(self, range: Range<usize>) -> Frame {
        let rows = range.len();
        let cut = |mut c: Column| {
            c.values.truncate(range.end);
            c.values.drain(..range.start);
            c
        };
        Frame {
            columns: self.columns.into_iter().map(cut).collect(),
            rows,
        }
    }

    /// One row as an object.
    pub(crate) fn row(&self, row: usize) -> Map {
        self.columns
            .iter()
            .map(|c| (c.name.clone(), c.values[row].clone()))
            .collect()
    }
}

/// Refuses a table that would have too many cells.
pub(crate) fn check_size(columns: usize, rows: usize) -> Result<(), String> {
    if columns.saturating_mul(rows) > MAX_CELLS {
        return Err(format!(
            "the table would have {rows} rows of {columns} columns (expected at most {MAX_CELLS} cells)"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: impl IntoIterator<Item = Value>, wanted: Option<Kind>) -> Column {
        Column::new("c", values.into_iter().collect(), wanted)
    }

    #[test]
    fn integers_stay_integers_until_a_gap_or_a_float_stands_beside_them() {
        let c = column([1i64.into(), 2i64.into()], None);
        assert_eq!(
            (c.kind(), format!("{:?}", c.values())),
            (Kind::Int, "[1, 2]".into())
        );
        for beside in [Value::Null, f64::NAN.into()] {
            let c = column([1i64.into(), beside], None);
            assert_eq!(
                (c.kind(), format!("{:?}", c.values())),
                (Kind::Float, "[1.0, null]".into())
            );
        }
        let c = column([1i64.into(), 2.5.into()], None);
        assert_eq!(format!("{:?}", c.values()), "[1.0, 2.5]");
    }

    #[test]
    fn long_integers_beside_a_gap_keep_their_digits() {
        let c = column([i64::MAX.into(), Value::Null], None);
        assert_eq!(c.kind(), Kind::Object);
        assert!(matches!(c.values()[0], Value::Int(i64::MAX)));
    }

    #[test]
    fn a_declared_type_decides_where_the_values_leave_it_open() {
        assert_eq!(
            column([10i64.into()], Some(Kind::Float)).kind(),
            Kind::Float
        );
        assert_eq!(
            column(["2024-01-01".into()], Some(Kind::Datetime)).kind(),
            Kind::Datetime
        );
        assert_eq!(column([], Some(Kind::Int)).kind(), Kind::Int);
        assert_eq!(column(["x".into()], Some(Kind::Int)).kind(), Kind::String);
        assert_eq!(column([true.into()], None).kind(), Kind::Object);
    }
}
