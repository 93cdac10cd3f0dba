//! Settings: defaults from `config.default.toml`, then a file, then environment and flags. Parsed once.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

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
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// What flags and environment set; `None` leaves the file's or the default value.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// File with settings; see config.default.toml for all of them
    #[arg(long, value_name = "FILE", env = "NODETOOL_CONFIG")]
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
    /// Base of the default data folder
    #[arg(long, hide = true, env = "XDG_DATA_HOME")]
    pub(crate) xdg_data_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, hide = true, env = "HOME")]
    pub(crate) home: Option<PathBuf>,
}

impl Config {
    /// Defaults, then the file, then flags and environment.
    pub(crate) fn load(over: Overrides) -> anyhow::Result<Config> {
        let mut table: toml::Table = toml::from_str(DEFAULTS).context("config.default.toml")?;
        if let Some(path) = &over.config {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let file: toml::Table =
                toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
            table.extend(file);
        }
        let mut config: Config = table.try_into().context("in the settings")?;
        let Overrides {
            data_dir,
            log,
            log_format,
            allow_hosts,
            host,
            port,
            shutdown_seconds,
            ..
        } = over;
        config.data_dir = data_dir.unwrap_or(config.data_dir);
        config.log = log.unwrap_or(config.log);
        config.log_format = log_format.unwrap_or(config.log_format);
        config.host = host.unwrap_or(config.host);
        config.port = port.unwrap_or(config.port);
        config.shutdown_seconds = shutdown_seconds.unwrap_or(config.shutdown_seconds);
        if !allow_hosts.is_empty() {
            config.allow_hosts = allow_hosts
                .into_iter()
                .filter(|h| !h.trim().is_empty())
                .collect();
        }
        if config.data_dir.as_os_str().is_empty() {
            let base = over.xdg_data_home.filter(|p| p.is_absolute());
            let base = base.or_else(|| {
                over.home
                    .filter(|h| h.is_absolute())
                    .map(|h| h.join(".local/share"))
            });
            match base {
                Some(base) => config.data_dir = base.join("nodetool"),
                None => bail!(
                    "no home folder to keep data in: name one with --data-dir or NODETOOL_DATA_DIR"
                ),
            }
        }
        Ok(config)
    }

    /// The database file.
    pub(crate) fn database(&self) -> PathBuf {
        self.data_dir.join("nodetool.sqlite3")
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
