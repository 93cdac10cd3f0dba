//! Files by their key: contents of the user's assets, and temporary files of theirs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::Value;
use nodetool_store::{Blob, BlobKey};

use super::Desk;
use super::arguments::Arguments;
use super::assets::told;
use crate::services::{AssetError, Bucket, Reach, TimeText};

/// Largest file that is given.
const MOST_BYTES: u64 = 8 << 20;

fn fault(error: AssetError) -> String {
    match error {
        AssetError::NotFound | AssetError::NoContents => "key: there is no such file".into(),
        error => told(error),
    }
}

impl Desk {
    async fn open(&self, arguments: &Arguments) -> Result<(BlobKey, Blob, String), String> {
        let Some(key) = arguments.given("key") else {
            return Err("key: expected the name of a file, a text".into());
        };
        let key = BlobKey::parse(key).map_err(|e| format!("key: {e}"))?;
        let bucket = match arguments.flag("temporary") {
            true => Bucket::Temp,
            false => Bucket::Assets,
        };
        // What other users and the server itself keep stays theirs, whoever administers.
        let mut caller = self.scope.caller.clone();
        caller.admin = false;
        let reach = Reach::Own(caller);
        let opened = self.house.assets.open_key(&reach, bucket, &key).await;
        let (blob, content_type) = opened.map_err(fault)?;
        Ok((key, blob, content_type))
    }

    pub(super) async fn get_file_metadata(&self, arguments: &Arguments) -> Result<Value, String> {
        let (key, blob, content_type) = self.open(arguments).await?;
        let info = blob.info();
        let modified: chrono::DateTime<chrono::Utc> = info.modified.into();
        Ok(Value::map([
            ("key", Value::from(key.as_str())),
            ("size", i64::try_from(info.size).unwrap_or(i64::MAX).into()),
            ("content_type", content_type.into()),
            ("modified_at", modified.to_rfc3339().into()),
            ("etag", info.etag.as_str().into()),
        ]))
    }

    pub(super) async fn download_file_from_storage(
        &self,
        arguments: &Arguments,
    ) -> Result<Value, String> {
        let (key, blob, content_type) = self.open(arguments).await?;
        let size = blob.info().size;
        if size > MOST_BYTES {
            return Err(format!(
                "the file has {size} bytes; at most {MOST_BYTES} are given"
            ));
        }
        let bytes = blob.read_all().collect(MOST_BYTES).await;
        let bytes = bytes.map_err(|e| e.to_string())?;
        let (encoding, content) = match std::str::from_utf8(&bytes) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("base64", STANDARD.encode(&bytes)),
        };
        Ok(Value::map([
            ("key", Value::from(key.as_str())),
            ("size", i64::try_from(size).unwrap_or(i64::MAX).into()),
            ("content_type", content_type.into()),
            ("encoding", encoding.into()),
            ("content", content.into()),
        ]))
    }

    pub(super) async fn list_storage_files(&self, arguments: &Arguments) -> Result<Value, String> {
        let limit = arguments.count("limit", 100, 500).max(1);
        let cursor = arguments.text("cursor").trim();
        let page = self
            .house
            .assets
            .files(&self.scope.caller, limit, cursor)
            .await;
        let page = page.map_err(fault)?;
        let time = |micros: i64| {
            let text = serde_json::to_value(TimeText(micros)).unwrap_or_default();
            Value::from(text.as_str().unwrap_or_default())
        };
        let files = page.rows.iter().map(|row| {
            Value::map([
                ("key", Value::from(row.file_id.as_str())),
                ("name", row.name.as_str().into()),
                ("size", row.size.into()),
                ("content_type", row.content_type.as_str().into()),
                ("asset_id", row.id.as_str().into()),
                ("modified_at", time(row.updated_at)),
            ])
        });
        Ok(Value::map([
            ("files", Value::list(files)),
            ("next", page.next.into()),
        ]))
    }
}
