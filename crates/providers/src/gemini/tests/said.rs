//! Answers that go well.

use nodetool_sdk::models::{FinishReason, Media, ResponseFormat, Usage};

use super::*;
use crate::stub::SECRET;

fn end(finish: FinishReason) -> [ChatEvent; 2] {
    let usage = Usage {
        input: 50,
        output: 27,
        cached: 30,
        reasoning: 20,
        cost: None,
    };
    [ChatEvent::Usage(usage), ChatEvent::Finish(finish)]
}

fn piece(text: &str) -> ChatEvent {
    ChatEvent::Text(text.into())
}

#[tokio::test]
async fn text_comes_in_pieces_with_usage_and_one_end() {
    let got = answered(ask(vec![say("Hi")]), Reply::events(hello())).await;
    assert_eq!(got[..2], [piece("Hello"), piece(", wörld €😀!")]);
    assert_eq!(got[2..], end(FinishReason::Stop));
}

#[tokio::test]
async fn where_the_network_cuts_the_stream_does_not_matter() {
    let whole = answered(ask(vec![say("Hi")]), Reply::events(hello())).await;
    for size in 1..=7 {
        let cut = answered(ask(vec![say("Hi")]), Reply::events(hello()).cut(size)).await;
        assert_eq!(cut, whole, "{size}");
    }
}

#[tokio::test]
async fn the_key_is_in_a_header_and_not_in_the_address() {
    let stub = Stub::new([Reply::events(hello())]).await;
    let stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    Answer::of(stream).await.unwrap();
    let seen = &stub.seen()[0];
    let line = "POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse";
    assert_eq!(seen.line, line);
    assert_eq!(seen.headers["x-goog-api-key"], SECRET);
}

#[tokio::test]
async fn calls_get_ids_where_the_api_gives_none() {
    let call = |args: Value| json!({"functionCall": {"name": "weather", "args": args}});
    let mut named = call(json!({"city": "Rom"}));
    named["functionCall"]["id"] = json!("fc-1");
    let body = events(&[
        next(json!([call(json!({"city": "Köln"}))])),
        last(json!([named, {"functionCall": {"name": "now"}}]), "STOP"),
    ]);
    let got = answered(ask(vec![say("Weather?")]), Reply::events(body)).await;
    let mut ids = Vec::new();
    let mut calls = Vec::new();
    for event in &got {
        match event {
            ChatEvent::ToolCall {
                index,
                id,
                name,
                signature: None,
            } => {
                ids.push(id.clone());
                calls.push(format!("{index} {name}"));
            }
            ChatEvent::ToolArguments { index, text } => calls.push(format!("{index} {text}")),
            _ => {}
        }
    }
    let expected = [
        "0 weather",
        "0 {\"city\":\"Köln\"}",
        "1 weather",
        "1 {\"city\":\"Rom\"}",
        "2 now",
        "2 {}",
    ];
    assert_eq!(calls, expected);
    assert!(ids[0].starts_with("call_") && ids[0].len() == 37, "{ids:?}");
    assert_eq!(ids[1], "fc-1");
    assert_ne!(ids[0], ids[2]);
    assert_eq!(got[6..], end(FinishReason::ToolCalls));
}

#[tokio::test]
async fn one_call_is_one_call() {
    let call = json!({"functionCall": {"name": "weather", "args": {}}});
    let body = events(&[last(json!([call, call]), "STOP")]);
    let request = ChatRequest {
        parallel_tool_calls: Some(false),
        ..ask(vec![say("Weather?")])
    };
    let got = answered(request, Reply::events(body)).await;
    let calls = got
        .iter()
        .filter(|e| matches!(e, ChatEvent::ToolCall { .. }));
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn signatures_go_back_as_they_came() {
    let calls = json!([
        {"text": "I think.", "thought": true},
        {"text": "I look."},
        {"functionCall": {"name": "weather", "args": {"city": "Rom"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "weather", "args": {"city": "Ulm"}}}
    ]);
    let end = json!([{"text": "", "thoughtSignature": "ZW5k"}]);
    let stub = Stub::new([
        Reply::events(events(&[last(calls, "STOP")])),
        Reply::events(events(&[
            next(json!([{"text": "Ah.", "thought": true, "thoughtSignature": "YWg="}])),
            next(json!([{"text": "Sunny."}])),
            last(end, "STOP"),
        ])),
        Reply::events(hello()),
    ])
    .await;
    let account = account(&stub);
    let mut request = ChatRequest {
        model: "gemini-3-pro-preview".into(),
        tools: vec![weather()],
        ..ask(vec![say("Weather?")])
    };
    let answer = Answer::of(chat(&account, request.clone()).await.unwrap())
        .await
        .unwrap();
    let made = answer.tool_calls.clone();
    request.messages.push(answer.into_message());
    request
        .messages
        .push(ChatMessage::tool(&made[0], "{\"sky\":\"blue\"}"));
    request.messages.push(ChatMessage::tool(&made[1], "grey"));
    let answer = Answer::of(chat(&account, request.clone()).await.unwrap())
        .await
        .unwrap();
    request.messages.push(answer.into_message());
    request.messages.push(say("Thanks."));
    Answer::of(chat(&account, request).await.unwrap())
        .await
        .unwrap();
    let expected = json!([
        {"role": "user", "parts": [{"text": "Weather?"}]},
        {"role": "model", "parts": [
            {"text": "I look."},
            {"functionCall": {"id": made[0].id, "name": "weather", "args": {"city": "Rom"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": made[1].id, "name": "weather", "args": {"city": "Ulm"}}}
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": made[0].id, "name": "weather", "response": {"sky": "blue"}}},
            {"functionResponse": {"id": made[1].id, "name": "weather", "response": {"result": "grey"}}}
        ]},
        {"role": "model", "parts": [
            {"text": "Ah.", "thought": true, "thoughtSignature": "YWg="},
            {"text": "Sunny."},
            {"text": "", "thoughtSignature": "ZW5k"}
        ]},
        {"role": "user", "parts": [{"text": "Thanks."}]}
    ]);
    assert_eq!(stub.seen()[2].body["contents"], expected);
}

#[tokio::test]
async fn thoughts_are_reasoning_and_pictures_are_files() {
    let body = events(&[
        next(json!([{"text": "Hm.", "thought": true}])),
        last(
            json!([{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]),
            "STOP",
        ),
    ]);
    let got = answered(ask(vec![say("Draw")]), Reply::events(body)).await;
    let file = ChatEvent::File(Media::bytes("image/png", "hi"));
    assert_eq!(got[..2], [ChatEvent::Reasoning("Hm.".into()), file]);
    assert_eq!(got[2..], end(FinishReason::Stop));
}

fn as_json(tools: Vec<ToolSpec>) -> ChatRequest {
    ChatRequest {
        tools,
        response_format: Some(ResponseFormat::JsonSchema {
            name: "city".into(),
            description: None,
            schema: value(json!({"type": "object", "properties": {"name": {"const": "Rom"}}})),
            strict: None,
        }),
        ..ask(vec![say("A city?")])
    }
}

#[tokio::test]
async fn next_to_tools_an_answer_with_a_form_comes_as_a_call_and_is_text() {
    let output = json!({"functionCall": {"name": "json_output", "args": {"name": "Rom"}}});
    let body = events(&[
        next(json!([{"text": "Here:"}])),
        last(json!([output]), "STOP"),
    ]);
    let alone = answered(as_json(vec![weather()]), Reply::events(body)).await;
    assert_eq!(alone[0], piece("{\"name\":\"Rom\"}"));
    assert_eq!(alone[1..], end(FinishReason::Stop));

    let other = json!({"functionCall": {"name": "weather", "args": {}}});
    let body = events(&[last(json!([{"text": "First."}, output, other]), "STOP")]);
    let beside = answered(as_json(vec![weather()]), Reply::events(body)).await;
    assert!(matches!(&beside[0], ChatEvent::ToolCall { index: 0, name, .. } if name == "weather"));
    assert_eq!(beside[2], piece("First."));
    assert_eq!(beside[3..], end(FinishReason::ToolCalls));
}

#[tokio::test]
async fn every_reason_to_stop_has_its_word() {
    for (reason, finish) in [
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("RECITATION", FinishReason::ContentFilter),
        ("PROHIBITED_CONTENT", FinishReason::ContentFilter),
        ("IMAGE_SAFETY", FinishReason::ContentFilter),
    ] {
        let body = events(&[last(json!([{"text": "a"}]), reason)]);
        let got = answered(ask(vec![say("Hi")]), Reply::events(body)).await;
        assert_eq!(got[1..], end(finish), "{reason}");
    }
}
