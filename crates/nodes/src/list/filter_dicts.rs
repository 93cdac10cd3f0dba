//! `nodetool.list.FilterDicts`.

use std::collections::HashSet;
use std::sync::Arc;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::items::{Items, PlainList};
use crate::bounds;
use crate::data::query::Query;

/// Keeps the records of a list that fulfil a condition.
/// list, dict, record, filter, query, condition
///
/// The condition compares fields: `age > 30 and city in ['Rome', 'Oslo']`. An empty one keeps all; a field that only
/// some records have counts as missing in the others.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct FilterDicts {
    /// The records.
    #[prop(ty = "list[dict]")]
    values: Items,
    /// The condition.
    condition: String,
}

impl Process for FilterDicts {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        if self.condition.trim().is_empty() {
            return Ok(self.values.into_vec().into());
        }
        let query = Query::parse(&self.condition).map_err(|e| NodeError::bad("condition", e))?;
        bounds::work(self.values.len(), move || filter(&self.values, &query)).await
    }
}

fn filter(values: &[Value], query: &Query) -> Result<PlainList, NodeError> {
    let mut fields: Option<HashSet<Arc<str>>> = None;
    let mut kept = Vec::new();
    for (i, value) in values.iter().enumerate() {
        let row = super::record(value, i)?;
        let holds = match query.matches(row) {
            Ok(holds) => holds,
            Err(_) => {
                // Perhaps only this record lacks the field.
                let fields = fields.get_or_insert_with(|| fields_of(values));
                let complete = completed(row, fields);
                query.matches(&complete).map_err(|e| {
                    NodeError::bad("condition", format!("{e} (in item {i} of `values`)"))
                })?
            }
        };
        if holds {
            kept.push(value.clone());
        }
    }
    Ok(kept.into())
}

fn fields_of(values: &[Value]) -> HashSet<Arc<str>> {
    values
        .iter()
        .filter_map(Value::as_map)
        .flat_map(Map::keys)
        .cloned()
        .collect()
}

fn completed(row: &Map, fields: &HashSet<Arc<str>>) -> Map {
    let mut row = row.clone();
    for field in fields {
        row.entry(field.clone()).or_default();
    }
    row
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    fn people() -> Value {
        serde_json::from_str(r#"[{"n": 1, "age": 40}, {"n": 2}, {"n": 3, "age": 20}]"#).unwrap()
    }

    #[tokio::test]
    async fn a_field_that_some_records_lack_is_missing_there_and_nowhere_is_an_error() {
        let case_of = |c: &str| {
            let case = case::<FilterDicts>().set("values", people());
            case.set("condition", c)
        };
        let kept = case_of("age > 30").value().await.unwrap();
        assert_eq!(kept.as_list().unwrap().len(), 1);
        let kept = case_of("").value().await.unwrap();
        assert_eq!(kept, people());
        let e = case_of("height > 1").value().await.unwrap_err().to_string();
        assert!(e.contains("`condition`") && e.contains("height"), "{e}");
        let e = case_of("age >").value().await.unwrap_err().to_string();
        assert!(e.contains("`condition`"), "{e}");
    }
}
