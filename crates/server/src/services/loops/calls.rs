//! API workflows: one pass through the graph for each call, and what the last step gave is the answer.
//!
//! Source: orchestrator spec 1.13, 3.7.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nodetool_engine::{LoopPlan, LoopRun};
use nodetool_protocol::{JobStatus, Map, Value};
use nodetool_sdk::steps::{FlowCx, Mode, Runtime, StepRequest, StepRole, Token};

use super::opened::Opened;
use super::running::RunSink;
use super::single::LONGEST_TIMEOUT;
use super::{LoopFailure, LoopService, drive};
use crate::services::jobs::{Work, WorkCx, WorkEnd, outcome_of};
use crate::services::{Caller, RunError, StartRun};

/// Key of data that is a whole response.
const RESPONSE: &str = "__http_response__";

/// A call of a workflow.
#[derive(Clone, Debug)]
pub(crate) struct ApiCall {
    pub(crate) input: Map,
    pub(crate) request: StepRequest,
    pub(crate) timeout: f64,
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The data of the last step that ran.
    Output(Map),
    /// A step has made a response of its own.
    Response(u16, Value),
}

type Given = Arc<Mutex<Option<Result<Token, String>>>>;

impl LoopService {
    /// Runs an API workflow once. What refuses or fails is said in the words that clients know.
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        workflow_id: &str,
        call: ApiCall,
    ) -> Result<Answer, LoopFailure> {
        let opened = self.opened(caller, workflow_id).await?;
        let plan = self.callable(caller, &opened).await?;
        let given = Given::default();
        let mut start = StartRun::new(caller.clone(), opened.loaded.clone(), Map::new());
        let job_id: Arc<str> = nodetool_store::new_id().into();
        start.job_id = Some(job_id.to_string());
        let id = opened.id.clone();
        start.work = Some(self.call_work(opened, plan, &call, given.clone()));
        let run = self.0.jobs.run_attended(start);
        let limit = Duration::from_secs_f64(call.timeout.clamp(0.0, LONGEST_TIMEOUT));
        let (noted, run) = tokio::join!(
            self.note_start(&id, &job_id, None),
            tokio::time::timeout(limit, run)
        );
        noted?;
        let Ok(run) = run else {
            let text = format!("Execution timeout after {} seconds", call.timeout);
            return Err(LoopFailure::Refused(text));
        };
        let outcome = run?;
        let given = given.lock().unwrap_or_else(PoisonError::into_inner).take();
        match given {
            Some(Ok(token)) => answer(token.data),
            Some(Err(error)) => Err(LoopFailure::Refused(error)),
            None => {
                let why = outcome.error.unwrap_or_else(|| "it was cancelled".into());
                Err(LoopFailure::Refused(format!("Execution failed: {why}")))
            }
        }
    }

    /// The checked graph of a workflow that takes calls, or why it takes none.
    async fn callable(
        &self,
        caller: &Caller,
        opened: &Opened,
    ) -> Result<Arc<LoopPlan>, LoopFailure> {
        let (kind, status) = (&opened.row.workflow_type, &opened.row.status);
        let is_api = kind == "api";
        if !is_api || status != "active" {
            let name = self.0.workflows.get(caller, &opened.id).await?.name;
            let text = if is_api {
                format!(
                    "Workflow '{name}' is not active. Current status: {status}. Activate it before it is called."
                )
            } else {
                format!(
                    "Workflow '{name}' is not an API workflow. Current type: {kind}. Only API workflows can be called."
                )
            };
            return Err(LoopFailure::Refused(text));
        }
        let plan = drive::plan(&opened.graph, self.steps(), Mode::Api).map_err(|error| {
            let told = error.strip_prefix("Workflow validation failed:");
            let told = told.unwrap_or(&error).trim_start();
            LoopFailure::Refused(format!("Workflow validation failed: {told}"))
        })?;
        let first = drive::first_type(&plan);
        let def = first.as_ref().and_then(|name| self.steps().get(name));
        if def.is_none_or(|def| def.role != StepRole::Webhook) {
            let found = first.unwrap_or_else(|| "nothing".into());
            let text =
                format!("API workflows must start with WebhookProducer node. Found: {found}");
            return Err(LoopFailure::Refused(text));
        }
        Ok(plan)
    }

    /// Gives a run that another API has started the one pass of its workflow as its work.
    pub(super) async fn with_call(
        &self,
        start: &mut StartRun,
        opened: Opened,
    ) -> Result<(), RunError> {
        let id = opened.id.clone();
        let call = ApiCall {
            input: std::mem::take(&mut start.params),
            request: StepRequest {
                method: "POST".into(),
                ..StepRequest::default()
            },
            timeout: LONGEST_TIMEOUT,
        };
        let plan = drive::plan(&opened.graph, self.steps(), Mode::Api);
        start.work = Some(match plan {
            Ok(plan) => self.call_work(opened, plan, &call, Given::default()),
            // The job says what is wrong, as with every graph that cannot be run.
            Err(error) => Work {
                job_type: "api",
                run: Box::new(move |_| {
                    let outcome = outcome_of(JobStatus::Failed, None, Some(error), Duration::ZERO);
                    Box::pin(std::future::ready(outcome))
                }),
                ended: None,
            },
        });
        let job_id = start.job_id.get_or_insert_with(nodetool_store::new_id);
        let job_id: Arc<str> = job_id.as_str().into();
        self.note_start(&id, &job_id, None).await
    }

    fn call_work(&self, opened: Opened, plan: Arc<LoopPlan>, call: &ApiCall, given: Given) -> Work {
        let (service, ending) = (self.clone(), self.clone());
        let (input, request) = (call.input.clone(), Arc::new(call.request.clone()));
        let id = opened.id.clone();
        Work {
            job_type: "api",
            run: Box::new(move |cx: WorkCx| {
                Box::pin(async move {
                    let began = Instant::now();
                    let passed = service.pass(opened, plan, input, request, &cx).await;
                    let duration = began.elapsed();
                    let stopped = cx.stop.is_cancelled();
                    let outcome = match &passed {
                        Ok(token) => {
                            let data = Some(token.data.clone());
                            outcome_of(JobStatus::Completed, data, None, duration)
                        }
                        Err(_) if stopped => outcome_of(JobStatus::Cancelled, None, None, duration),
                        Err(error) => {
                            outcome_of(JobStatus::Failed, None, Some(error.clone()), duration)
                        }
                    };
                    if !stopped {
                        *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(passed);
                    }
                    outcome
                })
            }),
            ended: Some(Box::new(move |end: WorkEnd| {
                Box::pin(async move {
                    if let Ok(board) = ending.board(&id).await {
                        board.end(end.status, end.error.as_deref(), end.duration.as_secs_f64());
                    }
                })
            })),
        }
    }

    /// One pass through the graph.
    async fn pass(
        &self,
        opened: Opened,
        plan: Arc<LoopPlan>,
        input: Map,
        request: Arc<StepRequest>,
        cx: &WorkCx,
    ) -> Result<Token, String> {
        let board = self.board(&opened.id).await.map_err(|e| e.to_string())?;
        board.begin(opened.graph.nodes.len());
        let runtime = Arc::new(Runtime::default());
        let sink = RunSink::new(&opened, &board, cx, None);
        let run = LoopRun {
            plan,
            run: cx.run.clone(),
            flow: Arc::new(FlowCx {
                mode: Mode::Api,
                env: opened.env(),
                runtime: runtime.clone(),
                request: Some(request),
                webhooks: None,
            }),
            sink: Arc::new(sink),
            journal: None,
            left: Default::default(),
        };
        let token = Token::new(cx.run.job_id.clone(), input);
        let passed = drive::once(run, token, cx.stop.clone()).await;
        if runtime.version() > 0 {
            self.keep_runtime(&opened.id, &runtime).await;
        }
        let mut token = passed.map_err(|e| cx.seen.shown_text(&e).into_owned())?;
        if let std::borrow::Cow::Owned(hidden) = cx.seen.shown_map(&token.data) {
            token.data = hidden;
        }
        Ok(token)
    }
}

/// The answer that data stands for.
fn answer(data: Map) -> Result<Answer, LoopFailure> {
    if data.get(RESPONSE) != Some(&Value::Bool(true)) {
        return Ok(Answer::Output(data));
    }
    let status = data.get("status").and_then(Value::as_i64).unwrap_or(200);
    // What is below is no end of an answer.
    match u16::try_from(status) {
        Ok(status @ 200..=599) => {
            let body = data.get("body").cloned().unwrap_or_default();
            Ok(Answer::Response(status, body))
        }
        _ => {
            let text = format!(
                "Execution failed: {status} is no status of a response; expected 200 to 599"
            );
            Err(LoopFailure::Refused(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_a_response_only_when_a_step_has_made_it_one() {
        let data = |pairs: &[(&str, Value)]| -> Map {
            pairs
                .iter()
                .map(|(k, v)| ((*k).into(), v.clone()))
                .collect()
        };
        let plain = data(&[("status", Value::Int(201)), ("body", Value::Int(1))]);
        assert_eq!(answer(plain.clone()).unwrap(), Answer::Output(plain));
        let made = |status| {
            data(&[
                (RESPONSE, Value::Bool(true)),
                ("status", Value::Int(status)),
                ("body", "x".into()),
            ])
        };
        assert_eq!(
            answer(made(404)).unwrap(),
            Answer::Response(404, "x".into())
        );
        for status in [-1, 0, 100, 199, 600, 70_000] {
            assert!(answer(made(status)).is_err(), "{status}");
        }
    }
}
