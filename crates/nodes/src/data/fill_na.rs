//! `nodetool.data.FillNA`.

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process, Value};

use super::aggregation::Aggregation;
use super::frame::{Column, Frame};
use super::key::is_missing;
use super::table::{Table, written};
use super::work;

/// Fills the gaps of a table: with a value, from the row before or after, or with the mean or median of the column.
/// missing, null, impute, fillna, clean
///
/// Mean and median fill columns of numbers and leave the others alone.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct FillNA {
    /// The table.
    dataframe: DataframeRef,
    /// What to fill in when the method is value.
    #[prop(default = 0)]
    value: Value,
    /// One of value, forward, backward, mean, median.
    #[prop(default = "value")]
    method: String,
    /// Columns to fill, separated by commas; empty for all.
    columns: String,
}

#[derive(Clone, Copy)]
enum Method {
    Value,
    Forward,
    Backward,
    Of(Aggregation),
}

impl Process for FillNA {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let method = match self.method.trim() {
            "value" => Method::Value,
            "forward" => Method::Forward,
            "backward" => Method::Backward,
            "mean" => Method::Of(Aggregation::Mean),
            "median" => Method::Of(Aggregation::Median),
            other => {
                let shown: String = other.chars().take(80).collect();
                return Err(NodeError::bad(
                    "method",
                    format!(
                        "Unknown fill method: {shown} (expected one of value, forward, backward, mean, median)"
                    ),
                ));
            }
        };
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let places = if self.columns.trim().is_empty() {
                (0..frame.columns().len()).collect()
            } else {
                frame
                    .find_all(&self.columns)
                    .map_err(|e| NodeError::bad("columns", e))?
            };
            let mut columns = frame.into_columns();
            for at in places {
                columns[at] = filled(columns[at].clone(), method, &self.value)
                    .map_err(|e| NodeError::bad("columns", e))?;
            }
            Ok(written(Frame::new(columns)))
        })
        .await
    }
}

fn filled(column: Column, method: Method, value: &Value) -> Result<Column, String> {
    let value = match method {
        Method::Of(aggregation) if column.kind().is_number() => {
            let rows: Vec<usize> = (0..column.values().len()).collect();
            aggregation.apply(&column, &rows)?
        }
        Method::Of(_) => return Ok(column),
        Method::Value | Method::Forward | Method::Backward => value.clone(),
    };
    let (name, kind) = (column.name().clone(), column.kind());
    let mut values = column.into_values();
    match method {
        Method::Forward => carry(values.iter_mut()),
        Method::Backward => carry(values.iter_mut().rev()),
        Method::Value | Method::Of(_) => {
            for gap in values.iter_mut().filter(|v| is_missing(v)) {
                *gap = value.clone();
            }
        }
    }
    Ok(Column::new(name, values, Some(kind)))
}

/// Repeats the last value that was there; gaps before the first one stay.
fn carry<'a>(values: impl Iterator<Item = &'a mut Value>) {
    let mut last = Value::Null;
    for v in values {
        if is_missing(v) {
            *v = last.clone();
        } else {
            last = v.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_column_of_floats_stays_one_and_mean_leaves_text_alone() {
        let table = r#"{"rows":[{"n":null,"t":"x"},{"n":3,"t":null},{"n":null,"t":"y"}]}"#;
        let run = |method: &str, columns: &str| {
            case::<FillNA>()
                .set("dataframe", serde_json::from_str::<Value>(table).unwrap())
                .set("method", method)
                .set("columns", columns)
                .value()
        };
        for (method, columns, want) in [
            ("value", "", r#"[[0.0, "x"], [3.0, 0], [0.0, "y"]]"#),
            ("value", "t", r#"[[null, "x"], [3.0, 0], [null, "y"]]"#),
            ("mean", "", r#"[[3.0, "x"], [3.0, null], [3.0, "y"]]"#),
            ("forward", "", r#"[[null, "x"], [3.0, "x"], [3.0, "y"]]"#),
            (
                "backward",
                " n , t",
                r#"[[3.0, "x"], [3.0, "y"], [null, "y"]]"#,
            ),
        ] {
            let out = run(method, columns).await.unwrap();
            assert_eq!(format!("{:?}", out.get("data").unwrap()), want, "{method}");
        }
        let e = run("zero", "").await.unwrap_err().to_string();
        assert!(e.contains("Unknown fill method: zero"), "{e}");
    }
}
