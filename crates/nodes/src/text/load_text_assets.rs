//! `nodetool.text.LoadTextAssets`.

use nodetool_sdk::{Emitter, FolderRef, Generate, Node, NodeCx, NodeError, Outputs, TextRef};

/// Gives the texts of an asset folder one by one.
/// text, load, assets, folder, files
#[derive(Node)]
#[node(namespace = "nodetool.text", kind = Generate)]
pub(super) struct LoadTextAssets {
    /// The asset folder.
    folder: FolderRef,
}

/// An asset.
#[derive(Outputs)]
pub(super) struct Asset {
    text: TextRef,
    name: String,
}

impl Generate for LoadTextAssets {
    type Output = Asset;

    async fn generate(self, out: &Emitter<'_, Asset>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.folder.text("asset_id").is_empty() && self.folder.text("uri").is_empty() {
            return Err(NodeError::bad(
                "folder",
                "no folder is chosen (expected an asset folder)",
            ));
        }
        for asset in cx.services().assets.list(&self.folder.0).await? {
            if asset.content_type.starts_with("text/") {
                out.emit(Asset {
                    text: TextRef(asset.reference),
                    name: asset.name,
                })
                .await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::Value;
    use nodetool_sdk::services::{ListedAsset, Services};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;
    use crate::text::shelf::Shelf;

    #[tokio::test]
    async fn only_texts_of_the_folder_come_out() {
        let asset = |name: &str, content_type: &str| ListedAsset {
            name: name.into(),
            content_type: content_type.into(),
            reference: Value::map(
                [("type", "text"), ("asset_id", name)].map(|(k, v)| (k, v.into())),
            ),
        };
        let shelf = Shelf {
            listed: vec![
                asset("a.txt", "text/plain"),
                asset("b.png", "image/png"),
                asset("c.csv", "text/csv"),
            ],
            ..Shelf::default()
        };
        let services = Services {
            assets: Arc::new(shelf),
            ..Services::none()
        };
        let folder =
            Value::map([("type", "folder"), ("asset_id", "f")].map(|(k, v)| (k, v.into())));
        let case = case::<LoadTextAssets>().set("folder", folder);
        let found = case
            .within(context_with(services, None))
            .run()
            .await
            .unwrap();
        let names: Vec<&str> = found.iter().filter_map(|m| m["name"].as_str()).collect();
        assert_eq!(names, ["a.txt", "c.csv"]);
        assert_eq!(found[0]["text"].get("asset_id"), Some(&"a.txt".into()));
    }

    #[tokio::test]
    async fn without_a_folder_the_node_fails() {
        let e = case::<LoadTextAssets>().run().await.unwrap_err();
        assert!(e.to_string().contains("`folder`"), "{e}");
    }
}
