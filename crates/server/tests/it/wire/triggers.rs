//! Triggers: what begins runs by itself, through restarts and crashes, each event once.

use std::collections::BTreeMap;
use std::path::Path;

use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply, bare, json as json_request, request};
use super::graphs::{WAIT, graph, greeting, node};
use super::server::{TestServer, pace, within};

const INTERVAL: &str = "nodetool.triggers.IntervalTrigger";
const CRON: &str = "nodetool.triggers.CronTrigger";
const MANUAL: &str = "nodetool.triggers.ManualTrigger";
const WEBHOOK: &str = "nodetool.triggers.WebhookTrigger";
const FILE_WATCH: &str = "nodetool.triggers.FileWatchTrigger";
const WRITE: &str = "nodetool.workspace.WriteTextFile";
const STRINGIFY: &str = "lib.json.StringifyJSON";

/// A trigger whose time names a file that gets an `x` for each run.
fn marking(node_type: &str, data: Value) -> Value {
    let write = node("w", WRITE, json!({ "content": "x", "append": true }));
    let trigger = node("t", node_type, data);
    graph(&[trigger, write], &["t.timestamp -> w.path"])
}

/// A trigger one of whose outputs is written as JSON to the end of `log.txt`.
fn logging(node_type: &str, data: Value, handle: &str) -> Value {
    let nodes = [
        node("t", node_type, data),
        node("j", STRINGIFY, json!({ "indent": 0 })),
        node("w", WRITE, json!({ "path": "log.txt", "append": true })),
    ];
    let edge = format!("t.{handle} -> j.data");
    graph(&nodes, &[&edge, "j.output -> w.content"])
}

fn document(graph: &Value, run_mode: &str) -> Value {
    json!({ "name": "W", "access": "private", "graph": graph, "run_mode": run_mode })
}

/// Saves a workflow that waits for its triggers.
async fn save(client: &Client, graph: &Value) -> String {
    let document = document(graph, "trigger");
    let saved = client.post("/api/workflows", &document).await;
    saved.ok()["id"].as_str().unwrap().to_owned()
}

async fn triggers(client: &Client) -> Vec<Value> {
    let listed = client.get("/api/triggers").await.ok();
    listed["triggers"].as_array().unwrap().clone()
}

async fn start(client: &Client, id: &str) -> Reply {
    let path = format!("/api/jobs/triggers/{id}/start");
    client.call(Method::POST, &path).await
}

async fn stop(client: &Client, id: &str) -> Reply {
    let path = format!("/api/jobs/triggers/{id}/stop");
    client.call(Method::POST, &path).await
}

async fn jobs(client: &Client, id: &str) -> Vec<Value> {
    let path = format!("/api/jobs?workflow_id={id}&limit=1000");
    client.get(&path).await.ok()["jobs"]
        .as_array()
        .unwrap()
        .clone()
}

/// The jobs of a workflow once there are so many and all have ended.
async fn ended_jobs(client: &Client, id: &str, least: usize) -> Vec<Value> {
    within("jobs of a trigger", async {
        loop {
            let jobs = jobs(client, id).await;
            if jobs.len() >= least && jobs.iter().all(|j| !j["finished_at"].is_null()) {
                return jobs;
            }
            pace().await;
        }
    })
    .await
}

/// The files of a workspace that are named by a time, with what they hold.
fn marks(folder: &Path) -> BTreeMap<chrono::DateTime<chrono::FixedOffset>, String> {
    let listing = std::fs::read_dir(folder.join("workspace")).unwrap();
    listing
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let time = chrono::DateTime::parse_from_rfc3339(name).ok()?;
            Some((time, std::fs::read_to_string(&path).unwrap()))
        })
        .collect()
}

async fn marked(folder: &Path, count: usize) {
    within("ticks", async {
        while marks(folder).len() < count {
            pace().await;
        }
    })
    .await;
}

/// Waits for `log.txt` to hold a text.
async fn logged(server: &TestServer, text: &str) -> String {
    let path = server.folder().join("workspace/log.txt");
    within(&format!("{text} in the log"), async {
        loop {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            if log.contains(text) {
                return log;
            }
            pace().await;
        }
    })
    .await
}

#[tokio::test]
async fn case_50_a_workflow_without_trigger_nodes_cannot_be_started() {
    let server = TestServer::start();
    let client = server.client();
    let waits = graph(&[node("w", WAIT, json!({ "timeout_seconds": 1 }))], &[]);
    for graph in [greeting(), waits] {
        let id = client.save(&graph).await;
        let told = start(&client, &id).await.detail(400);
        assert_eq!(told, "Workflow does not contain trigger nodes");
        assert_eq!(
            stop(&client, &id).await.ok(),
            json!({ "workflow_id": id, "job_id": null, "status": "not_running", "is_running": false })
        );
    }
    for reply in [start(&client, "x").await, stop(&client, "x").await] {
        assert_eq!(reply.detail(404), "Workflow not found");
    }
    let none = json!({ "workflows": [] });
    assert_eq!(client.get("/api/jobs/triggers/running").await.ok(), none);
}

#[tokio::test]
async fn triggers_start_and_stop_and_starting_twice_is_starting_once() {
    let server = TestServer::start();
    let client = server.client();
    let late = json!({ "interval_seconds": 3600, "emit_on_start": false });
    let id = client.save(&marking(INTERVAL, late)).await;
    assert!(triggers(&client).await.is_empty(), "saved in another mode");
    let running =
        json!({ "workflow_id": id, "job_id": null, "status": "running", "is_running": true });
    assert_eq!(start(&client, &id).await.ok(), running);
    let due = triggers(&client).await[0]["next_due"].clone();
    assert_eq!(start(&client, &id).await.ok(), running);
    let listed = triggers(&client).await;
    assert_eq!(listed.len(), 1);
    let fields = [
        "workflow_id",
        "node_id",
        "kind",
        "active",
        "started_at",
        "next_due",
        "last_fired",
        "fired",
        "last_job_id",
        "last_job_status",
        "last_error",
    ];
    assert_eq!(listed[0].as_object().unwrap().len(), fields.len());
    assert!(
        fields.iter().all(|f| listed[0].get(f).is_some()),
        "{listed:?}"
    );
    assert_eq!(
        (
            &listed[0]["kind"],
            &listed[0]["node_id"],
            &listed[0]["next_due"]
        ),
        (&json!("interval"), &json!("t"), &due)
    );
    let all = client.get("/api/jobs/triggers/running/").await.ok();
    assert_eq!(all, json!({ "workflows": [running] }));
    let stopped =
        json!({ "workflow_id": id, "job_id": null, "status": "stopped", "is_running": false });
    assert_eq!(stop(&client, &id).await.ok(), stopped);
    assert_eq!(stop(&client, &id).await.ok()["status"], "not_running");
    let none = json!({ "workflows": [] });
    assert_eq!(client.get("/api/jobs/triggers/running").await.ok(), none);
}

#[tokio::test]
async fn saving_starts_changes_and_ends_the_triggers_of_a_workflow() {
    let server = TestServer::start();
    let client = server.client();
    let every = |seconds: i64| {
        marking(
            INTERVAL,
            json!({ "interval_seconds": seconds, "emit_on_start": false }),
        )
    };
    let id = save(&client, &every(3600)).await;
    let path = format!("/api/workflows/{id}");
    let first = triggers(&client).await;
    assert_eq!((first.len(), &first[0]["active"]), (1, &json!(true)));
    client
        .put(&path, &document(&every(3600), "trigger"))
        .await
        .ok();
    assert_eq!(
        triggers(&client).await,
        first,
        "nothing about it has changed"
    );
    client
        .put(&path, &document(&every(7200), "trigger"))
        .await
        .ok();
    assert_ne!(triggers(&client).await[0]["next_due"], first[0]["next_due"]);
    stop(&client, &id).await.ok();
    client
        .put(&path, &document(&every(3600), "trigger"))
        .await
        .ok();
    let stopped = triggers(&client).await;
    assert_eq!(
        (&stopped[0]["active"], &stopped[0]["next_due"]),
        (&json!(false), &json!(null))
    );
    start(&client, &id).await.ok();
    client
        .put(&path, &document(&every(3600), "workflow"))
        .await
        .ok();
    assert!(triggers(&client).await.is_empty(), "another run mode");
    client
        .put(&path, &document(&every(3600), "trigger"))
        .await
        .ok();
    assert_eq!(triggers(&client).await.len(), 1);
    client.delete(&path).await.ok();
    assert!(triggers(&client).await.is_empty(), "deleted");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_by_node_and_property() {
    let server = TestServer::start();
    let client = server.client();
    for (node_type, data, property) in [
        (
            INTERVAL,
            json!({ "interval_seconds": 0.5 }),
            "interval_seconds",
        ),
        (CRON, json!({ "expression": "* * *" }), "expression"),
        (CRON, json!({ "timezone": "Mars" }), "timezone"),
        (WEBHOOK, json!({ "methods": ["BREW"] }), "methods"),
        (FILE_WATCH, json!({ "path": "missing" }), "path"),
        (FILE_WATCH, json!({ "path": "../.." }), "path"),
    ] {
        let id = save(&client, &marking(node_type, data)).await;
        let refused = start(&client, &id).await;
        let place = json!(["graph", "nodes", "t", "data", property]);
        assert_eq!(refused.places(), [("value_error".to_owned(), place)]);
        let msg = refused.errors()[0]["msg"].as_str().unwrap().to_owned();
        assert!(msg.starts_with(&format!("node t: `{property}` ")), "{msg}");
        // Saving takes the workflow all the same, and the list says why it does not fire.
        let listed = triggers(&client).await;
        let error = listed[0]["last_error"].as_str().unwrap();
        assert!(error.contains(property), "{error}");
        assert_eq!(listed[0]["next_due"], Value::Null);
        client.delete(&format!("/api/workflows/{id}")).await.ok();
    }
}

#[tokio::test]
async fn an_interval_ticks_on_its_own_clock_until_it_is_stopped() {
    let server = TestServer::start();
    let client = server.client();
    let id = save(
        &client,
        &marking(INTERVAL, json!({ "interval_seconds": 1 })),
    )
    .await;
    marked(server.folder(), 3).await;
    assert_eq!(stop(&client, &id).await.ok()["status"], "stopped");
    let fired = triggers(&client).await[0]["fired"].as_u64().unwrap() as usize;
    let ended = ended_jobs(&client, &id, fired).await;
    assert_eq!(ended.len(), fired);
    assert!(
        ended.iter().all(|job| job["status"] == "completed"),
        "{ended:?}"
    );
    let marks = marks(server.folder());
    assert_eq!(marks.len(), fired, "one run for each tick");
    assert!(marks.values().all(|mark| mark == "x"));
    let times: Vec<_> = marks.keys().collect();
    let steps = times.windows(2).map(|t| (*t[1] - *t[0]).num_microseconds());
    assert!(
        steps.into_iter().all(|step| step == Some(1_000_000)),
        "{times:?}"
    );
    let listed = triggers(&client).await;
    assert_eq!(listed[0]["last_job_status"], "completed");
}

#[tokio::test]
async fn a_cron_expression_fires_at_whole_seconds_of_its_zone_so_many_times() {
    let server = TestServer::start();
    let client = server.client();
    let zone = json!({ "expression": "* * * * * *", "timezone": "Asia/Kolkata", "max_events": 2 });
    let id = save(&client, &marking(CRON, zone)).await;
    let ended = ended_jobs(&client, &id, 2).await;
    assert_eq!(ended.len(), 2);
    let listed = triggers(&client).await;
    assert_eq!(
        (&listed[0]["fired"], &listed[0]["next_due"]),
        (&json!(2), &Value::Null)
    );
    let marks = marks(server.folder());
    assert_eq!(marks.len(), 2);
    for time in marks.keys() {
        assert_eq!(time.offset().local_minus_utc(), 19_800, "{time}");
        assert_eq!(time.timestamp_subsec_micros(), 0, "{time}");
    }
}

#[tokio::test]
async fn a_killed_server_loses_no_tick_and_fires_none_twice() {
    let server = TestServer::start();
    let client = server.client();
    let id = save(
        &client,
        &marking(INTERVAL, json!({ "interval_seconds": 1 })),
    )
    .await;
    marked(server.folder(), 2).await;
    let folder = server.kill().await;
    let before = marks(folder.path()).len();
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    marked(server.folder(), before + 3).await;
    stop(&client, &id).await.ok();
    let fired = triggers(&client).await[0]["fired"].as_u64().unwrap() as usize;
    let jobs = ended_jobs(&client, &id, fired).await;
    assert_eq!(jobs.len(), fired, "each event became one job");
    let cut = jobs.iter().filter(|job| job["status"] == "failed").count();
    let marks = marks(server.folder());
    // The job that was at work when the server was killed does again what it was just doing.
    let again = marks.values().filter(|mark| *mark != "x").count();
    assert!(again <= 1, "none fired twice: {marks:?}");
    assert!(marks.len() + cut >= fired, "{marks:?} {jobs:?}");
    let times: Vec<_> = marks.keys().collect();
    let steps: Vec<i64> = times
        .windows(2)
        .map(|t| (*t[1] - *t[0]).num_microseconds().unwrap())
        .collect();
    assert!(
        steps.iter().all(|step| step % 1_000_000 == 0),
        "the same clock: {times:?}"
    );
    // Only where the server was away may ticks be missing, or where a run was cut.
    let gaps = steps.iter().filter(|step| **step != 1_000_000).count();
    assert!(gaps <= 1 + cut, "{times:?}");
}

fn hook(
    id: &str,
    method: Method,
    headers: &[(&str, &str)],
    body: &str,
) -> hyper::Request<Full<bytes::Bytes>> {
    let mut request = request(method, &format!("/api/triggers/{id}/t/webhook?a=1&b=2&b=3"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Full::new(bytes::Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

#[tokio::test]
async fn a_webhook_takes_those_who_know_its_secret_and_the_same_request_once() {
    let server = TestServer::start();
    let client = server.client();
    let id = save(
        &client,
        &logging(WEBHOOK, json!({ "secret": "s3cret" }), "body"),
    )
    .await;
    let send = |method: Method, headers: &[(&str, &str)], body: &str| {
        client.send(hook(&id, method, headers, body))
    };
    let json_kind = ("content-type", "application/json");
    for wrong in [
        ("x-other", "s3cret"),
        ("x-webhook-secret", "s3cre"),
        ("authorization", "Bearer no"),
        ("authorization", "s3cret"),
    ] {
        let refused = send(Method::POST, &[wrong, json_kind], "{}").await;
        assert_eq!(refused.detail(401), "The secret is missing or wrong");
    }
    let secret = ("x-webhook-secret", "s3cret");
    assert_eq!(send(Method::PUT, &[secret], "{}").await.status, 405);
    let key = ("idempotency-key", "order-1");
    let first = send(Method::POST, &[secret, json_kind, key], r#"{"order": 1}"#).await;
    assert_eq!(first.status, 202);
    let job_id = first.json()["job_id"].clone();
    assert_eq!(
        first.json(),
        json!({ "job_id": job_id, "status": "accepted" })
    );
    let again = send(Method::POST, &[secret, json_kind, key], r#"{"order": 1}"#).await;
    assert_eq!(
        again.ok(),
        json!({ "job_id": job_id, "status": "duplicate" })
    );
    let bearer = ("authorization", "bearer s3cret");
    let other = send(
        Method::POST,
        &[bearer, ("x-delivery-id", "2")],
        "plain text",
    )
    .await;
    assert_eq!(other.status, 202);
    logged(&server, "plain text").await;
    let log = logged(&server, "order").await;
    assert_eq!(log.matches("order").count(), 1);
    let jobs = ended_jobs(&client, &id, 2).await;
    assert!(jobs.iter().any(|job| job["id"] == job_id), "{jobs:?}");
    assert!(
        jobs.iter().all(|job| job["status"] == "completed"),
        "{jobs:?}"
    );
    let long = "k".repeat(300);
    let refused = send(Method::POST, &[secret, ("idempotency-key", &long)], "").await;
    assert_eq!(refused.places()[0].1, json!(["header", "idempotency-key"]));
    let large = send(Method::POST, &[secret], &"x".repeat((1 << 20) + 1)).await;
    assert_eq!(large.detail(413), "The body is larger than 1048576 bytes");
    stop(&client, &id).await.ok();
    assert_eq!(send(Method::POST, &[secret], "").await.status, 409);
    let unknown = client.send(bare(Method::POST, &format!("/api/triggers/{id}/x/webhook")));
    assert_eq!(unknown.await.detail(404), "Trigger not found");
}

#[tokio::test]
async fn a_webhook_gives_the_request_without_its_secrets() {
    let server = TestServer::start();
    let client = server.client();
    let nodes = [
        node("t", WEBHOOK, json!({ "methods": ["GET", "PUT"] })),
        node("j", STRINGIFY, json!({ "indent": 0 })),
        node("k", STRINGIFY, json!({ "indent": 0 })),
        node("w", WRITE, json!({ "path": "log.txt" })),
        node("v", WRITE, json!({ "path": "query.txt" })),
    ];
    let edges = [
        "t.headers -> j.data",
        "j.output -> w.content",
        "t.query -> k.data",
        "k.output -> v.content",
    ];
    let id = save(&client, &graph(&nodes, &edges)).await;
    let headers = [
        ("x-thing", "one"),
        ("authorization", "Bearer hidden"),
        ("cookie", "hidden"),
    ];
    assert_eq!(
        client
            .send(hook(&id, Method::GET, &headers, ""))
            .await
            .status,
        202
    );
    let log = logged(&server, "x-thing").await;
    assert!(!log.contains("hidden"), "{log}");
    ended_jobs(&client, &id, 1).await;
    let query = std::fs::read_to_string(server.folder().join("workspace/query.txt")).unwrap();
    let query: Value = serde_json::from_str(&query).unwrap();
    assert_eq!(query, json!({ "a": "1", "b": ["2", "3"] }));
}

#[tokio::test]
async fn requests_that_were_accepted_outlive_a_killed_server_once_each() {
    let server = TestServer::start();
    let client = server.client();
    let id = save(&client, &logging(WEBHOOK, json!({}), "body")).await;
    let mut accepted = Vec::new();
    for n in 0..20 {
        let reply = client
            .send(hook(&id, Method::POST, &[], &format!("<{n}>")))
            .await;
        assert_eq!(reply.status, 202);
        accepted.push(reply.json()["job_id"].as_str().unwrap().to_owned());
    }
    let server = TestServer::start_over(server.kill().await, &[]);
    let client = server.client();
    let jobs = ended_jobs(&client, &id, accepted.len()).await;
    let mut ids: Vec<&str> = jobs.iter().map(|j| j["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(ids, accepted);
}

#[tokio::test]
async fn a_manual_trigger_fires_alone_whatever_other_triggers_its_graph_has() {
    let server = TestServer::start();
    let client = server.client();
    let mut graph = logging(MANUAL, json!({}), "data");
    let others = [
        node(
            "i",
            INTERVAL,
            json!({ "interval_seconds": 3600, "emit_on_start": false }),
        ),
        node("h", WEBHOOK, json!({})),
        node("c", CRON, json!({})),
        node("x", WRITE, json!({ "path": "other.txt", "content": "x" })),
    ];
    graph["nodes"].as_array_mut().unwrap().extend(others);
    let edge = super::graphs::edge("i.timestamp -> x.content");
    graph["edges"].as_array_mut().unwrap().push(edge);
    let id = save(&client, &graph).await;
    assert_eq!(triggers(&client).await.len(), 4);
    let path = format!("/api/triggers/{id}/t/fire");
    let fired = client.post(&path, &json!({ "data": { "n": 42 } })).await;
    assert_eq!(fired.status, 202);
    logged(&server, "42").await;
    let jobs = ended_jobs(&client, &id, 1).await;
    assert_eq!(
        (jobs.len(), &jobs[0]["status"]),
        (1, &json!("completed")),
        "{jobs:?}"
    );
    assert_eq!(jobs[0]["id"], fired.json()["job_id"]);
    assert!(!server.folder().join("workspace/other.txt").exists());
    let keyed = || {
        let mut request = json_request(Method::POST, &path, &json!({}));
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().unwrap());
        request
    };
    let first = client.send(keyed()).await;
    let again = client.send(keyed()).await;
    assert_eq!((first.status, again.status), (202, 200));
    assert_eq!(first.json()["job_id"], again.json()["job_id"]);
    let wrong = client
        .post(&format!("/api/triggers/{id}/i/fire"), &json!({}))
        .await;
    assert_eq!(wrong.detail(400), "Node i is no manual trigger");
    stop(&client, &id).await.ok();
    let stopped = client.post(&path, &json!({})).await.detail(409);
    assert_eq!(stopped, "The trigger is stopped; start its workflow first");
}

#[tokio::test]
async fn a_file_is_told_once_whether_or_not_the_server_was_there() {
    let server = TestServer::start();
    let client = server.client();
    let inbox = server.folder().join("workspace/in");
    std::fs::create_dir(&inbox).unwrap();
    std::fs::write(inbox.join("old.txt"), "1").unwrap();
    let watch = json!({ "path": "in", "patterns": ["*.txt"], "events": ["created"] });
    let id = save(&client, &logging(FILE_WATCH, watch, "path")).await;
    std::fs::write(inbox.join("first.txt"), "1").unwrap();
    std::fs::write(inbox.join("first.png"), "1").unwrap();
    logged(&server, "in/first.txt").await;
    ended_jobs(&client, &id, 1).await;
    let folder = server.kill().await;
    std::fs::write(inbox.join("second.txt"), "1").unwrap();
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    logged(&server, "in/second.txt").await;
    std::fs::write(inbox.join("third.txt"), "1").unwrap();
    let log = logged(&server, "in/third.txt").await;
    assert_eq!(log, r#""in/first.txt""in/second.txt""in/third.txt""#);
    assert_eq!(ended_jobs(&client, &id, 3).await.len(), 3);
    // A folder that goes away is told, and watched again when it is back.
    std::fs::rename(&inbox, server.folder().join("away")).unwrap();
    within("the watch to be blind", async {
        while triggers(&client).await[0]["last_error"].is_null() {
            pace().await;
        }
    })
    .await;
    std::fs::rename(server.folder().join("away"), &inbox).unwrap();
    std::fs::write(inbox.join("fourth.txt"), "1").unwrap();
    logged(&server, "in/fourth.txt").await;
}

#[tokio::test]
async fn a_run_that_fails_is_told_in_the_list_and_the_schedule_goes_on() {
    let server = TestServer::start();
    let client = server.client();
    let nodes = [
        node("t", MANUAL, json!({})),
        node("w", WRITE, json!({ "path": "../outside.txt" })),
    ];
    let id = save(&client, &graph(&nodes, &["t.timestamp -> w.content"])).await;
    for count in 1..=2 {
        let fired = client
            .post(&format!("/api/triggers/{id}/t/fire"), &json!({}))
            .await;
        assert_eq!(fired.status, 202);
        let jobs = ended_jobs(&client, &id, count).await;
        assert!(jobs.iter().all(|job| job["status"] == "failed"));
    }
    let listed = triggers(&client).await;
    assert_eq!(listed[0]["last_job_status"], "failed");
    assert!(
        listed[0]["last_error"].as_str().unwrap().contains("path"),
        "{listed:?}"
    );
}

#[tokio::test]
async fn a_server_with_triggers_stops_as_soon_as_it_is_told() {
    let server = TestServer::start();
    let client = server.client();
    save(
        &client,
        &marking(INTERVAL, json!({ "interval_seconds": 1 })),
    )
    .await;
    marked(server.folder(), 1).await;
    let told = std::time::Instant::now();
    drop(client);
    server.terminate();
    let (status, log, folder) = server.ended().await;
    assert!(
        status.success() && !log.contains("WARN") && !log.contains("ERROR"),
        "{log}"
    );
    assert!(told.elapsed().as_secs() < 8, "{:?}", told.elapsed());
    let before = marks(folder.path()).len();
    let server = TestServer::start_over(folder, &[]);
    marked(server.folder(), before + 1).await;
}
