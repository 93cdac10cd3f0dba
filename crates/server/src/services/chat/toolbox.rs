//! The tools of one turn: those of the server and those of the client, behind one face.

use std::sync::{Arc, Mutex, PoisonError};

use nodetool_protocol::{Map, Value};
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{ToolCall, ToolSpec, read_arguments};
use nodetool_sdk::services::Assets;
use nodetool_sdk::tools::{Tool, Tools};

use super::Manifest;
use super::client_tools::ClientCalls;
use super::permission::{Decision, PermissionMode, Permissions};
use crate::services::{keep_media, mime_of};

/// Files of one result that become assets.
const MOST_FILES: usize = 64;

/// Tools of a turn.
pub(super) struct Toolbox {
    server: Arc<dyn Tools>,
    manifest: Manifest,
    client: Arc<ClientCalls>,
    assets: Arc<dyn Assets>,
    permissions: Permissions,
    /// Names the server runs, and whether doing so has effects.
    own: Mutex<Vec<(String, bool)>>,
    /// Calls that were told to begin and have not yet come here. Tools are called without the ids of their calls.
    begun: Mutex<Vec<ToolCall>>,
}

impl Toolbox {
    pub(super) fn new(
        server: Arc<dyn Tools>,
        manifest: Manifest,
        client: Arc<ClientCalls>,
        assets: Arc<dyn Assets>,
        permissions: Permissions,
    ) -> Self {
        Toolbox {
            server,
            manifest,
            client,
            assets,
            permissions,
            own: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    /// What the model is told of: the tools of these names, and all of the client. Names nobody knows are left out.
    pub(super) async fn specs(&self, names: &[String]) -> Vec<ToolSpec> {
        let mut specs: Vec<ToolSpec> = Vec::new();
        let mut known = Vec::new();
        let found = self.server.find(names).await;
        for (name, tool) in names.iter().zip(found) {
            match tool {
                Some(tool) if specs.iter().all(|s| s.name != tool.spec.name) => {
                    known.push((tool.spec.name.clone(), tool.effects));
                    specs.push(tool.spec);
                }
                Some(_) => {}
                None if self.manifest.has(name) => {}
                None => {
                    let name: String = name.chars().take(80).collect();
                    tracing::debug!(tool.name = %name, "a chat names a tool that is not there");
                }
            }
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.extend(known);
        let of_client = self.manifest.specs().iter();
        let is_own = |spec: &&ToolSpec| own.iter().any(|(name, _)| *name == spec.name);
        specs.extend(of_client.filter(|spec| !is_own(spec)).cloned());
        specs
    }

    /// A call is about to come.
    pub(super) fn begins(&self, call: ToolCall) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(call);
    }

    /// The id of a call that has come. Calls of the same tool with the same arguments are as good as each other.
    fn id_of(&self, name: &str, arguments: &Map) -> String {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let at = begun.iter().position(|call| {
            call.name == name && read_arguments(&call.arguments).as_ref() == Ok(arguments)
        });
        at.map(|at| begun.remove(at).id).unwrap_or_default()
    }

    fn is_own(&self, name: &str) -> bool {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.iter().any(|(own, _)| own == name)
    }

    /// Whether a tool of ours changes something; one that nobody knows may.
    fn has_effects(&self, name: &str) -> bool {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let known = own.iter().find(|(own, _)| own == name);
        known.is_none_or(|(_, effects)| *effects)
    }

    /// Whether a tool of ours may be called now; why not, for the model.
    async fn check_permission(&self, name: &str, arguments: &Map) -> Result<(), String> {
        let (user, thread) = (&*self.client.user_id, &*self.client.thread_id);
        let mode = self.permissions.mode(user, thread);
        if mode == PermissionMode::Auto || !self.has_effects(name) {
            return Ok(());
        }
        if mode == PermissionMode::Plan {
            return Err(format!(
                "{name} changes something, which the mode `plan` of this conversation forbids; say what you would do"
            ));
        }
        if self.permissions.allows(user, thread, name) {
            return Ok(());
        }
        let note = self.server.describe(name, arguments);
        match self.client.approval(name, note, arguments).await? {
            Decision::Allow => Ok(()),
            Decision::AllowForChat => {
                self.permissions.allow(user, thread, name);
                Ok(())
            }
            Decision::Deny => Err(format!("the person does not allow {name}")),
        }
    }

    async fn run(&self, name: &str, arguments: Map) -> Result<Value, String> {
        let id = self.id_of(name, &arguments);
        if !self.is_own(name) && self.manifest.has(name) {
            return self.client.call(&id, name, arguments).await;
        }
        self.check_permission(name, &arguments).await?;
        let result = self.server.call(name, arguments).await?;
        let mut left = MOST_FILES;
        self.keep_files(result, &mut left).await
    }

    /// Puts references to assets in the place of bytes.
    fn keep_files<'a>(
        &'a self,
        value: Value,
        left: &'a mut usize,
    ) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move {
            if !holds_bytes(&value) {
                return Ok(value);
            }
            Ok(match value {
                Value::Bytes(data) => {
                    *left = left
                        .checked_sub(1)
                        .ok_or(format!("the result has more than {MOST_FILES} files"))?;
                    let mime = mime_of("", "", &data);
                    let kind = match mime.split('/').next() {
                        Some("image") => "image",
                        Some("audio") => "audio",
                        Some("video") => "video",
                        _ => "asset",
                    };
                    let kept = keep_media(kind, &mime, data, &*self.assets).await;
                    kept.map_err(|e| e.to_string())?
                }
                Value::List(items) => {
                    let mut kept = Vec::with_capacity(items.len());
                    for item in items.iter() {
                        kept.push(self.keep_files(item.clone(), left).await?);
                    }
                    Value::list(kept)
                }
                Value::Map(map) => {
                    // An asset that carries its bytes is what its bytes become.
                    if let (Some(_), Some(Value::Bytes(data))) = (map.get("type"), map.get("data"))
                    {
                        return self.keep_files(Value::Bytes(data.clone()), left).await;
                    }
                    let mut kept = Map::with_capacity(map.len());
                    for (key, item) in map.iter() {
                        kept.insert(key.clone(), self.keep_files(item.clone(), left).await?);
                    }
                    kept.into()
                }
                other => other,
            })
        })
    }
}

fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::List(items) => items.iter().any(holds_bytes),
        Value::Map(map) => map.values().any(holds_bytes),
        _ => false,
    }
}

impl Tools for Toolbox {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        Box::pin(async move {
            let mut found = self.server.find(names).await;
            for (name, tool) in names.iter().zip(&mut found) {
                let of_client = self.manifest.specs().iter().find(|s| s.name == *name);
                if let (None, Some(spec)) = (&tool, of_client) {
                    *tool = Some(Tool {
                        spec: spec.clone(),
                        effects: true,
                    });
                }
            }
            found
        })
    }

    fn describe(&self, name: &str, arguments: &Map) -> String {
        match self.is_own(name) || !self.manifest.has(name) {
            true => self.server.describe(name, arguments),
            false => format!("Running {name}"),
        }
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(self.run(name, arguments))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use nodetool_sdk::NodeError;
    use nodetool_sdk::services::NewAsset;

    use super::super::client_tools::Waiting;
    use super::super::turn::Voice;
    use super::*;

    /// One tool that gives bytes.
    struct Camera;

    impl Tools for Camera {
        fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
            let found = names.iter().map(|name| {
                let spec = ToolSpec {
                    name: name.clone(),
                    description: "server".into(),
                    parameters: Map::new().into(),
                    ..ToolSpec::default()
                };
                let known = matches!(name.as_str(), "camera" | "both");
                known.then_some(Tool {
                    spec,
                    effects: false,
                })
            });
            let found = found.collect();
            Box::pin(async move { found })
        }
        fn call<'a>(&'a self, _: &'a str, _: Map) -> BoxFuture<'a, Result<Value, String>> {
            let png = Value::Bytes(Bytes::from_static(b"\x89PNG\r\n\x1a\n"));
            let inside = Value::map([("type", Value::from("image")), ("data", png.clone())]);
            let result = Value::map([("bare", png), ("list", Value::list([inside, 1i64.into()]))]);
            Box::pin(async move { Ok(result) })
        }
    }

    struct Shelf;

    impl Assets for Shelf {
        fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
            Box::pin(async { Err(NodeError::new("nothing is here")) })
        }
        fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
            let ending = asset.name.rsplit('.').next().map(str::to_owned);
            Box::pin(async move { Ok(Value::map([(asset.kind, Value::from(ending))])) })
        }
    }

    fn toolbox() -> Toolbox {
        let offered: Value =
            serde_json::from_str(r#"[{"name":"ui_x"},{"name":"both","description":"client"}]"#)
                .unwrap();
        let client = ClientCalls {
            waiting: Waiting::default(),
            user_id: "1".into(),
            thread_id: "t".into(),
            voice: Voice::unheard(),
            patience: Duration::ZERO,
            attached: tokio::sync::watch::channel(1).1,
        };
        let manifest = Manifest::read(offered.as_list().unwrap());
        Toolbox::new(
            Arc::new(Camera),
            manifest,
            Arc::new(client),
            Arc::new(Shelf),
            Permissions::default(),
        )
    }

    #[tokio::test]
    async fn the_server_comes_before_the_client_and_unknown_names_are_left_out() {
        let toolbox = toolbox();
        let names = ["camera", "nobody", "both", "ui_x"].map(str::to_owned);
        let specs = toolbox.specs(&names).await;
        let told: Vec<_> = specs
            .iter()
            .map(|s| (s.name.as_str(), s.description.as_str()))
            .collect();
        assert_eq!(
            told,
            [("camera", "server"), ("both", "server"), ("ui_x", "")]
        );
    }

    #[tokio::test]
    async fn bytes_of_a_result_become_assets() {
        let toolbox = toolbox();
        toolbox.specs(&["camera".to_owned()]).await;
        let result = toolbox.call("camera", Map::new()).await.unwrap();
        let kept = Value::map([("image", Value::from("png"))]);
        assert_eq!(result.get("bare"), Some(&kept));
        let list = result.get("list").and_then(Value::as_list).unwrap();
        assert_eq!(list, [kept, 1i64.into()]);
    }

    #[test]
    fn a_call_is_told_from_another_by_its_arguments() {
        let toolbox = toolbox();
        let call = |id: &str, arguments: &str| ToolCall {
            id: id.into(),
            name: "ui_x".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        };
        for (id, arguments) in [("a", "{}"), ("b", r#"{"n":1}"#), ("c", r#"{ "n": 1 }"#)] {
            toolbox.begins(call(id, arguments));
        }
        let one: Map = [("n".into(), 1i64.into())].into_iter().collect();
        assert_eq!(toolbox.id_of("ui_x", &one), "b");
        assert_eq!(toolbox.id_of("ui_x", &one), "c");
        assert_eq!(toolbox.id_of("ui_x", &Map::new()), "a");
        assert_eq!(toolbox.id_of("ui_x", &Map::new()), "");
    }
}
