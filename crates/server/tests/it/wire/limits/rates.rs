//! Requests per minute, jobs in line, runs somebody waits for.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use serde_json::{Value, json};

use super::super::client::{Client, Reply, bare, request};
use super::super::graphs::{greeting, waiting};
use super::super::server::{TestServer, pace, within};

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn number(reply: &Reply, header: &str) -> u64 {
    reply
        .header(header)
        .parse()
        .unwrap_or_else(|_| panic!("{header}: {reply:?}"))
}

/// Asks until it is refused. Five are taken in a minute, and a minute may end meanwhile.
async fn refused(client: &Client, path: &str) -> Reply {
    for _ in 0..11 {
        let reply = client.get(path).await;
        if reply.status == 429 {
            return reply;
        }
    }
    panic!("eleven requests were taken in less than two minutes");
}

#[tokio::test]
async fn more_requests_than_the_limit_are_refused_until_the_minute_is_over() {
    let server = TestServer::start_with(&["--rate-limit", "5"]);
    let client = server.client();
    let first = client.get("/api/workflows").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("x-ratelimit-limit"), "5");
    assert_eq!(first.header("x-ratelimit-remaining"), "4");
    let reset = number(&first, "x-ratelimit-reset");
    assert!(
        reset.saturating_sub(now()) <= 60 && reset.is_multiple_of(60),
        "{reset}"
    );
    // What is refused for other reasons says it, too.
    let missing = client.get("/api/workflows/none").await;
    assert_eq!(
        (missing.status, missing.header("x-ratelimit-limit")),
        (404, "5")
    );
    let over = refused(&client, "/api/workflows").await;
    assert_eq!(over.detail(429), "Rate limit exceeded");
    assert_eq!(over.header("x-ratelimit-remaining"), "0");
    assert!((1..=60).contains(&number(&over, "retry-after")));
    for path in ["/health", "/ping", "/api/health", "/health/"] {
        let watched = client.get(path).await;
        assert_eq!(
            (watched.status, watched.header("x-ratelimit-limit")),
            (200, ""),
            "{path}"
        );
    }
    let hits = || server.log().matches("rate.limited").count();
    within("the note of it", async {
        while hits() == 0 {
            pace().await;
        }
    })
    .await;
    // Once a minute at most, however many there are.
    for _ in 0..20 {
        client.get("/api/workflows").await;
    }
    assert!((1..=2).contains(&hits()), "{}", server.log());
    // The words of the other surface.
    let over = refused(&client, "/api/workflow/x").await.json();
    assert_eq!(over["code"], "RATE_LIMITED");
    assert!(over["details"]["retry_after"].is_u64());
}

#[tokio::test]
async fn opening_a_socket_counts_and_a_web_ui_does_not() {
    let ui = tempfile::tempdir().unwrap();
    std::fs::write(ui.path().join("index.html"), "<p>").unwrap();
    let arguments = [
        "--rate-limit",
        "5",
        "--static-folder",
        ui.path().to_str().unwrap(),
    ];
    let server = TestServer::start_with(&arguments);
    let client = server.client();
    for _ in 0..20 {
        let page = client.get("/").await;
        assert_eq!((page.status, page.header("x-ratelimit-limit")), (200, ""));
    }
    let handshake = || {
        request(Method::GET, "/ws")
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Default::default())
            .unwrap()
    };
    let mut statuses = Vec::new();
    for _ in 0..11 {
        let opened = client.open(handshake()).await;
        statuses.push(opened.status);
    }
    assert_eq!(statuses[0], 101);
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn without_a_limit_no_answer_speaks_of_one() {
    let server = TestServer::start();
    let client = server.client();
    for _ in 0..100 {
        let got = client.get("/api/workflows").await;
        assert_eq!((got.status, got.header("x-ratelimit-limit")), (200, ""));
    }
}

async fn submit(client: &Client, workflow: &str) -> Reply {
    client
        .post("/api/jobs", &json!({ "workflow_id": workflow }))
        .await
}

#[tokio::test]
async fn a_line_that_is_full_takes_no_more_jobs_until_one_has_left_it() {
    let arguments = ["--max-concurrent-jobs", "1", "--max-queued-jobs", "2"];
    let server = TestServer::start_with(&arguments);
    let client = server.client();
    let id = client.save(&waiting(600.0)).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let job = submit(&client, &id).await;
        assert!([200, 202].contains(&job.status), "{job:?}");
        let job: Value = job.json();
        let id = job["id"].as_str().or(job["job_id"].as_str());
        jobs.push(id.expect("an id").to_owned());
    }
    let told = submit(&client, &id).await.detail(429);
    assert!(
        told.starts_with("2 jobs of yours wait in line already (setting max_queued_jobs)"),
        "{told}"
    );
    let rows = client.get("/api/jobs").await.ok();
    assert_eq!(rows["jobs"].as_array().unwrap().len(), 3);
    let cancelled = client
        .call(Method::POST, &format!("/api/jobs/{}/cancel", jobs[2]))
        .await;
    assert_eq!(cancelled.status, 200);
    within("room in the line", async {
        while submit(&client, &id).await.status == 429 {
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn runs_that_requests_wait_for_are_limited_where_that_is_asked_for() {
    let server = TestServer::start_with(&["--max-concurrent-runs", "1"]);
    let client = server.client();
    let slow = client.save(&waiting(600.0)).await;
    let quick = client.save(&greeting()).await;
    assert_eq!(client.run(&quick, json!({})).await.status, 200);
    let stream = client.run_lines(&slow, &json!({})).await;
    assert_eq!(stream.status, 200);
    for path in ["run", "run?stream=true", "run/stream"] {
        let path = format!("/api/workflows/{quick}/{path}");
        let told = client.post(&path, &json!({})).await.detail(429);
        assert!(
            told.starts_with("1 runs of yours are at work already (setting max_concurrent_runs)"),
            "{told}"
        );
    }
    drop(stream);
    within("the end of the run", async {
        while client.run(&quick, json!({})).await.status == 429 {
            pace().await;
        }
    })
    .await;
    assert_eq!(client.send(bare(Method::GET, "/health")).await.status, 200);
}
