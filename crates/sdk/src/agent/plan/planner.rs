//! Has a model make a plan that holds.

use std::sync::{Mutex, PoisonError};

use nodetool_protocol::{Map, Severity, Value};

use super::prompts::{self, CREATE_TASK};
use super::{Assignment, PlanAgent, PlanError, PlanEvent, PlanListener, Task, TaskEvent, check};
use crate::BoxFuture;
use crate::agent::{
    Agent, AgentEvent, AgentOutcome, BudgetStop, Budgets, Listener, Schema, json_in,
};
use crate::models::{ChatMessage, ChatRequest, Role, ToolChoice, ToolSpec, Usage};
use crate::tools::{Tool, Tools};

/// Answers of the model, good or not.
const MOST_TRIES: u32 = 3;
/// Tokens of planning.
const MOST_TOKENS: u64 = 20_000;

pub(super) const PLANNER: &str = "agent_planner";

/// Makes a plan that holds; the last step gets the wanted output schema.
pub(super) async fn plan(
    agent: &PlanAgent<'_>,
    assignment: &Assignment,
    listener: &mut dyn PlanListener,
) -> Result<(Task, Usage), PlanError> {
    if let Some(schema) = &assignment.output_schema {
        Schema::new(schema.clone()).map_err(PlanError::Schema)?;
    }
    let content = "Planning the task".to_owned();
    let log = PlanEvent::Log {
        node_id: PLANNER,
        content,
        severity: Severity::Info,
    };
    listener.on(log).await;
    listener.on(phase("Planning", "Starting", None)).await;
    match tries(agent, assignment, listener).await {
        Ok((task, usage)) => {
            let plan = serde_json::to_string(&task.to_value()).unwrap_or_default();
            let done = phase("Plan Creation", "Success", Some(plan));
            listener.on(done).await;
            let created = PlanEvent::Task {
                event: TaskEvent::TaskCreated,
                task: task.clone(),
                step: None,
            };
            listener.on(created).await;
            Ok((task, usage))
        }
        Err(error) => {
            let failed = phase("Plan Creation", "Failed", Some(error.to_string()));
            listener.on(failed).await;
            Err(error)
        }
    }
}

fn phase(phase: &'static str, status: &'static str, content: Option<String>) -> PlanEvent {
    PlanEvent::Planning {
        phase,
        status,
        content,
    }
}

async fn tries(
    agent: &PlanAgent<'_>,
    assignment: &Assignment,
    listener: &mut dyn PlanListener,
) -> Result<(Task, Usage), PlanError> {
    let desk = Desk {
        assignment,
        last: Mutex::new(Err("the model did not call create_task".into())),
    };
    let mut messages = assignment.request.messages.clone();
    messages.push(prompts::planning(assignment));
    messages.push(prompts::objective(assignment));
    let mut request = ChatRequest {
        messages,
        tools: vec![prompts::create_task()],
        tool_choice: Some(ToolChoice::Named(CREATE_TASK.into())),
        response_format: None,
        ..assignment.request.clone()
    };
    let mut used = Usage::default();
    let mut tried = 0;
    while tried < MOST_TRIES {
        let spent = used.input.saturating_add(used.output);
        let most = agent.budgets.tokens.unwrap_or(u64::MAX).min(MOST_TOKENS);
        let budgets = Budgets {
            turns: MOST_TRIES - tried,
            tokens: Some(most.saturating_sub(spent)),
            ..agent.budgets.clone()
        };
        let turn = Agent::new(agent.models, &desk, &budgets);
        let mut told = Told {
            listener: &mut *listener,
            desk: &desk,
        };
        let outcome = turn
            .run(request.clone(), &mut told)
            .await
            .map_err(|f| f.error)?;
        tried += outcome.turns;
        used = sum(used, outcome.usage);
        if outcome.stopped.is_none() && !desk.is_done() {
            desk.take_text(&outcome);
        }
        match (desk.state(), outcome.stopped) {
            (Ok(task), _) => return Ok((task, used)),
            (_, Some(stop @ (BudgetStop::Cost | BudgetStop::Time))) => {
                return Err(PlanError::Stopped(stop));
            }
            (Err(faults), Some(BudgetStop::Tokens)) => {
                let faults = format!("planning may take {most} tokens; {faults}");
                let tries = tried;
                return Err(PlanError::NoPlan { tries, faults });
            }
            (Err(_), _) => {}
        }
        request.messages.extend(outcome.messages);
        let nudge = format!("Call `{CREATE_TASK}` with the plan.");
        request.messages.push(ChatMessage::text(Role::User, nudge));
        request.tool_choice = Some(ToolChoice::Named(CREATE_TASK.into()));
    }
    let faults = desk.state().err().unwrap_or_default();
    let tries = tried;
    Err(PlanError::NoPlan { tries, faults })
}

/// Adds what turns took.
pub(super) fn sum(a: Usage, b: Usage) -> Usage {
    Usage {
        input: a.input.saturating_add(b.input),
        output: a.output.saturating_add(b.output),
        cached: a.cached.saturating_add(b.cached),
        reasoning: a.reasoning.saturating_add(b.reasoning),
        cost: match (a.cost, b.cost) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
        },
    }
}

/// Where plans are handed in: the one tool of planning.
struct Desk<'a> {
    assignment: &'a Assignment,
    last: Mutex<Result<Task, String>>,
}

impl Desk<'_> {
    fn state(&self) -> Result<Task, String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn is_done(&self) -> bool {
        self.state().is_ok()
    }

    /// Takes a plan that came as text, from models that do not call tools.
    fn take_text(&self, outcome: &AgentOutcome) {
        if let Some(Value::Map(map)) = json_in(&outcome.text) {
            let _ = self.take(&map);
        }
    }

    fn take(&self, map: &Map) -> Result<Value, String> {
        let read = Task::read(map).and_then(|mut task| {
            if let (Some(schema), Some(last)) =
                (&self.assignment.output_schema, task.steps.last_mut())
            {
                last.output_schema = serde_json::to_string(schema).unwrap_or_default();
            }
            let faults = check::faults(&task, &self.assignment.inputs, &self.assignment.tools);
            if faults.is_empty() {
                Ok(task)
            } else {
                Err(faults.join("; "))
            }
        });
        let answer = match &read {
            Ok(_) => Ok("The plan holds.".into()),
            Err(faults) => Err(format!(
                "{faults}. Mend the plan and call create_task again."
            )),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = read;
        answer
    }
}

impl Tools for Desk<'_> {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        let find = |name: &String| (name == CREATE_TASK).then(|| plain(prompts::create_task()));
        Box::pin(std::future::ready(names.iter().map(find).collect()))
    }
    fn describe(&self, _: &str, _: &Map) -> String {
        "Making a plan".into()
    }
    fn call<'a>(&'a self, _: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        // One plan is enough: a second call of the same answer does not undo the first.
        let taken = if self.is_done() {
            Err("there is a plan already".into())
        } else {
            self.take(&arguments)
        };
        Box::pin(std::future::ready(taken))
    }
}

/// A tool without effects.
pub(super) fn plain(spec: ToolSpec) -> Tool {
    let effects = false;
    Tool { spec, effects }
}

/// Tells what the model says, and ends when there is a plan.
struct Told<'a, 'd> {
    listener: &'a mut dyn PlanListener,
    desk: &'a Desk<'d>,
}

impl Listener for Told<'_, '_> {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        let (content, thinking) = match event {
            AgentEvent::Text(text) => (text, false),
            AgentEvent::Reasoning(text) => (text, true),
            _ => return Box::pin(std::future::ready(())),
        };
        let step_id = None;
        self.listener.on(PlanEvent::Chunk {
            step_id,
            content,
            thinking,
        })
    }
    fn enough(&self) -> bool {
        self.desk.is_done()
    }
}
