//! `nodetool validate FILE`.

use std::path::PathBuf;
use std::process::ExitCode;

use nodetool_engine::Plan;

use super::{EXIT_USAGE, document};
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
        let document = match document::read(&self.file) {
            Ok(document) => document,
            Err(e) => {
                if self.json {
                    let error = format!("{e:#}");
                    super::print_line(&format!(
                        "{}",
                        serde_json::json!({ "valid": false, "faults": [{ "message": error }] })
                    ))?;
                } else {
                    eprintln!("error: {e:#}");
                }
                return Ok(ExitCode::from(EXIT_USAGE));
            }
        };
        match Plan::build(&document.graph, &node_services::registry()) {
            Ok(plan) => {
                if self.json {
                    let inputs: Vec<&str> = plan.input_names().collect();
                    super::print_line(&format!(
                        "{}",
                        serde_json::json!({ "valid": true, "nodes": plan.len(), "inputs": inputs, "faults": [] })
                    ))?;
                } else {
                    super::print_line(&format!(
                        "{}: {} nodes, ready to run",
                        document.name,
                        plan.len()
                    ))?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                if self.json {
                    let faults: Vec<_> = error
                        .faults
                        .iter()
                        .map(|f| serde_json::json!({ "node_id": f.node_id, "handle": f.handle, "message": f.message }))
                        .collect();
                    super::print_line(&format!(
                        "{}",
                        serde_json::json!({ "valid": false, "faults": faults })
                    ))?;
                } else {
                    eprintln!("{}: {} fault(s)", document.name, error.faults.len());
                    for fault in &error.faults {
                        eprintln!("  {}", fault.message);
                    }
                }
                Ok(ExitCode::from(EXIT_USAGE))
            }
        }
    }
}
