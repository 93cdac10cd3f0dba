//! How tokens of several branches become one. Pure. Source: orchestrator spec 1.8.4.

use nodetool_sdk::Map;
use nodetool_sdk::steps::Token;

/// The data behind a fork: that of the fork, then what each branch has added, in order. A value that a branch has
/// inherited from the fork is not added again; other keys go under the first free name.
pub fn merge_branches<'a>(fork: &Map, branches: impl IntoIterator<Item = &'a Map>) -> Map {
    let mut merged = Token::new("", fork.clone());
    for branch in branches {
        for (key, value) in branch {
            if fork.get(key) != Some(value) {
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
    merge_branches(&inherited, upstream)
}
