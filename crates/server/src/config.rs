//! Settings: defaults from `config.default.toml`, then a file, then environment and flags. Parsed once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, FromArgMatches};
use serde::{Deserialize, Serialize};

use crate::sensitive::Sensitive;
use crate::services::Recovery;

mod models;

pub(crate) use models::ModelArgs;
mod keys;

pub(crate) use keys::Keys;

const DEFAULTS: &str = include_str!("../config.default.toml");

/// The settings of one process; `config.default.toml` says what each means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) allow_hosts: Vec<String>,
    pub(crate) shutdown_seconds: u64,
    pub(crate) recovery: Recovery,
    pub(crate) max_concurrent_jobs: usize,
    pub(crate) max_concurrent_runs_per_workflow: usize,
    pub(crate) job_replay_buffer_events: usize,
    pub(crate) job_replay_retention_ms: u64,
    pub(crate) job_retention_days: u32,
    pub(crate) job_retention_mib: u64,
    pub(crate) static_folder: PathBuf,
    pub(crate) disable_docs: bool,
    pub(crate) environment: Environment,
    pub(crate) mode: Mode,
    pub(crate) auth_provider: AuthProvider,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) server_names: Vec<String>,
    pub(crate) public_storage: bool,
    pub(crate) system_stats: Option<bool>,
    /// The server's own token.
    #[serde(skip)]
    pub(crate) server_token: Option<Sensitive>,
    /// The second factor for administration.
    #[serde(skip)]
    pub(crate) admin_token: Option<Sensitive>,
    /// Whether a server in private mode may do without tokens.
    #[serde(skip)]
    pub(crate) tokenless: bool,
    pub(crate) upload_limit: u64,
    pub(crate) file_roots: Vec<PathBuf>,
    pub(crate) workspace_roots: Vec<PathBuf>,
    pub(crate) skill_dirs: Vec<PathBuf>,
    /// Home folder of whoever started the server.
    #[serde(skip)]
    pub(crate) home: Option<PathBuf>,
    /// Folder for what says who is who, and how the server is deployed.
    #[serde(skip)]
    pub(crate) config_dir: Option<PathBuf>,
    pub(crate) users_file: PathBuf,
    pub(crate) admin_users: Vec<String>,
    pub(crate) supabase_url: String,
    #[serde(skip)]
    pub(crate) supabase_key: Option<Sensitive>,
    pub(crate) auth_cache_ttl: u64,
    pub(crate) auth_cache_max: usize,
    /// Where the master key for secrets comes from.
    #[serde(skip)]
    pub(crate) keys: Keys,
    /// Secrets in the environment, by registered key.
    #[serde(skip)]
    pub(crate) secrets: BTreeMap<String, Sensitive>,
    pub(crate) api_url: String,
    pub(crate) examples_dir: PathBuf,
    pub(crate) autosave_min_interval_seconds: u32,
    pub(crate) autosave_max_versions_per_workflow: usize,
    pub(crate) autosave_keep_days: u32,
    pub(crate) ws_max_message_bytes: usize,
    pub(crate) also_ports: Vec<u16>,
    pub(crate) insecure_bind: bool,
    pub(crate) tls_cert: PathBuf,
    pub(crate) tls_key: PathBuf,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_ip: usize,
    pub(crate) header_seconds: u32,
    pub(crate) keep_alive_seconds: u32,
    pub(crate) body_stall_seconds: u32,
    pub(crate) stall_seconds: u32,
    pub(crate) hf_client_id: String,
    pub(crate) github_client_id: String,
    pub(crate) hf_oauth_url: String,
    pub(crate) github_oauth_url: String,
    pub(crate) github_api_url: String,
    #[serde(skip)]
    pub(crate) github_client_secret: Option<Sensitive>,
    /// Whether terminals may be opened; set in the environment only.
    #[serde(skip)]
    pub(crate) enable_terminal: bool,
    /// What terminals run, when it is not the user's shell; set in the environment only.
    #[serde(skip)]
    pub(crate) terminal_shell: Option<PathBuf>,
    pub(crate) hf_endpoint: String,
    pub(crate) hf_home: PathBuf,
    pub(crate) hf_hub_cache: PathBuf,
    pub(crate) huggingface_hub_cache: PathBuf,
    pub(crate) hf_token_path: PathBuf,
    /// Token for the hub.
    #[serde(skip)]
    pub(crate) hf_token: Option<Sensitive>,
    pub(crate) llama_cache: PathBuf,
    /// Base of the default folders of both caches.
    #[serde(skip)]
    pub(crate) xdg_cache_home: Option<PathBuf>,
    pub(crate) ollama_api_url: String,
    pub(crate) max_concurrent_downloads: usize,
    pub(crate) max_files_per_download: usize,
    pub(crate) download_min_free_bytes: u64,
    pub(crate) json_limit: usize,
    pub(crate) graph_limit: usize,
    pub(crate) rate_limit: u32,
    pub(crate) auth_failures_per_minute: u32,
    pub(crate) max_queued_jobs: usize,
    pub(crate) max_concurrent_runs: usize,
    pub(crate) audit_log: String,
    pub(crate) otlp_endpoint: String,
    /// The name of this server in traces.
    #[serde(skip)]
    pub(crate) otel_service_name: Option<String>,
    /// Whoever shows this token may see the numbers.
    #[serde(skip)]
    pub(crate) metrics_token: Option<Sensitive>,
    /// Log lines without colours.
    #[serde(skip)]
    pub(crate) no_color: bool,
}

/// What the server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Environment {
    /// One person's own machine.
    Development,
    /// Other people's machines: files and settings of this one are not served.
    Production,
    /// Tests.
    Test,
}

/// For whom the server is (HTTP spec 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// One person's own machine: everything.
    Desktop,
    /// Many people who need not know each other: nothing of the machine itself.
    Public,
    /// A deployed server behind tokens, with what administers it.
    Private,
}

/// How callers show who they are (HTTP spec 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum AuthProvider {
    /// They do not: everybody is the one user.
    None,
    /// As `none`.
    Local,
    /// By the server's one token.
    Static,
    /// By a token of their own from the users file.
    MultiUser,
    /// By a token of a Supabase project.
    Supabase,
}

impl AuthProvider {
    /// Whether callers have to show a token.
    pub(crate) fn enforced(self) -> bool {
        !matches!(self, AuthProvider::None | AuthProvider::Local)
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// What flags and environment set, under the names of [`Config`]; what is not given leaves the file's or the default value.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
pub(crate) struct Overrides {
    /// File with settings; see config.default.toml for all of them
    #[arg(long, value_name = "FILE", env = "NODETOOL_CONFIG")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Folder for the database, assets and workspace
    #[arg(long, value_name = "DIR", env = "NODETOOL_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How much is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "NODETOOL_LOG")]
    pub(crate) log: Option<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT", env = "NODETOOL_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Host or network that nodes may call although it is private (repeatable)
    #[arg(
        long = "allow-host",
        value_name = "HOST",
        env = "NODETOOL_ALLOW_HOSTS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_hosts: Vec<String>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", env = "HOST")]
    pub(crate) host: Option<String>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "PORT", env = "PORT")]
    pub(crate) port: Option<u16>,
    /// Seconds that running jobs get to finish on shutdown
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_SHUTDOWN_SECONDS")]
    pub(crate) shutdown_seconds: Option<u64>,
    /// What happens to jobs that were at work when the server ended
    #[arg(long, value_name = "WHAT", env = "NODETOOL_RECOVERY")]
    pub(crate) recovery: Option<Recovery>,
    /// Jobs of one user at work at the same time
    #[arg(long, value_name = "JOBS", env = "MAX_CONCURRENT_JOBS")]
    pub(crate) max_concurrent_jobs: Option<usize>,
    /// Runs of one workflow at the same time, for those that ask to run together
    #[arg(long, value_name = "RUNS", env = "MAX_CONCURRENT_RUNS_PER_WORKFLOW")]
    pub(crate) max_concurrent_runs_per_workflow: Option<usize>,
    /// Messages of each job kept for clients that reconnect
    #[arg(
        long,
        value_name = "MESSAGES",
        env = "NODETOOL_JOB_REPLAY_BUFFER_EVENTS"
    )]
    pub(crate) job_replay_buffer_events: Option<usize>,
    /// How long the messages of a job are kept after its end
    #[arg(
        long,
        value_name = "MILLISECONDS",
        env = "NODETOOL_JOB_REPLAY_RETENTION_MS"
    )]
    pub(crate) job_replay_retention_ms: Option<u64>,
    /// Age at which ended jobs are removed; 0 keeps them
    #[arg(long, value_name = "DAYS", env = "NODETOOL_JOB_RETENTION_DAYS")]
    pub(crate) job_retention_days: Option<u32>,
    /// Size from which on the oldest ended jobs are removed; 0 keeps them
    #[arg(long, value_name = "MIB", env = "NODETOOL_JOB_RETENTION_MIB")]
    pub(crate) job_retention_mib: Option<u64>,
    /// Folder with a built web UI to serve at /
    #[arg(long, value_name = "DIR", env = "STATIC_FOLDER")]
    pub(crate) static_folder: Option<PathBuf>,
    /// Serve no API description and no pages made from it
    #[arg(long, env = "NODETOOL_DISABLE_DOCS", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) disable_docs: Option<bool>,
    /// What the server is for
    #[arg(long, value_name = "ENVIRONMENT", env = "ENV")]
    pub(crate) environment: Option<Environment>,
    /// For whom the server is: a person's own machine, tenants, or holders of tokens
    #[arg(
        long,
        value_name = "MODE",
        env = "NODETOOL_SERVER_MODE",
        ignore_case = true
    )]
    pub(crate) mode: Option<Mode>,
    /// How callers show who they are
    #[arg(
        long,
        value_name = "PROVIDER",
        env = "AUTH_PROVIDER",
        ignore_case = true
    )]
    pub(crate) auth_provider: Option<AuthProvider>,
    /// Origin of pages that may call this server (repeatable); * for all
    #[arg(
        long = "cors-origin",
        value_name = "ORIGIN",
        env = "CORS_ORIGINS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cors_origins: Vec<String>,
    /// Further name by which clients reach this server (repeatable)
    #[arg(
        long = "server-name",
        value_name = "NAME",
        env = "NODETOOL_SERVER_NAMES",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) server_names: Vec<String>,
    /// Let everybody read stored files
    #[arg(long, env = "NODETOOL_PUBLIC_STORAGE", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) public_storage: Option<bool>,
    /// Tell sockets how busy the machine is; by default only where no tokens are asked for
    #[arg(long, env = "NODETOOL_SYSTEM_STATS", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) system_stats: Option<bool>,
    /// The server's own token
    #[arg(long, hide = true, env = "SERVER_AUTH_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) server_auth_token: Option<Sensitive>,
    /// Its older name
    #[arg(long, hide = true, env = "WORKER_AUTH_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) worker_auth_token: Option<Sensitive>,
    /// The second factor for administration
    #[arg(long, hide = true, env = "ADMIN_TOKEN", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) admin_token: Option<Sensitive>,
    /// Largest uploaded file in bytes
    #[arg(long, value_name = "BYTES", env = "NODETOOL_UPLOAD_LIMIT")]
    pub(crate) upload_limit: Option<u64>,
    /// Folder whose files programs on this machine may reach over HTTP (repeatable)
    #[arg(
        long = "file-root",
        value_name = "DIR",
        env = "NODETOOL_FILE_ROOTS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) file_roots: Vec<PathBuf>,
    /// Folder that workspaces have to be in (repeatable)
    #[arg(
        long = "workspace-root",
        value_name = "DIR",
        env = "NODETOOL_WORKSPACE_ROOTS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) workspace_roots: Vec<PathBuf>,
    /// Folder with skills for agents (repeatable)
    #[arg(
        long = "skill-dir",
        value_name = "DIR",
        env = "NODETOOL_AGENT_SKILL_DIRS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) skill_dirs: Vec<PathBuf>,
    /// Address clients reach the server at; told to the apps of workflows
    #[arg(long, value_name = "URL", env = "NODETOOL_API_URL")]
    pub(crate) api_url: Option<String>,
    /// Folder of more example workflows, to which examples may be written
    #[arg(long, value_name = "DIR", env = "NODETOOL_EXAMPLES_DIR")]
    pub(crate) examples_dir: Option<PathBuf>,
    /// Seconds between two autosaves of a workflow
    #[arg(long, value_name = "SECONDS", env = "AUTOSAVE_MIN_INTERVAL_SECONDS")]
    pub(crate) autosave_min_interval_seconds: Option<u32>,
    /// Autosaves kept of a workflow
    #[arg(long, value_name = "COUNT", env = "AUTOSAVE_MAX_VERSIONS_PER_WORKFLOW")]
    pub(crate) autosave_max_versions_per_workflow: Option<usize>,
    /// Days after which autosaves beyond those go
    #[arg(long, value_name = "DAYS", env = "AUTOSAVE_KEEP_DAYS")]
    pub(crate) autosave_keep_days: Option<u32>,
    /// Largest message a socket takes
    #[arg(long, value_name = "BYTES", env = "NODETOOL_WS_MAX_MESSAGE_BYTES")]
    pub(crate) ws_max_message_bytes: Option<usize>,
    /// One more port to listen on (repeatable)
    #[arg(
        long = "also-port",
        value_name = "PORT",
        env = "NODETOOL_ALSO_PORTS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) also_ports: Vec<u16>,
    /// Listen beyond this machine although nobody has to show a token
    #[arg(long, env = "NODETOOL_INSECURE_BIND", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) insecure_bind: Option<bool>,
    /// File with the certificate chain for HTTPS
    #[arg(long, value_name = "FILE", env = "NODETOOL_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with the private key of the certificate
    #[arg(long, value_name = "FILE", env = "NODETOOL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Proxy, or network of proxies, believed about whom it asks for (repeatable)
    #[arg(
        long = "trusted-proxy",
        value_name = "NETWORK",
        env = "NODETOOL_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trusted_proxies: Vec<String>,
    /// Connections at the same time
    #[arg(long, value_name = "COUNT", env = "NODETOOL_MAX_CONNECTIONS")]
    pub(crate) max_connections: Option<usize>,
    /// Connections at the same time from one address; 0 for any number
    #[arg(long, value_name = "COUNT", env = "NODETOOL_MAX_CONNECTIONS_PER_IP")]
    pub(crate) max_connections_per_ip: Option<usize>,
    /// Seconds for the head of a request to arrive
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_HEADER_SECONDS")]
    pub(crate) header_seconds: Option<u32>,
    /// Seconds a connection is kept between two requests
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_KEEP_ALIVE_SECONDS")]
    pub(crate) keep_alive_seconds: Option<u32>,
    /// Seconds in which more of a body has to arrive
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_BODY_STALL_SECONDS")]
    pub(crate) body_stall_seconds: Option<u32>,
    /// Seconds in which a client has to take more of its answer
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_STALL_SECONDS")]
    pub(crate) stall_seconds: Option<u32>,
    /// Client id of the Hugging Face app that accounts are connected through
    #[arg(long, value_name = "ID", env = "HF_CLIENT_ID")]
    pub(crate) hf_client_id: Option<String>,
    /// Client id of the GitHub app that accounts are connected through
    #[arg(long, value_name = "ID", env = "GITHUB_CLIENT_ID")]
    pub(crate) github_client_id: Option<String>,
    /// Where Hugging Face is
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) hf_oauth_url: Option<String>,
    /// Where GitHub is
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) github_oauth_url: Option<String>,
    /// Where the API of GitHub is
    #[arg(long, hide = true, value_name = "URL")]
    pub(crate) github_api_url: Option<String>,
    /// Client secret of the GitHub app
    #[arg(long, hide = true, env = "GITHUB_CLIENT_SECRET")]
    #[serde(skip)]
    pub(crate) github_client_secret: Option<Sensitive>,
    /// Whether terminals may be opened
    #[arg(long, hide = true, env = "NODETOOL_ENABLE_TERMINAL_WS", value_parser = is_wanted)]
    #[serde(skip)]
    pub(crate) enable_terminal: Option<bool>,
    /// What terminals run
    #[arg(long, hide = true, env = "NODETOOL_TERMINAL_SHELL")]
    #[serde(skip)]
    pub(crate) terminal_shell: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) models: ModelArgs,
    /// Largest JSON body
    #[arg(long, value_name = "BYTES", env = "NODETOOL_JSON_LIMIT")]
    pub(crate) json_limit: Option<usize>,
    /// Largest JSON body that may hold a graph, values for one, a message or contents
    #[arg(long, value_name = "BYTES", env = "NODETOOL_GRAPH_LIMIT")]
    pub(crate) graph_limit: Option<usize>,
    /// Requests of one caller or address per minute; 0 is no limit
    #[arg(long, value_name = "REQUESTS", env = "NODETOOL_RATE_LIMIT")]
    pub(crate) rate_limit: Option<u32>,
    /// Failed attempts of one address per minute to show who it is; 0 is no limit
    #[arg(
        long,
        value_name = "ATTEMPTS",
        env = "NODETOOL_AUTH_FAILURES_PER_MINUTE"
    )]
    pub(crate) auth_failures_per_minute: Option<u32>,
    /// Jobs of one user that may wait in line; 0 is no limit
    #[arg(long, value_name = "JOBS", env = "NODETOOL_MAX_QUEUED_JOBS")]
    pub(crate) max_queued_jobs: Option<usize>,
    /// Runs of one user that requests may wait for at the same time; 0 is no limit
    #[arg(long, value_name = "RUNS", env = "NODETOOL_MAX_CONCURRENT_RUNS")]
    pub(crate) max_concurrent_runs: Option<usize>,
    /// File with the accounts of a server for several users
    #[arg(long, value_name = "FILE", env = "USERS_FILE")]
    pub(crate) users_file: Option<PathBuf>,
    /// Id of a Supabase user who may administer the server (repeatable)
    #[arg(
        long = "admin-user",
        value_name = "ID",
        env = "NODETOOL_ADMIN_USERS",
        value_delimiter = ','
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) admin_users: Vec<String>,
    /// Address of the Supabase project whose users may use the server
    #[arg(long, value_name = "URL", env = "SUPABASE_URL")]
    pub(crate) supabase_url: Option<String>,
    /// Key of that project
    #[arg(long, hide = true, env = "SUPABASE_KEY", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) supabase_key: Option<Sensitive>,
    /// Seconds that the answer of Supabase about a token holds
    #[arg(long, value_name = "SECONDS", env = "AUTH_CACHE_TTL")]
    pub(crate) auth_cache_ttl: Option<u64>,
    /// The same under an older name
    #[arg(long, hide = true, env = "REMOTE_AUTH_CACHE_TTL")]
    #[serde(skip)]
    pub(crate) remote_auth_cache_ttl: Option<u64>,
    /// Tokens whose answers are remembered
    #[arg(long, value_name = "COUNT", env = "AUTH_CACHE_MAX")]
    pub(crate) auth_cache_max: Option<usize>,
    /// The same under an older name
    #[arg(long, hide = true, env = "REMOTE_AUTH_CACHE_MAX")]
    #[serde(skip)]
    pub(crate) remote_auth_cache_max: Option<usize>,
    /// Base of the folder of settings
    #[arg(long, hide = true, env = "XDG_CONFIG_HOME")]
    #[serde(skip)]
    pub(crate) xdg_config_home: Option<PathBuf>,
    /// File for the audit log, or `off`
    #[arg(long, value_name = "FILE", env = "NODETOOL_AUDIT_LOG")]
    pub(crate) audit_log: Option<String>,
    /// Collector of OpenTelemetry traces, e.g. http://127.0.0.1:4318
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Name of this server in traces
    #[arg(long, hide = true, env = "OTEL_SERVICE_NAME")]
    #[serde(skip)]
    pub(crate) otel_service_name: Option<String>,
    /// Token of whoever may see the numbers
    #[arg(long, hide = true, hide_env_values = true, env = "METRICS_TOKEN")]
    #[serde(skip)]
    pub(crate) metrics_token: Option<Sensitive>,
    /// Level of the log where no filter is named
    #[arg(long, hide = true, env = "NODETOOL_LOG_LEVEL")]
    #[serde(skip)]
    pub(crate) nodetool_log_level: Option<String>,
    /// The same, by its other name
    #[arg(long, hide = true, env = "LOG_LEVEL")]
    #[serde(skip)]
    pub(crate) log_level: Option<String>,
    /// A log in detail
    #[arg(long, hide = true, env = "DEBUG")]
    #[serde(skip)]
    pub(crate) debug: Option<String>,
    /// Log lines without colours
    #[arg(long, hide = true, env = "NO_COLOR")]
    #[serde(skip)]
    pub(crate) no_color: Option<String>,
    /// Where the master key for secrets comes from
    #[command(flatten)]
    #[serde(skip)]
    pub(crate) keys: Keys,
    /// Base of the default data folder
    #[arg(long, hide = true, env = "XDG_DATA_HOME")]
    #[serde(skip)]
    pub(crate) xdg_data_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, hide = true, env = "HOME")]
    #[serde(skip)]
    pub(crate) home: Option<PathBuf>,
}

impl Config {
    /// Defaults, then the file, then flags and environment.
    pub(crate) fn load(mut over: Overrides) -> anyhow::Result<Config> {
        over.log = over.log_filter()?;
        let mut table: toml::Table = toml::from_str(DEFAULTS).context("config.default.toml")?;
        if let Some(path) = &over.config {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let file: toml::Table =
                toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
            table.extend(file);
        }
        over.auth_cache_ttl = over.auth_cache_ttl.or(over.remote_auth_cache_ttl);
        over.auth_cache_max = over.auth_cache_max.or(over.remote_auth_cache_max);
        let kept = over.clone();
        table.extend(toml::Table::try_from(over).context("in the flags")?);
        let mut config: Config = table.try_into().context("in the settings")?;
        let given = |text: Option<Sensitive>| text.filter(|t| !t.expose().is_empty());
        config.home = kept.home.filter(|home| home.is_absolute());
        let token = given(kept.server_auth_token);
        config.server_token = token.or_else(|| given(kept.worker_auth_token));
        config.admin_token = given(kept.admin_token);
        config.github_client_secret = given(kept.github_client_secret);
        config.enable_terminal = kept.enable_terminal.unwrap_or(false);
        let shell = kept.terminal_shell;
        config.terminal_shell = shell.filter(|shell| !shell.as_os_str().is_empty());
        let models = (kept.models.hf_token, kept.models.xdg_cache_home);
        config.hf_token = given(models.0);
        config.xdg_cache_home = models.1.filter(|p| p.is_absolute());
        config.supabase_key = given(kept.supabase_key);
        let base = kept.xdg_config_home.filter(|p| p.is_absolute());
        let base = base.or_else(|| Some(config.home.as_ref()?.join(".config")));
        config.config_dir = base.map(|base| base.join("nodetool"));
        config.admin_users.retain(|id| !id.trim().is_empty());
        config.metrics_token = given(kept.metrics_token);
        config.otel_service_name = kept.otel_service_name;
        config.no_color = kept.no_color.is_some_and(|set| !set.is_empty());
        if !matches!(&*config.audit_log, "" | "off") && !Path::new(&config.audit_log).is_absolute()
        {
            bail!(
                "audit_log: {} is neither an absolute path nor `off`",
                config.audit_log
            );
        }
        config.keys = kept.keys;
        for (folders, name) in [
            (&mut config.file_roots, "file_roots"),
            (&mut config.workspace_roots, "workspace_roots"),
            (&mut config.skill_dirs, "skill_dirs"),
        ] {
            only_absolute(folders, name)?;
        }
        if config.file_roots.is_empty() {
            config.file_roots = config.home.iter().cloned().collect();
        }
        config.allow_hosts.retain(|host| !host.trim().is_empty());
        if config.data_dir.as_os_str().is_empty() {
            let base = kept.xdg_data_home.filter(|p| p.is_absolute());
            let home = config.home.as_ref();
            let base = base.or_else(|| home.map(|home| home.join(".local/share")));
            match base {
                Some(base) => config.data_dir = base.join("nodetool"),
                None => bail!(
                    "no home folder to keep data in: name one with --data-dir or NODETOOL_DATA_DIR"
                ),
            }
        }
        Ok(config)
    }

    /// The file of users; nothing when there is no folder for it either.
    pub(crate) fn users_file(&self) -> Option<PathBuf> {
        if self.users_file.as_os_str().is_empty() {
            Some(self.config_dir.as_ref()?.join("users.yaml"))
        } else {
            Some(self.users_file.clone())
        }
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.data_dir.join("nodetool.sqlite3")
    }

    /// The file of the audit log, unless it is off.
    pub(crate) fn audit_file(&self) -> Option<PathBuf> {
        match &*self.audit_log {
            "off" => None,
            "" => Some(self.data_dir.join("logs/audit.jsonl")),
            path => Some(path.into()),
        }
    }

    /// Tokens and keys: what each is set by, and its value, if it is set.
    pub(crate) fn keys(&self) -> Vec<(&'static str, Option<&Sensitive>)> {
        vec![("METRICS_TOKEN", self.metrics_token.as_ref())]
    }

    /// The folder of assets.
    pub(crate) fn assets(&self) -> PathBuf {
        self.data_dir.join("assets")
    }

    /// The folder that workflows may read and write.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.data_dir.join("workspace")
    }
}

/// Whether a word asks for something: all do but a few.
#[expect(clippy::unnecessary_wraps, reason = "a parser of values may fail")]
fn is_wanted(word: &str) -> Result<bool, std::convert::Infallible> {
    let word = word.trim().to_ascii_lowercase();
    Ok(!matches!(word.as_str(), "" | "0" | "false" | "no"))
}

impl Overrides {
    /// What the environment alone sets.
    pub(crate) fn of_environment() -> anyhow::Result<Overrides> {
        let command = Overrides::augment_args(clap::Command::new("nodetool").no_binary_name(true));
        let found = command.try_get_matches_from(std::iter::empty::<String>());
        let found = found.and_then(|found| Overrides::from_arg_matches(&found));
        found.map_err(|e| {
            let told = e.to_string();
            let first = told.lines().next().unwrap_or_default();
            anyhow::anyhow!("{}", first.trim_start_matches("error: "))
        })
    }

    /// How much is logged: the filter, else a level by one of the names other programs know, too.
    fn log_filter(&self) -> anyhow::Result<Option<String>> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        if let Some(filter) = given(&self.log) {
            return Ok(Some(filter));
        }
        for (name, level) in [
            ("NODETOOL_LOG_LEVEL", &self.nodetool_log_level),
            ("LOG_LEVEL", &self.log_level),
        ] {
            let Some(level) = given(level) else { continue };
            let filter = match level.trim().to_ascii_lowercase().as_str() {
                "trace" => "trace",
                "debug" => "debug",
                "info" => "info",
                "warn" | "warning" => "warn",
                "error" | "critical" | "fatal" => "error",
                _ => bail!(
                    "{name}: {level} is no level; expected trace, debug, info, warning or error"
                ),
            };
            return Ok(Some(filter.into()));
        }
        let debug = given(&self.debug).unwrap_or_default().to_ascii_lowercase();
        let debug = matches!(debug.trim(), "1" | "true" | "yes" | "on");
        Ok(debug.then(|| "debug".into()))
    }
}

/// A list of folders without empty names, none of them relative.
fn only_absolute(folders: &mut Vec<PathBuf>, name: &str) -> anyhow::Result<()> {
    folders.retain(|folder| !folder.as_os_str().is_empty());
    match folders.iter().find(|folder| !folder.is_absolute()) {
        Some(folder) => bail!("{name}: {} is not an absolute path", folder.display()),
        None => Ok(()),
    }
}

/// Creates a folder only its owner can look into.
pub(crate) fn private_folder(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create the folder {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_the_defaults_and_flags_override_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        std::fs::write(&file, "port = 1\nhost = \"::1\"\n").unwrap();
        let over = Overrides {
            config: Some(file.clone()),
            port: Some(2),
            data_dir: Some("/data".into()),
            ..Overrides::default()
        };
        let config = Config::load(over).unwrap();
        assert_eq!((config.port, config.host.as_str()), (2, "::1"));
        std::fs::write(&file, "prot = 1").unwrap();
        let over = Overrides {
            config: Some(file),
            ..Overrides::default()
        };
        assert!(format!("{:#}", Config::load(over).unwrap_err()).contains("prot"));
    }

    #[test]
    fn accounts_are_kept_in_the_folder_of_settings() {
        let load = |home: Option<&str>, xdg: Option<&str>, file: Option<&str>| {
            let over = Overrides {
                home: home.map(Into::into),
                xdg_config_home: xdg.map(Into::into),
                users_file: file.map(Into::into),
                data_dir: Some("/data".into()),
                ..Overrides::default()
            };
            Config::load(over).unwrap().users_file()
        };
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(
            load(Some("/h"), None, None),
            at("/h/.config/nodetool/users.yaml")
        );
        assert_eq!(
            load(Some("/h"), Some("/x"), None),
            at("/x/nodetool/users.yaml")
        );
        assert_eq!(
            load(Some("/h"), Some("x"), None),
            at("/h/.config/nodetool/users.yaml")
        );
        assert_eq!(load(None, None, Some("/u.yaml")), at("/u.yaml"));
        assert_eq!(load(None, None, None), None);
    }

    #[test]
    fn older_names_count_where_the_newer_are_not_given() {
        let token = |text: &str| Some(Sensitive::new(text));
        let load = |server: Option<Sensitive>, worker, ttl| {
            let over = Overrides {
                server_auth_token: server,
                worker_auth_token: worker,
                auth_cache_ttl: ttl,
                remote_auth_cache_ttl: Some(7),
                data_dir: Some("/data".into()),
                ..Overrides::default()
            };
            let config = Config::load(over).unwrap();
            let token = config.server_token;
            (
                token.map(|t| t.expose().to_owned()),
                config.auth_cache_ttl,
                config.auth_cache_max,
            )
        };
        assert_eq!(
            load(token("s"), token("w"), Some(5)),
            (Some("s".into()), 5, 2000)
        );
        assert_eq!(
            load(token(""), token("w"), None),
            (Some("w".into()), 7, 2000)
        );
        assert_eq!(load(None, token(""), None), (None, 7, 2000));
    }

    #[test]
    fn a_filter_comes_before_levels_and_levels_before_debug() {
        let text = |text: &str| Some(text.to_owned());
        let mut over = Overrides {
            log: text("warn,nodetool_engine=trace"),
            nodetool_log_level: text("ERROR"),
            log_level: text("Warning"),
            debug: text("1"),
            ..Overrides::default()
        };
        let filter = |over: &Overrides| over.log_filter().unwrap();
        assert_eq!(filter(&over), text("warn,nodetool_engine=trace"));
        over.log = text("");
        assert_eq!(filter(&over), text("error"));
        over.nodetool_log_level = None;
        assert_eq!(filter(&over), text("warn"));
        over.log_level = None;
        assert_eq!(filter(&over), text("debug"));
        over.debug = text("express:*");
        assert_eq!(filter(&over), None);
        over.log_level = text("loud");
        assert!(
            over.log_filter()
                .unwrap_err()
                .to_string()
                .contains("LOG_LEVEL: loud")
        );
    }

    #[test]
    fn the_audit_log_is_in_the_data_folder_unless_it_is_elsewhere_or_off() {
        let log = |audit_log: Option<&str>| {
            Config::load(Overrides {
                data_dir: Some("/data".into()),
                audit_log: audit_log.map(Into::into),
                ..Overrides::default()
            })
        };
        let path = |audit_log| log(audit_log).unwrap().audit_file();
        assert_eq!(path(None), Some("/data/logs/audit.jsonl".into()));
        assert_eq!(path(Some("/x/y")), Some("/x/y".into()));
        assert_eq!(path(Some("off")), None);
        assert!(log(Some("x/y")).is_err());
    }

    #[test]
    fn the_data_folder_falls_back_to_the_home_folder() {
        let over = Overrides {
            home: Some("/home/x".into()),
            ..Overrides::default()
        };
        assert_eq!(
            Config::load(over).unwrap().data_dir,
            Path::new("/home/x/.local/share/nodetool")
        );
        assert!(Config::load(Overrides::default()).is_err());
    }
}
