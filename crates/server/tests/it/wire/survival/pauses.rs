//! Jobs that are held still.

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::graphs::{CODE, OUTPUT, UNTIL_TOLD, graph, node, waiting};
use super::super::server::{TestServer, appears, within};
use super::{append, begin, begin_graph, in_workspace, job, order, outputs, until};

/// A line to `a.txt`, a script that lasts until `go.txt` is there, a line to `b.txt`.
fn chain() -> Value {
    let script = node("c", CODE, json!({ "code": UNTIL_TOLD, "timeout": 60 }));
    let second = node(
        "b",
        super::WRITE,
        json!({ "path": "b.txt", "append": true }),
    );
    let out = node("o", OUTPUT, json!({ "name": "out" }));
    graph(
        &[append("a", "a.txt"), script, second, out],
        &[
            "a.output -> c.x",
            "c.output -> b.content",
            "b.output -> o.value",
        ],
    )
}

/// Jobs that are paused in the middle of their chain.
async fn paused(server: &TestServer, client: &Client, jobs: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let workspace = server.folder().join("workspace");
    for _ in 0..jobs {
        let id = begin_graph(client, &chain()).await;
        appears(&workspace.join("begun.txt")).await;
        // The next one makes it anew.
        std::fs::remove_file(workspace.join("begun.txt")).unwrap();
        order(client, &id, "pause", &json!({})).await.ok();
        assert_eq!(
            job(client, &id).await["status"],
            "running",
            "its script is at work"
        );
        ids.push(id);
    }
    std::fs::write(workspace.join("go.txt"), "1").unwrap();
    for id in &ids {
        until(client, id, "paused").await;
    }
    assert_eq!(in_workspace(server.folder(), "b.txt"), "");
    ids
}

#[tokio::test]
async fn a_paused_job_begins_nothing_stays_paused_over_a_restart_and_goes_on_when_told() {
    let server = TestServer::start();
    let ids = paused(&server, &server.client(), 1).await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    assert_eq!(job(&client, &ids[0]).await["status"], "paused");
    client.check_health().await;
    assert_eq!(in_workspace(server.folder(), "b.txt"), "");
    order(&client, &ids[0], "resume", &json!({})).await.ok();
    until(&client, &ids[0], "completed").await;
    assert_eq!(outputs(&client, &ids[0]).await, json!({ "out": ["b.txt"] }));
    assert_eq!(in_workspace(server.folder(), "a.txt"), "a\n");
    assert_eq!(in_workspace(server.folder(), "b.txt"), "told");
    order(&client, &ids[0], "pause", &json!({}))
        .await
        .detail(409);
}

#[tokio::test]
async fn a_paused_job_goes_on_in_the_same_server_and_stays_paused_when_that_stops() {
    let server = TestServer::start();
    let client = server.client();
    let ids = paused(&server, &client, 2).await;
    order(&client, &ids[0], "resume", &json!({})).await.ok();
    until(&client, &ids[0], "completed").await;
    drop(client);
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(status.success(), "{log}");
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    assert_eq!(job(&client, &ids[1]).await["status"], "paused");
    order(&client, &ids[1], "resume", &json!({})).await.ok();
    until(&client, &ids[1], "completed").await;
}

#[tokio::test]
async fn a_paused_job_can_be_cancelled_before_and_after_a_restart() {
    let server = TestServer::start();
    let client = server.client();
    let ids = paused(&server, &client, 2).await;
    order(&client, &ids[0], "cancel", &json!({})).await.ok();
    until(&client, &ids[0], "cancelled").await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    order(&client, &ids[1], "cancel", &json!({})).await.ok();
    until(&client, &ids[1], "cancelled").await;
    assert_eq!(in_workspace(server.folder(), "b.txt"), "");
}

#[tokio::test]
async fn a_job_that_is_paused_while_it_waits_in_line_pauses_when_its_turn_comes() {
    let server = TestServer::start_with(&["--max-concurrent-jobs", "1"]);
    let client = server.client();
    let first = begin_graph(&client, &waiting(600.0)).await;
    until(&client, &first, "running").await;
    let workflow = client.save(&chain()).await;
    let second = begin(&client, &json!({ "workflow_id": workflow }))
        .await
        .ok();
    let second = second["id"].as_str().unwrap();
    order(&client, second, "pause", &json!({})).await.ok();
    order(&client, &first, "cancel", &json!({})).await.ok();
    within("the pause", until(&client, second, "paused")).await;
    assert_eq!(in_workspace(server.folder(), "a.txt"), "");
    std::fs::write(server.folder().join("workspace/go.txt"), "1").unwrap();
    order(&client, second, "resume", &json!({})).await.ok();
    until(&client, second, "completed").await;
}
