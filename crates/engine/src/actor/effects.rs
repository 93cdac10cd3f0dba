//! Executions that change something outside the run: numbered, told to the journal before and after, and on resuming
//! made again only where that does no harm.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nodetool_sdk::{Effect, Emitted, NodeError, Props, Value};

use super::{Actor, EVENT_PROPERTY};
use crate::journal::{Decision, EffectState, Emission, IN_DOUBT};

/// Where a node is among its executions.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Executions numbered so far.
    begun: AtomicU64,
    /// The state of a suspended node has reached an execution.
    resumed: AtomicBool,
}

/// What becomes of an execution.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is made; nothing depends on it.
    Plain,
    /// It is made and told.
    Effect(u64),
    /// It was made before, and this is what it emitted.
    Over(Vec<Emission>),
}

impl Actor {
    /// Numbers the next execution and says what becomes of it.
    pub(super) async fn turn(&self) -> Result<Turn, NodeError> {
        let plan = self.plan();
        if plan.def.effect == Effect::Pure {
            return Ok(Turn::Plain);
        }
        let n = self.effects.begun.fetch_add(1, Ordering::Relaxed);
        self.cx.begin_effect(n);
        // What was done is done again, under the name it had, so that the rest finds what it builds on.
        if plan.def.stateful && plan.def.effect == Effect::Idempotent {
            return Ok(Turn::Plain);
        }
        let id = &plan.info.id;
        let journal = self.run.journal.as_ref();
        if let Some(resume) = &self.run.resume {
            let decision = resume.decisions.get(id);
            match (resume.effect(id, n), plan.def.effect, decision) {
                (Some(EffectState::Done(emitted)), ..) => return Ok(Turn::Over(emitted.clone())),
                (Some(EffectState::Begun), Effect::Once, None) => {
                    let title = &plan.info.title;
                    return Err(NodeError::Suspended {
                        reason: format!("Execution {n} of {title} may already have happened"),
                        state: Value::map([(IN_DOUBT, Value::from(n as i64))]),
                    });
                }
                (Some(EffectState::Begun), Effect::Once, Some(Decision::Skip)) => {
                    if let Some(journal) = journal {
                        journal.effect_done(id, n, Vec::new()).await?;
                    }
                    return Ok(Turn::Over(Vec::new()));
                }
                _ => {}
            }
        }
        if let Some(journal) = journal {
            journal.effect_begins(id, n).await?;
        }
        Ok(Turn::Effect(n))
    }

    /// Hands a node the event it waits for: the one that started the run, or what it is resumed with.
    pub(super) fn tell_event(&self, props: &mut Props, turn: &Turn) {
        let id = &self.plan().info.id;
        let trigger = self.run.trigger_event.as_ref();
        let trigger = trigger.filter(|(to, _)| to == id).map(|(_, event)| event);
        let state = self.run.resume.as_ref().and_then(|r| r.state(id));
        // One answer is for one execution, where it is known which ones were answered before.
        let state = state.filter(|_| match turn {
            Turn::Plain => true,
            Turn::Effect(_) if self.run.journal.is_none() => true,
            Turn::Effect(_) => !self.effects.resumed.swap(true, Ordering::Relaxed),
            Turn::Over(_) => false,
        });
        if let Some(event) = state.or(trigger) {
            props.dynamic.insert(EVENT_PROPERTY.into(), event.clone());
        }
    }

    /// Tells that a buffered execution has ended, before anybody sees what it gave.
    pub(super) async fn effect_done(&self, n: u64, emitted: &Emitted) -> Result<(), NodeError> {
        if self.run.journal.is_none() {
            return Ok(());
        }
        self.ports.record_execution();
        self.ports.note_execution(emitted);
        self.tell_done(n).await
    }

    /// Makes a streaming execution, or emits again what it emitted.
    pub(super) async fn streamed(
        &self,
        turn: Turn,
        work: impl Future<Output = Result<(), NodeError>>,
    ) -> Result<(), NodeError> {
        match turn {
            Turn::Plain => work.await,
            Turn::Over(emitted) => self.emit_again(&emitted).await,
            Turn::Effect(n) => {
                self.ports.record_execution();
                work.await?;
                self.tell_done(n).await
            }
        }
    }

    async fn tell_done(&self, n: u64) -> Result<(), NodeError> {
        match (&self.run.journal, self.ports.take_execution()) {
            (Some(journal), Some(emitted)) => {
                journal.effect_done(&self.plan().info.id, n, emitted).await
            }
            _ => Ok(()),
        }
    }
}
