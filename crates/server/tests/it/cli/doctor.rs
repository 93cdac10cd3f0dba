//! `nodetool doctor`, and what `info` tells of this machine.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::process::{Ended, nodetool, text};
use crate::wire::server::{TestServer, program};

/// What a check says: its status and message.
fn said<'a>(told: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = told["checks"].as_array().expect("checks");
    let found = checks.iter().find(|c| c["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name}: {told}"));
    (
        found["status"].as_str().unwrap(),
        found["message"].as_str().unwrap(),
    )
}

/// The report of a doctor that finds nothing broken, or something.
#[track_caller]
fn report(ended: &Ended, ok: bool) -> Value {
    assert_eq!(ended.code, Some(i32::from(!ok)), "{ended:?}");
    let told: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended:?}"));
    assert_eq!(told["ok"], ok);
    told
}

fn doctor(data: &Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["doctor", "--json", "--data-dir", text(data)];
    arguments.extend_from_slice(more);
    if !more.contains(&"--port") {
        arguments.extend_from_slice(&["--port", "0"]);
    }
    nodetool(&arguments)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                left.push(entry.path());
            } else {
                let changed = about.modified().unwrap();
                all.push(format!(
                    "{} {} {changed:?}",
                    entry.path().display(),
                    about.len()
                ));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn a_machine_without_data_is_fine_and_stays_without() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let told = report(&doctor(&data, &[]), true);
    assert!(
        said(&told, "data folder")
            .1
            .ends_with("is not there yet; the server makes it")
    );
    assert_eq!(said(&told, "database").0, "ok");
    assert_eq!(said(&told, "clock"), ("ok", "is set"));
    assert!(
        said(&told, "sandbox").1.starts_with("scripts run"),
        "{told}"
    );
    assert_eq!(said(&told, "METRICS_TOKEN"), ("ok", "is not set"));
    assert!(!data.exists());
    let lines = nodetool(&["doctor", "--port", "0", "--data-dir", text(&data)]);
    assert_eq!(lines.code, Some(0), "{lines:?}");
    for line in lines.stdout.lines() {
        let grade = line.get(..5).unwrap_or_default();
        assert!(matches!(grade, "ok   " | "warn " | "FAIL "), "{line}");
    }
}

#[tokio::test]
async fn it_works_beside_a_server_and_changes_nothing() {
    let server = TestServer::start();
    server.client().check_health().await;
    let port = server.address().port().to_string();
    let ended = doctor(server.folder(), &["--port", &port, "--deep"]);
    let told = report(&ended, true);
    assert_eq!(said(&told, "server").0, "ok", "{told}");
    assert_eq!(
        said(&told, "port"),
        ("ok", format!("{port} is the server's").as_str())
    );
    assert!(said(&told, "database").1.ends_with("undamaged"), "{told}");
    assert!(
        said(&told, "schema").1.starts_with("is up to date"),
        "{told}"
    );
    server.client().check_health().await;
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
    let before = files(folder.path());
    report(&doctor(folder.path(), &["--deep"]), true);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn what_is_broken_is_told_and_the_exit_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = folder.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    let put = nodetool(&["assets", "put", text(&file), "--data-dir", text(&data)]);
    assert_eq!(put.code, Some(0), "{put:?}");
    let told = report(&doctor(&data, &[]), true);
    assert_eq!(said(&told, "assets"), ("ok", "the contents of 1 are there"));
    let folder = &*data;
    for entry in std::fs::read_dir(folder.join("assets/files/objects")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let told = report(&doctor(folder, &[]), false);
    assert_eq!(said(&told, "assets").0, "fail", "{told}");
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let database = folder.join("nodetool.sqlite3");
    std::fs::write(&database, "these are notes, not a database ".repeat(99)).unwrap();
    std::fs::write(
        folder.join("server.json"),
        r#"{"address":"http://127.0.0.1:1","pid":1}"#,
    )
    .unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let told = report(
        &doctor(folder, &["--port", &port, "--mode", "private"]),
        false,
    );
    assert_eq!(said(&told, "mode").0, "fail", "{told}");
    assert_eq!(said(&told, "data folder").0, "warn", "{told}");
    assert!(
        said(&told, "database").1.contains("cannot be used"),
        "{told}"
    );
    assert!(
        said(&told, "server").1.contains("no server answers"),
        "{told}"
    );
    let used = format!("{port} is used by another program");
    assert_eq!(said(&told, "port"), ("fail", used.as_str()));
}

#[test]
fn settings_that_cannot_be_read_are_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "prot = 1").unwrap();
    let ended = nodetool(&["doctor", "--json", "--config", text(&file)]);
    let told = report(&ended, false);
    assert!(said(&told, "settings").1.contains("prot"), "{told}");
}

#[test]
fn keys_are_judged_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let run = |command: &str, token: &str| {
        let output = program()
            .args([command, "--json", "--data-dir", text(folder.path())])
            .env("METRICS_TOKEN", token)
            .env("ENV", "test")
            .env("AUTH_PROVIDER", "STATIC")
            .env("PORT", "0")
            .output()
            .expect("the program runs");
        Ended::of(output)
    };
    let judged = |token: &str| {
        let ended = run("doctor", token);
        assert!(
            !ended.stdout.contains(token) && !ended.stderr.contains(token),
            "{ended:?}"
        );
        let told = report(&ended, true);
        said(&told, "METRICS_TOKEN").0.to_owned()
    };
    assert_eq!(judged("Sesame0"), "warn");
    assert_eq!(judged(&"ab".repeat(40)), "warn");
    assert_eq!(judged("7a1c9e0b4d5f68234c6e8a0b1d3f5709"), "ok");
    let info = run("info", "Sesame0");
    assert!(!info.stdout.contains("Sesame0"), "{info:?}");
    let info = info.json();
    let told = ["environment", "mode", "auth_provider"].map(|k| info[k].clone());
    assert_eq!(told, ["test", "desktop", "static"]);
    assert_eq!(info["keys"], json!(["METRICS_TOKEN"]));
}
