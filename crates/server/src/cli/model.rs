//! `nodetool model`: the models of this machine. It needs no server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::Value;

use super::download_bar::DownloadBar;
use super::reach::EXIT_INTERRUPTED;
use super::table;
use crate::config::{Config, ModelArgs, Overrides};
use crate::services::OWNER;
use crate::services::downloads::{CachedRepo, DownloadService, Order, Ordered, Snapshot, Status};

/// Time that a download gets to end with the command.
const GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// Look at the models of this machine and download more
#[derive(Debug, clap::Args)]
pub(super) struct Model {
    #[command(subcommand)]
    command: ModelCommand,
}

/// Where models are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Folders")]
struct Local {
    #[command(flatten)]
    models: ModelArgs,
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
}

#[derive(Debug, clap::Subcommand)]
enum ModelCommand {
    /// Show how much of the hub's cache each model takes
    HfCache {
        #[command(flatten)]
        local: Box<Local>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the models in the hub's cache with their files
    ListHfAll {
        #[command(flatten)]
        local: Box<Local>,
        /// At most so many lines
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        limit: usize,
        /// No files, only models
        #[arg(long)]
        repo_only: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Download a model from the hub
    DownloadHf {
        #[command(flatten)]
        local: Box<Local>,
        /// The model, as `owner/name`
        #[arg(long, value_name = "ID")]
        repo_id: String,
        /// Folder of the cache; without it, the one of the hub's own tools
        #[arg(long, value_name = "DIR")]
        cache_dir: Option<PathBuf>,
        /// Only this file
        #[arg(long, value_name = "PATH")]
        file_path: Option<String>,
        /// Only files that fit a pattern, e.g. *.safetensors (repeatable)
        #[arg(long, value_name = "PATTERN")]
        allow_patterns: Vec<String>,
        /// No files that fit a pattern (repeatable)
        #[arg(long, value_name = "PATTERN")]
        ignore_patterns: Vec<String>,
        /// Type of the model, e.g. llama_cpp for the cache of llama.cpp
        #[arg(long, value_name = "TYPE")]
        model_type: Option<String>,
    },
}

impl Local {
    fn downloads(self, cache: Option<PathBuf>) -> anyhow::Result<DownloadService> {
        let mut models = self.models;
        models.hf_hub_cache = cache.or(models.hf_hub_cache);
        let config = Config::load(Overrides {
            models,
            config: self.config,
            data_dir: self.data_dir,
            xdg_data_home: self.xdg_data_home,
            home: self.home,
            ..Overrides::default()
        })?;
        let parts = config.downloads().context("in the folders of models")?;
        DownloadService::new(parts).context("--hf-endpoint")
    }
}

impl Model {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        super::runtime()?.block_on(async {
            match self.command {
                ModelCommand::HfCache { local, json } => cache(local.downloads(None)?, json).await,
                ModelCommand::ListHfAll {
                    local,
                    limit,
                    repo_only,
                    json,
                } => list(local.downloads(None)?, limit, repo_only, json).await,
                ModelCommand::DownloadHf {
                    local,
                    repo_id,
                    cache_dir,
                    file_path,
                    allow_patterns,
                    ignore_patterns,
                    model_type,
                } => {
                    let order = Order::read(Ordered {
                        repo_id,
                        path: file_path,
                        allow_patterns,
                        ignore_patterns,
                        model_type,
                    })?;
                    download(local.downloads(cache_dir)?, order).await
                }
            }
        })
    }
}

fn number(bytes: u64) -> Value {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

async fn cache(downloads: DownloadService, json: bool) -> anyhow::Result<ExitCode> {
    let inventory = downloads.library().scan().await?;
    for warning in &inventory.warnings {
        eprintln!("warning: {warning}");
    }
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &inventory)?;
        std::io::Write::write_all(&mut out, b"\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |repo: &CachedRepo| {
        vec![
            repo.repo_id.clone(),
            repo.repo_type.to_owned(),
            size(repo.size_on_disk),
            repo.nb_files.to_string(),
            repo.repo_path.clone(),
        ]
    };
    let rows = inventory.repos.iter().map(row).collect();
    table::print(
        &mut out,
        &["MODEL", "KIND", "SIZE", "FILES", "FOLDER"],
        rows,
    )?;
    eprintln!("{} in all", size(inventory.size_on_disk));
    Ok(ExitCode::SUCCESS)
}

async fn list(
    downloads: DownloadService,
    limit: usize,
    repo_only: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let repos = downloads.library().scan().await?.repos;
    let mut rows: Vec<(String, Option<String>, u64, String)> = Vec::new();
    for repo in repos.into_iter().filter(|r| r.repo_type == "model") {
        if repo_only {
            rows.push((repo.repo_id, None, repo.size_on_disk, repo.repo_path));
            continue;
        }
        // A file is in each state it has not changed in.
        let mut files: Vec<_> = repo.revisions.into_iter().flat_map(|r| r.files).collect();
        files.sort_by(|a, b| a.file_name.cmp(&b.file_name));
        files.dedup_by(|a, b| a.file_name == b.file_name);
        let files = files.into_iter();
        rows.extend(files.map(|f| {
            let repo_id = repo.repo_id.clone();
            (repo_id, Some(f.file_name), f.size_on_disk, f.file_path)
        }));
    }
    rows.truncate(limit);
    let mut out = std::io::stdout().lock();
    if json {
        let item = |(repo_id, path, bytes, place): &(String, Option<String>, u64, String)| {
            Value::map([
                ("repo_id", Value::from(repo_id.as_str())),
                ("path", path.as_deref().map_or(Value::Null, Value::from)),
                ("size_on_disk", number(*bytes)),
                ("cache_path", place.as_str().into()),
            ])
        };
        table::json(&mut out, &Value::list(rows.iter().map(item)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let row = |(repo_id, path, bytes, _): (String, Option<String>, u64, String)| {
        vec![repo_id, path.unwrap_or_default(), size(bytes)]
    };
    let rows = rows.into_iter().map(row).collect();
    table::print(&mut out, &["MODEL", "FILE", "SIZE"], rows)?;
    Ok(ExitCode::SUCCESS)
}

async fn download(downloads: DownloadService, order: Order) -> anyhow::Result<ExitCode> {
    let id = order.id();
    downloads.start(OWNER, order)?;
    let end = tokio::select! {
        end = watched(&downloads, &id) => Some(end),
        _ = tokio::signal::ctrl_c() => None,
    };
    downloads.shut_down(GRACE).await;
    let Some(end) = end else {
        eprintln!("interrupted; the same command goes on from here");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    };
    if end.status != Status::Completed {
        bail!("{}", end.error.unwrap_or_else(|| "cancelled".into()));
    }
    eprintln!("{} files, {}", end.total_files, size(end.total_bytes));
    if let Some(place) = end.local_path {
        println!("{}", place.display());
    }
    Ok(ExitCode::SUCCESS)
}

async fn watched(downloads: &DownloadService, id: &str) -> Snapshot {
    let mut watch = downloads.watch(OWNER);
    let mut bar = DownloadBar::on_terminal(true);
    loop {
        let now = watch.next().await;
        if now.id() != id {
            continue;
        }
        let file = now.current_files.first().map_or("…", String::as_str);
        bar.show(now.downloaded_bytes, now.total_bytes, file);
        if now.status.is_terminal() {
            bar.finish();
            return now;
        }
    }
}
