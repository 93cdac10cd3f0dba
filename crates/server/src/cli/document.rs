//! Workflow files of every generation: a bare graph, or a document with `graph` and perhaps `params`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nodetool_protocol::{Graph, Map, Value};

/// Largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// A workflow file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) graph: Graph,
    /// The file's own parameters.
    pub(super) params: Map,
    /// A name to show.
    pub(super) name: String,
}

/// Reads a file, or standard input for `-`. The error lists every fault of the document.
pub(super) fn read(path: &Path) -> anyhow::Result<Document> {
    let (shown, value) = json(path)?;
    of(&shown, value)
}

/// The JSON of a file, or of standard input for `-`, and what to call it.
pub(super) fn json(path: &Path) -> anyhow::Result<(String, Value)> {
    let (shown, text) = if path == Path::new("-") {
        (
            PathBuf::from("standard input"),
            read_limited(std::io::stdin().lock()).context("cannot read standard input")?,
        )
    } else {
        let file =
            std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        (
            path.to_owned(),
            read_limited(file).with_context(|| format!("cannot read {}", path.display()))?,
        )
    };
    let shown = shown.display().to_string();
    let value: Value =
        serde_json::from_slice(&text).with_context(|| format!("{shown} is not valid JSON"))?;
    Ok((shown, value))
}

/// A document that was read already; `shown` is what to call it.
pub(super) fn of(shown: &str, value: Value) -> anyhow::Result<Document> {
    let Value::Map(map) = &value else {
        bail!(
            "{shown}: expected an object with `graph`, or with `nodes` and `edges`; got {}",
            value.kind()
        )
    };
    let params = match map.get("params") {
        Some(Value::Map(p)) => Map::clone(p),
        None | Some(Value::Null) => Map::new(),
        Some(other) => bail!("{shown}: params: expected an object, got {}", other.kind()),
    };
    let name = map
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or("workflow")
        .to_owned();
    let graph = map.get("graph").cloned().unwrap_or_else(|| value.clone());
    let graph = Graph::from_value(graph).map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{shown} is not a workflow:\n  {}", lines.join("\n  "))
    })?;
    Ok(Document {
        graph,
        params,
        name,
    })
}

fn read_limited(reader: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("it has more than {} MiB", MAX_BYTES >> 20);
    }
    Ok(bytes)
}
