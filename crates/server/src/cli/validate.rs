//! `nodetool validate FILE`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use nodetool_engine::{Fault, Plan};

use super::{EXIT_USAGE, document, faults};
use crate::node_services;

/// Check a workflow file without running it
#[derive(Debug, clap::Args)]
pub(super) struct Validate {
    /// Workflow file, or - for standard input
    file: PathBuf,
    /// Print machine-readable JSON
    #[arg(long)]
    json: bool,
}

impl Validate {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        report(document::read(&self.file), self.json)
    }
}

/// Tells whether a document can run with the node types of this program, and how the command ends.
pub(super) fn report(
    document: anyhow::Result<document::Document>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let document = match document {
        Ok(document) => document,
        Err(e) => {
            if json {
                let error = format!("{e:#}");
                let fault =
                    serde_json::json!({ "node_id": null, "handle": null, "message": error });
                let told = serde_json::json!({ "valid": false, "faults": [fault], "warnings": [] });
                writeln!(out, "{told}")?;
            } else {
                eprintln!("error: {e:#}");
            }
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let registry = node_services::registry();
    let graph = &document.graph;
    match Plan::build(graph, &registry) {
        Ok(plan) => {
            if json {
                let inputs: Vec<&str> = plan.input_names().collect();
                let ignored = plan.ignored_edges().iter();
                let warnings: Vec<_> = ignored.map(|f| json_of(f, f.message.clone())).collect();
                let told = serde_json::json!({
                    "valid": true, "nodes": plan.len(), "inputs": inputs, "faults": [], "warnings": warnings,
                });
                writeln!(out, "{told}")?;
            } else {
                for fault in plan.ignored_edges() {
                    eprintln!("warning: {}", fault.message);
                }
                writeln!(out, "{}: {} nodes, ready to run", document.name, plan.len())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if json {
                let text = |f| faults::text(f, graph, &registry);
                let all: Vec<_> = error.faults.iter().map(|f| json_of(f, text(f))).collect();
                let told = serde_json::json!({ "valid": false, "faults": all, "warnings": [] });
                writeln!(out, "{told}")?;
            } else {
                eprintln!("error: {} cannot run:", document.name);
                eprintln!("{}", faults::lines(&error, graph, &registry));
            }
            Ok(ExitCode::from(EXIT_USAGE))
        }
    }
}

fn json_of(fault: &Fault, message: String) -> serde_json::Value {
    serde_json::json!({ "node_id": fault.node_id, "handle": fault.handle, "message": message })
}
