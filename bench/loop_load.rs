//! The load to measure loops with: what one watched loop gets done, what one node costs, how soon a webhook shows, and
//! what many loops cost that wait.
//!
//! ```text
//! loop_load counts URL PID ITERATIONS   a counter through three steps, with one watcher; memory on the way
//! loop_load single URL TURNS            execute_and_save_node beside the run of a workflow of one node, in turns
//! loop_load webhook URL TURNS           from the call of a webhook to the first event of a node
//! loop_load idle URL PID LOOPS SECONDS  so many loops that wait for webhooks; share of a core they take
//! ```

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Turns that are not counted.
const WARM_UP: usize = 50;
/// Clock ticks of a second, as /proc counts them.
const TICKS: f64 = 100.0;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match words[..] {
            ["counts", url, pid, iterations] => counts(url, pid, iterations.parse()?).await,
            ["single", url, turns] => single(url, turns.parse()?).await,
            ["webhook", url, turns] => webhook(url, turns.parse()?).await,
            ["idle", url, pid, loops, seconds] => {
                idle(url, pid, loops.parse()?, seconds.parse()?).await
            }
            _ => Err("loop_load counts URL PID ITERATIONS | single URL TURNS | webhook URL TURNS | idle URL PID LOOPS SECONDS".into()),
        }
    })
}

/// A kept connection.
struct Client {
    host: String,
    send: SendRequest<Full<bytes::Bytes>>,
    _task: JoinSet<()>,
}

impl Client {
    async fn open(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").ok_or("an http URL")?;
        let host = host.trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            // What goes wrong with it shows in the answers.
            let _ = connection.await;
        });
        Ok(Client {
            host,
            send,
            _task: task,
        })
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = Request::builder().method(&method).uri(path);
        request = request.header("host", &self.host);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send.ready().await?;
        let answer = self
            .send
            .send_request(request.body(Full::new(body.into()))?);
        let (head, body) = answer.await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if !head.status.is_success() {
            let told = String::from_utf8_lossy(&body);
            return Err(format!("{method} {path}: {}: {told}", head.status).into());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// A workflow of nodes one behind the other, each a type and a form; its id and theirs.
    async fn workflow(&mut self, nodes: &[(&str, Value)]) -> Result<(String, Vec<String>)> {
        let made = self
            .post("/api/workflow/", &json!({ "name": "Load" }))
            .await?;
        let workflow = id_of(&made)?;
        let mut ids: Vec<String> = Vec::new();
        for (kind, form) in nodes {
            let node = json!({ "nodeTemplate": kind, "form_values": form });
            let path = format!("/api/workflow/{workflow}/nodes/add/");
            let id = id_of(&self.post(&path, &node).await?)?;
            if let Some(before) = ids.last() {
                let edge = json!({ "source": before, "target": id });
                let path = format!("/api/workflow/{workflow}/connections/add/");
                self.post(&path, &edge).await?;
            }
            ids.push(id);
        }
        Ok((workflow, ids))
    }

    async fn order(&mut self, workflow: &str, what: &str) -> Result<Value> {
        let path = format!("/api/workflow/{workflow}/{what}/");
        self.ask(Method::POST, &path, None).await
    }

    /// Watches a workflow; its first state has come.
    async fn watch(&self, workflow: &str) -> Result<WebSocketStream<TcpStream>> {
        let stream = TcpStream::connect(&self.host).await?;
        stream.set_nodelay(true)?;
        let url = format!("ws://{}/ws/workflow/{workflow}/", self.host);
        let (mut socket, _) = client_async(url, stream).await?;
        next(&mut socket).await?;
        Ok(socket)
    }
}

fn id_of(made: &Value) -> Result<String> {
    Ok(made["id"].as_str().ok_or("an id")?.to_owned())
}

/// The next message as it came.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Result<String> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => return Err(format!("closed: {frame:?}").into()),
            Some(Ok(_)) => {}
            Some(Err(e)) => return Err(e.into()),
            None => return Err("the socket ended".into()),
        }
    }
}

/// Whether a message is of this type; reading it whole would measure this program.
fn is(message: &str, kind: &str) -> bool {
    message.starts_with(&format!("{{\"type\":\"{kind}\""))
}

/// Whether a message says that a node is at work.
fn waits(message: &str) -> bool {
    is(message, "node_started")
        || is(message, "state_sync") && message.contains("\"executing_nodes\":{\"")
}

fn counter(most: u64) -> (&'static str, Value) {
    let form = json!({ "min_value": 1, "max_value": most, "direction": "increment", "step": 1 });
    ("counter", form)
}

fn transformer(template: &str) -> (&'static str, Value) {
    let form = json!({ "overwrite": false, "output_template": template });
    ("data-transformer", form)
}

fn resident(pid: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kilobytes: f64 = line
        .ok_or("VmRSS")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kilobytes / 1024.0)
}

/// Processor time of a process, in seconds.
fn worked(pid: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; user and system time are the 12th and 13th word after it.
    let words: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |i: usize| words.get(i).and_then(|w| w.parse::<f64>().ok());
    Ok((ticks(11).ok_or("user time")? + ticks(12).ok_or("system time")?) / TICKS)
}

fn middle(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}

async fn counts(url: &str, pid: &str, iterations: u64) -> Result<()> {
    let mut client = Client::open(url).await?;
    let plain = ["{\"a\": 1}"; 3];
    let rendered = [
        "{\"a\": {{ data.counter.current }} }",
        "{\"b\": {{ data.data_transformer.a + 1 }} }",
        "{\"c\": \"{{ data.counter.current }}\" }",
    ];
    for (what, forms) in [("constants", plain), ("templates", rendered)] {
        let mut nodes = vec![counter(iterations)];
        nodes.extend(forms.map(transformer));
        let (workflow, _) = client.workflow(&nodes).await?;
        let mut socket = client.watch(&workflow).await?;
        let before = resident(pid)?;
        let began = Instant::now();
        client.order(&workflow, "start_execution").await?;
        let (mut told, mut states, mut most) = (0_u64, 0_u64, before);
        let (mut early, mut looked) = (None, began);
        let end = loop {
            let message = next(&mut socket).await?;
            if is(&message, "workflow_completed") || is(&message, "workflow_failed") {
                break message;
            }
            if is(&message, "node_completed") {
                told += 1;
            } else if is(&message, "state_sync") {
                states += 1;
                // The end itself may have been lost.
                if message.contains("\"status\":\"completed\"")
                    || message.contains("\"status\":\"failed\"")
                {
                    break message;
                }
            }
            if looked.elapsed() > Duration::from_millis(100) {
                looked = Instant::now();
                let now = resident(pid)?;
                early.get_or_insert(now);
                most = most.max(now);
            }
        };
        let took = began.elapsed().as_secs_f64();
        if end.contains("failed") {
            return Err(end.into());
        }
        let done = (iterations * 4) as f64;
        println!(
            "{what}: {done:.0} node executions in {took:.2} s, {:.0}/s; the watcher got {told} completions and {states} states",
            done / took
        );
        println!(
            "{what}: memory before {before:.1} MiB, after 0.1 s {:.1}, most {most:.1}, at the end {:.1}",
            early.unwrap_or(before),
            resident(pid)?
        );
    }
    Ok(())
}

async fn single(url: &str, turns: usize) -> Result<()> {
    let mut client = Client::open(url).await?;
    let (workflow, ids) = client.workflow(&[transformer("{\"a\": 1}")]).await?;
    let form = json!({ "overwrite": false, "output_template": "{\"a\": 1}" });
    let node = json!({ "node_id": ids[0], "form_values": form, "input_data": { "key": "value" } });
    let execute = format!("/api/workflow/{workflow}/execute_and_save_node/");
    let graph = json!({ "nodes": [{ "id": "n", "type": "nodetool.text.Concat", "data": { "a": "x", "b": "y" } }], "edges": [] });
    let saved = json!({ "name": "One", "access": "private", "graph": graph });
    let run = client.post("/api/workflows/", &saved).await?;
    let run = format!("/api/workflows/{}/run", id_of(&run)?);
    let (mut executed, mut ran) = (Vec::new(), Vec::new());
    for turn in 0..turns + WARM_UP {
        let began = Instant::now();
        let answer = client.post(&execute, &node).await?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        if answer["success"] != true {
            return Err(answer.to_string().into());
        }
        let began = Instant::now();
        client.post(&run, &json!({ "params": {} })).await?;
        if turn >= WARM_UP {
            executed.push(took);
            ran.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    for share in [0.5, 0.95] {
        let (executed, ran) = (middle(&mut executed, share), middle(&mut ran, share));
        println!(
            "p{:.0}: execute_and_save_node {executed:.3} ms, run of one node {ran:.3} ms, {:.2}x",
            share * 100.0,
            executed / ran
        );
    }
    Ok(())
}

async fn webhook(url: &str, turns: usize) -> Result<()> {
    let mut client = Client::open(url).await?;
    let producer = ("webhook-producer", json!({ "webhook_id": "load" }));
    let (workflow, _) = client
        .workflow(&[producer, transformer("{\"a\": 1}")])
        .await?;
    let mut socket = client.watch(&workflow).await?;
    client.order(&workflow, "start_execution").await?;
    let mut times = Vec::new();
    for turn in 0..turns + WARM_UP {
        // The producer waits again; what the beginning of a run tells may be in its first state.
        while !waits(&next(&mut socket).await?) {}
        let began = Instant::now();
        let body = json!({ "n": turn });
        let call = async { client.post("/api/webhooks/load/", &body).await };
        let event = async {
            while !is(&next(&mut socket).await?, "node_completed") {}
            Result::Ok(began.elapsed().as_secs_f64() * 1e3)
        };
        let (answer, took) = tokio::join!(call, event);
        if answer?["subscribers"] != 1 {
            return Err("nobody took the call".into());
        }
        if turn >= WARM_UP {
            times.push(took?);
        }
        // What the second node tells is of this call.
        while !is(&next(&mut socket).await?, "node_completed") {}
    }
    client.order(&workflow, "stop_execution").await?;
    socket.close(None).await?;
    println!(
        "webhook to the first event of a node: p50 {:.3} ms, p95 {:.3} ms, most {:.3} ms",
        middle(&mut times, 0.5),
        middle(&mut times, 0.95),
        middle(&mut times, 1.0)
    );
    Ok(())
}

async fn idle(url: &str, pid: &str, loops: usize, seconds: u64) -> Result<()> {
    let mut client = Client::open(url).await?;
    let before = resident(pid)?;
    let mut ids = Vec::new();
    for n in 0..loops {
        let producer = (
            "webhook-producer",
            json!({ "webhook_id": format!("idle-{n}") }),
        );
        let (workflow, _) = client
            .workflow(&[producer, transformer("{\"a\": 1}")])
            .await?;
        client.order(&workflow, "start_execution").await?;
        ids.push(workflow);
    }
    // Those that were started last are at their first step now, too.
    for workflow in &ids {
        let path = format!("/api/workflow/{workflow}/task_status/");
        while client.ask(Method::GET, &path, None).await?["status"] != "STARTED" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (began, at) = (Instant::now(), worked(pid)?);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let share = (worked(pid)? - at) / began.elapsed().as_secs_f64() * 100.0;
    let grown = (resident(pid)? - before) * 1024.0 / loops as f64;
    println!("{loops} loops that wait: {share:.2} % of a core, {grown:.1} KiB each");
    let began = Instant::now();
    for workflow in &ids {
        client.order(workflow, "stop_execution").await?;
    }
    let each = began.elapsed().as_secs_f64() * 1e3 / loops as f64;
    println!("stopped one after the other: {each:.2} ms each");
    Ok(())
}
