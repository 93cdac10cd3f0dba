//! Turns of an agent that plans (row 49).

use serde_json::{Value, json};

use super::super::client::{MODES, Mode, open};
use super::{is_last, listed, of, said, scripted, stored};

/// A plan with one step, and its result.
fn planned() -> Value {
    let step = json!({ "id": "s1", "instructions": "Say it" });
    let plan = json!({ "title": "T", "steps": [step] });
    let result = json!({ "result": { "markdown": "**done**" } });
    json!([
        { "contains": "Objective:", "turns": [{ "tool_calls": [{ "name": "create_task", "arguments": plan }] }] },
        { "contains": "Step `s1`", "turns": [{ "text": "working", "tool_calls": [{ "name": "finish_step", "arguments": result }] }] },
    ])
}

#[tokio::test]
async fn case_49_every_step_of_a_plan_is_stored_and_told() {
    let server = scripted(&planned(), &[]);
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said(thread, "make it so");
        data["agent_mode"] = json!(true);
        let messages = socket.chat(data).await;
        let told = stored(&messages);
        let events: Vec<String> = told
            .iter()
            .filter(|m| m["role"] == "agent_execution")
            .map(|m| {
                let content = &m["content"];
                let more = content["event"].as_str().or(content["status"].as_str());
                let kind = m["execution_event_type"].as_str().unwrap();
                assert_eq!(content["type"], kind);
                format!("{kind} {}", more.unwrap_or_default())
            })
            .filter(|event| !event.starts_with("log_update"))
            .collect();
        assert_eq!(
            events,
            [
                "planning_update Starting",
                "planning_update Success",
                "task_update task_created",
                "task_update step_started",
                "task_update step_completed",
                "step_result ",
                "task_update task_completed",
            ],
            "{messages:?}"
        );
        let result = told
            .iter()
            .find(|m| m["execution_event_type"] == "step_result");
        assert_eq!(result.unwrap()["content"]["is_task_result"], true);
        let ids: std::collections::BTreeSet<String> = told
            .iter()
            .map(|m| m["agent_execution_id"].to_string())
            .collect();
        assert_eq!(ids.len(), 1);
        let last = told.last().unwrap();
        assert_eq!(
            (&last["role"], &last["content"]),
            (&json!("assistant"), &json!("**done**"))
        );
        assert!(is_last(messages.last().unwrap()));
        assert_eq!(messages.iter().filter(|m| is_last(m)).count(), 1);
        let listed = listed(&server.client(), thread).await;
        assert_eq!(listed.len(), told.len() + 1);
        assert_eq!(
            listed[1]["content"]["type"],
            listed[1]["execution_event_type"]
        );
    }
}

#[tokio::test]
async fn an_agent_without_a_plan_says_so_and_ends() {
    let server = scripted(&json!([]), &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let mut data = said("t", "make it so");
    data["agent_mode"] = json!(true);
    let messages = socket.chat(data).await;
    let error = of(&messages, "error")[0];
    assert_eq!(error["error_type"], "agent_error");
    let text = error["message"].as_str().unwrap();
    assert!(text.starts_with("Agent execution error: "), "{text}");
    assert_eq!(stored(&messages).last().unwrap()["content"], text);
    assert!(is_last(messages.last().unwrap()));
}
