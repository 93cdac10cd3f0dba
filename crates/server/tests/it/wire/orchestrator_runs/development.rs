//! Single nodes while somebody builds the workflow.

use serde_json::{Value, json};

use super::super::server::{TestServer, pace, within};
use super::{Flow, count, error};

fn current(answer: &Value) -> &Value {
    &answer["output"]["data"]["counter"]["current"]
}

#[tokio::test]
async fn case_19_a_session_counts_on_and_then_gives_the_sentinel() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.node("counter", json!({})).await;
    let body = json!({ "form_values": count(1, 2), "session_id": "S" });
    for expected in [1, 2] {
        let answer = flow.run_node(&counter, body.clone()).await.ok();
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(
            (current(&answer), &answer["session_id"]),
            (&json!(expected), &json!("S"))
        );
        assert_eq!(
            (&answer["node_id"], &answer["node_type"]),
            (&json!(counter), &json!("counter"))
        );
        assert_eq!(answer["form_values"], count(1, 2));
        let metadata = answer["output"]["metadata"].as_object().unwrap();
        assert!(!metadata.contains_key("workflow_env"), "{metadata:?}");
    }
    let kept = flow.output_of(&counter).await;
    assert_eq!(kept["counter"]["current"], 2);
    for _ in 0..2 {
        let answer = flow.run_node(&counter, body.clone()).await.ok();
        assert_eq!(
            answer["output"]["metadata"]["__execution_completed__"],
            true
        );
    }
    let stored = flow.get(&format!("nodes/{counter}")).await.ok();
    assert_eq!(stored["form_values"], count(1, 2));
    let path = "/api/nodes/counter/reset-session/";
    let reset = client.post(path, &json!({ "session_id": "S" })).await.ok();
    assert_eq!(
        reset,
        json!({ "success": true, "session_id": "S", "cleared": true })
    );
    let reset = client.post(path, &json!({ "session_id": "S" })).await.ok();
    assert_eq!(reset["cleared"], false);
    let answer = flow.run_node(&counter, body).await.ok();
    assert_eq!(current(&answer), 1);
}

#[tokio::test]
async fn case_20_without_a_session_each_run_begins_anew() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    for _ in 0..3 {
        assert_eq!(current(&flow.run_node(&counter, json!({})).await.ok()), 1);
    }
}

#[tokio::test]
async fn case_21_a_form_that_cannot_be_used_is_told_by_node_and_field() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let mut form = count(1, 2);
    form["min_value"] = json!("x");
    let refused = flow
        .run_node(&counter, json!({ "form_values": form }))
        .await;
    let message = "Enter a whole number.";
    assert_eq!(
        error(&refused, 422),
        format!("Form validation failed: min_value: {message}")
    );
    let body = refused.json();
    assert_eq!(
        (&body["code"], &body["error_type"]),
        (&json!("VALIDATION_ERROR"), &json!("FormValidationError"))
    );
    assert_eq!(
        body["details"],
        json!({ counter: { "min_value": [message] } })
    );
    let fields = body["form"]["fields"].as_array().unwrap().iter();
    let field = fields.clone().find(|f| f["name"] == "min_value").unwrap();
    assert_eq!(field["field_level_errors"], json!([message]));
}

#[tokio::test]
async fn case_22_what_is_not_there_is_named() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let custom = flow.node("custom-node", json!({})).await;
    let missing = flow.post("execute_and_save_node", &json!({})).await;
    assert_eq!(error(&missing, 400), "node_id is required");
    let unknown = flow.run_node("nope", json!({})).await;
    let text = error(&unknown, 404);
    assert_eq!(
        text,
        format!("Node not found: nope in workflow {}", flow.id)
    );
    assert_eq!(unknown.json()["resource_type"], "Node");
    let refused = flow.run_node(&custom, json!({})).await;
    assert_eq!(error(&refused, 404), "Node type not found: custom-node");
    assert_eq!(refused.json()["resource_type"], "NodeType");
    let direct = client.post("/api/nodes/zzz/execute/", &json!({})).await;
    assert_eq!(error(&direct, 404), "Node type not found: zzz");
    for (body, field) in [
        (json!({ "node_id": custom, "timeout": 0 }), "timeout"),
        (json!({ "node_id": custom, "input_data": 1 }), "input_data"),
        (
            json!({ "node_id": custom, "form_values": [] }),
            "form_values",
        ),
    ] {
        let refused = flow.post("execute_and_save_node", &body).await;
        assert!(error(&refused, 400).contains(field), "{refused:?}");
    }
}

#[tokio::test]
async fn case_23_a_run_that_takes_too_long_is_cut() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "interval": 3600, "unit": "seconds" });
    let delay = flow.node("static-delay-node", form.clone()).await;
    let cut = flow.run_node(&delay, json!({ "timeout": 1 })).await.ok();
    assert_eq!(cut["success"], false);
    let text = cut["error"].as_str().unwrap();
    assert!(text.contains("timed out after 1 seconds"), "{text}");
    let body = json!({ "form_data": form, "timeout": 1 });
    let cut = client
        .post("/api/nodes/static-delay-node/execute/", &body)
        .await;
    assert!(error(&cut, 408).contains("timed out after 1 seconds"));
    assert_eq!(
        (&cut.json()["code"], &cut.json()["timeout"]),
        (&json!("EXECUTION_TIMEOUT"), &json!(1))
    );
}

#[tokio::test]
async fn what_a_node_was_given_is_kept_while_it_runs_and_when_it_fails() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    // A connection has one question at a time.
    let other = server.client();
    let input_of = async |node: &str| {
        let node = other.get(&flow.path(&format!("nodes/{node}"))).await.ok();
        node["input_data"].clone()
    };
    let broken = flow.transformer("{{ data.n.gone.deeper }}").await;
    let answer = flow.run_node(&broken, json!({ "input_data": { "n": 2 } }));
    let answer = answer.await.ok();
    assert_eq!(answer["success"], false, "{answer}");
    assert_eq!(input_of(&broken).await, json!({ "n": 2 }));
    assert_eq!(flow.output_of(&broken).await, json!({}));
    let form = json!({ "interval": 3600, "unit": "seconds" });
    let delay = flow.node("static-delay-node", form).await;
    let run = flow.run_node(&delay, json!({ "input_data": { "n": 1 } }));
    let seen = within("the input of a node at work", async {
        while input_of(&delay).await != json!({ "n": 1 }) {
            pace().await;
        }
    });
    // It does not end by itself.
    tokio::select! {
        answer = run => panic!("{answer:?}"),
        () = seen => {}
    }
}

#[tokio::test]
async fn case_24_and_25_templates_see_data_env_and_what_the_workflow_keeps() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::of(&client, json!({ "name": "W", "env": { "base": "b" } })).await;
    let template = r#"{"v": {{ data.counter.current }}, "e": "{{ workflowenv.base }}"}"#;
    let node = flow.transformer(template).await;
    let input = json!({ "counter": { "current": 3 }, "other": true });
    let answer = flow
        .run_node(&node, json!({ "input_data": input }))
        .await
        .ok();
    let data = &answer["output"]["data"];
    assert_eq!(data["data_transformer"], json!({ "v": 3, "e": "b" }));
    assert_eq!(data["other"], true);
    for template in [
        r#"{"x": "{{ 'x'|set_runtime('k', 7) }}"}"#,
        r#"{"k": {{ runtime.k }}}"#,
    ] {
        let form = json!({ "overwrite": true, "output_template": template });
        let answer = flow
            .run_node(&node, json!({ "form_values": form }))
            .await
            .ok();
        assert_eq!(answer["success"], true, "{answer}");
    }
    assert_eq!(flow.object().await["runtime_state"], json!({ "k": 7 }));
    assert_eq!(flow.output_of(&node).await, json!({ "k": 7 }));
}

#[tokio::test]
async fn what_nodes_before_gave_flows_in_and_what_the_request_says_wins() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (a, b) = (flow.counter(1, 2).await, flow.counter(5, 6).await);
    let after = flow.counter(7, 8).await;
    flow.edge(&a, &after).await;
    flow.edge(&b, &after).await;
    for node in [&a, &b] {
        flow.run_node(node, json!({})).await.ok();
    }
    let answer = flow
        .run_node(&after, json!({ "input_data": { "own": 1 } }))
        .await
        .ok();
    let input = &answer["input_data"];
    assert_eq!(
        (
            &input["counter"]["current"],
            &input["counter_2"]["current"],
            &input["own"]
        ),
        (&json!(1), &json!(5), &json!(1))
    );
    // Sending the merged input again changes nothing.
    let again = flow
        .run_node(&after, json!({ "input_data": input }))
        .await
        .ok();
    assert_eq!(&again["input_data"], input);
    assert_eq!(again["output"]["data"]["counter_3"]["current"], 7);
}

#[tokio::test]
async fn a_step_type_runs_outside_of_workflows() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "form_data": count(1, 2), "input_data": { "a": 1 }, "session_id": "S" });
    for expected in [1, 2] {
        let answer = client.post("/api/nodes/counter/execute/", &body).await.ok();
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(
            answer["node"],
            json!({ "name": "Counter", "identifier": "counter" })
        );
        assert_eq!(
            (current(&answer), &answer["output"]["data"]["a"]),
            (&json!(expected), &json!(1))
        );
    }
}

async fn for_each(flow: &Flow<'_>, items: &str) -> String {
    let each = flow
        .node("for-each", json!({ "array_expression": items }))
        .await;
    let body = flow
        .transformer(r#"{"i": {{ data.forEachNode.state.item }}}"#)
        .await;
    flow.edge_from(&each, "subdag", &body).await;
    each
}

#[tokio::test]
async fn case_53_a_for_each_node_runs_its_whole_body() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let each = for_each(&flow, "[3, 4]").await;
    let answer = flow.run_node(&each, json!({})).await.ok();
    assert_eq!(answer["success"], true, "{answer}");
    let data = &answer["output"]["data"];
    assert_eq!(data["forEachNode"]["results"].as_array().unwrap().len(), 2);
    assert!(data.get("loop_results").is_none(), "{data}");
    assert_eq!(&flow.output_of(&each).await, data);
}

#[tokio::test]
async fn case_54_a_for_each_node_runs_item_by_item() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let each = for_each(&flow, "[3, 4]").await;
    let asked = json!({ "node_id": each });
    let step = || flow.post("execute_for_each_iteration", &asked);
    for index in [0, 1] {
        let answer = step().await.ok();
        assert_eq!(answer["success"], true, "{answer}");
        assert_eq!(answer["forEachNode"]["state"]["index"], index);
        assert_eq!(
            answer["iteration_output"][0]["data_transformer"],
            json!({ "i": index + 3 })
        );
    }
    let answer = step().await.ok();
    assert_eq!(
        (&answer["success"], &answer["error"], &answer["results"]),
        (
            &json!(false),
            &json!("iteration_index 2 out of range [0, 2)"),
            &json!([])
        )
    );
    let kept = flow.output_of(&each).await;
    assert_eq!(kept["forEachNode"]["results"].as_array().unwrap().len(), 2);
    flow.post("clear_node_output", &json!({ "node_id": each }))
        .await
        .ok();
    assert_eq!(step().await.ok()["forEachNode"]["state"]["index"], 0);
    let counter = flow.counter(1, 2).await;
    let wrong = flow
        .post("execute_for_each_iteration", &json!({ "node_id": counter }))
        .await
        .ok();
    let text = format!("Node {counter} is not a LoopNode (for-each)");
    assert_eq!(
        (&wrong["success"], &wrong["error"]),
        (&json!(false), &json!(text))
    );
}

#[tokio::test]
async fn a_password_is_kept_encrypted_and_sent_as_it_is() {
    let site = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", site.local_addr().unwrap());
    let mut asked = tokio::task::JoinSet::new();
    asked.spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = site.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = socket.read(&mut head).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        socket.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let server =
        TestServer::start_with(&["--allow-host", "127.0.0.1", "--secrets-master-key", "m"]);
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "method": "GET", "url": url, "auth_type": "basic",
        "auth_username": "ann", "auth_password": "correct horse" });
    let node = flow.node("http-request", form).await;
    let graph = format!("/api/workflows/{}", flow.id.replace('-', ""));
    let graph = client.get(&graph).await.ok().to_string();
    assert!(
        graph.contains("sealed:v1:") && !graph.contains("correct horse"),
        "{graph}"
    );
    // What the client was shown of it, sent back, changes nothing.
    let shown = flow.get(&format!("nodes/{node}")).await.ok()["form_values"].clone();
    let answer = flow
        .run_node(&node, json!({ "form_values": shown }))
        .await
        .ok();
    assert_eq!(
        answer["output"]["data"]["http_request"]["status"], 200,
        "{answer}"
    );
    assert!(!answer.to_string().contains("correct horse"), "{answer}");
    let head = asked.join_next().await.unwrap().unwrap();
    assert!(head.contains("Basic YW5uOmNvcnJlY3QgaG9yc2U="), "{head}");
}
