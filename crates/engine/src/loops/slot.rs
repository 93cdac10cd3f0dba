//! One step of one loop: made, set up once, run for each token, cleaned up once, whatever its code does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::FutureExt;
use nodetool_sdk::steps::{
    DEFAULT, Flow, LoopSink, Pool, Step, StepCx, StepDone, StepError, StepNode, Token,
};
use nodetool_sdk::{Map, NodeCx, NodeError};
use tokio::sync::Mutex;

use super::shared::Shared;
use crate::actor::panic_text;

/// Longest error text of a step.
const ERROR_CHARS: usize = 4000;
/// Told of steps that are cut off because a branch beside them has failed.
const CUT_OFF: &str = "Stopped, because a node in another branch failed";

/// A step and where it stands in its life.
struct Instance {
    step: Box<dyn Step>,
    /// Set up and not yet cleaned up.
    live: bool,
}

/// A step with all it needs.
pub(super) struct Slot {
    /// Uncontended: a node is in one branch only. It gives the step back when its work is cut off.
    instance: Mutex<Instance>,
    pub(super) cx: StepCx,
    pub(super) node: StepNode,
    pool: Pool,
    /// Whether its tokens are its own; the others keep the id of the unit of work.
    begins: bool,
}

/// A step at work; when it is cut off for a failure elsewhere, that is told.
struct AtWork<'a> {
    sink: &'a dyn LoopSink,
    node: &'a StepNode,
    input: Token,
    failing: &'a AtomicBool,
    ended: bool,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        if !self.ended && self.failing.load(Ordering::Relaxed) {
            self.sink.failed(self.node, CUT_OFF, &self.input);
        }
    }
}

impl Slot {
    pub(super) fn new(shared: &Shared, at: usize, begins: bool) -> Self {
        let planned = shared.plan.node(at);
        let queue = |at: &usize| shared.queues.get(*at).cloned();
        Slot {
            instance: Mutex::new(Instance {
                step: (planned.def.make)(planned.config.clone()),
                live: false,
            }),
            cx: StepCx {
                node: NodeCx::new(shared.run.clone(), planned.info.clone()),
                flow: shared.flow.clone(),
                reads: planned.reads.as_ref().and_then(queue),
                writes: planned.writes.iter().filter_map(queue).collect(),
            },
            node: planned.node.clone(),
            pool: planned.def.pool,
            begins,
        }
    }

    /// Sets the step up, once.
    pub(super) async fn set_up(&self) -> Result<(), String> {
        let mut instance = self.instance.lock().await;
        let work = async {
            instance.step.ready().map_err(StepError::Form)?;
            instance.step.setup(&self.cx).await
        };
        let done = AssertUnwindSafe(work).catch_unwind().await;
        spoken(done)?;
        instance.live = true;
        Ok(())
    }

    /// Runs the step on a token and tells how it went.
    pub(super) async fn run(
        &self,
        token: Token,
        shared: &Shared,
        failing: &AtomicBool,
    ) -> Result<Flow, String> {
        let mut instance = self.instance.lock().await;
        let _permit = match self.pool {
            Pool::Thread => shared.threads.acquire().await.ok(),
            Pool::Async => None,
        };
        let sink = &*shared.sink;
        sink.started(&self.node);
        let mut work = AtWork {
            sink,
            node: &self.node,
            input: token.clone(),
            failing,
            ended: false,
        };
        let began = Instant::now();
        let run = AssertUnwindSafe(async { instance.step.run(token, &self.cx).await });
        let result = spoken(run.catch_unwind().await);
        let duration = began.elapsed();
        work.ended = true;
        match result {
            Ok(mut flow) => {
                let nothing = Map::new();
                let (route, data) = match &mut flow {
                    Flow::Completed(_) if !self.begins => {
                        let error = "Only the first node of a loop can end it".to_owned();
                        sink.failed(&self.node, &error, &work.input);
                        return Err(error);
                    }
                    Flow::Completed(_) => (DEFAULT, &nothing),
                    Flow::Go(token) | Flow::Each(_, token) => {
                        self.inherit(token, &mut work.input);
                        (DEFAULT, &token.data)
                    }
                    Flow::Route(route, token) => {
                        self.inherit(token, &mut work.input);
                        (&**route, &token.data)
                    }
                };
                let done = StepDone {
                    route,
                    duration,
                    data,
                };
                sink.completed(&self.node, done);
                Ok(flow)
            }
            Err(error) => {
                sink.failed(&self.node, &error, &work.input);
                Err(error)
            }
        }
    }

    /// What a token keeps of the one it was made of: the id of the unit of work, and notes that were not overwritten.
    fn inherit(&self, token: &mut Token, input: &mut Token) {
        if self.begins {
            return;
        }
        if token.id != input.id {
            token.id = input.id.clone();
        }
        if input
            .metadata
            .keys()
            .any(|k| !token.metadata.contains_key(k))
        {
            let mut metadata = std::mem::take(&mut input.metadata);
            metadata.extend(std::mem::take(&mut token.metadata));
            token.metadata = metadata;
        }
    }

    /// The sentinel has come: cleans the step up and tells that it was there.
    pub(super) async fn end(&self, sentinel: &Token, sink: &dyn LoopSink) {
        sink.started(&self.node);
        let began = Instant::now();
        self.clean_up(Some(sentinel)).await;
        let done = StepDone {
            route: DEFAULT,
            duration: began.elapsed(),
            data: &Map::new(),
        };
        sink.completed(&self.node, done);
    }

    /// Cleans the step up, unless that has been done or nothing was set up.
    pub(super) async fn clean_up(&self, last: Option<&Token>) {
        let mut instance = self.instance.lock().await;
        if !std::mem::replace(&mut instance.live, false) {
            return;
        }
        let work = AssertUnwindSafe(async { instance.step.cleanup(last, &self.cx).await });
        if let Err(panic) = work.catch_unwind().await {
            let (job, node) = (&self.cx.node.run.job_id, &self.node.id);
            tracing::error!(job.id = %job, node.id = %node, panic = panic_text(&*panic), "a step panicked while it cleaned up");
        }
    }

    /// Whether it has to be cleaned up.
    pub(super) fn is_live(&mut self) -> bool {
        self.instance.get_mut().live
    }
}

/// What a step's code came to, or what it says went wrong, cut to what people read.
fn spoken<T>(
    result: Result<Result<T, StepError>, Box<dyn std::any::Any + Send>>,
) -> Result<T, String> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(cut(error.to_string())),
        Err(panic) => {
            let error = NodeError::Panicked(panic_text(&*panic));
            Err(cut(format!("Execution failed: {error}")))
        }
    }
}

fn cut(error: String) -> String {
    match error.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error,
    }
}

/// A new id for a unit of work.
pub(super) fn new_id() -> Arc<str> {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = uuid::Uuid::new_v4();
    let text: &str = id.hyphenated().encode_lower(&mut text);
    text.into()
}
