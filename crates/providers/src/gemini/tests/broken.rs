//! Answers that do not go well.

use futures_util::StreamExt;
use nodetool_sdk::models::ModelErrorKind;

use super::*;
use crate::stub::{End, SECRET};

async fn refusal(reply: Reply) -> ModelError {
    let stub = Stub::new([reply]).await;
    let refusal = chat(&account(&stub), ask(vec![say("Hi")])).await;
    refusal.err().unwrap()
}

async fn cut_off(reply: Reply) -> ModelError {
    let stub = Stub::new([reply]).await;
    let mut stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    stub.go();
    let first = stream.next().await.unwrap();
    assert_eq!(first, Ok(ChatEvent::Text("Hello".into())));
    let told = stream.next().await.unwrap().unwrap_err();
    assert!(stream.next().await.is_none());
    told
}

fn half() -> Vec<Value> {
    vec![next(json!([{"text": "Hello"}]))]
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let limited = ModelErrorKind::RateLimited {
        retry_after: Some(Duration::from_secs(3)),
    };
    for (status, word, message, expected) in [
        (
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            ModelErrorKind::Unauthorized,
        ),
        (403, "PERMISSION_DENIED", "no", ModelErrorKind::Forbidden),
        (
            404,
            "NOT_FOUND",
            "models/x is not found",
            ModelErrorKind::UnknownModel,
        ),
        (429, "RESOURCE_EXHAUSTED", "quota", limited),
        (
            503,
            "UNAVAILABLE",
            "The model is overloaded.",
            ModelErrorKind::Server,
        ),
        (504, "DEADLINE_EXCEEDED", "late", ModelErrorKind::TimedOut),
        (400, "INVALID_ARGUMENT", "bad", ModelErrorKind::BadRequest),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
            ModelErrorKind::ContextTooLong,
        ),
    ] {
        let error = json!({"error": {"code": status, "message": message, "status": word}});
        // Streams wrap their refusals into a list.
        for body in [json!([error]), error] {
            let reply = Reply::json(&body).status(status).header("retry-after", "3");
            let refusal = refusal(reply).await;
            assert_eq!(refusal.kind, expected, "{message}");
            assert_eq!(refusal.code.as_deref(), Some(word));
            assert_eq!(refusal.message, message);
        }
    }
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let error = json!({"error": {"code": 400, "message": format!("bad key {SECRET}")}});
    let told = refusal(Reply::json(&error).status(400)).await;
    assert_eq!(told.message, "bad key …");
    let stub = Stub::new([]).await;
    let mut account = account(&stub);
    account.key = None;
    let missing = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    let key = "GEMINI_API_KEY".to_owned();
    assert_eq!(missing.kind, ModelErrorKind::MissingKey { key });
}

#[tokio::test]
async fn a_refused_prompt_fails_the_call() {
    let body = events(&[json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 4}
    })]);
    let told = refusal(Reply::events(body).cut(3)).await;
    assert_eq!(told.kind, ModelErrorKind::Refused);
    assert_eq!(told.code.as_deref(), Some("PROHIBITED_CONTENT"));
    assert_eq!(
        told.message,
        "gemini refused the prompt (PROHIBITED_CONTENT)"
    );
}

#[tokio::test]
async fn an_error_in_the_middle_ends_the_stream() {
    let mut said = half();
    said.push(json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}));
    let told = cut_off(Reply::events(events(&said)).cut(4)).await;
    assert_eq!(told.kind, ModelErrorKind::Server);
    assert_eq!(told.message, "overloaded");
}

#[tokio::test]
async fn a_malformed_call_of_the_model_is_its_own_fault() {
    let mut said = half();
    said.push(last(json!([]), "MALFORMED_FUNCTION_CALL"));
    let told = cut_off(Reply::events(events(&said))).await;
    assert_eq!(told.kind, ModelErrorKind::Server);
    assert_eq!(told.code.as_deref(), Some("MALFORMED_FUNCTION_CALL"));
}

#[tokio::test]
async fn an_answer_without_its_end_is_an_error() {
    let told = cut_off(Reply::events(events(&half()))).await;
    assert_eq!(told.kind, ModelErrorKind::Connection);
    let told = cut_off(Reply::events(events(&half())).end(End::Broken)).await;
    assert_eq!(told.kind, ModelErrorKind::Connection);
}

#[tokio::test]
async fn events_that_make_no_sense_are_errors() {
    let nameless = events(&[next(json!([{"functionCall": {"args": {}}}]))]);
    let picture = json!([{"inlineData": {"mimeType": "image/png", "data": "%%"}}]);
    for (body, expected) in [
        ("data: {oops\n\n".to_owned(), "an event is not JSON"),
        (nameless, "a function call without `name`"),
        (events(&[next(picture)]), "`inlineData` that is no base64"),
    ] {
        let told = refusal(Reply::events(body)).await;
        assert_eq!(told.kind, ModelErrorKind::Protocol);
        assert!(told.message.contains(expected), "{}", told.message);
    }
}

#[tokio::test]
async fn a_head_that_never_comes_is_given_up() {
    let stub = Stub::new([Reply::events(hello()).waiting()]).await;
    let mut account = account(&stub);
    account.patience.first_byte = Duration::from_millis(20);
    let slow = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    assert_eq!(slow.kind, ModelErrorKind::TimedOut);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let stub = Stub::new([Reply::events(events(&half())).end(End::Never)]).await;
    let mut stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    stub.gone().await;
}
