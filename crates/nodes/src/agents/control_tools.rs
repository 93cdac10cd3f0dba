//! The nodes an agent controls, as tools of its model (engine spec 3.10): calling one runs the node once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::protocol::json_schema;
use nodetool_sdk::tools::{Tool, Tools};
use nodetool_sdk::{
    BoxFuture, ControlledNode, Emitter, Map, NodeCx, NodeDef, Outputs, Property, Value,
};

use super::tool_files;

/// Runs of controlled nodes in one execution of an agent.
const MAX_RUNS: u32 = 16;
/// How long one run may take.
const RUN_TIME: Duration = Duration::from_secs(300);
/// Longest name of a tool.
const MAX_NAME: usize = 64;
/// Larger property values are not shown to a model.
const MAX_SHOWN: usize = 400;

/// Tools by name, and controlled nodes.
pub(crate) struct Toolbox<'a, O> {
    others: &'a dyn Tools,
    nodes: Vec<(Tool, &'a ControlledNode)>,
    cx: &'a NodeCx,
    out: &'a Emitter<'a, O>,
    runs: AtomicU32,
}

impl<'a, O: Outputs> Toolbox<'a, O> {
    /// The controlled nodes as tools beside others; `taken` are the names of those.
    pub(crate) fn new(
        cx: &'a NodeCx,
        controlled: &'a [ControlledNode],
        out: &'a Emitter<'a, O>,
        taken: &[ToolSpec],
    ) -> Self {
        let mut taken: HashSet<String> = taken.iter().map(|s| s.name.clone()).collect();
        let nodes = controlled.iter().map(|node| {
            let name = free_name(&tool_name(&node.title), &taken);
            taken.insert(name.clone());
            let spec = ToolSpec {
                name,
                description: description(node),
                parameters: schema(node),
                ..ToolSpec::default()
            };
            let effects = true;
            (Tool { spec, effects }, node)
        });
        Toolbox {
            others: &*cx.services().tools,
            nodes: nodes.collect(),
            cx,
            out,
            runs: AtomicU32::new(0),
        }
    }

    /// What the model is told of the controlled nodes.
    pub(crate) fn specs(&self) -> impl Iterator<Item = ToolSpec> + '_ {
        self.nodes.iter().map(|(tool, _)| tool.spec.clone())
    }

    fn node(&self, name: &str) -> Option<&'a ControlledNode> {
        let found = self.nodes.iter().find(|(tool, _)| tool.spec.name == name);
        found.map(|(_, node)| *node)
    }

    async fn run(&self, node: &ControlledNode, arguments: Map) -> Result<Value, String> {
        let properties = fitted(&node.def, arguments)?;
        if self.runs.fetch_add(1, Ordering::Relaxed) >= MAX_RUNS {
            return Err(format!("not run: {MAX_RUNS} nodes have been run already"));
        }
        let run = self.out.run_controlled(Some(node.id.clone()), properties);
        match tokio::time::timeout(RUN_TIME, run).await {
            Ok(Ok(result)) => Ok(tool_files::stored(self.cx, &node.title, result.into()).await),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => {
                let seconds = RUN_TIME.as_secs();
                Err(format!("the node gave no result within {seconds} seconds"))
            }
        }
    }
}

impl<O: Outputs> Tools for Toolbox<'_, O> {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        self.others.find(names)
    }

    fn describe(&self, name: &str, arguments: &Map) -> String {
        match self.node(name) {
            Some(node) => format!("Running {}", node.title),
            None => self.others.describe(name, arguments),
        }
    }

    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        match self.node(name) {
            Some(node) => Box::pin(self.run(node, arguments)),
            None => self.others.call(name, arguments),
        }
    }
}

/// Fits properties to what a node declares. The engine fails the whole run for one that does not fit, so the model is
/// told before that.
pub(super) fn fitted(def: &NodeDef, arguments: Map) -> Result<Map, String> {
    let mut properties = Map::with_capacity(arguments.len());
    for (name, value) in arguments {
        let Some(property) = shown(def).find(|p| *p.name == *name) else {
            if def.metadata.is_dynamic {
                properties.insert(name, value);
                continue;
            }
            let known: Vec<&str> = shown(def).map(|p| &*p.name).collect();
            let known = known.join(", ");
            return Err(format!("there is no property `{name}`; there are: {known}"));
        };
        if value.is_null() && !property.ty.optional {
            continue;
        }
        let fitting = property.ty.assign(value);
        let value = fitting.map_err(|e| format!("the property `{name}` is {e}"))?;
        if let Some(number) = value.as_f64()
            && (property.min.is_some_and(|min| number < min)
                || property.max.is_some_and(|max| number > max))
        {
            let bound = |b: Option<f64>| b.map_or("…".to_owned(), |b| b.to_string());
            let (min, max) = (bound(property.min), bound(property.max));
            return Err(format!(
                "the property `{name}` is {number} (expected {min} to {max})"
            ));
        }
        properties.insert(name, value);
    }
    Ok(properties)
}

/// The properties a model may set.
pub(super) fn shown(def: &NodeDef) -> impl Iterator<Item = &Property> {
    let properties = def.metadata.properties.iter();
    properties.filter(|p| !p.name.starts_with('_'))
}

/// The value a property has now, where it can be shown.
pub(super) fn current(node: &ControlledNode, name: &str) -> Option<Value> {
    let value = node.props.values.get(node.def.property_index(name)?)?;
    (value.weight() <= MAX_SHOWN && !holds_bytes(value)).then(|| value.clone())
}

fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::List(items) => items.iter().any(holds_bytes),
        Value::Map(map) => map.values().any(holds_bytes),
        _ => false,
    }
}

fn description(node: &ControlledNode) -> String {
    let metadata = &node.def.metadata;
    let summary = metadata.description.lines().next().unwrap_or_default();
    format!(
        "Runs the node \"{}\" ({}). {summary}",
        node.title, metadata.title
    )
}

/// JSON Schema of the properties, with what they are now as defaults.
fn schema(node: &ControlledNode) -> Value {
    let properties = shown(&node.def).map(|property| {
        let mut schema = json_schema(&property.ty);
        if let Value::Map(map) = &mut schema {
            let map = std::sync::Arc::make_mut(map);
            if let Some(description) = &property.description {
                map.insert("description".into(), description.as_str().into());
            }
            if let Some(now) = current(node, &property.name) {
                map.insert("default".into(), now);
            }
        }
        (property.name.as_str().into(), schema)
    });
    // Inputs of the user's take anything.
    let own = node.props.dynamic.iter().map(|(name, now)| {
        let small = now.weight() <= MAX_SHOWN && !holds_bytes(now) && !now.is_null();
        let default = small.then(|| ("default", now.clone()));
        (name.clone(), Value::map(default))
    });
    let properties: Map = properties.chain(own).collect();
    Value::map([
        ("type", "object".into()),
        ("properties", properties.into()),
        ("additionalProperties", node.def.metadata.is_dynamic.into()),
    ])
}

/// A title as a tool's name: `SearchNews 2` becomes `search_news_2`.
fn tool_name(title: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for c in title.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            name.push('_');
        }
        match c {
            _ if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            _ => {}
        }
        before = c;
    }
    name.truncate(MAX_NAME);
    let name = name.trim_matches('_');
    match name.is_empty() {
        true => "control_node".to_owned(),
        false => name.to_owned(),
    }
}

/// The name, with a number where it is taken.
fn free_name(name: &str, taken: &HashSet<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while taken.contains(&free) {
        let end = format!("_{number}");
        free = name.chars().take(MAX_NAME - end.len()).collect();
        free.push_str(&end);
        number += 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::{Node, NodeCx, NodeError, Process};

    use super::*;

    /// Takes what it is given.
    /// test
    #[derive(Node)]
    #[node(namespace = "test", dynamic)]
    struct Taker {
        /// How many.
        count: i64,
        /// The inputs.
        #[prop(dynamic)]
        values: Map,
    }

    impl Process for Taker {
        type Output = Value;
        async fn process(self, _: &NodeCx) -> Result<Value, NodeError> {
            Ok((self.count + self.values.len() as i64).into())
        }
    }

    #[test]
    fn inputs_of_the_user_are_properties_too() {
        let def = Arc::new(Taker::definition());
        let mut props = def.defaults();
        props.dynamic.insert("topic".into(), "rust".into());
        let node = ControlledNode {
            id: "n".into(),
            title: "Taker".into(),
            def,
            props,
        };
        let want = r#"{"type":"object","properties":{"count":{"type":"integer","description":"How many.","default":0},"topic":{"default":"rust"}},"additionalProperties":true}"#;
        assert_eq!(serde_json::to_string(&schema(&node)).unwrap(), want);
        let given: Map = [("topic".into(), Value::from("go"))].into_iter().collect();
        assert_eq!(fitted(&node.def, given.clone()), Ok(given));
    }

    #[test]
    fn titles_become_names_of_tools() {
        for (title, name) in [
            ("SearchNews 2", "search_news_2"),
            ("  Häkchen -- setzen! ", "h_kchen_setzen"),
            ("HTTPGet", "httpget"),
            ("日本", "control_node"),
            ("", "control_node"),
        ] {
            assert_eq!(tool_name(title), name, "{title}");
        }
        assert_eq!(tool_name(&"x".repeat(100)).len(), MAX_NAME);
        let taken: HashSet<String> = ["a", "a_2"].map(str::to_owned).into();
        assert_eq!(free_name("a", &taken), "a_3");
    }
}
