//! Starts and stops at inconvenient moments, and calls that nobody works on.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hyper::Method;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::super::client::Client;
use super::super::server::{TestServer, within};
use super::{Flow, counter, delay, webhook};

/// In which a stop has to have answered, and some time for a busy machine.
const STOP: Duration = Duration::from_secs(5 + 25);

#[tokio::test]
async fn starts_at_the_same_time_are_one_run_and_one_task() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[counter(1, i64::MAX), delay(1, "hours")]).await;
    let clients: Vec<Client> = (0..16).map(|_| server.client()).collect();
    let path = flow.path("start_execution");
    let starts = clients.iter().enumerate().map(|(n, client)| {
        let method = [Method::GET, Method::POST][n % 2].clone();
        let path = path.clone();
        async move { client.call(method, &path).await.ok() }
    });
    let answers = join_all(starts).await;
    for answer in &answers {
        assert_eq!(answer["task_id"], answers[0]["task_id"], "{answers:?}");
    }
    let pending = answers.iter().filter(|a| a["status"] == "PENDING").count();
    assert!(pending <= 1, "one of them began it: {answers:?}");
    assert_eq!(flow.object().await["runs_count"], 1);
    assert_eq!(flow.stop().await["status"], "REVOKED");
    let task = flow.task().await;
    assert_eq!(
        (&task["task_id"], &task["status"]),
        (&answers[0]["task_id"], &json!("REVOKED"))
    );
}

#[tokio::test]
async fn a_stop_during_a_request_that_is_never_answered_is_soon_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = TestServer::start_with(&["--allow-host", "127.0.0.1"]);
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "method": "GET", "url": url, "timeout_seconds": 3600 });
    flow.chain(&[counter(1, i64::MAX), ("http-request", form)])
        .await;
    flow.start().await;
    let (mut asked, _) = within("the request", listener.accept()).await.unwrap();
    let mut head = [0; 4];
    within("its head", asked.read_exact(&mut head))
        .await
        .unwrap();
    let since = Instant::now();
    assert_eq!(flow.stop().await["status"], "REVOKED");
    assert!(since.elapsed() < STOP, "{:?}", since.elapsed());
    // The request is given up, not only the wait for it.
    let mut rest = Vec::new();
    let gone = within("the connection to end", asked.read_to_end(&mut rest)).await;
    assert!(gone.is_ok() || gone.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    assert_eq!(flow.task().await["status"], "REVOKED");
    let state = flow.watch(&server).await.state().await;
    assert_eq!(state["status"], "idle");
    client.check_health().await;
}

#[tokio::test]
async fn whoever_stops_last_has_stopped_it_however_many_start_meanwhile() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[counter(1, i64::MAX), delay(1, "hours")]).await;
    let clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    for _ in 0..10 {
        let asked = clients.iter().enumerate().map(|(n, client)| {
            let path = flow.path(["start_execution", "stop_execution"][n % 2]);
            async move { client.call(Method::POST, &path).await.ok() }
        });
        join_all(asked).await;
        let last = flow.stop().await;
        assert!(
            ["REVOKED", "SUCCESS"].contains(&last["status"].as_str().unwrap()),
            "{last}"
        );
        assert_eq!(flow.object().await["status"], "inactive");
        assert_eq!(flow.state().await["status"], "idle");
        assert_eq!(flow.task().await["status"], "REVOKED");
        let jobs = format!(
            "/api/jobs?workflow_id={}&limit=200",
            flow.id.replace('-', "")
        );
        let jobs = client.get(&jobs).await.ok();
        let jobs = jobs["jobs"].as_array().unwrap();
        assert!(!jobs.is_empty());
        for job in jobs {
            assert_eq!(job["status"], "cancelled", "{job}");
        }
    }
    assert_eq!(flow.start().await["status"], "PENDING");
    flow.comes_to("STARTED").await;
    assert_eq!(flow.stop().await["status"], "REVOKED");
}

#[tokio::test]
async fn stops_at_the_same_time_all_answer() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[counter(1, i64::MAX), delay(1, "hours")]).await;
    flow.start().await;
    flow.comes_to("STARTED").await;
    let clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    let path = flow.path("stop_execution");
    let stops = clients.iter().map(|client| {
        let path = path.clone();
        async move { client.call(Method::POST, &path).await.ok() }
    });
    for answer in join_all(stops).await {
        assert!(
            ["REVOKED", "SUCCESS"].contains(&answer["status"].as_str().unwrap()),
            "{answer}"
        );
    }
    assert_eq!(flow.task().await["status"], "REVOKED");
    assert_eq!(flow.object().await["status"], "inactive");
}

#[tokio::test]
async fn of_ten_thousand_calls_of_a_webhook_that_nobody_works_on_a_thousand_wait_and_the_rest_is_refused()
 {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let ids = flow.chain(&[webhook("flood"), delay(1, "hours")]).await;
    flow.start().await;
    let mut watch = flow.watch(&server).await;
    watch
        .until_state(|state| state["executing_nodes"].get(&ids[0]).is_some())
        .await;
    let first = client.post("/api/webhooks/flood/", &json!({})).await;
    assert_eq!(first.json()["subscribers"], 1, "{first:?}");
    watch
        .until_state(|state| state["executing_nodes"].get(&ids[1]).is_some())
        .await;
    let before = server.memory();
    let clients: Vec<Client> = (0..10).map(|_| server.client()).collect();
    let floods = clients.iter().map(|client| async move {
        let mut taken = 0;
        for n in 0..1000 {
            let body = json!({ "n": n, "text": "x".repeat(1000) });
            let reply = client.post("/api/webhooks/flood/", &body).await;
            match reply.status {
                202 => taken += 1,
                429 => assert_eq!(reply.json()["code"], "RATE_LIMITED", "{reply:?}"),
                _ => panic!("{reply:?}"),
            }
        }
        taken
    });
    let taken: usize = join_all(floods).await.into_iter().sum();
    assert_eq!(taken, 1000);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes more");
    client.check_health().await;
    assert_eq!(flow.stop().await["status"], "REVOKED");
    // Those that waited are of the run that is over.
    let reply = client.post("/api/webhooks/flood/", &json!({})).await;
    assert_eq!(reply.json()["subscribers"], 0);
}
