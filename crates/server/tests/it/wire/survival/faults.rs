//! A data folder that cannot be written, has no room, or holds rows nobody can read.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use super::super::graphs::{greeting, waiting};
use super::super::server::{TestServer, folder, within};
use super::{append, begin, begin_graph, job, order, outputs, pace, until};

/// A small file system over a folder; unmounted at the end.
struct Mounted(Arc<TempDir>);

impl Mounted {
    /// Nothing where mounting is not allowed.
    fn new(options: &str) -> Option<Self> {
        let folder = folder();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path());
        let done = mount.output().is_ok_and(|o| o.status.success());
        done.then_some(Mounted(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is left goes with the machine's temporary files.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn a_server_without_room_says_so_lives_on_and_works_again_when_there_is() {
    let Some(disk) = Mounted::new("size=6m") else {
        eprintln!("skipped: this machine does not let tests mount a file system");
        return;
    };
    let server = TestServer::start_at(disk.path(), disk.0.clone(), &[]);
    let client = server.client();
    let workflow = client.save(&greeting()).await;
    let busy = begin_graph(&client, &waiting(0.5)).await;
    let ballast = disk.path().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|n| n > 0) {}
    drop(file);
    // What was allotted before may take a few more small writes.
    let refused = within("the disk to be full", async {
        loop {
            let reply = begin(&client, &json!({ "workflow_id": workflow })).await;
            if reply.status != 200 {
                break reply;
            }
        }
    })
    .await;
    let detail = refused.detail(507);
    assert!(detail.contains("no room"), "{detail}");
    assert_eq!(client.get("/health").await.ok(), "OK");
    client.get("/api/jobs").await.ok();
    std::fs::remove_file(&ballast).unwrap();
    client.check_health().await;
    within("the job to end", async {
        while job(&client, &busy).await["finished_at"].is_null() {
            pace().await;
        }
    })
    .await;
    let id = begin(
        &client,
        &json!({ "workflow_id": workflow, "concurrent": true }),
    )
    .await
    .ok();
    until(&client, id["id"].as_str().unwrap(), "completed").await;
}

#[tokio::test]
async fn a_folder_nobody_can_write_is_told_at_the_start() {
    let Some(disk) = Mounted::new("size=1m,ro") else {
        eprintln!("skipped: this machine does not let tests mount a file system");
        return;
    };
    let mut command = super::super::server::program();
    command
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(disk.path());
    let ended = command.output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains(&disk.path().display().to_string()), "{told}");
}

#[tokio::test]
async fn a_job_that_cannot_be_read_stops_neither_the_start_nor_other_jobs() {
    let server = TestServer::start();
    let client = server.client();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(begin_graph(&client, &waiting(0.5)).await);
    }
    let out = super::node("o", super::OUTPUT, json!({ "name": "out" }));
    let graph = super::graph(
        &[append("a", "a.txt"), super::wait("w", 600.0), out],
        &["a.output -> w.input", "w.data -> o.value"],
    );
    ids.push(begin_graph(&client, &graph).await);
    until(&client, &ids[0], "completed").await;
    super::holds(server.folder(), "a.txt", 1).await;
    let begun = begin_graph(&client, &waiting(0.5)).await;
    let folder = server.kill().await;
    let db = rusqlite::Connection::open(folder.path().join("nodetool.sqlite3")).unwrap();
    let reopen = "UPDATE nodetool_jobs SET status = 'running', finished_at = NULL, completed_at = NULL, result = NULL WHERE id = ?1";
    for (id, fault) in [
        (&ids[1], "status = 'dancing'"),
        (&ids[2], "graph = '{\"nodes\":'"),
        (&ids[3], "params = '[1]', graph = '{\"nodes\":7}'"),
    ] {
        db.execute(reopen, [id]).unwrap();
        let sql = format!("UPDATE nodetool_jobs SET {fault} WHERE id = ?1");
        assert_eq!(db.execute(&sql, [id]).unwrap(), 1);
    }
    let spoilt = "UPDATE run_node_state SET outputs = x'c1c1' WHERE run_id = ?1";
    assert!(db.execute(spoilt, [&ids[4]]).unwrap() > 0);
    db.close().unwrap();
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    for id in &ids[1..] {
        let row = until(&client, id, "failed").await;
        assert_eq!(row["error"], "Recovery failed: could not resume execution");
        order(&client, id, "cancel", &json!({})).await.ok();
    }
    until(&client, &begun, "completed").await;
    assert_eq!(outputs(&client, &begun).await, json!({ "out": ["done"] }));
    client.check_health().await;
}
