//! `nodetool.list.Chunk`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Value};

use super::items::Items;
use crate::bounds;

/// Cuts a list into lists of equal length.
/// list, chunk, batch, split, group
///
/// The last one may be shorter.
#[derive(Node)]
#[node(namespace = "nodetool.list")]
pub(super) struct Chunk {
    /// The list.
    values: Items,
    /// Items per part.
    #[prop(default = 1)]
    chunk_size: i64,
}

impl Process for Chunk {
    type Output = Vec<Vec<Value>>;

    async fn process(self, _: &NodeCx) -> Result<Vec<Vec<Value>>, NodeError> {
        if self.chunk_size <= 0 {
            return Err(NodeError::bad(
                "chunk_size",
                format!("chunk_size must be > 0, not {}", self.chunk_size),
            ));
        }
        let size = usize::try_from(self.chunk_size).unwrap_or(usize::MAX);
        bounds::work(self.values.len(), move || {
            Ok(self.values.chunks(size).map(<[Value]>::to_vec).collect())
        })
        .await
    }
}
