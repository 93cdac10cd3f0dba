//! Answers that do not go well.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use nodetool_sdk::models::ModelErrorKind;

use super::*;
use crate::stub::{End, SECRET};

fn error(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

fn half() -> Vec<Value> {
    let mut half = vec![message_start(), ping()];
    half.extend(text(0, &["Hello"]));
    half
}

/// What fails before there is an answer.
async fn refusal(reply: Reply) -> ModelError {
    let stub = Stub::new([reply]).await;
    let refusal = chat(&account(&stub), ask(vec![say("Hi")])).await;
    refusal.err().unwrap()
}

/// What comes of an answer that breaks off.
async fn cut_off(reply: Reply) -> (Vec<ChatEvent>, ModelError) {
    let stub = Stub::new([reply]).await;
    let mut stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    stub.go();
    let mut events = Vec::new();
    loop {
        match stream.next().await.expect("an error at the end") {
            Ok(event) => events.push(event),
            Err(e) => {
                assert!(stream.next().await.is_none(), "something behind the error");
                return (events, e);
            }
        }
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let limited = ModelErrorKind::RateLimited {
        retry_after: Some(Duration::from_secs(12)),
    };
    for (status, kind, message, expected) in [
        (
            401,
            "authentication_error",
            "invalid x-api-key",
            ModelErrorKind::Unauthorized,
        ),
        (403, "permission_error", "no", ModelErrorKind::Forbidden),
        (
            404,
            "not_found_error",
            "model: claude-0",
            ModelErrorKind::UnknownModel,
        ),
        (429, "rate_limit_error", "slow down", limited),
        (500, "api_error", "internal", ModelErrorKind::Server),
        (
            529,
            "overloaded_error",
            "Overloaded",
            ModelErrorKind::Server,
        ),
        (
            400,
            "invalid_request_error",
            "messages: at least one",
            ModelErrorKind::BadRequest,
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            ModelErrorKind::ContextTooLong,
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000",
            ModelErrorKind::ContextTooLong,
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            ModelErrorKind::Forbidden,
        ),
    ] {
        let reply = Reply::json(&error(kind, message))
            .status(status)
            .header("retry-after", "12");
        let refusal = refusal(reply).await;
        assert_eq!(refusal.kind, expected, "{message}");
        assert_eq!(refusal.status, Some(status));
        assert_eq!(refusal.code.as_deref(), Some(kind));
        assert_eq!(refusal.message, message);
        assert_eq!(refusal.provider, "anthropic");
    }
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let message = format!("invalid x-api-key: {SECRET}");
    let told = refusal(Reply::json(&error("authentication_error", &message)).status(401)).await;
    assert_eq!(told.message, "invalid x-api-key: …");

    let stub = Stub::new([]).await;
    let mut account = account(&stub);
    account.key = Some(crate::Key::new("sk-\nbad"));
    let bad = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    assert_eq!(bad.kind, ModelErrorKind::Unauthorized);
    assert_eq!(
        bad.message,
        "ANTHROPIC_API_KEY has characters that no key has"
    );

    account.key = None;
    let missing = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    let key = "ANTHROPIC_API_KEY".to_owned();
    assert_eq!(missing.kind, ModelErrorKind::MissingKey { key });
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn nobody_there_is_a_failed_connection() {
    let stub = Stub::new([]).await;
    let account = account(&stub);
    drop(stub);
    let away = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    assert_eq!(away.kind, ModelErrorKind::Connection);
    assert!(!away.message.contains(SECRET));
}

#[tokio::test]
async fn an_error_before_the_first_piece_fails_the_call() {
    let body = events(&[
        message_start(),
        ping(),
        error("overloaded_error", "Overloaded"),
    ]);
    let told = refusal(Reply::events(body)).await;
    assert_eq!(told.kind, ModelErrorKind::Server);
    assert!(told.is_passing());
    assert_eq!(told.message, "Overloaded");
}

#[tokio::test]
async fn an_error_in_the_middle_ends_the_stream() {
    for (kind, expected) in [
        ("overloaded_error", ModelErrorKind::Server),
        (
            "rate_limit_error",
            ModelErrorKind::RateLimited { retry_after: None },
        ),
    ] {
        let mut said = half();
        said.push(error(kind, "Sorry"));
        said.extend(finish("end_turn"));
        let (events, told) = cut_off(Reply::events(super::events(&said)).cut(5)).await;
        assert_eq!(events, [ChatEvent::Text("Hello".into())]);
        assert_eq!(told.kind, expected);
        assert_eq!(told.code.as_deref(), Some(kind));
    }
}

#[tokio::test]
async fn an_answer_without_its_end_is_an_error() {
    let (said, told) = cut_off(Reply::events(events(&half()))).await;
    assert_eq!(said, [ChatEvent::Text("Hello".into())]);
    assert_eq!(told.kind, ModelErrorKind::Connection);
    assert_eq!(
        told.message,
        "the connection to anthropic ended before its answer did"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error() {
    let reply = Reply::events(events(&half())).end(End::Broken);
    let (said, told) = cut_off(reply).await;
    assert_eq!(said, [ChatEvent::Text("Hello".into())]);
    assert_eq!(told.kind, ModelErrorKind::Connection);
}

#[tokio::test]
async fn events_that_make_no_sense_are_errors() {
    let nowhere = delta(7, "text_delta", "text", "x");
    let wrong = delta(0, "input_json_delta", "partial_json", "x");
    let nothing =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}});
    let open = start(0, json!({"type": "text", "text": ""}));
    let empty = json!({"type": "message_stop"});
    for (said, expected) in [
        (
            "event: ping\ndata: {oops\n\n".to_owned(),
            "an event is not JSON",
        ),
        (
            events(&[nowhere]),
            "`text_delta` for block 7, which is not open",
        ),
        (
            events(&[open.clone(), wrong]),
            "`input_json_delta` in a block of another type",
        ),
        (events(&[open, nothing]), "`text_delta` without `text`"),
        (events(&[empty]), "an answer without `stop_reason`"),
        ("data: \u{0}\n\n".to_owned(), "an event is not JSON"),
    ] {
        let reply = Reply::events(events(&[message_start()]) + &said);
        let told = refusal(reply).await;
        assert_eq!(told.kind, ModelErrorKind::Protocol, "{said}");
        assert!(told.message.contains(expected), "{}", told.message);
    }
    let page = refusal(Reply::bytes("text/html", "<html>")).await;
    assert_eq!(page.kind, ModelErrorKind::Protocol);
    assert!(page.message.contains("text/html"), "{}", page.message);
}

#[tokio::test]
async fn a_slow_head_is_waited_for() {
    let stub = Stub::new([Reply::events(hello()).waiting()]).await;
    let account = account(&stub);
    let (stream, ()) = tokio::join!(chat(&account, ask(vec![say("Hi")])), async {
        while stub.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        stub.go();
    });
    let events: Vec<ChatEvent> = stream.unwrap().try_collect().await.unwrap();
    assert_eq!(events.len(), 4);
}

#[tokio::test]
async fn a_head_that_never_comes_is_given_up() {
    let stub = Stub::new([Reply::events(hello()).waiting()]).await;
    let mut account = account(&stub);
    account.patience.first_byte = Duration::from_millis(20);
    let slow = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    assert_eq!(slow.kind, ModelErrorKind::TimedOut);
    assert_eq!(slow.message, "anthropic did not answer in time");
}

#[tokio::test]
async fn a_stream_that_stands_still_is_given_up() {
    let stub = Stub::new([Reply::events(events(&[message_start()])).end(End::Never)]).await;
    let mut account = account(&stub);
    account.patience.next_byte = Duration::from_millis(20);
    let still = chat(&account, ask(vec![say("Hi")])).await.err().unwrap();
    assert_eq!(still.kind, ModelErrorKind::TimedOut);
    stub.gone().await;
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let stub = Stub::new([Reply::events(events(&half())).end(End::Never)]).await;
    let mut stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first, ChatEvent::Text("Hello".into()));
    drop(stream);
    stub.gone().await;
}
