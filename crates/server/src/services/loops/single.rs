//! One step by itself, as a job of its own: with a form, an input, a time limit and perhaps a session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use nodetool_engine::{LoopPlan, LoopRun, RunOutcome};
use nodetool_protocol::{Graph, JobStatus, Map, Value};
use nodetool_sdk::steps::{
    Flow, FlowCx, FormFaults, Mode, Runtime, Step, StepConfig, StepCx, StepDef, StepError, Token,
    Unwatched,
};
use nodetool_sdk::{NodeCx, NodeError, NodeInfo};

use super::sessions::{Kept, Key, Slot};
use super::webhooks::RunWebhooks;
use super::{LoopFailure, LoopService, drive};
use crate::services::jobs::{Work, WorkCx, outcome_of};
use crate::services::{Caller, Loaded, StartRun};

/// Longest time limit of a call, in seconds.
pub(crate) const LONGEST_TIMEOUT: f64 = 3600.0;
/// How long a step may take to clean up.
const CLEANUP: Duration = Duration::from_secs(5);
/// Metadata that stays inside.
const INNER: [&str; 3] = ["workflow_env", "__request_context__", "runtime"];

/// A step that is to run by itself.
pub(super) struct Single {
    pub(super) def: Arc<StepDef>,
    pub(super) config: StepConfig,
    pub(super) flow: Arc<FlowCx>,
    pub(super) input: Map,
    pub(super) timeout: f64,
    /// Where its step is kept.
    pub(super) session: Option<Key>,
    /// What to do with the items of a for-each step.
    pub(super) items: Items,
}

/// What to do with the items of a for-each step.
pub(super) enum Items {
    /// They are told as they are: there is no body.
    Leave,
    /// All of them go through the body.
    All(Arc<LoopPlan>),
    /// One of them does; what earlier ones gave.
    One(Arc<LoopPlan>, usize, Vec<Value>),
}

/// What a step came to.
pub(super) enum Ran {
    /// Its token, and the way out it chose.
    Done(Token, Arc<str>),
    /// One item of a for-each step: what the sinks of its body gave, and the token after it.
    Item(Vec<Map>, Token),
    /// There is no such item; all of them.
    NoItem(Vec<Value>),
    /// It is no for-each step.
    NoLoop,
    /// Its form cannot be used.
    Form(Box<FormFaults>),
    /// It failed.
    Failed(String),
}

/// A run of a step type outside of workflows.
#[derive(Clone, Debug)]
pub(crate) struct DirectRun {
    pub(crate) input: Map,
    pub(crate) form: Map,
    pub(crate) session: Option<String>,
    pub(crate) timeout: f64,
}

impl LoopService {
    /// The step type of a name.
    pub(super) fn def(&self, node_type: &str) -> Result<Arc<StepDef>, LoopFailure> {
        let name = node_type.strip_prefix(nodetool_sdk::steps::Steps::PREFIX);
        self.steps().get(node_type).ok_or_else(|| {
            let name = name.unwrap_or(node_type).chars().take(128).collect();
            LoopFailure::NoNodeType(name)
        })
    }

    /// What the steps of a development run share.
    pub(super) fn development(&self, caller: &Caller, env: Arc<Map>, runtime: Map) -> Arc<FlowCx> {
        Arc::new(FlowCx {
            mode: Mode::Development,
            env,
            runtime: Arc::new(Runtime::new(runtime)),
            request: None,
            webhooks: Some(Arc::new(RunWebhooks {
                hub: self.1.hub.clone(),
                user_id: caller.user_id.as_str().into(),
                kept: None,
                left: Mutex::default(),
                asked: Mutex::default(),
            })),
        })
    }

    /// Runs one step as a job.
    pub(super) async fn run_single(
        &self,
        caller: &Caller,
        loaded: Arc<Loaded>,
        mut single: Single,
    ) -> Result<Ran, LoopFailure> {
        let (timeout, key) = (single.timeout, single.session.take());
        let slot = match &key {
            Some(key) => {
                let (slot, closed) = self.1.sessions.open(key.clone())?;
                self.clean_up(closed);
                Some(slot)
            }
            None => None,
        };
        let given = Arc::new(Mutex::new(None));
        let told = given.clone();
        let mut start = StartRun::new(caller.clone(), loaded, Map::new());
        start.work = Some(Work {
            job_type: "node",
            run: Box::new(move |cx| {
                Box::pin(async move {
                    let began = Instant::now();
                    let ran = run_step(single, slot, cx).await;
                    let outcome = outcome(ran.as_ref(), began.elapsed());
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = ran;
                    outcome
                })
            }),
            ended: None,
        });
        let run = self.0.jobs.run_attended(start);
        let limit = Duration::from_secs_f64(timeout.clamp(0.0, LONGEST_TIMEOUT));
        let Ok(run) = tokio::time::timeout(limit, run).await else {
            if let Some(key) = key {
                let closed =
                    self.1
                        .sessions
                        .reset(&key.user_id, Some(&key.workflow_id), &key.session);
                self.clean_up(closed);
            }
            return Err(LoopFailure::TimedOut(timeout));
        };
        let outcome = run?;
        let ran = given.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(ran.unwrap_or_else(|| {
            let text = "The run was cancelled".to_owned();
            Ran::Failed(outcome.error.unwrap_or(text))
        }))
    }

    /// Lets steps that are not kept any more clean up.
    fn clean_up(&self, slots: Vec<Arc<Slot>>) {
        if slots.is_empty() {
            return;
        }
        self.1.tasks.spawn(async move {
            for slot in slots {
                if tokio::time::timeout(CLEANUP, slot.close()).await.is_err() {
                    tracing::warn!("a step of a session did not clean up in time");
                }
            }
        });
    }

    /// Runs a step type with a form and an input, outside of any workflow.
    pub(crate) async fn execute_directly(
        &self,
        caller: &Caller,
        identifier: &str,
        direct: DirectRun,
    ) -> Result<(Arc<StepDef>, Result<Value, String>), LoopFailure> {
        let def = self.def(identifier)?;
        let session = direct.session.map(|session| Key {
            user_id: caller.user_id.as_str().into(),
            workflow_id: "".into(),
            session: session.into(),
            node: def.identifier.clone(),
        });
        let id: Arc<str> = format!("exec_{}", def.identifier).into();
        let single = Single {
            config: StepConfig {
                id: id.clone(),
                form: direct.form,
                config: Map::new(),
                compat: self.steps().compat(),
            },
            flow: self.development(caller, Arc::default(), Map::new()),
            input: direct.input,
            timeout: direct.timeout,
            session,
            items: Items::Leave,
            def: def.clone(),
        };
        let loaded = Arc::new(self.0.workflows.plan_graph(caller, &Graph::default()));
        let output = match self.run_single(caller, loaded, single).await? {
            Ran::Done(token, _) | Ran::Item(_, token) => Ok(shown(&token)),
            Ran::Form(faults) => {
                return Err(LoopFailure::Form {
                    node: id.to_string(),
                    faults,
                });
            }
            Ran::Failed(error) => Err(error),
            Ran::NoItem(_) | Ran::NoLoop => Err("The step gave nothing".into()),
        };
        Ok((def, output))
    }

    /// Forgets all steps of a session of the caller's; whether there were any.
    pub(crate) fn reset_session(&self, caller: &Caller, session: &str) -> bool {
        let closed = self.1.sessions.reset(&caller.user_id, None, session);
        let any = !closed.is_empty();
        self.clean_up(closed);
        any
    }
}

/// A token as clients see it.
pub(super) fn shown(token: &Token) -> Value {
    let mut token = token.clone();
    for key in INNER {
        token.metadata.shift_remove(key);
    }
    token.to_value()
}

fn outcome(ran: Option<&Ran>, duration: Duration) -> RunOutcome {
    let (status, data, error) = match ran {
        Some(Ran::Done(token, _) | Ran::Item(_, token)) => {
            (JobStatus::Completed, Some(token.data.clone()), None)
        }
        Some(Ran::NoItem(_) | Ran::NoLoop) => (JobStatus::Completed, None, None),
        Some(Ran::Form(faults)) => (JobStatus::Failed, None, Some(faults.to_string())),
        Some(Ran::Failed(error)) => (JobStatus::Failed, None, Some(error.clone())),
        None => (JobStatus::Cancelled, None, None),
    };
    outcome_of(status, data, error, duration)
}

/// Runs the step; nothing when it was told to stop before it had ended.
async fn run_step(single: Single, slot: Option<Arc<Slot>>, cx: WorkCx) -> Option<Ran> {
    let Single {
        def,
        config,
        flow,
        input,
        items,
        ..
    } = single;
    let info = NodeInfo {
        id: config.id.clone(),
        title: def.label.clone().unwrap_or_else(|| def.class.clone()),
        node_type: def.identifier.clone(),
        ..NodeInfo::default()
    };
    let step_cx = Arc::new(StepCx {
        node: NodeCx::new(cx.run.clone(), Arc::new(info)),
        flow: flow.clone(),
        reads: None,
        writes: Vec::new(),
    });
    let node_id = config.id.clone();
    let token = Token::new(uuid::Uuid::new_v4().hyphenated().to_string(), input);
    let flow = match &slot {
        Some(slot) => {
            let mut kept = slot.kept.lock().await;
            let same = kept
                .as_ref()
                .is_some_and(|k| k.config.form == config.form && k.config.config == config.config);
            if !same && let Some(mut old) = kept.take() {
                old.step.cleanup(None, &old.cx).await;
            }
            let mut step = match kept.take() {
                Some(old) => old.step,
                None => match made(&def, &config, &step_cx).await {
                    Ok(step) => step,
                    Err(ran) => return Some(ran),
                },
            };
            let flow = run_or_stop(step.as_mut(), token, &step_cx, &cx).await;
            match &flow {
                // What has panicked or was cut off is in no state to go on with.
                None | Some(Err(StepError::Node(NodeError::Panicked(_)))) => {
                    clean(step.as_mut(), &step_cx).await;
                }
                Some(_) => {
                    let cx = step_cx.clone();
                    *kept = Some(Kept { step, config, cx });
                }
            }
            flow
        }
        None => {
            let mut step = match made(&def, &config, &step_cx).await {
                Ok(step) => step,
                Err(ran) => return Some(ran),
            };
            let flow = run_or_stop(step.as_mut(), token, &step_cx, &cx).await;
            clean(step.as_mut(), &step_cx).await;
            flow
        }
    };
    let flow = match flow? {
        Ok(flow) => flow,
        Err(error) => return Some(refused(error, &cx)),
    };
    let ran = match flow {
        Flow::Each(all, token) => {
            through_body(all, token, items, &node_id, flow_of(&step_cx), &cx).await
        }
        _ if matches!(items, Items::One(..)) => Ran::NoLoop,
        Flow::Go(token) => Ran::Done(token, nodetool_sdk::steps::DEFAULT.into()),
        Flow::Route(route, token) => Ran::Done(token, route),
        Flow::Completed(token) => Ran::Done(token.completed(), nodetool_sdk::steps::DEFAULT.into()),
    };
    Some(discreet(ran, &cx))
}

fn flow_of(cx: &StepCx) -> Arc<FlowCx> {
    cx.flow.clone()
}

/// The step, checked and set up.
async fn made(def: &StepDef, config: &StepConfig, cx: &StepCx) -> Result<Box<dyn Step>, Ran> {
    let mut step = (def.make)(config.clone());
    step.ready().map_err(Ran::Form)?;
    match step.setup(cx).await {
        Ok(()) => Ok(step),
        Err(StepError::Form(faults)) => Err(Ran::Form(faults)),
        Err(StepError::Node(e)) => Err(Ran::Failed(e.to_string())),
    }
}

/// Runs the step unless it is told to stop first.
async fn run_or_stop(
    step: &mut dyn Step,
    token: Token,
    step_cx: &StepCx,
    cx: &WorkCx,
) -> Option<Result<Flow, StepError>> {
    let run = std::panic::AssertUnwindSafe(step.run(token, step_cx)).catch_unwind();
    tokio::select! {
        biased;
        () = cx.stop.cancelled() => None,
        ran = run => Some(ran.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(NodeError::Panicked(text.unwrap_or("no text").to_owned()).into())
        })),
    }
}

async fn clean(step: &mut dyn Step, cx: &StepCx) {
    if tokio::time::timeout(CLEANUP, step.cleanup(None, cx))
        .await
        .is_err()
    {
        tracing::warn!(node.id = %cx.node.node.id, "a step did not clean up in time");
    }
}

fn refused(error: StepError, cx: &WorkCx) -> Ran {
    match error {
        StepError::Form(faults) => Ran::Form(faults),
        StepError::Node(e) => Ran::Failed(cx.seen.shown_text(&e.to_string()).into_owned()),
    }
}

/// The items of a for-each step through its body.
async fn through_body(
    all: Vec<Value>,
    token: Token,
    items: Items,
    node_id: &str,
    flow: Arc<FlowCx>,
    cx: &WorkCx,
) -> Ran {
    let run = |plan| LoopRun {
        plan,
        run: cx.run.clone(),
        flow,
        sink: Arc::new(Unwatched),
        journal: None,
        left: Default::default(),
    };
    let stop = cx.stop.clone();
    let ran = match items {
        Items::Leave => Ok(Ran::Done(token, nodetool_sdk::steps::DEFAULT.into())),
        Items::All(plan) => drive::each(run(plan), node_id, all, token, stop)
            .await
            .map(|token| Ran::Done(token, nodetool_sdk::steps::DEFAULT.into())),
        Items::One(_, index, _) if index >= all.len() => Ok(Ran::NoItem(all)),
        Items::One(plan, index, results) => {
            let item = drive::Item {
                items: all,
                index,
                results,
            };
            let ran = drive::each_one(run(plan), node_id, item, token, stop).await;
            ran.map(|(sinks, token)| Ran::Item(sinks, token))
        }
    };
    ran.unwrap_or_else(|error| Ran::Failed(cx.seen.shown_text(&error).into_owned()))
}

/// What the step gave, without values of secrets it has read.
fn discreet(mut ran: Ran, cx: &WorkCx) -> Ran {
    if let Ran::Done(token, _) | Ran::Item(_, token) = &mut ran
        && let std::borrow::Cow::Owned(hidden) = cx.seen.shown_map(&token.data)
    {
        token.data = hidden;
    }
    ran
}
