//! `nodetool.list.SaveList`.

use nodetool_sdk::compat::py_str;
use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{Node, NodeCx, NodeError, Process, TextRef, Value};

use super::items::Items;
use crate::{bounds, extent, file_name};

/// Stores a list as a text file, one item per line.
/// list, save, text, file, lines, asset
#[derive(Node)]
#[node(namespace = "nodetool.list", uncached, effect = "idempotent")]
pub(super) struct SaveList {
    /// The list.
    values: Items,
    /// Name of the file; marks such as %Y or %H become parts of the date and time.
    #[prop(default = "text.txt")]
    name: String,
}

impl Process for SaveList {
    type Output = TextRef;

    async fn process(self, cx: &NodeCx) -> Result<TextRef, NodeError> {
        let name = file_name::dated("name", &self.name)?;
        let values = self.values;
        let data = bounds::blocking(move || {
            extent::text("values", &Value::List(values.0.clone()), 0)?;
            let lines: Vec<String> = values.iter().map(py_str).collect();
            Ok(lines.join("\n"))
        })
        .await?;
        let asset = NewAsset {
            kind: "text",
            name: name.clone(),
            content_type: "text/plain".into(),
            data: data.into(),
            parent_id: None,
            node_id: Some(cx.node.id.clone()),
        };
        let stored = cx.services().assets.create(asset).await?;
        cx.saved(&name, stored.clone());
        Ok(TextRef(stored))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Assets, Services};
    use nodetool_sdk::testing::{case, context_with};

    use super::*;

    #[derive(Default)]
    struct Shelf(Mutex<Vec<(String, Bytes)>>);

    impl Assets for Shelf {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Err("nothing is read here".into()) })
        }
        fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            self.0.lock().unwrap().push((asset.name, asset.data));
            Box::pin(async { Ok(Value::map([("type", Value::from("text"))])) })
        }
    }

    #[tokio::test]
    async fn items_become_lines_as_python_prints_them() {
        let shelf = Arc::new(Shelf::default());
        let services = Services {
            assets: shelf.clone(),
            ..Services::none()
        };
        let values = Value::list(["é".into(), Value::Null, 1.0.into()]);
        let case = case::<SaveList>()
            .set("values", values)
            .set("name", "%%.txt");
        case.within(context_with(services, None))
            .value()
            .await
            .unwrap();
        let stored = shelf.0.lock().unwrap().pop().unwrap();
        assert_eq!(stored, ("%.txt".into(), Bytes::from("é\nNone\n1.0")));
    }
}
