//! How asset references leave a run: as they are, inlined, or as files and URLs (engine spec 4.20).

use std::sync::Arc;

use nodetool_sdk::protocol::encode_data_uri;
use nodetool_sdk::services::NewAsset;
use nodetool_sdk::{BoxFuture, Map, RunCx, Value, catalogue};

/// Largest payload a `node_update` carries inline.
const INLINE_CAP: usize = 4 * 1024 * 1024;

/// What happens to asset references in results and messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AssetMode {
    /// Nothing.
    #[default]
    Python,
    /// Payloads become base64 `data:` URIs; for text connections.
    DataUri,
    /// Payloads stay bytes; for binary connections.
    Raw,
    /// Payloads are stored and referred to by URL.
    StorageUrl,
    /// Payloads become files under `assets/` of the workspace.
    Workspace,
}

/// The MIME type and file ending of an asset's canonical bytes.
fn form(tag: &str) -> (&'static str, &'static str) {
    match tag {
        "image" => ("image/png", ".png"),
        "audio" => ("audio/wav", ".wav"),
        "video" => ("video/mp4", ".mp4"),
        "text" => ("text/plain", ".txt"),
        "html" => ("text/html", ".html"),
        "document" => ("application/pdf", ".pdf"),
        "json" | "dataframe" => ("application/json", ".json"),
        "svg" => ("image/svg+xml", ".svg"),
        "excel" => (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ".xlsx",
        ),
        "model_3d" => ("model/gltf-binary", ".glb"),
        _ => ("application/octet-stream", ".bin"),
    }
}

/// Whether a value can hold an asset at all; most cannot, and are left alone without a walk.
fn may_hold_assets(value: &Value) -> bool {
    match value {
        Value::Map(_) | Value::Bytes(_) => true,
        Value::List(items) => items.iter().any(may_hold_assets),
        _ => false,
    }
}

fn asset_tag(map: &Map) -> Option<&str> {
    map.get("type")
        .and_then(Value::as_str)
        .filter(|t| catalogue::is_asset(t) || *t == "asset")
}

/// Rewrites every object of a value, innermost first.
fn walk(value: Value, edit: &mut dyn FnMut(Map) -> Map) -> Value {
    if !may_hold_assets(&value) {
        return value;
    }
    match value {
        Value::List(items) => Value::list(
            items
                .iter()
                .cloned()
                .map(|v| walk(v, edit))
                .collect::<Vec<_>>(),
        ),
        Value::Map(map) => {
            let map: Map = map
                .iter()
                .map(|(k, v)| (k.clone(), walk(v.clone(), edit)))
                .collect();
            Value::Map(Arc::new(edit(map)))
        }
        other => other,
    }
}

/// `memory://` never leaves the process (FIX-35).
fn hide_memory_uri(map: &mut Map) {
    let hidden = map.contains_key("type")
        && map
            .get("uri")
            .and_then(Value::as_str)
            .is_some_and(|u| u.starts_with("memory://"));
    if hidden {
        let asset = map
            .get("asset_id")
            .and_then(Value::as_str)
            .map(|id| format!("asset://{id}"));
        let inline = !map.get("data").unwrap_or(&Value::Null).is_null();
        let uri = if inline {
            String::new()
        } else {
            asset.unwrap_or_default()
        };
        map.insert("uri".into(), uri.into());
    }
}

fn inline(mut map: Map, mode: AssetMode) -> Map {
    hide_memory_uri(&mut map);
    let Some(tag) = asset_tag(&map) else {
        return map;
    };
    let Some(Value::Bytes(bytes)) = map.get("data") else {
        return map;
    };
    match mode {
        AssetMode::DataUri => {
            let uri = encode_data_uri(form(tag).0, bytes);
            map.insert("uri".into(), uri.into());
            map.insert("data".into(), Value::Null);
        }
        AssetMode::Raw => {
            map.insert("uri".into(), Value::Null);
        }
        AssetMode::Python | AssetMode::StorageUrl | AssetMode::Workspace => {}
    }
    map
}

/// A value as results and output messages show it, where no store is needed.
pub(crate) fn present(value: Value, mode: AssetMode) -> Value {
    walk(value, &mut |map| inline(map, mode))
}

/// A value as results and output messages show it.
pub(crate) async fn materialise(value: Value, mode: AssetMode, cx: &RunCx) -> Value {
    match mode {
        AssetMode::StorageUrl | AssetMode::Workspace if may_hold_assets(&value) => {
            store(value, mode, cx).await
        }
        _ => present(value, mode),
    }
}

/// Moves inline payloads to the asset store or the workspace. What cannot be stored stays inline, with a warning.
fn store<'a>(value: Value, mode: AssetMode, cx: &'a RunCx) -> BoxFuture<'a, Value> {
    Box::pin(async move {
        match value {
            Value::List(items) => {
                let mut out = Vec::with_capacity(items.len());
                for v in items.iter().cloned() {
                    out.push(if may_hold_assets(&v) {
                        store(v, mode, cx).await
                    } else {
                        v
                    });
                }
                out.into()
            }
            Value::Map(map) => {
                let mut out = Map::with_capacity(map.len());
                for (k, v) in map.iter() {
                    let v = if may_hold_assets(v) {
                        store(v.clone(), mode, cx).await
                    } else {
                        v.clone()
                    };
                    out.insert(k.clone(), v);
                }
                hide_memory_uri(&mut out);
                let Some(Value::Bytes(data)) = out.get("data").cloned() else {
                    return out.into();
                };
                let Some(tag) = asset_tag(&out).map(str::to_owned) else {
                    return out.into();
                };
                let (mime, ending) = form(&tag);
                let asset = NewAsset {
                    kind: "asset",
                    name: format!("{}-{tag}{ending}", cx.job_id),
                    content_type: mime.into(),
                    data,
                    parent_id: None,
                    node_id: None,
                };
                let stored = match (mode, &cx.workspace) {
                    (AssetMode::Workspace, Some(root)) => nodetool_sdk::Workspace::open(root)
                        .and_then(|w| w.store_asset(&asset))
                        .map(|path| {
                            Value::map([
                                ("type", tag.into()),
                                ("path", path.into()),
                                ("asset_id", Value::Null),
                            ])
                        }),
                    _ => cx.services.assets.create(asset).await.map(|r| {
                        out.insert("uri".into(), r.get("uri").cloned().unwrap_or_default());
                        out.insert(
                            "asset_id".into(),
                            r.get("asset_id").cloned().unwrap_or_default(),
                        );
                        out.insert("data".into(), Value::Null);
                        out.clone().into()
                    }),
                };
                stored.unwrap_or_else(|e| {
                    tracing::warn!(job.id = %cx.job_id, error = %e, "an asset could not be stored; it stays inline");
                    out.into()
                })
            }
            other => other,
        }
    })
}

/// Values of a `node_update`: large payloads and loose bytes are described instead of sent.
pub(crate) fn for_message(map: Map, mode: AssetMode) -> Map {
    map.into_iter().map(|(k, v)| (k, scrub(v, mode))).collect()
}

fn scrub(value: Value, mode: AssetMode) -> Value {
    if !may_hold_assets(&value) {
        return value;
    }
    let slim = walk(value, &mut |mut map| {
        if let (Some(_), Some(Value::Bytes(b))) = (asset_tag(&map), map.get("data"))
            && b.len() > INLINE_CAP
        {
            let size = b.len();
            let mut meta = map
                .get("metadata")
                .and_then(Value::as_map)
                .cloned()
                .unwrap_or_default();
            meta.insert("inlined_data".into(), false.into());
            meta.insert("inlined_data_size".into(), size.into());
            meta.insert("inlined_data_max".into(), INLINE_CAP.into());
            map.insert("data".into(), Value::Null);
            map.insert("metadata".into(), meta.into());
        }
        inline(map, mode)
    });
    hide_loose_bytes(slim, false)
}

fn hide_loose_bytes(value: Value, of_asset: bool) -> Value {
    match value {
        Value::Bytes(b) if !of_asset => format!("<{} bytes>", b.len()).into(),
        Value::List(items) if items.iter().any(may_hold_assets) => Value::list(
            items
                .iter()
                .cloned()
                .map(|v| hide_loose_bytes(v, false))
                .collect::<Vec<_>>(),
        ),
        Value::Map(map) => {
            let asset = asset_tag(&map).is_some();
            Value::map(map.iter().map(|(k, v)| {
                (
                    k.clone(),
                    hide_loose_bytes(v.clone(), asset && &**k == "data"),
                )
            }))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(data: Vec<u8>, uri: &str) -> Value {
        Value::map([
            ("type", "image".into()),
            ("uri", uri.into()),
            ("asset_id", Value::Null),
            ("data", Value::Bytes(data.into())),
        ])
    }

    #[test]
    fn case_77_binary_mode_keeps_bytes_and_hides_memory_uris() {
        let v = present(image(vec![1, 2], "memory://x"), AssetMode::Raw);
        assert_eq!(v.get("data").unwrap().as_bytes().unwrap().len(), 2);
        assert!(v.get("uri").unwrap().is_null());
    }

    #[test]
    fn text_mode_inlines_bytes_as_a_data_uri() {
        let v = present(image(vec![1, 2], ""), AssetMode::DataUri);
        assert_eq!(
            v.get("uri").unwrap().as_str(),
            Some("data:image/png;base64,AQI=")
        );
        assert!(v.get("data").unwrap().is_null());
    }

    #[test]
    fn case_78_a_large_payload_is_described_in_a_node_update() {
        let map: Map = [("output".into(), image(vec![0; 5 << 20], ""))]
            .into_iter()
            .collect();
        let out = for_message(map, AssetMode::Raw);
        assert!(out["output"].get("data").unwrap().is_null());
        assert_eq!(
            out["output"].get("metadata").unwrap().get("inlined_data"),
            Some(&Value::Bool(false))
        );
    }

    #[test]
    fn loose_bytes_become_a_word_and_asset_bytes_stay() {
        let loose = Value::Bytes(vec![0; 3].into());
        let map: Map = [("a".into(), loose), ("b".into(), image(vec![1], ""))]
            .into_iter()
            .collect();
        let out = for_message(map, AssetMode::Raw);
        assert_eq!(out["a"].as_str(), Some("<3 bytes>"));
        assert!(out["b"].get("data").unwrap().as_bytes().is_some());
    }
}
