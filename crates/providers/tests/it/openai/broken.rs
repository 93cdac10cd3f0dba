//! Everything that goes wrong between a provider and us.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use futures_util::{StreamExt, stream};
use nodetool_providers::{Account, Key, Patience, compatible, find};
use nodetool_sdk::models::{
    ChatEvent, ChatMessage, FinishReason, Media, MediaSource, ModelErrorKind, Part,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::stub::{
    KEY, Reply, Stub, all, answer, begin, broken_off, client, delta, events, finish, hello,
    impatient, in_pieces, status, stuck, typed,
};

const SSE: &str = "text/event-stream";

#[tokio::test]
async fn refusals_keep_the_providers_words_and_say_what_kind_they_are() {
    let cases = [
        (
            401,
            json!({"error": {"message": format!("Incorrect API key provided: {KEY}."), "type": "invalid_request_error", "param": null, "code": "invalid_api_key"}}),
            ModelErrorKind::Unauthorized,
            Some("invalid_api_key"),
            "Incorrect API key provided: ….",
        ),
        (
            404,
            json!({"error": {"message": "The model `x` does not exist", "type": "invalid_request_error", "param": null, "code": "model_not_found"}}),
            ModelErrorKind::UnknownModel,
            Some("model_not_found"),
            "The model `x` does not exist",
        ),
        (
            400,
            json!({"error": {"message": "This model's maximum context length is 8192 tokens.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}),
            ModelErrorKind::ContextTooLong,
            Some("context_length_exceeded"),
            "This model's maximum context length is 8192 tokens.",
        ),
        (
            400,
            json!({"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}),
            ModelErrorKind::ContextTooLong,
            Some("exceed_context_size_error"),
            "the request exceeds the available context size",
        ),
        (
            400,
            json!({"error": {"message": "Invalid value for 'temperature'.", "type": "invalid_request_error", "param": "temperature", "code": null}}),
            ModelErrorKind::BadRequest,
            Some("invalid_request_error"),
            "Invalid value for 'temperature'.",
        ),
        (
            429,
            json!({"error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}}),
            ModelErrorKind::Forbidden,
            Some("insufficient_quota"),
            "You exceeded your current quota.",
        ),
        (
            422,
            json!({"detail": "Extra inputs are not permitted"}),
            ModelErrorKind::BadRequest,
            None,
            "Extra inputs are not permitted",
        ),
        (
            502,
            json!({"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "out of memory"}}}),
            ModelErrorKind::Server,
            None,
            "Provider returned error: out of memory",
        ),
        (
            503,
            json!({"error": "overloaded"}),
            ModelErrorKind::Server,
            None,
            "overloaded",
        ),
    ];
    for (code, body, kind, word, message) in cases {
        let stub = Stub::with(status(code, body)).await;
        let e = begin(&stub.provider("openai"), hello("x"))
            .await
            .err()
            .unwrap();
        assert_eq!(e.kind, kind, "{message}");
        assert_eq!((e.status, e.code.as_deref()), (Some(code), word));
        assert_eq!(e.message, message);
        assert_eq!(e.provider, "openai");
    }
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let mut refusal = status(
        429,
        json!({"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}),
    );
    refusal
        .headers_mut()
        .insert("retry-after", HeaderValue::from_static("7.5"));
    let stub = Stub::with(refusal).await;
    let e = begin(&stub.provider("groq"), hello("x"))
        .await
        .err()
        .unwrap();
    let retry_after = Some(Duration::from_millis(7500));
    assert_eq!(e.kind, ModelErrorKind::RateLimited { retry_after });
    assert!(e.is_passing());
}

#[tokio::test]
async fn an_error_in_the_first_event_is_a_refusal() {
    let text = events(&[json!({"error": {"message": "Overloaded", "code": 502}})]);
    let stub = Stub::with(typed(SSE, text)).await;
    let e = begin(&stub.provider("openrouter"), hello("x"))
        .await
        .err()
        .unwrap();
    assert_eq!((e.kind, e.status), (ModelErrorKind::Server, Some(502)));
    assert_eq!(e.message, "Overloaded");
}

#[tokio::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let refusal = json!({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}});
    for response in [
        super::stub::ok(refusal.clone()),
        typed(SSE, events(&[refusal])),
    ] {
        let stub = Stub::with(response).await;
        let e = begin(&stub.provider("minimax"), hello("x"))
            .await
            .err()
            .unwrap();
        assert_eq!(
            (e.kind, e.message.as_str()),
            (ModelErrorKind::Forbidden, "insufficient balance")
        );
    }
}

#[tokio::test]
async fn an_error_in_the_middle_ends_the_stream_after_what_came() {
    let endings = [
        (
            json!({"error": {"message": format!("bad {KEY}"), "type": "server_error", "code": null}}),
            ModelErrorKind::Server,
            "bad …",
        ),
        (
            json!({"error": {"message": "slow", "type": "tokens", "code": "rate_limit_exceeded"}}),
            ModelErrorKind::RateLimited { retry_after: None },
            "slow",
        ),
        (
            finish("error"),
            ModelErrorKind::Server,
            "custom stopped in the middle of its answer: error",
        ),
    ];
    for (ending, kind, message) in endings {
        let text = events(&[delta(json!({"content": "Hel"})), ending]);
        let stub = Stub::with(typed(SSE, text)).await;
        let stream = begin(&stub.custom(), hello("x")).await.unwrap();
        let (came, failed) = all(stream).await;
        let failed = failed.unwrap();
        assert_eq!(came, [ChatEvent::Text("Hel".into())]);
        assert_eq!((failed.kind, failed.message.as_str()), (kind, message));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let begun = events(&[delta(json!({"content": "Hel"}))]);
    let done = format!("{begun}data: [DONE]\n\n");
    let cases = [
        (typed(SSE, begun.clone()), ModelErrorKind::Connection),
        (broken_off(SSE, &begun), ModelErrorKind::Connection),
        (typed(SSE, done), ModelErrorKind::Protocol),
        (
            typed(SSE, format!("{begun}data: {{\"choices\":")),
            ModelErrorKind::Protocol,
        ),
    ];
    for (at, (response, kind)) in cases.into_iter().enumerate() {
        let stub = Stub::with(response).await;
        let stream = begin(&stub.custom(), hello("x")).await.unwrap();
        let (came, failed) = all(stream).await;
        assert_eq!(came, [ChatEvent::Text("Hel".into())], "case {at}");
        assert_eq!(failed.unwrap().kind, kind, "case {at}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_finish_costs_nothing() {
    let text = events(&[delta(json!({"content": "Hi"})), finish("stop")]);
    let stub = Stub::with(broken_off(SSE, &text)).await;
    let got = answer(&stub.custom(), hello("x")).await.unwrap();
    assert_eq!(
        (got.text.as_str(), got.finish),
        ("Hi", Some(FinishReason::Stop))
    );
}

#[tokio::test]
async fn bodies_of_other_wires_are_refused() {
    let cases = [
        typed("text/html", "<html>Please log in</html>"),
        typed(SSE, ""),
        typed(SSE, "data: not json\n\n"),
        typed(SSE, "data: [1]\n\n"),
        typed("application/json", "{\"choices\": ["),
        super::stub::ok(json!({"choices": []})),
        in_pieces(SSE, b"data: {\"choices\": \xff}\n\n"),
    ];
    for (at, response) in cases.into_iter().enumerate() {
        let stub = Stub::with(response).await;
        let e = begin(&stub.custom(), hello("x")).await.err().unwrap();
        assert_eq!(e.kind, ModelErrorKind::Protocol, "case {at}: {e}");
    }
}

#[tokio::test]
async fn a_line_without_end_is_not_kept() {
    let piece = Bytes::from(vec![b'a'; 1 << 20]);
    let endless = stream::repeat_with(move || Ok::<_, Infallible>(piece.clone()));
    let stub = Stub::with(typed(SSE, Body::from_stream(endless))).await;
    let e = begin(&stub.custom(), hello("x")).await.err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::Protocol);
    assert!(e.message.contains("a line without end"), "{e}");
}

#[tokio::test]
async fn patience_ends_before_the_head_before_the_first_event_and_in_the_middle() {
    let never = Stub::answering([Reply::Never]).await;
    let provider = compatible(&Account {
        patience: impatient(),
        ..never.account("custom")
    });
    let e = begin(&provider, hello("x")).await.err().unwrap();
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::TimedOut, "custom did not answer in time")
    );

    let silent = Stub::with(stuck(SSE, "")).await;
    let provider = compatible(&Account {
        patience: impatient(),
        ..silent.account("custom")
    });
    let e = begin(&provider, hello("x")).await.err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::TimedOut);

    let begun = events(&[delta(json!({"content": "Hel"}))]);
    let stub = Stub::with(stuck(SSE, &begun)).await;
    let provider = compatible(&Account {
        patience: Patience {
            next_byte: Duration::from_millis(40),
            ..Patience::default()
        },
        ..stub.account("custom")
    });
    let stream = begin(&provider, hello("x")).await.unwrap();
    let (came, failed) = all(stream).await;
    assert_eq!(came, [ChatEvent::Text("Hel".into())]);
    assert_eq!(failed.unwrap().kind, ModelErrorKind::TimedOut);
}

#[tokio::test]
async fn signs_of_life_alone_are_no_answer() {
    let alive = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b": alive\n\n")), ()))
    });
    let stub = Stub::with(typed(SSE, Body::from_stream(alive))).await;
    let provider = compatible(&Account {
        patience: impatient(),
        ..stub.account("custom")
    });
    let ended = tokio::time::timeout(Duration::from_secs(60), begin(&provider, hello("x")));
    let e = ended.await.expect("it is still waiting").err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::TimedOut);
}

#[tokio::test]
async fn whoever_drops_a_stream_closes_the_connection() {
    let (tx, mut rx) = mpsc::channel::<Result<Bytes, Infallible>>(4);
    let body = Body::from_stream(stream::poll_fn(move |cx| rx.poll_recv(cx)));
    let stub = Stub::with(typed(SSE, body)).await;
    let begun = events(&[delta(json!({"content": "Hel"}))]);
    tx.send(Ok(begun.into())).await.unwrap();
    let mut stream = begin(&stub.custom(), hello("x")).await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(ChatEvent::Text("Hel".into()))));
    assert!(!tx.is_closed());
    drop(stream);
    let closed = tokio::time::timeout(Duration::from_secs(60), tx.closed()).await;
    closed.expect("the provider still writes");
}

#[tokio::test]
async fn whoever_drops_a_call_closes_the_connection() {
    let (tx, mut rx) = mpsc::channel::<Result<Bytes, Infallible>>(4);
    let body = Body::from_stream(stream::poll_fn(move |cx| rx.poll_recv(cx)));
    let stub = Stub::with(typed(SSE, body)).await;
    let provider = stub.custom();
    let call = begin(&provider, hello("x"));
    let asked = async {
        while stub.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = call => panic!("nothing was answered"),
        () = asked => {}
    }
    let closed = tokio::time::timeout(Duration::from_secs(60), tx.closed()).await;
    closed.expect("the provider still writes");
}

#[tokio::test]
async fn a_connection_serves_the_next_answer() {
    let text = format!("{}data: [DONE]\n\n", events(&[finish("stop")]));
    // The end of the body comes a little after the end of the answer.
    let done = || {
        let told = stream::iter([Ok::<_, Infallible>(Bytes::from(text.clone()))]);
        let end = stream::once(async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            Ok(Bytes::new())
        });
        Reply::With(typed(SSE, Body::from_stream(told.chain(end))))
    };
    let stub = Stub::answering((0..8).map(|_| done())).await;
    let provider = stub.custom();
    for _ in 0..8 {
        answer(&provider, hello("x")).await.unwrap();
    }
    let peers: HashSet<_> = stub.asked().iter().map(|asked| asked.peer).collect();
    // One would do; on a busy machine a connection may come back too late for the very next call.
    assert!(peers.len() < 8, "every answer took a connection of its own");
}

#[tokio::test]
async fn an_answer_that_is_told_to_be_over_is_over() {
    let text = events(&[delta(json!({"content": "Hi"})), finish("stop")]);
    let stub = Stub::with(stuck(SSE, &format!("{text}data: [DONE]\n\n"))).await;
    let mut stream = begin(&stub.custom(), hello("x")).await.unwrap();
    while let Some(event) = stream.next().await {
        event.unwrap();
    }
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is() {
    let account = |address: &str, key: &str| Account {
        provider: "vllm".to_owned(),
        key: Some(Key::new(key)),
        address: address.to_owned(),
        context_length: None,
        client: client(),
        patience: Patience::default(),
    };
    let make = find("vllm").unwrap().make;
    let e = begin(&make(&account("", KEY)), hello("x"))
        .await
        .err()
        .unwrap();
    assert_eq!(e.message, "the address of vllm is not set");
    let bad = make(&account("http://127.0.0.1:9/v1", "se\ncret-with-a-line"));
    let e = begin(&bad, hello("x")).await.err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::Unauthorized);
    assert!(!e.message.contains("cret"), "{e}");
    let e = begin(&make(&account("http://127.0.0.1:9/v1", KEY)), hello(" ")).await;
    assert_eq!(e.err().unwrap().kind, ModelErrorKind::NoModel);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failed_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let stub = Stub::answering([]).await;
    let provider = compatible(&Account {
        address,
        ..stub.account("lmstudio")
    });
    let e = begin(&provider, hello("x")).await.err().unwrap();
    assert_eq!(e.kind, ModelErrorKind::Connection);
    assert!(e.message.starts_with("lmstudio cannot be reached: "), "{e}");
}

#[tokio::test]
async fn contents_a_provider_has_no_words_for_are_named() {
    let stub = Stub::answering([]).await;
    let pdf = Part::Document(Media::bytes("application/pdf", &b"%PDF"[..]));
    let sound = Part::Audio(Media {
        mime: "audio/wav".into(),
        name: None,
        source: MediaSource::Url("https://example.com/a.wav".into()),
    });
    let cases = [
        (
            pdf,
            "the provider `groq` does not do documents of the type `application/pdf`",
        ),
        (
            sound,
            "the provider `groq` does not do sounds at an address: send the contents",
        ),
        (
            Part::Video(Media::bytes("video/mp4", &b"v"[..])),
            "the provider `groq` does not do videos in a conversation",
        ),
        (
            Part::Audio(Media::bytes("audio/midi", &b"m"[..])),
            "the provider `groq` does not do sounds of the type `audio/midi`",
        ),
    ];
    for (part, message) in cases {
        let mut request = hello("x");
        let text = ChatMessage::text(nodetool_sdk::models::Role::User, "x");
        request.messages = vec![
            text.clone(),
            ChatMessage {
                parts: vec![part],
                ..text
            },
        ];
        let e = begin(&stub.provider("groq"), request).await.err().unwrap();
        assert_eq!(
            (e.kind, e.message.as_str()),
            (ModelErrorKind::Unsupported, message)
        );
        assert_eq!(e.param.as_deref(), Some("messages[1].content[0]"));
    }
    assert!(stub.asked().is_empty());
}
