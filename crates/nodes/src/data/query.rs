//! Conditions over rows, in the grammar of pandas' `query`, with JavaScript's spellings beside Python's.
//!
//! `age > 30 and city in ['Rome', 'Oslo']`, `100 <= price <= 200`, `` `unit price` * 2 > 9 ``,
//! `name.str.contains('ann', case=False)`, `not email.isnull()`, `a === 1 && !(b > 2)`.
//!
//! It must not know nodes. Nothing in a condition can call out, and its size, depth and steps are bounded.

use std::sync::Arc;

use nodetool_sdk::{Map, NodeError, Value};

use self::eval::{Cells, Steps};
use self::expr::Expr;
use super::aggregation::Aggregation;
use super::frame::Frame;
use super::work::Stop;

mod eval;
mod expr;
mod lexer;
mod parser;
mod text;

/// A parsed condition.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    expr: Expr,
    /// Column names in order of first use.
    names: Vec<Arc<str>>,
    /// Values over whole columns: which name, which aggregation.
    wholes: Vec<(usize, Aggregation)>,
}

impl Query {
    /// Reads a condition; a refusal names the place.
    pub(crate) fn parse(text: &str) -> Result<Query, String> {
        parser::parse(text)
    }

    /// The first `limit` rows of a table that fulfil the condition. Every name must be a column, or one of the few words
    /// of [`word`].
    pub(super) fn select(
        &self,
        frame: &Frame,
        limit: usize,
        property: &str,
        stop: &Stop,
    ) -> Result<Vec<usize>, NodeError> {
        let bad = |e| NodeError::bad(property, e);
        // A table without columns has nothing to ask and nothing to give.
        if frame.columns().is_empty() {
            return Ok(Vec::new());
        }
        let mut cells = FrameCells {
            frame,
            slots: Vec::with_capacity(self.names.len()),
            wholes: Vec::with_capacity(self.wholes.len()),
            row: 0,
            index: Value::Null,
            steps: Steps::new(),
        };
        for name in &self.names {
            let slot = match (frame.position(name), word(name)) {
                (Some(column), _) => Slot::Column(column),
                (None, Some(value)) => Slot::Word(value),
                (None, None) if &**name == "index" => Slot::Index,
                (None, None) => Slot::Column(frame.find(name).map_err(bad)?),
            };
            cells.slots.push(slot);
        }
        if !self.wholes.is_empty() {
            let all: Vec<usize> = (0..frame.rows()).collect();
            for &(name, aggregation) in &self.wholes {
                let Slot::Column(column) = cells.slots[name] else {
                    return Err(bad(format!("'{}' is no column", self.names[name])));
                };
                let column = &frame.columns()[column];
                aggregation.check(column).map_err(bad)?;
                cells
                    .wholes
                    .push(aggregation.apply(column, &all).map_err(bad)?);
            }
        }
        let mut rows = Vec::new();
        for row in 0..frame.rows() {
            stop.check()?;
            (cells.row, cells.index) = (row, row.into());
            cells.steps = Steps::new();
            let value =
                eval::eval(&self.expr, &cells).map_err(|e| bad(format!("{e}, in row {row}")))?;
            if eval::truth(&value) {
                rows.push(row);
                if rows.len() >= limit {
                    break;
                }
            }
        }
        Ok(rows)
    }
}

/// For lists of objects, which have rows but are no table.
impl Query {
    /// Whether one row fulfils the condition; an error when it lacks a name the condition has.
    pub(crate) fn matches(&self, row: &Map) -> Result<bool, String> {
        let unknown = |n: &&Arc<str>| !row.contains_key(&***n) && word(n).is_none();
        if let Some(name) = self.names.iter().find(unknown) {
            return Err(format!("name '{name}' is not defined"));
        }
        if !self.wholes.is_empty() {
            return Err("values over a whole column, such as `.mean()`, need a table".into());
        }
        let cells = RowCells {
            names: &self.names,
            row,
            steps: Steps::new(),
        };
        Ok(eval::truth(&eval::eval(&self.expr, &cells)?))
    }
}

/// Words that stand for values where no column has their name.
fn word(name: &str) -> Option<Value> {
    match name {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        "nan" | "NaN" => Some(Value::Null),
        "inf" | "Infinity" => Some(f64::INFINITY.into()),
        _ => None,
    }
}

struct RowCells<'a> {
    names: &'a [Arc<str>],
    row: &'a Map,
    steps: Steps,
}

impl Cells for RowCells<'_> {
    fn cell(&self, name: usize) -> Value {
        let name = &self.names[name];
        let found = self.row.get(name).cloned();
        found.or_else(|| word(name)).unwrap_or_default()
    }
    fn whole(&self, _: usize) -> Value {
        Value::Null
    }
    fn steps(&self) -> &Steps {
        &self.steps
    }
}

enum Slot {
    Column(usize),
    Word(Value),
    Index,
}

struct FrameCells<'a> {
    frame: &'a Frame,
    slots: Vec<Slot>,
    wholes: Vec<Value>,
    row: usize,
    index: Value,
    steps: Steps,
}

impl Cells for FrameCells<'_> {
    fn cell(&self, name: usize) -> Value {
        match &self.slots[name] {
            Slot::Column(c) => self.frame.columns()[*c].values()[self.row].clone(),
            Slot::Word(v) => v.clone(),
            Slot::Index => self.index.clone(),
        }
    }
    fn whole(&self, whole: usize) -> Value {
        self.wholes[whole].clone()
    }
    fn steps(&self) -> &Steps {
        &self.steps
    }
}

#[cfg(test)]
mod tests;
