//! The table a property holds, from wherever it lies: in the value itself or in a stored file.

use bytes::Bytes;
use nodetool_sdk::{DataframeRef, NodeCx, NodeError, Value};

use super::csv;
use super::frame::Frame;

/// A table that is at hand but not read yet.
pub(crate) struct Table {
    property: &'static str,
    source: Source,
}

enum Source {
    Inline(Value),
    File(Bytes),
}

impl Table {
    /// Takes the value of a property; fetches the file of a reference without rows.
    pub(crate) async fn open(
        property: &'static str,
        table: DataframeRef,
        cx: &NodeCx,
    ) -> Result<Table, NodeError> {
        let here = |key: &str| table.0.get(key).is_some_and(|v| !v.is_null());
        let elsewhere = !table.text("uri").is_empty() || here("asset_id");
        let source = if elsewhere && !["data", "rows"].into_iter().any(here) {
            let bytes = cx.services().assets.read(&table.0).await;
            Source::File(bytes.map_err(|e| {
                NodeError::bad(property, format!("the table cannot be fetched: {e}"))
            })?)
        } else {
            Source::Inline(table.0)
        };
        Ok(Table { property, source })
    }

    /// About how many cells there are.
    pub(crate) fn cells(&self) -> usize {
        let list = |v: &Value| v.as_list().map(<[Value]>::len);
        match &self.source {
            Source::File(bytes) => bytes.len() / 4,
            Source::Inline(v) => {
                let rows =
                    list(v).or_else(|| ["data", "rows"].iter().find_map(|k| list(v.get(k)?)));
                let columns = v.get("columns").and_then(list).unwrap_or(8);
                rows.unwrap_or(0).saturating_mul(columns.max(1))
            }
        }
    }

    /// Reads it.
    pub(crate) fn read(self) -> Result<Frame, NodeError> {
        match self.source {
            Source::Inline(value) => Frame::from_value(&value),
            Source::File(bytes) => from_bytes(&bytes),
        }
        .map_err(|e| NodeError::bad(self.property, e))
    }
}

/// A table from a stored file: JSON when it looks like it, else CSV.
fn from_bytes(bytes: &[u8]) -> Result<Frame, String> {
    let start = bytes.iter().find(|b| !b.is_ascii_whitespace());
    if matches!(start, Some(b'{' | b'['))
        && let Ok(value) = serde_json::from_slice::<Value>(bytes)
    {
        return Frame::from_value(&value);
    }
    csv::read_bytes(bytes)
}

/// The table as a node gives it.
pub(super) fn written(frame: Frame) -> DataframeRef {
    DataframeRef(frame.into_value())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::services::{Assets, NewAsset, Services};
    use nodetool_sdk::testing::{context, context_with};

    use super::*;

    struct OneFile(&'static str);

    impl Assets for OneFile {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Ok(Bytes::from_static(self.0.as_bytes())) })
        }
        fn create<'a>(&'a self, _: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            Box::pin(async { Err("read only".into()) })
        }
    }

    fn reference() -> DataframeRef {
        DataframeRef(
            serde_json::from_str(r#"{"type":"dataframe","uri":"asset://1","data":null}"#).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_stored_table_is_read_whether_it_is_csv_or_json() {
        for text in [
            "a\n1\n",
            r#" [{"a": 1}]"#,
            r#"{"columns":["a"],"data":[[1]]}"#,
        ] {
            let services = Services {
                assets: Arc::new(OneFile(text)),
                ..Services::none()
            };
            let cx = context_with(services, None);
            let table = Table::open("df", reference(), &cx).await.unwrap();
            assert_eq!(table.read().unwrap().row(0).get("a"), Some(&1i64.into()));
        }
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_fetched_is_an_error_and_an_unset_one_is_empty() {
        let e = Table::open("df", reference(), &context())
            .await
            .err()
            .unwrap();
        assert!(e.to_string().contains("`df`"), "{e}");
        let unset = Table::open("df", DataframeRef::default(), &context()).await;
        assert!(unset.unwrap().read().unwrap().is_empty());
    }
}
