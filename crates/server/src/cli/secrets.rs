//! `nodetool secrets`: list, store and delete through a server; a change of the master key on the data folder itself.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::Value;
use nodetool_store::{Options, Store};
use reqwest::Method;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::client::Ask;
use super::reach::Reach;
use super::{folder, table};
use crate::config::{Config, private_folder};
use crate::extensions::Extension;
use crate::sensitive::Sensitive;
use crate::services::{MAX_SECRET, NewMasterKey, Origin, rotate};

/// Store, list and delete secrets, and change the key they are encrypted with
#[derive(Debug, clap::Args)]
pub(super) struct Secrets {
    #[command(subcommand)]
    command: Command,
    /// Print what the server answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the registered secrets and whether they are stored; never their values
    List {
        /// Secrets to list at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Store a secret; its value is asked for, or read from standard input
    Store {
        /// Name of the secret, e.g. OPENAI_API_KEY
        key: String,
        /// What it is for
        #[arg(long, short)]
        description: Option<String>,
    },
    /// Delete a secret
    Delete {
        /// Name of the secret
        key: String,
    },
    /// Encrypt every secret with another master key; no server may use the data folder meanwhile
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
struct Rotate {
    /// Make a new key and keep it in the key file
    #[arg(long, required_unless_present = "to_stdin")]
    generate: bool,
    /// Take the new key from standard input
    #[arg(long, conflicts_with = "generate")]
    to_stdin: bool,
}

impl Secrets {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let Secrets {
            command,
            json,
            reach,
        } = self;
        match command {
            Command::List { limit } => list(&reach, extensions, limit, json),
            Command::Store { key, description } => {
                let value = read_secret(&format!("Value of {key}: "))?;
                store(&reach, extensions, &key, value, description, json)
            }
            Command::Delete { key } => reach.run(extensions, async |client| {
                let path = ["api", "settings", "secrets", key.as_str()];
                let answer = client
                    .ask(Ask {
                        about: &key,
                        ..Ask::new(Method::DELETE, &path)
                    })
                    .await?;
                told(&answer, json, &format!("{key} is deleted"))
            }),
            Command::Rotate(rotate) => rotate.main(&reach, json),
        }
    }
}

fn told(answer: &Value, json: bool, text: &str) -> anyhow::Result<ExitCode> {
    if json {
        table::json(&mut std::io::stdout().lock(), answer)?;
    } else {
        eprintln!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(
    reach: &Reach,
    extensions: Vec<Extension>,
    limit: u16,
    json: bool,
) -> anyhow::Result<ExitCode> {
    reach.run(extensions, async |client| {
        let query = [("limit", limit.to_string())];
        let answer = client.get(&["api", "settings", "secrets"], &query).await?;
        let mut out = std::io::stdout().lock();
        if json {
            table::json(&mut out, &answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let secrets = answer.get("secrets").and_then(Value::as_list);
        let secrets = secrets.context("the server's answer has no secrets")?;
        let is_stored = |s: &&Value| s.get("is_configured") == Some(&Value::Bool(true));
        let row = |s: &Value| {
            vec![
                table::cell(s, "key"),
                if is_stored(&s) { "yes" } else { "no" }.into(),
                table::time(s, "updated_at"),
                table::cell(s, "description"),
            ]
        };
        let header = ["KEY", "STORED", "UPDATED", "DESCRIPTION"];
        table::print(&mut out, &header, secrets.iter().map(row).collect())?;
        out.flush()?;
        let stored = secrets.iter().filter(is_stored).count();
        eprintln!("{stored} of {} secrets are stored", secrets.len());
        Ok(ExitCode::SUCCESS)
    })
}

fn store(
    reach: &Reach,
    extensions: Vec<Extension>,
    key: &str,
    value: Sensitive,
    description: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    reach.run(extensions, async |client| {
        let description = description.map_or(Value::Null, Value::from);
        let body = Value::map([
            ("value", Value::from(value.expose())),
            ("description", description),
        ]);
        let path = ["api", "settings", "secrets", key];
        let ask = Ask {
            about: key,
            ..Ask::new(Method::PUT, &path)
        };
        let answer = client.ask(ask.json(&body)?).await?;
        told(&answer, json, &format!("{key} is stored"))
    })
}

impl Rotate {
    fn main(self, reach: &Reach, json: bool) -> anyhow::Result<ExitCode> {
        if reach.names_server() {
            bail!("rotate works on a data folder of this machine; it takes no --api-url");
        }
        let config = reach.settings()?;
        let to = if self.generate {
            NewMasterKey::Generated
        } else {
            NewMasterKey::Given(read_secret("New master key: ")?)
        };
        let runtime = super::runtime()?;
        runtime.block_on(change_key(&config, to, json))
    }
}

async fn change_key(config: &Config, to: NewMasterKey, json: bool) -> anyhow::Result<ExitCode> {
    private_folder(&config.data_dir)?;
    let owned = folder::own(&config.data_dir)?.with_context(|| {
        format!(
            "a server uses the data folder {}: stop it first, because it would go on with the old key",
            config.data_dir.display()
        )
    })?;
    let store =
        Store::open(&config.database(), Options::default()).context("cannot open the database")?;
    let places = config.keys.places(config.config_dir.as_deref());
    let rotated = rotate(&store, &places, to).await;
    store.close().await?;
    drop(owned);
    let rotated = rotated?;
    let file = rotated.file.map(|file| file.display().to_string());
    if json {
        let count = i64::try_from(rotated.secrets)?;
        let answer = Value::map([
            ("rotated", Value::Int(count)),
            ("key_file", file.map_or(Value::Null, Value::from)),
        ]);
        table::json(&mut std::io::stdout().lock(), &answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{} secrets are encrypted with the new key", rotated.secrets);
    match (&file, rotated.from) {
        (Some(file), Origin::File) => eprintln!(
            "it is in {file}; the old one is kept beside it, for backups and other data folders"
        ),
        (Some(file), Origin::Environment) => {
            eprintln!(
                "it is in {file}; take SECRETS_MASTER_KEY out of the environment before the next start"
            );
        }
        (Some(file), Origin::Aws) => {
            eprintln!(
                "it is in {file}; take AWS_SECRETS_MASTER_KEY_NAME out of the environment before the next start"
            );
        }
        (None, Origin::Aws) => {
            eprintln!(
                "put the new key into the secret that AWS_SECRETS_MASTER_KEY_NAME names before the next start"
            );
        }
        (None, _) => eprintln!("set SECRETS_MASTER_KEY to the new key before the next start"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A line from a terminal, which does not show it, or all of standard input without the line break at its end.
fn read_secret(prompt: &str) -> anyhow::Result<Sensitive> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    if stdin.is_terminal() {
        eprint!("{prompt}");
        let shown = Silenced::new(&stdin)?;
        let got = stdin.read_line(&mut text);
        drop(shown);
        eprintln!();
        got.context("cannot read from the terminal")?;
    } else {
        let most = MAX_SECRET as u64 + 3;
        let got = stdin.lock().take(most).read_to_string(&mut text);
        got.context("cannot read from standard input")?;
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.len() {
        0 => bail!("nothing was given on standard input"),
        n if n > MAX_SECRET => bail!("more than {MAX_SECRET} bytes were given"),
        _ => Ok(Sensitive::new(line)),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silenced<'a> {
    terminal: &'a std::io::Stdin,
    before: Termios,
}

impl<'a> Silenced<'a> {
    fn new(terminal: &'a std::io::Stdin) -> anyhow::Result<Self> {
        let before = tcgetattr(terminal).context("cannot ask the terminal")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)
            .context("the terminal cannot hide what is typed")?;
        Ok(Silenced { terminal, before })
    }
}

impl Drop for Silenced<'_> {
    fn drop(&mut self) {
        // The terminal may have gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
