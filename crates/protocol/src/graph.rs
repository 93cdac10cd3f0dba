//! The saved document: nodes, edges and everything a client put beside them.
//!
//! Reading lists every fault with its place; unknown keys survive a round trip. It must not know node types.
//! Sources: engine spec 1.1, 1.2 and FIX-40, FIX-41; node-catalogue-current section 4.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::types::TypeMetadata;
use crate::value::{Map, Value};

/// Handle name on both ends of a control edge.
pub const CONTROL_HANDLE: &str = "__control__";

/// Most nodes of a graph; each costs kilobytes once it runs.
const MAX_NODES: usize = 100_000;
/// Most edges of a graph.
const MAX_EDGES: usize = 500_000;

/// A workflow graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The nodes, in document order.
    pub nodes: Vec<Node>,
    /// The edges, in document order.
    pub edges: Vec<Edge>,
    /// Keys this version does not know.
    pub extra: Map,
}

/// How a node combines items of several handles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Run on every item with the latest of the others.
    #[default]
    OnAny,
    /// Run on one item of each handle.
    ZipAll,
}

/// One node of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Id, unique in the graph.
    pub id: Arc<str>,
    /// Node type such as `nodetool.text.Concat`.
    pub node_type: Arc<str>,
    /// Enclosing group.
    pub parent_id: Option<Arc<str>>,
    /// Static property values.
    pub data: Map,
    /// Editor state; the engine reads `bypassed` and titles only.
    pub ui_properties: Value,
    /// Inputs declared on this instance, with their values.
    pub dynamic_properties: Map,
    /// Outputs declared on this instance.
    pub dynamic_outputs: IndexMap<Arc<str>, TypeMetadata>,
    /// Input combination; `None` leaves it to the node type.
    pub sync_mode: Option<SyncMode>,
    /// Other keys, `name` and `properties` of other generations among them.
    pub extra: Map,
}

impl Node {
    /// A node with nothing set.
    pub fn new(id: &str, node_type: &str) -> Self {
        Node {
            id: id.into(),
            node_type: node_type.into(),
            parent_id: None,
            data: Map::new(),
            ui_properties: Map::new().into(),
            dynamic_properties: Map::new(),
            dynamic_outputs: IndexMap::new(),
            sync_mode: None,
            extra: Map::new(),
        }
    }

    /// The parameter or output name: `data.name`, else the top-level `name`; blank counts as none.
    pub fn name(&self) -> Option<&str> {
        let named = |v: Option<&Value>| {
            v.and_then(Value::as_str)
                .filter(|s| !s.is_empty())
                .is_some()
        };
        if named(self.data.get("name")) {
            self.data.get("name").and_then(Value::as_str)
        } else if named(self.extra.get("name")) {
            self.extra.get("name").and_then(Value::as_str)
        } else {
            None
        }
    }

    /// Whether the editor marked it as bypassed (strictly `true`).
    pub fn bypassed(&self) -> bool {
        matches!(self.ui_properties.get("bypassed"), Some(Value::Bool(true)))
    }
}

/// What an edge carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeKind {
    /// Values.
    #[default]
    Data,
    /// Control events.
    Control,
}

/// One edge of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Id, if the client gave one.
    pub id: Option<Arc<str>>,
    /// Producer node id.
    pub source: Arc<str>,
    /// Producer output name.
    pub source_handle: Arc<str>,
    /// Consumer node id.
    pub target: Arc<str>,
    /// Consumer property name.
    pub target_handle: Arc<str>,
    /// Editor state.
    pub ui_properties: Value,
    /// Data or control.
    pub kind: EdgeKind,
    /// Other keys.
    pub extra: Map,
}

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFault {
    /// Where: keys and indexes from the graph down, e.g. `nodes`, `3`, `id`.
    pub path: Vec<String>,
    /// Whether the key is absent (else it is of the wrong shape).
    pub missing: bool,
    /// What was expected.
    pub message: String,
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

struct Reader {
    faults: Vec<DocumentFault>,
}

impl Reader {
    fn fault(&mut self, path: &[&str], missing: bool, message: String) {
        // A document of garbage should not answer with a megabyte of faults.
        if self.faults.len() < 100 {
            self.faults.push(DocumentFault {
                path: path.iter().map(|s| (*s).to_owned()).collect(),
                missing,
                message,
            });
        }
    }

    fn text(&mut self, map: &mut Map, path: &[&str], key: &str, needed: bool) -> Option<Arc<str>> {
        let at: Vec<&str> = path.iter().copied().chain([key]).collect();
        match map.shift_remove(key) {
            Some(Value::Str(s)) => Some(s),
            // Some generations number their nodes.
            Some(Value::Int(i)) if key == "id" || key == "source" || key == "target" => {
                Some(i.to_string().into())
            }
            None | Some(Value::Null) => {
                if needed {
                    self.fault(&at, true, "Field required".into());
                }
                None
            }
            Some(other) => {
                self.fault(
                    &at,
                    false,
                    format!("expected a string, got {}", other.kind()),
                );
                None
            }
        }
    }

    fn object(&mut self, map: &mut Map, path: &[&str], key: &str) -> Option<Map> {
        match map.shift_remove(key) {
            Some(Value::Map(m)) => Some(Arc::unwrap_or_clone(m)),
            None | Some(Value::Null) => None,
            Some(Value::List(l)) if l.is_empty() => None,
            Some(other) => {
                let at: Vec<&str> = path.iter().copied().chain([key]).collect();
                self.fault(
                    &at,
                    false,
                    format!("expected an object, got {}", other.kind()),
                );
                None
            }
        }
    }

    fn node(&mut self, index: &str, value: Value) -> Option<Node> {
        let path = ["nodes", index];
        let Value::Map(map) = value else {
            self.fault(
                &path,
                false,
                format!("expected an object, got {}", value.kind()),
            );
            return None;
        };
        let mut map = Arc::unwrap_or_clone(map);
        let id = self.text(&mut map, &path, "id", true);
        let node_type = self
            .text(&mut map, &path, "type", false)
            .unwrap_or_else(|| "default".into());
        if id.as_deref() == Some("") {
            self.fault(
                &["nodes", index, "id"],
                false,
                "Node data must have an 'id' field.".into(),
            );
        }
        if node_type.is_empty() {
            self.fault(
                &["nodes", index, "type"],
                false,
                "Node data must have a 'type' field.".into(),
            );
        }
        let parent_id = self.text(&mut map, &path, "parent_id", false);
        let data = match self.object(&mut map, &path, "data") {
            Some(data) => data,
            None => map
                .get("properties")
                .and_then(Value::as_map)
                .cloned()
                .unwrap_or_default(),
        };
        let ui_properties = map
            .shift_remove("ui_properties")
            .unwrap_or_else(|| Map::new().into());
        let dynamic_properties = self
            .object(&mut map, &path, "dynamic_properties")
            .unwrap_or_default();
        let mut dynamic_outputs = IndexMap::new();
        for (name, ty) in self
            .object(&mut map, &path, "dynamic_outputs")
            .unwrap_or_default()
        {
            match type_from_value(&ty) {
                Ok(ty) => {
                    dynamic_outputs.insert(name, ty);
                }
                Err(e) => self.fault(&["nodes", index, "dynamic_outputs", &name], false, e),
            }
        }
        let sync_mode = match map.shift_remove("sync_mode") {
            Some(Value::Str(s)) if &*s == "zip_all" => Some(SyncMode::ZipAll),
            Some(Value::Str(_)) => Some(SyncMode::OnAny),
            _ => None,
        };
        Some(Node {
            id: id?,
            node_type,
            parent_id,
            data,
            ui_properties,
            dynamic_properties,
            dynamic_outputs,
            sync_mode,
            extra: map,
        })
    }

    fn edge(&mut self, index: &str, value: Value) -> Option<Edge> {
        let path = ["edges", index];
        let Value::Map(map) = value else {
            self.fault(
                &path,
                false,
                format!("expected an object, got {}", value.kind()),
            );
            return None;
        };
        let mut map = Arc::unwrap_or_clone(map);
        let id = self
            .text(&mut map, &path, "id", false)
            .filter(|s| !s.is_empty());
        let source = self.text(&mut map, &path, "source", true);
        let source_handle = self.text(&mut map, &path, "sourceHandle", true);
        let target = self.text(&mut map, &path, "target", true);
        let target_handle = self.text(&mut map, &path, "targetHandle", true);
        let ui_properties = map.shift_remove("ui_properties").unwrap_or_default();
        let kind = match self.text(&mut map, &path, "edge_type", false).as_deref() {
            None | Some("data") => EdgeKind::Data,
            Some("control") => EdgeKind::Control,
            Some(other) => {
                let message = format!("expected 'data' or 'control', got '{other}'");
                self.fault(&["edges", index, "edge_type"], false, message);
                EdgeKind::Data
            }
        };
        Some(Edge {
            id,
            source: source?,
            source_handle: source_handle?,
            target: target?,
            target_handle: target_handle?,
            ui_properties,
            kind,
            extra: map,
        })
    }

    fn list(&mut self, map: &mut Map, key: &str, most: usize) -> Vec<Value> {
        match map.shift_remove(key) {
            Some(Value::List(l)) if l.len() > most => {
                let message = format!("expected at most {most} {key}, got {}", l.len());
                self.fault(&[key], false, message);
                Vec::new()
            }
            Some(Value::List(l)) => Arc::unwrap_or_clone(l),
            None => {
                self.fault(&[key], true, "Field required".into());
                Vec::new()
            }
            Some(other) => {
                self.fault(
                    &[key],
                    false,
                    format!("expected a list, got {}", other.kind()),
                );
                Vec::new()
            }
        }
    }
}

impl Graph {
    /// Reads a document, or says everything that is wrong with it.
    pub fn from_value(value: Value) -> Result<Graph, Vec<DocumentFault>> {
        let mut r = Reader { faults: Vec::new() };
        let Value::Map(map) = value else {
            r.fault(
                &[],
                false,
                format!(
                    "expected an object with nodes and edges, got {}",
                    value.kind()
                ),
            );
            return Err(r.faults);
        };
        let mut map = Arc::unwrap_or_clone(map);
        let nodes = r.list(&mut map, "nodes", MAX_NODES);
        let edges = r.list(&mut map, "edges", MAX_EDGES);
        let nodes = nodes
            .into_iter()
            .enumerate()
            .filter_map(|(i, v)| r.node(&i.to_string(), v))
            .collect();
        let edges = edges
            .into_iter()
            .enumerate()
            .filter_map(|(i, v)| r.edge(&i.to_string(), v))
            .collect();
        if r.faults.is_empty() {
            Ok(Graph {
                nodes,
                edges,
                extra: map,
            })
        } else {
            Err(r.faults)
        }
    }

    /// Removes static values of properties that an edge feeds, as saving does (HTTP spec 5, connected slots).
    pub fn strip_connected(&mut self) {
        let index: IndexMap<Arc<str>, usize> = self
            .nodes
            .iter()
            .enumerate()
            .map(|(i, n)| (n.id.clone(), i))
            .collect();
        for e in &self.edges {
            if let Some(&i) = index.get(&e.target) {
                self.nodes[i].data.shift_remove(&e.target_handle);
            }
        }
    }
}

/// Reads a type from its object form or from a bare name such as `"str"` or `"list[str]"`.
pub fn type_from_value(value: &Value) -> Result<TypeMetadata, String> {
    match value {
        Value::Str(s) => s.parse(),
        Value::Map(m) => {
            let Some(Value::Str(name)) = m.get("type") else {
                return Err("a type needs a string key `type`".into());
            };
            let mut ty = TypeMetadata::new(name.clone());
            ty.optional = matches!(m.get("optional"), Some(Value::Bool(true)));
            ty.values = m
                .get("values")
                .and_then(Value::as_list)
                .map(<[Value]>::to_vec);
            ty.type_name = m.get("type_name").and_then(Value::as_str).map(Into::into);
            for arg in m
                .get("type_args")
                .and_then(Value::as_list)
                .unwrap_or_default()
            {
                ty.type_args.push(type_from_value(arg)?);
            }
            Ok(ty)
        }
        other => Err(format!(
            "expected a type such as {{\"type\":\"str\"}}, got {}",
            other.kind()
        )),
    }
}

fn optional(text: &Option<Arc<str>>) -> Value {
    text.clone().map_or(Value::Null, Value::Str)
}

/// A type as a value, every key present.
pub fn type_to_value(ty: &TypeMetadata) -> Value {
    Value::map([
        ("type", Value::Str(ty.name.clone())),
        ("optional", Value::Bool(ty.optional)),
        ("values", ty.values.clone().map_or(Value::Null, Value::from)),
        (
            "type_args",
            Value::list(ty.type_args.iter().map(type_to_value)),
        ),
        ("type_name", optional(&ty.type_name)),
    ])
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let outputs: Map = self
            .dynamic_outputs
            .iter()
            .map(|(k, t)| (k.clone(), type_to_value(t)))
            .collect();
        let mode = match self.sync_mode {
            Some(SyncMode::ZipAll) => "zip_all",
            _ => "on_any",
        };
        let known = [
            ("id", Value::Str(self.id.clone())),
            ("parent_id", optional(&self.parent_id)),
            ("type", Value::Str(self.node_type.clone())),
            ("data", self.data.clone().into()),
            ("ui_properties", self.ui_properties.clone()),
            ("dynamic_properties", self.dynamic_properties.clone().into()),
            ("dynamic_outputs", outputs.into()),
            ("sync_mode", mode.into()),
        ];
        with_extra(s, &known, &self.extra)
    }
}

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let kind = if self.kind == EdgeKind::Control {
            "control"
        } else {
            "data"
        };
        let known = [
            ("id", optional(&self.id)),
            ("source", Value::Str(self.source.clone())),
            ("sourceHandle", Value::Str(self.source_handle.clone())),
            ("target", Value::Str(self.target.clone())),
            ("targetHandle", Value::Str(self.target_handle.clone())),
            ("ui_properties", self.ui_properties.clone()),
            ("edge_type", kind.into()),
        ];
        with_extra(s, &known, &self.extra)
    }
}

fn with_extra<S: Serializer>(
    s: S,
    known: &[(&str, Value)],
    extra: &Map,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut out = s.serialize_map(Some(known.len() + extra.len()))?;
    for (k, v) in known {
        out.serialize_entry(k, v)?;
    }
    for (k, v) in extra {
        out.serialize_entry(&**k, v)?;
    }
    out.end()
}

impl Serialize for Graph {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut out = s.serialize_map(Some(2 + self.extra.len()))?;
        out.serialize_entry("nodes", &self.nodes)?;
        out.serialize_entry("edges", &self.edges)?;
        for (k, v) in &self.extra {
            out.serialize_entry(&**k, v)?;
        }
        out.end()
    }
}

impl<'de> Deserialize<'de> for Graph {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Graph::from_value(Value::deserialize(d)?).map_err(|faults| {
            de::Error::custom(
                faults
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Graph, Vec<String>> {
        Graph::from_value(serde_json::from_str(json).unwrap())
            .map_err(|f| f.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let json = r##"{"nodes":[{"id":"a","parent_id":null,"type":"x.Y","data":{"v":1},"ui_properties":{"position":{"x":1}},"dynamic_properties":{},"dynamic_outputs":{},"sync_mode":"on_any","is_streaming_output":true,"name":"n"}],"edges":[{"id":null,"source":"a","sourceHandle":"o","target":"a","targetHandle":"i","ui_properties":{"className":1},"edge_type":"control","color":"#fff"}],"viewport":{"zoom":2}}"##;
        assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
    }

    #[test]
    fn every_fault_is_listed_with_its_place() {
        let faults = read(
            r#"{"nodes":[{"type":"x"},{"id":"","type":""},3],"edges":[{"source":"a","edge_type":"x"}]}"#,
        );
        assert_eq!(
            faults.unwrap_err(),
            [
                "nodes.0.id: Field required",
                "nodes.1.id: Node data must have an 'id' field.",
                "nodes.1.type: Node data must have a 'type' field.",
                "nodes.2: expected an object, got int",
                "edges.0.sourceHandle: Field required",
                "edges.0.target: Field required",
                "edges.0.targetHandle: Field required",
                "edges.0.edge_type: expected 'data' or 'control', got 'x'",
            ]
        );
    }

    #[test]
    fn older_files_keep_their_settings_under_properties() {
        let g =
            read(r#"{"nodes":[{"id":"a","type":"x","properties":{"v":1}}],"edges":[]}"#).unwrap();
        assert_eq!(g.nodes[0].data.get("v"), Some(&Value::Int(1)));
    }

    #[test]
    fn connected_slots_are_stripped() {
        let mut g = read(
            r#"{"nodes":[{"id":"a","type":"x"},{"id":"b","type":"y","data":{"v":1,"w":2}}],
                "edges":[{"source":"a","sourceHandle":"o","target":"b","targetHandle":"v"}]}"#,
        )
        .unwrap();
        g.strip_connected();
        assert_eq!(
            g.nodes[1].data.keys().map(|k| &**k).collect::<Vec<_>>(),
            ["w"]
        );
    }
}
