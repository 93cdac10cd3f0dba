//! Jobs that wait for their turn.

use serde_json::json;

use super::super::client::Client;
use super::super::graphs::waiting;
use super::super::server::TestServer;
use super::{append, begin, begin_graph, content, job, order, until};

/// Starts jobs that each add a line of their own to `line.txt`.
async fn writers(client: &Client, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let out = super::node("o", super::OUTPUT, json!({ "name": "out" }));
        let graph = super::graph(
            &[append(name, "line.txt"), out],
            &[&format!("{name}.output -> o.value")],
        );
        ids.push(begin_graph(client, &graph).await);
    }
    ids
}

#[tokio::test]
async fn the_fifth_job_waits_and_those_in_line_run_in_their_order() {
    let server = TestServer::start();
    let client = server.client();
    let mut busy = Vec::new();
    for _ in 0..4 {
        busy.push(begin_graph(&client, &waiting(600.0)).await);
    }
    let line = writers(&client, &["x", "y", "z"]).await;
    for id in &busy {
        assert_eq!(job(&client, id).await["status"], "running");
    }
    for id in &line {
        assert_eq!(job(&client, id).await["status"], "scheduled");
    }
    order(&client, &line[1], "cancel", &json!({})).await.ok();
    until(&client, &line[1], "cancelled").await;
    order(&client, &busy[2], "cancel", &json!({})).await.ok();
    for id in [&line[0], &line[2]] {
        until(&client, id, "completed").await;
    }
    let lines = content(&server.folder().join("workspace/line.txt"));
    assert_eq!(lines, "x\nz\n");
}

#[tokio::test]
async fn a_job_in_line_outlives_its_server_and_keeps_its_place() {
    let arguments = ["--max-concurrent-jobs", "1"];
    let server = TestServer::start_with(&arguments);
    let client = server.client();
    let busy = begin_graph(&client, &waiting(600.0)).await;
    let line = writers(&client, &["x", "y", "z"]).await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &arguments);
    let client = server.client();
    assert!(job(&client, &busy).await["finished_at"].is_null());
    order(&client, &busy, "cancel", &json!({})).await.ok();
    for id in &line {
        until(&client, id, "completed").await;
    }
    let lines = content(&server.folder().join("workspace/line.txt"));
    assert_eq!(lines, "x\ny\nz\n");
}

#[tokio::test]
async fn runs_of_one_workflow_still_follow_each_other_after_a_restart() {
    let server = TestServer::start();
    let client = server.client();
    let workflow = client.save(&waiting(600.0)).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let begun = begin(&client, &json!({ "workflow_id": workflow }))
            .await
            .ok();
        ids.push(begun["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(job(&client, &ids[1]).await["status"], "scheduled");
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let active = super::within("the second to wait", async {
        loop {
            let active = client.get("/api/jobs/running/all").await.ok();
            if active[1]["status"] == "queued" {
                break active;
            }
            super::pace().await;
        }
    })
    .await;
    assert_eq!(active[0]["status"], "running", "{active}");
    assert_eq!(active[1]["job_id"], ids[1].as_str());
}

#[tokio::test]
async fn a_long_job_does_not_keep_its_server_from_stopping_and_goes_on_after_the_next_start() {
    let server = TestServer::start_with(&["--shutdown-seconds", "1"]);
    let client = server.client();
    let id = begin_graph(&client, &super::two_steps(300.0)).await;
    super::holds(server.folder(), "b.txt", 1).await;
    drop(client);
    let told = std::time::Instant::now();
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(
        status.success() && told.elapsed().as_secs() < 30,
        "{:?} {log}",
        told.elapsed()
    );
    let server = TestServer::start_over(folder.clone(), &["--shutdown-seconds", "0"]);
    let client = server.client();
    until(&client, &id, "running").await;
    assert_eq!(super::in_workspace(server.folder(), "a.txt"), "a\n");
    assert!(server.log().contains("they go on"), "{}", server.log());
    server.terminate();
    server.ended().await;
    let server = TestServer::start_over(folder, &["--recovery", "fail"]);
    let row = until(&server.client(), &id, "failed").await;
    assert_eq!(row["error"], "Server shutdown while job was running");
    assert!(
        server.log().contains("they are marked failed"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn jobs_of_a_server_that_died_are_marked_failed_where_that_is_asked_for() {
    let server = TestServer::start_with(&["--recovery", "fail"]);
    let client = server.client();
    let busy = begin_graph(&client, &waiting(600.0)).await;
    let hold = super::node("w", super::WAIT, json!({ "timeout_seconds": 0 }));
    let out = super::node("o", super::OUTPUT, json!({ "name": "out" }));
    let graph = super::graph(&[hold, out], &["w.data -> o.value"]);
    let held = begin_graph(&client, &graph).await;
    until(&client, &held, "suspended").await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &["--recovery", "fail"]);
    let client = server.client();
    let row = until(&client, &busy, "failed").await;
    assert_eq!(row["error"], "Server shutdown while job was running");
    let answer = json!({ "data": { "data": 7 } });
    order(&client, &held, "resume", &answer).await.ok();
    until(&client, &held, "completed").await;
    assert_eq!(super::outputs(&client, &held).await, json!({ "out": [7] }));
    // A failed job can be tried again, as a new one.
    let retried = order(&client, &busy, "retry", &json!({})).await.ok();
    assert_ne!(retried["id"], row["id"]);
    until(&client, retried["id"].as_str().unwrap(), "running").await;
}
