//! `nodetool.list.FilterDictsByNumber`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::{Items, PlainList};
use crate::bounds;
use crate::number_test::{Declared, NumberTestOf};

/// The name of the enum.
pub(super) struct Name;

impl Declared for Name {
    const TYPE_NAME: &'static str =
        "nodetool.nodes.nodetool.list.FilterDictsByNumber.FilterDictNumberType";
}

/// Keeps the records of a list whose field stands a test for numbers.
/// list, dict, record, filter, number, compare, even, odd
///
/// Records without the field, or with something else than a number in it, are left out.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct FilterDictsByNumber {
    /// The records.
    #[prop(ty = "list[dict]")]
    values: Items,
    /// The field.
    key: String,
    /// Which test.
    filter_type: NumberTestOf<Name>,
    /// The number to compare with.
    value: Option<f64>,
}

impl Process for FilterDictsByNumber {
    type Output = PlainList;

    async fn process(self, _: &NodeCx) -> Result<PlainList, NodeError> {
        let test = self.filter_type.0;
        let against = match self.value {
            Some(value) => value,
            None if test.compares() => {
                return Err(NodeError::bad(
                    "value",
                    "null (expected a number to compare with)",
                ));
            }
            None => 0.0,
        };
        bounds::work(self.values.len(), move || {
            let mut kept = Vec::new();
            for (i, value) in self.values.iter().enumerate() {
                let field = super::record(value, i)?.get(self.key.as_str());
                if field.is_some_and(|v| test.passes(v, against)) {
                    kept.push(value.clone());
                }
            }
            Ok(kept.into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn records_without_a_number_in_the_field_are_left_out() {
        let rows: Value =
            serde_json::from_str(r#"[{"n": 4}, {"n": "9"}, {}, {"n": null}, {"n": 2.5}]"#).unwrap();
        let case_of = || {
            let case = case::<FilterDictsByNumber>().set("values", rows.clone());
            case.set("key", "n")
        };
        let kept = case_of().set("value", 2i64).value().await.unwrap();
        assert_eq!(kept.as_list().unwrap().len(), 2);
        let kept = case_of().set("filter_type", "even").value().await.unwrap();
        assert_eq!(kept.as_list().unwrap().len(), 1);
        let e = case_of().value().await.unwrap_err().to_string();
        assert!(e.contains("`value`"), "{e}");
    }
}
