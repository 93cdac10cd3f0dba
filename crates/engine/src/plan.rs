//! A checked graph: resolved nodes, typed edges, streaming analysis. Built by a pure function that lists all faults.
//!
//! It must not know tasks, channels or time. Source: engine spec 1.4 to 1.11.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use nodetool_sdk::protocol::{Edge, EdgeKind, Graph, Node};
use nodetool_sdk::{
    CONTROL_HANDLE, Effect, Map, NodeDef, NodeInfo, Props, Registry, Role, SyncMode, TypeMetadata,
    Value,
};

mod assign;
mod bypass;
mod controlled;
mod validate;

pub(crate) use assign::fit_input;

/// When in the making of a plan a fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A node cannot be made.
    Load,
    /// An input node has no usable name.
    Input,
    /// Nodes or edges do not fit together.
    Validation,
}

/// One thing wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it was found.
    pub kind: FaultKind,
    /// The node, if it is one node's.
    pub node_id: Option<Arc<str>>,
    /// The property or handle, if it is about one.
    pub handle: Option<Arc<str>>,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A graph that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PlanError {
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.iter().any(|f| f.kind == FaultKind::Validation) {
            f.write_str("Graph contains errors: ")?;
        }
        for (i, fault) in self.faults.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&fault.message)?;
        }
        Ok(())
    }
}

/// Where an incoming item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The declared property of this index.
    Property(usize),
    /// A dynamic input of the handle's name.
    Dynamic,
}

/// A connected input.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) name: Arc<str>,
    pub(crate) target: Target,
    /// Edges into it, in graph order.
    pub(crate) edges: Vec<usize>,
    /// Edges that will ever carry something.
    pub(crate) open: u32,
    /// No edge into it streams: `zip_all` repeats its last item.
    pub(crate) sticky: bool,
    /// Several edges into a list: items are gathered.
    pub(crate) list: bool,
}

/// A node of the plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanNode {
    pub(crate) info: Arc<NodeInfo>,
    pub(crate) def: Arc<NodeDef>,
    pub(crate) props: Props,
    pub(crate) handles: Vec<Handle>,
    pub(crate) handle_names: Vec<Arc<str>>,
    /// Declared slots, then those of the instance.
    pub(crate) slots: Vec<Arc<str>>,
    /// Edges by slot, in graph order.
    pub(crate) out: Vec<Vec<usize>>,
    /// Control edges that leave it.
    pub(crate) control_out: Vec<usize>,
    /// How many distinct nodes control it.
    pub(crate) controllers: u32,
    pub(crate) sync: SyncMode,
    /// Some handle is gathered, so the node runs once.
    pub(crate) gathers: bool,
    /// Reachable from a streaming node, so its results are not cached.
    pub(crate) stream_driven: bool,
    /// Parameter or output name.
    pub(crate) name: Option<Arc<str>>,
    /// Slot whose values are results of the run though this is no output node.
    pub(crate) result_slot: Option<usize>,
}

impl PlanNode {
    /// Whether it is fed by the caller rather than by edges.
    pub(crate) fn is_input(&self) -> bool {
        self.def.role == Role::Input
    }
}

/// An edge of the plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanEdge {
    pub(crate) id: Arc<str>,
    pub(crate) source: usize,
    /// Index into the source's slots; unused by control edges.
    pub(crate) slot: usize,
    pub(crate) target: usize,
    /// Index into the target's handles; unused by control edges.
    pub(crate) handle: u16,
    pub(crate) streaming: bool,
    /// Whether the slot holds lists, so that gathering splices its items.
    pub(crate) list_slot: bool,
}

/// A graph that can run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) edges: Vec<PlanEdge>,
    ignored: Vec<Fault>,
}

/// A node under construction.
pub(crate) struct Draft<'g> {
    pub(crate) node: &'g Node,
    pub(crate) def: Arc<NodeDef>,
}

impl Draft<'_> {
    /// The type of an output, or nothing when there is no such output.
    fn slot_type(&self, name: &str) -> Option<TypeMetadata> {
        if let Some(t) = self.node.dynamic_outputs.get(name) {
            return Some(t.clone());
        }
        if let Some(i) = self.def.slot_index(name) {
            return Some(self.def.metadata.outputs[i].ty.clone());
        }
        let m = &self.def.metadata;
        // Older files take an input's value from `value`, newer ones from `output`.
        if self.def.role == Role::Input && matches!(name, "value" | "output") {
            return m.outputs.first().map(|s| s.ty.clone());
        }
        m.supports_dynamic_outputs.then(TypeMetadata::any)
    }

    /// The type of an input; `None` for a handle that only a dynamic node would take.
    fn property_type(&self, name: &str) -> Option<TypeMetadata> {
        if let Some(i) = self.def.property_index(name) {
            return Some(self.def.metadata.properties[i].ty.clone());
        }
        self.node
            .dynamic_properties
            .contains_key(name)
            .then(TypeMetadata::any)
    }
}

impl Plan {
    /// Checks a graph against the registry and works out how to run it.
    pub fn build(graph: &Graph, registry: &Registry) -> Result<Plan, PlanError> {
        let mut faults = Vec::new();
        let mut seen = HashSet::new();
        for node in &graph.nodes {
            if !seen.insert(&*node.id) {
                faults.push(Fault {
                    kind: FaultKind::Load,
                    node_id: Some(node.id.clone()),
                    handle: None,
                    message: format!("Node id '{}' is used by more than one node", node.id),
                });
            }
        }
        let edges = bypass::rewrite(graph, registry);
        let mut drafts: Vec<Draft<'_>> = Vec::with_capacity(graph.nodes.len());
        let mut unknown: HashSet<&str> = HashSet::new();
        for node in graph.nodes.iter().filter(|n| !n.bypassed()) {
            match registry.get(&node.node_type) {
                Some(def) if def.role == Role::Annotation => {}
                Some(def) => drafts.push(Draft {
                    node,
                    def: def.clone(),
                }),
                None => {
                    unknown.insert(&node.id);
                    faults.push(Fault {
                        kind: FaultKind::Load,
                        node_id: Some(node.id.clone()),
                        handle: None,
                        message: format!(
                            "Failed to load node {} (type: {}): Invalid node type: {}",
                            node.id, node.node_type, node.node_type
                        ),
                    });
                }
            }
        }
        let index: HashMap<&str, usize> = drafts
            .iter()
            .enumerate()
            .map(|(i, d)| (&*d.node.id, i))
            .collect();
        let mut ignored = Vec::new();
        let edges: Vec<Edge> = edges
            .into_iter()
            .filter(|e| match leads_nowhere(e, &drafts, &index) {
                None => true,
                Some(fault) => {
                    ignored.push(fault);
                    false
                }
            })
            .collect();
        let props = assign::static_values(&drafts, &edges, &index, &mut faults);
        validate::input_names(&drafts, &mut faults);
        validate::graph(&drafts, &edges, &index, &mut faults);
        if !faults.is_empty() {
            faults.sort_by_key(|f| f.kind);
            return Err(PlanError { faults });
        }
        let mut plan = assemble(&drafts, props, &edges, &index);
        plan.ignored = ignored;
        plan.analyse();
        Ok(plan)
    }

    /// How many nodes will run.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing will run.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether some node changes something outside the run, so that it matters whether it ran.
    pub fn has_effects(&self) -> bool {
        self.nodes.iter().any(|n| n.def.effect != Effect::Pure)
    }

    /// Edges that lead nowhere and do not count, with the reason; worth a warning.
    pub fn ignored_edges(&self) -> &[Fault] {
        &self.ignored
    }

    /// Ids of the nodes that will run, with their titles and types.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.iter().map(|n| &*n.info)
    }

    /// Names of the inputs a caller may fill.
    pub fn input_names(&self) -> impl Iterator<Item = &str> {
        self.nodes
            .iter()
            .filter(|n| n.is_input())
            .filter_map(|n| n.name.as_deref())
    }
}

/// Edge filtering (1.5): an edge that leads nowhere is dropped, not an error. Says why, or nothing for one that stays.
fn leads_nowhere(e: &Edge, drafts: &[Draft<'_>], index: &HashMap<&str, usize>) -> Option<Fault> {
    let told = |id: &Arc<str>, handle: &Arc<str>, why: String| {
        let message = format!(
            "The edge from {}.{} to {}.{} is ignored: {why}",
            e.source, e.source_handle, e.target, e.target_handle
        );
        Some(Fault {
            kind: FaultKind::Validation,
            node_id: Some(id.clone()),
            handle: Some(handle.clone()),
            message,
        })
    };
    let gone = |id: &Arc<str>| format!("there is no node '{id}' that runs");
    let Some(&s) = index.get(&*e.source) else {
        return told(&e.source, &e.source_handle, gone(&e.source));
    };
    let Some(&t) = index.get(&*e.target) else {
        return told(&e.target, &e.target_handle, gone(&e.target));
    };
    let (source, target) = (&drafts[s], &drafts[t]);
    let typed = |d: &Draft<'_>| format!("{} ({})", d.node.id, d.node.node_type);
    // Inputs are fed by the caller; nothing in them reads values or events.
    if target.def.role == Role::Input {
        let why = format!(
            "{} is an input of the workflow and takes no edges",
            typed(target)
        );
        return told(&e.target, &e.target_handle, why);
    }
    if e.kind == EdgeKind::Control {
        return None;
    }
    if source.slot_type(&e.source_handle).is_none() {
        let why = format!("{} has no output '{}'", typed(source), e.source_handle);
        return told(&e.source, &e.source_handle, why);
    }
    if target.property_type(&e.target_handle).is_none() && !target.def.metadata.is_dynamic {
        let why = format!("{} has no property '{}'", typed(target), e.target_handle);
        return told(&e.target, &e.target_handle, why);
    }
    None
}

fn assemble(
    drafts: &[Draft<'_>],
    props: Vec<Props>,
    edges: &[Edge],
    index: &HashMap<&str, usize>,
) -> Plan {
    let mut nodes: Vec<PlanNode> = drafts
        .iter()
        .zip(props)
        .map(|(d, p)| plan_node(d, p))
        .collect();
    let mut used: HashSet<Arc<str>> = HashSet::with_capacity(edges.len());
    let mut out = Vec::with_capacity(edges.len());
    let mut controllers: HashSet<(usize, usize)> = HashSet::new();
    let mut handle_index: HashMap<(usize, Arc<str>), u16> = HashMap::new();
    for (i, e) in edges.iter().enumerate() {
        let (source, target) = (index[&*e.source], index[&*e.target]);
        let control = e.kind == EdgeKind::Control;
        let mut edge = PlanEdge {
            id: unique_id(e, i, &mut used),
            source,
            slot: 0,
            target,
            handle: 0,
            streaming: false,
            list_slot: false,
        };
        if control {
            nodes[source].control_out.push(i);
            if controllers.insert((source, target)) {
                nodes[target].controllers += 1;
            }
        } else {
            edge.list_slot = drafts[source]
                .slot_type(&e.source_handle)
                .is_some_and(|t| t.is("list"));
            edge.slot = slot_of(&mut nodes[source], &e.source_handle);
            nodes[source].out[edge.slot].push(i);
            let (target, name) = (&mut nodes[target], e.target_handle.clone());
            edge.handle = *handle_index
                .entry((edge.target, name.clone()))
                .or_insert_with(|| {
                    let property = target.def.property_index(&name);
                    target.handle_names.push(name.clone());
                    target.handles.push(Handle {
                        name,
                        target: property.map_or(Target::Dynamic, Target::Property),
                        edges: Vec::new(),
                        open: 0,
                        sticky: false,
                        list: false,
                    });
                    (target.handles.len() - 1) as u16
                });
            target.handles[usize::from(edge.handle)].edges.push(i);
        }
        out.push(edge);
    }
    controlled::introduce(drafts, &mut nodes, &out);
    Plan {
        nodes,
        edges: out,
        ignored: Vec::new(),
    }
}

fn plan_node(d: &Draft<'_>, props: Props) -> PlanNode {
    let mut slots: Vec<Arc<str>> = d
        .def
        .metadata
        .outputs
        .iter()
        .map(|s| s.name.as_str().into())
        .collect();
    for name in d.node.dynamic_outputs.keys() {
        if !slots.contains(name) {
            slots.push(name.clone());
        }
    }
    let info = NodeInfo {
        id: d.node.id.clone(),
        title: d.def.metadata.title.as_str().into(),
        node_type: d.node.node_type.clone(),
        dynamic_outputs: d.node.dynamic_outputs.keys().cloned().collect(),
        dynamic_output_types: d.node.dynamic_outputs.values().cloned().collect(),
        controlled: [].into(),
    };
    PlanNode {
        info: Arc::new(info),
        def: d.def.clone(),
        props,
        handles: Vec::new(),
        handle_names: Vec::new(),
        out: vec![Vec::new(); slots.len()],
        slots,
        control_out: Vec::new(),
        controllers: 0,
        sync: d.node.sync_mode.unwrap_or(d.def.sync_mode),
        gathers: false,
        stream_driven: false,
        name: d.node.name().map(Into::into).or_else(|| match d.def.role {
            Role::Output => Some(d.node.id.clone()),
            _ => None,
        }),
        result_slot: None,
    }
}

/// The slot an edge leaves from; nodes with outputs per instance gain one for an undeclared name.
fn slot_of(node: &mut PlanNode, name: &Arc<str>) -> usize {
    if let Some(i) = node.slots.iter().position(|s| s == name) {
        return i;
    }
    if node.def.role == Role::Input && !node.slots.is_empty() {
        return 0;
    }
    node.slots.push(name.clone());
    node.out.push(Vec::new());
    node.slots.len() - 1
}

/// The edge's own id; one made of its ends when it has none or another edge has it too (FIX-20).
fn unique_id(e: &Edge, i: usize, used: &mut HashSet<Arc<str>>) -> Arc<str> {
    if let Some(id) = &e.id
        && used.insert(id.clone())
    {
        return id.clone();
    }
    let base = format!(
        "{}:{}->{}:{}",
        e.source, e.source_handle, e.target, e.target_handle
    );
    let mut id: Arc<str> = base.as_str().into();
    while !used.insert(id.clone()) {
        id = format!("{base}#{i}").into();
    }
    id
}

impl Plan {
    /// The derived analyses (1.11).
    fn analyse(&mut self) {
        self.mark_streams();
        for i in 0..self.nodes.len() {
            let node = &self.nodes[i];
            let named = node.name.is_some() && node.def.role == Role::Plain;
            let unwired = node.out.iter().all(Vec::is_empty) && node.control_out.is_empty();
            let result_slot = (named && unwired)
                .then(|| {
                    node.slots
                        .iter()
                        .position(|s| &**s == "output")
                        .or((!node.slots.is_empty()).then_some(0))
                })
                .flatten();
            let mut handles = std::mem::take(&mut self.nodes[i].handles);
            for h in &mut handles {
                h.open = h
                    .edges
                    .iter()
                    .filter(|&&e| self.nodes[self.edges[e].source].def.routes)
                    .count() as u32;
                h.sticky = h.edges.iter().all(|&e| !self.edges[e].streaming);
                h.list = h.edges.len() > 1
                    && matches!(h.target, Target::Property(p) if self.nodes[i].def.metadata.properties[p].ty.is("list"));
            }
            let node = &mut self.nodes[i];
            node.result_slot = result_slot;
            node.gathers = handles.iter().any(|h| h.list);
            node.handles = handles;
        }
    }

    /// Marks the edges a stream may come over, and the nodes a stream may drive.
    fn mark_streams(&mut self) {
        let seeds: Vec<usize> = (0..self.nodes.len())
            .filter(|&i| self.nodes[i].def.metadata.is_streaming_output)
            .collect();
        let mut reached = vec![false; self.nodes.len()];
        let mut queue = seeds.clone();
        while let Some(n) = queue.pop() {
            for e in self.nodes[n]
                .out
                .iter()
                .flatten()
                .copied()
                .collect::<Vec<_>>()
            {
                self.edges[e].streaming = true;
                let t = self.edges[e].target;
                if !std::mem::replace(&mut reached[t], true) {
                    queue.push(t);
                }
            }
        }
        let mut driven = vec![false; self.nodes.len()];
        let mut queue = seeds;
        while let Some(n) = queue.pop() {
            let node = &self.nodes[n];
            for &e in node.out.iter().flatten().chain(&node.control_out) {
                let t = self.edges[e].target;
                if !std::mem::replace(&mut driven[t], true) {
                    queue.push(t);
                }
            }
        }
        for (node, driven) in self.nodes.iter_mut().zip(driven) {
            node.stream_driven = driven;
        }
    }
}

/// Static values of a node by name, for messages.
pub(crate) fn named_properties(def: &NodeDef, props: &Props) -> Map {
    let declared = def
        .metadata
        .properties
        .iter()
        .zip(&props.values)
        .map(|(p, v)| (Arc::from(p.name.as_str()), v.clone()));
    declared
        .chain(props.dynamic.iter().map(|(k, v)| (k.clone(), v.clone())))
        .collect()
}

/// Whether an empty value that does not fit means "not set" (engine spec 2.5, catalogue 2.4).
pub(crate) fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(l) => l.is_empty(),
        Value::Map(m) => m.is_empty(),
        _ => false,
    }
}

/// Whether an edge is a control edge by its target handle.
pub(crate) fn targets_control(e: &Edge) -> bool {
    &*e.target_handle == CONTROL_HANDLE
}
