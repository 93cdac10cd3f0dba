//! Assets of the user.

use bytes::Bytes;
use nodetool_sdk::Value;
use nodetool_sdk::services::NewAsset;
use nodetool_store::{AssetFilter, AssetRow};

use super::Desk;
use super::arguments::{Arguments, cut};
use crate::services::{AssetError, AssetOrigin};

/// Largest asset that is read.
const MOST_BYTES: u64 = 8 << 20;
/// Characters of an asset that are given.
const MOST_CHARS: usize = 100_000;
/// Largest text that is saved.
const MOST_SAVED: usize = 16 << 20;

pub(super) fn told(error: AssetError) -> String {
    match error {
        AssetError::NotFound => "asset_id: there is no such asset".into(),
        AssetError::Store(e) => {
            tracing::error!(error = %e, "the store failed for a tool");
            "the assets cannot be read; the server's log says why".into()
        }
        error => error.to_string(),
    }
}

impl Desk {
    fn shown(&self, row: &AssetRow) -> Value {
        Value::map([
            ("id", Value::from(row.id.as_str())),
            ("name", row.name.as_str().into()),
            ("content_type", row.content_type.as_str().into()),
            ("size", row.size.into()),
            ("parent_id", row.parent_id.as_str().into()),
            ("uri", self.house.assets.address(row).into()),
        ])
    }

    pub(super) async fn list_assets(&self, arguments: &Arguments) -> Result<Value, String> {
        let filter = AssetFilter {
            parent_id: arguments.given("parent_id").map(str::to_owned),
            content_type: arguments.given("content_type").map(str::to_owned),
            name_contains: arguments.given("query").map(str::to_owned),
            ..AssetFilter::default()
        };
        let limit = arguments.count("limit", 50, 200).max(1);
        let caller = &self.scope.caller;
        // Without a folder a search goes through all of them.
        let page = match (&filter.parent_id, arguments.given("query")) {
            (None, Some(query)) => {
                let kind = filter.content_type.clone();
                let found = self.house.assets.search(caller, query, kind, limit, "");
                let found = found.await.map_err(told)?;
                found.rows.into_iter().map(|placed| placed.row).collect()
            }
            _ => {
                let page = self.house.assets.list(caller, filter, limit, "").await;
                page.map_err(told)?.rows
            }
        };
        let assets = Value::list(page.iter().map(|row| self.shown(row)));
        Ok(Value::map([("assets", assets)]))
    }

    pub(super) async fn get_asset(&self, arguments: &Arguments) -> Result<Value, String> {
        let id = arguments.text("asset_id");
        let row = self
            .house
            .assets
            .get(&self.scope.caller, id)
            .await
            .map_err(told)?;
        Ok(self.shown(&row))
    }

    pub(super) async fn read_asset(&self, arguments: &Arguments) -> Result<Value, String> {
        let id = arguments.text("asset_id");
        let (row, blob) = self
            .house
            .assets
            .open_asset(&self.scope.caller, id)
            .await
            .map_err(told)?;
        let size = blob.info().size;
        if size > MOST_BYTES {
            return Err(format!(
                "the asset has {size} bytes; at most {MOST_BYTES} are read"
            ));
        }
        let bytes = blob
            .read_all()
            .collect(MOST_BYTES)
            .await
            .map_err(|e| e.to_string())?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(format!(
                "the asset is {}, which is no text",
                row.content_type
            ));
        };
        let (content, left_out) = cut(text, MOST_CHARS);
        Ok(Value::map([
            ("name", Value::from(row.name)),
            ("content", content.into()),
            ("truncated", left_out.into()),
        ]))
    }

    pub(super) async fn save_text_asset(&self, arguments: &Arguments) -> Result<Value, String> {
        let content = arguments.text("content");
        if content.len() > MOST_SAVED {
            return Err(format!("content: expected at most {MOST_SAVED} bytes"));
        }
        let Some(name) = arguments.given("name") else {
            return Err("name: expected a file name".into());
        };
        let kind = arguments.given("content_type").unwrap_or("text/plain");
        let origin = AssetOrigin {
            caller: self.scope.caller.clone(),
            workflow_id: None,
            job_id: None,
        };
        let assets = self.house.assets.of_run(origin);
        let saved = assets.create(NewAsset {
            kind: "text",
            name: name.to_owned(),
            content_type: kind.to_owned(),
            data: Bytes::copy_from_slice(content.as_bytes()),
            parent_id: arguments.given("parent_id").map(str::to_owned),
            node_id: None,
        });
        saved.await.map_err(|e| e.to_string())
    }
}
