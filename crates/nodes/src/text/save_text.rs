//! `nodetool.text.SaveText`.

use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{FolderRef, Node, NodeCx, NodeError, Process, TextRef};

use super::fits;
use crate::file_name;

/// Stores a text as an asset.
/// text, save, asset, store, file
#[derive(Node)]
#[node(namespace = "nodetool.text", uncached, effect = "idempotent")]
pub(super) struct SaveText {
    /// The text.
    text: String,
    /// The asset folder it goes to.
    folder: FolderRef,
    /// Name of the asset; marks such as %Y, %m, %d, %H, %M and %S become parts of the date and time.
    #[prop(default = "%Y-%m-%d-%H-%M-%S.txt")]
    name: String,
}

impl Process for SaveText {
    type Output = TextRef;

    async fn process(self, cx: &NodeCx) -> Result<TextRef, NodeError> {
        let name = file_name::dated("name", &self.name)?;
        fits("text", self.text.len())?;
        let folder = Some(self.folder.text("asset_id")).filter(|id| !id.is_empty());
        let asset = NewAsset {
            kind: "text",
            name: name.clone(),
            content_type: "text/plain".into(),
            parent_id: folder.map(str::to_owned),
            data: self.text.into(),
            node_id: Some(cx.node.id.clone()),
        };
        let stored = cx.services().assets.create(asset).await?;
        cx.saved(&name, stored.clone());
        Ok(TextRef(stored))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::Value;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context_with};

    use super::*;
    use crate::text::shelf::Shelf;

    #[tokio::test]
    async fn the_asset_has_the_dated_name_and_the_folder() {
        let shelf = Arc::new(Shelf::default());
        let services = Services {
            assets: shelf.clone(),
            ..Services::none()
        };
        let folder =
            Value::map([("type", "folder"), ("asset_id", "f1")].map(|(k, v)| (k, v.into())));
        let stored = case::<SaveText>()
            .set("text", "é")
            .set("folder", folder)
            .set("name", "%%-%Y.txt")
            .within(context_with(services, None))
            .value()
            .await
            .unwrap();
        assert_eq!(stored.type_tag(), Some("text"));
        let asset = shelf.created.lock().unwrap().pop().unwrap();
        assert!(
            asset.name.starts_with("%-2") && asset.name.ends_with(".txt"),
            "{}",
            asset.name
        );
        assert_eq!(
            (asset.parent_id.as_deref(), &asset.data[..]),
            (Some("f1"), "é".as_bytes())
        );
    }
}
