//! Schemas of the shared documents, written by hand where a Rust type cannot say what is read (HTTP spec 5).
//!
//! Each struct here only gives its schema a name to refer to. The types themselves live in the protocol, which must not
//! know of API descriptions.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! shapes {
    ($($name:ident: $meaning:literal,)*) => {$(
        #[doc = $meaning]
        pub(in crate::http) struct $name;

        impl PartialSchema for $name {
            // `write` puts the real one in its place.
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

shapes! {
    WorkflowPage: "A page of workflows.",
    RunRequest: "What a run gets.",
    WorkerRunRequest: "What a run gets, as a worker takes it.",
    StartJob: "What to start.",
    ResumeJob: "The answer a suspended node waits for.",
    NodeMetadata: "A node type.",
    FieldFault: "One fault of a request.",
    Nothing: "The JSON value `null`.",
}

fn to(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn or_null(schema: Value) -> Value {
    json!({ "oneOf": [schema, { "type": "null" }] })
}

/// An object, or what some clients write in place of an empty one.
fn entries(values: Value) -> Value {
    json!({ "anyOf": [
        { "type": "object", "additionalProperties": values },
        { "type": "array", "maxItems": 0 },
        { "type": "null" },
    ] })
}

/// Puts the schemas of this module among those of the handlers.
pub(super) fn write(schemas: &mut Map<String, Value>) {
    if let Some(mut row) = schemas.get("WorkflowBody").cloned() {
        if let Some(row) = row.as_object_mut() {
            row.remove("required");
        }
        row["description"] = "A workflow with the keys that were asked for, or all of them".into();
        schemas.insert("WorkflowRow".into(), row);
    }
    for (name, meaning, mut schema) in all() {
        schema["description"] = meaning.into();
        schemas.insert(name.to_owned(), schema);
    }
}

fn all() -> Vec<(&'static str, &'static str, Value)> {
    let text = || json!({ "type": "string" });
    let some_text = || json!({ "type": ["string", "null"] });
    let flag = || json!({ "type": "boolean" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let anything = || json!(true);
    let id = json!({
        "oneOf": [{ "type": "string", "minLength": 1 }, { "type": "integer", "format": "int64" }],
    });
    vec![
        (
            "Graph",
            "A workflow graph. Keys that are not described here are kept.",
            json!({
                "type": "object",
                "required": ["nodes", "edges"],
                "properties": {
                    "nodes": { "type": "array", "items": to("Node"), "maxItems": 100_000 },
                    "edges": { "type": "array", "items": to("Edge"), "maxItems": 500_000 },
                },
                "additionalProperties": true,
            }),
        ),
        (
            "Node",
            "One node of a graph",
            json!({
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": id,
                    "parent_id": { "type": ["string", "null"], "description": "Id of the enclosing group" },
                    "type": {
                        "type": ["string", "null"], "minLength": 1, "default": "default",
                        "description": "Node type such as `nodetool.text.Concat`",
                    },
                    "data": entries(anything()),
                    "ui_properties": { "description": "State of the editor" },
                    "dynamic_properties": entries(anything()),
                    "dynamic_outputs": entries(to("NamedType")),
                    "sync_mode": {
                        "default": "on_any",
                        "description": "`zip_all` runs on one item of each input; all else is `on_any`, which runs on \
                                        every item with the latest of the others",
                    },
                },
                "additionalProperties": true,
            }),
        ),
        (
            "Edge",
            "One edge of a graph",
            json!({
                "type": "object",
                "required": ["source", "sourceHandle", "target", "targetHandle"],
                "properties": {
                    "id": { "type": ["string", "integer", "null"] },
                    "source": { "type": ["string", "integer"], "format": "int64", "description": "Id of the producing node" },
                    "sourceHandle": text(),
                    "target": { "type": ["string", "integer"], "format": "int64", "description": "Id of the consuming node" },
                    "targetHandle": text(),
                    "ui_properties": { "description": "State of the editor" },
                    "edge_type": { "enum": ["data", "control", null], "default": "data" },
                },
                "additionalProperties": true,
            }),
        ),
        (
            "NamedType",
            "A type, or its name such as `list[str]`",
            json!({ "anyOf": [{ "type": "string" }, to("GivenType")] }),
        ),
        (
            "GivenType",
            "A type as graphs give it",
            json!({
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": text(),
                    "type_args": {},
                },
                "additionalProperties": true,
            }),
        ),
        (
            "TypeMetadata",
            "The type of a property or an output",
            json!({
                "type": "object",
                "required": ["type", "optional", "values", "type_args", "type_name"],
                "properties": {
                    "type": { "type": "string", "description": "`str`, `list`, `union`, `image`, …" },
                    "optional": { "type": "boolean", "description": "Whether null is allowed, too" },
                    "values": {
                        "oneOf": [{ "type": "array", "items": { "type": ["string", "integer"] } }, { "type": "null" }],
                        "description": "Members of an enum",
                    },
                    "type_args": { "type": "array", "items": to("TypeMetadata") },
                    "type_name": { "type": ["string", "null"], "description": "Qualified name of an enum" },
                },
            }),
        ),
        (
            "WorkflowRequest",
            "A workflow to save. Other keys are passed over.",
            json!({
                "type": "object",
                "required": ["name", "access", "graph"],
                "properties": {
                    "name": text(),
                    "access": { "type": "string", "enum": ["private", "public"] },
                    "tool_name": some_text(),
                    "package_name": some_text(),
                    "tags": or_null(texts()),
                    "description": some_text(),
                    "thumbnail": some_text(),
                    "thumbnail_url": some_text(),
                    "graph": to("Graph"),
                    "settings": { "type": ["object", "null"], "additionalProperties": true },
                    "run_mode": some_text(),
                    "workspace_id": some_text(),
                    "html_app": some_text(),
                },
            }),
        ),
        (
            "WorkflowPage",
            "A page of workflows",
            json!({
                "type": "object",
                "required": ["next", "workflows"],
                "properties": {
                    "next": { "type": ["string", "null"], "description": "Where the next page begins, if there is one" },
                    "workflows": { "type": "array", "items": to("WorkflowRow") },
                },
            }),
        ),
        (
            "RunRequest",
            "What a run gets. Other keys are passed over.",
            json!({
                "type": "object",
                "properties": {
                    "params": {
                        "type": ["object", "null"], "additionalProperties": true,
                        "description": "Input name to value",
                    },
                    "job_id": {
                        "description": "For a stream, the id its job is to have: 1 to 128 letters, digits, `_`, `.`, \
                                        `:` or `-`; made up when absent. Other runs pass it over",
                    },
                },
                "additionalProperties": true,
            }),
        ),
        (
            "WorkerRunRequest",
            "Input name to value; or `{\"params\": {…}}` with nothing beside it but `job_id`, `explicit_types`, \
             `execution_strategy` and `env`",
            json!({ "type": "object", "additionalProperties": true }),
        ),
        (
            "StartJob",
            "What to start. Other keys are passed over.",
            json!({
                "type": "object",
                "required": ["workflow_id"],
                "properties": {
                    "workflow_id": text(),
                    "params": {
                        "type": ["object", "null"], "additionalProperties": true,
                        "description": "Input name to value",
                    },
                    "job_id": {
                        "type": ["string", "null"], "pattern": "^[A-Za-z0-9_.:-]{0,128}$",
                        "description": "The id the job is to have; made up when absent or empty",
                    },
                    "concurrent": {
                        "type": ["boolean", "null"],
                        "description": "Whether it may run beside other runs of its workflow",
                    },
                },
                "additionalProperties": true,
            }),
        ),
        (
            "ResumeJob",
            "The answer a suspended node waits for",
            json!({
                "type": "object",
                "properties": { "data": {
                    "description": "What the node gets; for an approval `{\"approved\": true, \"data\": …, \"comment\": \
                                    …}`, for an execution in doubt `{\"decision\": \"again\"}` or `{\"decision\": \"skip\"}`",
                } },
                "additionalProperties": false,
            }),
        ),
        (
            "NodeMetadata",
            "A node type",
            json!({
                "type": "object",
                "required": [
                    "title", "description", "namespace", "node_type", "layout", "properties", "outputs",
                    "the_model_info", "recommended_models", "basic_fields", "required_settings", "is_dynamic",
                    "is_streaming_output", "expose_as_tool", "supports_dynamic_outputs", "model_packs",
                ],
                "properties": {
                    "title": text(),
                    "description": { "type": "string", "description": "A summary; on the second line words to search for" },
                    "namespace": text(),
                    "node_type": text(),
                    "layout": text(),
                    "properties": { "type": "array", "items": to("Property") },
                    "outputs": { "type": "array", "items": to("OutputSlot") },
                    "the_model_info": { "type": "object", "additionalProperties": true },
                    "recommended_models": { "type": "array", "items": { "type": "object" } },
                    "basic_fields": texts(),
                    "required_settings": texts(),
                    "is_dynamic": flag(),
                    "is_streaming_output": flag(),
                    "expose_as_tool": flag(),
                    "supports_dynamic_outputs": flag(),
                    "model_packs": { "type": "array", "items": { "type": "object" } },
                },
            }),
        ),
        (
            "Property",
            "A property of a node type, which is also its input",
            json!({
                "type": "object",
                "required": [
                    "name", "type", "default", "title", "description", "min", "max", "json_schema_extra", "required",
                ],
                "properties": {
                    "name": text(),
                    "type": to("TypeMetadata"),
                    "default": { "description": "The value when nothing is set" },
                    "title": some_text(),
                    "description": some_text(),
                    "min": { "type": ["number", "null"] },
                    "max": { "type": ["number", "null"] },
                    "json_schema_extra": { "type": ["object", "null"], "additionalProperties": true },
                    "required": flag(),
                },
            }),
        ),
        (
            "OutputSlot",
            "An output of a node type",
            json!({
                "type": "object",
                "required": ["type", "name", "stream"],
                "properties": { "type": to("TypeMetadata"), "name": text(), "stream": flag() },
            }),
        ),
        (
            "FieldFault",
            "One fault of a request",
            json!({
                "type": "object",
                "required": ["type", "msg"],
                "properties": {
                    "type": text(),
                    "loc": {
                        "type": "array", "items": { "type": ["string", "integer"] },
                        "description": "Where: `body`, `query` or `path`, then keys and indexes; not told in production",
                    },
                    "msg": text(),
                    "input": { "type": ["string", "null"], "description": "The beginning of what was given; not told in production" },
                    "ctx": { "description": "More about the fault; not told in production" },
                },
            }),
        ),
        (
            "InterfaceSchema",
            "What a workflow takes or gives, by name",
            json!({
                "type": "object",
                "required": ["type", "properties", "required"],
                "properties": {
                    "type": { "const": "object" },
                    "properties": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "required": ["type", "label"],
                            "properties": { "type": text() },
                            "additionalProperties": true,
                        },
                    },
                    "required": texts(),
                },
            }),
        ),
        (
            "Nothing",
            "The JSON value `null`",
            json!({ "type": "null" }),
        ),
    ]
}
