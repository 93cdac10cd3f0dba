//! What planned work tells while it goes on, and how that stands on the wire.

use nodetool_protocol::{Map, Severity, Value};

use super::{Step, Task};
use crate::BoxFuture;
use crate::models::{ToolCall, read_arguments};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanEvent {
    /// A line about planning (`agent_planner`) or carrying out (`agent_executor`).
    Log {
        /// Who says so.
        node_id: &'static str,
        /// The line.
        content: String,
        /// How loud.
        severity: Severity,
    },
    /// How far planning is.
    Planning {
        /// What is going on.
        phase: &'static str,
        /// `Starting`, `Success` or `Failed`.
        status: &'static str,
        /// The plan, or what is wrong with it.
        content: Option<String>,
    },
    /// Life of the task and its steps.
    Task {
        /// What happened.
        event: TaskEvent,
        /// The task as it stands.
        task: Task,
        /// The step it happened to.
        step: Option<Step>,
    },
    /// What a step gave.
    StepResult {
        /// The step.
        step: Step,
        /// Its result; null when it failed.
        result: Value,
        /// Why it failed.
        error: Option<String>,
        /// Whether this is the result of the task.
        is_task_result: bool,
    },
    /// A piece of what the model says.
    Chunk {
        /// In which step; nothing while planning.
        step_id: Option<String>,
        /// The piece.
        content: String,
        /// Whether it is reasoning.
        thinking: bool,
    },
    /// A tool begins.
    ToolCall {
        /// In which step; nothing while planning.
        step_id: Option<String>,
        /// The call.
        call: ToolCall,
        /// A line for people.
        message: String,
    },
}

/// What happened to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// There is a plan.
    TaskCreated,
    /// A step begins.
    StepStarted,
    /// A step has to come to its end.
    EnteredConclusionStage,
    /// A step ended well.
    StepCompleted,
    /// A step failed.
    StepFailed,
    /// The task has its result.
    TaskCompleted,
}

impl TaskEvent {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskEvent::TaskCreated => "task_created",
            TaskEvent::StepStarted => "step_started",
            TaskEvent::EnteredConclusionStage => "entered_conclusion_stage",
            TaskEvent::StepCompleted => "step_completed",
            TaskEvent::StepFailed => "step_failed",
            TaskEvent::TaskCompleted => "task_completed",
        }
    }
}

impl PlanEvent {
    /// The `type` on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            PlanEvent::Log { .. } => "log_update",
            PlanEvent::Planning { .. } => "planning_update",
            PlanEvent::Task { .. } => "task_update",
            PlanEvent::StepResult { .. } => "step_result",
            PlanEvent::Chunk { .. } => "chunk",
            PlanEvent::ToolCall { .. } => "tool_call_update",
        }
    }

    /// Whether it belongs to the record of the conversation; pieces of text and tool calls only pass by.
    pub fn is_record(&self) -> bool {
        !matches!(self, PlanEvent::Chunk { .. } | PlanEvent::ToolCall { .. })
    }

    /// The message on the wire.
    pub fn to_value(&self) -> Value {
        let mut out: Map = [("type".into(), Value::from(self.kind()))]
            .into_iter()
            .collect();
        let mut put = |key: &str, value: Value| {
            out.insert(key.into(), value);
        };
        match self {
            PlanEvent::Log {
                node_id,
                content,
                severity,
            } => {
                put("node_id", (*node_id).into());
                put("node_name", name_of(node_id).into());
                put("content", content.as_str().into());
                put("severity", word(*severity).into());
            }
            PlanEvent::Planning {
                phase,
                status,
                content,
            } => {
                put("node_id", Value::Null);
                put("phase", (*phase).into());
                put("status", (*status).into());
                put("content", content.clone().into());
            }
            PlanEvent::Task { event, task, step } => {
                put("node_id", Value::Null);
                put("task", task.to_value());
                put("step", step.as_ref().map(Step::to_value).into());
                put("event", event.as_str().into());
            }
            PlanEvent::StepResult {
                step,
                result,
                error,
                is_task_result,
            } => {
                put("step", step.to_value());
                put("result", result.clone());
                put("error", error.clone().into());
                put("is_task_result", (*is_task_result).into());
            }
            PlanEvent::Chunk {
                content, thinking, ..
            } => {
                put("node_id", Value::Null);
                put("content_type", "text".into());
                put("content", content.as_str().into());
                put("content_metadata", Map::new().into());
                put("done", false.into());
                put("thinking", (*thinking).into());
            }
            PlanEvent::ToolCall {
                step_id,
                call,
                message,
            } => {
                let args = read_arguments(&call.arguments).unwrap_or_default();
                put("node_id", Value::Null);
                put("tool_call_id", call.id.as_str().into());
                put("name", call.name.as_str().into());
                put("args", args.into());
                put("message", message.as_str().into());
                put("step_id", step_id.clone().into());
            }
        }
        out.into()
    }
}

fn name_of(node_id: &str) -> &'static str {
    match node_id {
        "agent_planner" => "Agent Planner",
        _ => "Agent Executor",
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// Who is told what happens. A closure that takes a [`PlanEvent`] is one.
pub trait PlanListener: Send {
    /// Takes one event. The work waits until it has been taken.
    fn on<'a>(&'a mut self, event: PlanEvent) -> BoxFuture<'a, ()>;
}

impl<F: FnMut(PlanEvent) + Send> PlanListener for F {
    fn on<'a>(&'a mut self, event: PlanEvent) -> BoxFuture<'a, ()> {
        self(event);
        Box::pin(std::future::ready(()))
    }
}
