//! `nodetool.list.Flatten`.

use std::sync::Arc;

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::Items;
use crate::bounds::{self, MAX_ITEMS};

/// Steps between two chances for other work.
const STRIDE: usize = 20_000;

/// Replaces lists within a list by their items.
/// list, flatten, nested, unpack, depth
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Flatten {
    /// The list.
    values: Items,
    /// How many levels; -1 for all.
    #[prop(default = -1, min = -1)]
    max_depth: i64,
}

impl Process for Flatten {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        let levels = match self.max_depth {
            -1 => usize::MAX,
            depth => usize::try_from(depth).map_err(|_| {
                NodeError::bad("max_depth", format!("{depth} (expected -1 or more)"))
            })?,
        };
        let mut out = Vec::new();
        let mut open: Vec<(Arc<Vec<Value>>, usize)> = vec![(self.values.0, 0)];
        // Every step counts, not just every item: shared empty lists can be endless too.
        let mut steps = 0;
        while let Some((list, at)) = open.last_mut() {
            let Some(item) = list.get(*at).cloned() else {
                open.pop();
                continue;
            };
            *at += 1;
            steps += 1;
            if steps > 2 * MAX_ITEMS {
                return Err(NodeError::bad(
                    "values",
                    format!("more than {} lists and items in all", 2 * MAX_ITEMS),
                ));
            }
            if steps % STRIDE == 0 {
                tokio::task::yield_now().await;
            }
            match item {
                Value::List(inner) if open.len() <= levels => open.push((inner, 0)),
                item => {
                    out.push(item);
                    bounds::check_items("values", out.len())?;
                }
            }
        }
        Ok(out.into())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::*;

    #[tokio::test]
    async fn only_so_many_levels_are_taken_away() {
        let values: Value = serde_json::from_str("[[1, [2, [3]]], [], 4]").unwrap();
        for (depth, want) in [
            (0i64, "[[1, [2, [3]]], [], 4]"),
            (1, "[1, [2, [3]], 4]"),
            (2, "[1, 2, [3], 4]"),
            (-1, "[1, 2, 3, 4]"),
        ] {
            let case = case::<Flatten>().set("values", values.clone());
            let flat = case.set("max_depth", depth).value().await.unwrap();
            assert_eq!(flat, serde_json::from_str(want).unwrap(), "{depth}");
        }
        assert!(
            case::<Flatten>()
                .set("max_depth", -2i64)
                .value()
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_small_list_that_would_flatten_without_end_is_refused() {
        let mut v = Value::list([]);
        for _ in 0..100 {
            v = Value::list([v.clone(), v]);
        }
        let e = case::<Flatten>()
            .set("values", v)
            .value()
            .await
            .unwrap_err();
        assert!(e.to_string().contains("`values`"), "{e}");
    }
}
