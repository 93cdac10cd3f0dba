//! What a server tells about itself: the id of each request, its log, its audit log and its numbers.

use hyper::Method;
use serde_json::{Value, json};

use super::client::{bare, json as json_request, request};
use super::graphs::{graph, greeting, node, output, waiting};
use super::local::{local, with_headers};
use super::server::{TestServer, pace, within};

/// The lines of a log in JSON that hold a text, once there are some.
async fn lines_with(server: &TestServer, text: &str) -> Vec<Value> {
    within(text, async {
        loop {
            let log = server.log();
            let lines = log.lines().filter(|line| line.contains(text));
            let lines: Vec<Value> = lines
                .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
                .collect();
            if !lines.is_empty() {
                return lines;
            }
            pace().await;
        }
    })
    .await
}

/// The value of a field of the spans around a line.
fn of_spans<'a>(line: &'a Value, field: &str) -> &'a Value {
    let spans = line["spans"].as_array().expect("spans");
    spans
        .iter()
        .map(|span| &span[field])
        .find(|value| !value.is_null())
        .unwrap_or(&Value::Null)
}

/// The audit log of a server that has ended.
fn audited(folder: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("logs/audit.jsonl")).expect("the audit log");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let server = TestServer::start();
    let client = server.client();
    let mut seen = std::collections::HashSet::new();
    for (method, path) in [
        (Method::GET, "/health"),
        (Method::GET, "/api/workflows"),
        (Method::GET, "/api/workflows/nosuch"),
        (Method::DELETE, "/health"),
        (Method::GET, "/nothing/here"),
        (Method::GET, "/ws"),
        (Method::GET, "/openapi.json"),
        (Method::OPTIONS, "/api/jobs"),
        (Method::GET, "/metrics"),
    ] {
        let reply = client.call(method.clone(), path).await;
        let id = reply.header("x-request-id").to_owned();
        assert!(
            id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()),
            "{method} {path}: {id:?}"
        );
        assert!(seen.insert(id), "each request has its own");
    }
    let with = |id: &str| {
        request(Method::GET, "/health")
            .header("x-request-id", id)
            .body(String::new().into())
            .unwrap()
    };
    let longest = "a".repeat(64);
    for good in ["r-1_B", &longest] {
        let reply = client.send(with(good)).await;
        assert_eq!(reply.header("x-request-id"), good);
    }
    for bad in ["", "a b", "a;b", &"a".repeat(65)] {
        let reply = client.send(with(bad)).await;
        assert_eq!(reply.header("x-request-id").len(), 32, "{bad:?}");
    }
}

#[tokio::test]
async fn the_lines_of_a_request_and_its_job_carry_their_ids() {
    let server = TestServer::start_with(&["--log-format", "json", "--log", "debug"]);
    let client = server.client();
    let id = client.save(&greeting()).await;
    // The second has messages and a task of its own.
    for (path, request_id) in [
        (format!("/api/workflows/{id}/run"), "quiet-run"),
        (format!("/api/workflows/{id}/run?stream=true"), "told-run"),
    ] {
        let body = json!({ "params": { "name": "hi", "nosuch": 1 } });
        let mut asked = json_request(Method::POST, &path, &body);
        let headers = asked.headers_mut();
        headers.insert("x-request-id", request_id.parse().unwrap());
        assert_eq!(client.send(asked).await.status, 200);
        let lines = within("the lines of the request", async {
            loop {
                let lines = lines_with(&server, request_id).await;
                if lines.len() >= 2 {
                    return lines;
                }
                pace().await;
            }
        })
        .await;
        let ignored = lines
            .iter()
            .find(|l| {
                l["message"]
                    .as_str()
                    .unwrap_or("")
                    .contains("no input of this name")
            })
            .unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!(of_spans(ignored, "request.id"), request_id);
        assert!(of_spans(ignored, "job.id").is_string(), "{ignored}");
        let told = lines.iter().find(|l| l["message"] == "request");
        let told = told.unwrap_or_else(|| panic!("{lines:?}"));
        assert_eq!(told["http.path"], "/api/workflows/{id}/run");
        assert_eq!(
            (&told["http.method"], &told["http.status"]),
            (&"POST".into(), &200.into())
        );
        let about = ["user.id", "client.address"].map(|field| of_spans(told, field).clone());
        assert_eq!(about, ["1", "127.0.0.1"], "{told}");
    }
}

#[tokio::test]
async fn no_secret_shows_in_the_logs_however_much_is_logged() {
    const SECRET: &str = "Sesame0pen";
    let server = TestServer::start_with(&["--log", "trace", "--allow-host", "127.0.0.1"]);
    let client = server.client();
    let bearer = format!("Bearer {SECRET}");
    let cookie = format!("session={SECRET}");
    for path in [
        "/api/workflows",
        "/api/workflows/nosuch",
        "/health",
        "/nosuch",
        "/metrics",
        "/",
    ] {
        let path = format!("{path}?api_key={SECRET}&token={SECRET}");
        let asked = with_headers(
            Method::GET,
            &path,
            &[
                ("host", "nodetool.test"),
                ("authorization", &bearer),
                ("cookie", &cookie),
                ("x-request-id", "not plain; so not taken"),
            ],
            "",
        );
        client.send(asked).await;
    }
    let socket = |headers: &[(&str, &str)]| {
        let mut all = vec![
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("authorization", bearer.as_str()),
        ];
        all.extend_from_slice(headers);
        with_headers(Method::GET, &format!("/ws?api_key={SECRET}"), &all, "")
    };
    let opened = server.client().open(socket(&[])).await;
    assert_eq!(opened.status, 101);
    let refused = client
        .send(socket(&[("origin", "https://evil.example")]))
        .await;
    assert_eq!(refused.status, 403);
    // A node that asks another server.
    let get = node(
        "g",
        "lib.http.GetRequest",
        json!({ "url": format!("http://127.0.0.1:9/?api_key={SECRET}") }),
    );
    let asking = graph(&[get, output()], &["g.output -> o.value"]);
    let id = client.save(&asking).await;
    client.run(&id, json!({})).await;
    drop(opened);
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(status.success() && log.contains("request{"), "{log}");
    let hit = log.lines().find(|line| line.contains(SECRET));
    assert_eq!(hit, None);
    let audit = std::fs::read_to_string(folder.path().join("logs/audit.jsonl")).unwrap();
    assert!(
        audit.contains("origin.refused") && !audit.contains(SECRET),
        "{audit}"
    );
}

#[tokio::test]
async fn what_was_refused_is_in_the_audit_log() {
    let server = TestServer::start();
    let client = server.client();
    let foreign = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("origin", "https://evil.example"),
        ("x-request-id", "socket-1"),
    ];
    let refused = client
        .send(with_headers(Method::GET, "/ws", &foreign, ""))
        .await;
    assert_eq!(refused.status, 403);
    let mut asked = bare(Method::GET, "/api/files/list?path=/");
    asked
        .headers_mut()
        .insert("x-request-id", "files-1".parse().unwrap());
    asked
        .headers_mut()
        .insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    assert_eq!(client.send(asked).await.status, 403);
    let hook = node(
        "h",
        "nodetool.triggers.WebhookTrigger",
        json!({ "secret": "s3cret" }),
    );
    let graph = graph(&[hook, output()], &["h.body -> o.value"]);
    let document =
        json!({ "name": "W", "access": "private", "graph": graph, "run_mode": "trigger" });
    let saved = client.post("/api/workflows", &document).await.ok();
    let id = saved["id"].as_str().unwrap();
    let mut wrong = bare(Method::POST, &format!("/api/triggers/{id}/h/webhook"));
    let headers = wrong.headers_mut();
    headers.insert("x-webhook-secret", "S3CRET".parse().unwrap());
    headers.insert("x-request-id", "hook-1".parse().unwrap());
    assert_eq!(client.send(wrong).await.status, 401);
    server.terminate();
    let (_, log, folder) = server.ended().await;
    let lines = audited(folder.path());
    let told: Vec<_> = lines
        .iter()
        .map(|l| [&l["event"], &l["request_id"]].map(|v| v.as_str().unwrap_or("")))
        .collect();
    assert_eq!(
        told,
        [
            ["origin.refused", "socket-1"],
            ["local_only.refused", "files-1"],
            ["webhook.refused", "hook-1"]
        ],
        "{log}"
    );
    assert!(lines.iter().all(|l| l["client_address"] == "127.0.0.1"));
    assert_eq!(lines[2]["fields"]["workflow.id"], id);
    assert!(
        log.contains("origin.refused"),
        "they are in the log, too: {log}"
    );
}

#[tokio::test]
async fn the_audit_log_can_be_off() {
    let server = TestServer::start_with(&["--audit-log", "off"]);
    server.terminate();
    let (status, _, folder) = server.ended().await;
    assert!(status.success() && !folder.path().join("logs").exists());
}

/// The value of a number, by its name and labels.
fn number(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    let value = line.and_then(|value| value.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name}\n{text}"))
}

#[tokio::test]
async fn numbers_tell_what_happened_and_how_things_stand() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client.run(&id, json!({ "name": "x" })).await.ok();
    client
        .run_lines(&id, &json!({ "params": {} }))
        .await
        .lines()
        .await;
    client.get("/api/nothing/at/all").await;
    let at_work = client.save(&waiting(600.0)).await;
    let mut follower = client.run_lines(&at_work, &json!({})).await;
    follower.line().await.expect("a message");
    let reply = client.send(local(Method::GET, "/metrics", "")).await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-type")
            .starts_with("application/openmetrics-text"),
        "{reply:?}"
    );
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    for (name, least) in [
        (
            r#"nodetool_http_requests_total{method="POST",route="/api/workflows/{id}/run",status="200"}"#,
            3.0,
        ),
        (
            r#"nodetool_http_requests_total{method="GET",route="other",status="404"}"#,
            1.0,
        ),
        (
            r#"nodetool_http_request_duration_seconds_count{method="POST",route="/api/workflows/{id}/run"}"#,
            3.0,
        ),
        ("nodetool_http_requests_in_flight", 1.0),
        ("nodetool_http_connections", 2.0),
        (r#"nodetool_jobs_ended_total{status="completed"}"#, 2.0),
        (
            r#"nodetool_job_duration_seconds_count{status="completed"}"#,
            2.0,
        ),
        ("nodetool_jobs_running", 1.0),
        ("nodetool_jobs_queued", 0.0),
        ("nodetool_feed_listeners", 1.0),
        (r#"nodetool_node_executions_total{status="failed"}"#, 0.0),
        ("nodetool_store_writes_total", 3.0),
        ("nodetool_store_queue_writes", 0.0),
        ("nodetool_store_batch_writes_count", 1.0),
        ("nodetool_store_commit_seconds_count", 1.0),
        ("nodetool_sockets", 0.0),
        ("nodetool_asset_bytes", 0.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 5.0),
        ("nodetool_uptime_seconds", 0.0),
    ] {
        assert!(number(&text, name) >= least, "{name}\n{text}");
    }
    assert!(
        text.contains("nodetool_build_info{version=\"") && text.ends_with("# EOF\n"),
        "{text}"
    );
    assert!(!text.contains("nothing/at/all"), "{text}");
    drop(follower);
    within("the listener and the job to be gone", async {
        loop {
            let reply = client.send(local(Method::GET, "/metrics", "")).await;
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            let left = ["nodetool_feed_listeners", "nodetool_jobs_running"];
            if left.iter().all(|name| number(&text, name) == 0.0) {
                assert_eq!(
                    number(&text, r#"nodetool_jobs_ended_total{status="cancelled"}"#),
                    1.0
                );
                break;
            }
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn numbers_are_for_this_machine_and_for_who_has_their_token() {
    let token = "5ca1ab1e-0ddba11-c0ffee";
    let server = TestServer::start_with(&["--metrics-token", token]);
    let client = server.client();
    let from = |authorization: &str| {
        let headers = [("host", "nodetool.test"), ("authorization", authorization)];
        with_headers(Method::GET, "/metrics", &headers, "")
    };
    for (authorization, status) in [
        (format!("Bearer {token}"), 200),
        (format!("bearer  {token}"), 200),
        (format!("Bearer {token}x"), 401),
        (format!("Basic {token}"), 401),
        ("Bearer ".to_owned(), 401),
        (token.to_owned(), 401),
    ] {
        let reply = client.send(from(&authorization)).await;
        assert_eq!(reply.status, status, "{authorization}");
    }
    let server = TestServer::start();
    let reply = server.client().send(from("Bearer ")).await;
    assert_eq!(reply.status, 401, "no token is set, so none fits");
}
