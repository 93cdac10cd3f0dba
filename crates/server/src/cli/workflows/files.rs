//! Workflows as files: read to be saved on a server, written from what a server has.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use nodetool_protocol::{Map, Value};
use reqwest::Method;

use super::super::client::{Ask, Client, plain};
use super::super::{document, table};
use super::id_of;

/// What of a workflow goes with it when it moves to another server, in the order of a file.
const PORTABLE: [&str; 12] = [
    "id",
    "name",
    "description",
    "tags",
    "access",
    "tool_name",
    "package_name",
    "run_mode",
    "settings",
    "thumbnail",
    "html_app",
    "graph",
];

/// Saves files one after the other and prints the id of each.
pub(super) async fn import(
    client: &Client,
    files: &[PathBuf],
    name: Option<&str>,
    keep_id: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut saved = Vec::new();
    for file in files {
        let (shown, value) = document::json(file)?;
        // Whatever is wrong with its graph is told with the file's name, before anything is sent.
        document::of(&shown, value.clone())?;
        let request = request(value, file, name);
        let id = request.get("id").and_then(Value::as_str);
        let id = if keep_id {
            Some(id.with_context(|| format!("{shown} has no id to keep"))?)
        } else {
            None
        };
        let mut body = request.clone();
        body.shift_remove("id");
        let body = Value::from(body);
        let workflow = match id {
            Some(id) => {
                let path = ["api", "workflows", id];
                client.ask(Ask::new(Method::PUT, &path).json(&body)?).await
            }
            None => {
                let path = ["api", "workflows"];
                client.ask(Ask::new(Method::POST, &path).json(&body)?).await
            }
        };
        let workflow = workflow.with_context(|| format!("cannot save {shown}"))?;
        let id = id_of(&workflow)?;
        if !json {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", plain(&id))?;
            out.flush()?;
            eprintln!("{shown} is saved as {}", table::cell(&workflow, "name"));
        }
        saved.push(workflow);
    }
    if json {
        table::json(&mut std::io::stdout().lock(), &Value::list(saved))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is sent to save a file: of a bare graph, the graph under the file's name.
fn request(value: Value, file: &Path, name: Option<&str>) -> Map {
    let mut request = Map::new();
    if value.get("graph").is_some() {
        for key in PORTABLE {
            let field = value.get(key).filter(|v| !v.is_null());
            request.extend(field.map(|v| (key.into(), v.clone())));
        }
    } else {
        request.insert("graph".into(), value);
    }
    let named = request.get("name").and_then(Value::as_str);
    let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned());
    let stem = stem.filter(|s| s != "-");
    let name = name.or(named).map(str::to_owned).or(stem);
    let name = name.unwrap_or_else(|| "Imported workflow".into());
    request.insert("name".into(), name.into());
    let access = request.get("access").and_then(Value::as_str);
    if !matches!(access, Some("private" | "public")) {
        request.insert("access".into(), "private".into());
    }
    request
}

/// Writes a workflow as a file, or to standard output.
pub(super) fn export(workflow: &Value, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let field = |key: &str| workflow.get(key).filter(|v| !v.is_null()).cloned();
    let empty = |v: &Value| v.as_str() == Some("") || v.as_list().is_some_and(<[Value]>::is_empty);
    let portable: Map = PORTABLE
        .iter()
        .filter_map(|key| Some(((*key).into(), field(key).filter(|v| !empty(v))?)))
        .collect();
    let mut text = serde_json::to_vec_pretty(&portable)?;
    text.push(b'\n');
    match output {
        Some(path) => {
            std::fs::write(path, &text)
                .with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("{} bytes written to {}", text.len(), path.display());
        }
        None => std::io::stdout().write_all(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}
