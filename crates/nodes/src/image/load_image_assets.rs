//! `nodetool.image.LoadImageAssets`.

use nodetool_sdk::{Emitter, FolderRef, Generate, ImageRef, Node, NodeCx, NodeError, Outputs};

/// Gives the pictures of an asset folder one by one.
/// image, load, assets, folder, files
#[derive(Node)]
#[node(namespace = "nodetool.image", kind = Generate)]
pub(super) struct LoadImageAssets {
    /// The asset folder.
    folder: FolderRef,
}

/// An asset.
#[derive(Outputs)]
pub(super) struct Asset {
    image: ImageRef,
    name: String,
}

impl Generate for LoadImageAssets {
    type Output = Asset;

    async fn generate(self, out: &Emitter<'_, Asset>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.folder.text("asset_id").is_empty() && self.folder.text("uri").is_empty() {
            let message = "no folder is chosen (expected an asset folder)";
            return Err(NodeError::bad("folder", message));
        }
        for asset in cx.services().assets.list(&self.folder.0).await? {
            if asset.content_type.starts_with("image/") {
                out.emit(Asset {
                    image: ImageRef(asset.reference),
                    name: asset.name,
                })
                .await?;
            }
        }
        Ok(())
    }
}
