//! `nodetool chat-server`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::serve::{Entries, reload, stop_signal};
use super::workflow_files::WorkflowFiles;
use crate::config::{Config, Environment, Overrides};
use crate::http::{self, Door, OpenAiParts, OpenAiState, Origins};
use crate::listener::{self, Limits};
use crate::node_services::NodeServices;
use crate::services::{
    Accounts, FailedLogins, Keys, Ledger, ModelParts, ModelService, WorkflowFile, WorkflowModels,
};
use crate::telemetry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

const PORT: u16 = 8080;

/// Start a server of the OpenAI-compatible routes and nothing else
#[derive(Debug, clap::Args)]
pub(super) struct ChatServer {
    #[command(flatten)]
    workflows: WorkflowFiles,
    #[command(flatten)]
    settings: Overrides,
}

impl ChatServer {
    pub(super) fn main(mut self) -> anyhow::Result<ExitCode> {
        let started = Instant::now();
        self.settings.port.get_or_insert(PORT);
        // It keeps nothing, unless it is told where.
        self.settings
            .audit_log
            .get_or_insert_with(|| "off".to_owned());
        let mut config = Config::load(self.settings)?;
        config.secrets = super::environment::secrets();
        let files = self.workflows.read()?;
        let runtime = super::runtime()?;
        let entries = runtime.block_on(Entries::of(&config))?;
        let telemetry = telemetry::start(&config, runtime.handle())?;
        let result = runtime.block_on(serve(config, entries, started, files));
        telemetry.finish();
        runtime.shutdown_timeout(Duration::from_secs(1));
        result.map(|()| ExitCode::SUCCESS)
    }
}

/// What the routes work with: keys of the environment, and workflow files that run in this process. The folder holds what
/// their nodes make.
fn chat(config: &Config, files: Vec<WorkflowFile>, folder: &Path) -> anyhow::Result<OpenAiState> {
    let settings = config.model_settings()?;
    let secrets = super::environment::with_own_keys(&config.secrets, &settings);
    let models = ModelService::new(ModelParts {
        settings,
        keys: Keys::Given(Arc::new(secrets)),
        chosen: None,
        ledger: Ledger::default(),
    });
    let models = models.context("cannot set up the client of model providers")?;
    let node_services = NodeServices {
        program: std::env::current_exe()?,
        assets: folder.to_owned(),
        allow_hosts: config.allow_hosts.clone(),
        search_path: super::environment::search_path(),
    };
    let workflows = WorkflowModels::files(node_services.build()?, models.clone(), files)?;
    Ok(OpenAiState::new(OpenAiParts {
        models,
        workflows,
        body_limit: config.graph_limit,
        stream_by_default: config.chat_stream_default,
    }))
}

async fn serve(
    config: Config,
    entries: Entries,
    started: Instant,
    files: Vec<WorkflowFile>,
) -> anyhow::Result<()> {
    // Gone with this function.
    let folder = tempfile::tempdir().context("cannot make a folder for what workflows make")?;
    let chat = chat(&config, files, folder.path())?;
    let asked_to_stop = stop_signal()?;
    let Entries {
        places,
        tls,
        proxies,
    } = entries;
    let door = Arc::new(Door {
        accounts: Accounts::open(&config, None)?,
        origins: Origins::of(&config)?,
        admin_token: None,
        production: config.environment == Environment::Production,
        public_storage: false,
        failed_logins: FailedLogins::new(config.auth_failures_per_minute),
    });
    let (ports, addresses) = places.open(&config, tls.as_ref()).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let shown: Vec<String> = addresses
        .iter()
        .map(|a| format!("{scheme}://{a}"))
        .collect();
    // Ends with this function.
    let mut housework = JoinSet::new();
    housework.spawn(reload(signal(SignalKind::hangup())?, tls));
    tracing::info!(
        "NodeTool {} chat server listens on {} ({:.0} ms)",
        env!("CARGO_PKG_VERSION"),
        shown.join(" and "),
        started.elapsed().as_secs_f64() * 1000.0
    );
    let surface = http::chat_surface(door, chat, !config.disable_docs);
    listener::serve(ports, surface, Limits::of(&config), proxies, async {
        asked_to_stop.await;
        tracing::info!("stopping: no new requests");
    })
    .await;
    tracing::info!("stopped");
    Ok(())
}
