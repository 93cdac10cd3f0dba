//! What a run leaves behind so that it survives its process, and what it finds when it goes on.
//!
//! The engine says what happened and in which order; where that is kept is the caller's business. It must not know
//! stores, files or encodings.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodetool_sdk::{BoxFuture, NodeError, Value};

use crate::plan::Plan;

/// One value a node emitted: slot name and value, in order. Control events stand under `__control__`.
pub type Emission = (Arc<str>, Value);

/// Bytes, roughly, a record of one node or one execution may hold; of all records of a run, four times that.
pub const RECORD_LIMIT: usize = 16 * 1024 * 1024;
/// Values such a record may hold.
pub const RECORD_VALUES: usize = 10_000;
const RUN_LIMIT: usize = 4 * RECORD_LIMIT;

/// The slot of an output's record under which the null stands that an output shows when nothing reached it and it has
/// no configured value: it was announced, but is no result.
pub(crate) const UNSET: &str = "__unset__";

/// Where a run keeps what must survive its process. Called from actors: sync methods must not block.
///
/// What the run found in its [`Resume`] is not told again, except that an execution that had begun may begin again.
pub trait Journal: Send + Sync {
    /// A node ended; all it emitted, in order; for an output what it collected. `None` when that was too much to keep
    /// ([`RECORD_LIMIT`], [`RECORD_VALUES`]): then it runs again.
    fn node_finished(&self, node_id: &Arc<str>, emitted: Option<Vec<Emission>>);
    /// Execution `n` (from 0) of a node with effects is about to begin. Resolves once that is durable.
    fn effect_begins<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
    ) -> BoxFuture<'a, Result<(), NodeError>>;
    /// It has ended; what it emitted. Resolves once that is durable. Not told when that was too much to keep: then the
    /// execution stays begun.
    fn effect_done<'a>(
        &'a self,
        node_id: &'a Arc<str>,
        n: u64,
        emitted: Vec<Emission>,
    ) -> BoxFuture<'a, Result<(), NodeError>>;
}

/// What an earlier attempt of the same run left behind.
#[derive(Clone, Debug, Default)]
pub struct Resume {
    /// Nodes that had finished: they replay this instead of running. For outputs: the values they had collected.
    pub finished: HashMap<Arc<str>, Vec<Emission>>,
    /// Executions of nodes with effects, by number.
    pub effects: HashMap<Arc<str>, Vec<EffectState>>,
    /// Saved state of suspended nodes, merged with what was sent on resuming; reaches the node as the dynamic property
    /// `__event__` as `trigger_event` does. A node with effects gets it in the first execution that is not done.
    pub states: HashMap<Arc<str>, Value>,
    /// Decisions about executions in doubt.
    pub decisions: HashMap<Arc<str>, Decision>,
}

/// How far an execution of a node with effects came.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectState {
    /// It began; whether anything came of it is not known.
    Begun,
    /// It ended, and this is what it emitted.
    Done(Vec<Emission>),
}

/// What becomes of an execution in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made again.
    Again,
    /// It counts as done, without outputs.
    Skip,
}

impl Resume {
    /// Leaves out finished nodes that have to run again all the same: those that leave something in the run beside
    /// their outputs, and those whose controllers run again and may wait for their answers.
    pub(crate) fn prune(&mut self, plan: &Plan) {
        for node in plan.nodes.iter().filter(|n| n.def.again) {
            self.finished.remove(&node.info.id);
        }
        loop {
            let asked: HashSet<usize> = plan
                .nodes
                .iter()
                .filter(|n| !self.finished.contains_key(&n.info.id))
                .flat_map(|n| &n.control_out)
                .map(|&e| plan.edges[e].target)
                .collect();
            let before = self.finished.len();
            for target in asked {
                self.finished.remove(&plan.nodes[target].info.id);
            }
            if self.finished.len() == before {
                return;
            }
        }
    }

    /// How far an execution came.
    pub(crate) fn effect(&self, node: &str, n: u64) -> Option<&EffectState> {
        let n = usize::try_from(n).ok()?;
        self.effects.get(node)?.get(n)
    }

    /// The state a node goes on with; the mark of an execution in doubt is none.
    pub(crate) fn state(&self, node: &str) -> Option<&Value> {
        let state = self.states.get(node)?;
        state.get(IN_DOUBT).is_none().then_some(state)
    }
}

/// The key of the state of a run that waits for a decision.
pub(crate) const IN_DOUBT: &str = "in_doubt";

/// Bytes after which a record tells the run's sum.
const PORTION: usize = 32 << 10;

/// What one node, or one execution, has emitted so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    emitted: Vec<Emission>,
    bytes: usize,
    /// Bytes the run's sum does not hold yet: its counter is shared by all nodes, so it is told in portions.
    untold: usize,
    /// Too much to keep; nothing more is added.
    over: bool,
}

impl Record {
    /// Adds a value, unless the record, or all those of the run, hold too much.
    pub(crate) fn note(&mut self, slot: &Arc<str>, value: &Value, of_run: Option<&AtomicUsize>) {
        if self.over {
            return;
        }
        let bytes = weigh(value);
        self.bytes += bytes;
        self.untold += bytes;
        let mut run = 0;
        if let Some(sum) = of_run
            && self.untold >= PORTION
        {
            run = sum.fetch_add(self.untold, Ordering::Relaxed) + self.untold;
            self.untold = 0;
        }
        if self.emitted.len() >= RECORD_VALUES || self.bytes > RECORD_LIMIT || run > RUN_LIMIT {
            if let Some(sum) = of_run {
                sum.fetch_sub(self.bytes - self.untold, Ordering::Relaxed);
            }
            *self = Record {
                over: true,
                ..Record::default()
            };
            return;
        }
        self.emitted.push((slot.clone(), value.clone()));
    }

    /// All that was emitted; nothing when that was too much.
    pub(crate) fn finish(self) -> Option<Vec<Emission>> {
        (!self.over).then_some(self.emitted)
    }
}

/// Rough bytes of a value, one level deep.
fn weigh(value: &Value) -> usize {
    const EACH: usize = 24;
    let flat = |v: &Value| match v {
        Value::Str(s) => EACH + s.len(),
        Value::Bytes(b) => EACH + b.len(),
        Value::List(items) => EACH + items.len() * EACH,
        Value::Map(map) => EACH + map.len() * 2 * EACH,
        _ => EACH,
    };
    match value {
        Value::List(items) => EACH + items.iter().map(flat).sum::<usize>(),
        Value::Map(map) => EACH + map.iter().map(|(k, v)| k.len() + flat(v)).sum::<usize>(),
        v => flat(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: impl IntoIterator<Item = Value>, sum: &AtomicUsize) -> Record {
        let mut record = Record::default();
        for v in values {
            record.note(&"output".into(), &v, Some(sum));
        }
        record
    }

    #[test]
    fn a_record_holds_so_many_values_and_bytes_and_no_more() {
        let sum = AtomicUsize::new(0);
        let ints = |n: usize| (0..n as i64).map(Value::Int);
        let kept = filled(ints(RECORD_VALUES), &sum).finish();
        assert_eq!(kept.map(|k| k.len()), Some(RECORD_VALUES));
        assert_eq!(filled(ints(RECORD_VALUES + 1), &sum).finish(), None);
        let half = || Value::from("x".repeat(RECORD_LIMIT / 2));
        assert!(filled([half()], &sum).finish().is_some());
        assert!(filled([half(), half()], &sum).finish().is_none());
        let nested = Value::list([half(), half()]);
        assert!(filled([nested], &sum).finish().is_none());
    }

    #[test]
    fn the_records_of_a_run_share_a_bound_and_a_dropped_one_gives_its_bytes_back() {
        let sum = AtomicUsize::new(0);
        let large = || Value::from("x".repeat(RECORD_LIMIT - 100));
        let four: Vec<_> = (0..4).map(|_| filled([large()], &sum)).collect();
        assert!(four.into_iter().all(|r| r.finish().is_some()));
        let before = sum.load(Ordering::Relaxed);
        assert!(filled([Value::Null, large()], &sum).finish().is_none());
        assert_eq!(sum.load(Ordering::Relaxed), before);
    }
}
