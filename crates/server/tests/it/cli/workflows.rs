//! `nodetool workflows`, at a server and without one.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::files::Files;
use super::process::{Ended, nodetool, text};
use crate::wire::graphs::{counting, failing, greeting, waiting};
use crate::wire::server::{TestServer, program};

/// Runs a `workflows` command at some place.
fn at(place: &[&str], arguments: &[&str]) -> Ended {
    nodetool(&[&["workflows"], arguments, place].concat())
}

/// What only the server of a workflow gives it.
fn portable(mut workflow: Value) -> Value {
    let fields = workflow.as_object_mut().expect("an object");
    fields.retain(|key, _| {
        matches!(
            key.as_str(),
            "name" | "description" | "access" | "tags" | "graph"
        )
    });
    workflow
}

#[test]
fn a_workflow_is_imported_run_exported_and_deleted_the_same_with_and_without_a_server() {
    let files = Files::new();
    let document = json!({
        "id": "w-1", "name": "Greeting", "description": "Says it", "tags": ["a", "b"], "access": "public", "graph": greeting(),
    });
    let file = files.json("greeting.json", &document);
    let server = TestServer::start();
    let url = format!("http://{}", server.address());
    let data = files.path("data");
    let places: [[&str; 2]; 2] = [["--api-url", &url], ["--data-dir", text(&data)]];
    for place in &places {
        let imported = at(place, &["import", &file]);
        assert_eq!(imported.code, Some(0), "{imported:?}");
        let id = imported.stdout.trim_end();
        assert_ne!(id, "w-1", "a new one");

        let got = at(place, &["get", id, "--json"]).json();
        assert_eq!(got["id"], id);
        assert_eq!(got["description"], "Says it");
        let shown = at(place, &["get", id]);
        assert!(
            shown.stdout.contains("takes        name: string\n"),
            "{shown:?}"
        );

        let ran = at(place, &["run", id, "-i", "name=hi", "--json"]);
        assert_eq!(ran.json(), json!({ "out": ["hi"] }));
        assert_eq!(ran.stderr, "", "{ran:?}");

        let valid = at(place, &["validate", id, "--json"]).json();
        assert_eq!(
            (&valid["valid"], &valid["inputs"]),
            (&json!(true), &json!(["name"]))
        );

        let copy = files.path("copy.json");
        let exported = at(place, &["export", id, "-o", text(&copy)]);
        assert_eq!((exported.code, exported.stdout.as_str()), (Some(0), ""));
        let copied: Value = serde_json::from_slice(&std::fs::read(&copy).unwrap()).unwrap();
        assert_eq!(portable(copied.clone()), portable(got));
        assert_eq!(at(place, &["export", id]).json(), copied);
        // What was exported is a workflow file for every command that takes one.
        assert_eq!(
            nodetool(&["run", text(&copy), "-i", "name=hi"]).json(),
            json!({ "out": ["hi"] })
        );

        // Saved under its own id it is the same workflow, not a second one.
        let again = at(
            place,
            &["import", text(&copy), "--keep-id", "--name", "Renamed"],
        );
        assert_eq!(again.stdout.trim_end(), id);
        let listed = at(place, &["list", "--json"]).json();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        assert_eq!(listed[0]["name"], "Renamed");

        let deleted = at(place, &["delete", id]);
        assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), ""));
        for command in ["get", "delete", "run", "export", "validate"] {
            let told = at(place, &[command, id]);
            assert_eq!(
                told.failed(),
                format!("Workflow not found: {id}"),
                "{command}"
            );
        }
    }
}

#[test]
fn lists_are_filtered_and_cut_and_go_into_a_pipe_without_colours() {
    let files = Files::new();
    let data = files.path("data");
    let place = ["--data-dir", text(&data)];
    let named = |name: &str, tags: Value| {
        let document = json!({ "name": name, "tags": tags, "graph": greeting() });
        files.json(&format!("{name}.json"), &document)
    };
    let (first, second) = (named("First", json!(["Odd"])), named("Second", json!([])));
    let imported = at(&place, &["import", &first, &second]);
    assert_eq!(imported.stdout.lines().count(), 2, "{imported:?}");
    let names = |arguments: &[&str]| {
        let listed = at(&place, &[&["list", "--json"], arguments].concat()).json();
        let names = listed.as_array().unwrap().iter().map(|w| w["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["Second", "First"]);
    assert_eq!(names(&["--limit", "1"]), ["Second"]);
    assert_eq!(names(&["--query", "oDD"]), ["First"]);
    assert_eq!(names(&["--query", "d", "--limit", "1"]), ["Second"]);
    let table = at(&place, &["list", "--limit", "1"]);
    assert!(table.stdout.starts_with("ID "), "{table:?}");
    assert_eq!(table.stdout.lines().count(), 2, "{table:?}");
    assert_eq!(table.stderr, "1 workflows; --limit shows more\n");
    assert!(!table.stdout.contains('\u{1b}'));
    let refused = at(&place, &["list", "--limit", "0"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn bare_graphs_get_the_name_of_their_file() {
    let files = Files::new();
    let data = files.path("data");
    let place = ["--data-dir", text(&data)];
    let file = files.json("count-to-three.json", &counting(3));
    let imported = at(&place, &["import", &file, "--json"]).json();
    assert_eq!(imported[0]["name"], "count-to-three");
    assert_eq!(imported[0]["access"], "private");
    let id = imported[0]["id"].as_str().unwrap();
    assert_eq!(at(&place, &["run", id]).json(), json!({ "out": [0, 1, 2] }));
    let told = at(&place, &["import", &file, "--keep-id"]);
    assert!(told.failed().ends_with("has no id to keep"), "{told:?}");
}

#[test]
fn files_that_are_no_workflows_are_told_by_name_and_saved_nowhere() {
    let files = Files::new();
    let data = files.path("data");
    let place = ["--data-dir", text(&data)];
    for content in ["", "[]", "{\"graph\": 1}"] {
        let file = files.bytes("bad.json", content);
        let told = at(&place, &["import", &file]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{told:?}");
        assert!(told.stderr.contains("bad.json"), "{told:?}");
    }
    assert_eq!(at(&place, &["list", "--json"]).json(), json!([]));
}

#[test]
fn a_run_that_fails_ends_with_one_and_its_messages_are_lines() {
    let files = Files::new();
    let data = files.path("data");
    let place = ["--data-dir", text(&data)];
    let file = files.json("failing.json", &failing());
    let imported = at(&place, &["import", &file]);
    let id = imported.stdout.trim_end();
    let ran = at(&place, &["run", id]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    let last = ran.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error: ") && last.contains("it broke"),
        "{ran:?}"
    );

    let ran = at(&place, &["run", id, "--jsonl"]);
    assert_eq!(ran.code, Some(1));
    let types: Vec<Value> = ran
        .stdout
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["type"].clone())
        .collect();
    assert!(types.contains(&json!("node_update")), "{types:?}");
    assert_eq!(types.last(), Some(&json!("job_failed")));
}

#[test]
fn ctrl_c_cancels_a_run_with_and_without_a_server() {
    let files = Files::new();
    let file = files.json("waiting.json", &waiting(600.0));
    let server = TestServer::start();
    let url = format!("http://{}", server.address());
    let data = files.path("data");
    for place in [["--api-url", &url], ["--data-dir", text(&data)]] {
        let imported = at(&place, &["import", &file]);
        let id = imported.stdout.trim_end();
        let mut child = program()
            .args(["workflows", "run", id, "--jsonl"])
            .args(place)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let first: Value = serde_json::from_str(&first).unwrap();
        let job = first["job_id"].as_str().unwrap();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), Signal::INT).unwrap();
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(130), "interrupted\n")
        );
        // Following its log is waiting for its end.
        let place = &place;
        let followed = nodetool(&[&["jobs", "logs", job, "--follow"], &place[..]].concat());
        assert_eq!(followed.code, Some(0), "{followed:?}");
        let job = nodetool(&[&["jobs", "get", job, "--json"], &place[..]].concat()).json();
        assert_eq!(job["status"], "cancelled", "{job}");
    }
}

#[test]
fn a_closed_pipe_ends_a_list_quietly() {
    let files = Files::new();
    let mut command = program();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command
        .args(["workflows", "list", "--json", "--data-dir"])
        .arg(files.path("data"))
        .stdout(writer);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}
