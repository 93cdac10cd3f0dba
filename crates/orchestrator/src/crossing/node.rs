//! A step as a node of a dataflow graph: a dict arrives, is worked on as a token, and leaves on the port of its route.
//!
//! Each arrival is a token of its own: the step is made, set up, run and cleaned up for it. A producer gives all its
//! tokens one after the other; a loop step gives each item on `subdag` and then goes on by `default`, without results.
//! The values templates call `runtime` are the variables of the run.

use std::sync::Arc;

use nodetool_sdk::protocol::{OutputSlot, Property};
use nodetool_sdk::steps::{
    BODY, DEFAULT, FieldKind, FieldSpec, Flow, FlowCx, FormFaults, Mode, Runtime, Step, StepConfig,
    StepCx, StepDef, StepError, StepKind, StepRole, Steps, Token,
};
use nodetool_sdk::{
    Behaviour, BoxFuture, Effect, Emit, Emitted, Map, NodeCx, NodeDef, NodeError, NodeMetadata,
    Props, TypeMetadata, Value,
};

use super::ENDLESS;

/// The input a token's data arrives on.
const DATA: &str = "data";

/// The definition of a step as a node; `None` for one that makes no sense alone.
pub(super) fn node_of(def: &Arc<StepDef>) -> Option<NodeDef> {
    if def.role != StepRole::Plain || ENDLESS.contains(&&*def.identifier) {
        return None;
    }
    let mut metadata = NodeMetadata::new(&format!("{}{}", Steps::PREFIX, def.identifier));
    metadata.title = def.label.as_ref().unwrap_or(&def.class).to_string();
    metadata.description = format!(
        "{}\n{}, loop, step",
        def.description.as_deref().unwrap_or(&metadata.title),
        def.category.to_lowercase()
    );
    if def.kind != StepKind::Producer {
        let dict = TypeMetadata::new("dict");
        let mut data = Property::new(DATA, dict, Map::new().into());
        data.description = Some("What the step works on.".into());
        metadata.properties.push(data);
    }
    let fields = def.form.iter().flat_map(|form| &form.fields);
    // A field called `data` is reached by the input alone.
    metadata
        .properties
        .extend(fields.filter(|field| field.name != DATA).map(property_of));
    metadata.outputs = def
        .kind
        .output_ports()
        .iter()
        .map(|(port, _)| OutputSlot::new(port, TypeMetadata::new("dict")))
        .collect();
    let many = matches!(def.kind, StepKind::Producer | StepKind::Loop);
    metadata.is_streaming_output = many;
    let names: Vec<Arc<str>> = metadata
        .properties
        .iter()
        .map(|property| property.name.as_str().into())
        .collect();
    let (def, effects) = (def.clone(), def.effects);
    let behaviour = if many {
        Behaviour::Generate(Box::new(move |props, sink, cx| {
            let work = Work::new(&def, &names, props, cx);
            Box::pin(work.all(def.kind, sink))
        }))
    } else {
        Behaviour::Process(Box::new(move |props, cx| {
            let work = Work::new(&def, &names, props, cx);
            Box::pin(work.one())
        }))
    };
    let mut node = NodeDef::new(metadata, behaviour);
    // What a step gives may hang on variables, on the time or on the outside.
    node.cacheable = false;
    node.effect = if effects { Effect::Once } else { Effect::Pure };
    Some(node)
}

fn property_of(field: &FieldSpec) -> Property {
    let initial = || field.initial.clone();
    let text = || initial().unwrap_or_else(|| "".into());
    let (ty, default) = match &field.kind {
        FieldKind::Textarea { json: true, .. } => (TypeMetadata::any(), text()),
        FieldKind::Integer { .. } => (
            TypeMetadata::new("int").nullable(),
            initial().unwrap_or_default(),
        ),
        FieldKind::Float { .. } => (
            TypeMetadata::new("float").nullable(),
            initial().unwrap_or_default(),
        ),
        FieldKind::Boolean => (
            TypeMetadata::new("bool"),
            initial().unwrap_or(Value::Bool(false)),
        ),
        FieldKind::Choice(choices) => {
            let values = choices.iter().map(|(value, _)| Value::from(*value));
            (TypeMetadata::enumeration(values, None), text())
        }
        _ => (TypeMetadata::new("str"), text()),
    };
    let mut property = Property::new(field.name, ty, default);
    if let Some(label) = field.label {
        property.title = Some(label.into());
    }
    property.description = field.help.map(Into::into);
    #[expect(clippy::cast_precision_loss, reason = "bounds of what people type")]
    let bound = |n: i64| n as f64;
    (property.min, property.max) = match field.kind {
        FieldKind::Integer { min, max } => (min.map(bound), max.map(bound)),
        FieldKind::Float { min, max } => (min, max),
        _ => (None, None),
    };
    property
}

/// One execution.
struct Work {
    step: Box<dyn Step>,
    cx: StepCx,
    token: Token,
    /// Variables of the run as they were before.
    before: Map,
}

impl Work {
    fn new(def: &StepDef, names: &[Arc<str>], props: Props, cx: &NodeCx) -> Self {
        let mut form = Map::new();
        let mut data = Map::new();
        for (name, value) in names.iter().zip(props.values) {
            match value {
                Value::Map(map) if **name == *DATA => data = Arc::unwrap_or_clone(map),
                _ if **name == *DATA => {}
                // What is not set is absent, as in a form.
                Value::Null => {}
                value => {
                    form.insert(name.clone(), value);
                }
            }
        }
        let before = cx.run.variables.snapshot();
        let cx = StepCx {
            node: cx.twin(),
            flow: Arc::new(FlowCx {
                mode: Mode::Production,
                env: Arc::default(),
                runtime: Arc::new(Runtime::new(before.clone())),
                request: None,
                webhooks: None,
            }),
            reads: None,
            writes: Vec::new(),
        };
        let step = (def.make)(StepConfig {
            id: cx.node.node.id.clone(),
            form,
            ..StepConfig::default()
        });
        let id = format!("{}:{}", cx.node.run.job_id, cx.node.node.id);
        Work {
            step,
            token: Token::new(id, data),
            cx,
            before,
        }
    }

    async fn begin(&mut self) -> Result<(), NodeError> {
        self.step.ready().map_err(said)?;
        self.step.setup(&self.cx).await.map_err(failed)
    }

    async fn end(mut self, last: Option<&Token>) {
        self.step.cleanup(last, &self.cx).await;
        if self.cx.flow.runtime.version() == 0 {
            return;
        }
        let (variables, after) = (&self.cx.node.run.variables, self.cx.flow.runtime.snapshot());
        for key in self.before.keys().filter(|key| !after.contains_key(*key)) {
            variables.set(key, Value::Null);
        }
        for (key, value) in after {
            if self.before.get(&key) != Some(&value) {
                variables.set(&key, value);
            }
        }
    }

    async fn one(mut self) -> Result<Emitted, NodeError> {
        let result = match self.begin().await {
            Ok(()) => {
                let token = std::mem::take(&mut self.token);
                self.step.run(token, &self.cx).await.map_err(failed)
            }
            Err(e) => Err(e),
        };
        self.end(None).await;
        Ok(match result? {
            Flow::Route(route, token) => leaving(&route, token.data),
            Flow::Go(token) | Flow::Each(_, token) => leaving(DEFAULT, token.data),
            Flow::Completed(_) => Emitted::nothing(),
        })
    }

    async fn all(mut self, kind: StepKind, sink: &dyn Emit) -> Result<(), NodeError> {
        let result = match self.begin().await {
            Ok(()) => self.give(kind, sink).await,
            Err(e) => Err(e),
        };
        match result {
            Ok(last) => {
                self.end(last.as_ref()).await;
                Ok(())
            }
            Err(e) => {
                self.end(None).await;
                Err(e)
            }
        }
    }

    /// Every token, until the sentinel.
    async fn give(&mut self, kind: StepKind, sink: &dyn Emit) -> Result<Option<Token>, NodeError> {
        loop {
            let token = self.token.clone();
            match self.step.run(token, &self.cx).await.map_err(failed)? {
                Flow::Completed(last) => return Ok(Some(last.completed())),
                Flow::Go(token) => put(sink, DEFAULT, token.data).await?,
                Flow::Route(route, token) => put(sink, &route, token.data).await?,
                Flow::Each(items, token) => each(sink, items, token.data).await?,
            }
            if kind != StepKind::Producer {
                return Ok(None);
            }
            // A producer need not wait for anything; who listens for the end of the run must get a turn.
            tokio::task::yield_now().await;
        }
    }
}

/// Each item on its way into the body, then the whole.
async fn each(sink: &dyn Emit, items: Vec<Value>, data: Map) -> Result<(), NodeError> {
    let items = Arc::new(items);
    let with = |index: usize, item: Value| {
        let mut data = data.clone();
        let state = Value::map([("index", index.into()), ("item", item)]);
        let node = Value::map([
            ("input", Value::List(items.clone())),
            ("results", Value::list([])),
            ("state", state),
        ]);
        data.insert("forEachNode".into(), node);
        data
    };
    for (index, item) in items.iter().enumerate() {
        put(sink, BODY, with(index, item.clone())).await?;
    }
    let last = items.last().cloned().unwrap_or_default();
    put(sink, DEFAULT, with(items.len().saturating_sub(1), last)).await
}

fn leaving(port: &str, data: Map) -> Emitted {
    Emitted::Named(Map::from_iter([(Arc::from(port), Value::from(data))]))
}

fn put<'a>(sink: &'a dyn Emit, port: &str, data: Map) -> BoxFuture<'a, Result<(), NodeError>> {
    let emitted = leaving(port, data);
    Box::pin(async move {
        if !sink.put(emitted)? {
            sink.ready().await?;
        }
        Ok(())
    })
}

fn said(faults: Box<FormFaults>) -> NodeError {
    NodeError::new(faults.to_string())
}

fn failed(error: StepError) -> NodeError {
    match error {
        StepError::Form(faults) => said(faults),
        StepError::Node(error) => error,
    }
}
