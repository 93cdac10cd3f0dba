//! The description of the API, made whole: what handlers cannot say one by one is added here, once for all of them.
//!
//! It works on the finished JSON and knows no handler. Sources: HTTP spec 2.3, 3, 5.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ApiError, auth};

pub(super) mod shapes;

/// What the API is, for readers.
const ABOUT: &str = "Stores, runs and serves visual workflows: graphs of typed nodes that stream values.\n\n\
    Errors are `{\"detail\": …}`; a 422 lists in `errors` what is wrong and where. Lists come in pages: pass the cursor \
    of one page to get the next. A trailing slash makes no difference. `GET` routes answer `HEAD`, too.";

/// Tags with their meaning, in the order readers meet them.
const TAGS: &[(&str, &str)] = &[
    ("workflows", "Saved workflows"),
    ("versions", "Saved states of a workflow"),
    ("examples", "Workflows to start from"),
    (
        "runs",
        "Running a workflow, with its outputs as JSON or as a stream",
    ),
    ("jobs", "What ran and what runs"),
    ("triggers", "Workflows that wait for events"),
    ("approvals", "Runs that wait for a person"),
    (
        "orchestrator",
        "Workflows as loops, edited node by node; errors are `{error, code, details, …}`",
    ),
    (
        "people",
        "Signing in with a name and a password, and API keys, as clients of the Orchestrator ask for them.",
    ),
    (
        "google",
        "Google accounts that users have connected for their steps",
    ),
    (
        "browsers",
        "Browsers that steps of workflows work in, and pools of them",
    ),
    (
        "enquiries",
        "Requests for a demo and messages, which anybody may write and administrators read",
    ),
    ("nodes", "The catalogue of node types"),
    ("packages", "Packages of node types and examples"),
    ("assets", "Files of the user, in folders"),
    ("storage", "Stored bytes by key"),
    ("collections", "Documents found by meaning"),
    ("openai", "The routes that clients of OpenAI know"),
    ("files", "Files of the machine the server runs on"),
    ("workspaces", "Folders that workflows may use"),
    ("threads", "Conversations"),
    ("messages", "Messages of conversations"),
    ("memory", "What agents remember"),
    ("skills", "Instructions for agents"),
    ("settings", "Settings and secrets"),
    ("keys", "API keys and tickets"),
    ("users", "Accounts"),
    ("oauth", "Accounts at other sites that users have connected"),
    ("models", "Models of this machine, and downloads of more"),
    ("admin", "What administrators do with a deployed server"),
    ("costs", "What calls of providers cost"),
    ("predictions", "Calls of providers"),
    ("fonts", "Fonts of the machine"),
    ("debug", "Reports for developers"),
    ("vibecoding", "Web pages for workflows"),
    (
        "worker",
        "The routes of a worker: workflows without the editor",
    ),
    ("system", "Health of the server"),
];

const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "patch", "trace", "query",
];

/// The description as it is served: completed, in a stable order.
pub(super) fn document(
    description: &utoipa::openapi::OpenApi,
    title: &str,
    version: &str,
) -> Result<Vec<u8>, ApiError> {
    let broken = |e| ApiError::internal("the API description cannot be written", &e);
    let mut root = serde_json::to_value(description).map_err(broken)?;
    complete(&mut root, title, version);
    serde_json::to_vec(&root).map_err(broken)
}

fn complete(root: &mut Value, title: &str, version: &str) {
    root["info"] = json!({
        "title": title,
        "version": version,
        "summary": "A server for visual workflows",
        "description": ABOUT,
        "license": { "name": "Apache License 2.0", "identifier": env!("CARGO_PKG_LICENSE") },
    });
    // An empty requirement beside the other: a server without accounts asks for no token.
    root["security"] = json!([{}, { "bearer": [] }]);
    let paths = root["paths"].take();
    let mut used = Vec::new();
    let mut completed = Map::new();
    if let Value::Object(paths) = paths {
        for (path, mut item) in paths {
            if let Some(item) = item.as_object_mut() {
                // Every GET route answers it; it would be described twice.
                item.remove("head");
                for method in METHODS {
                    if let Some(operation) = item.get_mut(method) {
                        complete_operation(operation);
                        if !auth::OPEN.contains(&path.as_str()) {
                            guard_operation(operation);
                        }
                        used.extend(tags_of(operation));
                    }
                }
            }
            // `{*rest}` is the router's word for a part with slashes.
            completed.insert(path.replace("{*", "{"), item);
        }
    }
    root["paths"] = completed.into();
    let mut tags: Vec<Value> = Vec::new();
    for (name, meaning) in TAGS {
        if used.iter().any(|u| u == name) {
            tags.push(json!({ "name": name, "description": meaning }));
        }
    }
    root["tags"] = tags.into();
    if !root["components"].is_object() {
        root["components"] = json!({});
    }
    root["components"]["responses"] = errors();
    root["components"]["securitySchemes"] = json!({ "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a user, on servers with accounts",
    } });
    if !root["components"]["schemas"].is_object() {
        root["components"]["schemas"] = json!({});
    }
    if let Some(schemas) = root["components"]["schemas"].as_object_mut() {
        shapes::write(schemas);
    }
    forget_unused(root);
}

/// Drops the schemas that nothing refers to, then those that only they referred to.
fn forget_unused(root: &mut Value) {
    loop {
        let mut used = BTreeSet::new();
        references(root, &mut used);
        let Some(schemas) = root["components"]["schemas"].as_object_mut() else {
            return;
        };
        let before = schemas.len();
        schemas.retain(|name, _| used.contains(name));
        if schemas.len() == before {
            return;
        }
    }
}

/// The names of the schemas a value refers to.
fn references(value: &Value, used: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let place = map.get("$ref").and_then(Value::as_str);
            let name = place.and_then(|p| p.strip_prefix("#/components/schemas/"));
            used.extend(name.map(str::to_owned));
            map.values().for_each(|v| references(v, used));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, used)),
        _ => {}
    }
}

fn tags_of(operation: &Value) -> Vec<String> {
    let tags = operation["tags"].as_array().into_iter().flatten();
    tags.filter_map(|t| t.as_str().map(str::to_owned)).collect()
}

fn complete_operation(operation: &mut Value) {
    let takes_body = operation.get("requestBody").is_some();
    if let Some(body) = operation.get_mut("requestBody") {
        forget_null_body(body);
        let kinds = body["content"].as_object();
        let bytes = kinds
            .is_some_and(|k| k.contains_key("application/octet-stream") || k.contains_key("*/*"));
        // No bytes are bytes: an empty file has no body.
        if bytes {
            body["required"] = false.into();
        }
    }
    let mut takes_input = takes_body;
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        takes_input |= !parameters.is_empty();
        parameters.iter_mut().for_each(complete_parameter);
    }
    if !operation["responses"].is_object() {
        operation["responses"] = json!({});
    }
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    let mut add = |status: &str, name: &str| {
        responses
            .entry(status)
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/{name}") }));
    };
    add("500", "Fault");
    add("503", "Busy");
    add("429", "TooMany");
    if takes_input {
        add("422", "Invalid");
    }
    if takes_body {
        add("400", "Unreadable");
        add("408", "TooSlow");
        add("413", "TooLarge");
    }
    for (status, response) in responses.iter_mut() {
        complete_response(status, response);
    }
    if operation["parameters"].is_null()
        && let Some(operation) = operation.as_object_mut()
    {
        operation.remove("parameters");
    }
}

/// What the door answers before any route.
fn guard_operation(operation: &mut Value) {
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, name) in [("401", "Unknown"), ("403", "Forbidden")] {
        responses
            .entry(status)
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/{name}") }));
    }
}

/// An optional body may be left out, which is not the same as `null`.
fn forget_null_body(body: &mut Value) {
    for content in body["content"]
        .as_object_mut()
        .into_iter()
        .flat_map(|c| c.values_mut())
    {
        let schema = &mut content["schema"];
        let choices = schema["oneOf"].as_array();
        let some = choices.and_then(|c| c.iter().find(|s| s["type"] != "null").cloned());
        let optional =
            choices.is_some_and(|c| c.len() == 2 && c.iter().any(|s| s["type"] == "null"));
        if let Some(some) = some.filter(|_| optional) {
            *schema = some;
            body["required"] = false.into();
            return;
        }
    }
}

fn complete_response(status: &str, response: &mut Value) {
    if response.get("$ref").is_some() {
        return;
    }
    if response["description"].as_str().is_none_or(str::is_empty) {
        response["description"] = meaning(status).into();
    }
    let kinds = response.get_mut("content").and_then(Value::as_object_mut);
    for (kind, content) in kinds.into_iter().flatten() {
        // Its parts have a form, the whole has none.
        if ["text/event-stream", "application/x-ndjson"].contains(&kind.as_str()) {
            *content = json!({});
        }
    }
}

fn complete_parameter(parameter: &mut Value) {
    let in_query = parameter["in"] == "query";
    let schema = &mut parameter["schema"];
    // Text cannot be null: what is optional is left out.
    if let Some(kinds) = schema["type"].as_array_mut() {
        kinds.retain(|k| k != "null");
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    // A whole number out of range is brought into it, so no bound of a machine type is worth a word; an
    // empty one counts as absent.
    if in_query
        && schema["type"] == "integer"
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("minimum");
        schema.remove("format");
        parameter["allowEmptyValue"] = true.into();
    }
    // An empty part is another path, or none.
    if parameter["in"] == "path" && parameter["schema"]["type"] == "string" {
        let schema = &mut parameter["schema"];
        if schema["minLength"].is_null() {
            schema["minLength"] = 1.into();
        }
    }
}

/// Answers that any operation may give.
fn errors() -> Value {
    let error = |description: &str| {
        json!({
            "description": description,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Refusal" } } },
        })
    };
    let mut fault = error("A fault of the server; its log explains the id");
    fault["headers"] = json!({ "X-Request-Id": {
        "description": "What to quote when asking about the fault",
        "schema": { "type": "string" },
    } });
    let mut unknown = error("Nobody known asks");
    unknown["headers"] = json!({ "WWW-Authenticate": {
        "description": "How to say who asks",
        "schema": { "type": "string" },
    } });
    let mut too_many = error("More than the caller may ask for now");
    let number =
        |description: &str| json!({ "description": description, "schema": { "type": "integer" } });
    too_many["headers"] = json!({
        "Retry-After": number("Seconds after which to try again, where that is known"),
        "X-RateLimit-Limit": number("Requests that are taken in a minute, where they are counted"),
        "X-RateLimit-Remaining": number("How many of them are left"),
        "X-RateLimit-Reset": number("When they are counted anew, in seconds since 1970"),
    });
    json!({
        "Unknown": unknown,
        "Forbidden": error("The caller, or the page that asks, may not do this"),
        "Unreadable": error("The body could not be read to its end"),
        "TooLarge": error("The body is larger than this server takes"),
        "TooMany": too_many,
        "TooSlow": error("The body did not come in time"),
        "Invalid": error("Something in the request is not as it must be"),
        "Fault": fault,
        "Busy": error("The server is busy or shutting down"),
    })
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" | "201" | "202" => "Done",
        "204" => "Done; there is nothing to say",
        "206" => "A part of it",
        "301" | "302" | "303" | "307" | "308" => "It is elsewhere",
        "304" => "The client has it already",
        "400" => "The request makes no sense",
        "401" => "Nobody has said who asks",
        "403" => "The caller may not do this",
        "404" => "There is no such thing, or it is somebody else's",
        "408" => "The body did not come in time",
        "409" => "It does not fit the state things are in",
        "410" => "It is gone",
        "412" => "It has changed since the client read it",
        "413" => "It is too large",
        "415" => "Content of this type is not taken",
        "416" => "There is no such range",
        "422" => "Something in the request is not as it must be",
        "429" => "Too many requests",
        "500" => "A fault of the server",
        "501" => "This server does not do that",
        "502" => "Another server failed",
        "503" => "The server is busy or shutting down",
        "504" => "Another server took too long",
        _ => "Another answer",
    }
}
