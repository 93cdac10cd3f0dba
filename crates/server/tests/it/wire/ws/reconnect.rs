//! Attaching to jobs again (rows 33 to 35).

use serde_json::json;

use super::super::graphs::{counting, greeting, waiting};
use super::super::server::TestServer;
use super::client::{MODES, Mode, numbers, open};

#[tokio::test]
async fn case_33_a_job_goes_on_where_its_client_was() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket.start(json!({ "graph": counting(3) })).await;
        let job_id = ack["job_id"].as_str().unwrap().to_owned();
        let all = socket.until_end(&job_id).await;
        drop(socket);
        let mut socket = open(&server, "/ws", mode).await;
        for _ in 0..2 {
            let data = json!({ "job_id": job_id, "last_seq": 3 });
            let ack = socket.ask("reconnect_job", data).await;
            assert_eq!(
                ack["message"],
                json!(format!("Reconnecting to job {job_id}"))
            );
            let resumed = socket.next().await;
            assert_eq!(
                resumed,
                json!({
                    "type": "job_resumed", "job_id": job_id, "workflow_id": null, "status": "finished",
                    "last_seq": 3, "replay_count": all.len() - 3, "replay_incomplete": false,
                })
            );
            let rest = socket.until_end(&job_id).await;
            assert_eq!(rest, all[3..], "unchanged and in order");
            socket.check_quiet().await;
        }
    }
}

#[tokio::test]
async fn case_33_a_live_job_is_heard_without_a_gap() {
    let server = TestServer::start();
    let mut first = open(&server, "/ws", Mode::Binary).await;
    let ack = first.start(json!({ "graph": waiting(600.0) })).await;
    let job_id = ack["job_id"].as_str().unwrap().to_owned();
    assert_eq!(first.next().await["job_seq"], 1);
    drop(first);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    socket
        .ask("reconnect_job", json!({ "job_id": job_id, "last_seq": 1 }))
        .await;
    let resumed = socket.next().await;
    assert_eq!(
        (&resumed["status"], &resumed["last_seq"]),
        (&json!("running"), &json!(1))
    );
    socket
        .command("cancel_job", json!({ "job_id": job_id }))
        .await;
    let messages = socket.until_end(&job_id).await;
    let numbers = numbers(&messages);
    let wanted: Vec<u64> = (2..2 + numbers.len() as u64).collect();
    assert_eq!(numbers, wanted);
}

#[tokio::test]
async fn case_34_an_ended_job_is_told_with_its_result() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket
            .start(json!({ "workflow_id": id, "params": { "name": "hi" } }))
            .await;
        let job_id = ack["job_id"].as_str().unwrap().to_owned();
        socket.until_end(&job_id).await;
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket
            .ask("reconnect_job", json!({ "job_id": job_id }))
            .await;
        assert_eq!(ack["workflow_id"], json!(id));
        let resumed = socket.next().await;
        assert_eq!(
            (&resumed["status"], &resumed["last_seq"]),
            (&json!("finished"), &json!(null))
        );
        let messages = socket.until_end(&job_id).await;
        assert_eq!(resumed["replay_count"], json!(messages.len()));
        let end = messages.last().unwrap();
        assert_eq!(end["result"]["outputs"]["out"], json!(["hi"]));
        assert!(messages.iter().any(|m| m["type"] == "output_update"));
    }
}

#[tokio::test]
async fn case_35_an_unknown_job_fails() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket
            .ask(
                "reconnect_job",
                json!({ "job_id": "nope", "last_seq": 7.0 }),
            )
            .await;
        assert_eq!(ack["message"], "Reconnecting to job nope");
        let resumed = socket.next().await;
        assert_eq!(
            (&resumed["status"], &resumed["replay_count"]),
            (&json!("unknown"), &json!(0))
        );
        let failed = socket.next().await;
        assert_eq!(
            (&failed["status"], &failed["error"]),
            (&json!("failed"), &json!("Job nope not found"))
        );
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn a_job_of_an_earlier_process_is_told_by_its_row() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let ack = socket.start(json!({ "graph": counting(1) })).await;
    let ended = ack["job_id"].as_str().unwrap().to_owned();
    socket.until_end(&ended).await;
    let ack = socket.start(json!({ "graph": waiting(600.0) })).await;
    let running = ack["job_id"].as_str().unwrap().to_owned();
    assert_eq!(socket.next().await["status"], "running");
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &["--recovery", "fail"]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    for (job_id, status) in [(ended, "completed"), (running, "failed")] {
        socket
            .ask("reconnect_job", json!({ "job_id": job_id }))
            .await;
        assert_eq!(socket.next().await["status"], "unknown");
        let update = socket.next().await;
        assert_eq!(
            (&update["type"], &update["status"]),
            (&json!("job_update"), &json!(status))
        );
        assert_eq!(update["error"].is_null(), status == "completed");
        assert_eq!(update["run_state"]["is_resumable"], false);
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_resumed_says_so() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let ack = socket.ask("resume_job", json!({ "job_id": "nope" })).await;
    assert_eq!(ack["message"], "Resumption initiated for job nope");
    let failed = socket.next().await;
    assert_eq!(failed["status"], "failed");
    let text = "This job may have expired or cannot be resumed. Please start a new workflow.";
    assert_eq!(failed["error"], text);
}
