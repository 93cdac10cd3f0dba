//! `nodetool serve`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nodetool_store::{Options, Store};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use super::folder;
use crate::config::{Config, Environment, Mode, Overrides, private_folder};
use crate::extensions::{self, Extension, ExtensionAuth};
use crate::http::{
    self, App, BodyLimits, Catalogue, Door, Extent, Front, NumbersAccess, Origins, Rates, Surface,
};
use crate::listener::{self, Limits as Bounds, Places, Port, Proxies, Tls};
use crate::node_services::{self, NodeServices};
use crate::services::downloads::{DownloadService, Ollama};
use crate::services::{
    Accounts, AssetService, AutosaveSettings, Changes, ExampleService, FailedLogins, Feeds,
    FileService, JobService, JobServiceParts, Kept, Limits, MachineFolders, MachineService,
    MetricsService, OAuthService, OAuthSettings, PackageService, PredictionService, Recovery,
    Retention, Safe, SecretsParts, SecretsService, SettingsService, Shelving, Site,
    TerminalSettings, Terminals, ThreadService, TriggerService, TriggerServiceParts,
    VersionService, Windows, WorkflowService, WorkspaceRules, WorkspaceService,
    is_passed_to_shells, retention, saves,
};
use crate::surfaces::{self, Choices, Families};
use crate::telemetry;
use crate::ws::{SocketParts, Sockets};

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
    settings: Overrides,
}

impl Serve {
    pub(super) fn main(mut self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        if self.production {
            self.settings.mode.get_or_insert(Mode::Private);
        }
        main(Config::load(self.settings)?, &self.choices, extensions)
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
        main(config, &self.choices, extensions)
    }
}

fn main(config: Config, choices: &Choices, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let families = Families::chosen(config.mode, choices);
    surfaces::guard(&config, &families)?;
    let runtime = super::runtime()?;
    let telemetry = telemetry::start(&config, runtime.handle())?;
    let result = runtime.block_on(serve(config, families, started, extensions));
    telemetry.finish();
    runtime.shutdown_timeout(Duration::from_secs(1));
    result.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    config: Config,
    families: Families,
    started: Instant,
    extensions: Vec<Extension>,
) -> anyhow::Result<()> {
    let asked_to_stop = stop_signal().context("cannot listen for signals")?;
    let extent = Extent {
        families,
        front: front(&config, &extensions)?,
        extensions,
    };
    let places = Places::of(&config).await?;
    let tls = Tls::open(&config.tls_cert, &config.tls_key)?;
    let proxies = Proxies::parse(&config.trusted_proxies)?;
    private_folder(&config.data_dir)?;
    private_folder(&config.workspace())?;
    let _owned = own_folder(&config)?;
    let store =
        Store::open(&config.database(), Options::default()).context("cannot open the database")?;
    let House {
        router,
        jobs,
        triggers,
        sockets,
        assets,
        changes,
        downloads,
        oauth,
    } = house(&config, &store, started, extent)?;
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
    housework.spawn(assets.tend());
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
    let server = listener::serve(ports, router, Bounds::of(&config), proxies, async move {
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
            jobs.shut_down(grace).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        } => tracing::warn!("some connections did not end in time; they are cut"),
    }
    triggers.shut_down().await;
    downloads.shut_down(Duration::from_secs(3)).await;
    sockets.closed(Duration::from_secs(3)).await;
    // Runs whose client has gone hold no connection; what is left of the time is theirs, too.
    let waited = since.borrow_and_update().map_or(grace, |t| t.elapsed());
    jobs.shut_down(grace.saturating_sub(waited)).await;
    housework.shutdown().await;
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// What is there beside the API; its faults are told before anything is touched.
pub(super) fn front(config: &Config, extensions: &[Extension]) -> anyhow::Result<Front> {
    let site = match &config.static_folder {
        folder if folder.as_os_str().is_empty() => None,
        folder => Some(Site::open(folder).with_context(|| {
            format!(
                "cannot serve the web UI from the folder {} (--static-folder)",
                folder.display()
            )
        })?),
    };
    Ok(Front {
        site,
        docs: !config.disable_docs,
        extensions: extensions::first_parts(extensions)?,
        open_extensions: extensions
            .iter()
            .filter(|e| e.auth == ExtensionAuth::Public)
            .map(|e| e.prefix.clone())
            .collect(),
    })
}

/// What serves, and what has to end in order.
pub(super) struct House {
    pub(super) router: Surface,
    pub(super) jobs: JobService,
    pub(super) triggers: TriggerService,
    pub(super) sockets: Sockets,
    pub(super) assets: AssetService,
    pub(super) changes: Changes,
    pub(super) oauth: OAuthService,
    pub(super) downloads: DownloadService,
}

/// Services and routes over a store.
pub(super) fn house(
    config: &Config,
    store: &Store,
    started: Instant,
    extent: Extent,
) -> anyhow::Result<House> {
    let changes = Changes::default();
    let assets = AssetService::open(
        store.clone(),
        &config.assets(),
        changes.clone(),
        config.upload_limit,
    )
    .context("cannot open the folder of assets")?;
    let registry = Arc::new(node_services::registry());
    let catalogue = Catalogue::new(&registry)?;
    let examples_dir = Some(config.examples_dir.clone()).filter(|d| !d.as_os_str().is_empty());
    let examples = ExampleService::new(registry.clone(), examples_dir);
    let node_services = NodeServices {
        program: std::env::current_exe()?,
        assets: config.assets(),
        allow_hosts: config.allow_hosts.clone(),
    };
    let (saves, inbox) = saves();
    let workflows =
        WorkflowService::new(store.clone(), registry.clone(), changes.clone()).telling(saves);
    let production = config.environment == Environment::Production;
    let places = config.keys.places(config.config_dir.as_deref());
    let safe = Safe::new(store.clone(), places);
    let oauth = OAuthService::new(
        store.clone(),
        safe.clone(),
        changes.clone(),
        OAuthSettings {
            hf_client_id: config.hf_client_id.clone(),
            github_client_id: config.github_client_id.clone(),
            github_client_secret: config.github_client_secret.clone(),
            hf_url: config.hf_oauth_url.clone(),
            github_url: config.github_oauth_url.clone(),
            github_api_url: config.github_api_url.clone(),
            api_url: config.api_url.clone(),
        },
    )
    .context("cannot set up connections to other sites")?;
    let secrets = SecretsService::new(SecretsParts {
        store: store.clone(),
        changes: changes.clone(),
        safe,
        environment: config.secrets.clone(),
        shared: config.mode != Mode::Public,
        accounts: Some(Arc::new(oauth.clone())),
    });
    let settings = SettingsService::new(store.clone(), production, secrets.clone());
    let skills = [".claude/skills", ".codex/skills"];
    let skills = skills
        .iter()
        .filter_map(|name| Some(config.home.as_ref()?.join(name)));
    let skills = config.skill_dirs.iter().cloned().chain(skills).collect();
    let rules = WorkspaceRules {
        roots: config.workspace_roots.clone(),
        production,
        upload_limit: config.upload_limit,
    };
    let jobs = JobService::new(JobServiceParts {
        store: store.clone(),
        workflows: workflows.clone(),
        services: node_services.build()?,
        secrets: secrets.clone(),
        assets: assets.clone(),
        workspace: config.workspace(),
        changes: changes.clone(),
        feeds: Feeds::new(Shelving {
            kept: Kept {
                frames: config.job_replay_buffer_events.max(1),
                ..Kept::default()
            },
            after_end: Duration::from_millis(config.job_replay_retention_ms),
            ..Shelving::default()
        }),
        limits: Limits {
            per_user: config.max_concurrent_jobs,
            per_workflow: config.max_concurrent_runs_per_workflow,
            waiting: config.max_queued_jobs,
            awaited: config.max_concurrent_runs,
        },
        recovery: config.recovery,
    });
    let autosave = AutosaveSettings {
        min_interval: Duration::from_secs(config.autosave_min_interval_seconds.into()),
        keep: config.autosave_max_versions_per_workflow,
        keep_for: Duration::from_secs(u64::from(config.autosave_keep_days) * 24 * 60 * 60),
    };
    let triggers = TriggerService::new(TriggerServiceParts {
        store: store.clone(),
        workflows: workflows.clone(),
        jobs: jobs.clone(),
        workspace: config.workspace(),
        inbox,
    });
    let door = Arc::new(Door {
        accounts: Accounts::open(config, store.clone()).context("cannot set up accounts")?,
        origins: Origins::of(config)?,
        admin_token: config.admin_token.clone(),
        production,
        public_storage: config.public_storage,
        failed_logins: FailedLogins::new(config.auth_failures_per_minute),
    });
    let downloads = config.downloads().context("in the folders of models")?;
    let downloads = DownloadService::new(downloads).context("in hf_endpoint")?;
    let sockets = Sockets::new(SocketParts {
        stats: config
            .system_stats
            .unwrap_or(!config.auth_provider.enforced()),
        door: door.clone(),
        jobs: jobs.clone(),
        workflows: workflows.clone(),
        changes: changes.clone(),
        registry: registry.clone(),
        revision: catalogue.revision().to_owned(),
        max_message: config.ws_max_message_bytes,
        downloads: (!production).then(|| downloads.clone()),
    });
    let terminals = Terminals::new(TerminalSettings {
        enabled: config.enable_terminal && !production,
        enforced: config.auth_provider.enforced(),
        shell: config.terminal_shell.clone(),
        home: config.home.clone(),
        environment: std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(is_passed_to_shells))
            .collect(),
    });
    let machine = MachineService::new(
        MachineFolders::of(config.home.as_deref(), skills),
        settings.clone(),
    );
    let app = App {
        mode: config.mode,
        door: door.clone(),
        oauth: oauth.clone(),
        terminals: (config.mode == Mode::Desktop).then_some(terminals),
        metrics: MetricsService::new(jobs.clone(), store.clone(), machine.clone(), started),
        numbers: NumbersAccess {
            local: config.mode == Mode::Desktop,
            token: config.metrics_token.clone(),
        },
        threads: ThreadService::new(store.clone(), changes.clone()),
        predictions: PredictionService::new(store.clone()),
        workspaces: WorkspaceService::new(store.clone(), workflows.clone(), changes.clone(), rules),
        files: FileService::new(config.file_roots.clone(), config.upload_limit),
        machine,
        settings,
        secrets,
        packages: PackageService::new(registry),
        library: downloads.library(),
        downloads: downloads.clone(),
        ollama: Ollama::new(&config.ollama_api_url).context("in ollama_api_url")?,
        production,
        upload_limit: config.upload_limit,
        bodies: BodyLimits {
            json: config.json_limit,
            graph: config.graph_limit,
        },
        rates: rates(config),
        versions: VersionService::new(store.clone(), workflows.clone(), autosave),
        examples,
        catalogue,
        api_url: config.api_url.clone(),
        workflows,
        jobs: jobs.clone(),
        triggers: triggers.clone(),
        sockets: sockets.clone(),
        assets: assets.clone(),
        started,
    };
    Ok(House {
        router: http::surface(Arc::new(app), extent),
        jobs,
        triggers,
        sockets,
        assets,
        changes,
        oauth,
        downloads,
    })
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

/// What is counted per minute.
fn rates(config: &Config) -> Rates {
    let by_caller = config.auth_provider.enforced();
    let requests = (config.rate_limit > 0).then(|| Windows::new(config.rate_limit));
    Rates {
        requests,
        by_caller,
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
