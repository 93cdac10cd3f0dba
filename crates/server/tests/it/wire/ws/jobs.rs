//! Jobs over sockets (rows 17 to 31, 36 to 38).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::super::graphs::{counting, failing, graph, greeting, node, output, waiting};
use super::super::server::TestServer;
use super::client::{MODES, Mode, Socket, is_end, numbers, open};

/// Takes sound until its client ends it, and gives it out.
fn listening() -> Value {
    let input = node(
        "i",
        "nodetool.input.RealtimeAudioInput",
        json!({ "name": "sound" }),
    );
    graph(&[input, output()], &["i.chunk -> o.value"])
}

fn of_type<'a>(messages: &'a [Value], kind: &str) -> Vec<&'a Value> {
    messages.iter().filter(|m| m["type"] == kind).collect()
}

fn consecutive(messages: &[Value]) {
    let numbers = numbers(messages);
    let wanted: Vec<u64> = (1..=messages.len() as u64).collect();
    assert_eq!(numbers, wanted);
}

async fn start_waiting(socket: &mut Socket) -> String {
    let ack = socket.start(json!({ "graph": waiting(600.0) })).await;
    assert_eq!(socket.next().await["status"], "running");
    ack["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn case_17_a_workflow_runs_and_its_messages_are_numbered() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    for mode in MODES {
        for path in ["/ws", "/predict"] {
            let mut socket = open(&server, path, mode).await;
            let data =
                json!({ "type": "run_job_request", "workflow_id": id, "params": { "name": "hi" } });
            let ack = socket.start(data).await;
            assert_eq!(ack["workflow_id"], json!(id));
            assert!(ack.get("type").is_none());
            let job_id = ack["job_id"].as_str().unwrap().to_owned();
            let messages = socket.until_end(&job_id).await;
            consecutive(&messages);
            for message in &messages {
                assert_eq!(message["job_id"], json!(job_id), "{message}");
                assert_eq!(message["workflow_id"], json!(id), "{message}");
            }
            let updates = of_type(&messages, "job_update");
            assert_eq!(updates.len(), 2);
            assert_eq!(updates[0]["status"], "running");
            assert_eq!(messages[0]["status"], "running");
            assert!(!of_type(&messages, "node_update").is_empty());
            let quiet = |m: &&Value| {
                m["node_type"]
                    .as_str()
                    .is_some_and(|t| t.starts_with("nodetool.input."))
            };
            assert!(!messages.iter().any(|m| quiet(&m)), "inputs say nothing");
            let outputs = of_type(&messages, "output_update");
            assert_eq!(outputs.len(), 1);
            assert_eq!(
                (&outputs[0]["output_name"], &outputs[0]["value"]),
                (&json!("out"), &json!("hi"))
            );
            let end = messages.last().unwrap();
            assert_eq!(end["status"], "completed");
            assert_eq!(
                end["result"],
                json!({ "out": ["hi"], "outputs": { "out": ["hi"] } })
            );
            assert!(end["duration"].is_f64());
            socket.check_quiet().await;
        }
    }
}

#[tokio::test]
async fn case_18_the_id_of_the_client_is_kept() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let job_id = format!("my-{mode:?}");
        socket
            .send(&json!({
                "command": "run_job", "type": "run_job", "request_id": null,
                "data": { "job_id": job_id, "workflow_id": id, "graph": null, "params": { "name": "hi" }, "user_id": "2" },
            }))
            .await;
        let ack = socket.next().await;
        assert_eq!(
            ack,
            json!({ "message": "Job started", "job_id": job_id, "workflow_id": id })
        );
        let messages = socket.until_end(&job_id).await;
        assert!(messages.iter().all(|m| m["job_id"] == json!(job_id)));
        let again = json!({ "command": "run_job", "request_id": "r", "data": { "job_id": job_id, "workflow_id": id } });
        socket.send(&again).await;
        let taken = socket.next().await;
        assert_eq!(
            taken,
            json!({ "error": "job_id already exists", "job_id": job_id, "workflow_id": id, "command": "run_job", "request_id": "r" })
        );
        let job = server
            .client()
            .get(&format!("/api/jobs/{job_id}"))
            .await
            .ok();
        assert_eq!(
            (&job["user_id"], &job["status"]),
            (&json!("1"), &json!("completed"))
        );
    }
}

#[tokio::test]
async fn case_19_undefined_is_absent() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let mut frame = vec![0x83];
    let text = |frame: &mut Vec<u8>, s: &str| {
        frame.push(0xd9);
        frame.push(s.len() as u8);
        frame.extend_from_slice(s.as_bytes());
    };
    for s in ["command", "run_job", "request_id"] {
        text(&mut frame, s);
    }
    frame.extend_from_slice(&[0xd4, 0, 0]);
    text(&mut frame, "data");
    frame.push(0x83);
    text(&mut frame, "workflow_id");
    text(&mut frame, &id);
    for s in ["graph", "params"] {
        text(&mut frame, s);
        frame.extend_from_slice(&[0xd4, 0, 0]);
    }
    socket.send_raw(Message::binary(frame)).await;
    let ack = socket.next().await;
    assert_eq!(ack["message"], "Job started");
    let end = socket.until_end(ack["job_id"].as_str().unwrap()).await;
    assert_eq!(end.last().unwrap()["status"], "completed");
}

#[tokio::test]
async fn case_20_a_whole_float_is_an_integer_where_one_is_wanted() {
    let server = TestServer::start();
    let input = node("i", "nodetool.input.IntegerInput", json!({ "name": "n" }));
    let graph = graph(&[input, output()], &["i.output -> o.value"]);
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket
            .start(json!({ "graph": graph, "params": { "n": 3.0 } }))
            .await;
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        let output = of_type(&messages, "output_update")[0];
        assert_eq!(output["value"].to_string(), "3", "{messages:?}");
    }
}

#[tokio::test]
async fn case_21_explicit_types_wrap_the_results() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let data = json!({ "workflow_id": id, "params": { "name": "hi" }, "explicit_types": true });
    let ack = socket.start(data).await;
    let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
    let wrapped = json!({ "type": "list", "value": ["hi"] });
    let result = &messages.last().unwrap()["result"];
    assert_eq!(result["out"], wrapped);
    assert_eq!(result["outputs"]["out"], wrapped);
}

#[tokio::test]
async fn case_22_a_graph_runs_without_being_stored() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket.start(json!({ "graph": counting(3) })).await;
        assert!(ack["workflow_id"].is_null());
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        consecutive(&messages);
        assert!(messages.iter().all(|m| m["workflow_id"].is_null()));
        assert_eq!(messages.last().unwrap()["result"]["out"], json!([0, 1, 2]));
    }
}

#[tokio::test]
async fn a_graph_wins_over_the_stored_one_unless_it_is_empty() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    let mut socket = open(&server, "/ws", Mode::Text).await;
    for (graph, out) in [
        (json!({ "nodes": [], "edges": [] }), json!(["hi"])),
        (counting(2), json!([0, 1])),
    ] {
        let data = json!({ "workflow_id": id, "graph": graph, "params": { "name": "hi" } });
        let ack = socket.start(data).await;
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        assert!(messages.iter().all(|m| m["workflow_id"] == json!(id)));
        assert_eq!(messages.last().unwrap()["result"]["out"], out);
    }
}

#[tokio::test]
async fn case_23_an_unknown_workflow_fails_after_the_ack() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket.start(json!({ "workflow_id": "nope" })).await;
        let failed = socket.next().await;
        assert_eq!(
            (&failed["type"], &failed["status"]),
            (&json!("job_update"), &json!("failed"))
        );
        assert_eq!(failed["error"], "Workflow nope not found");
        assert_eq!(failed["error_code"], "NOT_FOUND");
        assert_eq!(failed["job_id"], ack["job_id"]);
        assert_ne!(failed["job_id"], "nope");
        socket.start(json!({})).await;
        assert_eq!(socket.next().await["error_code"], "INVALID_INPUT");
        let data = json!({ "graph": greeting(), "params": { "name": { "uri": "memory://x" } } });
        socket.start(data).await;
        assert_eq!(socket.next().await["error"], "Invalid asset reference");
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn a_graph_that_cannot_run_says_what_is_wrong_with_each_node() {
    let server = TestServer::start();
    let graph = graph(
        &[node("x", "no.Such", json!({})), output()],
        &["x.output -> o.value"],
    );
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let ack = socket.start(json!({ "graph": graph })).await;
    let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
    let failed = messages.last().unwrap();
    assert_eq!(failed["status"], "failed");
    let issues = failed["validation_issues"].as_array().expect("issues");
    assert!(issues.iter().any(|i| i["node_id"] == "x"), "{failed}");
    assert!(issues[0]["message"].as_str().is_some_and(|m| !m.is_empty()));
}

#[tokio::test]
async fn case_24_a_failing_node_tells_before_its_job_does() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket.start(json!({ "graph": failing() })).await;
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        let error = messages
            .iter()
            .position(|m| m["type"] == "node_update" && m["status"] == "error");
        assert!(
            error.is_some_and(|at| at < messages.len() - 1),
            "{messages:?}"
        );
        let end = messages.last().unwrap();
        assert_eq!(end["status"], "failed");
        assert!(end["error"].as_str().unwrap().contains("it broke"));
        assert_eq!(messages.iter().filter(|m| is_end(m)).count(), 1);
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn case_25_two_jobs_share_a_socket() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let long = start_waiting(&mut socket).await;
    let ack = socket.start(json!({ "graph": counting(5) })).await;
    let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
    assert_eq!(messages.last().unwrap()["status"], "completed");
    let status = socket.ask("get_status", json!({ "job_id": long })).await;
    assert_eq!(status["status"], "running");
}

#[tokio::test]
async fn case_27_a_cancelled_job_ends_once_and_after_the_answer() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let job_id = start_waiting(&mut socket).await;
        let data =
            json!({ "command": "cancel_job", "data": { "job_id": job_id }, "request_id": "c" });
        socket.send(&data).await;
        let ack = loop {
            let message = socket.next().await;
            assert!(!is_end(&message), "the answer comes first");
            if message
                .get("message")
                .is_some_and(|m| m == "Job cancellation requested")
            {
                break message;
            }
        };
        assert_eq!(
            (&ack["job_id"], &ack["request_id"]),
            (&json!(job_id), &json!("c"))
        );
        let messages = socket.until_end(&job_id).await;
        assert_eq!(messages.last().unwrap()["status"], "cancelled");
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn cases_28_and_29_a_job_that_is_not_there_cannot_be_cancelled() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let reply = socket.ask("cancel_job", json!({ "job_id": "nope" })).await;
        assert_eq!(
            reply,
            json!({
                "error": "Job not found or already completed", "job_id": "nope", "workflow_id": null,
                "command": "cancel_job",
            })
        );
        for name in [
            "cancel_job",
            "reconnect_job",
            "resume_job",
            "pause_job",
            "stream_input",
        ] {
            let reply = socket.ask(name, json!({})).await;
            assert_eq!(
                reply,
                json!({ "error": "job_id is required", "command": name })
            );
        }
        let reply = socket.ask("pause_job", json!({ "job_id": "nope" })).await;
        assert_eq!(reply["error"], "Job not found or already completed");
        let reply = socket.ask("stop", json!({})).await;
        assert_eq!(
            reply["error"],
            "job_id or thread_id is required for stop command"
        );
    }
}

#[tokio::test]
async fn case_30_old_clients_name_no_job() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/predict", mode).await;
        let job_id = start_waiting(&mut socket).await;
        socket.send(&json!({ "command": "get_status" })).await;
        let status = loop {
            let message = socket.next().await;
            if message.get("type").is_none() {
                break message;
            }
        };
        assert_eq!(
            (&status["status"], &status["job_id"]),
            (&json!("running"), &json!(job_id))
        );
        socket.send(&json!({ "command": "cancel_job" })).await;
        // Messages of the job may be on their way before.
        let ack = loop {
            let message = socket.next().await;
            if message.get("type").is_none() {
                break message;
            }
        };
        assert_eq!(
            (&ack["message"], &ack["job_id"]),
            (&json!("Job cancellation requested"), &json!(job_id))
        );
        let messages = socket.until_end(&job_id).await;
        assert_eq!(messages.last().unwrap()["status"], "cancelled");
    }
}

#[tokio::test]
async fn case_31_the_status_of_a_job_is_told() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let mut other = open(&server, "/ws", Mode::Text).await;
    let job_id = start_waiting(&mut socket).await;
    let status = other.ask("get_status", json!({ "job_id": job_id })).await;
    assert_eq!(
        status,
        json!({ "status": "running", "job_id": job_id, "workflow_id": null })
    );
    let all = other.ask("get_status", json!({})).await;
    let job = json!({ "status": "running", "job_id": job_id, "workflow_id": null });
    assert_eq!(all, json!({ "active_jobs": [job] }));
    let unknown = other.ask("get_status", json!({ "job_id": "nope" })).await;
    assert_eq!(unknown, json!({ "status": "not_found", "job_id": "nope" }));
}

#[tokio::test]
async fn case_36_everybody_who_listens_sees_the_end() {
    let server = TestServer::start();
    let mut first = open(&server, "/ws", Mode::Binary).await;
    let mut second = open(&server, "/ws", Mode::Text).await;
    let job_id = start_waiting(&mut first).await;
    second
        .ask("reconnect_job", json!({ "job_id": job_id }))
        .await;
    assert_eq!(second.next().await["type"], "job_resumed");
    assert_eq!(second.next().await["status"], "running");
    second
        .command("cancel_job", json!({ "job_id": job_id }))
        .await;
    for socket in [&mut first, &mut second] {
        let messages = socket.until_end(&job_id).await;
        assert_eq!(messages.last().unwrap()["status"], "cancelled");
    }
}

#[tokio::test]
async fn case_37_values_stream_into_a_job_in_order() {
    let server = TestServer::start();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket.start(json!({ "graph": listening() })).await;
        let job_id = ack["job_id"].as_str().unwrap().to_owned();
        assert_eq!(socket.next().await["status"], "running");
        let chunk =
            json!({ "type": "chunk", "content_type": "audio", "content": "AAAA", "done": false });
        for value in [json!("first"), chunk.clone()] {
            let data = json!({ "input": "sound", "handle": "chunk", "value": value });
            socket.command("stream_input", data).await;
        }
        socket
            .command(
                "end_input_stream",
                json!({ "job_id": job_id, "input": "sound" }),
            )
            .await;
        let messages = socket.until_end(&job_id).await;
        let acks: Vec<&str> = messages
            .iter()
            .filter(|m| m.get("type").is_none())
            .map(|m| m["message"].as_str().unwrap())
            .collect();
        assert_eq!(
            acks,
            [
                "Input item streamed",
                "Input item streamed",
                "Input stream ended"
            ]
        );
        let outputs: Vec<&Value> = of_type(&messages, "output_update")
            .iter()
            .map(|m| &m["value"])
            .collect();
        assert_eq!(outputs.len(), 2, "{messages:?}");
        assert_eq!(outputs[0], "first");
        assert_eq!(outputs[1]["content"], "AAAA");
        assert_eq!(messages.last().unwrap()["status"], "completed");
    }
}

#[tokio::test]
async fn values_for_what_is_not_there_are_refused() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let data = json!({ "job_id": "nope", "input": "sound", "value": 1 });
    assert_eq!(
        socket.ask("stream_input", data).await["error"],
        "No active job/context"
    );
    let ack = socket.start(json!({ "graph": listening() })).await;
    assert_eq!(socket.next().await["status"], "running");
    let data = json!({ "job_id": ack["job_id"], "input": "nothing", "value": 1 });
    let refused = socket.ask("stream_input", data).await;
    assert_eq!(refused["error"], "Invalid input name");
    assert_eq!(refused["job_id"], ack["job_id"]);
    let refused = socket.ask("stream_input", json!({ "value": 1 })).await;
    assert!(refused["details"].as_str().unwrap().contains("input: "));
}

#[tokio::test]
async fn case_38_no_message_refers_to_memory_of_the_server() {
    let server = TestServer::start();
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let input = node("i", "nodetool.input.ImageInput", json!({ "name": "image" }));
    let graph = graph(&[input, output()], &["i.output -> o.value"]);
    let image = json!({ "type": "image", "uri": format!("data:image/png;base64,{png}") });
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let ack = socket
            .start(json!({ "graph": graph, "params": { "image": image } }))
            .await;
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        assert!(
            messages
                .iter()
                .all(|m| !m.to_string().contains("memory://"))
        );
        let value = &of_type(&messages, "output_update")[0]["value"];
        let uri = value["uri"].as_str().unwrap_or_default();
        if mode == Mode::Text {
            assert!(uri.starts_with("data:image/png;base64,"), "{value}");
        } else {
            assert!(!value["data"].is_null() || !uri.is_empty(), "{value}");
        }
    }
}

#[tokio::test]
async fn a_client_may_ask_for_fewer_messages() {
    let server = TestServer::start();
    for (detail, kinds) in [
        ("outputs", vec!["job_update", "output_update"]),
        ("terminal", vec!["job_update"]),
    ] {
        let mut socket = open(&server, "/ws", Mode::Text).await;
        let data = json!({ "graph": counting(3), "execution_options": { "event_detail": detail } });
        let ack = socket.start(data).await;
        let messages = socket.until_end(ack["job_id"].as_str().unwrap()).await;
        let mut seen: Vec<&str> = messages
            .iter()
            .map(|m| m["type"].as_str().unwrap())
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, kinds);
    }
}

#[tokio::test]
async fn stop_cancels_a_job_and_is_told_once() {
    let server = TestServer::start();
    for legacy in [false, true] {
        let mut socket = open(&server, "/ws", Mode::Text).await;
        let job_id = start_waiting(&mut socket).await;
        let stop = if legacy {
            json!({ "type": "stop", "job_id": job_id })
        } else {
            json!({ "command": "stop", "data": { "job_id": job_id } })
        };
        socket.send(&stop).await;
        let stopped = socket.until("generation_stopped").await;
        assert_eq!(
            (&stopped["job_id"], &stopped["thread_id"]),
            (&json!(job_id), &json!(null))
        );
        let done = socket.next().await;
        assert_eq!(done["message"], "Stop command processed");
        let messages = socket.until_end(&job_id).await;
        assert_eq!(messages.last().unwrap()["status"], "cancelled");
        socket.check_quiet().await;
    }
}

#[tokio::test]
async fn many_commands_at_once_are_answered_in_order() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    for i in 0..500 {
        let command = json!({ "command": "get_status", "data": { "job_id": "x" }, "request_id": i.to_string() });
        socket.send(&command).await;
    }
    for i in 0..500 {
        assert_eq!(socket.next().await["request_id"], json!(i.to_string()));
    }
}
