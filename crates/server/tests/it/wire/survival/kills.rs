//! `kill -9` at any moment: every job ends once, with what it would have given anyway.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::client::Client;
use super::super::graphs::{COUNT, INPUT, OUTPUT, WAIT, edge, graph, node};
use super::super::server::{TestServer, folder, pace, within};
use super::{
    MOVE, WRITE, begin_graph, begin_one, holds, in_workspace, job, outputs, two_steps, until, wait,
};

/// Arguments of a server that lets many jobs run.
const CROWD: [&str; 4] = [
    "--max-concurrent-jobs",
    "200",
    "--max-concurrent-runs-per-workflow",
    "200",
];

fn out() -> Value {
    node("o", OUTPUT, json!({ "name": "out" }))
}

fn input() -> Value {
    node("i", INPUT, json!({ "name": "name" }))
}

/// The name goes through waits one after the other.
fn chain() -> Value {
    graph(
        &[
            input(),
            wait("a", 0.1),
            wait("b", 0.3),
            wait("c", 0.2),
            out(),
        ],
        &[
            "i.output -> a.input",
            "a.data -> b.input",
            "b.data -> c.input",
            "c.data -> o.value",
        ],
    )
}

/// Counts, each number after a little while.
fn stream() -> Value {
    let count = node("n", COUNT, json!({ "count": 12 }));
    graph(
        &[count, wait("w", 0.05), out()],
        &["n.output -> w.input", "w.data -> o.value"],
    )
}

/// Two ways that meet.
fn fan_in() -> Value {
    let concat = node("c", "nodetool.text.Concat", json!({}));
    graph(
        &[
            input(),
            wait("a", 0.2),
            wait("b", 0.5),
            concat,
            wait("d", 0.2),
            out(),
        ],
        &[
            "i.output -> a.input",
            "i.output -> b.input",
            "a.data -> c.a",
            "b.data -> c.b",
            "c.output -> d.input",
            "d.data -> o.value",
        ],
    )
}

/// Writes the name to a file of that name, twice, with a wait between.
fn writing() -> Value {
    let first = node("f", WRITE, json!({ "content": "1" }));
    let second = node("g", WRITE, json!({ "content": "2" }));
    graph(
        &[input(), first, wait("w", 0.4), second, out()],
        &[
            "i.output -> f.path",
            "f.output -> w.input",
            "w.data -> g.path",
            "g.output -> o.value",
        ],
    )
}

/// A job of one of the four kinds: its id, its name, what it gives.
struct Begun {
    id: String,
    name: String,
    kind: usize,
}

impl Begun {
    fn wanted(&self) -> Value {
        let name = &self.name;
        match self.kind {
            1 => json!({ "out": (0..12).collect::<Vec<_>>() }),
            2 => json!({ "out": [format!("{name}{name}")] }),
            _ => json!({ "out": [name] }),
        }
    }
}

/// Small and reproducible: the times need no more.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

async fn begin_all(client: &Client, jobs: usize) -> Vec<Begun> {
    let mut workflows = Vec::new();
    for graph in [chain(), stream(), fan_in(), writing()] {
        workflows.push(client.save(&graph).await);
    }
    let mut begun = Vec::new();
    for n in 0..jobs {
        let name = format!("job-{n}");
        let kind = n % workflows.len();
        let params = if kind == 1 {
            json!({})
        } else {
            json!({ "name": name })
        };
        let id = begin_one(client, &workflows[kind], params).await;
        begun.push(Begun { id, name, kind });
    }
    begun
}

/// How many of these jobs have not ended.
async fn unfinished(client: &Client, begun: &[Begun]) -> usize {
    let mut open = 0;
    for b in begun {
        open += usize::from(job(client, &b.id).await["finished_at"].is_null());
    }
    open
}

/// Kills the server so many times while so many jobs run; gives how often, and how many jobs that hit.
async fn survive(jobs: usize, kills: usize, longest_ms: u64, seed: u64) -> (usize, usize) {
    let mut folder: Arc<TempDir> = folder();
    let mut dice = Dice(seed);
    let mut begun: Vec<Begun> = Vec::new();
    let mut ended: Vec<Value> = Vec::new();
    let mut killed = 0;
    let mut at_work = 0;
    loop {
        let server = TestServer::start_over(folder, &CROWD);
        let client = server.client();
        if killed == kills {
            within("the jobs to end", async {
                while unfinished(&client, &begun).await > 0 {
                    pace().await;
                }
            })
            .await;
            check_all(&client, &server, &begun, &ended).await;
            return (killed, at_work);
        }
        if unfinished(&client, &begun).await == 0 {
            begun.extend(begin_all(&client, jobs).await);
        }
        // When the blow falls is what is tried out: it is no wait for anything.
        let blow =
            tokio::time::Instant::now() + Duration::from_micros(dice.below(longest_ms * 1000));
        tokio::time::sleep_until(blow).await;
        // What a client was told before stays true.
        for b in &begun {
            let row = job(&client, &b.id).await;
            if row["finished_at"].is_null() {
                at_work += 1;
            } else if !ended.iter().any(|e| e["id"] == row["id"]) {
                ended.push(row);
            }
        }
        folder = server.kill().await;
        killed += 1;
    }
}

async fn check_all(client: &Client, server: &TestServer, begun: &[Begun], ended: &[Value]) {
    for b in begun {
        let row = job(client, &b.id).await;
        assert_eq!(row["status"], "completed", "{} {row}", server.log());
        assert_eq!(outputs(client, &b.id).await, b.wanted(), "{row}");
        if b.kind == 3 {
            assert_eq!(in_workspace(server.folder(), &b.name), "2");
        }
        if let Some(before) = ended.iter().find(|e| e["id"] == row["id"]) {
            assert_eq!(&row, before, "it ended a second time");
        }
    }
}

/// How many times the server is killed, where somebody asks for a long trial.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no settings; this says how long it may take"
)]
fn asked_for() -> Option<usize> {
    let kills = std::env::var("NODETOOL_TEST_KILLS").ok()?;
    Some(kills.parse().expect("a number of kills"))
}

#[tokio::test]
async fn jobs_end_once_and_whole_however_often_their_server_is_killed() {
    let (killed, at_work) = match asked_for() {
        Some(kills) => survive(200, kills, 900, 0x5eed).await,
        None => survive(40, 6, 300, 0x5eed).await,
    };
    assert!(
        at_work >= killed,
        "{killed} kills hit {at_work} jobs at work"
    );
}

#[tokio::test]
async fn a_node_that_has_finished_does_not_run_again() {
    let server = TestServer::start();
    let client = server.client();
    let id = begin_graph(&client, &two_steps(0.5)).await;
    // The second has begun, so the first is on record.
    holds(server.folder(), "b.txt", 1).await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    until(&client, &id, "completed").await;
    assert_eq!(in_workspace(server.folder(), "a.txt"), "a\n");
    assert_eq!(outputs(&client, &id).await, json!({ "out": ["b.txt"] }));
}

/// Holds a name back, then moves `from.txt` to `to.txt`.
fn moving() -> Value {
    let from = node(
        "p",
        "nodetool.constant.String",
        json!({ "value": "from.txt" }),
    );
    let go = node("m", MOVE, json!({ "destination": "to.txt" }));
    let nodes = [from, wait("w", 1.0), go, out()];
    let mut graph = graph(&nodes, &["p.output -> w.input", "w.data -> m.source"]);
    graph["edges"]
        .as_array_mut()
        .unwrap()
        .push(edge("m.output -> o.value"));
    graph
}

/// A job whose server died right after it noted that it begins to move a file.
async fn in_doubt() -> (TestServer, String) {
    let server = TestServer::start();
    let workspace = server.folder().join("workspace");
    std::fs::write(workspace.join("from.txt"), "x").unwrap();
    let id = begin_graph(&server.client(), &moving()).await;
    let folder = server.kill().await;
    let db = rusqlite::Connection::open(folder.path().join("nodetool.sqlite3")).unwrap();
    let begun = "INSERT INTO run_node_state (run_id, node_id, invocation, status, updated_at, outputs) \
                 VALUES (?1, 'm', 0, 'running', 1, x'')";
    db.execute(begun, [&id]).unwrap();
    db.execute(
        "UPDATE nodetool_jobs SET checkpoint = 1 WHERE id = ?1",
        [&id],
    )
    .unwrap();
    db.close().unwrap();
    let server = TestServer::start_over(folder, &[]);
    let row = until(&server.client(), &id, "suspended").await;
    assert_eq!(row["suspended_node_id"], "m");
    let reason = row["suspension_reason"].as_str().unwrap();
    assert!(reason.contains("may already have happened"), "{reason}");
    (server, id)
}

#[tokio::test]
async fn what_may_have_happened_waits_for_a_decision_and_is_done_again_or_not() {
    for decision in ["again", "skip"] {
        let (server, id) = in_doubt().await;
        let client = server.client();
        let undecided = super::order(&client, &id, "resume", &json!({})).await;
        assert_eq!(undecided.places()[0].1, json!(["body", "data", "decision"]));
        let answer = json!({ "data": { "decision": decision } });
        super::order(&client, &id, "resume", &answer).await.ok();
        until(&client, &id, "completed").await;
        let moved = in_workspace(server.folder(), "to.txt");
        assert_eq!(moved, if decision == "again" { "x" } else { "" });
    }
}

#[tokio::test]
async fn a_request_that_is_sent_again_has_the_name_it_had() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let accepted = async || {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = String::new();
        let mut piece = [0; 4096];
        while !request.contains("\r\n\r\n") {
            let n = stream.read(&mut piece).await.unwrap();
            request.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        }
        let key = request.lines().find_map(|l| {
            let (name, value) = l.split_once(": ")?;
            name.eq_ignore_ascii_case("idempotency-key")
                .then(|| value.to_owned())
        });
        (stream, key.expect("a key"))
    };
    let arguments = ["--allow-host", "127.0.0.1"];
    let server = TestServer::start_with(&arguments);
    let post = node("p", super::POST, json!({ "url": url, "data": "x" }));
    let id = begin_graph(
        &server.client(),
        &graph(&[post, out()], &["p.output -> o.value"]),
    )
    .await;
    let (_unanswered, first) = within("the request", accepted()).await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &arguments);
    let (mut stream, second) = within("the request again", accepted()).await;
    assert_eq!(first, second);
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-type: text/plain\r\n\r\nfine";
    stream.write_all(answer.as_bytes()).await.unwrap();
    let client = server.client();
    until(&client, &id, "completed").await;
    assert_eq!(outputs(&client, &id).await, json!({ "out": ["fine"] }));
}

#[tokio::test]
async fn items_that_were_waited_for_are_not_waited_for_again() {
    let server = TestServer::start();
    let client = server.client();
    let count = node("n", COUNT, json!({ "count": 3 }));
    let hold = node("w", WAIT, json!({ "timeout_seconds": 0 }));
    let graph = graph(
        &[count, hold, out()],
        &["n.output -> w.input", "w.data -> o.value"],
    );
    let id = begin_graph(&client, &graph).await;
    let mut server = server;
    for n in 0..3 {
        until(&server.client(), &id, "suspended").await;
        if n == 1 {
            let folder = server.kill().await;
            server = TestServer::start_over(folder, &[]);
        }
        let answer = json!({ "data": { "data": format!("answer {n}") } });
        super::order(&server.client(), &id, "resume", &answer)
            .await
            .ok();
    }
    let client = server.client();
    until(&client, &id, "completed").await;
    let wanted = json!({ "out": ["answer 0", "answer 1", "answer 2"] });
    assert_eq!(outputs(&client, &id).await, wanted);
}
