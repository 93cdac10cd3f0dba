//! A checked graph of steps: who follows whom, which nodes are joins, which queues there are. Pure; lists all faults.
//!
//! It must not know tasks, channels or time. Source: orchestrator spec 1.6, 1.8, 1.10, 5.6.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use nodetool_sdk::NodeInfo;
use nodetool_sdk::protocol::{EdgeKind, Graph, Node};
use nodetool_sdk::steps::{
    BODY, Compat, DEFAULT, FormFaults, Mode, StepConfig, StepDef, StepKind, StepNode, StepRole,
    Steps,
};

mod cycles;
mod queues;
mod region;

pub(super) use queues::Queue;
pub(super) use region::Region;
use region::{Budget, TooLarge};

/// Most faults of a graph that are told; the rest is counted.
const MOST_FAULTS: usize = 100;
/// Most steps all loops of a run may hold together; each costs a kilobyte.
const MOST_STEPS: usize = 200_000;

/// Faults of one node's form.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeFaults {
    /// The node.
    pub node_id: Arc<str>,
    /// What is wrong with its form.
    pub faults: FormFaults,
}

/// A graph that cannot run as loops.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoopPlanError {
    /// Its nodes and edges do not make one; one sentence each.
    Graph(Vec<String>),
    /// Forms that cannot be used.
    Forms(Vec<NodeFaults>),
}

impl fmt::Display for LoopPlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoopPlanError::Graph(faults) => f.write_str(&faults.join("\n")),
            LoopPlanError::Forms(nodes) => {
                f.write_str("Workflow validation failed:")?;
                nodes
                    .iter()
                    .try_for_each(|n| write!(f, "\nNode '{}': {}", n.node_id, n.faults.text()))
            }
        }
    }
}

/// One node of a checked graph.
#[derive(Debug)]
pub(super) struct PlanNode {
    /// As events name it.
    pub(super) node: StepNode,
    /// As its context names it.
    pub(super) info: Arc<NodeInfo>,
    pub(super) def: Arc<StepDef>,
    pub(super) config: StepConfig,
    /// The queue it takes its tokens from.
    pub(super) reads: Option<usize>,
    /// The queues its tokens go to.
    pub(super) writes: Vec<usize>,
}

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq)]
struct Out {
    handle: Arc<str>,
    to: usize,
}

/// A graph that can run as loops; shared by all runs of it.
#[derive(Debug)]
pub struct LoopPlan {
    mode: Mode,
    compat: Compat,
    nodes: Vec<PlanNode>,
    by_id: HashMap<Arc<str>, usize>,
    /// The ways that are followed: acyclic, without those behind the end of a path.
    outs: Vec<Vec<Out>>,
    first: Option<usize>,
    /// One for each producer, in document order; of a single pass, the one of its first node.
    pub(super) loops: Vec<Arc<Region>>,
    pub(super) queues: Vec<Queue>,
}

impl LoopPlan {
    /// Checks a graph for runs of this mode.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(graph: &Graph, steps: &Steps, mode: Mode) -> Result<Self, LoopPlanError> {
        if graph.nodes.is_empty() {
            return Err(LoopPlanError::Graph(vec!["Workflow has no nodes".into()]));
        }
        let mut faults = Faults::default();
        let mut by_id = HashMap::new();
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let known = plan_node(node, steps, mode, &mut faults);
            if by_id.insert(node.id.clone(), nodes.len()).is_some() {
                faults.add(format!("Node id '{}' is used more than once", node.id));
            }
            nodes.push(known);
        }
        let mut ways = Ways {
            nodes: &nodes,
            by_id: &by_id,
            outs: vec![Vec::new(); nodes.len()],
            entered: vec![false; nodes.len()],
            links: Vec::new(),
        };
        ways.read(graph, &mut faults);
        let Ways {
            mut outs,
            entered,
            links,
            ..
        } = ways;
        faults.check()?;
        let mut nodes: Vec<PlanNode> = nodes.into_iter().flatten().collect();

        if mode != Mode::Api {
            for (node, outs) in nodes.iter().zip(&mut outs) {
                if node.def.kind == StepKind::NonBlocking {
                    outs.clear();
                }
            }
        }
        let mut budget = Budget::default();
        let cycle = cycles::break_bodies(&mut outs, &mut budget).map_err(too_large)?;
        if let Some(cycle) = cycle {
            return Err(LoopPlanError::Graph(vec![cycles::fault(&nodes, &cycle)]));
        }

        let mut queues = queues::Queues::default();
        let mut forms = match mode {
            Mode::Production => queues.map(&mut nodes, &links),
            Mode::Api | Mode::Development => Vec::new(),
        };
        queues::unready(&nodes, &mut forms);
        if !forms.is_empty() {
            return Err(LoopPlanError::Forms(forms));
        }

        let first = first(&nodes, &entered, mode);
        let roots: Vec<usize> = match mode {
            Mode::Production => (0..nodes.len())
                .filter(|n| nodes[*n].def.kind == StepKind::Producer)
                .collect(),
            Mode::Api => first.into_iter().collect(),
            Mode::Development => Vec::new(),
        };
        let mut plan = LoopPlan {
            mode,
            compat: steps.compat(),
            nodes,
            by_id,
            outs,
            first,
            loops: Vec::with_capacity(roots.len()),
            queues: Vec::new(),
        };
        plan.add_loops(roots, &mut budget)?;
        plan.queues = queues.count(&plan);
        Ok(plan)
    }

    fn add_loops(&mut self, roots: Vec<usize>, budget: &mut Budget) -> Result<(), LoopPlanError> {
        let mut steps = 0;
        for root in roots {
            let region = Region::of(self, root, false, budget).map_err(too_large)?;
            steps += region.nodes.len();
            if steps > MOST_STEPS {
                return Err(LoopPlanError::Graph(vec![format!(
                    "The loops of this workflow have more than {MOST_STEPS} steps together; nodes that several producers lead to count once for each of them"
                )]));
            }
            self.loops.push(Arc::new(region));
        }
        Ok(())
    }

    /// Checks one node and everything that can be reached from it, to run it while somebody builds the workflow.
    ///
    /// # Errors
    /// Everything that is wrong with that part.
    pub fn scoped(graph: &Graph, steps: &Steps, node_id: &str) -> Result<Self, LoopPlanError> {
        if !graph.nodes.iter().any(|n| *n.id == *node_id) {
            let fault = format!("Node not found: {node_id}");
            return Err(LoopPlanError::Graph(vec![fault]));
        }
        let mut outs: HashMap<&str, Vec<&str>> = HashMap::new();
        for edge in &graph.edges {
            outs.entry(&edge.source).or_default().push(&edge.target);
        }
        let mut scope = HashSet::from([node_id]);
        let mut open = vec![node_id];
        while let Some(at) = open.pop() {
            let next = outs.get(at).into_iter().flatten().copied();
            open.extend(next.filter(|to| scope.insert(to)));
        }
        let part = Graph {
            nodes: graph
                .nodes
                .iter()
                .filter(|n| scope.contains(&*n.id))
                .cloned()
                .collect(),
            edges: graph
                .edges
                .iter()
                .filter(|e| scope.contains(&*e.source))
                .cloned()
                .collect(),
            extra: graph.extra.clone(),
        };
        Self::build(&part, steps, Mode::Development)
    }

    /// The node a single pass begins with.
    pub fn first(&self) -> Option<&StepNode> {
        self.first.map(|n| &self.nodes[n].node)
    }

    /// All nodes, in document order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &StepNode> {
        self.nodes.iter().map(|n| &n.node)
    }

    /// What a node's step is made of, with the queue it got.
    pub fn config_of(&self, node_id: &str) -> Option<&StepConfig> {
        self.by_id.get(node_id).map(|n| &self.nodes[*n].config)
    }

    /// The type of a node.
    pub fn def_of(&self, node_id: &str) -> Option<&Arc<StepDef>> {
        self.by_id.get(node_id).map(|n| &self.nodes[*n].def)
    }

    /// The names of its queues.
    pub fn queue_names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.queues.iter().map(|q| &q.name)
    }

    pub(super) fn node(&self, at: usize) -> &PlanNode {
        &self.nodes[at]
    }

    /// The loop that begins with the first node.
    pub(super) fn single(&self) -> Result<Arc<Region>, String> {
        match (self.mode, self.loops.first(), self.first) {
            (Mode::Api, Some(region), _) => Ok(region.clone()),
            (_, _, Some(first)) => self.region(first, false),
            _ => Err("Workflow has no nodes".into()),
        }
    }

    /// The body of a loop node, with the node itself as its first.
    pub(super) fn body(&self, node_id: &str) -> Result<Arc<Region>, String> {
        let at = self.by_id.get(node_id);
        let at = *at.ok_or_else(|| format!("Node not found: {node_id}"))?;
        if self.nodes[at].def.kind != StepKind::Loop {
            return Err(format!("Node {node_id} is not a LoopNode (for-each)"));
        }
        self.region(at, true)
    }

    fn region(&self, root: usize, body_only: bool) -> Result<Arc<Region>, String> {
        let region = Region::of(self, root, body_only, &mut Budget::default());
        region.map(Arc::new).map_err(|e| e.to_string())
    }
}

fn too_large(e: TooLarge) -> LoopPlanError {
    LoopPlanError::Graph(vec![e.to_string()])
}

/// What is wrong so far.
#[derive(Default)]
struct Faults {
    told: Vec<String>,
    more: usize,
}

impl Faults {
    fn add(&mut self, fault: String) {
        if self.told.len() < MOST_FAULTS {
            self.told.push(fault);
        } else {
            self.more += 1;
        }
    }

    fn check(mut self) -> Result<(), LoopPlanError> {
        if self.told.is_empty() {
            return Ok(());
        }
        if self.more > 0 {
            self.told.push(format!("… and {} more faults", self.more));
        }
        Err(LoopPlanError::Graph(self.told))
    }
}

fn plan_node(node: &Node, steps: &Steps, mode: Mode, faults: &mut Faults) -> Option<PlanNode> {
    let prefix = Steps::PREFIX;
    let name = node.node_type.strip_prefix(prefix);
    let node_type: Arc<str> = name.map_or_else(|| node.node_type.clone(), Into::into);
    let Some(def) = steps.get(&node.node_type) else {
        let types: Vec<_> = steps
            .iter()
            .map(|d| format!("'{}'", d.identifier))
            .collect();
        faults.add(format!(
            "Unknown node type '{node_type}' for node id '{}'. Available types: [{}]",
            node.id,
            types.join(", ")
        ));
        return None;
    };
    let wanted = match mode {
        Mode::Production => Some("production"),
        Mode::Api => Some("api"),
        Mode::Development => None,
    };
    if let Some(wanted) = wanted.filter(|w| !def.supports.contains(w)) {
        faults.add(format!(
            "Node '{}': '{node_type}' cannot be part of {wanted} workflows, only of: {}",
            node.id,
            def.supports.join(", ")
        ));
    }
    let title = node.ui_properties.get("title").and_then(|t| t.as_str());
    let title = title.filter(|t| !t.is_empty()).map(Into::into);
    let title = title.or_else(|| def.label.clone());
    let config = node.extra.get("config").and_then(|c| c.as_map());
    Some(PlanNode {
        info: Arc::new(NodeInfo {
            id: node.id.clone(),
            title: title.unwrap_or_else(|| def.class.clone()),
            node_type: node_type.clone(),
            ..NodeInfo::default()
        }),
        node: StepNode {
            id: node.id.clone(),
            node_type,
        },
        config: StepConfig {
            id: node.id.clone(),
            form: node.data.clone(),
            config: config.cloned().unwrap_or_default(),
            compat: steps.compat(),
        },
        def,
        reads: None,
        writes: Vec::new(),
    })
}

/// The edges, while they are read.
struct Ways<'a> {
    nodes: &'a [Option<PlanNode>],
    by_id: &'a HashMap<Arc<str>, usize>,
    outs: Vec<Vec<Out>>,
    /// Whether any edge leads to the node.
    entered: Vec<bool>,
    /// From writers to readers.
    links: Vec<(usize, usize)>,
}

impl Ways<'_> {
    fn read(&mut self, graph: &Graph, faults: &mut Faults) {
        let mut seen = HashSet::new();
        for edge in &graph.edges {
            let (source, target) = (&edge.source, &edge.target);
            let ends = (self.by_id.get(source), self.by_id.get(target));
            let (Some(&from), Some(&to)) = ends else {
                let missing = if ends.0.is_none() { source } else { target };
                faults.add(format!(
                    "The connection from '{source}' to '{target}' names node '{missing}', which does not exist"
                ));
                continue;
            };
            if edge.kind == EdgeKind::Control {
                faults.add(format!(
                    "The connection from '{source}' to '{target}' is a control edge; loops have none"
                ));
                continue;
            }
            // Of nodes that are not known, all that can be said has been said.
            let (Some(a), Some(b)) = (&self.nodes[from], &self.nodes[to]) else {
                continue;
            };
            if b.def.kind == StepKind::Producer {
                if a.def.role == StepRole::QueueWriter && b.def.role == StepRole::QueueReader {
                    self.links.push((from, to));
                    self.entered[to] = true;
                } else {
                    faults.add(format!(
                        "Node '{target}' ({}) begins a loop and takes no input; the connection from '{source}' has to go",
                        b.node.node_type
                    ));
                }
                continue;
            }
            let handle = handle(a.def.kind, &edge.source_handle);
            if seen.insert((from, to, handle.clone())) {
                self.entered[to] = true;
                self.add(from, Out { handle, to });
            }
        }
    }

    fn add(&mut self, from: usize, out: Out) {
        let outs = &mut self.outs[from];
        if *out.handle != *BODY {
            outs.push(out);
        } else if outs.first().is_none_or(|o| *o.handle != *BODY) {
            // A body has one entry, the first one drawn; it is run before what comes after it.
            outs.insert(0, out);
        }
    }
}

/// The way out that a handle in the document means.
fn handle(kind: StepKind, handle: &str) -> Arc<str> {
    let handle = handle.trim().to_lowercase();
    match kind {
        StepKind::Conditional | StepKind::Loop if !handle.is_empty() => handle.into(),
        // These have one way out, whatever name the other editor gives it.
        _ => DEFAULT.into(),
    }
}

/// The node a single pass begins with.
fn first(nodes: &[PlanNode], entered: &[bool], mode: Mode) -> Option<usize> {
    let all = 0..nodes.len();
    let mut roots = all.clone().filter(|n| !entered[*n]);
    if mode == Mode::Api {
        let is_webhook = |n: &usize| nodes[*n].def.role == StepRole::Webhook;
        let mut webhooks = roots.clone().filter(is_webhook);
        if let (Some(only), None) = (webhooks.next(), webhooks.next()) {
            return Some(only);
        }
    }
    let is_producer = |n: &usize| nodes[*n].def.kind == StepKind::Producer;
    roots
        .next()
        .or_else(|| all.clone().find(is_producer))
        .or_else(|| all.clone().next())
}
