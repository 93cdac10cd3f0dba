//! The shapes a table has between nodes, read and written.
//!
//! Read: `{columns, data}` with rows as lists or objects, `{rows}`, a bare list of rows, an object of columns.
//! Written: `{type: "dataframe", columns, data}`.

use std::collections::HashMap;
use std::sync::Arc;

use nodetool_sdk::{Map, Value};

use super::{Column, Frame, Kind, check_size};

impl Frame {
    /// Reads a table in any of its shapes; null is the empty table.
    pub(crate) fn from_value(value: &Value) -> Result<Frame, String> {
        match value {
            Value::Null => Ok(Frame::default()),
            Value::List(rows) => Frame::from_rows(&[], rows),
            Value::Map(map) => from_map(map),
            other => Err(misfit(other)),
        }
    }

    /// A table of rows, each a list of cells or an object; undeclared columns are added as they turn up.
    pub(crate) fn from_rows(
        declared: &[(Arc<str>, Option<Kind>)],
        rows: &[Value],
    ) -> Result<Frame, String> {
        let mut builder = Builder::new(declared, rows.len())?;
        for (i, row) in rows.iter().enumerate() {
            match row {
                Value::List(cells) => builder.list(i, cells)?,
                Value::Map(map) => builder.map(i, map)?,
                other => {
                    return Err(format!(
                        "row {i} is {} {} (expected a list of cells or a dict)",
                        other.kind(),
                        other.preview(60)
                    ));
                }
            }
        }
        Ok(builder.finish())
    }

    /// A table of `{name: [values]}`.
    pub(crate) fn from_columns(columns: &Map) -> Result<Frame, String> {
        from_columns(columns)
    }

    /// The rows as objects.
    pub(crate) fn into_rows(self) -> Vec<Value> {
        let names: Vec<Arc<str>> = self.columns.iter().map(|c| c.name.clone()).collect();
        self.into_cells(|cells| {
            let mut row = Map::with_capacity(names.len());
            row.extend(names.iter().cloned().zip(cells));
            Value::from(row)
        })
    }

    /// The table as it travels between nodes.
    pub(crate) fn into_value(self) -> Value {
        let columns = self.columns.iter().map(|c| {
            Value::map([
                ("name", Value::Str(c.name.clone())),
                ("data_type", c.kind.word().into()),
                ("description", "".into()),
            ])
        });
        let columns = Value::list(columns);
        let data = self.into_cells(|cells| Value::list(cells));
        Value::map([
            ("type", "dataframe".into()),
            ("uri", "".into()),
            ("asset_id", Value::Null),
            ("data", data.into()),
            ("metadata", Value::Null),
            ("columns", columns),
        ])
    }

    /// Each row made of its cells, in column order.
    fn into_cells(self, make: impl Fn(&mut dyn Iterator<Item = Value>) -> Value) -> Vec<Value> {
        let rows = self.rows;
        let mut columns: Vec<_> = self
            .columns
            .into_iter()
            .map(|c| c.values.into_iter())
            .collect();
        (0..rows)
            .map(|_| make(&mut columns.iter_mut().filter_map(Iterator::next)))
            .collect()
    }
}

fn misfit(value: &Value) -> String {
    format!(
        "{} {} (expected a dataframe: an object with `columns` and `data`, or with `rows`)",
        value.kind(),
        value.preview(60)
    )
}

fn from_map(map: &Map) -> Result<Frame, String> {
    let present = |key: &str| map.get(key).filter(|v| !v.is_null());
    let declared = match present("columns") {
        None => Vec::new(),
        Some(Value::List(columns)) => columns.iter().map(declaration).collect::<Result<_, _>>()?,
        Some(other) => {
            return Err(format!(
                "`columns` is {} (expected a list of columns)",
                other.kind()
            ));
        }
    };
    match present("data").or_else(|| present("rows")) {
        None => Frame::from_rows(&declared, &[]),
        Some(Value::List(rows)) => Frame::from_rows(&declared, rows),
        Some(Value::Map(columns)) => from_columns(columns),
        Some(other) => Err(format!(
            "`data` is {} {} (expected a list of rows)",
            other.kind(),
            other.preview(40)
        )),
    }
}

fn from_columns(columns: &Map) -> Result<Frame, String> {
    let rows = columns
        .values()
        .filter_map(Value::as_list)
        .map(<[Value]>::len)
        .max()
        .unwrap_or(0);
    let mut out = Vec::with_capacity(columns.len());
    for (name, values) in columns {
        match values {
            Value::List(v) if v.len() == rows => {
                out.push(Column::new(name.clone(), v.to_vec(), None))
            }
            Value::List(v) => {
                return Err(format!(
                    "column '{name}' has {} values, another has {rows} (expected columns of one length)",
                    v.len()
                ));
            }
            other => {
                return Err(format!(
                    "column '{name}' is {} (expected a list of values)",
                    other.kind()
                ));
            }
        }
    }
    Ok(Frame::new(out))
}

/// A declared column: `{name, data_type}` or a bare name.
fn declaration(value: &Value) -> Result<(Arc<str>, Option<Kind>), String> {
    let name = match value {
        Value::Str(name) => return Ok((name.clone(), None)),
        Value::Map(m) => m.get("name"),
        _ => None,
    };
    let name: Arc<str> = match name {
        Some(Value::Str(name)) => name.clone(),
        Some(Value::Int(i)) => i.to_string().into(),
        _ => {
            return Err(format!(
                "column {} has no name (expected {{name, data_type}})",
                value.preview(60)
            ));
        }
    };
    let kind = value
        .get("data_type")
        .and_then(Value::as_str)
        .and_then(Kind::named);
    Ok((name, kind))
}

/// Collects rows into columns; gaps become null.
struct Builder {
    names: Vec<Arc<str>>,
    wanted: Vec<Option<Kind>>,
    values: Vec<Vec<Value>>,
    by_name: HashMap<Arc<str>, usize>,
    declared: usize,
    rows: usize,
}

impl Builder {
    fn new(declared: &[(Arc<str>, Option<Kind>)], rows: usize) -> Result<Self, String> {
        check_size(declared.len(), rows)?;
        let mut builder = Builder {
            names: Vec::new(),
            wanted: Vec::new(),
            values: Vec::new(),
            by_name: HashMap::new(),
            declared: declared.len(),
            rows,
        };
        for (name, kind) in declared {
            builder.add(name.clone(), *kind)?;
        }
        Ok(builder)
    }

    fn add(&mut self, name: Arc<str>, wanted: Option<Kind>) -> Result<usize, String> {
        let at = self.names.len();
        check_size(at + 1, self.rows)?;
        self.by_name.insert(name.clone(), at);
        self.names.push(name);
        self.wanted.push(wanted);
        self.values.push(Vec::with_capacity(self.rows));
        Ok(at)
    }

    fn put(&mut self, row: usize, column: usize, cell: Value) {
        let values = &mut self.values[column];
        values.resize(row, Value::Null);
        values.push(cell);
    }

    fn list(&mut self, row: usize, cells: &[Value]) -> Result<(), String> {
        if self.declared > 0 && cells.len() > self.declared {
            return Err(format!(
                "row {row} has {} cells (expected {}, one per column)",
                cells.len(),
                self.declared
            ));
        }
        for (i, cell) in cells.iter().enumerate() {
            let column = if i < self.names.len() {
                i
            } else {
                self.add(i.to_string().into(), None)?
            };
            self.put(row, column, cell.clone());
        }
        Ok(())
    }

    fn map(&mut self, row: usize, map: &Map) -> Result<(), String> {
        for (i, (key, cell)) in map.iter().enumerate() {
            // Rows mostly have their keys in one order: try the same place before asking the index.
            let column = match self.names.get(i) {
                Some(name) if name == key => Some(i),
                _ => self.by_name.get(key).copied(),
            };
            let column = match column {
                Some(at) => at,
                None => self.add(key.clone(), None)?,
            };
            self.put(row, column, cell.clone());
        }
        Ok(())
    }

    fn finish(self) -> Frame {
        let rows = self.rows;
        let columns = self
            .names
            .into_iter()
            .zip(self.wanted)
            .zip(self.values)
            .map(|((name, wanted), mut values)| {
                values.resize(rows, Value::Null);
                Column::new(name, values, wanted)
            })
            .collect();
        Frame { columns, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(json: &str) -> Result<Frame, String> {
        Frame::from_value(&serde_json::from_str(json).unwrap())
    }

    fn written(json: &str) -> String {
        let value = frame(json).unwrap().into_value();
        format!(
            "{} {}",
            serde_json::to_string(value.get("columns").unwrap()).unwrap(),
            serde_json::to_string(value.get("data").unwrap()).unwrap()
        )
        .replace(r#","description":"""#, "")
    }

    #[test]
    fn every_shape_of_a_table_is_read_and_columns_with_data_are_written() {
        let want = r#"[{"name":"a","data_type":"int"},{"name":"b","data_type":"string"}] [[1,"x"],[2,"y"]]"#;
        for json in [
            r#"{"type":"dataframe","columns":[{"name":"a","data_type":"int"},{"name":"b"}],"data":[[1,"x"],[2,"y"]]}"#,
            r#"{"columns":["a","b"],"rows":[[1,"x"],[2,"y"]]}"#,
            r#"{"rows":[{"a":1,"b":"x"},{"a":2,"b":"y"}]}"#,
            r#"{"data":[{"a":1,"b":"x"},{"b":"y","a":2}]}"#,
            r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#,
            r#"{"data":{"a":[1,2],"b":["x","y"]}}"#,
        ] {
            assert_eq!(written(json), want, "{json}");
        }
        assert_eq!(written("null"), "[] []");
        assert_eq!(
            written(r#"{"type":"dataframe","uri":"","data":null,"columns":null}"#),
            "[] []"
        );
    }

    #[test]
    fn keys_that_turn_up_late_leave_gaps_before_them() {
        assert_eq!(
            written(r#"[{"a":1},{"b":2,"a":3},{}]"#),
            r#"[{"name":"a","data_type":"float"},{"name":"b","data_type":"float"}] [[1.0,null],[3.0,2.0],[null,null]]"#
        );
    }

    #[test]
    fn what_is_no_table_is_refused_with_what_was_expected() {
        for (json, words) in [
            ("5", "expected a dataframe"),
            (r#"{"rows":[1]}"#, "row 0 is int 1"),
            (
                r#"{"columns":["a"],"data":[[1,2]]}"#,
                "row 0 has 2 cells (expected 1",
            ),
            (r#"{"columns":[{}],"data":[]}"#, "has no name"),
            (r#"{"columns":3}"#, "`columns` is int"),
            (r#"{"data":"a,b"}"#, "`data` is str"),
        ] {
            let text = frame(json).unwrap_err();
            assert!(text.contains(words), "{json}: {text}");
        }
    }

    #[test]
    fn rows_without_common_keys_cannot_make_a_table_of_unbounded_size() {
        let rows: Vec<Value> = (0..6000)
            .map(|i| Value::map([(format!("k{i}"), Value::Null)]))
            .collect();
        assert!(Frame::from_rows(&[], &rows).unwrap_err().contains("cells"));
    }
}
