//! A workflow as clients send and see it.
//!
//! Stored JSON goes out as it lies in the database: neither graphs nor schemas are read again for an answer.

use nodetool_protocol::Value;
use nodetool_store::WorkflowRow;
use serde::Serialize;
use utoipa::ToSchema;

use super::TimeText;

/// Where the file of a thumbnail's key is served.
const STORAGE: &str = "/api/storage/";

/// A workflow as clients see it.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
pub(crate) struct WorkflowBody {
    id: String,
    access: String,
    created_at: TimeText,
    updated_at: TimeText,
    name: String,
    #[schema(required)]
    tool_name: Option<String>,
    description: String,
    tags: Vec<String>,
    thumbnail: String,
    #[schema(required)]
    thumbnail_url: Option<String>,
    #[schema(value_type = Object)]
    graph: Value,
    #[schema(value_type = Object)]
    input_schema: Value,
    #[schema(value_type = Object)]
    output_schema: Value,
    #[schema(value_type = Option<Object>, required)]
    settings: Option<Value>,
    #[schema(required)]
    package_name: Option<String>,
    #[schema(required)]
    path: Option<String>,
    #[schema(required)]
    run_mode: Option<String>,
    #[schema(required)]
    workspace_id: Option<String>,
    #[schema(required)]
    required_providers: Option<Vec<String>>,
    #[schema(required)]
    required_models: Option<Vec<String>>,
    #[schema(required)]
    html_app: Option<String>,
    etag: String,
}

/// A workflow as clients send it; other keys are passed over.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
pub(crate) struct WorkflowRequest {
    name: String,
    /// `private` or `public`.
    #[schema(pattern = "^(private|public)$")]
    access: String,
    tool_name: Option<String>,
    package_name: Option<String>,
    path: Option<String>,
    tags: Option<Vec<String>>,
    description: Option<String>,
    thumbnail: Option<String>,
    thumbnail_url: Option<String>,
    /// `{nodes, edges}`.
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
    run_mode: Option<String>,
    workspace_id: Option<String>,
    html_app: Option<String>,
}

/// A page of workflows.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of what is written, for the API description"
)]
pub(crate) struct WorkflowList {
    /// Where the next page begins; empty on the last one.
    #[schema(required)]
    next: Option<String>,
    workflows: Vec<WorkflowBody>,
}

/// What an answer says beyond the row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beyond<'a> {
    /// The only keys written, if not all.
    pub(crate) columns: Option<&'a [&'static str]>,
    /// Providers an example needs.
    pub(crate) providers: Option<&'a [String]>,
    /// Models an example needs.
    pub(crate) models: Option<&'a [String]>,
    /// Whether the graph is left empty.
    pub(crate) without_graph: bool,
}

/// A workflow as JSON.
pub(crate) fn write(row: &WorkflowRow, beyond: Beyond<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.graph.len() + 2048);
    write_to(&mut out, row, beyond);
    out
}

/// A list of workflows as JSON.
pub(crate) fn write_list<'a>(
    next: Option<&str>,
    rows: impl Iterator<Item = (&'a WorkflowRow, Beyond<'a>)> + Clone,
) -> Vec<u8> {
    let size: usize = rows.clone().map(|(row, _)| row.graph.len() + 1536).sum();
    let mut out = Vec::with_capacity(size + 256);
    out.extend_from_slice(b"{\"next\":");
    json(&mut out, &next);
    out.extend_from_slice(b",\"workflows\":[");
    for (at, (row, beyond)) in rows.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_to(&mut out, row, beyond);
    }
    out.extend_from_slice(b"]}");
    out
}

fn write_to(out: &mut Vec<u8>, row: &WorkflowRow, beyond: Beyond<'_>) {
    let mut w = Object {
        out,
        columns: beyond.columns,
        any: false,
    };
    w.out.push(b'{');
    w.value("id", &row.id);
    w.value("access", &row.access);
    w.value("created_at", &TimeText(row.created_at));
    w.value("updated_at", &TimeText(row.updated_at));
    w.value("name", &row.name);
    w.value("tool_name", &row.tool_name);
    w.value(
        "description",
        row.description.as_deref().unwrap_or_default(),
    );
    w.raw("tags", &row.tags);
    w.value("thumbnail", row.thumbnail.as_deref().unwrap_or_default());
    w.value("thumbnail_url", &thumbnail_url(row));
    let graph = if beyond.without_graph {
        r#"{"nodes":[],"edges":[]}"#
    } else {
        &*row.graph
    };
    w.raw("graph", graph);
    w.raw(
        "input_schema",
        row.input_schema.as_deref().unwrap_or("null"),
    );
    w.raw(
        "output_schema",
        row.output_schema.as_deref().unwrap_or("null"),
    );
    w.raw("settings", row.settings.as_deref().unwrap_or("null"));
    w.value("package_name", &row.package_name);
    w.raw("path", "null");
    w.value("run_mode", &row.run_mode);
    w.value("workspace_id", &row.workspace_id);
    w.value("required_providers", &beyond.providers);
    w.value("required_models", &beyond.models);
    w.value("html_app", &row.html_app);
    if beyond.columns.is_none() {
        w.value("etag", &row.etag());
    }
    w.out.push(b'}');
}

/// The address of the thumbnail's file, else the address the client gave.
fn thumbnail_url(row: &WorkflowRow) -> Option<String> {
    match row.thumbnail.as_deref() {
        None | Some("") => row.thumbnail_url.clone(),
        Some(key) => {
            let mut url = String::from(STORAGE);
            for byte in key.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    url.push(char::from(byte));
                } else {
                    url.push_str(&format!("%{byte:02X}"));
                }
            }
            Some(url)
        }
    }
}

/// Writes the keys of one object.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    columns: Option<&'a [&'static str]>,
    any: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &'static str) -> bool {
        if self.columns.is_some_and(|c| !c.contains(&key)) {
            return false;
        }
        if self.any {
            self.out.push(b',');
        }
        self.any = true;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        true
    }

    fn value<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        if self.key(key) {
            json(self.out, value);
        }
    }

    /// JSON of the row: the service has written it, or read it and found it good.
    fn raw(&mut self, key: &'static str, text: &str) {
        if self.key(key) {
            self.out.extend_from_slice(text.as_bytes());
        }
    }
}

fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let start = out.len();
    // Texts, lists of texts and times always serialise; an object without a value would be no JSON.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn what_is_written_has_the_keys_of_its_description() {
        let row = WorkflowRow {
            id: "w".into(),
            input_schema: Some("{}".into()),
            output_schema: Some("{}".into()),
            ..WorkflowRow::default()
        };
        let written: serde_json::Value =
            serde_json::from_slice(&write(&row, Beyond::default())).unwrap();
        let described = serde_json::to_value(WorkflowBody::schema()).unwrap();
        let keys = |v: &serde_json::Value| {
            let mut keys: Vec<String> = v.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&written), keys(&described["properties"]));
        let mut required: Vec<String> =
            serde_json::from_value(described["required"].clone()).unwrap();
        required.sort();
        assert_eq!(keys(&written), required, "null is written, not left out");
    }

    #[test]
    fn a_thumbnail_key_cannot_leave_the_storage() {
        let row = |thumbnail: &str| WorkflowRow {
            thumbnail: Some(thumbnail.into()),
            thumbnail_url: Some("given".into()),
            ..WorkflowRow::default()
        };
        for (key, url) in [
            ("t.png", "/api/storage/t.png"),
            ("../a b", "/api/storage/..%2Fa%20b"),
            ("", "given"),
        ] {
            assert_eq!(thumbnail_url(&row(key)).as_deref(), Some(url));
        }
    }
}
