//! Files in what a controlled node gives: they become assets, so that a model has an address to name them by.
//!
//! A model is shown no bytes. Without an address it could not put a picture it had drawn into a page it writes. It must
//! not know tools or models.

use bytes::Bytes;
use nodetool_sdk::media_type::sniff;
use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{Map, NodeCx, Severity, Value};

/// Most files of one result that are stored; what is left has no address.
const MAX_FILES: usize = 64;
/// Longest name of a file, in characters, without its number and ending.
const MAX_NAME: usize = 80;
/// What carries files.
const KINDS: [&str; 4] = ["image", "audio", "video", "document"];

/// A result whose files are references to assets. What cannot be stored stays as it is, and the log says so.
pub(super) async fn stored(cx: &NodeCx, name: &str, result: Value) -> Value {
    let mut files = Vec::new();
    gather(&result, &mut files);
    if files.is_empty() {
        return result;
    }
    let mut references = Vec::with_capacity(files.len());
    for (number, (kind, data)) in files.into_iter().enumerate() {
        let stored = cx
            .services()
            .assets
            .create(asset(cx, name, number, kind, data));
        references.push(match stored.await {
            Ok(reference) => Some(reference),
            Err(e) => {
                let line = format!("The {kind} of {name} has no address for the model: {e}");
                cx.log(Severity::Warning, line);
                None
            }
        });
    }
    with(result, &mut references.into_iter())
}

fn asset(cx: &NodeCx, name: &str, number: usize, kind: &'static str, data: Bytes) -> NewAsset {
    let mime = sniff(&data).unwrap_or("application/octet-stream");
    let ending = match mime.rsplit('/').next().unwrap_or_default() {
        "jpeg" => "jpg",
        "mpeg" => "mp3",
        "octet-stream" => "bin",
        other => other,
    };
    let name: String = name
        .chars()
        .map(|c| match c.is_alphanumeric() {
            true => c,
            false => '-',
        })
        .take(MAX_NAME)
        .collect();
    NewAsset {
        kind,
        name: format!("{name}-{}.{ending}", number + 1),
        content_type: mime.to_owned(),
        data,
        parent_id: None,
        node_id: Some(cx.node.id.clone()),
    }
}

/// The file an object carries itself.
fn carried(map: &Map) -> Option<(&'static str, Bytes)> {
    let tag = map.get("type")?.as_str()?;
    let kind = KINDS.into_iter().find(|kind| *kind == tag)?;
    Some((kind, map.get("data")?.as_bytes()?.clone()))
}

fn gather(value: &Value, files: &mut Vec<(&'static str, Bytes)>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| gather(item, files)),
        Value::Map(map) => match carried(map) {
            Some(file) if files.len() < MAX_FILES => files.push(file),
            Some(_) => {}
            None => map.values().for_each(|item| gather(item, files)),
        },
        _ => {}
    }
}

/// The value with the references in the place of files, in the order they were gathered in.
fn with(value: Value, references: &mut dyn Iterator<Item = Option<Value>>) -> Value {
    match value {
        Value::List(items) => Value::list(
            items
                .iter()
                .map(|item| with(item.clone(), references))
                .collect::<Vec<_>>(),
        ),
        Value::Map(map) if carried(&map).is_some() => {
            references.next().flatten().unwrap_or(Value::Map(map))
        }
        Value::Map(map) => map
            .iter()
            .map(|(key, item)| (key.clone(), with(item.clone(), references)))
            .collect::<Map>()
            .into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use nodetool_sdk::services::{Assets, Services};
    use nodetool_sdk::testing::{context, context_with};
    use nodetool_sdk::{BoxFuture, NodeError};

    use super::*;

    /// Numbers what it is given.
    #[derive(Default)]
    struct Numbered(Mutex<Vec<NewAsset>>);

    impl Assets for Numbered {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Err(NodeError::new("nothing is read")) })
        }
        fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            let mut all = self.0.lock().unwrap();
            let uri = format!("/api/storage/{}", all.len());
            let kind = asset.kind;
            all.push(asset);
            Box::pin(async move { Ok(Value::map([("type", kind.into()), ("uri", uri.into())])) })
        }
    }

    fn image(data: &'static [u8]) -> Value {
        Value::map([
            ("type", "image".into()),
            ("uri", "".into()),
            ("data", Bytes::from_static(data).into()),
        ])
    }

    fn result() -> Value {
        let plain = Value::map([
            ("type", "image".into()),
            ("uri", "https://e.org/a.png".into()),
        ]);
        let list = Value::list([image(b"\x89PNG\r\n\x1a\nab"), plain, image(b"?")]);
        Value::map([("output", list), ("count", 3i64.into())])
    }

    #[tokio::test]
    async fn files_become_assets_in_their_places_and_the_rest_stays() {
        let shelf = Arc::new(Numbered::default());
        let services = Services {
            assets: shelf.clone(),
            ..Services::none()
        };
        let cx = context_with(services, None);
        let given = stored(&cx, "Hero Image (16:9)", result()).await;
        assert_eq!(
            serde_json::to_string(&given).unwrap(),
            r#"{"output":[{"type":"image","uri":"/api/storage/0"},{"type":"image","uri":"https://e.org/a.png"},{"type":"image","uri":"/api/storage/1"}],"count":3}"#
        );
        let made = shelf.0.lock().unwrap();
        let names: Vec<_> = made.iter().map(|a| (&*a.name, &*a.content_type)).collect();
        let want = [
            ("Hero-Image--16-9--1.png", "image/png"),
            ("Hero-Image--16-9--2.bin", "application/octet-stream"),
        ];
        assert_eq!(names, want);
    }

    #[tokio::test]
    async fn where_nothing_can_be_stored_the_result_is_as_it_was() {
        assert_eq!(stored(&context(), "Hero", result()).await, result());
    }
}
