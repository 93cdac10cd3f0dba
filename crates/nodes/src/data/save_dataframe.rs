//! `nodetool.data.SaveDataframe`.

use std::sync::Arc;

use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{DataframeRef, FolderRef, Node, NodeCx, NodeError, Process, Value};

use super::table::{Table, written};
use super::{csv, work};
use crate::file_name::stamped;

/// Stores a table as a CSV asset.
/// csv, asset, folder, save, export
#[derive(Node)]
#[node(namespace = "nodetool.data", tool, uncached, effect = "idempotent")]
pub(super) struct SaveDataframe {
    /// The table.
    df: DataframeRef,
    /// Asset folder to store it in.
    folder: FolderRef,
    /// Name of the asset; %Y, %m, %d, %H, %M, %S stand for the date and time of storing.
    #[prop(default = "output.csv")]
    name: String,
}

impl Process for SaveDataframe {
    type Output = DataframeRef;

    async fn process(self, cx: &NodeCx) -> Result<DataframeRef, NodeError> {
        let name = stamped(self.name.trim());
        if name.is_empty() {
            return Err(NodeError::bad(
                "name",
                "empty (expected a name such as table.csv)",
            ));
        }
        let parent_id = match self.folder.text("asset_id") {
            "" => None,
            id => Some(id.to_owned()),
        };
        let table = Table::open("df", self.df, cx).await?;
        let (text, mut saved) = work::run(table.cells(), move |_| {
            let frame = table.read()?;
            let text = csv::write(&frame).map_err(|e| NodeError::bad("df", e))?;
            Ok((text, written(frame)))
        })
        .await?;
        let asset = NewAsset {
            kind: DataframeRef::TAG,
            name: name.clone(),
            content_type: "text/csv".into(),
            data: text.into(),
            parent_id,
            node_id: Some(cx.node.id.clone()),
        };
        let reference = cx.services().assets.create(asset).await?;
        // The rows stay in the value, so that the next node need not fetch them.
        if let Value::Map(map) = &mut saved.0 {
            let map = Arc::make_mut(map);
            for key in ["uri", "asset_id", "metadata"] {
                if let Some(value) = reference.get(key) {
                    map.insert(key.into(), value.clone());
                }
            }
        }
        cx.saved(&name, saved.0.clone());
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Assets, Services};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[derive(Default)]
    struct Shelf(Mutex<Vec<NewAsset>>);

    impl Assets for Shelf {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Err("write only".into()) })
        }
        fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            self.0.lock().unwrap().push(asset);
            let reference = [
                ("type", "dataframe"),
                ("uri", "asset://7.csv"),
                ("asset_id", "7"),
            ];
            let reference = Value::map(reference.map(|(k, v)| (k, Value::from(v))));
            Box::pin(async { Ok(reference) })
        }
    }

    #[tokio::test]
    async fn the_table_is_stored_and_keeps_its_rows() {
        let shelf = Arc::new(Shelf::default());
        let services = Services {
            assets: shelf.clone(),
            ..Services::none()
        };
        let out = case::<SaveDataframe>()
            .set(
                "df",
                serde_json::from_str::<Value>(r#"{"rows":[{"a":1}]}"#).unwrap(),
            )
            .set("folder", Value::map([("asset_id", Value::from("f"))]))
            .within(context_with(services, None))
            .value()
            .await
            .unwrap();
        assert_eq!(out.get("asset_id"), Some(&"7".into()));
        assert_eq!(format!("{:?}", out.get("data").unwrap()), "[[1]]");
        let stored = shelf.0.lock().unwrap();
        assert_eq!(
            (stored[0].name.as_str(), &stored[0].data[..]),
            ("output.csv", &b"a\n1\n"[..])
        );
        assert_eq!(stored[0].parent_id.as_deref(), Some("f"));
    }
}
