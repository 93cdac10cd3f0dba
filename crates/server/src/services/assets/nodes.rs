//! Assets as the nodes of one run see them. Files of the machine and addresses of other hosts are none.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nodetool_protocol::{Value, decode_data_uri};
use nodetool_sdk::services::{Assets, ListedAsset, NewAsset};
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{AssetFilter, AssetRow, BlobKey, Store};
use tokio::sync::OnceCell;

use super::{AssetError, AssetService, Bucket, CreateAsset, Reach};
use crate::services::{Caller, Changes};

/// Largest asset a node gets as one piece of memory.
const MAX_READ: u64 = 256 << 20;
/// Largest file of a run that has no server.
const SCRATCH_LIMIT: u64 = 512 << 20;

/// Whose run it is and what it runs; assets it makes say so.
#[derive(Clone, Debug)]
pub(crate) struct AssetOrigin {
    pub(crate) caller: Caller,
    /// A stored workflow, if it is one.
    pub(crate) workflow_id: Option<Arc<str>>,
    pub(crate) job_id: Option<Arc<str>>,
}

/// The assets of one run.
struct RunAssets {
    assets: AssetService,
    origin: AssetOrigin,
}

impl AssetService {
    /// The assets a run may use.
    pub(crate) fn of_run(&self, origin: AssetOrigin) -> Arc<dyn Assets> {
        Arc::new(RunAssets {
            assets: self.clone(),
            origin,
        })
    }
}

/// The type tag of references to such contents.
fn tag_of(content_type: &str) -> &'static str {
    match content_type.split(['/', ';']).next().unwrap_or_default() {
        "folder" => "folder",
        "image" if content_type.starts_with("image/svg") => "svg",
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        "model" => "model_3d",
        "text" if content_type.starts_with("text/html") => "html",
        "text" => "text",
        _ if content_type.starts_with("application/json") => "json",
        _ if content_type.starts_with("application/pdf") => "document",
        _ => "asset",
    }
}

fn reference(row: &AssetRow, tag: &str) -> Value {
    let uri = if row.file_id.is_empty() {
        format!("asset://{}", row.id)
    } else {
        format!("/api/storage/{}", row.file_id)
    };
    Value::map([
        ("type", tag.into()),
        ("uri", uri.into()),
        ("asset_id", row.id.as_str().into()),
        ("data", Value::Null),
        ("metadata", Value::Null),
    ])
}

/// The id in `asset://<id>[.ext]` or in a bare id with an ending.
fn id_of(text: &str) -> &str {
    let text = text.strip_prefix("asset://").unwrap_or(text);
    text.split_once('.').map_or(text, |(id, _)| id)
}

/// Bytes that a reference carries itself.
fn inline(reference: &Value) -> Option<Bytes> {
    match reference.get("data") {
        Some(Value::Bytes(bytes)) => return Some(bytes.clone()),
        Some(Value::Str(text)) => {
            if let Some(Value::Bytes(bytes)) = decode_data_uri(text) {
                return Some(bytes);
            }
            // JSON has no bytes: what is no text by nature comes as base64.
            let binary = matches!(
                reference.type_tag(),
                Some("image" | "audio" | "video" | "document" | "model_3d" | "excel")
            );
            let decoded = binary.then(|| STANDARD.decode(text.trim()).ok()).flatten();
            return Some(
                decoded.map_or_else(|| Bytes::copy_from_slice(text.as_bytes()), Bytes::from),
            );
        }
        _ => {}
    }
    let uri = reference.get("uri").and_then(Value::as_str)?;
    match decode_data_uri(uri) {
        Some(Value::Bytes(bytes)) => Some(bytes),
        _ => None,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

fn refusal(what: &str, error: AssetError) -> NodeError {
    match error {
        AssetError::Store(e) => {
            tracing::error!(error = %e, "the store failed for a node");
            NodeError::new(format!("{what}: the store failed"))
        }
        AssetError::Blob(e) => {
            tracing::error!(error = %e, "the contents of an asset failed for a node");
            NodeError::new(format!("{what}: the asset storage failed"))
        }
        e => NodeError::new(format!("{what}: {e}")),
    }
}

impl RunAssets {
    async fn contents(&self, reference: &Value) -> Result<Bytes, NodeError> {
        if let Some(bytes) = inline(reference) {
            return Ok(bytes);
        }
        let text = |key: &str| {
            let value = reference.get(key).and_then(Value::as_str);
            value.unwrap_or_default()
        };
        let (uri, id) = (text("uri"), text("asset_id"));
        let caller = &self.origin.caller;
        let opened = if !id.is_empty() {
            self.assets.open_asset(caller, id_of(id)).await
        } else if uri.starts_with("asset://") {
            self.assets.open_asset(caller, id_of(uri)).await
        } else if let Some(key) = uri.strip_prefix("/api/storage/") {
            return self.stored(key).await;
        } else if uri.is_empty() {
            return Err(NodeError::new("The asset reference is empty"));
        } else {
            let scheme = uri.split(':').next().unwrap_or_default();
            return Err(NodeError::new(format!(
                "References like '{}' cannot be read here; expected inline data, a data: URI, an asset id or a \
                 /api/storage/ address",
                shown(scheme)
            )));
        };
        let name = shown(if id.is_empty() { uri } else { id });
        let what = format!("Asset '{name}' cannot be read");
        let (_, blob) = opened.map_err(|e| refusal(&what, e))?;
        let bytes = blob.read_all().collect(MAX_READ).await;
        bytes.map_err(|e| refusal(&what, e.into()))
    }

    async fn stored(&self, key: &str) -> Result<Bytes, NodeError> {
        let what = format!("The file '{}' cannot be read", shown(key));
        let (bucket, key) = match key.strip_prefix("temp/") {
            Some(key) => (Bucket::Temp, key),
            None => (Bucket::Assets, key),
        };
        let key = key.split(['?', '#']).next().unwrap_or_default();
        let key = BlobKey::parse(key).map_err(|e| refusal(&what, e.into()))?;
        let reach = Reach::Own(self.origin.caller.clone());
        let opened = self.assets.open_key(&reach, bucket, &key);
        let (blob, _) = opened.await.map_err(|e| refusal(&what, e))?;
        let bytes = blob.read_all().collect(MAX_READ).await;
        bytes.map_err(|e| refusal(&what, e.into()))
    }

    async fn store(&self, asset: NewAsset) -> Result<Value, NodeError> {
        let what = format!("The asset '{}' cannot be stored", shown(&asset.name));
        let stored = async {
            let mut upload = self.assets.upload(&self.origin.caller, None).await?;
            for piece in asset.data.chunks(1 << 20) {
                upload.write(piece).await?;
            }
            let text = |id: &Option<Arc<str>>| id.as_deref().map(str::to_owned);
            let create = CreateAsset {
                name: asset.name,
                content_type: asset.content_type,
                parent_id: asset.parent_id,
                workflow_id: text(&self.origin.workflow_id),
                node_id: text(&asset.node_id),
                job_id: text(&self.origin.job_id),
                ..CreateAsset::default()
            };
            let assets = &self.assets;
            assets
                .create_by_run(&self.origin.caller, create, upload)
                .await
        };
        let row = stored.await.map_err(|e| refusal(&what, e))?;
        Ok(reference(&row, asset.kind))
    }

    async fn folder(&self, folder: &Value) -> Result<Vec<ListedAsset>, NodeError> {
        let text = |key: &str| folder.get(key).and_then(Value::as_str).unwrap_or_default();
        let id = match (text("asset_id"), text("uri")) {
            ("", "") => return Err(NodeError::new("The folder reference is empty")),
            ("", uri) => id_of(uri),
            (id, _) => id,
        };
        let what = format!("The folder '{}' cannot be listed", shown(id));
        let caller = &self.origin.caller;
        let row = self.assets.get(caller, id).await;
        if !row.map_err(|e| refusal(&what, e))?.is_folder() {
            return Err(NodeError::new(format!("{what}: it is no folder")));
        }
        let filter = AssetFilter {
            parent_id: Some(id.to_owned()),
            ..AssetFilter::default()
        };
        let page = self.assets.list(caller, filter, usize::MAX, "").await;
        let page = page.map_err(|e| refusal(&what, e))?;
        if !page.next.is_empty() {
            let limit = page.rows.len();
            return Err(NodeError::new(format!(
                "{what}: it holds more than {limit} assets"
            )));
        }
        let mut listed: Vec<ListedAsset> = page
            .rows
            .into_iter()
            .filter(|row| !row.is_folder())
            .map(|row| ListedAsset {
                reference: reference(&row, tag_of(&row.content_type)),
                name: row.name,
                content_type: row.content_type,
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }
}

impl Assets for RunAssets {
    fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
        Box::pin(self.contents(reference))
    }

    fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
        Box::pin(self.store(asset))
    }

    fn list<'a>(&'a self, folder: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
        Box::pin(self.folder(folder))
    }
}

/// Assets of a run without a server: in a folder of its own, made when the first one is used.
pub(crate) struct ScratchAssets {
    folder: PathBuf,
    opened: OnceCell<Arc<dyn Assets>>,
}

impl ScratchAssets {
    pub(crate) fn new(folder: PathBuf) -> Self {
        ScratchAssets {
            folder,
            opened: OnceCell::new(),
        }
    }

    async fn open(&self) -> Result<&Arc<dyn Assets>, NodeError> {
        let open = || async {
            let store = Store::open_in_memory().map_err(AssetError::Store)?;
            let changes = Changes::default();
            let assets = AssetService::open(store, &self.folder, changes, SCRATCH_LIMIT)?;
            Ok(assets.of_run(AssetOrigin {
                caller: Caller::local(),
                workflow_id: None,
                job_id: None,
            }))
        };
        let opened = self.opened.get_or_try_init(open).await;
        opened.map_err(|e: AssetError| refusal("Assets cannot be used", e))
    }
}

impl Assets for ScratchAssets {
    fn read<'a>(&'a self, reference: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
        Box::pin(async move {
            // Most references carry what they mean; no folder is made for them.
            match inline(reference) {
                Some(bytes) => Ok(bytes),
                None => self.open().await?.read(reference).await,
            }
        })
    }

    fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
        Box::pin(async move { self.open().await?.create(asset).await })
    }

    fn list<'a>(&'a self, folder: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
        Box::pin(async move { self.open().await?.list(folder).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, kind: &'static str, content_type: &str, data: &'static [u8]) -> NewAsset {
        NewAsset {
            kind,
            name: name.into(),
            content_type: content_type.into(),
            data: Bytes::from_static(data),
            parent_id: None,
            node_id: Some("n1".into()),
        }
    }

    struct House {
        _folder: tempfile::TempDir,
        store: Store,
        assets: AssetService,
    }

    fn house() -> House {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in_memory().unwrap();
        let changes = Changes::default();
        let assets = AssetService::open(store.clone(), folder.path(), changes, 1 << 20).unwrap();
        House {
            _folder: folder,
            store,
            assets,
        }
    }

    fn run_of(house: &House, user: &str) -> Arc<dyn Assets> {
        house.assets.of_run(AssetOrigin {
            caller: Caller::on_behalf_of(user),
            workflow_id: Some("w1".into()),
            job_id: Some("j1".into()),
        })
    }

    fn uri(uri: impl Into<Value>) -> Value {
        Value::map([("type", "text".into()), ("uri", uri.into())])
    }

    #[tokio::test]
    async fn an_asset_of_a_node_is_read_by_every_kind_of_reference() {
        let house = house();
        let run = run_of(&house, "1");
        let made = run.create(new("a.txt", "text", "text/plain", b"hi")).await;
        let made = made.unwrap();
        let id = made.get("asset_id").unwrap().as_str().unwrap().to_owned();
        let row = house.store.find_asset(&id).await.unwrap().unwrap();
        assert_eq!(row.user_id, "1");
        assert_eq!(row.workflow_id.as_deref(), Some("w1"));
        assert_eq!(row.node_id.as_deref(), Some("n1"));
        assert_eq!(row.job_id.as_deref(), Some("j1"));
        assert_eq!((row.size, row.parent_id.as_str()), (Some(2), "1"));
        let bare = Value::map([("asset_id", id.as_str().into())]);
        for reference in [
            made,
            bare,
            uri(format!("asset://{id}")),
            uri(format!("asset://{id}.txt")),
            uri(format!("/api/storage/{id}.txt")),
            uri("data:text/plain;base64,aGk="),
        ] {
            assert_eq!(&run.read(&reference).await.unwrap()[..], b"hi");
            let other = run_of(&house, "2").read(&reference).await;
            assert_eq!(other.is_ok(), inline(&reference).is_some(), "{reference:?}");
        }
    }

    #[tokio::test]
    async fn files_of_the_machine_and_other_hosts_are_no_assets() {
        let house = house();
        let run = run_of(&house, "1");
        for bad in [
            "file:///etc/passwd",
            "/etc/passwd",
            "asset://../../etc/passwd",
            "/api/storage/../../etc/passwd",
            "/api/storage//etc/passwd",
            "http://example.com/x",
            "memory://1",
            "",
        ] {
            assert!(run.read(&uri(bad)).await.is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_folder_is_listed_by_name_without_its_folders() {
        let house = house();
        let run = run_of(&house, "1");
        for name in ["b.txt", "a.txt"] {
            let made = run.create(new(name, "text", "text/plain", b"x")).await;
            made.unwrap();
        }
        let folder = Value::map([("type", "folder".into()), ("asset_id", "1".into())]);
        let listed = run.list(&folder).await.unwrap();
        let names: Vec<&str> = listed.iter().map(|asset| asset.name.as_str()).collect();
        assert_eq!(names, ["a.txt", "b.txt"]);
        let read = run.read(&listed[0].reference).await.unwrap();
        assert_eq!(&read[..], b"x");
        assert!(run_of(&house, "2").list(&folder).await.is_err());
        let file = run.list(&listed[0].reference).await.unwrap_err();
        assert!(file.to_string().contains("no folder"), "{file}");
    }

    #[test]
    fn base64_of_pictures_is_decoded_and_text_is_left_alone() {
        let data = |tag: &str, data: &str| {
            let reference = Value::map([("type", tag.into()), ("data", data.into())]);
            inline(&reference).unwrap()
        };
        assert_eq!(&data("image", "aGk=")[..], b"hi");
        assert_eq!(&data("image", "data:image/png;base64,aGk=")[..], b"hi");
        assert_eq!(&data("text", "aGk=")[..], b"aGk=");
        assert_eq!(&data("image", "no base64!")[..], b"no base64!");
    }
}
