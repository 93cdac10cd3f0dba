//! Settings: defaults from `config.default.toml`, then a file, then environment and flags. Parsed once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nodetool_sdk::steps::Compat;
use serde::{Deserialize, Serialize};

use crate::sensitive::Sensitive;
use crate::services::{McpServer, Recovery};

mod chat;
mod flags;
mod keys;
mod models;
mod storage;

pub(crate) use chat::ChatArgs;
pub(crate) use flags::Overrides;
pub(crate) use keys::Keys;
pub(crate) use models::ModelArgs;
pub(crate) use storage::{Storage, StorageKeys};

/// Browsers at a time that a server may be set to; each takes hundreds of megabytes.
const MOST_BROWSERS: usize = 1000;

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
    pub(crate) ws_max_message_bytes: Option<usize>,
    pub(crate) also_ports: Vec<u16>,
    pub(crate) orchestrator_port: u16,
    pub(crate) orchestrator_compat: Compat,
    pub(crate) browser_path: PathBuf,
    pub(crate) browser_sandbox: bool,
    pub(crate) max_browsers: usize,
    pub(crate) browser_idle_seconds: u32,
    pub(crate) registration: Option<bool>,
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
    pub(crate) default_provider: String,
    pub(crate) default_model: String,
    pub(crate) provider_urls: Vec<String>,
    pub(crate) lmstudio_api_url: String,
    pub(crate) llama_cpp_url: String,
    pub(crate) vllm_base_url: String,
    pub(crate) discover_models: bool,
    pub(crate) chat_stream_default: bool,
    pub(crate) enable_fake_provider: bool,
    #[serde(default)]
    pub(crate) mcp_servers: BTreeMap<String, McpServer>,
    pub(crate) chat_replay_buffer_events: usize,
    pub(crate) chat_replay_retention_ms: u64,
    pub(crate) client_tool_seconds: f64,
    pub(crate) agent_max_turns: u32,
    pub(crate) agent_max_concurrency: usize,
    pub(crate) agent_turn_deadline_ms: u64,
    pub(crate) agent_turn_cost_cap_usd: f64,
    pub(crate) agent_unpriced_token_ceiling: u64,
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
    pub(crate) storage_quota_mib: u64,
    pub(crate) asset_folder: PathBuf,
    pub(crate) asset_bucket: String,
    pub(crate) asset_domain: String,
    pub(crate) asset_temp_bucket: String,
    pub(crate) s3_endpoint_url: String,
    pub(crate) s3_region: String,
    /// What may touch foreign storage.
    #[serde(skip)]
    pub(crate) storage_keys: StorageKeys,
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

    /// Whether there is more than one user, some of whom may be administrators.
    pub(crate) fn has_roles(self) -> bool {
        matches!(self, AuthProvider::MultiUser | AuthProvider::Supabase)
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
        config.storage_keys = StorageKeys {
            s3_access_key_id: given(kept.s3_access_key_id),
            s3_secret_access_key: given(kept.s3_secret_access_key),
            // Where they name the project of the accounts, they say nothing about files.
            supabase: config.auth_provider != AuthProvider::Supabase
                && !config.supabase_url.is_empty()
                && config.supabase_key.is_some(),
        };
        for (folders, name) in [
            (&mut config.file_roots, "file_roots"),
            (&mut config.workspace_roots, "workspace_roots"),
            (&mut config.skill_dirs, "skill_dirs"),
        ] {
            only_absolute(folders, name)?;
        }
        let browser = &config.browser_path;
        if !browser.as_os_str().is_empty() && !browser.is_absolute() {
            bail!(
                "browser_path: {} is not an absolute path",
                browser.display()
            );
        }
        if config.max_browsers > MOST_BROWSERS {
            bail!(
                "max_browsers: {} is more than {MOST_BROWSERS}",
                config.max_browsers
            );
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
        vec![
            ("SERVER_AUTH_TOKEN", self.server_token.as_ref()),
            ("ADMIN_TOKEN", self.admin_token.as_ref()),
            ("SECRETS_MASTER_KEY", self.keys.master()),
            ("METRICS_TOKEN", self.metrics_token.as_ref()),
        ]
    }

    /// Whether the server is its one user's own machine.
    pub(crate) fn own_machine(&self) -> bool {
        self.mode == Mode::Desktop
            && self.environment != Environment::Production
            && !self.auth_provider.has_roles()
    }

    /// Largest message of a socket: on one's own machine that is a matter of taste, with strangers one of memory.
    pub(crate) fn largest_message(&self) -> usize {
        let default = if self.mode == Mode::Desktop {
            256 << 20
        } else {
            32 << 20
        };
        self.ws_max_message_bytes.unwrap_or(default)
    }

    /// Where the browsers of steps keep cookies and caches.
    pub(crate) fn browsers(&self) -> PathBuf {
        self.data_dir.join("browsers")
    }

    /// The folder that workflows may read and write.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.data_dir.join("workspace")
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
