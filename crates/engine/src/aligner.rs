//! Turns items that arrive on handles into batches to execute. Plain synchronous state.
//!
//! It must not know nodes, types, tasks or time. Source: engine spec 4.6 to 4.8.

use std::collections::VecDeque;

use nodetool_sdk::{SyncMode, Value};
use smallvec::{SmallVec, smallvec};

/// One value per handle, by index; `None` where nothing arrived.
pub(crate) type Batch = SmallVec<[Option<Value>; 4]>;

/// Items a `zip_all` handle may hold while it waits for the others.
const ZIP_QUEUE: usize = 64;

/// A set of handle indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandleSet(SmallVec<[u64; 1]>);

impl HandleSet {
    pub(crate) fn empty(handles: usize) -> Self {
        HandleSet(smallvec![0; handles.div_ceil(64).max(1)])
    }

    pub(crate) fn of(handle: u16, handles: usize) -> Self {
        let mut set = Self::empty(handles);
        set.insert(handle);
        set
    }

    pub(crate) fn insert(&mut self, handle: u16) {
        self.0[usize::from(handle) / 64] |= 1 << (handle % 64);
    }

    pub(crate) fn remove(&mut self, handle: u16) {
        self.0[usize::from(handle) / 64] &= !(1 << (handle % 64));
    }

    /// Adds a handle; `true` when the first `handles` are all in.
    fn fill(&mut self, handle: u16, handles: usize) -> bool {
        self.insert(handle);
        (0..handles as u16).all(|h| self.contains(h))
    }

    pub(crate) fn contains(&self, handle: u16) -> bool {
        self.0[usize::from(handle) / 64] & (1 << (handle % 64)) != 0
    }
}

/// Which items a reader asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Of any handle.
    All,
    /// Of these handles only.
    Some(HandleSet),
}

impl Want {
    pub(crate) fn includes(&self, handle: u16) -> bool {
        match self {
            Want::All => true,
            Want::Some(set) => set.contains(handle),
        }
    }
}

/// What the aligner needs to know of a handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandleRule {
    /// `zip_all` repeats its last item.
    pub(crate) sticky: bool,
    /// Items are gathered into one list.
    pub(crate) list: bool,
    /// Nothing will ever come: the handle counts as not connected.
    pub(crate) absent: bool,
}

#[derive(Debug)]
enum Mode {
    /// Latest of each handle; `fresh` when a batch is due.
    OnAny {
        current: Batch,
        missing: usize,
        fresh: bool,
    },
    Zip {
        queues: Vec<VecDeque<Value>>,
        held: Vec<Option<Value>>,
        rules: Vec<HandleRule>,
    },
    /// Everything, once, at the end. Lists keep (edge, items) so that the result is in edge order.
    Gather {
        lists: Vec<Option<Vec<(usize, Value)>>>,
        last: Batch,
    },
}

/// The pure batcher.
#[derive(Debug)]
pub(crate) struct Aligner {
    mode: Mode,
    want: Want,
}

impl Aligner {
    pub(crate) fn new(sync: SyncMode, rules: &[HandleRule]) -> Self {
        let n = rules.len();
        if rules.iter().any(|r| r.list) {
            let lists = rules.iter().map(|r| r.list.then(Vec::new)).collect();
            return Aligner {
                mode: Mode::Gather {
                    lists,
                    last: smallvec![None; n],
                },
                want: Want::All,
            };
        }
        match sync {
            SyncMode::OnAny => {
                let mode = Mode::OnAny {
                    current: smallvec![None; n],
                    missing: rules.iter().filter(|r| !r.absent).count(),
                    fresh: false,
                };
                Aligner {
                    mode,
                    want: Want::All,
                }
            }
            SyncMode::ZipAll => {
                let mode = Mode::Zip {
                    queues: vec![VecDeque::new(); n],
                    held: vec![None; n],
                    rules: rules.to_vec(),
                };
                Aligner {
                    mode,
                    want: Want::All,
                }
            }
        }
    }

    /// Which handles it takes items of: a `zip_all` queue that is full waits for the others.
    pub(crate) fn wants(&self) -> &Want {
        &self.want
    }

    /// Takes an item that came over the given edge (its place among the handle's edges).
    pub(crate) fn push(&mut self, handle: u16, edge: usize, value: Value) {
        let h = usize::from(handle);
        match &mut self.mode {
            Mode::OnAny {
                current,
                missing,
                fresh,
            } => {
                if current[h].replace(value).is_none() {
                    *missing -= 1;
                }
                *fresh = *missing == 0;
            }
            Mode::Zip { queues, .. } => {
                queues[h].push_back(value);
                if queues[h].len() >= ZIP_QUEUE {
                    let n = queues.len();
                    if self.want == Want::All {
                        let mut all = HandleSet::empty(n);
                        (0..n as u16).for_each(|h| all.insert(h));
                        self.want = Want::Some(all);
                    }
                    if let Want::Some(set) = &mut self.want {
                        set.remove(handle);
                    }
                }
            }
            Mode::Gather { lists, last } => match &mut lists[h] {
                Some(items) => items.push((edge, value)),
                None => last[h] = Some(value),
            },
        }
    }

    /// The next batch that is due, if any. Call until `None` after each push.
    pub(crate) fn next_batch(&mut self) -> Option<Batch> {
        match &mut self.mode {
            Mode::OnAny { current, fresh, .. } => std::mem::take(fresh).then(|| current.clone()),
            Mode::Zip {
                queues,
                held,
                rules,
            } => {
                let ready = (0..queues.len()).all(|h| {
                    let rule = rules[h];
                    rule.absent || !queues[h].is_empty() || (rule.sticky && held[h].is_some())
                });
                if !ready || queues.iter().all(VecDeque::is_empty) {
                    return None;
                }
                let batch = (0..queues.len())
                    .map(|h| match queues[h].pop_front() {
                        Some(v) => {
                            if rules[h].sticky {
                                held[h] = Some(v.clone());
                            }
                            Some(v)
                        }
                        None => held[h].clone(),
                    })
                    .collect();
                if let Want::Some(set) = &mut self.want {
                    let n = queues.len();
                    let freed = (0..n).filter(|&h| queues[h].len() < ZIP_QUEUE);
                    if freed.fold(false, |_, h| set.fill(h as u16, n)) {
                        self.want = Want::All;
                    }
                }
                Some(batch)
            }
            Mode::Gather { .. } => None,
        }
    }

    /// The batch of a gathering node after the last item.
    ///
    /// `splices(handle, edge)` says whether the edge's slot holds lists, whose items are laid in one level deep.
    pub(crate) fn finish(&mut self, splices: impl Fn(usize, usize) -> bool) -> Option<Batch> {
        let Mode::Gather { lists, last } = &mut self.mode else {
            return None;
        };
        let mut batch = std::mem::take(last);
        for (h, items) in lists.iter_mut().enumerate() {
            let Some(items) = items.take() else { continue };
            let mut items = items;
            // Stable: by edge first, by arrival within an edge (FIX-19).
            items.sort_by_key(|(edge, _)| *edge);
            let mut out = Vec::with_capacity(items.len());
            for (edge, v) in items {
                match v {
                    Value::List(inner) if splices(h, edge) => out.extend(inner.iter().cloned()),
                    v => out.push(v),
                }
            }
            batch[h] = Some(out.into());
        }
        Some(batch)
    }

    /// How many items were left without partners, by handle.
    pub(crate) fn leftovers(&self) -> Vec<(usize, usize)> {
        match &self.mode {
            Mode::Zip { queues, rules, .. } => queues
                .iter()
                .enumerate()
                .filter(|(h, q)| !q.is_empty() && !rules[*h].sticky)
                .map(|(h, q)| (h, q.len()))
                .collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
