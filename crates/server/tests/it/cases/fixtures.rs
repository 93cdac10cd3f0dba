//! Node types that only these tests have: a source that gives what a case says, and a sink that keeps what it gets.
//!
//! They must not know what is between them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use nodetool_sdk::{
    Behaviour, Emitted, Inputs, NodeDef, NodeMetadata, OutputSlot, Property, Registry, Value,
};

/// Counts from zero, one item each: what makes a stream of a source.
pub(super) const TICKS: &str = "test.cases.Ticks";
/// Gives the item of a list at an index. A node that streams may not give null, this one may.
pub(super) const SOURCE: &str = "test.cases.Source";
/// Keeps every value of every handle.
pub(super) const SINK: &str = "test.cases.Sink";

/// Values in order, by the name of the handle, output or node they were at.
pub(super) type Streams = HashMap<Arc<str>, Vec<Value>>;

/// What the sinks of all runs got, by job.
#[derive(Clone, Default)]
pub(super) struct Received(Arc<Mutex<HashMap<Arc<str>, Streams>>>);

impl Received {
    fn keep(&self, job: Arc<str>, handle: Arc<str>, value: Value) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.entry(job)
            .or_default()
            .entry(handle)
            .or_default()
            .push(value);
    }

    /// Takes what the sink of a run got.
    pub(super) fn take(&self, job: &str) -> Streams {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.remove(job).unwrap_or_default()
    }
}

/// Adds the fixtures to a registry; its sinks keep what they get in `received`.
pub(super) fn register(registry: &mut Registry, received: &Received) {
    registry.add_def(ticks());
    registry.add_def(source());
    registry.add_def(sink(received.clone()));
}

fn ty(text: &str) -> nodetool_sdk::TypeMetadata {
    text.parse().unwrap_or_else(|e| panic!("type {text}: {e}"))
}

fn ticks() -> NodeDef {
    let mut metadata = NodeMetadata::new(TICKS);
    metadata.properties = vec![Property::new("count", ty("int"), 0i64.into())];
    metadata.outputs = vec![OutputSlot::new("output", ty("int"))];
    metadata.is_streaming_output = true;
    let behaviour = Behaviour::Generate(Box::new(|mut props, sink, _| {
        Box::pin(async move {
            for n in 0..props.take::<i64>(0, "count")? {
                if !sink.put(Emitted::one(0, n.into()))? {
                    sink.ready().await?;
                }
            }
            Ok(())
        })
    }));
    NodeDef::new(metadata, behaviour)
}

fn source() -> NodeDef {
    let mut metadata = NodeMetadata::new(SOURCE);
    metadata.properties = vec![
        Property::new("items", ty("list[any]"), Value::list([])),
        Property::new("index", ty("int"), 0i64.into()),
    ];
    metadata.outputs = vec![OutputSlot::new("output", ty("any"))];
    let behaviour = Behaviour::Process(Box::new(|mut props, _| {
        Box::pin(async move {
            let items = props.take::<Vec<Value>>(0, "items")?;
            let index = props.take::<i64>(1, "index")?;
            let item = usize::try_from(index)
                .ok()
                .and_then(|i| items.into_iter().nth(i));
            Ok(item.map_or_else(Emitted::nothing, |item| Emitted::one(0, item)))
        })
    }));
    NodeDef::new(metadata, behaviour)
}

fn sink(received: Received) -> NodeDef {
    let mut metadata = NodeMetadata::new(SINK);
    metadata.is_dynamic = true;
    let behaviour = Behaviour::Pipe(Box::new(move |_, source, _, cx| {
        let received = received.clone();
        Box::pin(async move {
            let mut inputs = Inputs::new(source);
            while let Some((handle, value)) = inputs.next().await {
                received.keep(cx.run.job_id.clone(), handle, value);
            }
            Ok(())
        })
    }));
    NodeDef::new(metadata, behaviour)
}
