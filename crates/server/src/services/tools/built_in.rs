//! The table of built-in tools: what models are told of each.

use std::sync::LazyLock;

use nodetool_sdk::models::ToolSpec;
use nodetool_sdk::tools::Tool;
use nodetool_sdk::{Map, Value};

/// A built-in tool.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    description: &'static str,
    parameters: Value,
    /// Calling it changes something outside of the conversation.
    effects: bool,
    /// A line for people; `{key}` stands for an argument.
    note: &'static str,
    /// Longest time of a call.
    pub(super) seconds: u64,
}

impl BuiltIn {
    pub(super) fn tool(&self) -> Tool {
        Tool {
            spec: ToolSpec {
                name: self.name.into(),
                description: self.description.into(),
                parameters: self.parameters.clone(),
            },
            effects: self.effects,
        }
    }

    /// The line for people about a call.
    pub(super) fn note(&self, arguments: &Map) -> String {
        let mut note = self.note.to_owned();
        for (key, value) in arguments {
            let place = format!("{{{key}}}");
            if note.contains(&place) {
                let shown = match value {
                    Value::Str(text) => text.chars().take(80).collect(),
                    other => other.preview(80),
                };
                note = note.replace(&place, &shown);
            }
        }
        note
    }
}

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<&'static BuiltIn> {
    all().iter().find(|tool| tool.name == name)
}

/// All of them.
pub(super) fn all() -> &'static [BuiltIn] {
    static ALL: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
        let rows = FILES.iter().chain(&WEB).chain(&WORKFLOWS).chain(&LISTS);
        rows.map(made).collect()
    });
    &ALL
}

/// Name, effects, line for people, description, parameters: `name: kind = meaning`, one a line; `!` marks those that
/// must be given.
type Row = (
    &'static str,
    bool,
    &'static str,
    &'static str,
    &'static [&'static str],
);

fn made(row: &Row) -> BuiltIn {
    let (name, effects, note, description, parameters) = *row;
    BuiltIn {
        name,
        description,
        parameters: schema(parameters),
        effects,
        note,
        seconds: match name {
            // A person may be away for a while.
            "run_workflow" | "ask_human" => 1800,
            _ => 300,
        },
    }
}

fn schema(parameters: &[&'static str]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for line in parameters {
        let (head, meaning) = line.split_once(" = ").unwrap_or((line, ""));
        let (name, kind) = head.split_once(": ").unwrap_or((head, "string"));
        let name = name.strip_prefix('!').unwrap_or(name);
        if line.starts_with('!') {
            required.push(Value::from(name));
        }
        let mut one = match kind.strip_suffix("[]") {
            Some(item) => {
                let item = Value::map([("type", Value::from(item))]);
                Map::from_iter([("type".into(), "array".into()), ("items".into(), item)])
            }
            // Anything at all.
            None if kind == "any" => Map::new(),
            None => Map::from_iter([("type".into(), kind.into())]),
        };
        one.insert("description".into(), meaning.into());
        properties.insert(name.into(), one.into());
    }
    Value::map([
        ("type", Value::from("object")),
        ("properties", properties.into()),
        ("required", required.into()),
        ("additionalProperties", false.into()),
    ])
}

const FILES: [Row; 3] = [
    (
        "read_file",
        false,
        "Reading {path}",
        "Reads a text file of the workspace, whole or some of its lines.",
        &[
            "!path: string = Path in the workspace",
            "start_line: integer = First line, from 1",
            "end_line: integer = Last line",
        ],
    ),
    (
        "write_file",
        true,
        "Writing {path}",
        "Writes a text file in the workspace, or adds to its end.",
        &[
            "!path: string = Path in the workspace",
            "!content: string = The text",
            "append: boolean = Whether to add it to the end",
        ],
    ),
    (
        "list_directory",
        false,
        "Listing files",
        "Lists files and folders of the workspace.",
        &[
            "path: string = Folder in the workspace; its root when left out",
            "recursive: boolean = Whether to list folders in it, too",
        ],
    ),
];

/// What both names of the same tool take.
const CODE: &[&str] = &[
    "!code: string = JavaScript; what it returns is the result. It may use await, fetch and workspace",
    "inputs: object = Values the code finds in `inputs`",
];

const WEB: [Row; 8] = [
    (
        "browser",
        false,
        "Opening {url}",
        "Opens a web page and gives its text as Markdown.",
        &["!url: string = Address of the page"],
    ),
    (
        "http_request",
        true,
        "Requesting {url}",
        "Sends an HTTP request and gives status, headers and body.",
        &[
            "!url: string = Absolute address",
            "method: string = GET when left out",
            "headers: object = Names and values",
            "body: any = Text, or a value that is sent as JSON",
            "timeout: number = Seconds, at most 120",
        ],
    ),
    (
        "download_file",
        true,
        "Downloading {url}",
        "Downloads a file into the workspace.",
        &[
            "!url: string = Address of the file",
            "!path: string = Where to put it in the workspace",
        ],
    ),
    (
        "google_search",
        false,
        "Searching for {query}",
        "Searches the web; gives titles, addresses and extracts of pages.",
        &[
            "!query: string = What to look for",
            "num_results: integer = At most 50; 10 when left out",
        ],
    ),
    (
        "run_javascript",
        true,
        "Running JavaScript",
        "Runs JavaScript in a sandbox.",
        CODE,
    ),
    (
        "execute_javascript",
        true,
        "Running JavaScript",
        "Runs JavaScript in a sandbox.",
        CODE,
    ),
    (
        "calculator",
        false,
        "Calculating {expression}",
        "Works out an arithmetic expression: + - * / % ^, brackets, functions such as sqrt, sin, ln, min, max, and pi, e.",
        &["!expression: string = Such as (2 + 3) * sqrt(16)"],
    ),
    (
        "ask_human",
        false,
        "Asking: {question}",
        "Asks the person a question and waits for the answer. Only when you cannot go on without.",
        &[
            "!question: string = The question",
            "options: string[] = Answers to choose from",
        ],
    ),
];

const WORKFLOWS: [Row; 14] = [
    (
        "list_workflows",
        false,
        "Looking at workflows",
        "Lists the user's workflows.",
        &[
            "query: string = Only those with this in name or description",
            "limit: integer = At most 100; 50 when left out",
        ],
    ),
    (
        "get_workflow",
        false,
        "Looking at a workflow",
        "Gives one workflow with its graph and the schemas of its inputs and outputs.",
        &["!workflow_id: string = Its id"],
    ),
    (
        "run_workflow",
        true,
        "Running a workflow",
        "Runs a workflow and gives its outputs.",
        &[
            "!workflow_id: string = Its id",
            "params: object = Values of its inputs by name",
        ],
    ),
    (
        "create_workflow",
        true,
        "Saving the workflow {name}",
        "Saves a graph as a new workflow and gives its id.",
        &[
            "!name: string = What it is called",
            "!graph: object = nodes and edges; validate_workflow tells what is wrong with one",
            "description: string = What it is for",
            "tool_name: string = A name under which models may call it",
        ],
    ),
    (
        "run_graph",
        true,
        "Running a graph",
        "Runs a graph that is not saved and gives its outputs.",
        &[
            "!graph: object = nodes and edges",
            "params: object = Values of its inputs by name",
        ],
    ),
    (
        "start_background_job",
        true,
        "Starting a workflow",
        "Starts a workflow without waiting for it; get_job tells how it goes.",
        &[
            "!workflow_id: string = Its id",
            "params: object = Values of its inputs by name",
        ],
    ),
    (
        "export_workflow_digraph",
        false,
        "Drawing a workflow",
        "Gives a workflow's graph in the language of Graphviz.",
        &["!workflow_id: string = Its id"],
    ),
    (
        "validate_workflow",
        false,
        "Checking a workflow",
        "Tells what is wrong with a workflow or a graph.",
        &[
            "workflow_id: string = A stored workflow",
            "graph: object = Or a graph: nodes and edges",
        ],
    ),
    (
        "list_nodes",
        false,
        "Looking at node types",
        "Lists node types.",
        &[
            "namespace: string = Only those of this namespace",
            "limit: integer = At most 500; 200 when left out",
        ],
    ),
    (
        "search_nodes",
        false,
        "Looking for node types",
        "Finds node types by words in name, description and search words, best first.",
        &[
            "!query: any = Words, as a text or a list",
            "input_type: string = Only those with an input of this type",
            "output_type: string = Only those with an output of this type",
            "limit: integer = At most 100; 10 when left out",
        ],
    ),
    (
        "get_node_info",
        false,
        "Looking at {node_type}",
        "Gives properties, outputs and description of a node type.",
        &["!node_type: string = Its full name"],
    ),
    (
        "list_jobs",
        false,
        "Looking at jobs",
        "Lists the user's jobs, last started first.",
        &[
            "workflow_id: string = Only jobs of this workflow",
            "limit: integer = At most 100; 20 when left out",
        ],
    ),
    (
        "get_job",
        false,
        "Looking at a job",
        "Tells how a job stands.",
        &["!job_id: string = Its id"],
    ),
    (
        "get_job_logs",
        false,
        "Reading the log of a job",
        "Gives the last lines of a job's log.",
        &[
            "!job_id: string = Its id",
            "limit: integer = At most 1000; 200 when left out",
        ],
    ),
];

const LISTS: [Row; 8] = [
    (
        "list_assets",
        false,
        "Looking at assets",
        "Lists the user's assets, in a folder or by name.",
        &[
            "parent_id: string = A folder; the root when left out",
            "query: string = Only those with this in their name, in all folders",
            "content_type: string = Only types that begin like this, such as image/",
            "limit: integer = At most 200; 50 when left out",
        ],
    ),
    (
        "get_asset",
        false,
        "Looking at an asset",
        "Tells what is known of an asset.",
        &["!asset_id: string = Its id"],
    ),
    (
        "read_asset",
        false,
        "Reading an asset",
        "Gives the text of an asset.",
        &["!asset_id: string = Its id"],
    ),
    (
        "save_text_asset",
        true,
        "Saving {name}",
        "Saves a text as a new asset.",
        &[
            "!name: string = File name",
            "!content: string = The text",
            "content_type: string = text/plain when left out",
            "parent_id: string = Folder; the root when left out",
        ],
    ),
    (
        "list_collections",
        false,
        "Looking at collections",
        "Lists the user's collections of documents.",
        &[],
    ),
    (
        "query_collection",
        false,
        "Searching {collection}",
        "Finds documents of a collection by meaning and words.",
        &[
            "!collection: string = Its name",
            "!query: string = What to look for",
            "n_results: integer = At most 50; 5 when left out",
        ],
    ),
    (
        "list_models",
        false,
        "Looking at models",
        "Lists models the user may use.",
        &[
            "kind: string = language, image, video, tts, asr or embedding; all when left out",
            "provider: string = Only those of this provider",
            "limit: integer = At most 500; 100 when left out",
        ],
    ),
    (
        "query_models",
        false,
        "Looking for models",
        "Finds models the user may use by kind, provider and name.",
        &[
            "kind: string = language, image, video, tts, asr or embedding; all when left out",
            "provider: string = Only those of this provider",
            "query: string = Only those with this in id or name",
            "limit: integer = At most 500; 100 when left out",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use nodetool_sdk::agent::Schema;

    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut names = HashSet::new();
        for built_in in all() {
            assert!(names.insert(built_in.name), "{}", built_in.name);
            let tool = built_in.tool();
            assert!(Schema::new(tool.spec.parameters.clone()).is_ok());
            assert!(!tool.spec.description.is_empty());
            let properties = tool.spec.parameters.get("properties").cloned();
            let properties = properties.as_ref().and_then(Value::as_map).unwrap();
            for (key, schema) in properties {
                assert!(
                    schema.get("description").and_then(Value::as_str) != Some(""),
                    "{key}"
                );
            }
            // A note names only arguments that must be given.
            for place in built_in.note.split('{').skip(1) {
                let key = place.split('}').next().unwrap_or_default();
                let required = tool.spec.parameters.get("required").cloned();
                let required = required.as_ref().and_then(Value::as_list).unwrap();
                assert!(required.contains(&key.into()), "{}: {key}", built_in.name);
            }
        }
    }

    #[test]
    fn a_note_shows_the_argument_it_names() {
        let arguments = Map::from_iter([("path".into(), "notes.txt".into())]);
        let read = find("read_file").unwrap();
        assert_eq!(read.note(&arguments), "Reading notes.txt");
    }
}
