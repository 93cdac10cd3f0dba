//! `nodetool.data.JSONToDataframe`.

use nodetool_sdk::{DataframeRef, Map, Node, NodeCx, NodeError, Process, Value};

use super::csv::MAX_TEXT;
use super::frame::{Frame, check_size};
use super::table::written;
use super::work;

/// Reads JSON text as a table: a list of objects or of lists, or an object of columns.
/// json, parse, records, dataframe, convert
#[derive(Node)]
#[node(namespace = "nodetool.data", title = "Convert JSON to DataFrame", tool)]
pub(super) struct JSONToDataframe {
    /// The text.
    #[prop(title = "JSON")]
    text: String,
}

impl Process for JSONToDataframe {
    type Output = DataframeRef;

    async fn process(self, _: &NodeCx) -> Result<DataframeRef, NodeError> {
        work::run(self.text.len() / 4, move |_| {
            let frame = read(&self.text).map_err(|e| NodeError::bad("text", e))?;
            Ok(written(frame))
        })
        .await
    }
}

fn read(text: &str) -> Result<Frame, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "the text has {} bytes (expected at most {MAX_TEXT})",
            text.len()
        ));
    }
    let value = serde_json::from_str(text)
        .map_err(|e| format!("the text is not JSON: {e} (expected a list of objects)"))?;
    let scalar = |v: &Value| !matches!(v, Value::List(_) | Value::Map(_));
    match value {
        Value::List(items) if items.iter().all(scalar) => {
            let rows: Vec<Value> = items.iter().map(|v| Value::list([v.clone()])).collect();
            Frame::from_rows(&[], &rows)
        }
        Value::Map(map)
            if ["data", "rows"].iter().any(|k| map.contains_key(*k))
                && map.contains_key("columns") =>
        {
            Frame::from_value(&Value::Map(map))
        }
        Value::Map(map) if map.values().all(scalar) => Frame::from_rows(&[], &[Value::Map(map)]),
        Value::Map(map) if map.values().all(|v| v.as_map().is_some()) => {
            Frame::from_columns(&by_label(&map)?)
        }
        Value::Map(map) => Frame::from_columns(&map),
        other => Frame::from_value(&other),
    }
}

/// `{column: {label: cell}}` with the cells of each column in the order of all labels.
fn by_label(columns: &Map) -> Result<Map, String> {
    let mut labels = Map::new();
    for column in columns.values().filter_map(Value::as_map) {
        labels.extend(column.keys().map(|k| (k.clone(), Value::Null)));
    }
    check_size(columns.len(), labels.len())?;
    Ok(columns
        .iter()
        .map(|(name, column)| {
            let cells = labels
                .keys()
                .map(|l| column.get(l).cloned().unwrap_or_default());
            (name.clone(), Value::list(cells))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lists_and_columns_are_read() {
        for (text, want) in [
            (
                r#"[{"a":1},{"b":"x"}]"#,
                r#"[{"a":1.0,"b":null},{"a":null,"b":"x"}]"#,
            ),
            (
                r#"{"a":[1,2],"b":["x","y"]}"#,
                r#"[{"a":1,"b":"x"},{"a":2,"b":"y"}]"#,
            ),
            (
                r#"{"a":{"0":1,"1":2},"b":{"1":3}}"#,
                r#"[{"a":1,"b":null},{"a":2,"b":3.0}]"#,
            ),
            (r#"{"columns":["a"],"data":[[1]]}"#, r#"[{"a":1}]"#),
            (r#"{"a":1,"b":"x"}"#, r#"[{"a":1,"b":"x"}]"#),
            ("[1,2]", r#"[{"0":1},{"0":2}]"#),
            ("[[1,2],[3]]", r#"[{"0":1,"1":2.0},{"0":3,"1":null}]"#),
        ] {
            let rows = read(text).unwrap().into_rows();
            assert_eq!(serde_json::to_string(&rows).unwrap(), want, "{text}");
        }
        for (text, words) in [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("3", "expected a dataframe"),
            ("[1,[2]]", "row 0 is int"),
            (r#"{"a":[1],"b":[]}"#, "expected columns of one length"),
        ] {
            let e = read(text).unwrap_err();
            assert!(e.contains(words), "{text}: {e}");
        }
    }
}
