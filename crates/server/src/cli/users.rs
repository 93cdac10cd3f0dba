//! `nodetool users`: the users file itself, whether or not a server is running, which sees every change at once.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::table;
use crate::config::{Config, Overrides};
use crate::services::{NewToken, Record, Role, UsersFile};

/// Add, list and remove the users of a server for several users
#[derive(Debug, clap::Args)]
#[command(
    after_help = "These commands change the users file on this machine, for servers started with --auth-provider multi_user. Run them as\nthe user the server runs as: the file can be read by nobody else."
)]
pub(super) struct Users {
    #[command(subcommand)]
    command: UsersCommand,
    /// The users file; by default users.yaml in the folder of settings
    #[arg(long, global = true, value_name = "FILE", env = "USERS_FILE")]
    users_file: Option<PathBuf>,
    /// File with settings; see config.default.toml for all of them
    #[arg(long, global = true, value_name = "FILE", env = "NODETOOL_CONFIG")]
    config: Option<PathBuf>,
    /// Base of the folder of settings
    #[arg(long, global = true, hide = true, env = "XDG_CONFIG_HOME")]
    xdg_config_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, global = true, hide = true, env = "HOME")]
    home: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum UsersCommand {
    /// Add a user and print their token, which is shown this once only
    Add {
        /// Letters, digits, `_`, `.` and `-`
        name: String,
        /// What the user may do
        #[arg(long, default_value = "user")]
        role: Role,
    },
    /// List the users
    List {
        /// Print the users as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a user; what belongs to them stays
    Remove {
        /// Who
        name: String,
        /// Do not ask
        #[arg(long, short)]
        force: bool,
    },
    /// Give a user another token and print it; the one before lets nobody in any more
    ResetToken {
        /// Whose
        name: String,
    },
}

impl Users {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(Overrides {
            users_file: self.users_file,
            config: self.config,
            xdg_config_home: self.xdg_config_home,
            home: self.home,
            // Users have nothing to do with it; there may be no home folder to put it in.
            data_dir: Some(".".into()),
            ..Overrides::default()
        })?;
        let path = config.users_file().context(
            "no home folder to look for the users file in: name it with --users-file or USERS_FILE",
        )?;
        let file = UsersFile::new(path);
        match self.command {
            UsersCommand::Add { name, role } => tell(&file, &file.add(&name, role)?, "added to"),
            UsersCommand::ResetToken { name } => {
                tell(&file, &file.reset_token(&name)?, "has a new token in")
            }
            UsersCommand::List { json } => list(&file.list()?, json),
            UsersCommand::Remove { name, force } => {
                // Whoever is not there need not be asked about.
                let record = file.get(&name)?;
                if !force && !confirmed(&record)? {
                    bail!("nobody was removed");
                }
                file.remove(&name)?;
                eprintln!("removed {name} from {}", file.path().display());
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The token alone goes to standard output, so that it can be put where it belongs without anybody seeing it.
fn tell(file: &UsersFile, new: &NewToken, what: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", new.token)?;
    out.flush()?;
    let Record {
        username,
        user_id,
        role,
        ..
    } = &new.record;
    let path = file.path().display();
    eprintln!("{username} ({user_id}, {}) {what} {path}", role.word());
    eprintln!("the token is shown this once only");
    Ok(ExitCode::SUCCESS)
}

fn list(users: &[Record], as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let describe = |r: &Record| {
            serde_json::json!({
                "username": r.username,
                "user_id": r.user_id,
                "role": r.role.word(),
                "token_hash": r.token_hint(),
                "created_at": r.created_at,
            })
        };
        let users: Vec<_> = users.iter().map(describe).collect();
        writeln!(out, "{}", serde_json::json!({ "users": users }))?;
    } else {
        let row = |r: &Record| {
            vec![
                r.username.clone(),
                r.role.word().to_owned(),
                r.user_id.clone(),
                r.created_at.clone(),
            ]
        };
        let header = ["USERNAME", "ROLE", "USER ID", "CREATED"];
        table::print(&mut out, &header, users.iter().map(row).collect())?;
        eprintln!("{} users", users.len());
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn confirmed(record: &Record) -> anyhow::Result<bool> {
    let Record {
        username, user_id, ..
    } = record;
    if !std::io::stdin().is_terminal() {
        bail!("pass --force to remove {username} without being asked");
    }
    eprint!("remove {username} ({user_id})? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let answer = answer.trim();
    Ok(answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"))
}
