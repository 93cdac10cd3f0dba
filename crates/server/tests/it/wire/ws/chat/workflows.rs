//! Turns that a workflow answers (row 50).

use serde_json::{Value, json};

use super::super::super::graphs::{edge, failing, graph, node, output, waiting};
use super::super::client::{MODES, Mode, open};
use super::{is_last, listed, of, plain, said, stored};

const MESSAGE: &str = "nodetool.input.MessageInput";

/// What is said goes out as it is.
fn echo() -> Value {
    let input = node("i", MESSAGE, json!({ "name": "said" }));
    let take = node("d", "nodetool.input.MessageDeconstructor", json!({}));
    graph(
        &[input, take, output()],
        &["i.output -> d.value", "d.text -> o.value"],
    )
}

#[tokio::test]
async fn case_50_a_workflow_answers_with_its_outputs() {
    let server = plain();
    let client = server.client();
    let id = client.save(&echo()).await;
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said(thread, "round trip");
        data["workflow_target"] = json!("workflow");
        data["workflow_id"] = json!(id);
        let messages = socket.chat(data).await;
        let updates = of(&messages, "job_update");
        let job = updates[0]["job_id"].clone();
        assert!(job.is_string());
        assert_eq!(updates.last().unwrap()["status"], "completed");
        assert!(messages.iter().all(|m| m["workflow_id"] == json!(id)));
        let answer = stored(&messages)[0];
        assert_eq!(
            answer["content"],
            json!([{ "type": "text", "text": "round trip" }])
        );
        let end = messages.last().unwrap();
        assert!(is_last(end));
        assert_eq!((&end["job_id"], &end["workflow_id"]), (&job, &json!(id)));
        let listed = listed(&client, thread).await;
        assert_eq!(listed[0]["workflow_target"], "workflow");
    }
}

#[tokio::test]
async fn a_workflow_that_fails_is_told_once_and_the_turn_ends() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    for (more, begins) in [
        (json!({ "graph": failing() }), "Error processing workflow: "),
        (
            json!({ "workflow_id": "nope" }),
            "Error processing workflow: Workflow nope not found",
        ),
    ] {
        let mut data = said("t", "hi");
        data["workflow_target"] = json!("workflow");
        let map = data.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        let messages = socket.chat(data).await;
        let errors = of(&messages, "error");
        assert_eq!(errors.len(), 1, "{messages:?}");
        let told = errors[0]["message"].as_str().unwrap();
        assert!(told.starts_with(begins), "{told}");
        assert_eq!(stored(&messages)[0]["content"], told);
        assert_eq!(messages.iter().filter(|m| is_last(m)).count(), 1);
    }
}

#[tokio::test]
async fn stopping_the_thread_ends_the_workflow() {
    let server = plain();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let mut data = said("t", "hi");
    data["workflow_target"] = json!("workflow");
    data["graph"] = waiting(600.0);
    socket.command("chat_message", data).await;
    let running = socket.until_such(|m| m["status"] == "running").await;
    let job = running["job_id"].clone();
    socket.command("stop", json!({ "thread_id": "t" })).await;
    let stopped = socket.until("generation_stopped").await;
    assert_eq!(stopped["job_id"], job);
    super::super::super::server::within("the end of the job", async {
        loop {
            let asked = socket.ask("get_status", json!({ "job_id": job })).await;
            if asked["status"] == "cancelled" {
                break;
            }
            super::super::super::server::pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_workflow_for_chats_answers_without_being_named_a_target() {
    let server = plain();
    let client = server.client();
    let input = node(
        "i",
        "nodetool.input.StringInput",
        json!({ "name": "chat_input" }),
    );
    let mut drawn = graph(&[input, output()], &[]);
    drawn["edges"] = json!([edge("i.output -> o.value")]);
    for (run_mode, expected) in [
        ("chat", json!([{ "type": "text", "text": "hi" }])),
        ("tool", json!(super::TEXT)),
    ] {
        let saved =
            json!({ "name": "W", "access": "private", "graph": drawn, "run_mode": run_mode });
        let id = client.post("/api/workflows", &saved).await.ok()["id"].clone();
        let mut socket = open(&server, "/ws", Mode::Text).await;
        let mut data = said(&format!("t-{run_mode}"), "hi");
        data["workflow_id"] = id;
        let messages = socket.chat(data).await;
        assert_eq!(stored(&messages)[0]["content"], expected, "{run_mode}");
    }
}
