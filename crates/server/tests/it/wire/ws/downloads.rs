//! Downloads over their socket (socket spec 12.2; conformance rows 56, 57).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::hub::{COMMIT, File, Hub, REPO};
use super::super::server::{TestServer, folder, pace, within};
use super::client::{Mode, Socket, open, try_open};

const MIB: usize = 1 << 20;

fn tiny() -> Vec<File> {
    vec![
        File::small("config.json", "{\"a\": 1}\n"),
        File::small("sub/notes with space.txt", "hello"),
        File::small("empty", ""),
        File::large("model.safetensors", 3 * MIB + 17),
        File::large("sub/deep/copy.bin", 70_000),
    ]
}

fn serve_over(hub: &Hub, folder: &Arc<TempDir>, more: &[&str]) -> TestServer {
    let home = folder.path().join("hf");
    let (home, url) = (home.to_str().unwrap(), hub.url());
    let mut arguments = vec!["--hf-endpoint", &url, "--hf-home", home];
    if !more.contains(&"--download-min-free-bytes") {
        arguments.extend(["--download-min-free-bytes", "0"]);
    }
    arguments.extend(more);
    TestServer::start_over(folder.clone(), &arguments)
}

fn repo_folder(folder: &TempDir) -> PathBuf {
    folder.path().join("hf/hub/models--org--tiny-model")
}

/// Names of the files in a folder; none of one that is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn start(repo_id: &str) -> Value {
    json!({ "command": "start_download", "repo_id": repo_id, "path": null, "allow_patterns": null,
        "ignore_patterns": null, "model_type": null })
}

async fn socket(server: &TestServer) -> Socket {
    open(server, "/hf/download", Mode::Text).await
}

/// All frames up to the last one.
async fn to_end(socket: &mut Socket) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = socket.next().await;
        let status = frame["status"].as_str().unwrap().to_owned();
        frames.push(frame);
        if ["completed", "error", "cancelled"].contains(&status.as_str()) {
            return frames;
        }
    }
}

async fn until_bytes(socket: &mut Socket, bytes: usize) {
    loop {
        let frame = socket.next().await;
        assert!(frame["error"].is_null(), "{frame}");
        if frame["downloaded_bytes"].as_u64().unwrap() >= bytes as u64 {
            return;
        }
    }
}

/// What somebody downloads from a hub; the last frame.
async fn download(hub: &Hub, folder: &Arc<TempDir>, more: &[&str], command: &Value) -> Value {
    let server = serve_over(hub, folder, more);
    let mut socket = socket(&server).await;
    socket.send(command).await;
    to_end(&mut socket).await.pop().unwrap()
}

#[tokio::test]
async fn case_56_commands_that_are_none_are_refused() {
    let server = TestServer::start();
    for path in ["/hf/download", "/ws/download", "/ws/download/"] {
        let mut socket = open(&server, path, Mode::Text).await;
        socket.send(&json!({ "command": "x" })).await;
        let unknown = json!({ "status": "error", "message": "Unknown command" });
        assert_eq!(socket.next().await, unknown);
        socket.send(&json!([1])).await;
        assert_eq!(socket.next().await, unknown);
    }
    let mut socket = socket(&server).await;
    for (command, told) in [
        (start("no-owner"), "owner/name"),
        (start("../../etc"), "owner/name"),
        (
            json!({ "command": "start_download", "repo_id": 7 }),
            "`repo_id`",
        ),
        (
            json!({ "command": "start_download", "repo_id": "o/m", "path": "../x" }),
            "path",
        ),
        (
            json!({ "command": "start_download", "repo_id": "o/m", "allow_patterns": [1] }),
            "`allow_patterns`",
        ),
        (
            json!({ "command": "start_download", "repo_id": "o/m", "model_type": "hf.gguf" }),
            "llama.cpp",
        ),
        (
            json!({ "command": "cancel_download", "repo_id": "o/m" }),
            "no such download",
        ),
        (json!({ "command": "cancel_download" }), "`id`"),
    ] {
        socket.send(&command).await;
        let frame = socket.next().await;
        let error = frame["error"].as_str().unwrap_or_default();
        assert_eq!(frame["status"], "error", "{frame}");
        assert!(error.contains(told), "{frame}");
    }
}

#[tokio::test]
async fn case_57_two_sockets_see_one_download() {
    let hub = Hub::start(tiny()).await;
    hub.behave(|m| m.hold_after = Some(40_000));
    let folder = folder();
    let server = serve_over(&hub, &folder, &[]);
    let mut first = socket(&server).await;
    first.send(&start(REPO)).await;
    assert_eq!(first.next().await["status"], "idle");
    assert_eq!(first.next().await["status"], "start");
    until_bytes(&mut first, 80_000).await;
    let mut second = open(&server, "/ws/download", Mode::Text).await;
    let state = second.next().await;
    assert_eq!(state["status"], "progress", "{state}");
    assert_eq!(state["total_files"], 5);
    let current = state["current_files"].as_array().unwrap();
    assert!(current.contains(&json!("model.safetensors")), "{state}");
    // Starting it again changes nothing and tells how it stands.
    second.send(&start(REPO)).await;
    assert_eq!(second.next().await["status"], "progress");
    drop(first);
    let mut third = socket(&server).await;
    hub.release();
    for socket in [&mut second, &mut third] {
        let frames = to_end(socket).await;
        let end = frames.last().unwrap();
        let total = 3 * MIB as u64 + 17 + 70_000 + 9 + 5;
        let expected = json!({ "status": "completed", "repo_id": REPO, "path": null, "model_type": null,
            "downloaded_bytes": total, "total_bytes": total, "downloaded_files": 5, "current_files": [],
            "total_files": 5 });
        assert_eq!(*end, expected);
        let ordered = |key: &str| frames.iter().map(|f| f[key].as_u64()).is_sorted();
        assert!(ordered("downloaded_bytes") && ordered("downloaded_files"));
    }
    let lists = hub
        .asked()
        .iter()
        .filter(|a| a.path.contains("/revision/"))
        .count();
    assert_eq!(lists, 1, "it was downloaded once");
    let mut late = socket(&server).await;
    assert_eq!(late.next().await["status"], "completed", "for a minute");
}

#[tokio::test]
async fn the_cache_is_laid_out_as_the_tools_of_the_hub_lay_it_out_and_the_token_stays_at_the_hub() {
    let hub = Hub::start(tiny()).await;
    hub.behave(|m| m.gated = Some("secret-token"));
    let folder = folder();
    let more = ["--hf-token", "secret-token"];
    let end = download(&hub, &folder, &more, &start(REPO)).await;
    assert_eq!(end["status"], "completed", "{end}");
    let base = repo_folder(&folder);
    assert_eq!(
        std::fs::read_to_string(base.join("refs/main")).unwrap(),
        COMMIT
    );
    let snapshot = base.join("snapshots").join(COMMIT);
    for file in tiny() {
        let place = snapshot.join(file.path);
        assert_eq!(
            std::fs::read(&place).unwrap(),
            file.content,
            "{}",
            file.path
        );
        let up = "../".repeat(2 + file.path.matches('/').count());
        let to = format!("{up}blobs/{}", file.id());
        assert_eq!(std::fs::read_link(&place).unwrap(), Path::new(&to));
    }
    let mut ids: Vec<String> = tiny().iter().map(File::id).collect();
    ids.sort();
    assert_eq!(names(&base.join("blobs")), ids, "and nothing incomplete");
    let asked = hub.asked();
    let pages = asked.iter().filter(|a| a.path.contains("/tree/")).count();
    assert_eq!(pages, 3, "the list comes in pages");
    for asked in asked {
        let expected = (!asked.elsewhere).then(|| "Bearer secret-token".to_owned());
        assert_eq!(asked.authorization, expected, "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_there_already_is_not_fetched_again() {
    let hub = Hub::start(tiny()).await;
    let folder = folder();
    for _ in 0..2 {
        let end = download(&hub, &folder, &[], &start(REPO)).await;
        assert_eq!(end["status"], "completed", "{end}");
        assert_eq!(end["downloaded_bytes"], end["total_bytes"]);
    }
    let fetched = hub
        .asked()
        .iter()
        .filter(|a| a.path.contains("/resolve/"))
        .count();
    assert_eq!(fetched, 4, "each file once, and an empty one never");
}

#[tokio::test]
async fn a_file_whose_connection_breaks_goes_on_where_it_was() {
    let hub = Hub::start(vec![File::large("w.bin", 3 * MIB)]).await;
    hub.behave(|m| {
        m.busy = 2;
        m.breaks = [MIB + 5, 100, 0].into();
    });
    let folder = folder();
    let end = download(&hub, &folder, &[], &start(REPO)).await;
    assert_eq!(end["status"], "completed", "{end}");
    assert_eq!(end["downloaded_bytes"], 3 * MIB);
    let ranges = hub.ranges();
    assert_eq!(ranges.len(), 4, "{ranges:?}");
    assert_eq!(ranges[0], None);
    let from = |range: &Option<String>| -> usize {
        let range = range.as_deref().unwrap().strip_prefix("bytes=").unwrap();
        range.trim_end_matches('-').parse().unwrap()
    };
    let begun: Vec<usize> = ranges[1..].iter().map(from).collect();
    assert!(
        begun.is_sorted() && begun.iter().all(|b| *b <= MIB + 105),
        "{begun:?}"
    );
    let refused = hub
        .asked()
        .iter()
        .filter(|a| a.path.contains("/resolve/"))
        .count();
    assert_eq!(refused, 6, "two were told to come later");
}

#[tokio::test]
async fn contents_with_another_checksum_are_not_kept() {
    for files in [
        vec![File::large("w.bin", 5000)],
        vec![File::small("config.json", "12345")],
    ] {
        let id = files[0].id();
        let name = files[0].path;
        let hub = Hub::start(files).await;
        hub.behave(|m| m.corrupt = true);
        let folder = folder();
        let end = download(&hub, &folder, &[], &start(REPO)).await;
        assert_eq!(end["status"], "error");
        let error = end["error"].as_str().unwrap();
        assert!(error.contains(name) && error.contains(&id), "{error}");
        assert_eq!(names(&repo_folder(&folder).join("blobs")), [""; 0]);
        assert!(!repo_folder(&folder).join("refs").exists());
    }
}

#[tokio::test]
async fn a_gated_model_asks_for_hf_token() {
    let hub = Hub::start(tiny()).await;
    hub.behave(|m| m.gated = Some("right"));
    for more in [&[][..], &["--hf-token", "wrong"]] {
        let end = download(&hub, &folder(), more, &start(REPO)).await;
        assert_eq!(end["status"], "error");
        let error = end["error"].as_str().unwrap();
        assert!(
            error.contains("HF_TOKEN") && !error.contains("wrong"),
            "{error}"
        );
    }
    let end = download(&hub, &folder(), &[], &start("org/none")).await;
    assert_eq!(end["status"], "error");
}

#[tokio::test]
async fn names_of_files_that_lead_elsewhere_end_the_download_before_it_begins() {
    for name in ["../../../../evil", "/evil", "a/../../evil", "a\\..\\evil"] {
        let hub = Hub::start(tiny()).await;
        let id = "ab".repeat(20);
        let entry = json!({ "type": "file", "path": name, "size": 4, "oid": id });
        hub.behave(|m| m.strange = vec![entry]);
        let folder = folder();
        let end = download(&hub, &folder, &[], &start(REPO)).await;
        assert_eq!(end["status"], "error", "{name}");
        assert!(end["error"].as_str().unwrap().contains("evil"), "{end}");
        assert!(!repo_folder(&folder).exists());
        assert!(!hub.asked().iter().any(|a| a.path.contains("/resolve/")));
    }
}

#[tokio::test]
async fn a_killed_server_leaves_what_has_come_for_the_next_one() {
    let hub = Hub::start(vec![File::large("w.bin", 4 * MIB)]).await;
    hub.behave(|m| m.hold_after = Some(5 * MIB / 2));
    let folder = folder();
    let server = serve_over(&hub, &folder, &[]);
    let mut socket = socket(&server).await;
    socket.send(&start(REPO)).await;
    let blobs = repo_folder(&folder).join("blobs");
    let incomplete = blobs.join(format!("{}.incomplete", File::large("w.bin", 4 * MIB).id()));
    let written = || std::fs::metadata(&incomplete).map_or(0, |m| m.len());
    // It is written piece by piece, not at its end; a piece may be a chunk longer than 1 MiB.
    within("a piece", async {
        while written() < MIB as u64 {
            pace().await;
        }
    })
    .await;
    let folder = server.kill().await;
    assert_eq!(names(&blobs).len(), 1, "only what is incomplete");
    assert!(!repo_folder(&folder).join("snapshots").exists());
    let kept = written();
    hub.release();
    let end = download(&hub, &folder, &[], &start(REPO)).await;
    assert_eq!(end["status"], "completed", "{end}");
    assert_eq!(hub.ranges(), [None, Some(format!("bytes={kept}-"))]);
    let whole = std::fs::read(blobs.join(File::large("w.bin", 4 * MIB).id())).unwrap();
    assert_eq!(whole, File::large("w.bin", 4 * MIB).content);
}

#[tokio::test]
async fn what_was_left_is_checked_too() {
    let file = File::large("w.bin", 2 * MIB);
    let hub = Hub::start(vec![file.clone()]).await;
    let folder = folder();
    let blobs = repo_folder(&folder).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let left = blobs.join(format!("{}.incomplete", file.id()));
    std::fs::write(left, vec![7; MIB]).unwrap();
    let end = download(&hub, &folder, &[], &start(REPO)).await;
    assert_eq!(end["status"], "completed", "{end}");
    assert_eq!(end["downloaded_bytes"], 2 * MIB);
    assert_eq!(hub.ranges(), [Some(format!("bytes={MIB}-")), None]);
    assert_eq!(std::fs::read(blobs.join(file.id())).unwrap(), file.content);
}

#[tokio::test]
async fn a_cancelled_download_ends_for_everybody_and_can_be_taken_up() {
    let hub = Hub::start(vec![File::large("w.bin", 2 * MIB)]).await;
    hub.behave(|m| m.hold_after = Some(3 * MIB / 2));
    let folder = folder();
    let server = serve_over(&hub, &folder, &[]);
    let (mut first, mut second) = (socket(&server).await, socket(&server).await);
    let single = json!({ "command": "start_download", "repo_id": REPO, "path": "w.bin" });
    first.send(&single).await;
    until_bytes(&mut first, 3 * MIB / 2).await;
    let id = format!("{REPO}/w.bin");
    second
        .send(&json!({ "command": "cancel_download", "id": id }))
        .await;
    for socket in [&mut first, &mut second] {
        let end = to_end(socket).await.pop().unwrap();
        assert_eq!(
            (&end["status"], &end["path"]),
            (&json!("cancelled"), &json!("w.bin"))
        );
    }
    hub.release();
    first.send(&single).await;
    assert_eq!(
        to_end(&mut first).await.pop().unwrap()["status"],
        "completed"
    );
    let range = hub.ranges()[1].clone().unwrap();
    let from = range.strip_prefix("bytes=").unwrap().trim_end_matches('-');
    assert!(from.parse::<usize>().unwrap() >= MIB, "{range}");
}

#[tokio::test]
async fn a_disk_with_too_little_room_is_told_before_anything_is_fetched() {
    let hub = Hub::start(tiny()).await;
    let folder = folder();
    let more = ["--download-min-free-bytes", "9000000000000000000"];
    let end = download(&hub, &folder, &more, &start(REPO)).await;
    assert_eq!(end["status"], "error");
    assert!(end["error"].as_str().unwrap().contains("room"), "{end}");
    assert!(!hub.asked().iter().any(|a| a.path.contains("/resolve/")));
}

#[tokio::test]
async fn patterns_choose_files_and_models_of_llama_cpp_go_to_its_cache() {
    let hub = Hub::start(tiny()).await;
    let folder = folder();
    let command = json!({ "command": "start_download", "repo_id": REPO,
        "allow_patterns": ["*.json", "sub/"], "ignore_patterns": ["*.bin"] });
    let end = download(&hub, &folder, &[], &command).await;
    assert_eq!(
        (&end["status"], &end["total_files"]),
        (&json!("completed"), &json!(2))
    );
    let snapshot = repo_folder(&folder).join("snapshots").join(COMMIT);
    assert_eq!(names(&snapshot), ["config.json", "sub"]);
    let nothing =
        json!({ "command": "start_download", "repo_id": REPO, "allow_patterns": ["*.gguf"] });
    let end = download(&hub, &folder, &[], &nothing).await;
    assert!(end["error"].as_str().unwrap().contains("patterns"), "{end}");
    let llama = folder.path().join("llama");
    let more = ["--llama-cache", llama.to_str().unwrap()];
    let command = json!({ "command": "start_download", "repo_id": REPO, "path": "sub/deep/copy.bin",
        "model_type": "llama_cpp_model" });
    let end = download(&hub, &folder, &more, &command).await;
    assert_eq!(end["status"], "completed", "{end}");
    let place = llama.join("org_tiny-model_sub_deep_copy.bin");
    assert_eq!(
        std::fs::read(place).unwrap(),
        File::large("", 70_000).content
    );
}

#[tokio::test]
async fn a_server_that_stops_ends_its_downloads_and_keeps_what_has_come() {
    let hub = Hub::start(vec![File::large("w.bin", 2 * MIB)]).await;
    hub.behave(|m| m.hold_after = Some(3 * MIB / 2));
    let folder = folder();
    let server = serve_over(&hub, &folder, &[]);
    let mut socket = socket(&server).await;
    socket.send(&start(REPO)).await;
    until_bytes(&mut socket, 3 * MIB / 2).await;
    server.terminate();
    assert_eq!(socket.closed().await.0, 1012);
    let (status, log, folder) = server.ended().await;
    assert!(status.success(), "{log}");
    assert_eq!(names(&repo_folder(&folder).join("blobs")).len(), 1);
}

#[tokio::test]
async fn in_production_there_is_no_such_socket() {
    let server = TestServer::start_with(&["--environment", "production"]);
    for path in ["/hf/download", "/ws/download"] {
        let refused = try_open(&server, path, Mode::Text).await;
        assert_eq!(refused.err(), Some(404), "{path}");
    }
}
