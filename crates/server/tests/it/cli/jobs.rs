//! `nodetool jobs`, at a server and without one.

use std::process::Stdio;

use serde_json::{Value, json};

use super::files::Files;
use super::process::{Ended, nodetool, text};
use crate::wire::graphs::{UNTIL_TOLD, failing, greeting, script, waiting};
use crate::wire::server::{TestServer, appears, program};

fn imported(files: &Files, graph: &Value, place: &[&str]) -> String {
    let file = files.json("w.json", graph);
    let ended = nodetool(&[&["workflows", "import", &file], place].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.trim_end().to_owned()
}

fn at(place: &[&str], arguments: &[&str]) -> Ended {
    nodetool(&[&["jobs"], arguments, place].concat())
}

#[test]
fn a_job_is_started_waited_for_and_looked_at() {
    let files = Files::new();
    let server = TestServer::start();
    let url = format!("http://{}", server.address());
    let place = ["--api-url", url.as_str()];
    let workflow = imported(&files, &greeting(), &place);
    let params = ["--params", r#"{"name": "hi"}"#];
    let waited = at(
        &place,
        &[&["start", &workflow, "--wait"], &params[..]].concat(),
    );
    assert_eq!(waited.json(), json!({ "out": ["hi"] }));
    let id = waited
        .stderr
        .trim_end()
        .strip_prefix("job ")
        .unwrap()
        .to_owned();

    let job = at(&place, &["get", &id, "--json"]).json();
    assert_eq!(
        (&job["id"], &job["status"]),
        (&json!(id), &json!("completed"))
    );
    let shown = at(&place, &["get", &id]);
    assert!(shown.stdout.contains("status     completed\n"), "{shown:?}");
    assert_eq!(
        at(&place, &["outputs", &id]).json(),
        json!({ "out": ["hi"] })
    );
    let logs = at(&place, &["logs", &id, "--follow"]);
    assert_eq!((logs.code, logs.stdout.as_str()), (Some(0), ""), "{logs:?}");

    let started = at(&place, &["start", &workflow, "--json"]).json();
    assert_eq!(started["workflow_id"], workflow.as_str());
    let retried = at(&place, &["retry", &id, "--wait"]);
    assert_eq!(retried.json(), json!({ "out": ["hi"] }));

    let all = at(&place, &["list", "--workflow-id", &workflow, "--json"]).json();
    assert_eq!(all["jobs"].as_array().unwrap().len(), 3, "{all}");
    let page = at(&place, &["list", "--limit", "2", "--json"]).json();
    let key = page["next_start_key"].as_str().unwrap();
    let rest = at(&place, &["list", "--start-key", key, "--json"]).json();
    assert_eq!(rest["jobs"], json!([all["jobs"][2]]));
    let table = at(&place, &["list", "--limit", "2"]);
    assert_eq!(table.stdout.lines().count(), 3, "{table:?}");
    assert_eq!(
        table.stderr,
        format!("2 jobs\nmore with --start-key {key}\n")
    );

    for command in [
        "get", "logs", "cancel", "pause", "resume", "retry", "outputs",
    ] {
        let told = at(&place, &[command, "nosuch"]);
        assert_eq!(told.failed(), "Job not found: nosuch", "{command}");
    }
    assert_eq!(
        at(&place, &["start", "nosuch"]).failed(),
        "Workflow not found: nosuch"
    );
}

#[tokio::test]
async fn a_log_is_followed_until_its_job_has_ended() {
    let files = Files::new();
    let server = TestServer::start();
    let url = format!("http://{}", server.address());
    let place = ["--api-url", url.as_str()];
    let code = UNTIL_TOLD.replace("return", "console.log('after'); return");
    let code = format!("console.log('before');{code}");
    let workflow = imported(&files, &script(&code, 60), &place);
    let job = at(&place, &["start", &workflow, "--json"]).json();
    let id = job["id"].as_str().unwrap();
    let workspace = server.folder().join("workspace");
    appears(&workspace.join("begun.txt")).await;
    let mut command = program();
    command
        .args(["jobs", "logs", id, "--follow", "--api-url", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let follower = command.spawn().unwrap();
    std::fs::write(workspace.join("go.txt"), "1").unwrap();
    let ended = Ended::of(follower.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("  INFO     Code: before"), "{lines:?}");
    assert!(lines[1].ends_with("  INFO     Code: after"), "{lines:?}");
    let whole = at(&place, &["logs", id]);
    assert_eq!(ended.stdout, whole.stdout, "every line once");
    let json = at(&place, &["logs", id, "--json"]).json();
    assert_eq!(
        (&json["count"], &json["logs"][0]["message"]),
        (&json!(2), &json!("before"))
    );
    let last = at(&place, &["logs", id, "--limit", "1"]);
    assert_eq!(last.stdout.trim_end(), lines[1]);
    assert_eq!(
        at(&place, &["get", id, "--json"]).json()["status"],
        "completed"
    );
}

#[test]
fn a_job_at_work_is_cancelled() {
    let files = Files::new();
    let server = TestServer::start();
    let url = format!("http://{}", server.address());
    let place = ["--api-url", url.as_str()];
    let workflow = imported(&files, &waiting(600.0), &place);
    let job = at(&place, &["start", &workflow, "--json"]).json();
    let id = job["id"].as_str().unwrap();
    let cancelled = at(&place, &["cancel", id]);
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert_eq!(cancelled.stderr, format!("{id} is being cancelled\n"));
    // Following its log is waiting for its end.
    assert_eq!(at(&place, &["logs", id, "--follow"]).code, Some(0));
    assert_eq!(
        at(&place, &["get", id, "--json"]).json()["status"],
        "cancelled"
    );
    let again = at(&place, &["cancel", id]);
    assert_eq!(again.stderr, format!("{id} had ended already\n"));
}

#[test]
fn without_a_server_a_job_runs_in_the_command_and_is_kept() {
    let files = Files::new();
    let data = files.path("data");
    let place = ["--data-dir", text(&data)];
    let workflow = imported(&files, &greeting(), &place);
    let started = at(&place, &["start", &workflow, "-i", "name=hi", "--json"]);
    let job = started.json();
    assert_eq!(job["status"], "completed", "{started:?}");
    assert!(
        started.stderr.contains("the job runs in this command"),
        "{started:?}"
    );
    let id = job["id"].as_str().unwrap();
    assert_eq!(
        at(&place, &["outputs", id]).json(),
        json!({ "out": ["hi"] })
    );

    let broken = imported(&files, &failing(), &place);
    let waited = at(&place, &["start", &broken, "--wait"]);
    assert_eq!((waited.code, waited.stdout.as_str()), (Some(1), ""));
    let last = waited.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains("it broke"),
        "{waited:?}"
    );
    let all = at(&place, &["list", "--json"]).json();
    let statuses: Vec<&Value> = all["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|j| &j["status"])
        .collect();
    assert_eq!(statuses, ["failed", "completed"]);
}
