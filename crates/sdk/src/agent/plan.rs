//! Splits an objective into steps, checks the plan, and runs the steps.
//!
//! One phase makes the plan: the model calls `create_task`, and a plan that does not hold is sent back with its faults.
//! Then every step whose dependencies are done is run at once with the others, each as a loop of its own that ends when
//! the model calls `finish_step` with a result that fits the step's schema. The last step waits for all others; its
//! result is the result of the task.

mod check;
mod event;
mod executor;
mod planner;
mod prompts;
mod step_loop;
mod task;

use nodetool_protocol::{Map, Value};

pub use event::{PlanEvent, PlanListener, TaskEvent};
pub use task::{LogEntry, LogLevel, Step, Task};

use super::{BudgetStop, Budgets};
use crate::models::{ChatRequest, ModelError, Models, ToolSpec, Usage};
use crate::tools::Tools;

/// Steps of a plan.
pub const MOST_STEPS: usize = 10;

/// What is to be done, and with what.
#[derive(Clone, Debug, Default)]
pub struct Assignment {
    /// The objective, in words.
    pub objective: String,
    /// What is given, by name; steps may depend on these.
    pub inputs: Map,
    /// What the result has to fit; any text when absent.
    pub output_schema: Option<Value>,
    /// Tools the steps may use.
    pub tools: Vec<ToolSpec>,
    /// Instructions that are read when they are needed.
    pub skills: Vec<Skill>,
    /// Provider, model and settings of all requests. Its messages come first in each; its tools do not count.
    pub request: ChatRequest,
}

/// Instructions for a kind of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skill {
    /// Its name.
    pub name: String,
    /// When it is of use.
    pub description: String,
    /// The instructions.
    pub body: String,
}

/// A task that was carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOutcome {
    /// The task with its steps as they ended.
    pub task: Task,
    /// The result of its last step.
    pub result: Value,
    /// What planning and all steps took.
    pub usage: Usage,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The model did not answer.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The wanted form of the result is no schema.
    #[error("output_schema: {0}")]
    Schema(String),
    /// There is no plan that holds.
    #[error("no valid plan after {tries} tries: {faults}")]
    NoPlan {
        /// How often the model tried.
        tries: u32,
        /// What was wrong in the end.
        faults: String,
    },
    /// The step with the result failed.
    #[error("step `{step}` failed: {error}")]
    Step {
        /// Its id.
        step: String,
        /// Why.
        error: String,
    },
    /// A budget was used up.
    #[error("{}", .0.text())]
    Stopped(BudgetStop),
}

/// A model, tools and budgets for planned work.
#[derive(Clone, Copy)]
pub struct PlanAgent<'a> {
    /// The models.
    pub models: &'a dyn Models,
    /// What calls go to.
    pub tools: &'a dyn Tools,
    /// What the whole may take; `turns` and `tool_calls` hold for each step.
    pub budgets: &'a Budgets,
}

impl PlanAgent<'_> {
    /// Makes a plan and carries it out.
    pub async fn run(
        &self,
        assignment: &Assignment,
        listener: &mut dyn PlanListener,
    ) -> Result<PlanOutcome, PlanError> {
        let (task, usage) = planner::plan(self, assignment, listener).await?;
        executor::execute(self, assignment, task, usage, listener).await
    }

    /// Carries out a plan that was made before, such as one a person has approved.
    pub async fn run_task(
        &self,
        assignment: &Assignment,
        task: Task,
        listener: &mut dyn PlanListener,
    ) -> Result<PlanOutcome, PlanError> {
        executor::execute(self, assignment, task, Usage::default(), listener).await
    }

    /// Makes a plan only.
    pub async fn plan(
        &self,
        assignment: &Assignment,
        listener: &mut dyn PlanListener,
    ) -> Result<Task, PlanError> {
        let (task, _) = planner::plan(self, assignment, listener).await?;
        Ok(task)
    }
}

#[cfg(test)]
mod tests;
