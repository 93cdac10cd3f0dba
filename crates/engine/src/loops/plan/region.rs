//! One loop: everything that can be reached from its first node, numbered so that every way leads to a higher number.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use nodetool_sdk::steps::{BODY, Compat, DEFAULT, Mode, StepKind};

use super::LoopPlan;

/// Nodes and edges that may be looked at while a graph is checked: a fraction of a second.
const BUDGET: usize = 4_000_000;
/// The branch of a node that none has led to.
const NONE: u32 = u32::MAX;

/// How much may still be looked at.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Budget(BUDGET)
    }
}

/// A graph that would take too long to check.
#[derive(Debug, thiserror::Error)]
#[error(
    "This workflow branches too much to be checked: its forks lead to too many nodes that never join again"
)]
pub(super) struct TooLarge;

impl Budget {
    pub(super) fn spend(&mut self, much: usize) -> Result<(), TooLarge> {
        self.0 = self.0.checked_sub(much).ok_or(TooLarge)?;
        Ok(())
    }
}

/// One loop.
#[derive(Debug)]
pub(in crate::loops) struct Region {
    /// Its nodes in the order a sentinel visits them: depth first, a join after all that lead to it.
    pub(in crate::loops) nodes: Vec<Local>,
    /// How tokens of its branches become one.
    pub(in crate::loops) compat: Compat,
}

/// A node of a loop.
#[derive(Debug)]
pub(in crate::loops) struct Local {
    /// Its number in the plan.
    pub(in crate::loops) at: usize,
    /// Where `default` leads.
    default: Targets,
    /// Where the other ways lead.
    routes: Box<[(Arc<str>, Targets)]>,
    /// Where the body begins.
    pub(in crate::loops) body: Option<u32>,
    /// Whether no way leads on from it; the body of a loop node does not.
    pub(in crate::loops) sink: bool,
    /// Whether its path ends with it, whatever it is connected to.
    pub(in crate::loops) ends: bool,
}

/// Where one way out leads.
#[derive(Debug, Default)]
pub(in crate::loops) struct Targets {
    /// The nodes, in the order of the edges.
    pub(in crate::loops) to: Box<[u32]>,
    /// Where the branches of this fork come together, in order.
    pub(in crate::loops) joins: Box<[u32]>,
}

impl Local {
    /// Where a way out leads, if anywhere.
    pub(in crate::loops) fn targets(&self, route: &str) -> Option<&Targets> {
        if route == DEFAULT {
            return Some(&self.default);
        }
        let found = |(name, _): &&(Arc<str>, Targets)| name.eq_ignore_ascii_case(route);
        self.routes.iter().find(found).map(|(_, targets)| targets)
    }

    /// Where it leads beside its body.
    fn next(&self) -> impl Iterator<Item = u32> {
        let routes = self.routes.iter().map(|(_, targets)| targets);
        let targets = std::iter::once(&self.default).chain(routes);
        targets.flat_map(|targets| targets.to.iter().copied())
    }
}

impl Region {
    /// The loop that begins with `root`; with `body_only`, the body of `root` and nothing behind it.
    pub(super) fn of(
        plan: &LoopPlan,
        root: usize,
        body_only: bool,
        budget: &mut Budget,
    ) -> Result<Self, TooLarge> {
        let outs = |at: usize| {
            let only_body = body_only && at == root;
            let outs = plan.outs[at].iter();
            outs.filter(move |out| !only_body || *out.handle == *BODY)
        };
        let mut before: HashMap<usize, usize> = HashMap::from([(root, 0)]);
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            for out in outs(at) {
                let count = before.entry(out.to).or_insert(0);
                *count += 1;
                if *count == 1 {
                    open.push(out.to);
                }
            }
        }
        let mut order = Vec::with_capacity(before.len());
        let mut number = HashMap::with_capacity(before.len());
        open.push(root);
        while let Some(at) = open.pop() {
            number.insert(at, u32::try_from(order.len()).map_err(|_| TooLarge)?);
            order.push(at);
            let outs: Vec<usize> = outs(at).map(|out| out.to).collect();
            budget.spend(1 + outs.len())?;
            for to in outs.into_iter().rev() {
                let Some(count) = before.get_mut(&to) else {
                    continue;
                };
                *count -= 1;
                if *count == 0 {
                    open.push(to);
                }
            }
        }
        let local = |at: usize| {
            let mut routes: Vec<(Arc<str>, Vec<u32>)> = Vec::new();
            let mut places: HashMap<Arc<str>, usize> = HashMap::new();
            let mut local = Local {
                at,
                default: Targets::default(),
                routes: Box::default(),
                body: None,
                sink: plan.outs[at].iter().all(|out| *out.handle == *BODY),
                ends: plan.mode != Mode::Api && plan.nodes[at].def.kind == StepKind::NonBlocking,
            };
            for out in outs(at) {
                let to = number[&out.to];
                if *out.handle == *BODY {
                    local.body = Some(to);
                } else if let Some(place) = places.get(&out.handle) {
                    routes[*place].1.push(to);
                } else {
                    places.insert(out.handle.clone(), routes.len());
                    routes.push((out.handle.clone(), vec![to]));
                }
            }
            let mut others = Vec::new();
            for (handle, to) in routes {
                let targets = Targets {
                    to: to.into(),
                    joins: Box::default(),
                };
                if *handle == *DEFAULT {
                    local.default = targets;
                } else {
                    others.push((handle, targets));
                }
            }
            local.routes = others.into();
            local
        };
        let mut region = Region {
            nodes: order.into_iter().map(local).collect(),
            compat: plan.compat,
        };
        let mut meeting = Meeting::of(&region);
        let mut joins = Vec::with_capacity(region.nodes.len());
        for local in &region.nodes {
            let mut of = |targets: &Targets| meeting.joins(&targets.to, budget);
            let default = of(&local.default)?;
            let routes = local.routes.iter().map(|(_, targets)| of(targets));
            joins.push((default, routes.collect::<Result<Vec<_>, _>>()?));
        }
        for (local, (default, routes)) in region.nodes.iter_mut().zip(joins) {
            local.default.joins = default;
            for ((_, targets), joins) in local.routes.iter_mut().zip(routes) {
                targets.joins = joins;
            }
        }
        Ok(region)
    }
}

/// Finds where the branches of forks meet.
struct Meeting<'r> {
    region: &'r Region,
    /// The branch each node belongs to: the one that leads to it, or itself once there are two.
    owner: Vec<u32>,
    met: Vec<bool>,
    /// What has to be forgotten before the next fork.
    seen: Vec<u32>,
    open: BinaryHeap<Reverse<u32>>,
}

impl<'r> Meeting<'r> {
    fn of(region: &'r Region) -> Self {
        Meeting {
            region,
            owner: vec![NONE; region.nodes.len()],
            met: vec![false; region.nodes.len()],
            seen: Vec::new(),
            open: BinaryHeap::new(),
        }
    }

    /// Where the branches of a fork meet first: nodes that two of them lead to, or one of them and such a node.
    fn joins(&mut self, entries: &[u32], budget: &mut Budget) -> Result<Box<[u32]>, TooLarge> {
        if entries.len() < 2 {
            return Ok(Box::default());
        }
        for at in self.seen.drain(..) {
            self.owner[at as usize] = NONE;
            self.met[at as usize] = false;
        }
        self.open.clear();
        for entry in entries {
            self.lead(*entry, *entry);
        }
        let mut joins = Vec::new();
        while let Some(Reverse(at)) = self.open.pop() {
            if self.met[at as usize] {
                joins.push(at);
                self.owner[at as usize] = at;
            }
            if self.open.is_empty() {
                // Everything after it is one path again.
                break;
            }
            let whose = self.owner[at as usize];
            budget.spend(1)?;
            for to in self.region.nodes[at as usize].next() {
                budget.spend(1)?;
                self.lead(to, whose);
            }
        }
        Ok(joins.into())
    }

    /// A branch leads to a node.
    fn lead(&mut self, to: u32, whose: u32) {
        let owner = &mut self.owner[to as usize];
        if *owner == NONE {
            *owner = whose;
            self.seen.push(to);
            self.open.push(Reverse(to));
        } else if *owner != whose {
            self.met[to as usize] = true;
        }
    }
}
