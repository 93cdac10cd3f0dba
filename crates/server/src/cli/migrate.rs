//! `nodetool migrate status` and `nodetool migrate up`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_store::{MigrationState, MigrationStatus, Options, Store};

use crate::config::{Config, Overrides, private_folder};
use crate::services::TimeText;

/// Look at the database's schema and bring it up to date
#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    #[command(subcommand)]
    command: MigrateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum MigrateCommand {
    /// List the migrations and whether the database has them
    Status(Database),
    /// Apply the migrations the database does not have yet
    Up(Database),
}

/// Which database, and how to tell about it.
#[derive(Debug, clap::Args)]
struct Database {
    /// File with settings; see config.default.toml for all of them
    #[arg(long, value_name = "FILE", env = "NODETOOL_CONFIG")]
    config: Option<PathBuf>,
    /// Folder for the database, assets and workspace
    #[arg(long, value_name = "DIR", env = "NODETOOL_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Base of the default data folder
    #[arg(long, hide = true, env = "XDG_DATA_HOME")]
    xdg_data_home: Option<PathBuf>,
    /// Home folder
    #[arg(long, hide = true, env = "HOME")]
    home: Option<PathBuf>,
    /// Print the migrations as JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let (database, up) = match self.command {
            MigrateCommand::Status(database) => (database, false),
            MigrateCommand::Up(database) => (database, true),
        };
        let Database {
            config,
            data_dir,
            xdg_data_home,
            home,
            json,
        } = database;
        let config = Config::load(Overrides {
            config,
            data_dir,
            xdg_data_home,
            home,
            ..Overrides::default()
        })?;
        let runtime = super::runtime()?;
        let (migrations, applied) = runtime.block_on(migrate(&config, up))?;
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(&described(&migrations))?)?;
        } else {
            print(&migrations, &mut out)?;
        }
        out.flush()?;
        if up && !json {
            eprintln!("{applied} applied");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The migrations as they stand afterwards, and how many were applied.
async fn migrate(config: &Config, up: bool) -> anyhow::Result<(Vec<MigrationStatus>, usize)> {
    let path = config.database();
    if up {
        private_folder(&config.data_dir)?;
    } else if !path.exists() {
        bail!(
            "there is no database {}; `nodetool migrate up` creates it",
            path.display()
        );
    }
    let options = Options {
        readers: 1,
        migrate: false,
        ..Options::default()
    };
    let store = Store::open(&path, options)
        .with_context(|| format!("cannot use the database {}", path.display()))?;
    let applied = if up { store.migrate().await? } else { 0 };
    let migrations = store.migration_status().await?;
    store.close().await?;
    Ok((migrations, applied))
}

fn described(migrations: &[MigrationStatus]) -> Vec<serde_json::Value> {
    let describe = |m: &MigrationStatus| {
        let (applied_at, took) = match m.state {
            MigrationState::Pending => (None, None),
            MigrationState::Applied {
                applied_at,
                execution_time_ms,
                ..
            } => (Some(TimeText(applied_at)), Some(execution_time_ms)),
        };
        serde_json::json!({
            "version": m.version,
            "name": m.name,
            "checksum": m.checksum,
            "state": word(&m.state),
            "applied_at": applied_at,
            "execution_time_ms": took,
        })
    };
    migrations.iter().map(describe).collect()
}

fn word(state: &MigrationState) -> &'static str {
    match state {
        MigrationState::Pending => "pending",
        MigrationState::Applied {
            baselined: true, ..
        } => "baselined",
        MigrationState::Applied { .. } => "applied",
    }
}

fn print(migrations: &[MigrationStatus], out: &mut impl Write) -> anyhow::Result<()> {
    let names = migrations.iter().map(|m| m.name.len());
    let width = names.max().unwrap_or(0).max("NAME".len());
    writeln!(
        out,
        "{:15}  {:width$}  {:9}  APPLIED AT",
        "VERSION", "NAME", "STATE"
    )?;
    for (m, described) in migrations.iter().zip(described(migrations)) {
        let applied_at = described["applied_at"].as_str().unwrap_or("-");
        let state = word(&m.state);
        writeln!(
            out,
            "{:15}  {:width$}  {state:9}  {applied_at}",
            m.version, m.name
        )?;
    }
    Ok(())
}
