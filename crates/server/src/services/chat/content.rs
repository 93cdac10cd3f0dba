//! What a person says, made ready for the store: bytes become assets, addresses that are none are refused.

use bytes::Bytes;
use nodetool_protocol::{Map, Value};
use nodetool_sdk::services::Assets;

use super::ask::{AskFault, ChatAsk};
use crate::services::{base64_bytes, keep_media, mime_of};

/// The parts that hold an asset, and the tag of the asset.
const ASSETS: [(&str, &str, &str); 4] = [
    ("image_url", "image", "image"),
    ("audio", "audio", "audio"),
    ("video", "video", "video"),
    ("document", "document", "document"),
];

fn fault<T>(path: &str, reason: impl Into<String>) -> Result<T, AskFault> {
    Err(AskFault {
        path: path.to_owned(),
        reason: reason.into(),
    })
}

/// Puts references in the place of bytes, in the content and in files that came along.
pub(super) async fn keep(ask: &mut ChatAsk, assets: &dyn Assets) -> Result<(), AskFault> {
    if let Value::List(parts) = &ask.content {
        let mut kept = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            kept.push(keep_part(part, &format!("content.{at}"), assets).await?);
        }
        ask.content = Value::list(kept);
    }
    if let Some(Value::List(files)) = &ask.input_files {
        let mut kept = Vec::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            kept.push(keep_file(file, &format!("input_files.{at}"), assets).await?);
        }
        ask.input_files = Some(Value::list(kept));
    }
    Ok(())
}

/// Refuses addresses that are none, where nothing is stored.
pub(super) fn check(ask: &ChatAsk) -> Result<(), AskFault> {
    let parts = ask.content.as_list().unwrap_or_default();
    for (at, part) in parts.iter().enumerate() {
        let known = ASSETS.iter().find(|(tag, ..)| part.type_tag() == Some(tag));
        let Some((_, key, kind)) = known else {
            continue;
        };
        let asset = part.get(key).cloned().unwrap_or_default();
        let uri = asset.get("uri").and_then(Value::as_str).unwrap_or_default();
        let inline = asset.get("data").is_some_and(|data| !data.is_null());
        if !inline && !uri.starts_with("data:") {
            reference(&asset, kind, &format!("content.{at}.{key}"))?;
        }
    }
    Ok(())
}

async fn keep_part(part: &Value, path: &str, assets: &dyn Assets) -> Result<Value, AskFault> {
    let known = ASSETS.iter().find(|(tag, ..)| part.type_tag() == Some(tag));
    let (Some((tag, key, kind)), Some(map)) = (known, part.as_map()) else {
        return Ok(part.clone());
    };
    let asset = map.get(*key).cloned().unwrap_or_default();
    let asset = keep_asset(&asset, kind, &format!("{path}.{key}"), assets).await?;
    Ok(Value::map([("type", Value::from(*tag)), (*key, asset)]))
}

/// The reference of an asset object.
async fn keep_asset(
    asset: &Value,
    kind: &'static str,
    path: &str,
    assets: &dyn Assets,
) -> Result<Value, AskFault> {
    let text = |key: &str| asset.get(key).and_then(Value::as_str).unwrap_or_default();
    let uri = text("uri");
    let data = match asset.get("data") {
        None | Some(Value::Null) if uri.starts_with("data:") => match base64_bytes(uri) {
            Some(bytes) => Some(bytes),
            None => return fault(&format!("{path}.uri"), "expected base64 behind the comma"),
        },
        None | Some(Value::Null) => None,
        Some(Value::Str(text)) if text.is_empty() => None,
        Some(Value::Bytes(bytes)) if bytes.is_empty() => None,
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        Some(Value::Str(text)) => match base64_bytes(text) {
            Some(bytes) => Some(bytes),
            None => return fault(&format!("{path}.data"), "expected bytes or base64"),
        },
        Some(_) => return fault(&format!("{path}.data"), "expected bytes or base64"),
    };
    let Some(data) = data else {
        return reference(asset, kind, path);
    };
    let head = uri.strip_prefix("data:").unwrap_or_default();
    let called = head.split([';', ',']).next().unwrap_or_default();
    if kind == "image" && !is_image(&data, called) {
        return fault(path, "the data is no image that is known");
    }
    let kept = keep_media(kind, called, data, assets).await;
    kept.or_else(|e| fault(path, e.to_string()))
}

/// Whether bytes begin as an image does.
fn is_image(data: &Bytes, called: &str) -> bool {
    image::guess_format(data).is_ok() || (called == "image/svg+xml" && data.contains(&b'<'))
}

/// A reference as it is stored: the fields of an asset object and nothing else.
fn reference(asset: &Value, kind: &str, path: &str) -> Result<Value, AskFault> {
    let text = |key: &str| asset.get(key).and_then(Value::as_str).unwrap_or_default();
    let (uri, id) = (text("uri"), text("asset_id"));
    let known = ["asset://", "/api/storage/", "http://", "https://"];
    if uri.is_empty() && id.is_empty() {
        return fault(path, "expected data, a uri or an asset_id");
    }
    if uri.starts_with("memory://") {
        return fault(&format!("{path}.uri"), "Invalid asset reference");
    }
    if !uri.is_empty() && !known.iter().any(|begin| uri.starts_with(begin)) {
        let reason = "expected a data: URI, asset://…, /api/storage/… or an http address";
        return fault(&format!("{path}.uri"), reason);
    }
    let metadata = asset.get("metadata").cloned().unwrap_or_default();
    Ok(Value::map([
        ("type", Value::from(kind)),
        ("uri", uri.into()),
        ("asset_id", Some(id).filter(|id| !id.is_empty()).into()),
        ("data", Value::Null),
        ("metadata", metadata),
    ]))
}

/// A file that came along, with a reference in the place of its bytes.
async fn keep_file(file: &Value, path: &str, assets: &dyn Assets) -> Result<Value, AskFault> {
    let Some(map) = file.as_map() else {
        return fault(path, "expected an object");
    };
    let data = match map.get("content") {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        Some(Value::Str(text)) => base64_bytes(text),
        _ => None,
    };
    let Some(data) = data else {
        return fault(&format!("{path}.content"), "expected bytes or base64");
    };
    let mime = map.get("mime_type").and_then(Value::as_str);
    let mime = mime_of("", mime.unwrap_or_default(), &data);
    let kept = keep_media("asset", &mime, data, assets).await;
    let kept = kept.or_else(|e| fault(path, e.to_string()))?;
    let mut stored: Map = map.clone();
    stored.insert("content".into(), kept);
    stored.insert("mime_type".into(), mime.into());
    Ok(stored.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use nodetool_sdk::services::NewAsset;
    use nodetool_sdk::{BoxFuture, NodeError};

    use super::*;

    /// Keeps names of what is stored.
    #[derive(Default)]
    struct Shelf(Mutex<Vec<String>>);

    impl Assets for Shelf {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Ok(Bytes::new()) })
        }
        fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            let name = asset.name.clone();
            self.0.lock().unwrap().push(name.clone());
            Box::pin(async move { Ok(Value::map([("asset_id", Value::from(name))])) })
        }
    }

    const GIF: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

    fn image(fields: &[(&'static str, Value)]) -> ChatAsk {
        let image = Value::map(fields.iter().cloned());
        let part = Value::map([("type", "image_url".into()), ("image", image)]);
        ChatAsk {
            content: Value::list([part]),
            ..ChatAsk::default()
        }
    }

    #[tokio::test]
    async fn bytes_in_every_form_become_one_asset_by_what_is_in_them() {
        let shelf = Shelf::default();
        let bytes = base64_bytes(GIF).unwrap();
        for fields in [
            [("data", Value::Bytes(bytes))],
            [("data", GIF.into())],
            [("data", format!("data:image/gif;base64,{GIF}").into())],
            [("uri", format!("data:image/gif;base64,{GIF}").into())],
        ] {
            keep(&mut image(&fields), &shelf).await.unwrap();
        }
        let mut names = shelf.0.lock().unwrap().clone();
        assert_eq!(names.len(), 4);
        names.dedup();
        assert_eq!(names.len(), 1);
        assert!(names[0].ends_with(".gif"), "{names:?}");
    }

    #[tokio::test]
    async fn references_stay_and_what_is_none_is_refused_by_its_field() {
        let shelf = Shelf::default();
        let mut ask = image(&[("asset_id", "a1".into()), ("junk", 1i64.into())]);
        keep(&mut ask, &shelf).await.unwrap();
        let kept = &ask.content.as_list().unwrap()[0];
        let kept = kept.get("image").unwrap();
        assert_eq!(kept.get("asset_id"), Some(&"a1".into()));
        assert_eq!(kept.get("junk"), None);
        for (fields, path) in [
            (("uri", Value::from("memory://1")), "content.0.image.uri"),
            (("uri", "file:///etc/passwd".into()), "content.0.image.uri"),
            (("uri", "data:image/png,no".into()), "content.0.image.uri"),
            (("uri", "".into()), "content.0.image"),
            (("data", "!!".into()), "content.0.image.data"),
            (("data", "bm8gaW1hZ2U=".into()), "content.0.image"),
        ] {
            let told = keep(&mut image(&[fields]), &shelf).await.unwrap_err();
            assert_eq!(told.path, path);
        }
        assert!(shelf.0.lock().unwrap().is_empty());
    }
}
