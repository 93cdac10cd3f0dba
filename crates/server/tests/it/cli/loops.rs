//! `nodetool loop`, at a server and without one.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::process::{Ended, nodetool, text};
use crate::wire::server::{TestServer, program};

/// A server with a workflow of nodes one behind the other, each a type and a form.
struct Loop {
    server: TestServer,
    id: String,
}

impl Loop {
    async fn of(server: TestServer, nodes: &[(&str, Value)]) -> Self {
        let client = server.client();
        let made = client
            .post("/api/workflow/", &json!({ "name": "Counting" }))
            .await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let mut before = Value::Null;
        for (kind, form) in nodes {
            let node = json!({ "nodeTemplate": kind, "form_values": form });
            let path = format!("/api/workflow/{id}/nodes/add/");
            let node = client.post(&path, &node).await.json()["id"].clone();
            if !before.is_null() {
                let edge = json!({ "source": before, "target": node });
                let path = format!("/api/workflow/{id}/connections/add/");
                assert_eq!(client.post(&path, &edge).await.status, 201);
            }
            before = node;
        }
        Loop { server, id }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        at(&["--api-url", &self.url()], arguments)
    }

    /// A command that goes on.
    fn begin(&self, arguments: &[&str]) -> Child {
        program()
            .arg("loop")
            .args(arguments)
            .args(["--api-url", &self.url()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs")
    }
}

fn at(place: &[&str], arguments: &[&str]) -> Ended {
    nodetool(&[&["loop"], arguments, place].concat())
}

fn counter(most: i64) -> (&'static str, Value) {
    let form = json!({ "min_value": 1, "max_value": most, "direction": "increment", "step": 1 });
    ("counter", form)
}

fn hours() -> (&'static str, Value) {
    let form = json!({ "interval": 9, "unit": "hours" });
    ("static-delay-node", form)
}

/// Reads lines until one begins so.
fn until(child: &mut Child, begin: &str) -> impl BufRead + use<> {
    let mut out = BufReader::new(child.stdout.take().expect("its standard output"));
    let mut line = String::new();
    while !line.starts_with(begin) {
        line.clear();
        let read = out.read_line(&mut line).expect("UTF-8 on stdout");
        assert!(read > 0, "no line begins with {begin}");
    }
    out
}

#[tokio::test]
async fn a_loop_is_started_looked_at_and_stopped() {
    let flow = Loop::of(TestServer::start(), &[counter(9), hours()]).await;
    let id = flow.id.as_str();
    let idle = flow.run(&["status", id]);
    assert!(idle.stdout.contains("run          idle\n"), "{idle:?}");
    assert!(!idle.stdout.contains("task  "), "{idle:?}");
    assert_eq!(
        flow.run(&["watch", id]).failed(),
        format!("{id} does not run; `nodetool loop start {id}` starts it")
    );
    let told = flow.run(&["stop", id]);
    assert_eq!(
        (told.code, &*told.stderr),
        (Some(0), &*format!("{id} does not run\n"))
    );

    let started = flow.run(&["start", id, "--json"]).json();
    assert_eq!(started["status"], "PENDING");
    let again = flow.run(&["start", id]);
    let task = started["task_id"].as_str().unwrap();
    assert_eq!(again.stdout, format!("task    {task}\nstatus  STARTED\n"));
    let status = flow.run(&["status", id, "--json"]).json();
    assert_eq!(status["task"]["task_id"], task);
    assert_eq!(status["workflow"]["name"], "Counting");
    assert_eq!(status["state"]["status"], "running");
    let shown = flow.run(&["status", id]).stdout;
    assert!(shown.contains("status       active\n"), "{shown}");

    let list = flow.run(&["list"]);
    let rows: Vec<&str> = list.stdout.lines().collect();
    assert_eq!((rows.len(), &*list.stderr), (2, "1 loops\n"), "{list:?}");
    assert!(
        rows[1].starts_with(id) && rows[1].contains("active"),
        "{list:?}"
    );
    assert_eq!(flow.run(&["list", "--json"]).json()[0]["id"], id);

    let told = flow.run(&["stop", id]);
    assert_eq!(
        (told.code, &*told.stderr),
        (Some(0), &*format!("{id} is stopped\n"))
    );
    let status = flow.run(&["status", id, "--json"]).json();
    assert_eq!(status["task"]["status"], "REVOKED");
}

#[tokio::test]
async fn a_loop_is_watched_from_its_first_event_to_its_end() {
    let flow = Loop::of(
        TestServer::start(),
        &[
            counter(2),
            (
                "data-transformer",
                json!({ "output_template": "{\"a\": 1}" }),
            ),
        ],
    )
    .await;
    let id = flow.id.as_str();
    let watched = flow.run(&["start", id, "--watch"]);
    assert_eq!(
        (watched.code, &*watched.stderr),
        (Some(0), ""),
        "{watched:?}"
    );
    let lines: Vec<&str> = watched.stdout.lines().collect();
    assert!(lines[0].starts_with("state_sync  idle"), "{watched:?}");
    let done = |line: &&&str| line.starts_with("node_completed  ");
    // Two numbers and the sentinel, of each node; the first step may be told in a state.
    assert!(
        (5..=6).contains(&lines.iter().filter(done).count()),
        "{watched:?}"
    );
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("workflow_completed  success  "),
        "{watched:?}"
    );
    // What has ended is told as it ended.
    let later = flow.run(&["watch", id, "--json"]);
    assert_eq!(later.json()["state"]["completed_count"], 6);
}

#[tokio::test]
async fn the_end_of_a_watch_is_that_of_the_workflow() {
    let flow = Loop::of(
        TestServer::start(),
        &[("http-request", json!({ "method": "GET" }))],
    )
    .await;
    let failed = flow.run(&["start", &flow.id, "--watch", "--json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(
        failed.stderr.starts_with("error: ") && failed.stderr.contains("url"),
        "{failed:?}"
    );
    let last = failed.stdout.lines().last().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    // A run that ends as soon as it begins may be told by its state alone.
    let told = last["type"] == "workflow_failed" || last["state"]["status"] == "failed";
    assert!(told, "{failed:?}");
    assert_eq!(flow.run(&["watch", &flow.id]).code, Some(1));

    let flow = Loop::of(flow.server, &[counter(9), hours()]).await;
    let mut child = flow.begin(&["start", "--watch", &flow.id]);
    let out = until(&mut child, "node_started");
    assert_eq!(flow.run(&["stop", &flow.id]).code, Some(0));
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(
        (ended.code, &*ended.stderr),
        (Some(1), "error: the workflow was stopped\n")
    );
    drop(out);
}

#[tokio::test]
async fn an_interrupted_watch_leaves_the_workflow_at_work() {
    let flow = Loop::of(TestServer::start(), &[counter(9), hours()]).await;
    flow.run(&["start", &flow.id]);
    let mut child = flow.begin(&["watch", &flow.id]);
    let out = until(&mut child, "state_sync  running");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), Signal::INT).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!((ended.code, &*ended.stderr), (Some(130), "interrupted\n"));
    drop(out);
    let status = flow.run(&["status", &flow.id, "--json"]).json();
    assert_eq!(status["state"]["status"], "running");

    let mut child = flow.begin(&["watch", &flow.id]);
    let out = until(&mut child, "state_sync  running");
    flow.server.kill().await;
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("the connection to http://"),
        "{ended:?}"
    );
    drop(out);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let flow = Loop::of(TestServer::start(), &[]).await;
    for command in ["start", "stop", "status", "watch"] {
        let told = flow.run(&[command, "nosuch"]);
        assert_eq!(
            told.failed(),
            "No WorkFlow matches the given query: nosuch",
            "{command}"
        );
        let nobody = at(&["--api-url", "http://127.0.0.1:1"], &[command, "x"]);
        let told = nobody.failed();
        assert!(
            told.starts_with("no server answers at http://127.0.0.1:1"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn without_a_server_a_loop_runs_in_the_command() {
    let flow = Loop::of(TestServer::start(), &[counter(3)]).await;
    let id = flow.id;
    flow.server.terminate();
    let (_, _, folder) = flow.server.ended().await;
    let place = ["--data-dir", text(folder.path())];
    let ran = at(&place, &["start", &id]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "no server has the data folder; the workflow runs in this command\n"
    );
    let status = at(&place, &["status", &id, "--json"]).json();
    assert_eq!(status["task"]["status"], "SUCCESS", "{status}");
}
