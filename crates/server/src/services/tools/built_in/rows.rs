//! The rows of the table of built-in tools.

use super::Row;

pub(super) const FILES: [Row; 3] = [
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

pub(super) const WEB: [Row; 8] = [
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

pub(super) const WORKFLOWS: [Row; 18] = [
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
        "get_example_workflow",
        false,
        "Looking at the example {example_name}",
        "Gives an example workflow with its graph.",
        &[
            "!example_name: string = Its name",
            "package_name: string = The package it is from, where several have one of that name",
        ],
    ),
    (
        "run_workflow",
        true,
        "Running a workflow",
        "Runs a workflow and gives its outputs.",
        RUN,
    ),
    (
        "run_workflow_tool",
        true,
        "Running a workflow",
        "Runs a workflow and gives its outputs; another name of run_workflow.",
        RUN,
    ),
    (
        "run_agent",
        true,
        "Working on: {objective}",
        "Has an agent plan and carry out an objective step by step, with a model and tools of this server; gives the result.",
        &[
            "!objective: string = What is to be done",
            "provider: string = Who has the model; found from the model when left out",
            "model: string = Its id; the server's own when left out",
            "tools: string[] = Names of tools it may use; those that look at workflows, nodes, jobs, assets and collections when left out",
            "output_schema: object = JSON Schema of the result; a text when left out",
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
        "generate_dot_graph",
        false,
        "Drawing a workflow",
        "Gives a graph, or the one of a workflow, in the language of Graphviz.",
        &[
            "workflow_id: string = A stored workflow",
            "graph: object = Or a graph: nodes and edges",
        ],
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

pub(super) const LISTS: [Row; 10] = [
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
        "get_collection",
        false,
        "Looking at {collection}",
        "Tells how many documents a collection has.",
        &["!collection: string = Its name"],
    ),
    (
        "get_documents_from_collection",
        false,
        "Reading {collection}",
        "Gives documents of a collection by their ids, or in the order they were put in.",
        &[
            "!collection: string = Its name",
            "ids: string[] = Only these",
            "limit: integer = At most 200; 50 when left out",
            "offset: integer = Leave out so many first",
        ],
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

/// What both names of the same tool take.
const RUN: &[&str] = &[
    "!workflow_id: string = Its id",
    "params: object = Values of its inputs by name",
];

/// What names a stored file.
const KEY: &[&str] = &[
    "!key: string = Its key, such as list_storage_files tells",
    "temporary: boolean = Whether it is a temporary file",
];

pub(super) const STORED: [Row; 3] = [
    (
        "list_storage_files",
        false,
        "Looking at stored files",
        "Lists the user's stored files with their keys, those of all folders.",
        &[
            "limit: integer = At most 500; 100 when left out",
            "cursor: string = `next` of the page before",
        ],
    ),
    (
        "get_file_metadata",
        false,
        "Looking at {key}",
        "Tells size, type and time of a stored file.",
        KEY,
    ),
    (
        "download_file_from_storage",
        false,
        "Reading {key}",
        "Gives a stored file of at most 8 MiB: text as it is, anything else as base64.",
        KEY,
    ),
];

pub(super) const HUB: [Row; 5] = [
    (
        "get_hf_cache_info",
        false,
        "Looking at downloaded models",
        "Lists models of the Hugging Face Hub that are on this machine, with their sizes.",
        &["limit: integer = At most 500; 100 when left out"],
    ),
    (
        "inspect_hf_cached_model",
        false,
        "Looking at {repo_id}",
        "Lists the files of a model that is on this machine.",
        &["!repo_id: string = owner/name"],
    ),
    (
        "query_hf_model_files",
        false,
        "Looking at the files of {repo_id}",
        "Lists files of a model at the Hugging Face Hub, with their sizes.",
        &[
            "!repo_id: string = owner/name",
            "patterns: string[] = Only files that fit one of these, such as *.gguf",
            "limit: integer = At most 1000; 200 when left out",
        ],
    ),
    (
        "search_hf_hub_models",
        false,
        "Looking for models: {query}",
        "Finds models at the Hugging Face Hub, those most often fetched first.",
        &[
            "!query: string = Words",
            "pipeline_tag: string = Only those for this, such as text-to-image",
            "limit: integer = At most 100; 20 when left out",
        ],
    ),
    (
        "get_hf_model_info",
        false,
        "Looking at {repo_id}",
        "Tells what the Hugging Face Hub says of a model.",
        &["!repo_id: string = owner/name"],
    ),
];
