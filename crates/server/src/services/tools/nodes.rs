//! The catalogue of node types, for models that build or explain workflows.

use nodetool_sdk::{NodeMetadata, TypeMetadata, Value};

use super::Desk;
use super::arguments::{Arguments, cut};

impl Desk {
    fn catalogue(&self) -> impl Iterator<Item = &NodeMetadata> {
        let shown = self.house.registry.iter().filter(|def| !def.hidden);
        shown.map(|def| &def.metadata)
    }

    pub(super) fn list_nodes(&self, arguments: &Arguments) -> Value {
        let namespace = arguments.given("namespace").unwrap_or_default();
        let below = format!("{namespace}.");
        let within = |m: &&NodeMetadata| {
            namespace.is_empty() || m.namespace == namespace || m.namespace.starts_with(&below)
        };
        let all: Vec<&NodeMetadata> = self.catalogue().filter(within).collect();
        let limit = arguments.count("limit", 200, 500);
        Value::map([
            (
                "nodes",
                Value::list(all.iter().take(limit).map(|m| brief(m))),
            ),
            ("total", all.len().into()),
        ])
    }

    pub(super) fn search_nodes(&self, arguments: &Arguments) -> Value {
        let words = words(arguments.get("query"));
        let wanted = |key: &str| arguments.given(key).map(str::to_owned);
        let (input, output) = (wanted("input_type"), wanted("output_type"));
        let is = |ty: &TypeMetadata, name: &str| &*ty.name == name || &*ty.name == "any";
        let fits = |m: &&NodeMetadata| {
            let takes = |name: &String| m.properties.iter().any(|p| is(&p.ty, name));
            let gives = |name: &String| m.outputs.iter().any(|o| is(&o.ty, name));
            input.as_ref().is_none_or(takes) && output.as_ref().is_none_or(gives)
        };
        let scored = self.catalogue().filter(fits).map(|m| (score(m, &words), m));
        let mut found: Vec<(usize, &NodeMetadata)> =
            scored.filter(|(score, _)| *score > 0).collect();
        // Stable: the order of the catalogue among equals.
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let limit = arguments.count("limit", 10, 100);
        Value::map([
            (
                "nodes",
                Value::list(found.iter().take(limit).map(|(_, m)| brief(m))),
            ),
            ("total", found.len().into()),
        ])
    }

    pub(super) fn get_node_info(&self, arguments: &Arguments) -> Result<Value, String> {
        let name = arguments.text("node_type");
        let Some(def) = self.house.registry.get(name).filter(|def| !def.hidden) else {
            let name = cut(name, 100).0;
            return Err(format!(
                "node_type: there is no node type '{name}'; search_nodes finds them"
            ));
        };
        let text = serde_json::to_string(&def.metadata).map_err(|e| e.to_string())?;
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }
}

fn words(query: Option<&Value>) -> Vec<String> {
    let texts: Vec<&str> = match query {
        Some(Value::Str(text)) => vec![text],
        Some(Value::List(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let split = texts
        .iter()
        .flat_map(|t| t.split(|c: char| !c.is_alphanumeric()));
    split
        .filter(|w| !w.is_empty())
        .take(20)
        .map(str::to_lowercase)
        .collect()
}

/// How well a node type fits: a word in its name counts most.
fn score(metadata: &NodeMetadata, words: &[String]) -> usize {
    let name = metadata.node_type.to_lowercase();
    let class = name.rsplit('.').next().unwrap_or_default();
    let title = metadata.title.to_lowercase();
    let description = metadata.description.to_lowercase();
    let one = |word: &String| {
        let counts = [
            (class == word, 8),
            (
                class.contains(word.as_str()) || title.contains(word.as_str()),
                4,
            ),
            (name.contains(word.as_str()), 2),
            (description.contains(word.as_str()), 1),
        ];
        counts
            .iter()
            .filter(|(hit, _)| *hit)
            .map(|(_, n)| n)
            .sum::<usize>()
    };
    words.iter().map(one).sum()
}

fn brief(metadata: &NodeMetadata) -> Value {
    let summary = metadata.description.lines().next().unwrap_or_default();
    Value::map([
        ("node_type", Value::from(metadata.node_type.as_str())),
        ("title", metadata.title.as_str().into()),
        ("description", cut(summary, 200).0.into()),
    ])
}
