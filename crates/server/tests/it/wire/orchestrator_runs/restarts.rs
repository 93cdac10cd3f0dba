//! What becomes of runs when the server dies.

use serde_json::{Value, json};

use super::super::server::{TestServer, within};
use super::Flow;

#[tokio::test]
async fn case_64_a_run_that_a_dead_server_left_has_failed_and_starts_again() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.counter(1, i64::MAX).await;
    let started = flow.start().await;
    flow.until("numbers", |state| {
        state["completed_count"].as_u64() > Some(0)
    })
    .await;
    let id = flow.id.clone();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "FAILURE" })
    );
    assert_eq!(flow.object().await["status"], "error");
    let state = flow.state().await;
    assert_eq!(
        (&state["status"], &state["error"], &state["executing_nodes"]),
        (&json!("failed"), &json!("server restarted"), &json!({}))
    );
    let again = flow.start().await;
    assert_eq!(again["status"], "PENDING");
    assert_ne!(again["task_id"], started["task_id"]);
    flow.until("numbers again", |state| {
        state["status"] == "running" && state["completed_count"].as_u64() > Some(0)
    })
    .await;
    let stopped = within("the stop", flow.stop()).await;
    assert_eq!(stopped["status"], "REVOKED");
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_does_not_wait_for_loops() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.counter(1, i64::MAX).await;
    flow.start().await;
    flow.until("numbers", |state| {
        state["completed_count"].as_u64() > Some(0)
    })
    .await;
    let id = flow.id.clone();
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(status.success(), "{log}");
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    let state: Value = flow.state().await;
    assert_eq!(state["error"], "server restarted", "{state}");
}
