//! Jobs beyond the limit of their user (row 26; socket spec 4.3, 6.3).

use serde_json::{Value, json};

use super::super::graphs::waiting;
use super::super::server::TestServer;
use super::client::{Mode, Socket, open};

/// Starts five jobs of workflows of their own; their ids.
async fn five(server: &TestServer, socket: &mut Socket) -> Vec<String> {
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let workflow = server.client().save(&waiting(600.0)).await;
        let ack = socket.start(json!({ "workflow_id": workflow })).await;
        jobs.push(ack["job_id"].as_str().unwrap().to_owned());
    }
    jobs
}

async fn update(socket: &mut Socket, job_id: &str, status: &str) -> Value {
    loop {
        let message = socket.next().await;
        if message["type"] == "job_update" && message["job_id"] == job_id {
            assert_eq!(message["status"], status, "{message}");
            return message;
        }
    }
}

#[tokio::test]
async fn case_26_the_fifth_job_waits_for_its_turn() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let jobs = five(&server, &mut socket).await;
    let queued = update(&mut socket, &jobs[4], "queued").await;
    assert_eq!(queued["queue_position"], 1);
    assert_eq!(queued["message"], "Queued (#1)");
    socket
        .command("cancel_job", json!({ "job_id": jobs[0] }))
        .await;
    update(&mut socket, &jobs[4], "running").await;
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_also_when_its_socket_goes() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let jobs = five(&server, &mut socket).await;
    update(&mut socket, &jobs[4], "queued").await;
    let reply = socket.ask("cancel_job", json!({ "job_id": jobs[4] })).await;
    assert_eq!(reply["message"], "Queued job cancelled");
    update(&mut socket, &jobs[4], "cancelled").await;
    let workflow = server.client().save(&waiting(600.0)).await;
    let ack = socket.start(json!({ "workflow_id": workflow })).await;
    update(&mut socket, ack["job_id"].as_str().unwrap(), "queued").await;
    drop(socket);
    let job = server.client().ended_job(&workflow).await;
    assert_eq!(job["status"], "cancelled");
}

#[tokio::test]
async fn a_job_too_many_is_refused_and_its_socket_lives_on() {
    let arguments = ["--max-concurrent-jobs", "1", "--max-queued-jobs", "1"];
    let server = TestServer::start_with(&arguments);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let workflow = server.client().save(&waiting(600.0)).await;
    let ask = json!({ "workflow_id": workflow });
    for _ in 0..2 {
        socket.start(ask.clone()).await;
    }
    let refused = socket.ask("run_job", ask).await;
    let told = refused["error"].as_str().expect("an error");
    assert!(told.contains("setting max_queued_jobs"), "{refused}");
    assert_eq!(refused["command"], "run_job");
    assert_eq!(refused["workflow_id"], json!(workflow));
    socket.send(&json!({ "type": "ping" })).await;
    socket.until("pong").await;
}
