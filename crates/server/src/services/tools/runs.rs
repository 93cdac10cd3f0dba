//! Runs that a tool waits for: a call that is dropped ends its run.

use std::sync::Arc;

use nodetool_engine::{AssetMode, RunOutcome};
use nodetool_protocol::JobStatus;
use nodetool_sdk::{Map, Value};

use super::{Desk, MAX_DEPTH};
use crate::services::{Loaded, StartRun};

impl Desk {
    /// Runs a graph to its end and gives its outputs by name: the value, or a list when there were several.
    pub(super) async fn run_loaded(
        &self,
        workflow: Arc<Loaded>,
        params: Map,
    ) -> Result<Value, String> {
        let workflow = self.checked_run(workflow)?;
        let start = StartRun {
            assets: AssetMode::Python,
            depth: self.scope.depth + 1,
            inside: self.scope.inside.clone(),
            ..StartRun::new(self.scope.caller.clone(), workflow, params)
        };
        let ended = self.house.jobs.run_attended(start).await;
        outputs(ended.map_err(|e| e.to_string())?)
    }

    /// A workflow that may be run from here.
    pub(super) fn checked_run(&self, workflow: Arc<Loaded>) -> Result<Arc<Loaded>, String> {
        let depth = self.scope.depth + 1;
        if depth > MAX_DEPTH {
            return Err(format!("runs start runs more than {MAX_DEPTH} deep"));
        }
        let id = &workflow.id;
        if !id.is_empty() && self.scope.inside.contains(id) {
            return Err(format!(
                "the workflow {id} is at work around this call; it cannot run itself"
            ));
        }
        if let Some(issue) = workflow.issues().first() {
            let message = issue.get("message").and_then(Value::as_str);
            return Err(format!(
                "the graph cannot run: {}",
                message.unwrap_or_default()
            ));
        }
        Ok(workflow)
    }
}

fn outputs(outcome: RunOutcome) -> Result<Value, String> {
    if let Some((_, reason, _)) = &outcome.suspended {
        return Err(format!("the run waits for something outside: {reason}"));
    }
    if let Some(error) = outcome.error {
        return Err(error);
    }
    if outcome.status != JobStatus::Completed {
        return Err(format!("the run ended as {}", outcome.status.as_str()));
    }
    let one = |(name, mut values): (Arc<str>, Vec<Value>)| {
        let value = if values.len() == 1 {
            values.pop().unwrap_or_default()
        } else {
            values.into()
        };
        (name, value)
    };
    Ok(Value::map(outcome.outputs.into_iter().map(one)))
}
