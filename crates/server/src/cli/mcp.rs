//! `nodetool mcp`: the server's tools for a program that speaks the Model Context Protocol over standard input and
//! output. Messages go to the server's own `/mcp` and back, as they are.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::client::{Ask, Client, Lines};
use super::reach::Reach;
use crate::extensions::Extension;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";
/// Longest message.
const MOST: usize = 64 << 20;
/// Messages that wait to be written.
const WAITING: usize = 64;

/// Offer workflows as tools over standard input and output (Model Context Protocol)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For programs that start it themselves, such as editors and assistants:\n  {\"command\": \"nodetool\", \"args\": [\"mcp\"]}\nA server that is named with --api-url, or that has the data folder, has to run with --mcp."
)]
pub(super) struct Mcp {
    #[command(flatten)]
    reach: Reach,
}

impl Mcp {
    pub(super) fn main(self, extensions: Vec<Extension>) -> anyhow::Result<ExitCode> {
        self.reach.run(extensions, async |client| {
            relay(client).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// What the server said when the session began; goes with every later message.
#[derive(Clone, Default)]
struct Session(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Session {
    fn headers(&self) -> Vec<(&'static str, String)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, name: &'static str, value: String) {
        let mut headers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        headers.retain(|(known, _)| *known != name);
        headers.push((name, value));
    }
}

async fn relay(client: &Client) -> anyhow::Result<()> {
    let (tx, mut rx) = mpsc::channel::<Vec<u8>>(WAITING);
    let mut writer = JoinSet::new();
    writer.spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(mut line) = rx.recv().await {
            line.push(b'\n');
            if out.write_all(&line).await.is_err() || out.flush().await.is_err() {
                return;
            }
        }
    });
    let session = Session::default();
    let mut input = BufReader::new(tokio::io::stdin());
    let read = async {
        let mut working = futures_util::stream::FuturesUnordered::new();
        use futures_util::StreamExt;
        let mut line = Vec::new();
        loop {
            tokio::select! {
                read = next_line(&mut input, &mut line) => {
                    if !read? {
                        break;
                    }
                    let message = std::mem::take(&mut line);
                    let message = message.trim_ascii();
                    if message.is_empty() {
                        continue;
                    }
                    let begins = is_initialize(message);
                    let sent = send(client, session.clone(), message.to_vec(), tx.clone());
                    // The session begins before anything else is sent.
                    if begins { sent.await? } else { working.push(sent) }
                }
                Some(done) = working.next(), if !working.is_empty() => done?,
            }
        }
        while let Some(done) = working.next().await {
            done?;
        }
        anyhow::Ok(())
    };
    let result = read.await;
    drop(tx);
    while writer.join_next().await.is_some() {}
    result
}

/// Reads on to the end of a line; what was read so far stays in `line` when this is dropped. False at the end.
async fn next_line(
    input: &mut BufReader<tokio::io::Stdin>,
    line: &mut Vec<u8>,
) -> anyhow::Result<bool> {
    loop {
        let piece = input
            .fill_buf()
            .await
            .context("standard input cannot be read")?;
        if piece.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = piece.iter().position(|b| *b == b'\n');
        let taken = end.map_or(piece.len(), |end| end + 1);
        if line.len() + taken > MOST {
            bail!("a message has more than {} MiB", MOST >> 20);
        }
        line.extend_from_slice(&piece[..taken]);
        input.consume(taken);
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn is_initialize(message: &[u8]) -> bool {
    serde_json::from_slice::<Value>(message).is_ok_and(|m| m["method"] == "initialize")
}

/// What the protocol since 2026-07-28 wants repeated in headers: its version, the method, and the name it is about.
fn about(message: &Value) -> Vec<(&'static str, String)> {
    let params = &message["params"];
    let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let (Some(version), Some(method)) = (version, message["method"].as_str()) else {
        return Vec::new();
    };
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    let mut headers = vec![
        (VERSION, version.to_owned()),
        ("mcp-method", method.to_owned()),
    ];
    headers.extend(name.map(|name| ("mcp-name", header_value(name))));
    headers
}

/// A name as a header can carry it.
fn header_value(name: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if name.chars().all(plain) && name.trim() == name && !name.starts_with("=?base64?") {
        return name.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(name))
}

/// Sends one message and passes on what is answered.
async fn send(
    client: &Client,
    session: Session,
    message: Vec<u8>,
    out: mpsc::Sender<Vec<u8>>,
) -> anyhow::Result<()> {
    let Ok(read) = serde_json::from_slice::<Value>(&message) else {
        let error = json!({ "code": -32700, "message": "a line that is no JSON" });
        let answer = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        // Nobody reads any more: the program that started this one has gone.
        let _ = out.send(answer.to_string().into_bytes()).await;
        return Ok(());
    };
    let id = read["id"].clone();
    let mut headers = session.headers();
    headers.extend(about(&read));
    let path = ["mcp"];
    let mut ask = Ask::new(Method::POST, &path);
    ask.body = Some(message.into());
    ask.content_type = Some("application/json".into());
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([(ACCEPT.as_str(), "application/json, text/event-stream")])
        .collect();
    ask.headers = &headers;
    let response = match client.open(ask).await {
        Ok(response) => response,
        Err(e) => {
            // Whoever waits for an answer is told; what wants none is lost, as on any broken line.
            if id.is_number() || id.is_string() {
                let error = json!({ "code": -32603, "message": format!("{e:#}") });
                let answer = json!({ "jsonrpc": "2.0", "id": id, "error": error });
                let _ = out.send(answer.to_string().into_bytes()).await;
                return Ok(());
            }
            eprintln!("{e:#}");
            return Ok(());
        }
    };
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    if let Some(id) = header(SESSION) {
        session.set(SESSION, id);
    }
    let is_stream = header(CONTENT_TYPE.as_str()).is_some_and(|t| t.contains("event-stream"));
    let mut lines = Lines::new(response);
    while let Some(line) = lines.next().await? {
        let data = match (is_stream, line.strip_prefix(b"data:")) {
            (true, Some(data)) => data.trim_ascii(),
            (true, None) => continue,
            (false, _) => line.trim_ascii(),
        };
        if data.is_empty() {
            continue;
        }
        if let Ok(answer) = serde_json::from_slice::<Value>(data)
            && let Some(version) = answer["result"]["protocolVersion"].as_str()
        {
            session.set(VERSION, version.to_owned());
        }
        // Nobody reads any more: the program that started this one has gone.
        if out.send(data.to_vec()).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
