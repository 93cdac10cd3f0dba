//! `nodetool.list.MapField`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::{Items, PlainList};
use crate::bounds;

/// Takes one field of each record of a list.
/// list, dict, record, field, pluck, column
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct MapField {
    /// The records.
    #[prop(ty = "list[dict]")]
    values: Items,
    /// The field.
    field: String,
    /// Given for a record without the field.
    #[prop(name = "default")]
    fallback: Value,
}

impl Process for MapField {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        bounds::work(self.values.len(), move || {
            let mut out = Vec::with_capacity(self.values.len());
            for (i, value) in self.values.iter().enumerate() {
                let field = super::record(value, i)?.get(self.field.as_str());
                out.push(field.unwrap_or(&self.fallback).clone());
            }
            Ok(out.into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn a_missing_field_gives_the_default_and_a_null_one_stays_null() {
        let rows: Value = serde_json::from_str(r#"[{"a": 1}, {"b": 2}, {"a": null}]"#).unwrap();
        let case = case::<MapField>().set("values", rows).set("field", "a");
        let out = case.set("default", "?").value().await.unwrap();
        assert_eq!(out, Value::list([1i64.into(), "?".into(), Value::Null]));
    }
}
