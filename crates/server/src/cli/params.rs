//! The inputs of a run as they are given on a command line.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use nodetool_protocol::{Map, Value};

/// Inputs, in three ways; later ones win.
#[derive(Debug, clap::Args)]
pub(super) struct Params {
    /// Inputs as a JSON object, e.g. '{"text": "hello"}'
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// File with inputs as a JSON object
    #[arg(long, value_name = "FILE")]
    params_file: Option<PathBuf>,
    /// One input as name=value; the value is JSON, or text when it is no JSON (repeatable)
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    inputs: Vec<String>,
}

impl Params {
    /// The parameters a workflow brings along, overridden by those given, later ways winning.
    pub(super) fn over(&self, mut params: Map) -> anyhow::Result<Map> {
        if let Some(path) = &self.params_file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("--params-file: {}", path.display()))?;
            params.extend(object(&text).context("--params-file")?);
        }
        if let Some(text) = &self.params {
            params.extend(object(text).context("--params")?);
        }
        for input in &self.inputs {
            let Some((name, text)) = input.split_once('=') else {
                bail!("--input {input}: expected NAME=VALUE");
            };
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            params.insert(name.into(), value);
        }
        Ok(params)
    }
}

fn object(text: &str) -> anyhow::Result<Map> {
    match serde_json::from_str(text).context("not valid JSON")? {
        Value::Map(map) => Ok(Arc::unwrap_or_clone(map)),
        other => bail!(
            "expected an object of input names to values, got {}",
            other.kind()
        ),
    }
}
