//! The same runs by the program itself: `nodetool run FILE --json`.

use std::path::Path;
use std::process::Command;

use nodetool_protocol::{Map, Value};

use super::fixtures::Streams;
use super::house::Ran;

/// Runs a workflow file and reads what the program prints.
pub(super) fn run(file: &Path, params: &Map, workspace: &Path) -> Ran {
    let params = serde_json::to_string(params).unwrap_or_else(|e| panic!("parameters: {e}"));
    let output = Command::new(env!("CARGO_BIN_EXE_nodetool"))
        .arg("run")
        .arg(file)
        .args([
            "--json",
            "--timeout",
            "60",
            "--params",
            &params,
            "--workspace",
        ])
        .arg(workspace)
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|e| panic!("cannot start the program: {e}"));
    let outputs: Streams = match serde_json::from_slice::<Value>(&output.stdout) {
        Ok(Value::Map(outputs)) => outputs
            .iter()
            .map(|(k, v)| (k.clone(), v.as_list().unwrap_or_default().to_vec()))
            .collect(),
        // A graph that cannot run prints nothing.
        _ => Streams::new(),
    };
    Ran {
        status: match output.status.code() {
            Some(0) => "completed".into(),
            Some(1 | 2) => "failed".into(),
            _ => output.status.to_string(),
        },
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
        outputs,
        updates: None,
        received: Streams::new(),
        told: Vec::new(),
    }
}
