//! Runs as server-sent events (HTTP spec 6.3, worker routes and SSE; conformance row 46).

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Stream, json as json_request, request};
use super::graphs::{counting, failing, greeting, waiting};
use super::server::TestServer;

/// Opens one of the three ways to events.
async fn open(client: &Client, way: &str, id: &str, body: &Value) -> Stream {
    let request = match way {
        "accept" => request(Method::POST, &format!("/api/workflows/{id}/run"))
            .header("content-type", "application/json")
            .header("accept", "application/json;q=0.5, text/event-stream")
            .body(body.to_string().into())
            .unwrap(),
        prefix => json_request(Method::POST, &format!("{prefix}/{id}/run/stream"), body),
    };
    client.open(request).await
}

const WAYS: [&str; 3] = ["accept", "/api/workflows", "/workflows"];

#[tokio::test]
async fn all_ways_to_events_give_the_same() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for way in WAYS {
        let stream = open(&client, way, &id, &json!({ "params": { "name": "hi" } })).await;
        assert_eq!(stream.status, 200);
        assert_eq!(
            stream.headers["content-type"],
            "text/event-stream; charset=utf-8"
        );
        assert_eq!(stream.headers["cache-control"], "no-cache");
        assert_eq!(stream.headers["connection"], "keep-alive");
        let events = stream.events().await;
        let [all @ .., last] = &events[..] else {
            panic!()
        };
        assert_eq!(last, "[DONE]");
        let all: Vec<Value> = all
            .iter()
            .map(|e| serde_json::from_str(e).unwrap())
            .collect();
        let [first, .., closing, complete] = &all[..] else {
            panic!("{all:?}")
        };
        for (update, status) in [(first, "running"), (closing, "completed")] {
            assert_eq!(
                (&update["type"], &update["status"]),
                (&json!("job_update"), &json!(status))
            );
            let mut flat = update.clone();
            let data = flat.as_object_mut().unwrap().remove("data").unwrap();
            assert_eq!(flat, data, "a flat update and a copy of it");
        }
        assert_eq!(closing["result"], json!({ "out": ["hi"] }));
        assert_eq!(
            complete,
            &json!({ "type": "complete", "results": { "out": "hi" } })
        );
        let output = all.iter().find(|m| m["type"] == "output_update").unwrap();
        assert_eq!((&output["value"], output.get("data")), (&json!("hi"), None));
    }
}

#[tokio::test]
async fn the_worker_routes_take_both_forms_of_the_body() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for path in [
        format!("/workflows/{id}/run/stream"),
        format!("/workflows/{id}/run/stream/"),
        format!("/api/workflows/{id}/run/stream/"),
    ] {
        for body in [
            json!({ "params": { "name": "hi" } }),
            json!({ "name": "hi" }),
            json!({ "name": "hi", "job_id": 7 }),
        ] {
            let events = client
                .open(json_request(Method::POST, &path, &body))
                .await
                .events()
                .await;
            let complete = json!({ "type": "complete", "results": { "out": "hi" } });
            assert_eq!(
                serde_json::from_str::<Value>(&events[events.len() - 2]).unwrap(),
                complete,
                "{path} {body}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_is_an_error_event_and_done_comes_last_all_the_same() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&failing()).await;
    for way in WAYS {
        let events = open(&client, way, &id, &json!({})).await.events().await;
        let [.., closing, error, done] = &events[..] else {
            panic!()
        };
        assert_eq!(done, "[DONE]");
        let closing: Value = serde_json::from_str(closing).unwrap();
        assert_eq!(
            (&closing["type"], &closing["data"]["status"]),
            (&json!("job_update"), &json!("failed"))
        );
        let error: Value = serde_json::from_str(error).unwrap();
        assert_eq!(error["type"], "error");
        assert_eq!(error["error"], closing["error"]);
        assert!(error["error"].as_str().unwrap().contains("it broke"));
    }
}

#[tokio::test]
async fn results_of_a_streaming_output_are_its_last_value() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&counting(100)).await;
    let events = open(&client, "/workflows", &id, &json!({}))
        .await
        .events()
        .await;
    let complete: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(complete["results"], json!({ "out": 99 }));
    let outputs = events
        .iter()
        .filter(|e| e.contains("\"output_update\""))
        .count();
    assert_eq!(outputs, 100);
}

#[tokio::test]
async fn a_listener_that_goes_away_cancels_the_run() {
    let server = TestServer::start();
    let client = server.client();
    for way in WAYS {
        let id = client.save(&waiting(600.0)).await;
        let mut stream = open(&client, way, &id, &json!({})).await;
        assert!(stream.event().await.unwrap().contains("running"));
        drop(stream);
        assert_eq!(client.ended_job(&id).await["status"], "cancelled");
    }
}

#[tokio::test]
async fn what_is_wrong_before_the_run_begins_is_a_plain_error() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let stream = open(&client, "/workflows", "nope", &json!({})).await;
    assert_eq!(
        (
            stream.status,
            stream.headers["content-type"].to_str().unwrap()
        ),
        (404, "application/json")
    );
    for way in WAYS {
        assert_eq!(
            open(&client, way, &id, &json!([])).await.status,
            422,
            "{way}"
        );
    }
    assert_eq!(
        open(&client, "accept", &id, &json!({ "params": 1 }))
            .await
            .status,
        422
    );
}
