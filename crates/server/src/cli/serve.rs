//! `nodetool serve`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use nodetool_store::{Options, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::folder;
use super::house::{House, front, house};
use super::workflow_files::WorkflowFiles;
use crate::config::{Config, Environment, Mode, Overrides, private_folder};
use crate::extensions::Extension;
use crate::http::Extent;
use crate::listener::{self, Limits, Places, Port, Proxies, Tls};
use crate::services::{Recovery, Retention, WorkflowFile, retention};
use crate::surfaces::{self, Choices, Families};
use crate::telemetry;

/// Start the server
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// Be a deployed server: private mode, unless --mode says otherwise
    #[arg(long)]
    production: bool,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    settings: Overrides,
}

/// Start a server for others: private mode on every address of this machine
#[derive(Debug, clap::Args)]
pub(super) struct Worker {
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    workflows: WorkflowFiles,
    #[command(flatten)]
    settings: Overrides,
}

impl Serve {
    pub(super) fn main(mut self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        if self.production {
            self.settings.mode.get_or_insert(Mode::Private);
        }
        main(
            Config::load(self.settings)?,
            &self.choices,
            extensions,
            Vec::new(),
        )
    }
}

impl Worker {
    pub(super) fn main(mut self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        self.settings.mode.get_or_insert(Mode::Private);
        self.settings
            .host
            .get_or_insert_with(|| "0.0.0.0".to_owned());
        // Whoever can connect may do without a token, which the guard of the address leaves to this machine.
        let config = Config {
            tokenless: true,
            ..Config::load(self.settings)?
        };
        main(config, &self.choices, extensions, self.workflows.read()?)
    }
}

fn main(
    mut config: Config,
    choices: &Choices,
    extensions: Vec<Extension>,
    files: Vec<WorkflowFile>,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    config.secrets = super::environment::secrets();
    let families = Families::chosen(config.mode, choices);
    surfaces::guard(&config, &families)?;
    let runtime = super::runtime()?;
    // Whatever is wrong with the settings is told before anything is touched.
    let extent = Extent {
        families,
        front: front(&config, &extensions)?,
        extensions,
    };
    let entries = runtime.block_on(Entries::of(&config))?;
    let telemetry = telemetry::start(&config, runtime.handle())?;
    let result = runtime.block_on(serve(config, extent, entries, started, files));
    telemetry.finish();
    runtime.shutdown_timeout(Duration::from_secs(1));
    result.map(|()| ExitCode::SUCCESS)
}

/// Where and how a server listens.
pub(super) struct Entries {
    pub(super) places: Places,
    pub(super) tls: Option<Tls>,
    pub(super) proxies: Proxies,
}

impl Entries {
    pub(super) async fn of(config: &Config) -> anyhow::Result<Self> {
        Ok(Entries {
            places: Places::of(config).await?,
            tls: Tls::open(&config.tls_cert, &config.tls_key)?,
            proxies: Proxies::parse(&config.trusted_proxies)?,
        })
    }
}

async fn serve(
    config: Config,
    extent: Extent,
    entries: Entries,
    started: Instant,
    files: Vec<WorkflowFile>,
) -> anyhow::Result<()> {
    let asked_to_stop = stop_signal().context("cannot listen for signals")?;
    let Entries {
        places,
        tls,
        proxies,
    } = entries;
    if let Some(tls) = &tls {
        tls.warn_of_readers();
    }
    private_folder(&config.data_dir)?;
    private_folder(&config.workspace())?;
    let _owned = own_folder(&config)?;
    let store =
        Store::open(&config.database(), Options::default()).context("cannot open the database")?;
    let House {
        router,
        jobs,
        loops,
        chat,
        triggers,
        sockets,
        assets,
        changes,
        downloads,
        oauth,
        browsers,
        ledger,
    } = house(&config, &store, started, extent, files)?;
    assets.check().await.map_err(anyhow::Error::msg)?;
    let left = jobs.recover(config.recovery).await?;
    if left > 0 {
        let what = match config.recovery {
            Recovery::Resume => "they go on",
            Recovery::Fail => "they are marked failed",
        };
        tracing::warn!(
            jobs = left,
            "jobs of an earlier process were still at work; {what}"
        );
    }
    let (left, begun) = loops.recover().await?;
    if left > 0 {
        tracing::warn!(
            workflows = left,
            begun,
            "workflows of an earlier process were still running; they are marked failed, and those that restart on boot begin again"
        );
    }
    if config.environment == Environment::Production && config.admin_token.is_none() {
        tracing::warn!(
            "ADMIN_TOKEN is not set: the routes under /admin are off, unless the provider of accounts has administrators"
        );
    }
    let open = |origin: &String| matches!(origin.trim(), "*" | "null" | "file:" | "file://");
    if !config.auth_provider.enforced() && config.cors_origins.iter().any(open) {
        tracing::warn!(
            "CORS_ORIGINS lets pages of every site in, and nobody has to show a token: whatever page is open in a browser here may use this server"
        );
    }
    // Ends with this function.
    let mut housework = JoinSet::new();
    housework.spawn(retention::keep_house(
        store.clone(),
        jobs.feeds().clone(),
        Retention {
            days: config.job_retention_days,
            mib: config.job_retention_mib,
        },
    ));
    housework.spawn(assets.clone().tend());
    housework.spawn(changes.deliver());
    let (mut ports, addresses) = places.open(&config, tls.as_ref()).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let shown: Vec<String> = addresses
        .iter()
        .map(|a| format!("{scheme}://{a}"))
        .collect();
    oauth.listens_on(addresses[0].port());
    let mut inside = addresses[0];
    if tls.is_some() || !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        // A terminal that closes ends what runs in it; a supervisor that asks to read files again does not.
        housework.spawn(reload(signal(SignalKind::hangup())?, tls.clone()));
    }
    if tls.is_some() {
        // Commands on this machine know the server by no name that a certificate could have.
        let (port, address) = Port::inside().await?;
        ports.push(port);
        inside = address;
    }
    // Commands on this machine find the server by it; gone with this function, before the folder is let go.
    let _announced = folder::announce(&config.data_dir, inside);
    tracing::info!(
        data = %config.data_dir.display(),
        "NodeTool {} listens on {} ({:.0} ms)",
        env!("CARGO_PKG_VERSION"),
        shown.join(" and "),
        started.elapsed().as_secs_f64() * 1000.0
    );
    let grace = Duration::from_secs(config.shutdown_seconds);
    let closing = sockets.clone();
    let ending = downloads.clone();
    let (told, mut stopping) = tokio::sync::watch::channel(None);
    let server = listener::serve(ports, router, Limits::of(&config), proxies, async move {
        asked_to_stop.await;
        tracing::info!(
            "stopping: no new requests; those at work get {} s",
            grace.as_secs()
        );
        told.send_replace(Some(Instant::now()));
        closing.close_all();
        ending.stop();
    });
    let mut since = stopping.clone();
    tokio::select! {
        () = server => {}
        () = async {
            // Fails only if the server has gone, and then the other branch ends this.
            let _ = stopping.wait_for(Option::is_some).await;
            triggers.shut_down().await;
            chat.shut_down(grace).await;
            jobs.shut_down(grace).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        } => tracing::warn!("some connections did not end in time; they are cut"),
    }
    triggers.shut_down().await;
    downloads.shut_down(Duration::from_secs(3)).await;
    sockets.closed(Duration::from_secs(3)).await;
    // Runs whose client has gone hold no connection; what is left of the time is theirs, too.
    let waited = since.borrow_and_update().map_or(grace, |t| t.elapsed());
    // Before the jobs: a turn may wait for one.
    chat.shut_down(grace.saturating_sub(waited)).await;
    let waited = since.borrow_and_update().map_or(grace, |t| t.elapsed());
    jobs.shut_down(grace.saturating_sub(waited)).await;
    loops.shut_down().await;
    browsers.shut_down(Duration::from_secs(5)).await;
    ledger.closed().await;
    housework.shutdown().await;
    assets.close().await;
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Reads again what is read from files, whenever that is asked for.
pub(super) async fn reload(mut asked: Signal, tls: Option<Tls>) {
    while asked.recv().await.is_some() {
        match &tls {
            Some(tls) => tls.reload().await,
            None => tracing::info!("asked to read files again: there are no certificates to read"),
        }
    }
}

/// Takes the data folder for this process: two servers on one folder would each hold plans the other has changed.
fn own_folder(config: &Config) -> anyhow::Result<std::fs::File> {
    folder::own(&config.data_dir)?.with_context(|| {
        format!(
            "another server uses the data folder {}; name another one with --data-dir",
            config.data_dir.display()
        )
    })
}

/// Resolves when the process is asked to stop; listens from this call on, so that none of it is missed.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
