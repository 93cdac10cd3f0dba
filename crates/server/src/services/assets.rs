//! Contents of asset references as far as a server without an asset store has them: inline bytes, `data:` URIs and
//! files of its own folder.

use std::path::PathBuf;

use bytes::Bytes;
use nodetool_protocol::{Value, decode_data_uri};
use nodetool_sdk::services::{Assets, NewAsset};
use nodetool_sdk::{BoxFuture, NodeError, Workspace};

/// Assets in a local folder.
pub(crate) struct LocalAssets {
    folder: PathBuf,
}

impl LocalAssets {
    /// Assets kept under the given folder.
    pub(crate) fn new(folder: PathBuf) -> Self {
        LocalAssets { folder }
    }

    fn file_of(&self, id: &str) -> Result<PathBuf, NodeError> {
        let plain = !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !plain || id.starts_with('.') {
            return Err(NodeError::new(format!(
                "'{}' is no asset id",
                id.chars().take(40).collect::<String>()
            )));
        }
        Ok(self.folder.join(id))
    }
}

impl Assets for LocalAssets {
    fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
        Box::pin(async move {
            if let Some(Value::Bytes(b)) = reference.get("data") {
                return Ok(b.clone());
            }
            if let Some(Value::Str(s)) = reference.get("data") {
                return Ok(Bytes::copy_from_slice(s.as_bytes()));
            }
            let uri = reference
                .get("uri")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if let Some(Value::Bytes(b)) = decode_data_uri(uri) {
                return Ok(b);
            }
            let id = reference
                .get("asset_id")
                .and_then(Value::as_str)
                .or_else(|| uri.strip_prefix("asset://"));
            match id {
                Some(id) => {
                    let path = self.file_of(id)?;
                    let bytes = tokio::fs::read(&path).await;
                    bytes.map(Bytes::from).map_err(|e| {
                        NodeError::new(format!("Asset '{id}' cannot be read: {}", e.kind()))
                    })
                }
                None if uri.is_empty() => Err(NodeError::new("The asset reference is empty")),
                None => {
                    let scheme = uri.split(':').next().unwrap_or_default();
                    Err(NodeError::new(format!(
                        "References with the scheme '{scheme}' cannot be read here; expected inline data, a data: URI or \
                         an asset id"
                    )))
                }
            }
        })
    }

    fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
        Box::pin(async move {
            let ending = asset
                .name
                .rsplit_once('.')
                .map(|(_, e)| e)
                .filter(|e| e.chars().all(|c| c.is_ascii_alphanumeric()));
            let id = nodetool_store::new_id();
            let file = ending.map_or_else(|| id.clone(), |e| format!("{id}.{e}"));
            let folder = self.folder.clone();
            let path = self.file_of(&file)?;
            let data = asset.data.clone();
            tokio::task::spawn_blocking(move || {
                std::fs::create_dir_all(&folder)?;
                Workspace::open(&folder).map_err(std::io::Error::other)?;
                std::fs::write(path, &data)
            })
            .await
            .map_err(|e| NodeError::new(e.to_string()))??;
            Ok(Value::map([
                ("type", asset.kind.into()),
                ("uri", format!("asset://{file}").into()),
                ("asset_id", file.into()),
                ("data", Value::Null),
                ("metadata", Value::Null),
            ]))
        })
    }
}
