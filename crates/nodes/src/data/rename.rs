//! `nodetool.data.Rename`.

use std::collections::HashMap;

use nodetool_sdk::{DataframeRef, Node, NodeCx, NodeError, Process};

use super::frame::Frame;
use super::table::{Table, written};
use super::work;

/// Gives columns other names.
/// rename, columns, headers, names
#[derive(Node)]
#[node(namespace = "nodetool.data", tool)]
pub(super) struct Rename {
    /// The table.
    dataframe: DataframeRef,
    /// Old and new names, as in old:new,other:newer. Names the table lacks are passed over.
    rename_map: String,
}

impl Process for Rename {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let names = parse(&self.rename_map).map_err(|e| NodeError::bad("rename_map", e))?;
        let table = Table::open("dataframe", self.dataframe, cx).await?;
        work::run(table.cells(), move |_| {
            let columns = table.read()?.into_columns().into_iter();
            let renamed = columns.map(|c| match names.get(&**c.name()) {
                Some(new) => c.named(new.as_str()),
                None => c,
            });
            Ok(written(Frame::new(renamed.collect())))
        })
        .await
    }
}

fn parse(map: &str) -> Result<HashMap<String, String>, String> {
    map.split(',')
        .filter(|pair| pair.contains(':'))
        .map(|pair| match pair.split_once(':') {
            Some((old, new)) if !new.contains(':') => Ok((old.trim().into(), new.trim().into())),
            _ => Err(format!(
                "'{}' (expected one colon between old and new name)",
                pair.chars().take(80).collect::<String>()
            )),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn names_can_be_swapped_and_unknown_ones_are_passed_over() {
        let run = |map: &str| {
            let table: Value = serde_json::from_str(r#"{"rows":[{"a":1,"b":2}]}"#).unwrap();
            case::<Rename>()
                .set("dataframe", table)
                .set("rename_map", map)
                .value()
        };
        for (map, want) in [("a: b, b :a,x:y,z", ["b", "a"]), ("", ["a", "b"])] {
            let out = run(map).await.unwrap();
            let columns = out.get("columns").unwrap().as_list().unwrap();
            let names: Vec<&str> = columns
                .iter()
                .filter_map(|c| c.get("name")?.as_str())
                .collect();
            assert_eq!(names, want);
        }
        let e = run("a:b:c").await.unwrap_err().to_string();
        assert!(e.contains("`rename_map`") && e.contains("'a:b:c'"), "{e}");
    }
}
