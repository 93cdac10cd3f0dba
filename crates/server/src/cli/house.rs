//! Services and routes put together over a store, for `nodetool serve` and for commands that are their own server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use nodetool_store::Store;

use super::storage;
use crate::config::{Config, Environment, Mode};
use crate::extensions::{self, Extension, ExtensionAuth};
use crate::http::{
    self, App, BodyLimits, Catalogue, Door, Extent, Front, NumbersAccess, OpenAiParts, OpenAiState,
    Origins, Rates, Surface,
};
use crate::node_services::{self, NodeServices};
use crate::services::downloads::{DownloadService, Ollama};
use crate::services::{
    Accounts, AssetService, AutosaveSettings, BrowserService, BrowserSettings, Caller, Changes,
    ChatParts, ChatService, CollectionService, EnquiryService, ExampleService, FailedLogins, Feeds,
    FileService, GoogleParts, GoogleService, JobService, JobServiceParts, Kept, Keys, Ledger,
    Limits, LoopParts, LoopService, MachineFolders, MachineService, McpServers, MetricsService,
    ModelParts, ModelService, ModelsOf, OAuthService, OAuthSettings, PackageService,
    PredictionService, Safe, SearchPlaces, SecretsParts, SecretsService, SettingsService, Shelf,
    Shelving, Site, TerminalSettings, Terminals, ThreadService, ToolService, ToolServiceParts,
    TriggerService, TriggerServiceParts, VersionService, Windows, WorkflowFile, WorkflowModels,
    WorkflowService, WorkspaceRules, WorkspaceService, is_passed_to_shells, saves,
};
use crate::ws::{SocketParts, Sockets};

/// Sockets of one user at the same time, where there is more than one user.
const SOCKETS_OF_USER: usize = 32;

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
    pub(super) loops: LoopService,
    pub(super) chat: ChatService,
    pub(super) triggers: TriggerService,
    pub(super) sockets: Sockets,
    pub(super) assets: AssetService,
    pub(super) changes: Changes,
    pub(super) oauth: OAuthService,
    pub(super) downloads: DownloadService,
    pub(super) browsers: BrowserService,
    pub(super) ledger: Ledger,
}

/// Services and routes over a store.
pub(super) fn house(
    config: &Config,
    store: &Store,
    started: Instant,
    extent: Extent,
    files: Vec<WorkflowFile>,
) -> anyhow::Result<House> {
    let changes = Changes::default();
    let assets = AssetService::over(
        store.clone(),
        storage::open(config)?,
        changes.clone(),
        config.upload_limit,
        config.storage_quota_mib,
    );
    let registry = Arc::new(node_services::registry());
    let catalogue = Catalogue::new(&registry)?;
    let examples_dir = Some(config.examples_dir.clone()).filter(|d| !d.as_os_str().is_empty());
    let examples = Arc::new(ExampleService::new(registry.clone(), examples_dir));
    let node_services = NodeServices {
        program: std::env::current_exe()?,
        assets: config.assets(),
        allow_hosts: config.allow_hosts.clone(),
        search_path: super::environment::search_path(),
    };
    let (saves, inbox) = saves();
    let workflows =
        WorkflowService::new(store.clone(), registry.clone(), changes.clone()).telling(saves);
    let steps = Arc::new(node_services::steps(&registry, config.orchestrator_compat));
    let workflows = workflows.with_steps(steps.clone());
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
    let model_settings = config.model_settings()?;
    let node_services = node_services.build()?;
    let of_steps = nodetool_orchestrator::SECRETS.map(str::to_owned);
    let more: BTreeSet<String> = model_settings.own_keys().chain(of_steps).collect();
    let given = super::environment::with_own_keys(&config.secrets, &model_settings);
    let google = GoogleService::new(GoogleParts {
        store: store.clone(),
        safe: safe.clone(),
        changes: changes.clone(),
        environment: given.clone(),
        oauth: oauth.clone(),
        http: node_services.http.clone(),
    });
    let secrets = SecretsService::new(SecretsParts {
        more,
        store: store.clone(),
        changes: changes.clone(),
        safe,
        environment: given,
        shared: config.mode != Mode::Public,
        accounts: Some(Arc::new(oauth.clone())),
        google: Some(google.clone()),
    });
    let settings = SettingsService::new(store.clone(), production, secrets.clone());
    let skills = [".claude/skills", ".codex/skills"];
    let skills = skills
        .iter()
        .filter_map(|name| Some(config.home.as_ref()?.join(name)));
    let skills = config.skill_dirs.iter().cloned().chain(skills).collect();
    let rules = WorkspaceRules {
        roots: config.workspace_roots.clone(),
        own_machine: config.own_machine(),
        upload_limit: config.upload_limit,
    };
    let ledger = Ledger::new(store.clone());
    let models = ModelService::new(ModelParts {
        settings: model_settings,
        keys: Keys::Stored(secrets.clone()),
        chosen: Some(settings.clone()),
        ledger: ledger.clone(),
    })
    .context("cannot set up the client of model providers")?;
    let browsers = BrowserService::new(
        store.clone(),
        BrowserSettings {
            path: config.browser_path.clone(),
            search_path: super::environment::search_path(),
            folder: config.browsers(),
            sandbox: config.browser_sandbox,
            most: config.max_browsers,
            idle: Duration::from_secs(config.browser_idle_seconds.into()),
        },
        node_services.dial.clone(),
    );
    let (http, scripts) = (node_services.http.clone(), node_services.scripts.clone());
    let of_user = models.clone();
    let models_of: ModelsOf = Arc::new(move |caller: &Caller| of_user.of(caller));
    let collections = CollectionService::new(store.clone(), workflows.clone(), models_of);
    let threads = ThreadService::new(store.clone(), changes.clone());
    let jobs = JobService::new(JobServiceParts {
        models: models.clone(),
        threads: threads.clone(),
        store: store.clone(),
        workflows: workflows.clone(),
        services: node_services,
        secrets: secrets.clone(),
        assets: assets.clone(),
        collections: collections.clone(),
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
    let mut downloads = config.downloads().context("in the folders of models")?;
    let own = secrets.clone();
    downloads.tokens.of_user = Some(Arc::new(move |user: String| {
        let secrets = own.clone();
        // Whoever has no token of their own, or none that can be read, asks as the server does.
        Box::pin(async move { secrets.get(&user, "HF_TOKEN").await.ok().flatten() })
    }));
    let downloads = DownloadService::new(downloads).context("in hf_endpoint")?;
    let chat_settings = config.chat_settings()?;
    let programs = config.own_machine();
    let servers = McpServers::new(&config.mcp_servers, programs, super::environment::variable);
    let tools = ToolService::new(ToolServiceParts {
        registry: registry.clone(),
        workflows: workflows.clone(),
        jobs: jobs.clone(),
        assets: assets.clone(),
        secrets: secrets.clone(),
        settings: settings.clone(),
        http,
        scripts,
        shelves: Some(Arc::new(Shelf {
            models: models.clone(),
            collections: collections.clone(),
        })),
        mcp: servers.map_err(anyhow::Error::msg)?,
        search: SearchPlaces::default(),
        examples: examples.clone(),
        library: (!production).then(|| downloads.library()),
        agents: chat_settings.agent.clone(),
    });
    jobs.offer_browsers(browsers.clone());
    jobs.offer_tools(&tools);
    let loops = LoopService::new(LoopParts {
        store: store.clone(),
        workflows: workflows.clone(),
        jobs: jobs.clone(),
        secrets: secrets.clone(),
        steps,
    });
    let chat = ChatService::new(ChatParts {
        threads: threads.clone(),
        models: models.clone(),
        jobs: jobs.clone(),
        workflows: workflows.clone(),
        assets: assets.clone(),
        tools: tools.clone(),
        collections: collections.clone(),
        settings: chat_settings,
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
    let sockets = Sockets::new(SocketParts {
        stats: config
            .system_stats
            .unwrap_or(!config.auth_provider.enforced()),
        door: door.clone(),
        jobs: jobs.clone(),
        chat: chat.clone(),
        workflows: workflows.clone(),
        changes: changes.clone(),
        registry: registry.clone(),
        revision: catalogue.revision().to_owned(),
        max_message: config.largest_message(),
        per_user: config.auth_provider.has_roles().then_some(SOCKETS_OF_USER),
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
    let openai = OpenAiState::new(OpenAiParts {
        models: models.clone(),
        workflows: WorkflowModels::saved(workflows.clone(), jobs.clone(), files)?,
        body_limit: config.graph_limit,
        stream_by_default: config.chat_stream_default,
    });
    let app = App {
        mode: config.mode,
        openai,
        own_machine: config.own_machine(),
        door: door.clone(),
        oauth: oauth.clone(),
        google,
        terminals: (config.mode == Mode::Desktop).then_some(terminals),
        metrics: MetricsService::new(jobs.clone(), store.clone(), machine.clone(), started),
        numbers: NumbersAccess {
            local: config.mode == Mode::Desktop,
            token: config.metrics_token.clone(),
        },
        models,
        tools,
        collections,
        threads,
        chat: chat.clone(),
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
        loops: loops.clone(),
        browsers: browsers.clone(),
        enquiries: EnquiryService::new(store.clone()),
        triggers: triggers.clone(),
        sockets: sockets.clone(),
        assets: assets.clone(),
        started,
    };
    Ok(House {
        router: http::surface(Arc::new(app), extent),
        jobs,
        loops,
        chat,
        triggers,
        sockets,
        assets,
        changes,
        oauth,
        downloads,
        browsers,
        ledger,
    })
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
