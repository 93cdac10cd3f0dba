//! Runs the steps of a plan: each as soon as what it needs is there.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nodetool_protocol::{Map, Severity, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::planner::sum;
use super::step_loop::{StepEnd, StepWork};
use super::task::now;
use super::{
    Assignment, LogLevel, PlanAgent, PlanError, PlanEvent, PlanListener, PlanOutcome, Step, Task,
    TaskEvent, check,
};
use crate::agent::Budgets;
use crate::models::Usage;

const EXECUTOR: &str = "agent_executor";

/// Characters of a log line.
const MOST_LINE: usize = 500;

/// What steps at work share.
pub(super) struct Shared<'a> {
    inner: Mutex<Inner<'a>>,
    started: Instant,
}

struct Inner<'a> {
    task: Task,
    usage: Usage,
    listener: &'a mut dyn PlanListener,
}

impl Shared<'_> {
    pub(super) async fn step(&self, at: usize) -> Step {
        let inner = self.inner.lock().await;
        inner.task.steps.get(at).cloned().unwrap_or_default()
    }

    pub(super) async fn usage(&self) -> Usage {
        self.inner.lock().await.usage
    }

    pub(super) async fn took(&self, usage: Usage) {
        let mut inner = self.inner.lock().await;
        inner.usage = sum(inner.usage, usage);
    }

    pub(super) fn seconds_left(&self, budgets: &Budgets) -> Option<f64> {
        let gone = self.started.elapsed().as_secs_f64();
        budgets.seconds.map(|most| most - gone)
    }

    pub(super) async fn tell(&self, event: PlanEvent) {
        self.inner.lock().await.listener.on(event).await;
    }

    /// Notes a line in the step's log.
    pub(super) async fn note(&self, at: usize, level: LogLevel, line: &str) {
        let mut inner = self.inner.lock().await;
        if let Some(step) = inner.task.steps.get_mut(at) {
            let line: String = line.chars().take(MOST_LINE).collect();
            step.log(level, line);
        }
    }

    /// Notes a line in the step's log and tells it.
    pub(super) async fn log(&self, at: usize, level: LogLevel, line: impl AsRef<str>) {
        let line = line.as_ref();
        self.note(at, level, line).await;
        let content: String = line.chars().take(MOST_LINE).collect();
        let severity = match level {
            LogLevel::Debug | LogLevel::Info => Severity::Info,
            LogLevel::Warning => Severity::Warning,
            LogLevel::Error => Severity::Error,
        };
        let node_id = EXECUTOR;
        self.tell(PlanEvent::Log {
            node_id,
            content,
            severity,
        })
        .await;
    }

    pub(super) async fn tell_task(&self, event: TaskEvent, at: Option<usize>) {
        let mut inner = self.inner.lock().await;
        let task = inner.task.clone();
        let step = at.and_then(|at| task.steps.get(at).cloned());
        let event = PlanEvent::Task { event, task, step };
        inner.listener.on(event).await;
    }

    async fn change(&self, at: usize, change: impl FnOnce(&mut Step)) {
        let mut inner = self.inner.lock().await;
        if let Some(step) = inner.task.steps.get_mut(at) {
            change(step);
        }
    }

    async fn begin(&self, at: usize) {
        self.change(at, |step| step.start_time = now()).await;
        self.tell_task(TaskEvent::StepStarted, Some(at)).await;
    }

    /// Tells how a step ended.
    async fn end(&self, at: usize, ended: &Result<Value, String>, is_task_result: bool) {
        let (event, result, error) = match ended {
            Ok(value) => (TaskEvent::StepCompleted, value.clone(), None),
            Err(fault) => (TaskEvent::StepFailed, Value::Null, Some(fault.clone())),
        };
        self.change(at, |step| {
            step.completed = error.is_none();
            step.end_time = now();
            if let Some(fault) = &error {
                step.log(LogLevel::Error, fault.as_str());
            }
        })
        .await;
        self.tell_task(event, Some(at)).await;
        let step = self.step(at).await;
        self.tell(PlanEvent::StepResult {
            step,
            result,
            error,
            is_task_result,
        })
        .await;
    }
}

/// Runs all steps of a plan; the result of the last one is the result.
pub(super) async fn execute(
    agent: &PlanAgent<'_>,
    assignment: &Assignment,
    task: Task,
    usage: Usage,
    listener: &mut dyn PlanListener,
) -> Result<PlanOutcome, PlanError> {
    let faults = check::faults(&task, &assignment.inputs, &assignment.tools);
    if !faults.is_empty() {
        let faults = faults.join("; ");
        return Err(PlanError::NoPlan { tries: 0, faults });
    }
    let needs = needs(&task);
    let title = task.title.clone();
    let shared = Shared {
        inner: Mutex::new(Inner {
            task,
            usage,
            listener,
        }),
        started: Instant::now(),
    };
    shared
        .tell(PlanEvent::Log {
            node_id: EXECUTOR,
            content: format!("Carrying out: {title}"),
            severity: Severity::Info,
        })
        .await;
    let result = run_steps(agent, assignment, &shared, &needs).await?;
    shared.tell_task(TaskEvent::TaskCompleted, None).await;
    let inner = shared.inner.into_inner();
    Ok(PlanOutcome {
        task: inner.task,
        result,
        usage: inner.usage,
    })
}

/// For each step its id and the steps it waits for; the last waits for all others.
fn needs(task: &Task) -> Vec<(String, Vec<usize>, Vec<String>)> {
    let places: HashMap<&str, usize> = task
        .steps
        .iter()
        .enumerate()
        .map(|(i, s)| (s.id.as_str(), i))
        .collect();
    let last = task.steps.len().saturating_sub(1);
    let one = |(i, step): (usize, &Step)| {
        let mut waits: Vec<usize> = step
            .depends_on
            .iter()
            .filter_map(|n| places.get(n.as_str()).copied())
            .collect();
        if i == last {
            waits = (0..last).collect();
        }
        (step.id.clone(), waits, step.depends_on.clone())
    };
    task.steps.iter().enumerate().map(one).collect()
}

async fn run_steps(
    agent: &PlanAgent<'_>,
    assignment: &Assignment,
    shared: &Shared<'_>,
    needs: &[(String, Vec<usize>, Vec<String>)],
) -> Result<Value, PlanError> {
    let last = needs.len().saturating_sub(1);
    let mut ended: Vec<Option<Result<Value, String>>> = vec![None; needs.len()];
    let mut begun = vec![false; needs.len()];
    let mut at_work = FuturesUnordered::new();
    loop {
        for (at, (_, waits, inputs)) in needs.iter().enumerate() {
            if begun[at] || waits.iter().any(|w| ended[*w].is_none()) {
                continue;
            }
            begun[at] = true;
            let mut known = Map::new();
            for name in inputs {
                if let Some(value) = assignment.inputs.get(name.as_str()) {
                    known.insert(name.as_str().into(), value.clone());
                }
            }
            for wait in waits {
                let name = needs[*wait].0.as_str().into();
                known.insert(name, seen(ended[*wait].as_ref()));
            }
            shared.begin(at).await;
            let work = StepWork {
                agent,
                assignment,
                shared,
                at,
                known,
            };
            at_work.push(async move { (at, Box::pin(work.run()).await) });
        }
        let Some((at, end)) = at_work.next().await else {
            break;
        };
        let (result, fatal) = match end {
            StepEnd::Done(value) => (Ok(value), None),
            StepEnd::Failed(fault) => (Err(fault), None),
            StepEnd::Broken(error) => (Err(error.to_string()), Some(PlanError::Model(error))),
            StepEnd::Stopped(stop) => (Err(stop.text().into()), Some(PlanError::Stopped(stop))),
        };
        shared.end(at, &result, at == last).await;
        if let Some(error) = fatal {
            return Err(error);
        }
        ended[at] = Some(result);
    }
    let step = needs.get(last).map(|n| n.0.clone()).unwrap_or_default();
    match ended.pop().flatten() {
        Some(Ok(result)) => Ok(result),
        Some(Err(error)) => Err(PlanError::Step { step, error }),
        None => {
            let error = "it never began".into();
            Err(PlanError::Step { step, error })
        }
    }
}

/// What a later step sees of an earlier one: its result, or why it has none.
fn seen(ended: Option<&Result<Value, String>>) -> Value {
    match ended {
        Some(Ok(value)) => value.clone(),
        Some(Err(fault)) => Value::map([("error", Value::from(fault.as_str()))]),
        None => Value::Null,
    }
}
