//! Which server a command talks to: the one that is named, the one that has the data folder, or one of its own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;

use super::client::Client;
use super::here::{self, Place};
use crate::config::{Config, Keys, Overrides};
use crate::extensions::Extension;

/// A command was ended by Ctrl-C.
pub(super) const EXIT_INTERRUPTED: u8 = 130;
/// The one user of a server without accounts.
const ONLY_USER: &str = "1";

/// The server, and how it is told who asks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Reach {
    /// Server to talk to; without it, the data folder of this machine is used
    #[arg(
        long,
        global = true,
        visible_alias = "url",
        alias = "server-url",
        value_name = "URL",
        env = "NODETOOL_API_URL"
    )]
    api_url: Option<String>,
    /// Token that says who you are
    #[arg(
        long,
        global = true,
        alias = "auth-token",
        value_name = "TOKEN",
        env = "NODETOOL_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// User to act for; with a token, the token says who you are
    #[arg(
        long,
        short,
        global = true,
        value_name = "USER",
        default_value = ONLY_USER
    )]
    user_id: String,
    /// File with settings; see config.default.toml for all of them
    #[arg(long, global = true, value_name = "FILE", env = "NODETOOL_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for the database, assets and workspace
    #[arg(long, global = true, value_name = "DIR", env = "NODETOOL_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Host or network that nodes may call although it is private
    #[arg(
        long = "allow-host",
        global = true,
        hide = true,
        env = "NODETOOL_ALLOW_HOSTS",
        value_delimiter = ','
    )]
    allow_hosts: Vec<String>,
    #[command(flatten)]
    keys: Keys,
    /// Base of the default data folder
    #[arg(long, global = true, hide = true, env = "XDG_DATA_HOME")]
    xdg_data_home: Option<PathBuf>,
    /// Base of the folder of settings
    #[arg(long, global = true, hide = true, env = "XDG_CONFIG_HOME")]
    xdg_config_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, global = true, hide = true, env = "HOME")]
    home: Option<PathBuf>,
}

impl Reach {
    /// The settings that say where the data folder is.
    pub(super) fn settings(&self) -> anyhow::Result<Config> {
        // Which models there are is said in the environment, as for a server.
        let environment = Overrides::of_environment()?;
        let mut config = Config::load(self.over(Overrides {
            models: environment.models,
            chat: environment.chat,
            ..Overrides::default()
        }))?;
        config.secrets = super::environment::secrets();
        Ok(config)
    }

    /// Settings with those that say where the data folder is.
    pub(super) fn over(&self, settings: Overrides) -> Overrides {
        Overrides {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            allow_hosts: self.allow_hosts.clone(),
            xdg_data_home: self.xdg_data_home.clone(),
            xdg_config_home: self.xdg_config_home.clone(),
            home: self.home.clone(),
            keys: self.keys.clone(),
            ..settings
        }
    }

    /// Whether a server is named, so that the data folder is not this machine's.
    pub(super) fn names_server(&self) -> bool {
        self.api_url.as_deref().is_some_and(|url| !url.is_empty())
    }

    /// Does the work of a command with a client of the server; Ctrl-C ends it.
    pub(super) fn run(
        &self,
        extensions: Vec<Extension>,
        work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        self.run_until_done(extensions, async |client| {
            tokio::select! {
                // Listened for before the work begins, however far that comes at once.
                biased;
                // The work is dropped, and with it the connection: a run it watched is cancelled.
                _ = tokio::signal::ctrl_c() => {
                    eprintln!("interrupted");
                    Ok(ExitCode::from(EXIT_INTERRUPTED))
                }
                result = work(client) => result,
            }
        })
    }

    /// Does the work of a command that knows itself what Ctrl-C means.
    pub(super) fn run_until_done(
        &self,
        extensions: Vec<Extension>,
        work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        if self.user_id != ONLY_USER {
            bail!(
                "--user-id {}: servers know their users by --token; without accounts the one user is {ONLY_USER}",
                self.user_id
            );
        }
        let runtime = super::runtime()?;
        let result = runtime.block_on(self.work(extensions, work));
        // Whatever ignores its cancellation must not hold the process.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }

    async fn work(
        &self,
        extensions: Vec<Extension>,
        work: impl AsyncFnOnce(&Client) -> anyhow::Result<ExitCode>,
    ) -> anyhow::Result<ExitCode> {
        let token = self.token.as_deref().filter(|t| !t.is_empty());
        let (address, here) = match self.api_url.as_deref().filter(|u| !u.is_empty()) {
            Some(url) => (url.to_owned(), None),
            None => match here::place(self.settings()?, extensions).await? {
                Place::Here(address, here) => (address, Some(here)),
                Place::There(address) => (address, None),
            },
        };
        let result = match Client::new(&address, token, here.is_some()) {
            Ok(client) => work(&client).await,
            Err(e) => Err(e),
        };
        if let Some(here) = here {
            here.close().await?;
        }
        result
    }
}
