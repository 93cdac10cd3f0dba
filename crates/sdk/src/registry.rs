//! Node types by name: an explicit list that can be read, grepped and compared with the reference catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use crate::definition::SharedDef;
use crate::{Node, NodeDef};

/// All node types of a server, in registration order.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    defs: Vec<SharedDef>,
    by_name: HashMap<Arc<str>, usize>,
    aliases: HashMap<Arc<str>, Arc<str>>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node struct.
    pub fn add<N: Node>(&mut self) {
        self.add_def(N::definition());
    }

    /// Adds a definition. Two of one name are a defect of ours.
    pub fn add_def(&mut self, def: NodeDef) {
        let name: Arc<str> = def.metadata.node_type.as_str().into();
        let before = self.by_name.insert(name.clone(), self.defs.len());
        assert!(before.is_none(), "node type `{name}` is registered twice");
        self.defs.push(Arc::new(def));
    }

    /// Makes `old` another name of the type `new`.
    pub fn alias(&mut self, old: &str, new: &str) {
        self.aliases.insert(old.into(), new.into());
    }

    /// The definition of a type: by its name, by an alias, or with the trailing `Node` some files carry.
    pub fn get(&self, node_type: &str) -> Option<&SharedDef> {
        let name = self.aliases.get(node_type).map_or(node_type, |n| n);
        let index = self
            .by_name
            .get(name)
            .or_else(|| self.by_name.get(name.strip_suffix("Node")?))?;
        self.defs.get(*index)
    }

    /// All definitions in order.
    pub fn iter(&self) -> impl Iterator<Item = &SharedDef> {
        self.defs.iter()
    }

    /// How many types there are.
    pub fn len(&self) -> usize {
        self.defs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.defs.is_empty()
    }
}
