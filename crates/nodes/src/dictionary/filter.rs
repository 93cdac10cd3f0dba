//! `nodetool.dictionary.Filter`.

use std::sync::Arc;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

/// Keeps only the listed keys of a dictionary, in the order of the list.
/// dictionary, filter, keys, select, pick
#[derive(Node)]
#[node(namespace = "nodetool.dictionary")]
pub(super) struct Filter {
    /// The dictionary.
    dictionary: Map,
    /// The keys; those it lacks are passed over.
    keys: Vec<Arc<str>>,
}

impl Process for Filter {
    type Output = Map;

    async fn process(self, _: &NodeCx) -> Result<Map, NodeError> {
        let kept = self
            .keys
            .into_iter()
            .filter_map(|k| Some((k.clone(), self.dictionary.get(&k)?.clone())));
        Ok(kept.collect())
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn keys_come_in_the_order_of_the_list_and_unknown_ones_not_at_all() {
        let dict: Value = serde_json::from_str(r#"{"a": 1, "b": 2, "c": 3}"#).unwrap();
        let keys = Value::list(["c".into(), "x".into(), "a".into()]);
        let case = case::<Filter>().set("dictionary", dict).set("keys", keys);
        let got = serde_json::to_string(&case.value().await.unwrap()).unwrap();
        assert_eq!(got, r#"{"c":3,"a":1}"#);
    }
}
