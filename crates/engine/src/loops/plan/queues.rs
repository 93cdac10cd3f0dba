//! Queues belong to their readers: every writer that is connected to one, or names it, fills it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nodetool_sdk::Value;
use nodetool_sdk::steps::{FormFaults, StepRole};

use super::{LoopPlan, NodeFaults, PlanNode};

/// Where writers and readers find the name of their queue.
const FIELD: &str = "queue_name";
/// A name that says nothing.
const UNNAMED: &str = "default";

/// One queue of a run.
#[derive(Debug)]
pub(in crate::loops) struct Queue {
    pub(in crate::loops) name: Arc<str>,
    /// Steps that fill it and end: one for each loop that leads to a writer.
    pub(in crate::loops) writers: usize,
}

/// The queues, while they are mapped.
#[derive(Default)]
pub(super) struct Queues {
    names: Vec<Arc<str>>,
}

impl Queues {
    /// Gives each reader its queue and each writer those it fills.
    pub(super) fn map(
        &mut self,
        nodes: &mut [PlanNode],
        links: &[(usize, usize)],
    ) -> Vec<NodeFaults> {
        let mut faults = Vec::new();
        let linked: HashSet<usize> = links.iter().map(|(_, reader)| *reader).collect();
        let mut fills: HashMap<usize, Vec<usize>> = HashMap::new();
        for (writer, reader) in links {
            fills.entry(*writer).or_default().push(*reader);
        }
        let mut readers: HashMap<Arc<str>, (usize, Arc<str>)> = HashMap::new();
        for (at, node) in nodes.iter_mut().enumerate() {
            if node.def.role != StepRole::QueueReader {
                continue;
            }
            let own = named(node);
            let id = node.node.id.clone();
            let given = || linked.contains(&at).then(|| format!("queue_{id}").into());
            let Some(name) = own.or_else(given) else {
                faults.push(fault(&id, "This field is required.".into()));
                continue;
            };
            if let Some((_, other)) = readers.get(&name) {
                let text = format!("Node '{other}' already reads the queue '{name}'.");
                faults.push(fault(&id, text));
                continue;
            }
            readers.insert(name.clone(), (self.names.len(), id));
            node.reads = Some(self.names.len());
            set(node, &name);
            self.names.push(name);
        }
        for at in 0..nodes.len() {
            if nodes[at].def.role != StepRole::QueueWriter {
                continue;
            }
            let mut seen = HashSet::new();
            let mine = fills.get(&at).into_iter().flatten();
            let mine = mine.filter_map(|reader| nodes[*reader].reads);
            let mut writes: Vec<usize> = mine.filter(|queue| seen.insert(*queue)).collect();
            if let Some(name) = named(&nodes[at]) {
                match readers.get(&name) {
                    Some((queue, _)) if seen.insert(*queue) => writes.push(*queue),
                    None if writes.is_empty() => {
                        let text = format!("No node of this workflow reads the queue '{name}'.");
                        faults.push(fault(&nodes[at].node.id, text));
                    }
                    _ => {}
                }
            } else if let Some(queue) = writes.first() {
                let name = self.names[*queue].clone();
                set(&mut nodes[at], &name);
            }
            nodes[at].writes = writes;
        }
        faults
    }

    /// Counts who fills them. A writer in the reader's own loop does not keep that loop from ending.
    pub(super) fn count(self, plan: &LoopPlan) -> Vec<Queue> {
        let names = self.names.into_iter();
        let mut queues: Vec<Queue> = names.map(|name| Queue { name, writers: 0 }).collect();
        for region in &plan.loops {
            let producer = region.nodes.first().map(|n| &plan.nodes[n.at]);
            let own = producer.and_then(|p| p.reads);
            for local in &region.nodes {
                for queue in &plan.nodes[local.at].writes {
                    if Some(*queue) != own {
                        queues[*queue].writers += 1;
                    }
                }
            }
        }
        queues
    }
}

/// Asks every step whether its form can be used, and adds the faults to those that are known.
pub(super) fn unready(nodes: &[PlanNode], known: &mut Vec<NodeFaults>) {
    let places = known.iter().enumerate();
    let places: HashMap<Arc<str>, usize> = places.map(|(at, n)| (n.node_id.clone(), at)).collect();
    for node in nodes {
        let step = (node.def.make)(node.config.clone());
        let Err(faults) = step.ready() else {
            continue;
        };
        let id = &node.node.id;
        match places.get(id) {
            Some(at) => known[*at].faults.fields.extend(faults.fields),
            None => known.push(NodeFaults {
                node_id: id.clone(),
                faults: *faults,
            }),
        }
    }
}

fn named(node: &PlanNode) -> Option<Arc<str>> {
    let name = node.config.config.get(FIELD).and_then(Value::as_str)?;
    let name = name.trim();
    (!name.is_empty() && name != UNNAMED).then(|| name.into())
}

fn set(node: &mut PlanNode, name: &Arc<str>) {
    let config = &mut node.config.config;
    config.insert(FIELD.into(), Value::Str(name.clone()));
}

fn fault(node_id: &Arc<str>, message: String) -> NodeFaults {
    NodeFaults {
        node_id: node_id.clone(),
        faults: FormFaults {
            fields: vec![(FIELD.into(), vec![message])],
            readiness: true,
            schema: None,
        },
    }
}
