//! How tokens of several branches become one. Pure. Source: orchestrator spec 1.8.4.

use nodetool_sdk::Map;
use nodetool_sdk::steps::{Compat, Token};

/// The data behind a fork: that of the fork, then what each branch has added, in order. A value that a branch has
/// inherited from the fork is not added again, except in the profile `reference`; other keys go under the first free
/// name.
pub fn merge_branches<'a>(
    fork: &Map,
    branches: impl IntoIterator<Item = &'a Map>,
    compat: Compat,
) -> Map {
    let mut merged = Token::new("", fork.clone());
    for branch in branches {
        for (key, value) in branch {
            if compat == Compat::Reference || fork.get(key) != Some(value) {
                merged.put(key, value.clone());
            }
        }
    }
    merged.data
}

/// The data of several upstream nodes, in order: what all of them have alike is inherited and there once; other keys
/// go under the first free name.
pub fn merge_upstream(upstream: &[Map]) -> Map {
    let Some((first, others)) = upstream.split_first() else {
        return Map::new();
    };
    let inherited: Map = first
        .iter()
        .filter(|(key, value)| others.iter().all(|o| o.get(*key) == Some(*value)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    merge_branches(&inherited, upstream, Compat::Doc)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn inherited_keys_are_there_once_and_for_clients_of_the_reference_once_for_each_branch() {
        let fork = map(r#"{"counter":1}"#);
        let branch = map(r#"{"counter":1,"data_transformer":2}"#);
        let keys = |compat| {
            let merged = merge_branches(&fork, [&branch, &branch], compat);
            let keys: Vec<_> = merged.keys().map(ToString::to_string).collect();
            keys.join(" ")
        };
        assert_eq!(
            keys(Compat::Doc),
            "counter data_transformer data_transformer_2"
        );
        assert_eq!(
            keys(Compat::Reference),
            "counter counter_2 data_transformer counter_3 data_transformer_2"
        );
    }
}
