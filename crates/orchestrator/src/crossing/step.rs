//! A node of a dataflow graph as a step of a loop: its properties come from the form, its result goes into the token.
//!
//! A value that is nothing but `{{ data.a.b }}` is handed over as it is, whatever it is; other templates give text, which
//! is read as JSON where the property takes no text.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use nodetool_sdk::protocol::Property;
use nodetool_sdk::steps::{
    Compat, FieldKind, FieldSpec, Flow, FormFaults, FormSpec, Pool, Step, StepConfig, StepCx,
    StepDef, StepError, StepKind, StepRole, Token,
};
use nodetool_sdk::{
    Behaviour, BoxFuture, ControlMessage, Effect, Emit, Emitted, Map, NodeDef, NodeError, Props,
    Role, TypeMetadata, Value,
};

use crate::form::faults_of;
use crate::formed::{names, noted};
use crate::template::{Names, Template};

/// Most values a node that gives many may give for one token.
const MAX_VALUES: usize = 10_000;
/// Most bytes of them, about.
const MAX_WEIGHT: usize = 64 << 20;
/// Deepest nesting of a value with templates in it.
const MAX_LEVELS: usize = 32;
/// Workflow types a node may be part of.
const SUPPORTS: &[&str] = &["production", "api"];

/// The step of a node type; `None` for one that cannot be one.
pub fn step_of(def: Arc<NodeDef>) -> Option<StepDef> {
    let streams = matches!(def.behaviour, Behaviour::Inert | Behaviour::Pipe(_));
    let ours = def
        .metadata
        .node_type
        .starts_with(nodetool_sdk::steps::Steps::PREFIX);
    if streams || ours || def.begins_runs || def.role != Role::Plain {
        return None;
    }
    let metadata = &def.metadata;
    let form = Arc::new(FormSpec {
        name: kept(&format!("{}Form", def.class_name())),
        fields: metadata.properties.iter().map(field_of).collect(),
        check: None,
    });
    let summary = metadata.description.lines().next().unwrap_or_default();
    Some(StepDef {
        identifier: metadata.node_type.as_str().into(),
        class: def.class_name().into(),
        label: Some(metadata.title.as_str().into()),
        description: Some(summary.into()),
        category: metadata.namespace.as_str().into(),
        icon: None,
        kind: StepKind::Blocking,
        role: StepRole::Plain,
        pool: Pool::Async,
        form: (!form.fields.is_empty()).then(|| form.clone()),
        supports: SUPPORTS,
        effects: def.effect != Effect::Pure,
        make: Box::new(move |config| Box::new(NodeStep::new(def.clone(), form.clone(), config))),
    })
}

/// A text that lives as long as the process: forms name their fields so. There are as many as node types have
/// properties, each once.
fn kept(text: &str) -> &'static str {
    static KEPT: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut all = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(text) {
        return known;
    }
    let text: &'static str = Box::leak(text.to_owned().into_boxed_str());
    all.insert(text);
    text
}

fn field_of(property: &Property) -> FieldSpec {
    let (min, max) = (property.min, property.max);
    #[expect(clippy::cast_possible_truncation, reason = "bounds are small")]
    let whole = |n: f64| n as i64;
    let kind = match &*property.ty.name {
        "str" => FieldKind::Text { max: None },
        "int" => FieldKind::Integer {
            min: min.map(whole),
            max: max.map(whole),
        },
        "float" => FieldKind::Float { min, max },
        "bool" => FieldKind::Boolean,
        "enum" => {
            let values = property.ty.values.iter().flatten();
            let texts = values.filter_map(Value::as_str).map(kept);
            FieldKind::Choice(texts.map(|text| (text, text)).collect())
        }
        _ => FieldKind::Textarea {
            rows: 8,
            json: true,
        },
    };
    let mut field = FieldSpec::new(kept(&property.name), kind);
    field.label = property.title.as_deref().map(kept);
    field.help = property.description.as_deref().map(kept);
    field.initial = (!property.default.is_null()).then(|| property.default.clone());
    field
}

/// A value of the form.
enum Given {
    Value(Value),
    Template(Template),
    List(Vec<Given>),
    Map(Vec<(Arc<str>, Given)>),
}

impl Given {
    fn of(value: &Value, compat: Compat) -> Result<Self, String> {
        if value.deeper_than(MAX_LEVELS) {
            return Err(format!("it is nested more than {MAX_LEVELS} levels deep"));
        }
        if !holds_template(value, compat) {
            return Ok(Given::Value(value.clone()));
        }
        Ok(match value {
            Value::Str(text) => Given::Template(Template::parse(text).map_err(|e| e.to_string())?),
            Value::List(items) => {
                let items: Result<_, String> =
                    items.iter().map(|item| Given::of(item, compat)).collect();
                Given::List(items?)
            }
            Value::Map(map) => {
                let pairs = map
                    .iter()
                    .map(|(k, v)| Ok((k.clone(), Given::of(v, compat)?)));
                Given::Map(pairs.collect::<Result<_, String>>()?)
            }
            other => Given::Value(other.clone()),
        })
    }

    /// The value for a token; as text where only text is wanted.
    fn bound<'a>(
        &'a self,
        as_text: bool,
        names: &'a Names,
    ) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move {
            Ok(match self {
                Given::Value(value) => value.clone(),
                Given::Template(template) => {
                    if !as_text && let Some(value) = template.value(&names.data) {
                        return Ok(value);
                    }
                    let text = template.render(names).await.map_err(|e| e.to_string())?;
                    Value::Str(text)
                }
                Given::List(items) => {
                    let mut out = Vec::with_capacity(items.len());
                    for item in items {
                        out.push(item.bound(false, names).await?);
                    }
                    out.into()
                }
                Given::Map(pairs) => {
                    let mut out = Map::with_capacity(pairs.len());
                    for (key, value) in pairs {
                        out.insert(key.clone(), value.bound(false, names).await?);
                    }
                    out.into()
                }
            })
        })
    }
}

fn holds_template(value: &Value, compat: Compat) -> bool {
    match value {
        Value::Str(text) => Template::is_in(text, compat),
        Value::List(items) => items.iter().any(|item| holds_template(item, compat)),
        Value::Map(map) => map.values().any(|item| holds_template(item, compat)),
        _ => false,
    }
}

struct NodeStep {
    def: Arc<NodeDef>,
    spec: Arc<FormSpec>,
    id: Arc<str>,
    raw: Map,
    /// By name of the property.
    given: Vec<(Arc<str>, Result<Given, String>)>,
    /// Key of the result.
    key: String,
    /// How many tokens there have been.
    executions: u64,
}

impl NodeStep {
    fn new(def: Arc<NodeDef>, spec: Arc<FormSpec>, config: StepConfig) -> Self {
        let declared = |name: &str| def.metadata.is_dynamic || def.property_index(name).is_some();
        let given = config
            .form
            .iter()
            .filter(|(name, value)| declared(name) && !value.is_null())
            .map(|(name, value)| (name.clone(), Given::of(value, config.compat)))
            .collect();
        NodeStep {
            key: snake(def.class_name()),
            def,
            spec,
            id: config.id,
            raw: config.form,
            given,
            executions: 0,
        }
    }

    async fn props(&self, names: &Names) -> Result<Props, StepError> {
        let mut props = self.def.defaults();
        for (name, given) in &self.given {
            let index = self.def.property_index(name);
            let ty = index.map(|at| &self.def.metadata.properties[at].ty);
            let given = given
                .as_ref()
                .map_err(|why| NodeError::bad(&**name, why.clone()))?;
            let value = given
                .bound(ty.is_some_and(|ty| ty.is("str")), names)
                .await
                .map_err(|why| NodeError::new(format!("Template of field '{name}': {why}")))?;
            let (Some(ty), Some(index)) = (ty, index) else {
                props.dynamic.insert(name.clone(), value);
                continue;
            };
            match assigned(ty, value) {
                Ok(None) => {}
                Ok(Some(value)) => props.values[index] = value,
                Err(why) => {
                    let faults = vec![(name.to_string(), vec![why])];
                    return Err(StepError::Form(faults_of(
                        &self.spec, &self.raw, faults, false,
                    )));
                }
            }
        }
        Ok(props)
    }

    async fn token(&mut self, mut token: Token, cx: &StepCx) -> Result<Flow, StepError> {
        let data = Arc::new(std::mem::take(&mut token.data));
        let props = self.props(&names(data.clone(), cx)).await?;
        token.data = Arc::unwrap_or_clone(data);
        let before = token.metadata.clone();
        if self.def.effect != Effect::Pure {
            cx.node.begin_effect(self.executions);
        }
        self.executions += 1;
        let work = self.result(props, cx);
        let value = match self.def.timeout_s.filter(|seconds| *seconds > 0.0) {
            None => work.await?,
            Some(seconds) => {
                let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                let ended = tokio::time::timeout(limit, work).await;
                ended.map_err(|_| NodeError::TimedOut(seconds))??
            }
        };
        token.put(&self.key, value);
        let name = &self.def.metadata.node_type;
        Ok(Flow::Go(noted(token, before, &self.id, name)))
    }

    async fn result(&self, props: Props, cx: &StepCx) -> Result<Value, NodeError> {
        let slots = Slots::of(&self.def);
        match &self.def.behaviour {
            Behaviour::Process(work) => {
                let emitted = work(props, &cx.node).await?;
                Ok(slots.whole(emitted))
            }
            Behaviour::Generate(work) => {
                let list = Collected {
                    slots,
                    kept: Mutex::default(),
                };
                work(props, &list, &cx.node).await?;
                Ok(list.into_value())
            }
            Behaviour::Inert | Behaviour::Pipe(_) => Err(NodeError::new(format!(
                "{} cannot be a step of a loop",
                self.def.metadata.node_type
            ))),
        }
    }
}

impl Step for NodeStep {
    fn ready(&self) -> Result<(), Box<FormFaults>> {
        let mut faults = Vec::new();
        for (name, given) in &self.given {
            let fault = match given {
                Err(why) => Some(why.clone()),
                Ok(Given::Value(value)) => self.def.property_index(name).and_then(|at| {
                    let ty = &self.def.metadata.properties[at].ty;
                    assigned(ty, value.clone()).err()
                }),
                Ok(_) => None,
            };
            faults.extend(fault.map(|why| (name.to_string(), vec![why])));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(faults_of(&self.spec, &self.raw, faults, true))
    }

    fn run<'a>(
        &'a mut self,
        token: Token,
        cx: &'a StepCx,
    ) -> BoxFuture<'a, Result<Flow, StepError>> {
        Box::pin(self.token(token, cx))
    }
}

/// A value as a property takes it; `None` for the default.
fn assigned(ty: &TypeMetadata, value: Value) -> Result<Option<Value>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let text = match &value {
        Value::Str(text) if !ty.is("str") => text.clone(),
        _ => return ty.assign(value).map(Some).map_err(|e| e.to_string()),
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    // Forms send text; what takes no text takes what the text says.
    let said = match &*ty.name {
        "bool" if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        "bool" if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        "enum" => None,
        _ => serde_json::from_str(&text)
            .ok()
            .or_else(|| crate::condition::literal(&text)),
    };
    if let Some(said) = said
        && let Ok(value) = ty.assign(said)
    {
        return Ok(Some(value));
    }
    ty.assign(value).map(Some).map_err(|e| e.to_string())
}

/// The outputs of a node.
struct Slots {
    names: Vec<Arc<str>>,
}

impl Slots {
    fn of(def: &NodeDef) -> Self {
        let outputs = def.metadata.outputs.iter();
        Slots {
            names: outputs.map(|slot| slot.name.as_str().into()).collect(),
        }
    }

    /// The values of one emission, by name.
    fn values(&self, emitted: Emitted) -> Map {
        match emitted {
            Emitted::Named(map) => map,
            Emitted::Slots(values) => values
                .into_iter()
                .filter_map(|(at, value)| Some((self.names.get(usize::from(at))?.clone(), value)))
                .collect(),
        }
    }

    /// One emission as one value: that of the only output, else all by name.
    fn whole(&self, emitted: Emitted) -> Value {
        let mut values = self.values(emitted);
        match self.names.as_slice() {
            [only] => values.shift_remove(only).unwrap_or_default(),
            _ => values.into(),
        }
    }
}

/// Keeps what a node gives.
struct Collected {
    slots: Slots,
    kept: Mutex<(Vec<Map>, usize)>,
}

impl Collected {
    fn into_value(self) -> Value {
        let (items, _) = self
            .kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if let [only] = self.slots.names.as_slice() {
            let values = items.into_iter().filter_map(|mut m| m.shift_remove(only));
            return Value::list(values);
        }
        let mut by_name: Vec<(Arc<str>, Vec<Value>)> = self
            .slots
            .names
            .iter()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        for (name, value) in items.into_iter().flatten() {
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => by_name.push((name, vec![value])),
            }
        }
        Value::map(by_name.into_iter().map(|(name, list)| (name, list.into())))
    }
}

impl Emit for Collected {
    fn put(&self, emitted: Emitted) -> Result<bool, NodeError> {
        let values = self.slots.values(emitted);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.1 += values.values().map(Value::weight).sum::<usize>();
        if kept.0.len() >= MAX_VALUES || kept.1 > MAX_WEIGHT {
            return Err(NodeError::new(format!(
                "The node gives too much for one token (expected at most {MAX_VALUES} values and {MAX_WEIGHT} bytes)"
            )));
        }
        kept.0.push(values);
        Ok(true)
    }

    fn ready<'a>(&'a self) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn complete(&self, _: &str) {}

    fn control(&self, _: ControlMessage) -> Result<(), NodeError> {
        Err(NodeError::new("There are no controlled nodes in a loop"))
    }
}

/// `FormatText` becomes `format_text`, `HTTPGet` becomes `http_get`.
fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase()
                    || b.is_ascii_digit()
                    || (b.is_uppercase() && after.is_some_and(|a| a.is_lowercase()))
            });
        if begins {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
