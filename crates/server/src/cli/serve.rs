//! `nodetool serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nodetool_store::{DeadOwner, Options, Store, now_micros};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat, Overrides, private_folder};
use crate::http::{self, App, Surface};
use crate::node_services::{self, NodeServices};
use crate::services::{Changes, Feeds, JobService, JobServiceParts, Limits, WorkflowService};

/// Start the server
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Overrides,
}

impl Serve {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let started = Instant::now();
        let config = Config::load(self.settings)?;
        log_to_stderr(&config)?;
        let runtime = super::runtime()?;
        let result = runtime.block_on(serve(config, started));
        runtime.shutdown_timeout(Duration::from_secs(1));
        result.map(|()| ExitCode::SUCCESS)
    }
}

fn log_to_stderr(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log)
        .with_context(|| format!("--log {}: not a log filter", config.log))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    let set = match config.log_format {
        LogFormat::Pretty => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(ansi).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    set.map_err(|e| anyhow::anyhow!("cannot start logging: {e}"))
}

async fn serve(config: Config, started: Instant) -> anyhow::Result<()> {
    private_folder(&config.data_dir)?;
    private_folder(&config.workspace())?;
    let _owned = own_folder(&config)?;
    let store =
        Store::open(&config.database(), Options::default()).context("cannot open the database")?;
    let interrupted = store
        .fail_interrupted_jobs(DeadOwner::SilentSince(now_micros()), now_micros())
        .await?;
    if interrupted > 0 {
        tracing::warn!(
            jobs = interrupted,
            "jobs of an earlier process were still running; they are marked failed"
        );
    }
    let (router, jobs) = house(&config, &store, started)?;
    let address = format!("{}:{}", bracketed(&config.host), config.port);
    let listener = TcpListener::bind(&address).await.with_context(|| {
        format!("cannot listen on {address}; --host and --port choose another address")
    })?;
    let local: SocketAddr = listener.local_addr()?;
    if !local.ip().is_loopback() {
        tracing::warn!(http.address = %local, "listening beyond this machine, without accounts: anybody who reaches this address can run workflows");
    }
    tracing::info!(
        data = %config.data_dir.display(),
        "NodeTool {} listens on http://{local} ({:.0} ms)",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_secs_f64() * 1000.0
    );
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(error = %e, "TCP_NODELAY could not be set");
        }
    });
    let grace = Duration::from_secs(config.shutdown_seconds);
    let (told, mut stopping) = tokio::sync::watch::channel(None);
    let server = axum::serve(
        listener,
        axum::ServiceExt::<axum::extract::Request>::into_make_service(router),
    )
    .with_graceful_shutdown(async move {
        stop_signal().await;
        tracing::info!(
            "stopping: no new requests; those at work get {} s",
            grace.as_secs()
        );
        told.send_replace(Some(Instant::now()));
    });
    let mut since = stopping.clone();
    tokio::select! {
        ended = server => ended?,
        () = async {
            // Fails only if the server has gone, and then the other branch ends this.
            let _ = stopping.wait_for(Option::is_some).await;
            jobs.shut_down(grace).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        } => tracing::warn!("some connections did not end in time; they are cut"),
    }
    // Runs whose client has gone hold no connection; what is left of the time is theirs, too.
    let waited = since.borrow_and_update().map_or(grace, |t| t.elapsed());
    jobs.shut_down(grace.saturating_sub(waited)).await;
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Services and routes over a store.
fn house(
    config: &Config,
    store: &Store,
    started: Instant,
) -> anyhow::Result<(Surface, JobService)> {
    let registry = Arc::new(node_services::registry());
    let listed: Vec<_> = registry
        .iter()
        .filter(|d| !d.hidden)
        .map(|d| &d.metadata)
        .collect();
    let metadata = serde_json::to_vec(&listed)?.into();
    let node_services = NodeServices {
        program: std::env::current_exe()?,
        assets: config.assets(),
        allow_hosts: config.allow_hosts.clone(),
    };
    let changes = Changes::default();
    let workflows = WorkflowService::new(store.clone(), registry, changes.clone());
    let jobs = JobService::new(JobServiceParts {
        store: store.clone(),
        workflows: workflows.clone(),
        services: node_services.build()?,
        workspace: config.workspace(),
        changes: changes.clone(),
        feeds: Feeds::default(),
        limits: Limits::default(),
    });
    let app = App {
        workflows,
        jobs: jobs.clone(),
        changes,
        metadata,
        started,
    };
    Ok((http::surface(Arc::new(app)), jobs))
}

/// Takes the data folder for this process: two servers on one folder would each hold plans the other has changed.
fn own_folder(config: &Config) -> anyhow::Result<std::fs::File> {
    let path = config.data_dir.join("server.lock");
    let file = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "another server uses the data folder {}; name another one with --data-dir",
                config.data_dir.display()
            )
        }
        Err(std::fs::TryLockError::Error(e)) => Err(e).context("cannot lock the data folder"),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
