//! What the command line and the environment set. The comments here are the help of the program.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, FromArgMatches};
use nodetool_sdk::steps::Compat;
use serde::Serialize;

use super::{AuthProvider, ChatArgs, Environment, Keys, LogFormat, Mode, ModelArgs};
use crate::sensitive::Sensitive;
use crate::services::Recovery;

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
    /// One more port, where clients of the Orchestrator look for it; 7878 is theirs
    #[arg(long, value_name = "PORT", env = "ORCHESTRATOR_PORT")]
    pub(crate) orchestrator_port: Option<u16>,
    /// What clients of the Orchestrator get where its documents and its reference server differ
    #[arg(long, value_name = "PROFILE", env = "NODETOOL_ORCHESTRATOR_COMPAT", value_parser = Compat::WORDS)]
    pub(crate) orchestrator_compat: Option<String>,
    /// Chromium for steps that work in a browser
    #[arg(long, value_name = "FILE", env = "NODETOOL_BROWSER_PATH")]
    pub(crate) browser_path: Option<PathBuf>,
    /// Whether the system confines what web pages run; `false` for containers where it cannot
    #[arg(long, env = "NODETOOL_BROWSER_SANDBOX", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) browser_sandbox: Option<bool>,
    /// Browsers at a time; 0 offers none
    #[arg(long, value_name = "COUNT", env = "NODETOOL_MAX_BROWSERS")]
    pub(crate) max_browsers: Option<usize>,
    /// Seconds after which a browser that nobody uses ends
    #[arg(long, value_name = "SECONDS", env = "NODETOOL_BROWSER_IDLE_SECONDS")]
    pub(crate) browser_idle_seconds: Option<u32>,
    /// Let people register with a name and a password; what they make is theirs alone
    #[arg(long, env = "NODETOOL_REGISTRATION", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) registration: Option<bool>,
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
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) chat: ChatArgs,
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
    /// MiB that the assets of one user may have together; 0 sets no limit
    #[arg(long, value_name = "MIB", env = "NODETOOL_STORAGE_QUOTA_MIB")]
    pub(crate) storage_quota_mib: Option<u64>,
    /// Folder for assets, in place of the one in the data folder
    #[arg(long, value_name = "DIR", env = "ASSET_FOLDER")]
    pub(crate) asset_folder: Option<PathBuf>,
    /// Bucket for assets
    #[arg(long, value_name = "BUCKET", env = "ASSET_BUCKET")]
    pub(crate) asset_bucket: Option<String>,
    /// Address under which everybody finds assets, in production
    #[arg(long, value_name = "URL", env = "ASSET_DOMAIN")]
    pub(crate) asset_domain: Option<String>,
    /// Bucket for temporary files
    #[arg(long, value_name = "BUCKET", env = "ASSET_TEMP_BUCKET")]
    pub(crate) asset_temp_bucket: Option<String>,
    /// Address of the service that has the buckets
    #[arg(long, value_name = "URL", env = "S3_ENDPOINT_URL")]
    pub(crate) s3_endpoint_url: Option<String>,
    /// Region of the buckets
    #[arg(long, value_name = "REGION", env = "S3_REGION")]
    pub(crate) s3_region: Option<String>,
    /// Public half of the key to the buckets
    #[arg(long, hide = true, env = "S3_ACCESS_KEY_ID", hide_env_values = true)]
    #[serde(skip)]
    pub(crate) s3_access_key_id: Option<Sensitive>,
    /// Secret half of the key to the buckets
    #[arg(
        long,
        hide = true,
        env = "S3_SECRET_ACCESS_KEY",
        hide_env_values = true
    )]
    #[serde(skip)]
    pub(crate) s3_secret_access_key: Option<Sensitive>,
    /// Base of the default data folder
    #[arg(long, hide = true, env = "XDG_DATA_HOME")]
    #[serde(skip)]
    pub(crate) xdg_data_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, hide = true, env = "HOME")]
    #[serde(skip)]
    pub(crate) home: Option<PathBuf>,
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
    pub(super) fn log_filter(&self) -> anyhow::Result<Option<String>> {
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
