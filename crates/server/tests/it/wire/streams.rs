//! Runs as JSON lines (HTTP spec 6.3, NDJSON; engine spec 6.3; conformance rows 43, 44).

use std::collections::HashMap;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{json as json_request, request};
use super::graphs::{counting, failing, graph, greeting, node, output, waiting};
use super::server::TestServer;

fn kind(message: &Value) -> &str {
    message["type"].as_str().expect("every message has a type")
}

#[tokio::test]
async fn a_stream_begins_with_running_and_ends_with_the_closing_line() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let stream = client
        .run_lines(&id, &json!({ "params": { "name": "hi" } }))
        .await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.headers["content-type"], "application/x-ndjson");
    assert_eq!(stream.headers["cache-control"], "no-cache");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    let lines = stream.lines().await;
    let [first, .., closing, last] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (kind(first), &first["status"]),
        ("job_update", &json!("running"))
    );
    assert_eq!(
        (kind(closing), &closing["status"]),
        ("job_update", &json!("completed"))
    );
    assert_eq!(closing["result"], json!({ "out": ["hi"] }));
    assert!(closing["duration"].as_f64().is_some_and(|d| d >= 0.0));
    let job_id = &first["job_id"];
    assert_eq!(last, &json!({ "type": "job_completed", "job_id": job_id }));
    let updates = lines.iter().filter(|m| kind(m) == "job_update");
    assert_eq!(updates.count(), 2, "running once and ended once");
    let output: Vec<&Value> = lines
        .iter()
        .filter(|m| kind(m) == "output_update")
        .collect();
    assert_eq!(output.len(), 1);
    assert_eq!(
        (&output[0]["output_name"], &output[0]["value"]),
        (&json!("out"), &json!("hi"))
    );
    let job = client
        .get(&format!("/api/jobs/{}", job_id.as_str().unwrap()))
        .await
        .ok();
    assert_eq!(job["status"], "completed");
}

#[tokio::test]
async fn every_message_has_all_its_keys() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let keys: HashMap<&str, &[&str]> = HashMap::from([
        (
            "job_update",
            &[
                "status",
                "job_id",
                "workflow_id",
                "message",
                "result",
                "error",
                "traceback",
                "run_state",
                "duration",
            ][..],
        ),
        (
            "node_update",
            &[
                "node_id",
                "node_name",
                "node_type",
                "status",
                "error",
                "result",
                "properties",
                "workflow_id",
            ],
        ),
        (
            "edge_update",
            &["workflow_id", "edge_id", "status", "counter"],
        ),
        (
            "output_update",
            &[
                "node_id",
                "node_name",
                "output_name",
                "value",
                "output_type",
                "metadata",
                "workflow_id",
            ],
        ),
        ("job_completed", &["job_id"]),
    ]);
    for message in client.run_lines(&id, &json!({})).await.lines().await {
        let mut wanted: Vec<&str> = keys[kind(&message)].to_vec();
        wanted.push("type");
        wanted.sort_unstable();
        let mut got: Vec<&String> = message.as_object().unwrap().keys().collect();
        got.sort_unstable();
        assert_eq!(got, wanted, "{message}");
    }
}

#[tokio::test]
async fn items_of_a_stream_come_in_order_and_counters_rise() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&counting(5000)).await;
    let lines = client.run_lines(&id, &json!({})).await.lines().await;
    let values: Vec<i64> = lines
        .iter()
        .filter(|m| kind(m) == "output_update")
        .map(|m| m["value"].as_i64().unwrap())
        .collect();
    assert_eq!(values, (0..5000).collect::<Vec<_>>());
    let edges: Vec<&Value> = lines.iter().filter(|m| kind(m) == "edge_update").collect();
    let counters: Vec<u64> = edges.iter().filter_map(|m| m["counter"].as_u64()).collect();
    assert!(counters.windows(2).all(|w| w[0] < w[1]), "{counters:?}");
    assert_eq!((counters.first(), counters.last()), (Some(&1), Some(&5000)));
    let drained = edges.iter().position(|m| m["status"] == "drained").unwrap();
    assert_eq!(
        drained,
        edges.len() - 1,
        "nothing is sent on a drained edge"
    );
    assert!(
        counters.len() < 5000,
        "the counter of a hot edge is thinned"
    );
}

#[tokio::test]
async fn a_failing_node_is_told_before_the_run_fails() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&failing()).await;
    let stream = client.run_lines(&id, &json!({})).await;
    assert_eq!(stream.status, 200);
    let lines = stream.lines().await;
    let failed = lines
        .iter()
        .position(|m| kind(m) == "node_update" && m["status"] == "error")
        .unwrap();
    assert_eq!(lines[failed]["node_id"], "c");
    let error = lines[failed]["error"].as_str().unwrap();
    assert!(error.contains("it broke"), "{error}");
    let [.., closing, last] = &lines[..] else {
        panic!()
    };
    assert_eq!(
        (kind(closing), &closing["status"], closing["error"].as_str()),
        ("job_update", &json!("failed"), Some(error))
    );
    let job_id = &lines[0]["job_id"];
    assert_eq!(
        last,
        &json!({ "type": "job_failed", "job_id": job_id, "error": error })
    );
    assert_eq!(client.ended_job(&id).await["status"], "failed");
}

#[tokio::test]
async fn a_graph_that_cannot_run_is_a_failed_run() {
    let server = TestServer::start();
    let client = server.client();
    let text = node("i", "nodetool.input.StringInput", json!({ "name": "name" }));
    let add = node("m", "lib.math.Add", json!({}));
    let id = client
        .save(&graph(
            &[text, add, output()],
            &["i.output -> m.a", "m.output -> o.value"],
        ))
        .await;
    let lines = client.run_lines(&id, &json!({})).await.lines().await;
    assert_eq!(lines[0]["status"], "running");
    let told = lines.iter().find(|m| kind(m) == "node_update").unwrap();
    assert_eq!(
        (&told["node_id"], &told["status"]),
        (&json!("m"), &json!("error"))
    );
    assert!(
        told["error"].as_str().unwrap().contains("property 'a'"),
        "{told}"
    );
    let last = lines.last().unwrap();
    assert_eq!(kind(last), "job_failed");
    assert!(
        last["error"]
            .as_str()
            .unwrap()
            .starts_with("Graph contains errors: m: Type mismatch"),
        "{last}"
    );
}

#[tokio::test]
async fn a_client_may_choose_the_id_of_its_job_once() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let run = format!("/api/workflows/{id}/run?stream=true");
    let lines = client
        .run_lines(&id, &json!({ "job_id": "my-job.1:a" }))
        .await
        .lines()
        .await;
    assert_eq!(lines[0]["job_id"], "my-job.1:a");
    let again = client.post(&run, &json!({ "job_id": "my-job.1:a" })).await;
    assert_eq!(again.detail(409), "Job my-job.1:a already exists");
    let again = client
        .post(
            &format!("/workflows/{id}/run/stream"),
            &json!({ "params": {}, "job_id": "my-job.1:a" }),
        )
        .await;
    assert_eq!(again.status, 409);
    for (bad, kind) in [
        (json!("a b"), "value_error"),
        (json!("x".repeat(129)), "value_error"),
        (json!("../x"), "value_error"),
        (json!(5), "string_type"),
        (json!({}), "string_type"),
    ] {
        let refused = client.post(&run, &json!({ "job_id": bad })).await;
        assert_eq!(
            refused.places(),
            [(kind.into(), json!(["body", "job_id"]))],
            "{bad}"
        );
    }
    for none in [json!(null), json!("")] {
        let lines = client
            .run_lines(&id, &json!({ "job_id": none }))
            .await
            .lines()
            .await;
        assert_eq!(lines[0]["job_id"].as_str().map(str::len), Some(32));
    }
    let jobs = client.get("/api/jobs").await.ok();
    assert_eq!(
        jobs["jobs"].as_array().unwrap().len(),
        3,
        "refused requests leave no jobs"
    );
}

#[tokio::test]
async fn stream_is_a_boolean_in_any_of_its_spellings() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let answer = async |stream: &str| {
        client
            .post(
                &format!("/api/workflows/{id}/run?stream={stream}"),
                &json!({}),
            )
            .await
    };
    for yes in ["1", "true", "T", "yes", "Y", "on"] {
        assert_eq!(
            answer(yes).await.header("content-type"),
            "application/x-ndjson",
            "{yes}"
        );
    }
    for no in ["0", "False", "f", "no", "n", "OFF"] {
        assert_eq!(answer(no).await.ok(), json!({ "out": "" }), "{no}");
    }
    for bad in ["", "maybe", "2", "%ff"] {
        assert_eq!(
            answer(bad).await.places(),
            [("bool_parsing".into(), json!(["query", "stream"]))],
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_run() {
    let server = TestServer::start();
    let client = server.client();
    // One that is silent for long, and one that never stops talking.
    for graph in [waiting(600.0), counting(10_000_000)] {
        let id = client.save(&graph).await;
        let mut stream = client.run_lines(&id, &json!({})).await;
        assert_eq!(stream.line().await.unwrap()["status"], "running");
        let jobs = client
            .get(&format!("/api/jobs?workflow_id={id}"))
            .await
            .ok();
        assert_eq!(jobs["jobs"][0]["status"], "running");
        drop(stream);
        let job = client.ended_job(&id).await;
        assert_eq!(
            (&job["status"], &job["error"]),
            (&json!("cancelled"), &Value::Null)
        );
    }
    client.check_health().await;
}

#[tokio::test]
async fn a_client_that_goes_away_at_once_leaves_no_job_behind() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&waiting(600.0)).await;
    let run = format!("/api/workflows/{id}/run?stream=true");
    let bytes = format!("POST {run} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    for _ in 0..100 {
        let mut socket = tokio::net::TcpStream::connect(server.address())
            .await
            .unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, bytes.as_bytes())
            .await
            .unwrap();
    }
    super::server::within("all jobs to end", async {
        loop {
            let jobs = client.get("/api/jobs?limit=1000").await.ok();
            if jobs["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|j| j["status"] == "cancelled")
            {
                break;
            }
            super::server::pace().await;
        }
    })
    .await;
    client.check_health().await;
}

#[tokio::test]
async fn a_stream_that_is_read_slowly_loses_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let value = "v".repeat(2000);
    let source = node(
        "r",
        super::graphs::REPEAT,
        json!({ "value": value, "count": 3000 }),
    );
    let id = client
        .save(&graph(&[source, output()], &["r.output -> o.value"]))
        .await;
    let mut stream = client.run_lines(&id, &json!({})).await;
    let mut outputs = 0;
    while let Some(line) = stream.line().await {
        if kind(&line) == "output_update" {
            outputs += 1;
            assert_eq!(line["value"].as_str().map(str::len), Some(2000));
            if outputs % 500 == 0 {
                super::server::pace().await;
            }
        }
    }
    assert_eq!(outputs, 3000);
}

#[tokio::test]
async fn plain_accept_headers_keep_the_lines() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/run?stream=true");
    for accept in ["*/*", "application/json", "application/x-ndjson, */*;q=0.1"] {
        let asked = request(Method::POST, &path).header("accept", accept);
        let reply = client.send(asked.body(Default::default()).unwrap()).await;
        assert_eq!(
            reply.header("content-type"),
            "application/x-ndjson",
            "{accept}"
        );
    }
    let body = json_request(Method::POST, &path, &json!({}));
    assert_eq!(client.send(body).await.status, 200);
}
