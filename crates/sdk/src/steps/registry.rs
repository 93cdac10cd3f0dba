//! Step types by identifier.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Compat, StepDef};

/// Makes steps of what is not a step type of its own.
type Other = dyn Fn(&str) -> Option<Arc<StepDef>> + Send + Sync;

/// All step types of a server, in registration order.
#[derive(Clone, Default)]
pub struct Steps {
    defs: Vec<Arc<StepDef>>,
    by_name: HashMap<Arc<str>, usize>,
    other: Option<Arc<Other>>,
    compat: Compat,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.defs).finish()
    }
}

impl Steps {
    /// Prefix of step types in graphs.
    pub const PREFIX: &'static str = "orchestrator.";

    /// Adds a type. Two of one name are a defect of ours.
    pub fn add(&mut self, def: StepDef) {
        let name = def.identifier.clone();
        let before = self.by_name.insert(name.clone(), self.defs.len());
        assert!(before.is_none(), "step type `{name}` is registered twice");
        self.defs.push(Arc::new(def));
    }

    /// Makes `alias` another name of a type that is there.
    pub fn alias(&mut self, alias: &str, identifier: &str) {
        if let Some(at) = self.by_name.get(identifier).copied() {
            self.by_name.insert(alias.into(), at);
        }
    }

    /// Where types come from that are no step types of their own.
    pub fn set_other(&mut self, other: Arc<Other>) {
        self.other = Some(other);
    }

    /// Chooses the profile that loops of these steps follow.
    pub fn set_compat(&mut self, compat: Compat) {
        self.compat = compat;
    }

    /// The profile that loops of these steps follow.
    pub fn compat(&self) -> Compat {
        self.compat
    }

    /// The type a graph names, with or without prefix.
    pub fn get(&self, node_type: &str) -> Option<Arc<StepDef>> {
        let name = node_type.strip_prefix(Self::PREFIX).unwrap_or(node_type);
        match self.by_name.get(name) {
            Some(at) => self.defs.get(*at).cloned(),
            None => self.other.as_ref()?(node_type),
        }
    }

    /// All types of their own, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<StepDef>> {
        self.defs.iter()
    }
}
