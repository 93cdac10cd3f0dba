//! `nodetool admin`: the models of a deployed server.

use std::process::ExitCode;

use anyhow::{Context, bail};
use nodetool_protocol::Value;
use reqwest::Method;

use super::client::{Ask, Client, Lines, plain};
use super::download_bar::DownloadBar;
use super::reach::EXIT_INTERRUPTED;
use super::table;

/// Look after the models of a deployed server
#[derive(Debug, clap::Args)]
pub(super) struct Admin {
    #[command(subcommand)]
    command: AdminCommand,
}

/// The server, and how it is told who asks.
#[derive(Debug, clap::Args)]
struct There {
    /// Server to talk to
    #[arg(long, alias = "api-url", value_name = "URL")]
    server_url: String,
    /// Token of an administrator
    #[arg(
        long,
        alias = "token",
        value_name = "TOKEN",
        env = "NODETOOL_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,
    /// The administrators' token, which a server in production asks for, too
    #[arg(
        long,
        value_name = "TOKEN",
        env = "ADMIN_TOKEN",
        hide_env_values = true
    )]
    admin_token: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum AdminCommand {
    /// Download a model from the hub into the server's cache
    DownloadHf {
        #[command(flatten)]
        there: There,
        /// The model, as `owner/name`
        #[arg(long, value_name = "ID")]
        repo_id: String,
        /// Accepted for older scripts; the server uses its own cache
        #[arg(long, value_name = "DIR", hide = true)]
        cache_dir: Option<String>,
        /// Only this file
        #[arg(long, value_name = "PATH")]
        file_path: Option<String>,
        /// Only files that fit a pattern, e.g. *.safetensors (repeatable)
        #[arg(long, value_name = "PATTERN")]
        allow_patterns: Vec<String>,
        /// No files that fit a pattern (repeatable)
        #[arg(long, value_name = "PATTERN")]
        ignore_patterns: Vec<String>,
    },
    /// Have the server's Ollama pull a model
    DownloadOllama {
        #[command(flatten)]
        there: There,
        /// The model, e.g. llama3.2:latest
        #[arg(long, value_name = "NAME")]
        model_name: String,
    },
    /// List the models in the server's cache
    ScanCache {
        #[command(flatten)]
        there: There,
    },
    /// Delete a model from the server's cache
    DeleteHf {
        #[command(flatten)]
        there: There,
        /// The model, as `owner/name`
        #[arg(long, value_name = "ID")]
        repo_id: String,
    },
    /// Measure the server's cache
    CacheSize {
        #[command(flatten)]
        there: There,
        /// A folder within it
        #[arg(long, value_name = "DIR")]
        cache_dir: Option<String>,
    },
}

impl AdminCommand {
    fn there(&self) -> &There {
        let (AdminCommand::DownloadHf { there, .. }
        | AdminCommand::DownloadOllama { there, .. }
        | AdminCommand::ScanCache { there }
        | AdminCommand::DeleteHf { there, .. }
        | AdminCommand::CacheSize { there, .. }) = self;
        there
    }
}

impl Admin {
    pub(super) fn main(self) -> anyhow::Result<ExitCode> {
        let there = self.command.there();
        let token = there.api_key.as_deref().filter(|t| !t.is_empty());
        let mut client = Client::new(&there.server_url, token, false)?;
        if let Some(token) = there.admin_token.as_deref().filter(|t| !t.is_empty()) {
            client = client.administering(token)?;
        }
        super::runtime()?.block_on(async {
            tokio::select! {
                result = self.command.run(&client) => result,
                _ = tokio::signal::ctrl_c() => {
                    eprintln!("interrupted; a download that has begun goes on at the server");
                    Ok(ExitCode::from(EXIT_INTERRUPTED))
                }
            }
        })
    }
}

impl AdminCommand {
    async fn run(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let json = self.there().json;
        match self {
            AdminCommand::DownloadHf {
                repo_id,
                cache_dir,
                file_path,
                allow_patterns,
                ignore_patterns,
                ..
            } => {
                let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
                let texts = |texts: &[String]| match texts {
                    [] => Value::Null,
                    texts => Value::list(texts.iter().map(|t| Value::from(t.as_str()))),
                };
                let body = Value::map([
                    ("repo_id", Value::from(repo_id.as_str())),
                    ("cache_dir", text(cache_dir)),
                    ("file_path", text(file_path)),
                    ("allow_patterns", texts(allow_patterns)),
                    ("ignore_patterns", texts(ignore_patterns)),
                    ("stream", true.into()),
                ]);
                let path = ["admin", "models", "huggingface", "download"];
                follow(client, &path, repo_id, &body, json).await
            }
            AdminCommand::DownloadOllama { model_name, .. } => {
                let body = Value::map([
                    ("model_name", Value::from(model_name.as_str())),
                    ("stream", true.into()),
                ]);
                let path = ["admin", "models", "ollama", "download"];
                follow(client, &path, model_name, &body, json).await
            }
            AdminCommand::ScanCache { .. } => scan(client, json).await,
            AdminCommand::DeleteHf { repo_id, .. } => {
                let mut path = vec!["admin", "models", "huggingface"];
                path.extend(repo_id.split('/'));
                let mut ask = Ask::new(Method::DELETE, &path);
                ask.about = repo_id;
                let answer = client.ask(ask).await?;
                tell_end(&answer, json)
            }
            AdminCommand::CacheSize { cache_dir, .. } => {
                let query = cache_dir.clone().map(|dir| ("cache_dir", dir));
                let query: Vec<_> = query.into_iter().collect();
                let answer = client.get(&["admin", "cache", "size"], &query).await?;
                let mut out = std::io::stdout().lock();
                if json {
                    table::json(&mut out, &answer)?;
                } else {
                    let bytes = bytes(&answer, "total_size_bytes");
                    let fields = [
                        ("folder", table::cell(&answer, "cache_dir")),
                        ("size", indicatif::BinaryBytes(bytes).to_string()),
                    ];
                    table::record(&mut out, &fields)?;
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn bytes(value: &Value, key: &str) -> u64 {
    let bytes = value.get(key).and_then(Value::as_i64);
    bytes.and_then(|b| u64::try_from(b).ok()).unwrap_or(0)
}

/// Watches a download to its end.
async fn follow(
    client: &Client,
    path: &[&str],
    about: &str,
    body: &Value,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let ask = Ask::new(Method::POST, path).json(body)?;
    let response = client.open(Ask { about, ..ask }).await?;
    let mut lines = Lines::new(response);
    let mut bar = DownloadBar::on_terminal(!json);
    let mut last = None;
    while let Some(line) = lines.next().await? {
        let said = match event(&line)? {
            Event::Nothing => continue,
            Event::End => break,
            Event::Said(said) => said,
        };
        // One file of ours, or what Ollama calls a layer.
        let (done, total) = match said.get("total_size") {
            Some(_) => (bytes(&said, "downloaded_size"), bytes(&said, "total_size")),
            None => (bytes(&said, "completed"), bytes(&said, "total")),
        };
        bar.show(done, total, &word(&said));
        last = Some(said);
    }
    bar.finish();
    match last {
        Some(said) => tell_end(&said, json),
        None => bail!("the server's answer has no end"),
    }
}

/// What a line of an event stream is.
pub(crate) enum Event {
    /// A comment, or the blank after an event.
    Nothing,
    End,
    Said(Value),
}

/// Reads a line of an event stream, each of whose events is one line of JSON.
pub(crate) fn event(line: &[u8]) -> anyhow::Result<Event> {
    let Some(data) = line.strip_prefix(b"data:") else {
        return Ok(Event::Nothing);
    };
    let data = data.trim_ascii();
    if data == b"[DONE]" {
        return Ok(Event::End);
    }
    let said = serde_json::from_slice(data).context("the server sent an event that is no JSON")?;
    Ok(Event::Said(said))
}

/// What is going on, in a word.
fn word(said: &Value) -> String {
    let file = table::cell(said, "current_file");
    plain(&if file.is_empty() {
        table::cell(said, "status")
    } else {
        file
    })
}

fn tell_end(said: &Value, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        table::json(&mut std::io::stdout().lock(), said)?;
    }
    let status = table::cell(said, "status");
    if status != "completed" {
        let error = table::cell(said, "error");
        bail!("{}", plain(if error.is_empty() { &status } else { &error }));
    }
    if !json {
        eprintln!("{}", plain(&table::cell(said, "message")));
        let place = table::cell(said, "local_path");
        if !place.is_empty() {
            println!("{}", plain(&place));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn scan(client: &Client, json: bool) -> anyhow::Result<ExitCode> {
    let answer = client.get(&["admin", "cache", "scan"], &[]).await?;
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, &answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let info = answer.get("cache_info");
    let info = info.context("the server's answer has no cache_info")?;
    let repos = info.get("repos").and_then(Value::as_list);
    let row = |repo: &Value| {
        vec![
            table::cell(repo, "repo_id"),
            table::cell(repo, "repo_type"),
            indicatif::BinaryBytes(bytes(repo, "size_on_disk")).to_string(),
            table::cell(repo, "nb_files"),
        ]
    };
    let rows = repos.unwrap_or_default().iter().map(row).collect();
    table::print(&mut out, &["MODEL", "KIND", "SIZE", "FILES"], rows)?;
    let whole = indicatif::BinaryBytes(bytes(info, "size_on_disk"));
    eprintln!("{whole} in all");
    Ok(ExitCode::SUCCESS)
}
