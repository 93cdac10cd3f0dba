//! Packages of nodes. All nodes are built into this program, so there is one package, and it cannot be changed.

use std::sync::Arc;

use nodetool_protocol::NodeMetadata;
use nodetool_sdk::Registry;

/// The name of the built-in package.
pub(crate) const BUILT_IN: &str = "nodetool";

/// Looks into the registry of nodes.
#[derive(Clone)]
pub(crate) struct PackageService {
    registry: Arc<Registry>,
}

impl PackageService {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        PackageService { registry }
    }

    fn shown(&self) -> impl Iterator<Item = &NodeMetadata> {
        let shown = self.registry.iter().filter(|def| !def.hidden);
        shown.map(|def| &def.metadata)
    }

    /// The namespaces of the built-in nodes.
    pub(crate) fn namespaces(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.shown().map(|node| node.namespace.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The nodes in which every word of a query occurs, whatever its case; all nodes for an empty query.
    pub(crate) fn search(&self, query: &str) -> Vec<&NodeMetadata> {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let matches = |node: &&NodeMetadata| {
            let text = [&node.title, &node.description, &node.node_type]
                .map(|text| text.to_lowercase())
                .join("\n");
            words.iter().all(|word| text.contains(word))
        };
        self.shown().filter(matches).collect()
    }

    /// Whether a node type is built in, under this or an older name.
    pub(crate) fn knows(&self, node_type: &str) -> bool {
        self.registry.get(node_type).is_some()
    }
}
