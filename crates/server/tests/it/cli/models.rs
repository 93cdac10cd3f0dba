//! `nodetool admin` and `nodetool model`: models of a server, and of this machine.

use std::path::Path;

use serde_json::{Value, json};

use super::process::{Ended, nodetool, text};
use crate::wire::hub::{COMMIT, File, Hub, REPO};
use crate::wire::ollama::Ollama;
use crate::wire::server::{TestServer, folder};

fn tiny() -> Vec<File> {
    vec![
        File::small("config.json", "{}"),
        File::large("w.bin", 50_000),
    ]
}

/// Runs a command while the servers of the test answer it.
async fn run(arguments: &[&str]) -> Ended {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let command = move || nodetool(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(command).await.unwrap()
}

#[tokio::test]
async fn an_administrator_looks_after_the_models_of_a_server() {
    let (hub, ollama) = (Hub::start(tiny()).await, Ollama::start().await);
    let folder = folder();
    let home = folder.path().join("hf");
    let server = TestServer::start_over(
        folder.clone(),
        &[
            "--hf-endpoint",
            &hub.url(),
            "--hf-home",
            text(&home),
            "--download-min-free-bytes",
            "0",
            "--ollama-api-url",
            &ollama.url(),
        ],
    );
    let url = format!("http://{}", server.address());
    let admin = async |arguments: &[&str]| {
        let mut all = vec!["admin", arguments[0], "--server-url", &url];
        all.extend(&arguments[1..]);
        run(&all).await
    };
    let ended = admin(&[
        "download-hf",
        "--repo-id",
        REPO,
        "--allow-patterns",
        "*.json",
    ])
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.trim_end().ends_with(COMMIT), "{ended:?}");
    let ended = admin(&["download-hf", "--repo-id", REPO, "--json"])
        .await
        .json();
    assert_eq!(
        (&ended["status"], &ended["total_files"]),
        (&json!("completed"), &json!(2))
    );
    let scan = admin(&["scan-cache", "--json"]).await.json();
    assert_eq!(scan["cache_info"]["repos"][0]["repo_id"], REPO);
    let table = admin(&["scan-cache"]).await;
    assert!(
        table.stdout.contains(REPO) && table.stdout.contains("48.83 KiB"),
        "{table:?}"
    );
    let size = admin(&["cache-size", "--json", "--cache-dir", "/etc"])
        .await
        .json();
    assert!(size["total_size_bytes"].as_u64().unwrap() >= 50_002);
    let deleted = admin(&["delete-hf", "--repo-id", REPO]).await;
    assert_eq!(deleted.code, Some(0), "{deleted:?}");
    let again = admin(&["delete-hf", "--repo-id", REPO]).await;
    assert_eq!((again.code, again.stdout.as_str()), (Some(1), ""));
    assert!(again.stderr.contains("not in the cache"), "{again:?}");
    let pulled = admin(&["download-ollama", "--model-name", "good"]).await;
    assert_eq!(pulled.code, Some(0), "{pulled:?}");
    let broken = admin(&["download-ollama", "--model-name", "breaks"]).await;
    assert_eq!(broken.code, Some(1));
    assert!(broken.stderr.contains("max retries exceeded"), "{broken:?}");
    let none = admin(&["download-hf", "--repo-id", "org/none"]).await;
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("org/none"), "{none:?}");
}

#[tokio::test]
async fn the_server_has_to_be_named() {
    let ended = run(&["admin", "scan-cache"]).await;
    assert!(ended.refused().contains("--server-url"), "{ended:?}");
}

#[tokio::test]
async fn models_come_to_this_machine_without_a_server() {
    let hub = Hub::start(tiny()).await;
    let folder = folder();
    let (home, data) = (folder.path().join("hf"), folder.path().join("data"));
    let url = hub.url();
    let model = async |arguments: &[&str]| {
        let mut all = vec!["model", arguments[0], "--hf-endpoint", &url];
        all.extend(["--hf-home", text(&home), "--data-dir", text(&data)]);
        all.extend(["--download-min-free-bytes", "0"]);
        all.extend(&arguments[1..]);
        run(&all).await
    };
    let ended = model(&["download-hf", "--repo-id", REPO, "--file-path", "w.bin"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let place = Path::new(ended.stdout.trim_end());
    assert_eq!(
        std::fs::read(place).unwrap(),
        File::large("", 50_000).content
    );
    let listed = model(&["list-hf-all", "--json"]).await.json();
    assert_eq!(
        (&listed[0]["repo_id"], &listed[0]["path"]),
        (&json!(REPO), &json!("w.bin"))
    );
    let models = model(&["list-hf-all", "--repo-only", "--json"])
        .await
        .json();
    assert_eq!(
        (&models[0]["path"], models.as_array().unwrap().len()),
        (&Value::Null, 1)
    );
    let cache = model(&["hf-cache", "--json"]).await.json();
    assert_eq!(
        (&cache["size_on_disk"], &cache["repos"][0]["nb_files"]),
        (&json!(50_000), &json!(1))
    );
    let table = model(&["hf-cache"]).await;
    assert!(table.stdout.contains(REPO), "{table:?}");
    let other = folder.path().join("other");
    let ended = model(&[
        "download-hf",
        "--repo-id",
        REPO,
        "--cache-dir",
        text(&other),
    ])
    .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(other.join("models--org--tiny-model/refs/main").is_file());
    hub.behave(|m| m.gated = Some("x"));
    let gated = model(&["download-hf", "--repo-id", REPO]).await;
    assert_eq!((gated.code, gated.stdout.as_str()), (Some(1), ""));
    assert!(gated.stderr.contains("HF_TOKEN"), "{gated:?}");
    let wrong = model(&["download-hf", "--repo-id", "no-owner"]).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(!data.exists(), "nothing of a server is touched");
}
