//! Puts the values of a table's columns where a chart names them.

use std::sync::Arc;

use nodetool_sdk::{Map, Value};

use crate::data::frame::Frame;

/// Most values a chart may hold.
const MAX_VALUES: usize = 2_000_000;
/// A chart is not nested deeper.
const MAX_DEPTH: usize = 64;

/// The same with `{"column": "name"}` replaced by the values of that column; says which column is not there.
pub(super) fn filled(chart: &Value, table: &Frame) -> Result<Value, String> {
    let mut values = 0;
    fill(chart, table, &mut values, 0)
}

fn fill(value: &Value, table: &Frame, values: &mut usize, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "the chart is nested more than {MAX_DEPTH} levels deep"
        ));
    }
    match value {
        Value::Map(map) => match column_name(map) {
            Some(name) => {
                let column = &table.columns()[table.find(name)?];
                *values += column.values().len();
                if *values > MAX_VALUES {
                    return Err(format!("the chart has more than {MAX_VALUES} values"));
                }
                Ok(Value::list(column.values().iter().cloned()))
            }
            None => {
                let members = map.iter().map(|(key, member)| {
                    let member = fill(member, table, values, depth + 1)?;
                    Ok((key.clone(), member))
                });
                members.collect::<Result<Map, String>>().map(Value::from)
            }
        },
        Value::List(items) => {
            let items = items
                .iter()
                .map(|item| fill(item, table, values, depth + 1));
            let items: Vec<Value> = items.collect::<Result<_, String>>()?;
            Ok(items.into())
        }
        other => Ok(other.clone()),
    }
}

fn column_name(map: &Map) -> Option<&Arc<str>> {
    match map.first() {
        Some((key, Value::Str(name))) if &**key == "column" && map.len() == 1 => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn columns_are_filled_in_where_they_are_named() {
        let table = Frame::from_value(&json(r#"[{"x":1,"y":"a"},{"x":2,"y":"b"}]"#)).unwrap();
        let chart = json(
            r#"[{"type":"bar","x":{"column":"x"},"marker":{"color":{"column":"y"}},"y":[3,4]}]"#,
        );
        let want = json(r#"[{"type":"bar","x":[1,2],"marker":{"color":["a","b"]},"y":[3,4]}]"#);
        assert_eq!(filled(&chart, &table), Ok(want));
        let missing = filled(&json(r#"{"column":"z"}"#), &table).unwrap_err();
        assert_eq!(missing, "there is no column 'z'; the table has x, y");
    }
}
