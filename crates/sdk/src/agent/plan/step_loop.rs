//! One step: the model works until it hands in a result that fits.

use std::sync::{Mutex, PoisonError};

use nodetool_protocol::{Map, Value};

use super::executor::Shared;
use super::planner::plain;
use super::prompts::{self, FINISH_STEP, LOAD_SKILL};
use super::{Assignment, LogLevel, PlanAgent, PlanEvent, Step, TaskEvent};
use crate::BoxFuture;
use crate::agent::structured::{MOST_INVALID, fitting};
use crate::agent::{Agent, AgentEvent, BudgetStop, Budgets, Listener, Schema};
use crate::models::{ChatMessage, ChatRequest, ModelError, Role, ToolChoice};
use crate::tools::{Tool, Tools};

/// How a step ended.
pub(super) enum StepEnd {
    Done(Value),
    Failed(String),
    /// The model does not answer: all steps would fail.
    Broken(ModelError),
    /// Money or time is used up: all steps would fail.
    Stopped(BudgetStop),
}

/// What a step works with.
pub(super) struct StepWork<'a, 'l> {
    pub(super) agent: &'a PlanAgent<'a>,
    pub(super) assignment: &'a Assignment,
    pub(super) shared: &'a Shared<'l>,
    pub(super) at: usize,
    /// What it depends on, by name.
    pub(super) known: Map,
}

impl StepWork<'_, '_> {
    pub(super) async fn run(self) -> StepEnd {
        let step = self.shared.step(self.at).await;
        let schema = match Schema::parse(&step.output_schema) {
            Ok(schema) => schema,
            Err(fault) => return StepEnd::Failed(format!("output_schema: {fault}")),
        };
        let desk = Desk {
            inner: self.agent.tools,
            assignment: self.assignment,
            schema,
            state: Mutex::new(State::default()),
        };
        let mut request = self.request(&step, &desk);
        let mut concluding = false;
        loop {
            let budgets = match self.budgets(concluding).await {
                Ok(budgets) => budgets,
                Err(stop) => return StepEnd::Stopped(stop),
            };
            let agent = Agent::new(self.agent.models, &desk, &budgets);
            let mut told = Told {
                work: &self,
                desk: &desk,
                id: &step.id,
            };
            let outcome = match agent.run(request.clone(), &mut told).await {
                Ok(outcome) => outcome,
                Err(failure) => {
                    self.shared.took(failure.usage).await;
                    return StepEnd::Broken(failure.error);
                }
            };
            self.shared.took(outcome.usage).await;
            if outcome.stopped.is_none() && !desk.is_over() {
                // It says something instead of handing in; that may be the result all the same.
                if let Err(fault) = desk.take_text(&outcome.text) {
                    self.shared.log(self.at, LogLevel::Warning, fault).await;
                }
            }
            if let Some(end) = desk.end() {
                return end;
            }
            match outcome.stopped {
                Some(stop @ (BudgetStop::Cost | BudgetStop::Time)) => {
                    return StepEnd::Stopped(stop);
                }
                Some(stop) if concluding => return StepEnd::Failed(stop.text().into()),
                Some(stop) => {
                    concluding = true;
                    self.shared
                        .log(self.at, LogLevel::Warning, stop.text())
                        .await;
                    let event = TaskEvent::EnteredConclusionStage;
                    self.shared.tell_task(event, Some(self.at)).await;
                }
                None => {}
            }
            request.messages.extend(outcome.messages);
            if concluding {
                request.tools.retain(|t| t.name == FINISH_STEP);
                request.tool_choice = Some(ToolChoice::Named(FINISH_STEP.into()));
            }
            let words = desk.nudge(concluding);
            request.messages.push(ChatMessage::text(Role::User, words));
        }
    }

    fn request(&self, step: &Step, desk: &Desk<'_>) -> ChatRequest {
        let mut messages = self.assignment.request.messages.clone();
        messages.push(prompts::working(self.assignment));
        messages.push(prompts::step(step, &self.known));
        let usable = self.assignment.tools.iter();
        let mut tools: Vec<_> = usable.filter(|t| step.may_use(&t.name)).cloned().collect();
        if !self.assignment.skills.is_empty() {
            tools.push(prompts::load_skill(&self.assignment.skills));
        }
        tools.push(prompts::finish_step(desk.schema.value()));
        ChatRequest {
            messages,
            tools,
            tool_choice: None,
            response_format: None,
            ..self.assignment.request.clone()
        }
    }

    /// What the step may take: what the others have left.
    async fn budgets(&self, concluding: bool) -> Result<Budgets, BudgetStop> {
        let all = self.agent.budgets;
        let usage = self.shared.usage().await;
        let spent = usage.input.saturating_add(usage.output);
        let seconds = self.shared.seconds_left(all);
        let cost_usd = all.cost_usd.map(|most| most - usage.cost.unwrap_or(0.0));
        if seconds.is_some_and(|s| s <= 0.0) {
            return Err(BudgetStop::Time);
        }
        if cost_usd.is_some_and(|left| left <= 0.0) {
            return Err(BudgetStop::Cost);
        }
        Ok(Budgets {
            seconds,
            cost_usd,
            // The conclusion is short and has to come.
            tokens: if concluding {
                None
            } else {
                all.tokens.map(|most| most.saturating_sub(spent))
            },
            turns: if concluding {
                MOST_INVALID as u32
            } else {
                all.turns
            },
            ..all.clone()
        })
    }
}

#[derive(Default)]
struct State {
    result: Option<Value>,
    invalid: usize,
    fault: String,
}

/// The step's tools, and where its result is handed in.
struct Desk<'a> {
    inner: &'a dyn Tools,
    assignment: &'a Assignment,
    schema: Schema,
    state: Mutex<State>,
}

impl Desk<'_> {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a result, or there were too many that did not fit.
    fn is_over(&self) -> bool {
        let state = self.state();
        state.result.is_some() || state.invalid >= MOST_INVALID
    }

    fn end(&self) -> Option<StepEnd> {
        let state = self.state();
        match &state.result {
            Some(result) => Some(StepEnd::Done(result.clone())),
            None if state.invalid >= MOST_INVALID => {
                let fault = format!("no valid result in {MOST_INVALID} tries: {}", state.fault);
                Some(StepEnd::Failed(fault))
            }
            None => None,
        }
    }

    /// What to say to a model that has not handed in.
    fn nudge(&self, concluding: bool) -> String {
        let fault = &self.state().fault;
        let why = if fault.is_empty() {
            String::new()
        } else {
            format!(" What came before was not accepted: {fault}.")
        };
        if concluding {
            format!(
                "There is no room for more work. Call `{FINISH_STEP}` now with the best result you have.{why}"
            )
        } else {
            format!("Call `{FINISH_STEP}` with the result.{why}")
        }
    }

    fn take_text(&self, text: &str) -> Result<(), String> {
        match fitting(&self.schema, text) {
            Ok(value) => {
                self.state().result = Some(value);
                Ok(())
            }
            Err(fault) => {
                self.invalid(fault.clone());
                Err(fault)
            }
        }
    }

    fn invalid(&self, fault: String) {
        let mut state = self.state();
        state.invalid += 1;
        state.fault = fault;
    }

    /// Takes a result: as it is, or as JSON in a text, which some models make of it.
    fn take(&self, arguments: &Map) -> Result<Value, String> {
        if self.state().result.is_some() {
            return Err("the step has its result already".into());
        }
        let Some(result) = arguments.get("result") else {
            self.invalid("`result` is missing".into());
            return Err("`result` is missing".into());
        };
        let faults = self.schema.faults(result);
        let fits = if faults.is_empty() {
            Ok(result.clone())
        } else {
            let text = result.as_str();
            let inner = text.and_then(|t| serde_json::from_str::<Value>(t).ok());
            match inner.filter(|value| self.schema.faults(value).is_empty()) {
                Some(value) => Ok(value),
                None => Err(faults.join("; ")),
            }
        };
        match fits {
            Ok(value) => {
                self.state().result = Some(value);
                Ok("The step is finished.".into())
            }
            Err(fault) => {
                self.invalid(fault.clone());
                Err(format!("the result does not fit: {fault}"))
            }
        }
    }

    fn skill(&self, arguments: &Map) -> Result<Value, String> {
        let name = arguments.get("name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let skill = self.assignment.skills.iter().find(|s| s.name == name);
        match skill {
            Some(skill) => Ok(skill.body.as_str().into()),
            None => Err(format!("there is no skill `{name}`")),
        }
    }
}

impl Tools for Desk<'_> {
    fn find<'a>(&'a self, names: &'a [String]) -> BoxFuture<'a, Vec<Option<Tool>>> {
        Box::pin(async move {
            let mut found = self.inner.find(names).await;
            for (name, found) in names.iter().zip(&mut found) {
                if name == FINISH_STEP {
                    *found = Some(plain(prompts::finish_step(self.schema.value())));
                }
            }
            found
        })
    }
    fn describe(&self, name: &str, arguments: &Map) -> String {
        match name {
            FINISH_STEP => "Finishing the step".into(),
            LOAD_SKILL => "Reading a skill".into(),
            _ => self.inner.describe(name, arguments),
        }
    }
    fn call<'a>(&'a self, name: &'a str, arguments: Map) -> BoxFuture<'a, Result<Value, String>> {
        match name {
            FINISH_STEP => Box::pin(std::future::ready(self.take(&arguments))),
            LOAD_SKILL => Box::pin(std::future::ready(self.skill(&arguments))),
            _ => self.inner.call(name, arguments),
        }
    }
}

/// Tells what the model says and does.
struct Told<'a, 'd, 'l> {
    work: &'a StepWork<'d, 'l>,
    desk: &'a Desk<'d>,
    id: &'a str,
}

impl Listener for Told<'_, '_, '_> {
    fn on<'a>(&'a mut self, event: AgentEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let step_id = Some(self.id.to_owned());
            let shared = self.work.shared;
            match event {
                AgentEvent::Text(content) => {
                    let thinking = false;
                    shared
                        .tell(PlanEvent::Chunk {
                            step_id,
                            content,
                            thinking,
                        })
                        .await;
                }
                AgentEvent::Reasoning(content) => {
                    let thinking = true;
                    shared
                        .tell(PlanEvent::Chunk {
                            step_id,
                            content,
                            thinking,
                        })
                        .await;
                }
                AgentEvent::ToolStarted { call, note } => {
                    shared.note(self.work.at, LogLevel::Info, &note).await;
                    let message = note;
                    shared
                        .tell(PlanEvent::ToolCall {
                            step_id,
                            call,
                            message,
                        })
                        .await;
                }
                AgentEvent::ToolEnded {
                    call,
                    result: Err(fault),
                } => {
                    let line = format!("{}: {fault}", call.name);
                    shared.log(self.work.at, LogLevel::Warning, line).await;
                }
                _ => {}
            }
        })
    }
    fn enough(&self) -> bool {
        self.desk.is_over()
    }
}
