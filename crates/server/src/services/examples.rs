//! Example workflows: those shipped inside the program, and those of a folder the settings may name.
//!
//! It must not know HTTP. Files are read once; what is written while the server runs is kept up to date in memory.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use chrono::DateTime;
use nodetool_protocol::{Graph, Map, Value};
use nodetool_sdk::Registry;
use nodetool_store::{WorkflowRow, now_micros};
use sha2::{Digest, Sha256};

use super::SaveWorkflow;
use super::workflows::schema_texts;

/// Name and text of each file in the repository's `examples` folder.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The package of examples that name none.
const OWN_PACKAGE: &str = "nodetool";

/// Files of a folder that are read, and how large each may be.
const MAX_FILES: usize = 1000;
const MAX_FILE_BYTES: u64 = 8 << 20;

/// First parts of node types that name who answers the node's calls.
const PROVIDERS: [&str; 7] = [
    "gemini",
    "openai",
    "replicate",
    "huggingface",
    "huggingface_hub",
    "fal",
    "aime",
];

/// Values of a node are searched this deep for models.
const MAX_DEPTH: usize = 64;

/// One example.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    /// The workflow; its owner is nobody.
    pub(crate) row: WorkflowRow,
    /// Providers its nodes call, sorted; `None` when there are none.
    pub(crate) required_providers: Option<Vec<String>>,
    /// Models its nodes name, sorted; `None` when there are none.
    pub(crate) required_models: Option<Vec<String>>,
    /// Types and titles of its nodes in lower case.
    words: Vec<String>,
}

impl Example {
    fn package(&self) -> &str {
        self.row.package_name.as_deref().unwrap_or_default()
    }

    fn is(&self, package: &str, name: &str) -> bool {
        self.package() == package && self.row.name == name
    }
}

/// Why an example could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExampleError {
    #[error(
        "Examples cannot be written: the setting `examples_dir` names no folder to write them to"
    )]
    NoFolder,
    #[error("Invalid workflow")]
    NoGraph,
    #[error("Unknown package {given:?}; expected one of {known}")]
    UnknownPackage { given: String, known: String },
    #[error("the name of an example has to have a letter or a digit")]
    NoName,
    #[error("the example is larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge,
    #[error("an example file cannot be written")]
    Write(#[source] std::io::Error),
}

/// The examples of this server.
pub(crate) struct ExampleService {
    registry: Arc<Registry>,
    folder: Option<PathBuf>,
    shipped: OnceLock<Vec<Arc<Example>>>,
    /// Those of the folder.
    written: RwLock<Vec<Arc<Example>>>,
}

impl ExampleService {
    /// Reads the folder, if there is one.
    pub(crate) fn new(registry: Arc<Registry>, folder: Option<PathBuf>) -> Self {
        let written = folder
            .as_deref()
            .map(|folder| read_folder(folder, &registry))
            .unwrap_or_default();
        ExampleService {
            registry,
            folder,
            shipped: OnceLock::new(),
            written: RwLock::new(written),
        }
    }

    /// Every example, package by package; one of the folder takes the place of a shipped one of its name.
    pub(crate) fn all(&self) -> Vec<Arc<Example>> {
        let shipped = self.shipped.get_or_init(|| {
            let read = |(name, text): &(&str, &str)| parse(name, text, &self.registry);
            SHIPPED.iter().filter_map(read).collect()
        });
        let written = self.written.read().unwrap_or_else(PoisonError::into_inner);
        let replaced = |e: &Example| written.iter().any(|w| w.is(e.package(), &e.row.name));
        let mut all: Vec<_> = shipped
            .iter()
            .filter(|e| !replaced(e))
            .chain(written.iter())
            .cloned()
            .collect();
        all.sort_by(|a, b| a.package().cmp(b.package()));
        all
    }

    /// The example of a package and a name.
    pub(crate) fn find(&self, package: &str, name: &str) -> Option<Arc<Example>> {
        self.all().into_iter().find(|e| e.is(package, name))
    }

    /// Examples some node of which has the text in its type or title, whatever the case; all for an empty text.
    pub(crate) fn search(&self, text: &str) -> Vec<Arc<Example>> {
        let text = text.to_lowercase();
        let mut all = self.all();
        all.retain(|e| text.is_empty() || e.words.iter().any(|w| w.contains(&text)));
        all
    }

    /// Writes an example to the folder, in place of the one of its package and name.
    pub(crate) async fn write(
        &self,
        id: &str,
        save: SaveWorkflow,
    ) -> Result<Arc<Example>, ExampleError> {
        let folder = self.folder.clone().ok_or(ExampleError::NoFolder)?;
        let graph = save.graph.as_ref().ok_or(ExampleError::NoGraph)?;
        let package = save.package_name.clone().unwrap_or_default();
        let known: BTreeSet<String> = self.all().iter().map(|e| e.package().to_owned()).collect();
        if !known.contains(&package) && package != OWN_PACKAGE {
            return Err(ExampleError::UnknownPackage {
                given: package.chars().take(80).collect(),
                known: known.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        let file = file_name(&package, &save.name).ok_or(ExampleError::NoName)?;
        let text = document(id, &package, &save, graph);
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(ExampleError::TooLarge);
        }
        let example = parse(&file, &text, &self.registry).ok_or(ExampleError::NoGraph)?;
        let written = tokio::task::spawn_blocking(move || replace(&folder, &file, &text)).await;
        written
            .unwrap_or_else(|e| Err(std::io::Error::other(e)))
            .map_err(ExampleError::Write)?;
        let mut all = self.written.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|e| !e.is(&package, &example.row.name));
        all.push(example.clone());
        Ok(example)
    }
}

/// The text of a file, all of it or none.
fn replace(folder: &Path, file: &str, text: &str) -> std::io::Result<()> {
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.persist(folder.join(file))?;
    Ok(())
}

/// A plain file name; its end keeps apart names that only differ in what a file name cannot hold.
fn file_name(package: &str, name: &str) -> Option<String> {
    let mut plain = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_alphanumeric() && plain.len() < 60 {
            plain.push(c);
        } else if !plain.is_empty() && !plain.ends_with('-') {
            plain.push('-');
        }
    }
    let plain = plain.trim_end_matches('-');
    let digest = Sha256::digest(format!("{package}\n{name}").as_bytes());
    let tail: String = digest[..4].iter().map(|b| format!("{b:02x}")).collect();
    (!plain.is_empty()).then(|| format!("{plain}-{tail}.json"))
}

fn document(id: &str, package: &str, save: &SaveWorkflow, graph: &Graph) -> String {
    let time = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let document = serde_json::json!({
        "id": id,
        "name": save.name,
        "description": save.description.as_deref().unwrap_or_default(),
        "tags": save.tags.as_deref().unwrap_or_default(),
        "access": "public",
        "package_name": package,
        "tool_name": save.tool_name,
        "run_mode": save.run_mode,
        "thumbnail_url": save.thumbnail_url,
        "settings": save.settings.clone().map(Value::from),
        "html_app": save.html_app,
        "updated_at": time(now_micros()).to_rfc3339(),
        "graph": graph,
    });
    format!("{document:#}\n")
}

/// The examples of a folder. What is no example is told in the log and left out.
fn read_folder(folder: &Path, registry: &Registry) -> Vec<Arc<Example>> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(e) => {
            tracing::warn!(folder = %folder.display(), error = %e, "the folder of examples cannot be read");
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = files
        .filter_map(|f| Some(f.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .take(MAX_FILES)
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let mut text = String::new();
        let file = std::fs::File::open(path);
        match file.and_then(|f| f.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)) {
            Ok(n) if n as u64 <= MAX_FILE_BYTES => {
                parse(&path.file_stem()?.to_string_lossy(), &text, registry)
            }
            Ok(_) => {
                tracing::warn!(file = %path.display(), "an example is too large and left out");
                None
            }
            Err(e) => {
                tracing::warn!(file = %path.display(), error = %e, "an example cannot be read");
                None
            }
        }
    };
    paths.iter().filter_map(read).collect()
}

/// Reads a file; a faulty one is told in the log.
fn parse(file: &str, text: &str, registry: &Registry) -> Option<Arc<Example>> {
    let outcome = serde_json::from_str::<Value>(text)
        .map_err(|e| e.to_string())
        .and_then(|value| read(file, value, registry));
    match outcome {
        Ok(example) => Some(Arc::new(example)),
        Err(fault) => {
            tracing::warn!(example = file, %fault, "an example is no workflow and left out");
            None
        }
    }
}

fn read(file: &str, value: Value, registry: &Registry) -> Result<Example, String> {
    let graph = value.get("graph").cloned().ok_or("it has no graph")?;
    let mut graph = Graph::from_value(graph).map_err(|faults| {
        let lines: Vec<String> = faults.iter().take(5).map(ToString::to_string).collect();
        lines.join("; ")
    })?;
    graph.strip_connected();
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let time = |key: &str| {
        let time = text(key).and_then(|t| DateTime::parse_from_rfc3339(&t).ok());
        time.map_or(0, |t| t.timestamp_micros())
    };
    let json = |value: &Value| serde_json::to_string(value).unwrap_or_else(|_| "null".into());
    let tags = value.get("tags").and_then(Value::as_list).unwrap_or(&[]);
    let tags = tags.iter().filter(|t| t.as_str().is_some()).cloned();
    let (providers, models) = requirements(&graph);
    let (input_schema, output_schema) = schema_texts(&graph);
    let row = WorkflowRow {
        id: text("id").unwrap_or_else(|| file.to_owned()),
        access: "public".into(),
        created_at: time("created_at"),
        updated_at: time("updated_at"),
        name: text("name").unwrap_or_else(|| file.to_owned()),
        tool_name: text("tool_name"),
        tags: json(&Value::list(tags)),
        description: text("description"),
        package_name: Some(text("package_name").unwrap_or_else(|| OWN_PACKAGE.to_owned())),
        thumbnail_url: text("thumbnail_url"),
        settings: value
            .get("settings")
            .filter(|s| s.as_map().is_some())
            .map(json),
        run_mode: text("run_mode"),
        input_schema: Some(input_schema),
        output_schema: Some(output_schema),
        html_app: text("html_app"),
        graph: serde_json::to_string(&graph)
            .map_err(|e| e.to_string())?
            .into(),
        ..WorkflowRow::default()
    };
    Ok(Example {
        row,
        required_providers: listed(providers),
        required_models: listed(models),
        words: words(&graph, registry),
    })
}

fn listed(set: BTreeSet<String>) -> Option<Vec<String>> {
    (!set.is_empty()).then(|| set.into_iter().collect())
}

/// Types and titles of the nodes, in lower case.
fn words(graph: &Graph, registry: &Registry) -> Vec<String> {
    let mut words = BTreeSet::new();
    for node in &graph.nodes {
        words.insert(node.node_type.to_lowercase());
        if let Some(definition) = registry.get(&node.node_type) {
            words.insert(definition.metadata.title.to_lowercase());
        }
        if let Some(title) = node.ui_properties.get("title").and_then(Value::as_str) {
            words.insert(title.to_lowercase());
        }
    }
    words.into_iter().collect()
}

/// Providers and models a graph calls for (HTTP spec 6.2, example detection).
fn requirements(graph: &Graph) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut providers, mut models) = (BTreeSet::new(), BTreeSet::new());
    for node in &graph.nodes {
        let first = node.node_type.split('.').next().unwrap_or_default();
        if PROVIDERS.contains(&first) {
            providers.insert(first.to_owned());
        }
        for value in node.data.values() {
            look(value, MAX_DEPTH, &mut providers, &mut models);
        }
    }
    (providers, models)
}

fn look(
    value: &Value,
    depth: usize,
    providers: &mut BTreeSet<String>,
    models: &mut BTreeSet<String>,
) {
    if depth == 0 {
        return;
    }
    match value {
        Value::Map(map) => {
            note(map, providers, models);
            for inner in map.values() {
                look(inner, depth - 1, providers, models);
            }
        }
        Value::List(items) => {
            for inner in items.iter() {
                look(inner, depth - 1, providers, models);
            }
        }
        _ => {}
    }
}

fn note(map: &Map, providers: &mut BTreeSet<String>, models: &mut BTreeSet<String>) {
    let text = |key: &str| {
        map.get(key)
            .and_then(Value::as_str)
            .filter(|s| !s.is_empty())
    };
    let mut model = |name: Option<&str>| models.extend(name.map(str::to_owned));
    match text("type") {
        Some("language_model") => {
            model(text("id"));
            providers.extend(text("provider").map(str::to_owned));
        }
        Some(kind) if kind.starts_with("hf.") => model(text("repo_id")),
        Some(kind) if kind.starts_with("inference_provider_") => model(text("model_id")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_example_is_a_workflow_of_its_own_name() {
        let service = ExampleService::new(Arc::default(), None);
        let all = service.all();
        assert_eq!(all.len(), SHIPPED.len());
        let names: BTreeSet<_> = all.iter().map(|e| (e.package(), &e.row.name)).collect();
        assert_eq!(names.len(), all.len());
        for example in &all {
            assert!(
                !example.row.graph.contains("\"test\""),
                "{}",
                example.row.name
            );
        }
    }

    #[test]
    fn providers_and_models_are_found_however_deep() {
        let document = r#"{"name": "x", "graph": {"edges": [], "nodes": [
            {"id": "a", "type": "openai.text.Chat", "data": {"model": {"type": "language_model", "provider": "anthropic", "id": "c1"}}},
            {"id": "b", "type": "other.Node", "data": {"list": [{"type": "hf.text", "repo_id": "r/x"}, {"type": "inference_provider_z", "model_id": "m"}]}}
        ]}}"#;
        let example = parse("x", document, &Registry::default()).unwrap();
        let expected = Some(vec!["anthropic".to_owned(), "openai".to_owned()]);
        assert_eq!(example.required_providers, expected);
        let models = Some(vec!["c1".to_owned(), "m".to_owned(), "r/x".to_owned()]);
        assert_eq!(example.required_models, models);
        let plain = r#"{"graph": {"edges": [], "nodes": []}}"#;
        let plain = parse("a-file", plain, &Registry::default()).unwrap();
        assert_eq!(
            (plain.required_providers.clone(), plain.package()),
            (None, "nodetool")
        );
        assert_eq!(plain.row.name, "a-file");
    }

    #[test]
    fn a_file_name_is_plain_and_its_own() {
        let name = |name: &str| file_name("p", name).unwrap();
        let first = name("../../etc/Pass wd");
        assert!(
            first.starts_with("etc-pass-wd-") && first.ends_with(".json"),
            "{first}"
        );
        assert_ne!(name("a b"), name("a_b"));
        assert!(name(&"x".repeat(5000)).len() < 90);
        assert!(name(&"ä".repeat(500)).len() < 90);
        for none in ["", "../", "...", "\0", " "] {
            assert_eq!(file_name("p", none), None, "{none:?}");
        }
    }
}
