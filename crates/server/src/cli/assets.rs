//! `nodetool assets`: files a server keeps.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use nodetool_protocol::{Map, Value};
use reqwest::{Body, Method, Response};

use super::client::{Ask, Client, plain};
use super::reach::Reach;
use super::table;
use super::upload::Form;
use crate::extensions::Extension;

/// Assets on one page of the API.
const PAGE: usize = 1000;
/// What common endings of file names mean; the server looks for itself where it can.
const TYPES: [(&str, &str); 26] = [
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("tiff", "image/tiff"),
    ("bmp", "image/bmp"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/x-flac"),
    ("m4a", "audio/x-m4a"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("xml", "text/xml"),
    ("json", "application/json"),
    ("yaml", "application/yaml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("glb", "model/gltf-binary"),
];

/// List, upload and download assets
#[derive(Debug, clap::Args)]
pub(super) struct Assets {
    #[command(subcommand)]
    command: AssetsCommand,
    /// Print what the server answers, as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// Where assets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Source {
    /// Your own
    User,
    /// Those of the server's packages
    Package,
}

/// Which assets are listed.
#[derive(Debug, clap::Args)]
struct List {
    /// Where they come from
    #[arg(long, default_value = "user")]
    source: Source,
    /// Only those directly in this folder; the root folder when nothing is asked for
    #[arg(long, value_name = "ID")]
    parent_id: Option<String>,
    /// Only those with this in their name, in all folders; two characters or more
    #[arg(long, value_name = "TEXT", conflicts_with = "parent_id")]
    query: Option<String>,
    /// Only content types that begin like this, e.g. image/
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Only those of this package
    #[arg(long, value_name = "NAME")]
    package_name: Option<String>,
    /// Assets to list
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, clap::Subcommand)]
enum AssetsCommand {
    /// List assets
    List(List),
    /// Show an asset, or download it
    Get {
        /// The asset
        id: String,
        /// File to download to; - for standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Upload a file
    Put {
        /// The file
        file: PathBuf,
        /// Folder to put it in; the root folder when absent
        #[arg(long, value_name = "ID")]
        parent_id: Option<String>,
        /// Name to keep it under, in place of the file's own
        #[arg(long)]
        name: Option<String>,
        /// What it is, where the ending of its name does not say so
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
    },
}

impl Assets {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        let Assets {
            command,
            reach,
            json,
        } = self;
        reach.run(extensions, async |client| match command {
            AssetsCommand::List(list) => match list.source {
                Source::User => list.own(client, json).await,
                Source::Package => list.packaged(client, json).await,
            },
            AssetsCommand::Get { id, output: None } => {
                let asset = client.get(&["api", "assets", &id], &[]).await?;
                show(&asset, json)
            }
            AssetsCommand::Get {
                id,
                output: Some(output),
            } => download(client, &id, &output).await,
            AssetsCommand::Put {
                file,
                parent_id,
                name,
                content_type,
            } => {
                let asset = put(client, &file, parent_id, name, content_type).await?;
                show(&asset, json)
            }
        })
    }
}

impl List {
    /// The caller's own, page after page.
    async fn own(self, client: &Client, json: bool) -> anyhow::Result<ExitCode> {
        let limit = self.limit as usize;
        let (path, next): (&[&str], _) = match self.query {
            Some(_) => (&["api", "assets", "search"], "next_cursor"),
            None => (&["api", "assets"], "next"),
        };
        let mut assets: Vec<Value> = Vec::new();
        let mut cursor = String::new();
        let more = loop {
            let size = (limit - assets.len()).min(PAGE);
            let mut query = vec![("page_size", size.to_string())];
            query.extend(self.query.clone().map(|q| ("query", q)));
            query.extend(self.parent_id.clone().map(|id| ("parent_id", id)));
            query.extend(self.content_type.clone().map(|t| ("content_type", t)));
            if !cursor.is_empty() {
                query.push(("cursor", cursor));
            }
            let ask = Ask {
                query: &query,
                about: "",
                ..Ask::new(Method::GET, path)
            };
            let page = client.ask(ask).await?;
            let rows = rows(&page)?;
            assets.extend(rows.iter().cloned());
            cursor = table::cell(&page, next);
            if cursor.is_empty() || rows.is_empty() || assets.len() >= limit {
                break !cursor.is_empty();
            }
        };
        let header = ["ID", "NAME", "TYPE", "SIZE", "CREATED"];
        let row = |a: &Value| {
            vec![
                table::cell(a, "id"),
                table::cell(a, "name"),
                table::cell(a, "content_type"),
                table::cell(a, "size"),
                table::time(a, "created_at"),
            ]
        };
        list(&header, assets, row, more, json)
    }

    /// Those of packages, which come as one list.
    async fn packaged(self, client: &Client, json: bool) -> anyhow::Result<ExitCode> {
        let mut path = vec!["api", "assets", "packages"];
        path.extend(self.package_name.as_deref());
        let ask = Ask {
            about: "",
            ..Ask::new(Method::GET, &path)
        };
        let page = client.ask(ask).await?;
        let wanted = self.query.unwrap_or_default().to_lowercase();
        let named = |a: &&Value| table::cell(a, "name").to_lowercase().contains(&wanted);
        let mut assets: Vec<Value> = rows(&page)?.iter().filter(named).cloned().collect();
        let more = assets.len() > self.limit as usize;
        assets.truncate(self.limit as usize);
        let header = ["ID", "NAME", "PACKAGE", "PATH"];
        let row = |a: &Value| {
            vec![
                table::cell(a, "id"),
                table::cell(a, "name"),
                table::cell(a, "package_name"),
                table::cell(a, "virtual_path"),
            ]
        };
        list(&header, assets, row, more, json)
    }
}

fn rows(page: &Value) -> anyhow::Result<&[Value]> {
    let rows = page.get("assets").and_then(Value::as_list);
    rows.context("the server's answer has no assets")
}

fn list(
    header: &[&str],
    assets: Vec<Value>,
    row: impl Fn(&Value) -> Vec<String>,
    more: bool,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, &Value::list(assets))?;
        return Ok(ExitCode::SUCCESS);
    }
    table::print(&mut out, header, assets.iter().map(row).collect())?;
    out.flush()?;
    let end = if more { "; --limit shows more" } else { "" };
    eprintln!("{} assets{end}", assets.len());
    Ok(ExitCode::SUCCESS)
}

fn show(asset: &Value, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if json {
        table::json(&mut out, asset)?;
        return Ok(ExitCode::SUCCESS);
    }
    let fields = [
        ("id", table::cell(asset, "id")),
        ("name", table::cell(asset, "name")),
        ("type", table::cell(asset, "content_type")),
        ("size", table::cell(asset, "size")),
        ("folder", table::cell(asset, "parent_id")),
        ("created", table::time(asset, "created_at")),
        ("workflow", table::cell(asset, "workflow_id")),
        ("job", table::cell(asset, "job_id")),
        ("seconds", table::cell(asset, "duration")),
    ];
    table::record(&mut out, &fields)?;
    Ok(ExitCode::SUCCESS)
}

/// The content type that the ending of a file's name stands for.
fn type_of(file: &Path) -> &'static str {
    let ending = file
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let known = TYPES.iter().find(|(e, _)| ending.eq_ignore_ascii_case(e));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

async fn put(
    client: &Client,
    path: &Path,
    parent_id: Option<String>,
    name: Option<String>,
    content_type: Option<String>,
) -> anyhow::Result<Value> {
    let shown = path.display();
    let file = tokio::fs::File::open(path).await;
    let file = file.with_context(|| format!("cannot open {shown}"))?;
    let about = file.metadata().await;
    let about = about.with_context(|| format!("cannot read {shown}"))?;
    if !about.is_file() {
        bail!("{shown} is no file");
    }
    let own = path.file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name
        .or(own)
        .with_context(|| format!("{shown} has no name"))?;
    let content_type = content_type.unwrap_or_else(|| type_of(path).to_owned());
    if content_type.contains(char::is_control) {
        bail!("--content-type: a content type has no control characters");
    }
    let mut asset = Map::new();
    asset.insert("name".into(), name.into());
    asset.insert("content_type".into(), content_type.as_str().into());
    asset.extend(parent_id.map(|id| ("parent_id".into(), id.into())));
    let progress = progress(Some(about.len()));
    let json = serde_json::to_vec(&asset)?;
    let (form, kind) = Form::new(&json, file, about.len(), &content_type, progress.clone());
    let ask = Ask {
        body: Some(Body::wrap(form)),
        content_type: Some(kind),
        ..Ask::new(Method::POST, &["api", "assets"])
    };
    // As long as it takes: Ctrl-C ends it.
    let answer = async {
        let response = client.open(ask).await?;
        client.json(response).await
    };
    let answer = answer.await;
    progress.finish_and_clear();
    answer
}

/// Bytes on their way, where somebody watches.
fn progress(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes}  {bytes_per_sec}",
        ),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

async fn download(client: &Client, id: &str, output: &Path) -> anyhow::Result<ExitCode> {
    let path = ["api", "assets", id, "download"];
    let response = client.open(Ask::new(Method::GET, &path)).await?;
    let progress = progress(response.content_length());
    if output == Path::new("-") {
        receive(response, &mut std::io::stdout(), &progress).await?;
        progress.finish_and_clear();
        return Ok(ExitCode::SUCCESS);
    }
    let shown = output.display();
    let parent = output.parent().filter(|p| !p.as_os_str().is_empty());
    // Beside its place, so that the file is there whole or not at all.
    // As open as any other file: what the umask takes away is taken away from this, too.
    let file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(parent.unwrap_or(Path::new(".")));
    let mut file = file.with_context(|| format!("cannot write {shown}"))?;
    let bytes = receive(response, file.as_file_mut(), &progress).await;
    progress.finish_and_clear();
    let bytes = bytes.with_context(|| format!("cannot download {}", plain(id)))?;
    file.persist(output)
        .map_err(|e| e.error)
        .with_context(|| format!("cannot write {shown}"))?;
    eprintln!("{bytes} bytes written to {shown}");
    Ok(ExitCode::SUCCESS)
}

async fn receive(
    mut response: Response,
    out: &mut impl Write,
    progress: &ProgressBar,
) -> anyhow::Result<u64> {
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.context("the download broke off")? {
        out.write_all(&chunk)?;
        bytes += chunk.len() as u64;
        progress.inc(chunk.len() as u64);
    }
    out.flush()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_name_says_what_a_file_is() {
        for (name, kind) in [
            ("a.PNG", "image/png"),
            ("b.tar.zip", "application/zip"),
            ("c", "application/octet-stream"),
            (".json", "application/octet-stream"),
        ] {
            assert_eq!(type_of(Path::new(name)), kind, "{name}");
        }
    }
}
