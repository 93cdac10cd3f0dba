//! Work that a model hands on: an objective is planned and carried out step by step, and its result comes back as one
//! answer.

use std::sync::Arc;

use nodetool_sdk::agent::plan::{Assignment, PlanAgent, PlanEvent, PlanListener};
use nodetool_sdk::models::ChatRequest;
use nodetool_sdk::tools::Tools;
use nodetool_sdk::{BoxFuture, Value};

use super::arguments::Arguments;
use super::{Desk, MAX_DEPTH, ToolScope};

/// Its own name; an agent is not told of it, so that agents do not beget agents.
pub(super) const RUN_AGENT: &str = "run_agent";
/// Longest objective in bytes.
const MOST_OBJECTIVE: usize = 256 << 10;
/// Tools one agent may be given.
const MOST_TOOLS: usize = 64;
/// What it may take in time, below what a call may take, so that it says itself what ended it.
const SECONDS: f64 = 1_700.0;

/// Tools of an agent for whom none are named: those that only look.
const USUAL: [&str; 14] = [
    "list_workflows",
    "get_workflow",
    "validate_workflow",
    "list_nodes",
    "search_nodes",
    "get_node_info",
    "list_jobs",
    "get_job",
    "list_assets",
    "get_asset",
    "read_asset",
    "list_collections",
    "query_collection",
    "calculator",
];

impl Desk {
    pub(super) async fn run_agent(&self, arguments: &Arguments) -> Result<Value, String> {
        let Some(objective) = arguments.given("objective") else {
            return Err("objective: expected a text".into());
        };
        if objective.len() > MOST_OBJECTIVE {
            return Err(format!(
                "objective: expected at most {MOST_OBJECTIVE} bytes"
            ));
        }
        let depth = self.scope.depth + 1;
        if depth > MAX_DEPTH {
            return Err(format!("runs start runs more than {MAX_DEPTH} deep"));
        }
        let desk = Desk {
            house: self.house.clone(),
            scope: ToolScope {
                depth,
                ..self.scope.clone()
            },
        };
        let named = arguments.texts("tools");
        if named.len() > MOST_TOOLS {
            return Err(format!("tools: expected at most {MOST_TOOLS} names"));
        }
        let names: Vec<String> = match named.is_empty() {
            true => USUAL.map(str::to_owned).to_vec(),
            false => named.into_iter().map(str::to_owned).collect(),
        };
        let mut tools = Vec::with_capacity(names.len());
        for (name, tool) in names.iter().zip(desk.find(&names).await) {
            match tool {
                Some(tool) if tool.spec.name != RUN_AGENT => tools.push(tool.spec),
                Some(_) => return Err("tools: an agent cannot be given run_agent".into()),
                None => {
                    let name: String = name.chars().take(80).collect();
                    return Err(format!(
                        "tools: there is no tool `{}`",
                        name.escape_default()
                    ));
                }
            }
        }
        let assignment = Assignment {
            objective: objective.to_owned(),
            output_schema: arguments.get("output_schema").cloned(),
            tools,
            request: ChatRequest {
                provider: arguments.text("provider").trim().to_owned(),
                model: arguments.text("model").trim().to_owned(),
                node_id: Some(Arc::from(RUN_AGENT)),
                ..ChatRequest::default()
            },
            ..Assignment::default()
        };
        let models = self.shelves()?.language(&self.scope.caller);
        let mut budgets = self.house.agents.clone();
        budgets.seconds = Some(budgets.seconds.map_or(SECONDS, |s| s.min(SECONDS)));
        let agent = PlanAgent {
            models: &*models,
            tools: &desk,
            budgets: &budgets,
        };
        let outcome = agent.run(&assignment, &mut Unheard).await;
        let outcome = outcome.map_err(|e| format!("the agent gave up: {e}"))?;
        let usage = outcome.usage;
        let count = |tokens: u64| Value::from(i64::try_from(tokens).unwrap_or(i64::MAX));
        let used = Value::map([
            ("input_tokens", count(usage.input)),
            ("output_tokens", count(usage.output)),
            ("cost_usd", usage.cost.into()),
        ]);
        Ok(Value::map([
            ("status", Value::from("completed")),
            ("result", outcome.result),
            ("usage", used),
        ]))
    }
}

/// Nobody listens to the steps; whoever called is told the result.
struct Unheard;

impl PlanListener for Unheard {
    fn on<'a>(&'a mut self, _: PlanEvent) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }
}
