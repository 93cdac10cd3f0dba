//! `lib.json.LoadJSONAssets`.

use std::sync::Arc;

use nodetool_sdk::{Emitter, FolderRef, Generate, Node, NodeCx, NodeError, Outputs, Value};

use super::document::read;
use crate::bounds::work;

/// Loads the JSON files of an asset folder, one by one.
/// json, assets, folder, load, files
///
/// Each file must hold an object.
#[derive(Node)]
#[node(namespace = "lib.json", title = "Load JSON Folder", kind = Generate, uncached)]
pub(super) struct LoadJSONAssets {
    /// The folder.
    folder: FolderRef,
}

/// A file and its name.
#[derive(Outputs)]
pub(super) struct File {
    #[slot(ty = "dict")]
    json: Value,
    name: Arc<str>,
}

impl Generate for LoadJSONAssets {
    type Output = File;

    async fn generate(self, out: &Emitter<'_, File>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.folder.is_empty() {
            return Err(NodeError::bad("folder", "Please select an asset folder"));
        }
        let assets = &cx.services().assets;
        for file in assets.list(&self.folder.0).await? {
            if !file.content_type.contains("json") {
                continue;
            }
            let name: Arc<str> = file.name.into();
            let bytes = assets.read(&file.reference).await?;
            let wrong = |e: String| NodeError::bad("folder", format!("asset {name:?}: {e}"));
            let json = work(bytes.len(), move || Ok(read_bytes(&bytes))).await?;
            let json = json.map_err(wrong)?;
            if json.as_map().is_none() {
                return Err(wrong(format!("{} (expected an object)", json.kind())));
            }
            out.emit(File { json, name }).await?;
        }
        Ok(())
    }
}

fn read_bytes(bytes: &[u8]) -> Result<Value, String> {
    read(std::str::from_utf8(bytes).map_err(|e| format!("not text: {e}"))?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nodetool_sdk::services::{Assets, ListedAsset, NewAsset, Services};
    use nodetool_sdk::testing::{case, context_with};
    use nodetool_sdk::{BoxFuture, Map};

    use super::*;

    /// A folder whose files hold their own names.
    struct Folder(&'static [&'static str]);

    impl Assets for Folder {
        fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            let text = reference.as_str().unwrap().to_owned();
            Box::pin(async { Ok(Bytes::from(text)) })
        }
        fn create<'a>(&'a self, _: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            Box::pin(async { Err(NodeError::new("read only")) })
        }
        fn list<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
            let file = |text: &&str, content_type: &str| ListedAsset {
                name: text.to_string(),
                content_type: content_type.into(),
                reference: Value::from(*text),
            };
            let mut found = vec![file(&"picture", "image/png")];
            found.extend(self.0.iter().map(|text| file(text, "application/json")));
            Box::pin(async { Ok(found) })
        }
    }

    async fn load(files: &'static [&'static str]) -> Result<Vec<Map>, NodeError> {
        let services = Services {
            assets: Arc::new(Folder(files)),
            ..Services::none()
        };
        case::<LoadJSONAssets>()
            .set("folder", Value::map([("asset_id", Value::from("f"))]))
            .within(context_with(services, None))
            .run()
            .await
    }

    #[tokio::test]
    async fn each_file_comes_with_its_name() {
        let files = load(&["{\"a\":1}", "{}"]).await.unwrap();
        assert_eq!(files.len(), 2);
        assert_eq!(files[0]["json"], Value::map([("a", Value::from(1i64))]));
        assert_eq!(files[1]["name"], Value::from("{}"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_object_is_refused_by_name() {
        for file in [&["[]"] as &[&str], &["{"]] {
            let error = load(file).await.unwrap_err().to_string();
            assert!(error.contains(&format!("asset {:?}", file[0])), "{error}");
        }
    }
}
