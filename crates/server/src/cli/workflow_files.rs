//! Workflow files that a server offers as models.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use nodetool_engine::Plan;

use super::{document, faults};
use crate::node_services;
use crate::services::WorkflowFile;

/// Files named on the command line.
#[derive(Debug, Default, clap::Args)]
pub(super) struct WorkflowFiles {
    /// Workflow file that answers as the model workflow/NAME, where NAME is its own (repeatable)
    #[arg(long = "workflow", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl WorkflowFiles {
    /// Reads the files and plans what is in them; the first that cannot run is told.
    pub(super) fn read(&self) -> anyhow::Result<Vec<WorkflowFile>> {
        if self.files.is_empty() {
            return Ok(Vec::new());
        }
        let registry = node_services::registry();
        let mut read = Vec::new();
        for file in &self.files {
            let (shown, value) = document::json(file)?;
            // A file without a name in it has that of the file.
            let own = value.get("name").and_then(|name| name.as_str());
            let stem = file.file_stem().and_then(|stem| stem.to_str());
            let name = own.filter(|name| !name.is_empty()).or(stem);
            let name = name.unwrap_or("workflow").to_owned();
            let document = document::of(&shown, value)?;
            let plan = match Plan::build(&document.graph, &registry) {
                Ok(plan) => Arc::new(plan),
                Err(e) => bail!(
                    "{shown} cannot run:\n{}",
                    faults::lines(&e, &document.graph, &registry)
                ),
            };
            read.push(WorkflowFile {
                name,
                graph: document.graph,
                plan,
            });
        }
        Ok(read)
    }
}
