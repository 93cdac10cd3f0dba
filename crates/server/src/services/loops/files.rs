//! Files of nodes: a row that says what they are and a blob that holds their contents (spec 3.4).
//!
//! Contents come before their row and go after it; those of a replaced file go once nothing names them any more.

use nodetool_store::{
    Blob, BlobKey, Blobs, NodeFileRow, PutNodeFile, StoreError, Upload, new_id, now_micros,
};

use super::{EditError, LoopService, ids};
use crate::services::Caller;

/// Most bytes of one file.
pub(crate) const MAX_FILE: u64 = 100 << 20;
/// Longest key of a file, in characters.
pub(crate) const MAX_KEY: usize = 100;
/// Longest file name, in bytes.
const MAX_FILE_NAME: usize = 200;
/// First part of the keys of contents.
pub(crate) const CONTENTS: &str = "node_files/";

/// The node whose files are meant.
pub(crate) struct NodePlace {
    workflow_id: String,
    /// As clients know it.
    node_id: String,
}

impl NodePlace {
    /// Whether a client means this node.
    pub(crate) fn is(&self, given: &str) -> bool {
        ids::shown(given) == self.node_id
    }
}

/// The key of a file, if it can be one: it is a part of an address.
pub(crate) fn check_key(key: &str) -> Result<(), EditError> {
    let refuse = |reason: &str| Err(EditError::field("key", reason));
    if key.is_empty() {
        return refuse("This field is required.");
    }
    if key.chars().count() > MAX_KEY {
        return refuse(&format!(
            "Ensure this field has no more than {MAX_KEY} characters."
        ));
    }
    if matches!(key, "." | "..") || key.chars().any(|c| c.is_control() || "/\\".contains(c)) {
        return refuse("Expected a name without slashes and control characters.");
    }
    Ok(())
}

/// A file name as it is kept: the last part of what the client says.
fn plain_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let clean = last.chars().filter(|c| !c.is_control());
    let mut name = String::new();
    for c in clean {
        if name.len() + c.len_utf8() > MAX_FILE_NAME {
            break;
        }
        name.push(c);
    }
    match name.as_str() {
        "" | "." | ".." => "file".to_owned(),
        _ => name,
    }
}

impl LoopService {
    /// A node of the caller's, as the place of files.
    pub(crate) async fn file_place(
        &self,
        caller: &Caller,
        id: &str,
        node_id: &str,
    ) -> Result<NodePlace, EditError> {
        let (row, graph) = self.graph_of(caller, id).await?;
        let at = ids::find_node(&graph, &row.id, node_id).ok_or(EditError::NoNode)?;
        let node = &graph.nodes[at];
        Ok(NodePlace {
            node_id: ids::node_id(&row.id, &node.id),
            workflow_id: row.id,
        })
    }

    /// The files of a node.
    pub(crate) async fn files(&self, place: &NodePlace) -> Result<Vec<NodeFileRow>, EditError> {
        let NodePlace {
            workflow_id,
            node_id,
        } = place;
        Ok(self.0.store.node_files(workflow_id, node_id).await?)
    }

    /// One of them.
    pub(crate) async fn file(&self, place: &NodePlace, id: &str) -> Result<NodeFileRow, EditError> {
        let stored = stored_id(id).ok_or(EditError::NoFile)?;
        let found = self
            .0
            .store
            .get_node_file(&place.workflow_id, &place.node_id, &stored)
            .await?;
        found.ok_or(EditError::NoFile)
    }

    /// Keeps contents that have been taken whole, as a new file or in place of the one with this key.
    pub(crate) async fn put_file(
        &self,
        blobs: &Blobs,
        place: &NodePlace,
        key: &str,
        (file_name, contents): (&str, Upload),
        replace: bool,
    ) -> Result<NodeFileRow, EditError> {
        check_key(key)?;
        let blob = format!("{CONTENTS}{}", new_id());
        let blob_key = BlobKey::parse(&blob).map_err(|e| EditError::Invalid(e.to_string()))?;
        let info = contents.finish(&blob_key).await?;
        let now = now_micros();
        let row = NodeFileRow {
            id: new_id(),
            workflow_id: place.workflow_id.clone(),
            node_id: place.node_id.clone(),
            key: key.to_owned(),
            file_name: plain_name(file_name),
            blob: blob.clone(),
            size: i64::try_from(info.size).unwrap_or(i64::MAX),
            created_at: now,
            updated_at: now,
        };
        match self.0.store.put_node_file(row, replace).await {
            Ok(PutNodeFile { row, replaced }) => {
                self.drop_contents(blobs, replaced).await;
                Ok(row)
            }
            Err(e) => {
                self.drop_contents(blobs, Some(blob)).await;
                Err(match e {
                    StoreError::AlreadyExists { .. } => {
                        EditError::field("key", "The fields node, key must make a unique set.")
                    }
                    StoreError::NotFound { .. } => EditError::NoWorkflow,
                    e => e.into(),
                })
            }
        }
    }

    /// Deletes a file.
    pub(crate) async fn delete_file(
        &self,
        blobs: &Blobs,
        place: &NodePlace,
        id: &str,
    ) -> Result<(), EditError> {
        let stored = stored_id(id).ok_or(EditError::NoFile)?;
        let deleted = self
            .0
            .store
            .delete_node_file(&place.workflow_id, &place.node_id, &stored)
            .await?;
        let contents = deleted.ok_or(EditError::NoFile)?;
        self.drop_contents(blobs, Some(contents)).await;
        Ok(())
    }

    /// Opens a file of the caller's by what its address says.
    pub(crate) async fn open_file(
        &self,
        caller: &Caller,
        blobs: &Blobs,
        [node_id, key, file_name]: [&str; 3],
    ) -> Result<Blob, EditError> {
        let found = self
            .0
            .store
            .find_node_file(&caller.user_id, node_id, key, file_name)
            .await?;
        let row = found.ok_or(EditError::NoFile)?;
        let blob_key = BlobKey::parse(&row.blob).map_err(|_| EditError::NoFile)?;
        let blob = blobs.open_blob(&blob_key).await?;
        blob.ok_or(EditError::NoFile)
    }

    /// Drops contents that nothing names any more; what fails is left to the next sweep.
    pub(crate) async fn drop_contents(
        &self,
        blobs: &Blobs,
        keys: impl IntoIterator<Item = String>,
    ) {
        for key in keys {
            let Ok(key) = BlobKey::parse(&key) else {
                continue;
            };
            if let Err(e) = blobs.delete(&key).await {
                tracing::warn!(error = %e, "the contents of a node file could not be deleted");
            }
        }
    }
}

/// Ids of files are stored without hyphens.
fn stored_id(given: &str) -> Option<String> {
    match given.len() {
        36 => ids::other_spelling(given),
        32 => Some(given.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_stay_within_their_part_of_an_address() {
        for (given, kept) in [
            ("a.txt", "a.txt"),
            ("/etc/passwd", "passwd"),
            ("c:\\x\\y.png", "y.png"),
            ("..", "file"),
            ("a/", "file"),
            ("", "file"),
            ("a\nb", "ab"),
        ] {
            assert_eq!(plain_name(given), kept, "{given:?}");
        }
        assert_eq!(plain_name(&"ä".repeat(300)).len(), MAX_FILE_NAME);
        for bad in ["", ".", "..", "a/b", "a\\b", "a\0", &"k".repeat(101)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
        for good in ["k1", "a b", "…"] {
            check_key(good).unwrap();
        }
    }
}
