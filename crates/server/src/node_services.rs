//! What this process offers to nodes, put together once.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use nodetool_sdk::Registry;
use nodetool_sdk::services::Services;
use nodetool_sdk::steps::{Compat, Steps};

use crate::outbound::{Outbound, OutboundOptions};
use crate::services::{DocumentPages, MachinePrograms, SandboxedScripts, ScratchAssets};

/// Every node type of this binary.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    nodetool_nodes::register(&mut registry);
    let mut steps = Steps::default();
    nodetool_orchestrator::register(&mut steps);
    nodetool_orchestrator::dataflow(&steps, &mut registry);
    registry
}

/// Every step type of this binary, in this profile; what is none may be one of these nodes.
pub(crate) fn steps(registry: &Arc<Registry>, compat: Compat) -> Steps {
    let mut steps = nodetool_orchestrator::steps(registry);
    steps.set_compat(compat);
    steps
}

/// What the services of nodes are made of.
#[derive(Clone, Debug)]
pub struct NodeServices {
    /// The `nodetool` program, which is its own script sandbox.
    pub program: PathBuf,
    /// Folder of assets where no server gives each run those of its user.
    pub assets: PathBuf,
    /// Hosts and networks that nodes may call although they are private.
    pub allow_hosts: Vec<String>,
    /// Folders of programs that nodes may have run, as PATH names them.
    pub search_path: OsString,
}

impl NodeServices {
    /// The services; fails when an allowed host is none.
    pub fn build(self) -> anyhow::Result<Services> {
        let options = OutboundOptions {
            allow: self.allow_hosts,
            ..OutboundOptions::default()
        };
        let outbound = Arc::new(Outbound::new(options)?);
        Ok(Services {
            assets: Arc::new(ScratchAssets::new(self.assets)),
            documents: Arc::new(DocumentPages),
            programs: Arc::new(MachinePrograms::new(self.search_path)),
            http: outbound.clone(),
            dial: outbound,
            scripts: Arc::new(SandboxedScripts::new(self.program)),
            ..Services::none()
        })
    }
}
