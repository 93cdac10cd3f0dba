//! The nodes of the random graphs. Each records what it gives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use nodetool_sdk::{
    Behaviour, Effect, Emit, Emitted, Emitter, Inputs, Map, NodeCx, NodeDef, NodeError,
    NodeMetadata, OutputSlot, Property, Props, Registry, TypeMetadata, Value,
};

use super::graph::{DRIVER, Kind};
use super::reference::{digest, mix};
use crate::fixtures::{OUT, registry as fixtures};

/// What each node gave: slot and value, in order.
pub(super) type Given = HashMap<String, Vec<(usize, Value)>>;

/// What the nodes of one run record, and how one of them ends badly.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) given: Mutex<Given>,
    /// The node that goes wrong, and after how many values.
    pub(super) breaks: Option<(String, usize)>,
    /// Whether it waits for the outside rather than fails.
    pub(super) suspends: bool,
    /// Whether some kinds change something outside.
    pub(super) effects: bool,
    /// The executions that did, by their keys.
    pub(super) changes: Mutex<Vec<String>>,
}

const STREAMS: [Kind; 8] = [
    Kind::Gen,
    Kind::Expand,
    Kind::Echo,
    Kind::InOrder,
    Kind::Merge,
    Kind::Take,
    Kind::If,
    Kind::Driven,
];

/// Whether the engine is told that a node may emit several times.
pub(super) fn streams(kind: Kind) -> bool {
    STREAMS.contains(&kind)
}

/// The handles all nodes have, after `k` and `salt`.
const HANDLES: [&str; 4] = ["x", "a", "b", "c"];

fn metadata(kind: Kind) -> NodeMetadata {
    let mut m = NodeMetadata::new(&kind.node_type());
    let int = || TypeMetadata::new("int");
    m.properties = vec![
        Property::new("k", int(), 0.into()),
        Property::new("salt", int(), 0.into()),
    ];
    for handle in HANDLES {
        m.properties
            .push(Property::new(handle, TypeMetadata::any(), Value::Null));
    }
    let list = TypeMetadata::new("list");
    m.properties
        .push(Property::new("values", list.clone(), Value::list([])));
    let ty = if kind == Kind::Collect {
        list
    } else {
        TypeMetadata::any()
    };
    let slots = kind.slots().iter();
    m.outputs = slots.map(|s| OutputSlot::new(s, ty.clone())).collect();
    m.is_streaming_output = streams(kind);
    m
}

impl Trace {
    fn began(&self, cx: &NodeCx) {
        let key = cx.effect_key();
        self.changes.lock().expect("no node panics").extend(key);
    }

    /// Marks what a kind changes outside.
    fn marked(&self, kind: Kind, mut def: NodeDef) -> NodeDef {
        def.effect = match kind {
            _ if !self.effects => Effect::Pure,
            Kind::Map | Kind::Echo | Kind::Driven => Effect::Once,
            Kind::Expand | Kind::Gen | Kind::Zip => Effect::Idempotent,
            _ => Effect::Pure,
        };
        def
    }

    fn record(&self, cx: &NodeCx, slot: usize, value: &Value) -> Result<(), NodeError> {
        let mut given = self.given.lock().expect("no node panics");
        let given = given.entry(cx.node.id.to_string()).or_default();
        match &self.breaks {
            Some((node, after)) if **node == *cx.node.id && *after == given.len() => {
                Err(if self.suspends {
                    NodeError::Suspended {
                        reason: "enough".into(),
                        state: Value::Null,
                    }
                } else {
                    NodeError::new("enough")
                })
            }
            _ => {
                given.push((slot, value.clone()));
                Ok(())
            }
        }
    }
}

/// Records and emits.
struct Giver<'a> {
    trace: &'a Trace,
    out: &'a dyn Emit,
    cx: &'a NodeCx,
}

impl Giver<'_> {
    async fn give(&self, slot: usize, value: Value) -> Result<(), NodeError> {
        self.trace.record(self.cx, slot, &value)?;
        if !self.out.put(Emitted::one(slot as u16, value))? {
            self.out.ready().await?;
        }
        Ok(())
    }
}

fn number(props: &Props, index: usize) -> i64 {
    props.values[index].as_i64().unwrap_or_default()
}

/// What a buffered node makes of its property values.
pub(super) fn combine(kind: Kind, salt: i64, handles: &[Value; 4], values: &Value) -> Value {
    let [x, a, b, c] = handles;
    let inputs = match kind {
        Kind::Const => return salt.into(),
        Kind::Map | Kind::Driven => vec![x],
        Kind::Gather => vec![values, x],
        _ => vec![a, b, c],
    };
    inputs
        .into_iter()
        .fold(salt, |sum, v| mix(sum, digest(v)))
        .into()
}

fn process(kind: Kind, trace: &Arc<Trace>) -> NodeDef {
    let trace = trace.clone();
    let work = Behaviour::Process(Box::new(move |props, cx| {
        let handles = [2, 3, 4, 5].map(|i| props.values[i].clone());
        let value = combine(kind, number(&props, 1), &handles, &props.values[6]);
        trace.began(cx);
        let recorded = trace.record(cx, 0, &value);
        Box::pin(async move { recorded.map(|()| Emitted::one(0, value)) })
    }));
    NodeDef::new(metadata(kind), work)
}

/// What a node that emits several times makes of one item.
pub(super) fn expand(kind: Kind, k: i64, salt: i64, x: &Value) -> Vec<(usize, Value)> {
    match kind {
        Kind::Gen => (1..=k).map(|i| (0, (salt + i).into())).collect(),
        Kind::Expand => (1..=3)
            .map(|i| (0, mix(salt + i, digest(x)).into()))
            .collect(),
        _ => vec![(usize::from(digest(x) % 2 != 0), x.clone())],
    }
}

fn generate(kind: Kind, trace: &Arc<Trace>) -> NodeDef {
    let trace = trace.clone();
    let work = Behaviour::Generate(Box::new(move |props, out, cx| {
        let trace = trace.clone();
        Box::pin(async move {
            let giver = Giver {
                trace: &trace,
                out,
                cx,
            };
            let (k, salt) = (number(&props, 0), number(&props, 1));
            trace.began(cx);
            for (slot, value) in expand(kind, k, salt, &props.values[2]) {
                giver.give(slot, value).await?;
            }
            Ok(())
        })
    }));
    NodeDef::new(metadata(kind), work)
}

async fn read(
    kind: Kind,
    k: i64,
    inputs: &mut Inputs<'_>,
    giver: &Giver<'_>,
) -> Result<(), NodeError> {
    match kind {
        Kind::InOrder => {
            for handle in ["a", "b"] {
                while let Some(v) = inputs.recv(handle).await {
                    giver.give(0, v).await?;
                }
            }
        }
        Kind::Take => {
            for _ in 0..k {
                let Some(v) = inputs.recv("x").await else {
                    break;
                };
                giver.give(0, v).await?;
            }
        }
        Kind::Collect => {
            let mut items = Vec::new();
            while let Some(v) = inputs.recv("x").await {
                items.push(Value::Int(digest(&v)));
            }
            giver.give(0, items.into()).await?;
        }
        _ => {
            while let Some((_, v)) = inputs.next().await {
                giver.give(0, v).await?;
            }
        }
    }
    Ok(())
}

fn pipe(kind: Kind, trace: &Arc<Trace>) -> NodeDef {
    let trace = trace.clone();
    let work = Behaviour::Pipe(Box::new(move |props, source, out, cx| {
        let trace = trace.clone();
        Box::pin(async move {
            let giver = Giver {
                trace: &trace,
                out,
                cx,
            };
            trace.began(cx);
            read(kind, number(&props, 0), &mut Inputs::new(source), &giver).await
        })
    }));
    NodeDef::new(metadata(kind), work)
}

async fn drive(
    k: i64,
    asks: bool,
    inputs: &mut Inputs<'_>,
    out: &Emitter<'_, Value>,
) -> Result<(), NodeError> {
    let mut first = asks;
    while inputs.next().await.is_some() {
        if std::mem::take(&mut first) {
            out.run_controlled(None, Map::new()).await?;
        }
    }
    let run = Value::map([("event_type", "run".into())]);
    for _ in 0..if asks { 0 } else { k } {
        out.emit_named("__control__", run.clone()).await?;
    }
    Ok(())
}

fn driver() -> NodeDef {
    let mut m = NodeMetadata::new(DRIVER);
    m.properties = vec![
        Property::new("k", TypeMetadata::new("int"), 0.into()),
        Property::new("asks", TypeMetadata::new("bool"), false.into()),
        Property::new("x", TypeMetadata::any(), Value::Null),
    ];
    let work = Behaviour::Pipe(Box::new(|props, source, out, _| {
        Box::pin(async move {
            let asks = props.values[1].as_bool().unwrap_or_default();
            let mut inputs = Inputs::new(source);
            drive(number(&props, 0), asks, &mut inputs, &Emitter::new(out)).await
        })
    }));
    NodeDef::new(m, work)
}

/// All kinds, recording into the trace, and outputs.
pub(super) fn registry(trace: &Arc<Trace>) -> Registry {
    let mut r = Registry::new();
    for kind in [
        Kind::Const,
        Kind::Map,
        Kind::OnAny,
        Kind::Zip,
        Kind::Gather,
        Kind::Driven,
    ] {
        r.add_def(trace.marked(kind, process(kind, trace)));
    }
    r.add_def(driver());
    for kind in [Kind::Gen, Kind::Expand, Kind::If] {
        r.add_def(trace.marked(kind, generate(kind, trace)));
    }
    for kind in [
        Kind::Echo,
        Kind::Collect,
        Kind::InOrder,
        Kind::Merge,
        Kind::Take,
    ] {
        r.add_def(trace.marked(kind, pipe(kind, trace)));
    }
    let out = fixtures().get(OUT).expect("outputs").clone();
    let mut def = NodeDef::new(out.metadata.clone(), Behaviour::Inert);
    (def.role, def.cacheable) = (out.role, false);
    r.add_def(def);
    r
}
