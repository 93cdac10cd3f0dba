//! `nodetool.list.Dedupe`.

use std::collections::HashSet;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;
use super::key::Key;
use crate::{bounds, extent};

/// Keeps the first of equal items.
/// list, unique, distinct, duplicates, remove
///
/// Items of every kind can be compared, and their order stays.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Dedupe {
    /// The list.
    values: Items,
}

impl Process for Dedupe {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.values.len(), move || {
            extent::comparable("values", &self.values)?;
            let mut seen = HashSet::new();
            let kept: Vec<_> = self
                .values
                .iter()
                .filter(|v| seen.insert(Key(v)))
                .cloned()
                .collect();
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
    async fn the_first_of_equal_items_stays_in_its_place() {
        let dict = Value::map([("k", Value::Int(1))]);
        let values = [
            "b".into(),
            dict.clone(),
            "a".into(),
            dict.clone(),
            "b".into(),
        ];
        let case = case::<Dedupe>().set("values", values.to_vec());
        let want = Value::list(["b".into(), dict, "a".into()]);
        assert_eq!(case.value().await.unwrap(), want);
    }
}
