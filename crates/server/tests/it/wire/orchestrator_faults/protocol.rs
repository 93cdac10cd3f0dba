//! What the routes and the socket of others get wrong (orchestrator spec 8.2: P1 to P8).

use hyper::Method;
use serde_json::{Value, json};

use super::super::local::with_headers;
use super::super::server::TestServer;
use super::watch::is_end;
use super::{Flow, counter, delay};

#[tokio::test]
async fn p1_files_of_nodes_are_uploaded_and_replaced() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("file-writer", json!({})).await;
    let body = |key: &str, content: &str| {
        format!(
            "--B\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n\
             --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\n{content}\r\n--B--\r\n"
        )
    };
    let headers = [("content-type", "multipart/form-data; boundary=B")];
    let upload = flow.path(&format!("nodes/{node}/files/upload"));
    let request = with_headers(Method::POST, &upload, &headers, body("k", "first"));
    let made = client.send(request).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let update = flow.path(&format!("nodes/{node}/files/{id}/update-file"));
    let request = with_headers(Method::PATCH, &update, &headers, body("other", "second"));
    let changed = client.send(request).await.ok();
    assert_eq!(changed["key"], "k", "{changed}");
    let url = changed["file"].as_str().unwrap();
    let path = &url[url.find("/media/").expect("where the bytes are")..];
    assert_eq!(&client.get(path).await.body[..], b"second");
}

#[tokio::test]
async fn p2_ids_that_are_none_are_not_found_on_any_route() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let below = [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::GET, "canvas_data"),
        (Method::GET, "rawconfig"),
        (Method::GET, "nodes"),
        (Method::GET, "connections"),
        (Method::GET, "start_execution"),
        (Method::GET, "stop_execution"),
        (Method::GET, "task_status"),
        (Method::POST, "duplicate"),
        (Method::POST, "activate"),
        (Method::POST, "validate"),
    ];
    for id in [
        "nope",
        "11111111-1111",
        "11111111-1111-4111-8111-11111111111g",
        "%00",
        "-",
        "😀",
    ] {
        let id = percent(id);
        for (method, rest) in &below {
            let path = format!("/api/workflow/{id}/{rest}").replace("//", "/");
            let reply = client
                .send(with_headers(method.clone(), &path, &[], ""))
                .await;
            assert_eq!(reply.status, 404, "{method} {path}: {reply:?}");
            assert_eq!(reply.json()["code"], "NOT_FOUND", "{method} {path}");
        }
        for rest in ["nodes", "connections"] {
            let path = flow.path(&format!("{rest}/{id}"));
            assert_eq!(client.get(&path).await.status, 404, "{path}");
        }
        for rest in ["input", "output", "files"] {
            let path = flow.path(&format!("nodes/{id}/{rest}"));
            assert_eq!(client.get(&path).await.status, 404, "{path}");
        }
        let body = json!({ "node_id": "nope" });
        for rest in ["execute_and_save_node", "execute_for_each_iteration"] {
            let reply = flow.post(rest, &body).await;
            assert_eq!(reply.status, 404, "{rest}: {reply:?}");
        }
    }
}

/// Text as a part of a path.
fn percent(text: &str) -> String {
    let part = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'%' => char::from(b).to_string(),
        _ => format!("%{b:02X}"),
    };
    text.bytes().map(part).collect()
}

#[tokio::test]
async fn p3_the_output_of_a_node_is_what_it_gave() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (kind, form) = counter(7, 9);
    let node = flow.node(kind, form.clone()).await;
    let path = format!("nodes/{node}/output");
    assert_eq!(flow.get(&path).await.ok(), json!({ "output_data": {} }));
    flow.try_node(&node, form, json!({})).await.ok();
    let output = flow.get(&path).await.ok();
    assert_eq!(output["output_data"]["counter"]["current"], 7, "{output}");
}

#[tokio::test]
async fn p4_every_refusal_says_in_plain_words_what_is_wrong() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("counter", json!({})).await;
    let long = json!({ "name": "x".repeat(101) });
    let replies = [
        client.post("/api/workflow/", &json!({})).await,
        client.post("/api/workflow/", &long).await,
        client
            .post("/api/workflow/", &json!({ "name": ["x"] }))
            .await,
        client.get("/api/workflow/nope/").await,
        client.get("/api/nodes/nope/").await,
        flow.get("task_status").await,
        flow.post("nodes", &json!({})).await,
        flow.post("connections/add", &json!({})).await,
        flow.post(
            "connections/add",
            &json!({ "source": node, "target": node }),
        )
        .await,
        flow.post("execute_and_save_node", &json!({})).await,
        flow.post("execute_and_save_node", &json!({ "node_id": "x" }))
            .await,
        flow.post("activate", &json!({})).await,
        client
            .post("/api/nodes/counter/field-options/", &json!({}))
            .await,
    ];
    for reply in replies {
        assert!((400..500).contains(&reply.status), "{reply:?}");
        let told = reply.json();
        let error = told["error"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert!(error.trim().len() > 3, "{told}");
        for python in ["{'", "ErrorDetail", "['", "[ErrorDetail", "None"] {
            assert!(!error.contains(python), "{told}");
        }
    }
}

#[tokio::test]
async fn p5_each_run_is_counted_once() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[counter(1, 2)]).await;
    for runs in 1..=3 {
        let task = flow.start().await["task_id"].clone();
        let ended = flow.comes_to("SUCCESS").await;
        assert_eq!(ended["task_id"], task);
        assert_eq!(flow.object().await["runs_count"], runs);
    }
}

#[tokio::test]
async fn p6_the_task_of_a_run_that_failed_has_failed_and_stays() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("http-request", json!({})).await;
    let task = flow.start().await["task_id"].clone();
    flow.comes_to("FAILURE").await;
    let object = flow.object().await;
    assert_eq!(
        (&object["status"], &object["task_id"]),
        (&json!("error"), &task)
    );
    let path = format!("/api/celery/task/{}/status/", task.as_str().unwrap());
    let told = client.get(&path).await.ok();
    assert_eq!(told["state"], "FAILURE");
    let error = told["error"].as_str().unwrap();
    assert!(error.contains(&node) && error.contains("url"), "{error}");
}

#[tokio::test]
async fn p7_events_are_numbered_in_order_and_every_end_is_told() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let ids = flow.chain(&[counter(1, 5), delay(1, "seconds")]).await;
    let mut watch = flow.watch(&server).await;
    watch.state().await;
    flow.start().await;
    let told = watch.until(is_end).await;
    let numbers: Vec<u64> = told.iter().filter_map(|m| m["seq"].as_u64()).collect();
    assert_eq!(numbers.len(), told.len(), "each has a number: {told:?}");
    assert!(numbers.is_sorted(), "{numbers:?}");
    // A state has the number of the event it is as of.
    let events = told.iter().filter(|m| m["type"] != "state_sync");
    let events: Vec<u64> = events.filter_map(|m| m["seq"].as_u64()).collect();
    assert!(events.is_sorted_by(|a, b| a < b), "{events:?}");
    // Each step begins before it ends, and the next only after it.
    let mut at_work: Option<Value> = None;
    for message in &told {
        match message["type"].as_str().unwrap() {
            "node_started" => {
                assert_eq!(at_work, None, "{told:?}");
                at_work = Some(message["node_id"].clone());
            }
            "node_completed" => {
                let before = at_work.take();
                assert!(before.is_none_or(|id| id == message["node_id"]), "{told:?}");
                assert_eq!(message["route"], "default");
            }
            // The beginning of a run may be told as a state.
            "state_sync" => {
                let executing = message["state"]["executing_nodes"].as_object().unwrap();
                at_work = executing.keys().next().map(|id| json!(id));
            }
            "workflow_completed" => assert_eq!(message["status"], "success"),
            other => panic!("{other}: {told:?}"),
        }
    }
    let done = |id: &str| {
        let of = |m: &&Value| m["type"] == "node_completed" && m["node_id"] == id;
        told.iter().filter(of).count()
    };
    // Five numbers and the sentinel; the first may be in a state.
    assert!((5..=6).contains(&done(&ids[0])), "{told:?}");
    assert_eq!(done(&ids[1]), 6, "{told:?}");

    // A workflow that cannot be loaded.
    let broken = Flow::new(&client).await;
    let node = broken.node("http-request", json!({})).await;
    let mut watch = broken.watch(&server).await;
    watch.state().await;
    broken.start().await;
    let told = watch.until(is_end).await;
    let end = told.last().unwrap();
    assert_eq!(end["type"], "workflow_failed");
    let error = end["error"].as_str().unwrap();
    assert!(error.contains(&node) && error.contains("url"), "{error}");

    // A stop.
    let endless = Flow::new(&client).await;
    endless.chain(&[counter(1, 9), delay(1, "hours")]).await;
    let mut watch = endless.watch(&server).await;
    watch.state().await;
    endless.start().await;
    watch
        .until_state(|state| !state["executing_nodes"].as_object().unwrap().is_empty())
        .await;
    endless.stop().await;
    let told = watch
        .until(|m| m["type"] == "state_sync" && m["state"]["status"] == "idle")
        .await;
    assert!(!told.iter().any(is_end), "{told:?}");
}

#[tokio::test]
async fn p8_the_state_of_an_endless_run_stays_small_and_loses_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    for _ in 0..3 {
        flow.chain(&[
            counter(1, 2000),
            (
                "data-transformer",
                json!({ "output_template": "{\"a\": 1}" }),
            ),
        ])
        .await;
    }
    flow.start().await;
    flow.comes_to("SUCCESS").await;
    let state = flow.watch(&server).await.state().await;
    // Three loops, each two steps for 2,000 numbers and a sentinel.
    assert_eq!(
        state["completed_count"],
        3 * 2 * 2001,
        "{}",
        state["status"]
    );
    assert_eq!(state["completed_nodes"].as_array().unwrap().len(), 200);
    assert_eq!(state["executing_nodes"], json!({}));
    assert!(state.to_string().len() < 100_000);
}
