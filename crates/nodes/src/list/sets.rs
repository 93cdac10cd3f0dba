//! `nodetool.list.Intersection`, `Union` and `Difference`: lists as sets, in the order in which items first appear.

use std::collections::HashSet;

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::items::Items;
use super::key::Key;
use crate::{bounds, extent};

/// Gives the items that two lists share.
/// list, set, intersection, common, both, overlap
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Intersection {
    /// First list.
    list1: Items,
    /// Second list.
    list2: Items,
}

impl Process for Intersection {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.list1.len() + self.list2.len(), move || {
            extent::comparable("list1", &self.list1)?;
            extent::comparable("list2", &self.list2)?;
            let mut both: HashSet<_> = self.list2.iter().map(Key).collect();
            // Taken out when given, so that each comes once.
            let kept = self.list1.iter().filter(|v| both.remove(&Key(v)));
            Ok(kept.cloned().collect::<Vec<_>>().into())
        })
        .await
    }
}

/// Gives the items of two lists, each once.
/// list, set, union, combine, merge, unique
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Union {
    /// First list.
    list1: Items,
    /// Second list.
    list2: Items,
}

impl Process for Union {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        let length = self.list1.len() + self.list2.len();
        bounds::check_items("list2", length)?;
        bounds::work(length, move || {
            extent::comparable("list1", &self.list1)?;
            extent::comparable("list2", &self.list2)?;
            let mut seen = HashSet::new();
            let all = self.list1.iter().chain(self.list2.iter());
            let kept = all.filter(|v| seen.insert(Key(v)));
            Ok(kept.cloned().collect::<Vec<_>>().into())
        })
        .await
    }
}

/// Gives the items of the first list that the second lacks, each once.
/// list, set, difference, without, exclude, subtract
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Difference {
    /// First list.
    list1: Items,
    /// Second list.
    list2: Items,
}

impl Process for Difference {
    type Output = Items;

    async fn process(self, _: &NodeCx) -> Result<Items, NodeError> {
        bounds::work(self.list1.len() + self.list2.len(), move || {
            extent::comparable("list1", &self.list1)?;
            extent::comparable("list2", &self.list2)?;
            // What was given joins what is excluded, so that each comes once.
            let mut excluded: HashSet<_> = self.list2.iter().map(Key).collect();
            let kept = self.list1.iter().filter(|v| excluded.insert(Key(v)));
            Ok(kept.cloned().collect::<Vec<_>>().into())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Node, Value, testing::case};

    use super::*;

    async fn of<N: Node>() -> Value {
        let list = |s: &str| Value::list(s.chars().map(|c| Value::from(c.to_string())));
        let case = case::<N>().set("list1", list("cabca"));
        let got = case.set("list2", list("bdbc")).value().await.unwrap();
        let letters: String = got
            .as_list()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        letters.into()
    }

    #[tokio::test]
    async fn results_hold_each_item_once_in_order_of_appearance() {
        assert_eq!(of::<Intersection>().await, Value::from("cb"));
        assert_eq!(of::<Union>().await, Value::from("cabd"));
        assert_eq!(of::<Difference>().await, Value::from("a"));
    }
}
