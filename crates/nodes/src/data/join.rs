//! `nodetool.data.Join`.

use std::collections::{BTreeSet, HashMap};

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::cell::Budget;
use super::frame::{Column, Frame, Kind, check_size};
use super::key::{Distinct, Key};
use super::table::{Table, written};
use super::work;

/// Joins the rows of two tables that agree in one column.
/// join, merge, inner, key, combine
///
/// Every matching pair gives a row. Where both tables have the very same columns, the others get the endings `_x` and
/// `_y`; else, where a column is in both, the second table's value wins.
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Join {
    /// The first table.
    dataframe_a: DataframeRef,
    /// The second table.
    dataframe_b: DataframeRef,
    /// The column that both have.
    join_on: String,
}

impl Process for Join {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let a = Table::open("dataframe_a", self.dataframe_a, cx).await?;
        let b = Table::open("dataframe_b", self.dataframe_b, cx).await?;
        work::run(a.cells().saturating_add(b.cells()), move |_| {
            let joined = joined(&a.read()?, &b.read()?, &self.join_on);
            Ok(written(joined.map_err(|e| NodeError::bad("join_on", e))?))
        })
        .await
    }
}

fn joined(a: &Frame, b: &Frame, on: &str) -> Result<Frame, String> {
    let at_a = a.find(on).map_err(|e| format!("in dataframe_a {e}"))?;
    let at_b = b.find(on).map_err(|e| format!("in dataframe_b {e}"))?;
    let (key_a, key_b) = (&a.columns()[at_a], &b.columns()[at_b]);
    let clash = |x: &Column, y: &Column| x.kind().is_number() && y.kind() == Kind::String;
    if clash(key_a, key_b) || clash(key_b, key_a) {
        return Err(format!(
            "column '{on}' holds {} in dataframe_a and {} in dataframe_b (expected the same type)",
            key_a.kind().word(),
            key_b.kind().word()
        ));
    }
    let classes = Distinct::of(&[key_b], b.rows(), false)?;
    let members = classes.members();
    let mut budget = Budget::new();
    let mut by_key = HashMap::with_capacity(classes.first.len());
    for (class, &row) in classes.first.iter().enumerate() {
        by_key.insert(Key::of(&key_b.values()[row], &mut budget)?, class);
    }
    let mut partners: Vec<&[usize]> = Vec::with_capacity(a.rows());
    for value in key_a.values() {
        let class = by_key.get(&Key::of(value, &mut budget)?);
        partners.push(class.map_or(&[], |&c| members.of(c)));
    }
    let rows = partners.iter().map(|p| p.len()).sum();
    check_size(a.columns().len() + b.columns().len(), rows)?;
    let rows_a: Vec<usize> = partners
        .iter()
        .enumerate()
        .flat_map(|(row, p)| std::iter::repeat_n(row, p.len()))
        .collect();
    let rows_b: Vec<usize> = partners.concat();

    let names =
        |f: &Frame| -> BTreeSet<_> { f.columns().iter().map(|c| c.name().clone()).collect() };
    let endings = names(a) == names(b);
    let mut columns = Vec::new();
    for (at, column) in a.columns().iter().enumerate() {
        let twin = b.position(column.name());
        columns.push(match twin {
            _ if at == at_a => column.take(&rows_a),
            Some(_) if endings => column.take(&rows_a).named(format!("{}_x", column.name())),
            Some(twin) => b.columns()[twin].take(&rows_b),
            None => column.take(&rows_a),
        });
    }
    for (at, column) in b.columns().iter().enumerate() {
        if at == at_b {
            continue;
        }
        let twin = a.position(column.name()).is_some();
        if endings {
            columns.push(column.take(&rows_b).named(format!("{}_y", column.name())));
        } else if !twin {
            columns.push(column.take(&rows_b));
        }
    }
    Ok(Frame::new(columns))
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;

    use super::*;

    fn join(a: &str, b: &str) -> Result<String, String> {
        let frame = |json: &str| {
            let value: Value = serde_json::from_str(json).unwrap();
            Frame::from_value(&value).unwrap()
        };
        joined(&frame(a), &frame(b), "k").map(|f| {
            let rows = f.into_rows();
            serde_json::to_string(&rows).unwrap()
        })
    }

    #[test]
    fn every_pair_gives_a_row_in_the_order_of_the_first_table() {
        assert_eq!(
            join(
                r#"[{"k":1,"v":"a"},{"k":2,"v":"b"},{"k":3,"v":"c"},{"k":2,"v":"d"}]"#,
                r#"[{"k":2.0,"w":5},{"k":1,"w":6},{"k":2,"w":7}]"#
            )
            .unwrap(),
            concat!(
                r#"[{"k":1,"v":"a","w":6},{"k":2,"v":"b","w":5},{"k":2,"v":"b","w":7},"#,
                r#"{"k":2,"v":"d","w":5},{"k":2,"v":"d","w":7}]"#
            )
        );
    }

    #[test]
    fn a_clash_gives_endings_between_equal_tables_and_else_the_second_value() {
        assert_eq!(
            join(r#"[{"k":"x","v":1}]"#, r#"[{"k":"x","v":2}]"#).unwrap(),
            r#"[{"k":"x","v_x":1,"v_y":2}]"#
        );
        assert_eq!(
            join(r#"[{"k":"x","v":1,"a":0}]"#, r#"[{"v":2,"k":"x"}]"#).unwrap(),
            r#"[{"k":"x","v":2,"a":0}]"#
        );
    }

    #[test]
    fn keys_of_different_types_and_endless_results_are_refused() {
        let e = join(r#"[{"k":1}]"#, r#"[{"k":"1"}]"#).unwrap_err();
        assert!(e.contains("int in dataframe_a and string"), "{e}");
        let many = format!("[{}{{\"k\":1}}]", r#"{"k":1},"#.repeat(5000));
        assert!(join(&many, &many).unwrap_err().contains("cells"));
        assert!(join("[]", "[]").unwrap_err().contains("no column 'k'"));
    }
}
