//! `nodetool.image.SaveImage`.

use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{FolderRef, ImageRef, Node, NodeCx, NodeError, Process};

use crate::file_name;
use crate::picture::{Picture, required, work};

/// Stores a picture as an asset.
/// image, save, asset, store, file
#[derive(Node)]
#[node(
    namespace = "nodetool.image",
    title = "Save Image Asset",
    uncached,
    effect = "idempotent"
)]
pub(super) struct SaveImage {
    /// The picture.
    image: ImageRef,
    /// The asset folder it goes to.
    folder: FolderRef,
    /// Name of the asset; marks such as %Y, %m, %d, %H, %M and %S become parts of the date and time.
    #[prop(default = "%Y-%m-%d_%H-%M-%S.png")]
    name: String,
}

impl Process for SaveImage {
    type Output = ImageRef;

    async fn process(self, cx: &NodeCx) -> Result<ImageRef, NodeError> {
        let name = file_name::dated("name", &self.name)?;
        let file = required(cx, "image", &self.image).await?;
        // Assets are kept as PNG, so that their name says what they are.
        let data = work(move || {
            if file.starts_with(b"\x89PNG\r\n\x1a\n") {
                return Ok(file);
            }
            Picture::decode("image", &file)?.encode()
        })
        .await?;
        let folder = Some(self.folder.text("asset_id")).filter(|id| !id.is_empty());
        let asset = NewAsset {
            kind: "image",
            name: name.clone(),
            content_type: "image/png".into(),
            parent_id: folder.map(str::to_owned),
            data,
            node_id: Some(cx.node.id.clone()),
        };
        let stored = cx.services().assets.create(asset).await?;
        cx.saved(&name, stored.clone());
        Ok(ImageRef(stored))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;
    use crate::picture::testing::painted;
    use crate::text::shelf::Shelf;

    #[tokio::test]
    async fn the_picture_is_stored_under_its_name() {
        let shelf = Arc::new(Shelf::default());
        let services = Services {
            assets: shelf.clone(),
            ..Services::none()
        };
        let image = painted(1, 1, |_, _| [1, 2, 3, 255]);
        let case = case::<SaveImage>().set("image", image.0.clone());
        let cx = context_with(services, None);
        case.set("name", "dot.png").within(cx).run().await.unwrap();
        let created = shelf.created.lock().unwrap();
        assert_eq!(created.len(), 1);
        assert_eq!(
            (&*created[0].name, &*created[0].content_type),
            ("dot.png", "image/png")
        );
        assert_eq!(Some(&created[0].data), image.get("data").as_bytes());
    }
}
