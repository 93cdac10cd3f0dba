//! `nodetool.list.Sort`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, ValueType};

use super::items::Items;
use crate::{bounds, extent, order};

/// Which way.
#[derive(ValueType)]
#[value(type_name = "nodetool.nodes.nodetool.list.Sort.SortOrder")]
pub(super) enum SortOrder {
    Ascending,
    Descending,
}

/// Sorts a list.
/// list, sort, order, ascending, descending, arrange
///
/// Items must be of one kind: numbers, texts or lists.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Sort {
    /// The list.
    values: Items,
    /// Which way.
    order: SortOrder,
}

impl Process for Sort {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.values.len(), move || {
            extent::comparable("values", &self.values)?;
            let descending = matches!(self.order, SortOrder::Descending);
            let mut items = self.values.into_vec();
            order::sort(&mut items, descending).map_err(|e| NodeError::bad("values", e))?;
            Ok(items.into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    async fn sorted(values: &str, order: &str) -> Result<Value, NodeError> {
        let values: Value = serde_json::from_str(values).unwrap();
        let case = case::<Sort>().set("values", values).set("order", order);
        case.value().await
    }

    #[tokio::test]
    async fn equal_items_keep_their_places_both_ways() {
        for (order, want) in [("ascending", "[1, 1.0, 2]"), ("descending", "[2, 1, 1.0]")] {
            let got = sorted("[1, 1.0, 2]", order).await.unwrap();
            assert_eq!(serde_json::to_string(&got).unwrap(), want.replace(' ', ""));
        }
        let lists = sorted("[[1, 2], [1], [0, 9]]", "ascending").await.unwrap();
        assert_eq!(
            lists,
            serde_json::from_str("[[0, 9], [1], [1, 2]]").unwrap()
        );
    }

    #[tokio::test]
    async fn items_without_a_common_order_are_refused() {
        for values in [r#"[1, "a"]"#, "[null, 1]", "[{}, {}]", r#"[[1], ["a"]]"#] {
            let e = sorted(values, "ascending").await.unwrap_err().to_string();
            assert!(e.contains("cannot be compared"), "{values}: {e}");
        }
    }
}
