//! `nodetool.dictionary.ArgMax`.

use std::sync::Arc;

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process};

use crate::order;

/// Finds the key with the highest score.
/// dictionary, maximum, best, score, winner, classify
///
/// Of equal scores the first wins.
#[derive(Node)]
#[node(namespace = "nodetool.dictionary", layout = "small")]
pub(super) struct ArgMax {
    /// Scores by key.
    #[prop(ty = "dict[str, float]")]
    scores: Map,
}

impl Process for ArgMax {
    type Output = Arc<str>;

    async fn process(self, _: &NodeCx) -> Result<Arc<str>, NodeError> {
        let best = self.scores.iter().reduce(|best, next| {
            let beats = order::numbers(next.1, best.1).is_some_and(std::cmp::Ordering::is_gt);
            if beats { next } else { best }
        });
        best.map(|(key, _)| key.clone())
            .ok_or_else(|| NodeError::bad("scores", "Input dictionary cannot be empty"))
    }
}
