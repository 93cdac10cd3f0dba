//! What this process offers to nodes, put together once.

use std::path::Path;
use std::sync::Arc;

use nodetool_sdk::Registry;
use nodetool_sdk::services::Services;

use crate::config::Config;
use crate::services::{LocalAssets, SandboxedScripts};

/// Every node type of this binary.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    nodetool_nodes::register(&mut registry);
    registry
}

/// The services of nodes; assets live under the given folder.
pub(crate) fn services(_config: &Config, assets: &Path) -> anyhow::Result<Services> {
    Ok(Services {
        assets: Arc::new(LocalAssets::new(assets.to_owned())),
        scripts: Arc::new(SandboxedScripts::new()?),
        ..Services::none()
    })
}
