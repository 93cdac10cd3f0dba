//! The contract of the messages (engine spec 6.2 and 6.3), checked on every run of the suite.
//!
//! It reads the graph and the messages only; what the engine thinks of itself is not asked.

use std::collections::{HashMap, HashSet};

use nodetool_engine::RunOutcome;
use nodetool_sdk::protocol::{
    Edge, EdgeKind, EdgeStatus, Graph, JobEvent, JobStatus, JobUpdate, Node, NodeStatus, NodeUpdate,
};
use nodetool_sdk::{Behaviour, NodeDef, Registry, Role, Value};

mod keys;
mod passage;
mod refusals;

/// Items of an edge whose counters are all told; after those, some are left out.
const ALL_TOLD: u64 = 64;

/// Fails with everything that is wrong with the messages of a run.
pub(crate) fn check(
    graph: &Graph,
    registry: &Registry,
    cached: bool,
    outcome: &RunOutcome,
    events: &[JobEvent],
) {
    let found = faults(graph, registry, cached, outcome, events);
    assert!(found.is_empty(), "{found:#?}\nin {events:#?}");
}

/// The same for a run that goes on where another ended: finished nodes only say that they are.
pub(crate) fn check_resumed(
    graph: &Graph,
    registry: &Registry,
    replayed: &HashSet<String>,
    outcome: &RunOutcome,
    events: &[JobEvent],
) {
    let mut check = Check::new(graph, registry, true, outcome);
    check.replayed.clone_from(replayed);
    let found = check.all(events);
    assert!(found.is_empty(), "{found:#?}\nin {events:#?}");
}

/// Everything that is wrong with the messages of a run.
fn faults(
    graph: &Graph,
    registry: &Registry,
    cached: bool,
    outcome: &RunOutcome,
    events: &[JobEvent],
) -> Vec<String> {
    Check::new(graph, registry, cached, outcome).all(events)
}

struct NodeState<'a> {
    node: &'a Node,
    def: Option<&'a NodeDef>,
    /// Edges into it.
    into: Vec<usize>,
    running: u64,
    completed: u64,
    /// Values shown, at an output or a preview.
    shown: u64,
    /// Between `running` and the end of the execution.
    open: bool,
    /// After an error or a suspension.
    over: bool,
}

struct EdgeState<'a> {
    edge: &'a Edge,
    sent: u64,
    drained: bool,
    /// Its target executed before its first item.
    early: bool,
}

struct Check<'a> {
    cached: bool,
    /// Nodes that an earlier attempt had finished.
    replayed: HashSet<String>,
    outcome: &'a RunOutcome,
    nodes: HashMap<&'a str, NodeState<'a>>,
    edges: Vec<EdgeState<'a>>,
    /// Index of the edge an id in a message means.
    edge_ids: HashMap<String, usize>,
    faults: Vec<String>,
}

/// The ids edges go by in messages: their own, else one made of their ends (FIX-20).
fn edge_ids(edges: &[Edge]) -> HashMap<String, usize> {
    let mut ids = HashMap::new();
    for (i, e) in edges.iter().enumerate() {
        let own = e.id.as_deref().filter(|id| !ids.contains_key(*id));
        let (source, target) = (&e.source, &e.target);
        let ends = || format!("{source}:{}->{target}:{}", e.source_handle, e.target_handle);
        ids.insert(own.map_or_else(ends, str::to_owned), i);
    }
    ids
}

fn job_update(event: &JobEvent) -> Option<&JobUpdate> {
    match event {
        JobEvent::JobUpdate(u) => Some(u),
        _ => None,
    }
}

impl<'a> Check<'a> {
    fn new(
        graph: &'a Graph,
        registry: &'a Registry,
        cached: bool,
        outcome: &'a RunOutcome,
    ) -> Self {
        let state = |node: &'a Node| NodeState {
            node,
            def: registry.get(&node.node_type).map(|def| &**def),
            into: Vec::new(),
            running: 0,
            completed: 0,
            shown: 0,
            open: false,
            over: false,
        };
        let mut nodes: HashMap<_, _> = graph.nodes.iter().map(|n| (&*n.id, state(n))).collect();
        for (i, e) in graph.edges.iter().enumerate() {
            if let Some(target) = nodes.get_mut(&*e.target) {
                target.into.push(i);
            }
        }
        let edge = |edge| EdgeState {
            edge,
            sent: 0,
            drained: false,
            early: false,
        };
        Check {
            cached,
            replayed: HashSet::new(),
            outcome,
            nodes,
            edges: graph.edges.iter().map(edge).collect(),
            edge_ids: edge_ids(&graph.edges),
            faults: Vec::new(),
        }
    }

    fn all(mut self, events: &[JobEvent]) -> Vec<String> {
        for event in events {
            keys::check(event, &mut self.faults);
            self.event(event);
        }
        self.frame(events);
        self.ends();
        self.outputs(events);
        self.faults
    }

    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn event(&mut self, event: &JobEvent) {
        match event {
            JobEvent::NodeUpdate(u) => self.node_update(u),
            JobEvent::EdgeUpdate {
                edge_id,
                status,
                counter,
                ..
            } => self.edge_update(edge_id, *status, *counter),
            JobEvent::OutputUpdate(u) => {
                if u.node_name != u.output_name {
                    self.fault(format!("an output of two names: {u:?}"));
                }
                self.show(&u.node_id);
            }
            JobEvent::PreviewUpdate { node_id, .. } => self.show(node_id),
            _ => {}
        }
    }

    /// G2, and what stands in an update of each status.
    fn node_update(&mut self, u: &NodeUpdate) {
        let (id, status) = (&*u.node_id, u.status);
        let Some(state) = self.nodes.get_mut(id) else {
            return self.fault(format!("an update of '{id}', which is not in the graph"));
        };
        let mut wrong = Vec::new();
        if state.over {
            wrong.push("an update after the end");
        }
        let replayed = self.replayed.contains(id);
        if replayed && (status != NodeStatus::Completed || state.completed > 0) {
            wrong.push("a finished node executes");
        }
        // Of error, result and properties.
        let wanted = match status {
            NodeStatus::Running | NodeStatus::Suspended => (false, false, true),
            NodeStatus::Completed => (false, true, true),
            NodeStatus::Error => (true, false, false),
            NodeStatus::Waiting => (false, false, false),
        };
        let is_set = (
            u.error.is_some(),
            u.result.is_some(),
            u.properties.is_some(),
        );
        if is_set != wanted {
            wrong.push("wrong of error, result and properties are null");
        }
        match status {
            NodeStatus::Running => {
                state.running += 1;
                state.open = true;
            }
            NodeStatus::Completed => {
                if !state.open && !self.cached {
                    wrong.push("completed without running");
                }
                state.completed += 1;
                state.open = false;
            }
            NodeStatus::Error | NodeStatus::Suspended => state.over = true,
            NodeStatus::Waiting => {}
        }
        for text in wrong {
            self.fault(format!("G2: {id} {status:?}: {text}"));
        }
        if matches!(status, NodeStatus::Running | NodeStatus::Completed) && !replayed {
            self.executed(id);
        }
    }

    /// G1 and G7: one `running` at the start, one closing update at the end.
    fn frame(&mut self, events: &[JobEvent]) {
        let updates: Vec<_> = events.iter().filter_map(job_update).collect();
        let statuses: Vec<_> = updates.iter().map(|u| u.status).collect();
        if statuses != [JobStatus::Running, self.outcome.status] {
            self.fault(format!("G1, G7: job updates are {statuses:?}"));
        }
        if events.first().and_then(job_update).is_none() {
            self.fault("G1: the run begins with something else".into());
        }
        if events.last().and_then(job_update).is_none() {
            self.fault("G7: the run ends with something else".into());
        }
        let Some(closing) = updates.last() else {
            return;
        };
        let completed = closing.status == JobStatus::Completed;
        let failed = closing.status == JobStatus::Failed;
        if closing.result.is_some() != completed || closing.error.is_some() != failed {
            self.fault(format!("wrong of result and error are null: {closing:?}"));
        }
    }

    /// What must not be left open at the end.
    fn ends(&mut self) {
        let status = self.outcome.status;
        let mut found = Vec::new();
        for (id, state) in &self.nodes {
            // Sources are stopped after a failure; what a cancel or a suspension cut off has no end.
            let may_be_cut = match status {
                JobStatus::Completed => false,
                JobStatus::Failed => state.into.is_empty(),
                _ => true,
            };
            if state.open && !state.over && !may_be_cut {
                found.push(format!("G2: the last execution of {id} has no end"));
            }
            if state.over && status == JobStatus::Completed {
                found.push(format!("{id} failed and the run did not"));
            }
        }
        let all_end = matches!(status, JobStatus::Completed | JobStatus::Failed);
        for state in &self.edges {
            if all_end && state.sent > 0 && !state.drained {
                let Edge { source, target, .. } = state.edge;
                found.push(format!("G5: an edge {source} -> {target} never drained"));
            }
            // An edge the engine drops says nothing, and its target does not wait for it.
            if state.early && state.sent > 0 {
                let target = &state.edge.target;
                found.push(format!("G4: {target} executed before its first item"));
            }
        }
        self.faults.append(&mut found);
    }

    /// G6: the results are what was announced, in that order.
    fn outputs(&mut self, events: &[JobEvent]) {
        let mut by_name: HashMap<&str, (HashSet<&str>, Vec<&Value>)> = HashMap::new();
        for event in events {
            if let JobEvent::OutputUpdate(u) = event {
                let (nodes, values) = by_name.entry(&u.output_name).or_default();
                nodes.insert(&u.node_id);
                // The null of an output nothing reached is announced but no result.
                if !u.value.is_null() || self.arrived(&u.node_id) != Some(0) {
                    values.push(&u.value);
                }
            }
        }
        for (name, (nodes, announced)) in &by_name {
            let lists = &self.outcome.outputs;
            let kept = lists.iter().find(|(n, _)| **n == **name).map(|(_, v)| v);
            let kept: Vec<&Value> = kept.into_iter().flatten().collect();
            // Between two outputs of one name there is no order.
            let same = if nodes.len() == 1 {
                kept == *announced
            } else {
                kept.len() == announced.len()
            };
            if !same {
                let text = format!("G6: '{name}' kept {kept:?}, announced {announced:?}");
                self.faults.push(text);
            }
        }
    }
}
