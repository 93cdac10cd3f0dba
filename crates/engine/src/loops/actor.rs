//! One loop at work: its producer makes a token, everything that follows is done with it, and then the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use nodetool_sdk::Map;
use nodetool_sdk::steps::{Flow, Token};
use tokio::time::timeout_at;

use super::pass::{Pass, Place, Work};
use super::plan::Region;
use super::shared::Shared;
use super::slot::{Slot, new_id};

/// How long a loop whose steps never wait may keep others, or a stop, from their turn.
const TURN: Duration = Duration::from_micros(100);
/// How long a loop rests after its producer failed, or a fork did.
const SHORT_REST: Duration = Duration::from_secs(1);
/// The longest rest of a producer that fails again and again.
const LONG_REST: Duration = Duration::from_secs(30);

/// One loop with steps of its own.
pub(super) struct LoopActor {
    pub(super) shared: Arc<Shared>,
    region: Arc<Region>,
    slots: Box<[Slot]>,
    /// Whether what is cut off now is cut off by a failure.
    failing: AtomicBool,
}

/// A pass that went wrong.
#[derive(Debug)]
pub(super) struct PassFailure {
    pub(super) error: String,
    /// Whether it was in a branch of a fork, or a join.
    forked: bool,
}

impl LoopActor {
    pub(super) fn new(shared: Arc<Shared>, region: Arc<Region>) -> Self {
        let nodes = region.nodes.iter().enumerate();
        let slots = nodes.map(|(n, local)| Slot::new(&shared, local.at, n == 0));
        LoopActor {
            slots: slots.collect(),
            shared,
            region,
            failing: AtomicBool::new(false),
        }
    }

    /// Sets up every step from this one on.
    ///
    /// # Errors
    /// What a step says, with the step.
    pub(super) async fn set_up(&self, from: usize) -> Result<(), (Arc<str>, String)> {
        for slot in &self.slots[from..] {
            let done = slot.set_up().await;
            done.map_err(|error| (slot.node.id.clone(), error))?;
        }
        Ok(())
    }

    /// Goes on until the producer has no more tokens and the sentinel has been everywhere.
    pub(super) async fn iterate(&self) {
        let mut pass = Pass::new(&self.region);
        let mut rest = SHORT_REST;
        let mut turn: Option<Instant> = None;
        loop {
            if turn.is_none_or(|began| began.elapsed() > TURN) {
                tokio::task::yield_now().await;
                turn = Some(Instant::now());
            }
            let token = Token::new(new_id(), Map::new());
            let produced = self.run(Pass::start(), token).await;
            let resting = match produced {
                Ok(Flow::Completed(sentinel)) => return self.finish(sentinel.completed()).await,
                Ok(Flow::Go(token)) if token.is_completed() => return self.finish(token).await,
                Ok(flow) => {
                    rest = SHORT_REST;
                    let failed = self.follow(&mut pass, flow).await.err();
                    failed.filter(|f| f.forked).map(|_| SHORT_REST)
                }
                Err(_) => {
                    let now = rest;
                    rest = (rest * 2).min(LONG_REST);
                    Some(now)
                }
            };
            // What the producer took from its queue has been worked on, well or not.
            if let Some(queue) = &self.slots[0].cx.reads {
                queue.done_with_taken();
            }
            if let Some(rest) = resting {
                tokio::time::sleep(rest).await;
            }
        }
    }

    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    /// Runs the step at a place.
    pub(super) async fn run(&self, at: Place, token: Token) -> Result<Flow, String> {
        let slot = &self.slots[at.node as usize];
        slot.run(token, &self.shared, &self.failing).await
    }

    /// Does everything that follows on what the first step gave.
    pub(super) async fn follow(&self, pass: &mut Pass<'_>, flow: Flow) -> Result<(), PassFailure> {
        let begun = pass.begin(flow);
        self.go_on(pass, begun).await
    }

    /// Does everything a pass lists, until it lists no more.
    pub(super) async fn go_on(
        &self,
        pass: &mut Pass<'_>,
        begun: Result<(), String>,
    ) -> Result<(), PassFailure> {
        let first = &self.slots[0].node;
        begun.map_err(|error| {
            self.shared.sink.failed(first, &error, &Token::default());
            PassFailure {
                error,
                forked: true,
            }
        })?;
        while let Some(work) = pass.next() {
            match pass.next() {
                // Most of the time there is one path only, and nothing to wait for beside it.
                None => {
                    let (at, flow) = self.work(work).await;
                    self.done(pass, at, flow)?;
                }
                Some(second) => self.branches(pass, work, second).await?,
            }
        }
        Ok(())
    }

    /// Runs steps side by side until there is at most one left to run.
    async fn branches(
        &self,
        pass: &mut Pass<'_>,
        first: Work,
        second: Work,
    ) -> Result<(), PassFailure> {
        let mut running = FuturesUnordered::new();
        running.push(self.work(first));
        running.push(self.work(second));
        loop {
            while let Some(work) = pass.next() {
                running.push(self.work(work));
            }
            let Some((at, flow)) = running.next().await else {
                return Ok(());
            };
            let done = self.done(pass, at, flow);
            if done.is_err() {
                // Whoever is still at work is told of as failed, and cut off.
                self.failing.store(true, Ordering::Relaxed);
                drop(running);
                self.failing.store(false, Ordering::Relaxed);
                return done;
            }
        }
    }

    async fn work(&self, work: Work) -> (Place, Result<Flow, String>) {
        (work.place, self.run(work.place, work.token).await)
    }

    fn done(
        &self,
        pass: &mut Pass<'_>,
        at: Place,
        flow: Result<Flow, String>,
    ) -> Result<(), PassFailure> {
        match flow {
            Ok(flow) => pass.done(at, flow).map_err(|error| {
                let node = &self.slots[at.node as usize].node;
                self.shared.sink.failed(node, &error, &Token::default());
                PassFailure {
                    error,
                    forked: true,
                }
            }),
            Err(error) => Err(PassFailure {
                error,
                forked: pass.is_forked(at),
            }),
        }
    }

    /// The sentinel goes everywhere: each step cleans up, before those that come after it.
    async fn finish(&self, sentinel: Token) {
        self.slots[0].clean_up(Some(&sentinel)).await;
        for slot in &self.slots[1..] {
            slot.end(&sentinel, &*self.shared.sink).await;
        }
        if let Some(queue) = &self.slots[0].cx.reads {
            queue.done_with_taken();
        }
    }

    /// Cleans up the steps that still have to be, side by side and within the time all loops share.
    pub(super) async fn clean_up(&mut self) {
        let live = self.slots.iter_mut().filter_map(|slot| {
            let live = slot.is_live();
            live.then_some(&*slot)
        });
        let live: Vec<&Slot> = live.collect();
        if live.is_empty() {
            return;
        }
        let deadline = self.shared.deadline();
        let cleaning: FuturesUnordered<_> = live
            .into_iter()
            .map(|slot| async move {
                if timeout_at(deadline, slot.clean_up(None)).await.is_err() {
                    let (job, node) = (&slot.cx.node.run.job_id, &slot.node.id);
                    tracing::warn!(job.id = %job, node.id = %node, "a step took too long to clean up");
                }
            })
            .collect();
        cleaning.collect::<()>().await;
    }
}
