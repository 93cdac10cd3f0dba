//! Answers that go well.

use nodetool_sdk::models::{Answer, FinishReason, ResponseFormat, Usage};

use super::*;
use crate::stub::SECRET;

fn usage() -> ChatEvent {
    ChatEvent::Usage(Usage {
        input: 123,
        output: 15,
        cached: 100,
        ..Usage::default()
    })
}

fn piece(text: &str) -> ChatEvent {
    ChatEvent::Text(text.into())
}

fn called(index: u32, id: &str, name: &str) -> ChatEvent {
    ChatEvent::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
        signature: None,
    }
}

fn arguments(index: u32, text: &str) -> ChatEvent {
    ChatEvent::ToolArguments {
        index,
        text: text.into(),
    }
}

#[tokio::test]
async fn text_comes_in_pieces_with_usage_and_one_end() {
    let expected = [
        piece("Hello"),
        piece(", wörld €😀!"),
        usage(),
        ChatEvent::Finish(FinishReason::Stop),
    ];
    assert_eq!(
        answered(ask(vec![say("Hi")]), Reply::events(hello())).await,
        expected
    );
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
async fn the_request_has_the_headers_of_the_api_and_no_key_in_its_address() {
    let stub = Stub::new([Reply::events(hello())]).await;
    let stream = chat(&account(&stub), ask(vec![say("Hi")])).await.unwrap();
    Answer::of(stream).await.unwrap();
    let seen = &stub.seen()[0];
    assert_eq!(seen.line, "POST /v1/messages");
    assert_eq!(seen.headers["x-api-key"], SECRET);
    assert_eq!(seen.headers["anthropic-version"], "2023-06-01");
    assert_eq!(seen.headers["content-type"], "application/json");
}

#[tokio::test]
async fn several_tools_are_called_in_pieces() {
    let body = message(
        &[
            text(0, &["Let me look."]),
            tool(
                1,
                "toolu_1",
                "weather",
                &["", "{\"ci", "ty\":\"Kö", "ln\"}"],
            ),
            tool(2, "toolu_2", "now", &[""]),
        ],
        "tool_use",
    );
    let expected = [
        piece("Let me look."),
        called(0, "toolu_1", "weather"),
        arguments(0, "{\"ci"),
        arguments(0, "ty\":\"Kö"),
        arguments(0, "ln\"}"),
        called(1, "toolu_2", "now"),
        arguments(1, "{}"),
        usage(),
        ChatEvent::Finish(FinishReason::ToolCalls),
    ];
    let got = answered(ask(vec![say("Weather?")]), Reply::events(body).cut(3)).await;
    assert_eq!(got, expected);
}

#[tokio::test]
async fn arguments_that_come_whole_at_the_start_count() {
    let block = json!({"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Rom"}});
    let body = message(&[vec![start(0, block), stop(0)]], "tool_use");
    let got = answered(ask(vec![say("Weather?")]), Reply::events(body)).await;
    assert_eq!(got[1], arguments(0, "{\"city\":\"Rom\"}"));
}

#[tokio::test]
async fn thinking_goes_back_as_it_came() {
    let thinking = |index, pieces: &[&str], signature: &str| {
        let mut block = vec![start(
            index,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
        )];
        block.extend(
            pieces
                .iter()
                .map(|p| delta(index, "thinking_delta", "thinking", p)),
        );
        block.push(delta(index, "signature_delta", "signature", signature));
        block.push(stop(index));
        block
    };
    let redacted = json!({"type": "redacted_thinking", "data": "EmwKAhgB"});
    let body = message(
        &[
            thinking(0, &["Köln is ", "in Germany."], "EqQBCgIYAhIM=="),
            vec![start(1, redacted), stop(1)],
            thinking(2, &["So I ask."], "EuYBCkQ="),
            tool(3, "toolu_1", "weather", &["{\"city\":\"Köln\"}"]),
        ],
        "tool_use",
    );
    let stub = Stub::new([Reply::events(body), Reply::events(hello())]).await;
    let account = account(&stub);
    let mut request = ask(vec![say("Weather?")]);
    request.tools = vec![weather()];
    request.reasoning_effort = Some("low".into());
    let stream = chat(&account, request.clone()).await.unwrap();
    let answer = Answer::of(stream).await.unwrap();
    assert_eq!(answer.reasoning, "Köln is in Germany.So I ask.");
    let made = answer.tool_calls[0].clone();
    request.messages.push(answer.into_message());
    request
        .messages
        .push(ChatMessage::tool(&made, "{\"sky\":\"grey\"}"));
    let stream = chat(&account, request).await.unwrap();
    Answer::of(stream).await.unwrap();
    let sent = &stub.seen()[1].body;
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Köln is in Germany.", "signature": "EqQBCgIYAhIM=="},
            {"type": "redacted_thinking", "data": "EmwKAhgB"},
            {"type": "thinking", "thinking": "So I ask.", "signature": "EuYBCkQ="},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "{\"sky\":\"grey\"}"}]}
        ]}
    ]);
    assert_eq!(sent["messages"], expected);
    assert_eq!(
        sent["thinking"],
        json!({"type": "enabled", "budget_tokens": 2048})
    );
}

fn as_json(tools: Vec<ToolSpec>) -> ChatRequest {
    ChatRequest {
        tools,
        response_format: Some(ResponseFormat::JsonSchema {
            name: "city".into(),
            description: Some("A city.".into()),
            schema: value(json!({"type": "object", "properties": {"name": {"type": "string"}}})),
            strict: Some(true),
        }),
        ..ask(vec![say("A city?")])
    }
}

#[tokio::test]
async fn an_answer_with_a_form_is_text_although_it_comes_as_a_call() {
    let body = message(
        &[tool(
            0,
            "toolu_1",
            "json_output",
            &["{\"name\":", "\"Rom\"}"],
        )],
        "tool_use",
    );
    let expected = [
        piece("{\"name\":"),
        piece("\"Rom\"}"),
        usage(),
        ChatEvent::Finish(FinishReason::Stop),
    ];
    assert_eq!(
        answered(as_json(Vec::new()), Reply::events(body)).await,
        expected
    );
}

#[tokio::test]
async fn next_to_tools_the_answer_with_a_form_counts_only_if_none_is_called() {
    let output = || tool(1, "toolu_1", "json_output", &["{\"name\":", "\"Rom\"}"]);
    let body = message(&[text(0, &["Here:"]), output()], "tool_use");
    let alone = answered(as_json(vec![weather()]), Reply::events(body)).await;
    let finish = ChatEvent::Finish;
    assert_eq!(
        alone,
        [
            piece("{\"name\":\"Rom\"}"),
            usage(),
            finish(FinishReason::Stop)
        ]
    );
    let other = tool(2, "toolu_2", "weather", &["{}"]);
    let body = message(&[text(0, &["First I look."]), output(), other], "tool_use");
    let beside = answered(as_json(vec![weather()]), Reply::events(body)).await;
    let expected = [
        called(0, "toolu_2", "weather"),
        arguments(0, "{}"),
        piece("First I look."),
        usage(),
        finish(FinishReason::ToolCalls),
    ];
    assert_eq!(beside, expected);
}

#[tokio::test]
async fn a_model_that_will_not_call_says_its_answer_as_text() {
    let body = message(&[text(0, &["I cannot ", "say."])], "refusal");
    let got = answered(as_json(Vec::new()), Reply::events(body)).await;
    let end = ChatEvent::Finish(FinishReason::ContentFilter);
    assert_eq!(got, [piece("I cannot say."), usage(), end]);
}

#[tokio::test]
async fn every_reason_to_stop_has_its_word() {
    for (reason, finish) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("refusal", FinishReason::ContentFilter),
    ] {
        let body = message(&[text(0, &["a"])], reason);
        let got = answered(ask(vec![say("Hi")]), Reply::events(body)).await;
        assert_eq!(got.last(), Some(&ChatEvent::Finish(finish)), "{reason}");
    }
}

#[tokio::test]
async fn events_and_blocks_of_the_future_are_passed_over() {
    let body = message(
        &[
            vec![json!({"type": "news", "index": 9})],
            vec![
                start(0, json!({"type": "server_thing", "id": "s"})),
                delta(0, "input_json_delta", "partial_json", "{}"),
                delta(0, "thing_delta", "thing", "x"),
                stop(0),
            ],
            text(1, &["a"]),
        ],
        "end_turn",
    );
    let got = answered(ask(vec![say("Hi")]), Reply::events(body)).await;
    assert_eq!(
        got,
        [piece("a"), usage(), ChatEvent::Finish(FinishReason::Stop)]
    );
}
