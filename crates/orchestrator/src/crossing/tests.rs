use std::sync::Arc;

use nodetool_sdk::protocol::{OutputSlot, Property};
use nodetool_sdk::steps::{
    FieldKind, Flow, FlowCx, Mode, Runtime, StepConfig, StepCx, StepKind, StepRole, Steps, Token,
};
use nodetool_sdk::{
    Behaviour, Emitted, Map, NodeDef, NodeError, NodeMetadata, Registry, Role, TypeMetadata, Value,
    testing,
};

use super::{dataflow, step_of, steps};
use crate::{Fields, FormStep, define};
use nodetool_sdk::steps::{FieldSpec, FormSpec};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn map(text: &str) -> Map {
    json(text).as_map().unwrap().clone()
}

/// Chooses a way by what it is told, and counts in the run's state.
#[derive(Default)]
struct Choose {
    set_up: bool,
}

impl FormStep for Choose {
    const IDENTIFIER: &'static str = "choose";
    const CLASS: &'static str = "Choose";
    const CATEGORY: &'static str = "Test";
    const KIND: StepKind = StepKind::Conditional;
    const EFFECTS: bool = true;

    fn form() -> Option<FormSpec> {
        Some(FormSpec {
            name: "ChooseForm",
            fields: vec![
                FieldSpec::text("way").required().help("yes or no."),
                FieldSpec::integer("n").least(1),
            ],
            check: None,
        })
    }

    async fn setup(&mut self, _: &StepCx) -> Result<(), NodeError> {
        self.set_up = true;
        Ok(())
    }

    async fn run(&mut self, fields: &Fields, token: Token, _: &StepCx) -> Result<Flow, NodeError> {
        assert!(self.set_up);
        Ok(Flow::Route(fields.text("way").into(), token))
    }
}

/// A body for each of three items.
#[derive(Default)]
struct Three;

impl FormStep for Three {
    const IDENTIFIER: &'static str = "three";
    const CLASS: &'static str = "Three";
    const CATEGORY: &'static str = "Test";
    const KIND: StepKind = StepKind::Loop;

    fn form() -> Option<FormSpec> {
        None
    }

    async fn run(&mut self, _: &Fields, token: Token, _: &StepCx) -> Result<Flow, NodeError> {
        Ok(Flow::Each(
            vec![1i64.into(), 2i64.into(), 3i64.into()],
            token,
        ))
    }
}

/// Only means something between loops.
#[derive(Default)]
struct Writer;

impl FormStep for Writer {
    const IDENTIFIER: &'static str = "writer";
    const CLASS: &'static str = "Writer";
    const CATEGORY: &'static str = "Test";
    const ROLE: StepRole = StepRole::QueueWriter;

    fn form() -> Option<FormSpec> {
        None
    }

    async fn run(&mut self, _: &Fields, token: Token, _: &StepCx) -> Result<Flow, NodeError> {
        Ok(Flow::Go(token))
    }
}

fn registry() -> Registry {
    let mut types = Steps::default();
    crate::register(&mut types);
    types.add(define::<Choose>());
    types.add(define::<Three>());
    types.add(define::<Writer>());
    let mut registry = Registry::new();
    dataflow(&types, &mut registry);
    registry
}

fn node(name: &str) -> testing::Case {
    testing::case_of(registry().get(name).unwrap().clone())
}

#[test]
fn a_step_stands_in_the_catalogue_with_its_form_and_ports() {
    let registry = registry();
    let counter = &registry.get("orchestrator.counter").unwrap().metadata;
    assert_eq!(counter.title, "Counter");
    let names: Vec<&str> = counter.properties.iter().map(|p| &*p.name).collect();
    assert_eq!(names, ["min_value", "max_value", "direction", "step"]);
    assert_eq!(counter.properties[3].min, Some(1.0));
    assert_eq!(counter.properties[1].default, Value::Int(10));
    let direction = &counter.properties[2].ty;
    assert_eq!(
        direction.values,
        Some(vec!["increment".into(), "decrement".into()])
    );
    assert!(counter.is_streaming_output);
    let choose = registry.get("orchestrator.choose").unwrap();
    let names: Vec<&str> = choose
        .metadata
        .properties
        .iter()
        .map(|p| &*p.name)
        .collect();
    assert_eq!(names, ["data", "way", "n"]);
    let outputs: Vec<&str> = choose.metadata.outputs.iter().map(|o| &*o.name).collect();
    assert_eq!(outputs, ["yes", "no"]);
    assert!(!choose.metadata.is_streaming_output && !choose.cacheable);
    assert!(registry.get("orchestrator.writer").is_none());
}

#[tokio::test]
async fn a_step_works_on_a_dict_that_arrives() {
    let data = json(r#"{"way":"no","n":1}"#);
    let case = node("orchestrator.choose").set("data", data.clone());
    let out = case.set("way", "{{ data.way }}").run().await.unwrap();
    assert_eq!(out, [Map::from_iter([("no".into(), data)])]);
    let why = node("orchestrator.choose").run().await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "Form validation failed: way: This field is required."
    );
}

#[tokio::test]
async fn a_producer_gives_its_tokens_and_ends() {
    let case = node("orchestrator.counter").set("min_value", 1i64);
    let out = case.set("max_value", 3i64).run().await.unwrap();
    let current = |m: &Map| m["default"].get("counter")?.get("current")?.as_i64();
    let numbers: Vec<Option<i64>> = out.iter().map(current).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn a_loop_step_gives_each_item_and_goes_on() {
    let case = node("orchestrator.three").set("data", json(r#"{"a":1}"#));
    let out = case.run().await.unwrap();
    let ports: Vec<&str> = out
        .iter()
        .filter_map(|m| m.keys().next().map(|k| &**k))
        .collect();
    assert_eq!(ports, ["subdag", "subdag", "subdag", "default"]);
    assert_eq!(
        out[1]["subdag"],
        json(
            r#"{"a":1,"forEachNode":{"input":[1,2,3],"results":[],"state":{"index":1,"item":2}}}"#
        )
    );
}

#[tokio::test]
async fn the_state_of_the_run_is_its_variables() {
    let cx = testing::context();
    cx.run.variables.set("way", "yes".into());
    let run = cx.run.clone();
    let way = "{{ runtime.way|set_runtime('seen', [1]) }}";
    let case = node("orchestrator.choose").set("way", way).within(cx);
    let out = case.run().await.unwrap();
    assert!(out[0].contains_key("yes"));
    assert_eq!(run.variables.get("seen"), Some(json("[1]")));
}

fn property(name: &str, ty: &str, default: Value) -> Property {
    Property::new(name, TypeMetadata::new(ty), default)
}

/// Gives its properties and what it was not declared to take.
fn show() -> NodeDef {
    let mut metadata = NodeMetadata::new("test.ns.ShowAll");
    metadata.description = "Shows what it is given.\nshow".into();
    metadata.is_dynamic = true;
    metadata.properties = vec![
        property("text", "str", "none".into()),
        property("n", "int", 5i64.into()),
        property("any", "any", Value::Null),
        property("list", "list", Value::list([])),
        property("on", "bool", false.into()),
    ];
    metadata.outputs = vec![OutputSlot::new("output", TypeMetadata::any())];
    NodeDef::new(
        metadata,
        Behaviour::Process(Box::new(|props, _| {
            let dynamic = Value::from(props.dynamic.clone());
            let all = props.values.into_iter().chain([dynamic]);
            let all = Value::list(all);
            Box::pin(std::future::ready(Ok(Emitted::one(0, all))))
        })),
    )
}

/// Gives numbers on one slot and their texts on another.
fn count(most: i64) -> NodeDef {
    let mut metadata = NodeMetadata::new("test.Count");
    let slot = |name| OutputSlot::new(name, TypeMetadata::any());
    metadata.outputs = vec![slot("n"), slot("text")];
    NodeDef::new(
        metadata,
        Behaviour::Generate(Box::new(move |_, sink, _| {
            Box::pin(async move {
                for n in 0..most {
                    sink.put(Emitted::one(0, n.into()))?;
                    sink.put(Emitted::one(1, n.to_string().into()))?;
                }
                Ok(())
            })
        })),
    )
}

fn cx() -> StepCx {
    StepCx {
        node: testing::context(),
        flow: Arc::new(FlowCx {
            mode: Mode::Production,
            env: Arc::default(),
            runtime: Arc::new(Runtime::default()),
            request: None,
            webhooks: None,
        }),
        reads: None,
        writes: Vec::new(),
    }
}

async fn ran(def: NodeDef, form: &str, data: &str) -> Result<Token, String> {
    let def = step_of(Arc::new(def)).unwrap();
    let mut step = (def.make)(StepConfig {
        id: "node-1".into(),
        form: map(form),
        ..StepConfig::default()
    });
    step.ready().map_err(|e| e.to_string())?;
    let token = Token::new("t", map(data));
    match step.run(token, &cx()).await.map_err(|e| e.to_string())? {
        Flow::Go(token) => Ok(token),
        other => Err(format!("{other:?}")),
    }
}

#[tokio::test]
async fn a_node_takes_its_properties_from_the_form() {
    let form = r#"{"text":"{{ data.a.b }}","n":"{{ data.n }}","any":"{{ data.a }}","list":["{{ data.n }}",2],
                   "on":"true","more":"{{ data.n }}"}"#;
    let token = ran(show(), form, r#"{"a":{"b":[1]},"n":7}"#).await.unwrap();
    assert_eq!(
        token.data["show_all"],
        json(r#"["[1]",7,{"b":[1]},[7,2],true,{"more":7}]"#)
    );
    assert_eq!(token.data["n"], Value::Int(7));
    assert_eq!(token.metadata["sourceNodeName"], "test.ns.ShowAll".into());
    // What is not there, is empty or leads nowhere is the default; a taken key is not written over.
    let form = r#"{"n":"","any":"{{ data.zz }}","list":null}"#;
    let token = ran(show(), form, r#"{"show_all":1}"#).await.unwrap();
    assert_eq!(
        token.data["show_all_2"],
        json(r#"["none",5,null,[],false,{}]"#)
    );
    // Text says what a value is where no text is taken.
    let form = r#"{"n":" 3 ","list":"[1, {{ 1 + 1 }}]"}"#;
    let token = ran(show(), form, "{}").await.unwrap();
    assert_eq!(
        token.data["show_all"],
        json(r#"["none",3,null,[1,2],false,{}]"#)
    );
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_a_fault_of_its_field() {
    let why = ran(show(), r#"{"n":"x"}"#, "{}").await.unwrap_err();
    assert_eq!(why, r#"Form validation failed: n: str "x" (expected int)"#);
    let why = ran(show(), r#"{"n":"{{ data.x }}"}"#, r#"{"x":[1]}"#).await;
    assert_eq!(
        why.unwrap_err(),
        "Invalid field values: n: list [1] (expected int)"
    );
    let why = ran(show(), r#"{"n":"{{ 1 + }}"}"#, "{}").await.unwrap_err();
    assert!(why.starts_with("Form validation failed: n: "), "{why}");
    let why = ran(show(), r#"{"text":"{{ zz.y }}"}"#, "{}").await;
    assert!(why.unwrap_err().contains("field 'text'"));
}

#[tokio::test]
async fn streams_are_collected_up_to_a_bound() {
    let token = ran(count(2), "{}", "{}").await.unwrap();
    assert_eq!(token.data["count"], json(r#"{"n":[0,1],"text":["0","1"]}"#));
    let why = ran(count(i64::MAX), "{}", "{}").await.unwrap_err();
    assert!(why.contains("too much for one token"), "{why}");
}

#[test]
fn a_node_as_a_step_has_a_form() {
    let def = step_of(Arc::new(show())).unwrap();
    assert_eq!(&*def.identifier, "test.ns.ShowAll");
    assert_eq!(def.description.as_deref(), Some("Shows what it is given."));
    assert_eq!(&*def.category, "test.ns");
    let form = def.form.unwrap();
    assert_eq!(form.name, "ShowAllForm");
    assert!(matches!(form.fields[1].kind, FieldKind::Integer { .. }));
    assert_eq!(form.fields[1].initial, Some(Value::Int(5)));
}

#[test]
fn nodes_that_read_streams_or_begin_runs_are_no_steps() {
    let pipe = || {
        NodeDef::new(
            NodeMetadata::new("test.Pipe"),
            Behaviour::Pipe(Box::new(|_, _, _, _| Box::pin(std::future::ready(Ok(()))))),
        )
    };
    let inert = NodeDef::new(NodeMetadata::new("test.Comment"), Behaviour::Inert);
    let (mut trigger, mut output) = (show(), show());
    trigger.begins_runs = true;
    output.role = Role::Output;
    for def in [pipe(), inert, trigger, output] {
        assert!(step_of(Arc::new(def)).is_none());
    }
}

#[test]
fn all_steps_are_those_of_both_dialects() {
    let mut registry = registry();
    registry.add_def(show());
    let types = steps(&Arc::new(registry));
    assert_eq!(
        &*types.get("orchestrator.counter").unwrap().class,
        "CounterNode"
    );
    let made = types.get("test.ns.ShowAll").unwrap();
    assert!(Arc::ptr_eq(&made, &types.get("test.ns.ShowAll").unwrap()));
    for name in ["custom-node", "orchestrator.custom-node", "test.ns.Nope"] {
        assert!(types.get(name).is_none(), "{name}");
    }
}
