//! `nodetool.dictionary.Combine` and `nodetool.dictionary.Update`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use crate::bounds;

/// Merges two dictionaries; the second wins.
/// dictionary, combine, merge, join
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct Combine {
    /// First dictionary.
    dict_a: Map,
    /// Second dictionary.
    dict_b: Map,
}

impl Process for Combine {
    type Output = Map;

    async fn process(self, _: &NodeCx) -> Result<Map, NodeError> {
        merged(self.dict_a, self.dict_b, "dict_b").await
    }
}

/// Sets keys of a dictionary.
/// dictionary, update, set, change, merge
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct Update {
    /// The dictionary.
    dictionary: Map,
    /// The keys and their new values.
    new_pairs: Map,
}

impl Process for Update {
    type Output = Map;

    async fn process(self, _: &NodeCx) -> Result<Map, NodeError> {
        merged(self.dictionary, self.new_pairs, "new_pairs").await
    }
}

async fn merged(mut under: Map, over: Map, property: &str) -> Result<Map, NodeError> {
    bounds::check_items(property, under.len() + over.len())?;
    bounds::work(over.len(), move || {
        under.extend(over);
        Ok(under)
    })
    .await
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::{Value, testing::case};

    use super::*;

    #[tokio::test]
    async fn the_second_wins_and_keys_keep_their_places() {
        let dict = |s: &str| serde_json::from_str::<Value>(s).unwrap();
        let case = case::<Combine>().set("dict_a", dict(r#"{"a": 1, "b": {"x": 1}}"#));
        let case = case.set("dict_b", dict(r#"{"c": 3, "b": {"y": 2}, "a": 4}"#));
        let got = serde_json::to_string(&case.value().await.unwrap()).unwrap();
        assert_eq!(got, r#"{"a":4,"b":{"y":2},"c":3}"#);
    }
}
