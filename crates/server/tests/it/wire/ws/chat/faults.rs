//! What goes wrong at a provider (row 48, socket spec 8.9).

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::super::server::TestServer;
use super::super::client::{MODES, Mode, open};
use super::{is_last, of, roles, said, scripted, stored, text};

/// An address of this machine at which nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    format!("http://{address}/v1")
}

#[tokio::test]
async fn case_48_a_provider_that_is_not_there_is_told() {
    let address = format!("mine={}", nowhere().await);
    let server = TestServer::start_with(&["--provider-url", &address]);
    for (mode, thread) in MODES.into_iter().zip(["t1", "t2"]) {
        let mut socket = open(&server, "/ws", mode).await;
        let mut data = said(thread, "hi");
        (data["provider"], data["model"]) = (json!("mine"), json!("m"));
        let messages = socket.chat(data).await;
        let kinds: Vec<_> = messages
            .iter()
            .map(|m| m["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["error", "message", "chunk"], "{messages:?}");
        assert_eq!(messages[0]["error_type"], "connection_error");
        let said = messages[1]["content"].as_str().unwrap();
        assert!(
            said.starts_with("I encountered a connection error: "),
            "{said}"
        );
        assert!(is_last(&messages[2]));
    }
}

#[tokio::test]
async fn a_missing_key_is_named_and_nothing_is_said_in_its_place() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let mut data = said("t", "hi");
    (data["provider"], data["model"]) = (json!("openai"), json!("gpt-4o"));
    let messages = socket.chat(data).await;
    let kinds: Vec<_> = messages
        .iter()
        .map(|m| m["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["error", "chunk"], "{messages:?}");
    assert_eq!(
        (&messages[0]["error_type"], &messages[0]["message"]),
        (
            &json!("missing_api_key"),
            &json!("OPENAI_API_KEY is not configured")
        )
    );
    assert_eq!(roles(&server.client(), "t").await, ["user"]);
}

#[tokio::test]
async fn each_refusal_of_a_provider_is_told_with_its_status_and_what_to_do() {
    let refusals = [
        (400, "another model may"),
        (401, "Check the API key"),
        (403, "may not use this model"),
        (404, "no such model"),
        (429, "try again in a moment"),
        (503, "a problem of its own"),
    ];
    let rules = refusals.map(|(status, _)| {
        let refuse = json!({ "status": status, "message": "the provider says no" });
        json!({ "contains": format!("[{status}]"), "turns": [{ "refuse": refuse }] })
    });
    let server = scripted(&json!(rules), &[]);
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    for (status, hint) in refusals {
        let messages = socket.chat(said("t", &format!("[{status}]"))).await;
        let error = of(&messages, "error")[0];
        assert_eq!(
            (&error["error_type"], &error["status_code"]),
            (&json!("http_status_error"), &json!(status)),
            "{error}"
        );
        let said = stored(&messages)[0]["content"].as_str().unwrap();
        let begins = format!("I encountered an API error (HTTP {status}): ");
        assert!(said.starts_with(&begins) && said.contains(hint), "{said}");
        assert!(is_last(messages.last().unwrap()));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_kept_as_far_as_it_came() {
    let broken = json!({ "error": { "type": "server_error", "message": "overloaded" } });
    let script = json!([{ "turns": [{ "text": "The first half", "break_off": broken }] }]);
    let server = scripted(&script, &[]);
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let messages = socket.chat(said("t", "hi")).await;
    assert_eq!(text(&messages), "The first half");
    assert_eq!(stored(&messages)[0]["content"], "The first half");
    assert_eq!(of(&messages, "error").len(), 1);
    let ends: Vec<&Value> = messages.iter().filter(|m| is_last(m)).collect();
    assert_eq!(ends.len(), 1);
}

#[tokio::test]
async fn models_and_providers_nobody_knows_are_told_at_once() {
    let server = super::plain();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    for (provider, model, kind) in [
        ("nobody", "m", json!("unknown_provider")),
        ("fake", "gpt-9", json!("unknown_model")),
        ("", "nobody-has-this", json!("unknown_model")),
    ] {
        let mut data = said("t", "hi");
        (data["provider"], data["model"]) = (json!(provider), json!(model));
        let messages = socket.chat(data).await;
        let kinds: Vec<_> = messages
            .iter()
            .map(|m| m["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["error", "chunk"], "{messages:?}");
        assert_eq!(messages[0]["error_type"], kind, "{messages:?}");
    }
}
