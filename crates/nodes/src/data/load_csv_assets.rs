//! `nodetool.data.LoadCSVAssets`.

use nodetool_sdk::{DataframeRef, Emitter, FolderRef, Generate, Node, NodeCx, NodeError, Outputs};

use super::table::written;
use super::{csv, work};

/// Reads the CSV files of an asset folder one by one.
/// load, folder, assets, csv, dataframe
#[derive(Node)]
#[node(namespace = "nodetool.data", title = "Load CSV Assets", kind = Generate, tool)]
pub(super) struct LoadCSVAssets {
    /// The asset folder.
    folder: FolderRef,
}

/// One file.
#[derive(Outputs)]
pub(super) struct File {
    dataframe: DataframeRef,
    name: String,
}

impl Generate for LoadCSVAssets {
    type Output = File;

    async fn generate(self, out: &Emitter<'_, File>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.folder.is_empty() {
            return Err(NodeError::bad(
                "folder",
                "no folder is chosen (expected an asset folder)",
            ));
        }
        let assets = &cx.services().assets;
        for asset in assets.list(&self.folder.0).await? {
            let named = asset.name.to_ascii_lowercase().ends_with(".csv");
            if !named && !asset.content_type.starts_with("text/csv") {
                continue;
            }
            let bytes = assets.read(&asset.reference).await?;
            let name = asset.name.clone();
            let dataframe = work::run(bytes.len() / 4, move |_| {
                let frame = csv::read_bytes(&bytes);
                let frame = frame.map_err(|e| NodeError::bad("folder", format!("{name}: {e}")))?;
                Ok(written(frame))
            })
            .await?;
            out.emit(File {
                dataframe,
                name: asset.name,
            })
            .await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use nodetool_sdk::services::{Assets, ListedAsset, NewAsset, Services};
    use nodetool_sdk::testing::{case, context_with};
    use nodetool_sdk::{BoxFuture, Value};

    use super::*;

    struct Folder;

    impl Assets for Folder {
        fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            let text = format!("n\n{}\n", reference.as_str().unwrap_or_default());
            Box::pin(async { Ok(text.into()) })
        }
        fn create<'a>(&'a self, _: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            Box::pin(async { Err("read only".into()) })
        }
        fn list<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
            let files = [
                ("a.CSV", "", "1"),
                ("b.png", "image/png", "2"),
                ("c", "text/csv; x", "3"),
            ];
            let files = files.map(|(name, content_type, reference)| ListedAsset {
                name: name.into(),
                content_type: content_type.into(),
                reference: reference.into(),
            });
            Box::pin(async move { Ok(files.into()) })
        }
    }

    #[tokio::test]
    async fn only_csv_files_are_read_and_each_comes_with_its_name() {
        let services = Services {
            assets: Arc::new(Folder),
            ..Services::none()
        };
        let files = case::<LoadCSVAssets>()
            .set("folder", Value::map([("asset_id", Value::from("f"))]))
            .within(context_with(services, None))
            .run()
            .await
            .unwrap();
        let files: Vec<String> = files
            .iter()
            .map(|f| format!("{:?} {:?}", f["name"], f["dataframe"].get("data")))
            .collect();
        assert_eq!(files, [r#""a.CSV" Some([[1]])"#, r#""c" Some([[3]])"#]);
        let e = case::<LoadCSVAssets>().run().await.unwrap_err().to_string();
        assert!(e.contains("`folder`"), "{e}");
    }
}
