//! `nodetool secrets`.

use std::process::Stdio;

use hyper::Method;
use serde_json::{Value, json};

use super::files::Files;
use super::process::{Ended, nodetool, nodetool_reading, text};
use crate::wire::local::local;
use crate::wire::server::{TestServer, appears, folder, program};

const KEY: &str = "OPENAI_API_KEY";
const SHOWN: &str = "/api/settings/secrets/OPENAI_API_KEY?decrypt=true";

/// A data folder and the folder of its key file, as arguments.
struct Place {
    files: Files,
}

impl Place {
    fn new() -> Self {
        Place {
            files: Files::new(),
        }
    }

    fn run(&self, words: &[&str], input: &str) -> Ended {
        let data = self.files.path("data");
        let config = self.files.path("config");
        let folders = [
            "--data-dir",
            text(&data),
            "--xdg-config-home",
            text(&config),
        ];
        nodetool_reading(
            &[&["secrets"], &folders[..], words].concat(),
            input.as_bytes(),
        )
    }

    fn is_stored(&self, key: &str) -> bool {
        let listed = self.run(&["list", "--json"], "").json();
        let secrets = listed["secrets"].as_array().unwrap();
        let found = secrets.iter().find(|s| s["key"] == key);
        found.unwrap()["is_configured"] == true
    }
}

#[test]
fn a_secret_is_stored_from_standard_input_listed_without_its_value_and_deleted() {
    let place = Place::new();
    let stored = place.run(&["store", KEY, "-d", "for tests"], "v4lue\n");
    assert_eq!(
        (stored.code, stored.stdout.as_str()),
        (Some(0), ""),
        "{stored:?}"
    );
    let listed = place.run(&["list"], "");
    let line = listed.stdout.lines().find(|l| l.contains(KEY)).unwrap();
    assert!(line.contains("yes") && line.contains("for tests"), "{line}");
    assert!(place.is_stored(KEY));
    for told in [&stored, &listed] {
        assert!(!format!("{told:?}").contains("v4lue"), "{told:?}");
    }
    assert_eq!(place.run(&["delete", KEY], "").code, Some(0));
    assert!(!place.is_stored(KEY));
    let gone = place.run(&["delete", KEY], "");
    assert!(gone.failed().contains("Secret not found"), "{gone:?}");
    let unknown = place.run(&["store", "NOPE"], "v4lue");
    assert!(unknown.failed().contains("not found"), "{unknown:?}");
    let nothing = place.run(&["store", KEY], "");
    assert!(
        nothing.failed().contains("nothing was given"),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_running_server_is_asked_and_keeps_its_key() {
    let both = folder();
    let data = both.path().join("data");
    let config = both.path().join("config");
    let arguments = ["--xdg-config-home", text(&config)];
    let server = TestServer::start_at(&data, both.clone(), &arguments);
    appears(&data.join("server.json")).await;
    let at = ["secrets", "--data-dir", text(&data)];
    let stored = nodetool_reading(&[&at[..], &["store", KEY]].concat(), b"v4lue");
    assert_eq!(stored.code, Some(0), "{stored:?}");
    let client = server.client();
    let shown = client.send(local(Method::GET, SHOWN, ""));
    assert_eq!(shown.await.ok()["value"], "v4lue");
    let rotate = [&at[..], &arguments, &["rotate", "--generate"]].concat();
    let refused = nodetool(&rotate);
    assert!(refused.failed().contains("stop it first"), "{refused:?}");
}

#[tokio::test]
async fn another_master_key_leaves_every_secret_readable() {
    let both = folder();
    let data = both.path().join("data");
    let config = both.path().join("config");
    let folders = [
        "--data-dir",
        text(&data),
        "--xdg-config-home",
        text(&config),
    ];
    let run = |words: &[&str], input: &str| {
        let told = nodetool_reading(
            &[&["secrets"], &folders[..], words].concat(),
            input.as_bytes(),
        );
        assert!(!format!("{told:?}").contains("v4lue"), "{told:?}");
        told
    };
    let value = async |arguments: &[&str]| {
        let server = TestServer::start_at(&data, both.clone(), arguments);
        let client = server.client();
        let shown = client.send(local(Method::GET, SHOWN, ""));
        let shown = shown.await;
        server.kill().await;
        serde_json::from_slice::<Value>(&shown.body).unwrap()["value"].clone()
    };
    run(&["store", KEY], "v4lue");
    let key = || std::fs::read_to_string(config.join("nodetool/master_key")).unwrap();
    let first = key();
    let rotated = run(&["rotate", "--generate", "--json"], "").json();
    assert_eq!(rotated["rotated"], 1);
    let second = key();
    assert_ne!(second, first);
    let by_file = ["--xdg-config-home", text(&config)];
    assert_eq!(value(&by_file).await, "v4lue");
    let given = "a key that was thought of";
    let rotated = run(&["rotate", "--to-stdin"], &format!("{given}\n"));
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    assert!(!format!("{rotated:?}").contains(given));
    assert_eq!(key().trim_end(), given);
    assert_eq!(value(&by_file).await, "v4lue");
    assert_eq!(value(&["--secrets-master-key", given]).await, "v4lue");
    assert_eq!(
        value(&["--secrets-master-key", first.trim()]).await,
        Value::Null
    );
    let same = run(&["rotate", "--to-stdin"], given);
    assert!(same.failed().contains("the one in use"), "{same:?}");
    for wrong in [&["rotate"][..], &["rotate", "--generate", "--to-stdin"]] {
        assert_eq!(run(wrong, "").code, Some(2));
    }
    let kept = std::fs::read_dir(config.join("nodetool")).unwrap().count();
    assert_eq!(kept, 3, "the key in use and both before it");
    assert_eq!(json!(rotated.stdout), json!(""));
}

/// The files in a folder.
fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_rotation_that_is_killed_leaves_every_secret_readable() {
    let both = folder();
    let data = both.path().join("data");
    let config = both.path().join("config");
    let keys = config.join("nodetool");
    let folders = [
        "--data-dir",
        text(&data),
        "--xdg-config-home",
        text(&config),
    ];
    let store = [&["secrets"], &folders[..], &["store", KEY]].concat();
    assert_eq!(nodetool_reading(&store, b"v4lue").code, Some(0));
    // Killed when the first, second, … file of a key has come, and at last not at all.
    for more in 1..=5 {
        let before = files(&keys);
        let mut child = program()
            .arg("secrets")
            .args(folders)
            .args(["rotate", "--generate"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() && files(&keys) < before + more {
            std::thread::yield_now();
        }
        // It may have ended.
        let _ = child.kill();
        child.wait().unwrap();
        let server = TestServer::start_at(&data, both.clone(), &folders[2..]);
        let client = server.client();
        let shown = client.send(local(Method::GET, SHOWN, "")).await;
        assert_eq!(shown.ok()["value"], "v4lue", "killed after {more} files");
        server.kill().await;
    }
    let rotate = [&["secrets"], &folders[..], &["rotate", "--generate"]].concat();
    assert_eq!(nodetool(&rotate).code, Some(0));
    let elsewhere = [&rotate[..], &["--api-url", "http://127.0.0.1:1"]].concat();
    let told = nodetool(&elsewhere);
    assert!(told.failed().contains("no --api-url"), "{told:?}");
}
