//! The Responses API.

use axum::response::Response;
use nodetool_sdk::models::{
    ChatEvent, ChatMessage, ChatRequest, FinishReason, Media, ModelErrorKind, Part, ResponseFormat,
    Role, ToolCall, ToolChoice, ToolSpec, Usage,
};
use nodetool_sdk::protocol::Value as Plain;
use serde_json::{Value, json};

use super::stub::{Reply, Stub, all, answer, begin, finish, hello, in_pieces, status, stream_of};

fn told(events: &[Value]) -> String {
    let event = |(number, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = json!(number);
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    events.iter().enumerate().map(event).collect()
}

fn stream(events: &[Value]) -> Response {
    in_pieces("text/event-stream", told(events).as_bytes())
}

fn text(delta: &str) -> Value {
    json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0,
        "delta": delta, "logprobs": []})
}

/// A response in a state, with what is told of it.
fn response(state: &str, about: Value) -> Value {
    let mut response = json!({"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "status": state,
        "error": null, "incomplete_details": null, "output": [], "parallel_tool_calls": true, "tool_choice": "auto",
        "tools": []});
    for (field, value) in about.as_object().unwrap() {
        response[field] = value.clone();
    }
    response
}

fn completed() -> Value {
    let usage = json!({"input_tokens": 20, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
        "output_tokens": 12, "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 32});
    json!({"type": "response.completed", "response": response("completed", json!({"usage": usage}))})
}

#[tokio::test]
async fn reasoning_text_and_calls_are_read_from_typed_events() {
    let stub = Stub::with(stream(&[
        json!({"type": "response.created", "response": response("in_progress", json!({}))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "First"}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 1, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 1, "delta": "Then"}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}}),
        text("Grüß "),
        text("😀"),
        json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": ""}}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "{\"city\":"}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "\"Rome\"}"}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "name": "weather", "arguments": "{\"city\":\"Rome\"}"}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Rome\"}"}}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "time", "arguments": "{}"}}),
        completed(),
    ]))
    .await;
    let got = begin(&stub.provider("openai"), hello("gpt-5"))
        .await
        .unwrap();
    let call = |index: u32, id: &str, name: &str| ChatEvent::ToolCall {
        index,
        id: id.to_owned(),
        name: name.to_owned(),
        signature: None,
    };
    let arguments = |index: u32, text: &str| ChatEvent::ToolArguments {
        index,
        text: text.to_owned(),
    };
    let sealed = "{\"encrypted_content\":\"sealed\",\"id\":\"rs_1\",\"type\":\"reasoning\"}\n";
    let expected = vec![
        ChatEvent::Reasoning("First".into()),
        ChatEvent::Reasoning("\n\n".into()),
        ChatEvent::Reasoning("Then".into()),
        ChatEvent::ReasoningSignature(sealed.into()),
        ChatEvent::Text("Grüß ".into()),
        ChatEvent::Text("😀".into()),
        call(0, "call_1", "weather"),
        arguments(0, "{\"city\":"),
        arguments(0, "\"Rome\"}"),
        call(1, "call_2", "time"),
        arguments(1, "{}"),
        ChatEvent::Usage(Usage {
            input: 20,
            output: 12,
            cached: 8,
            reasoning: 5,
            cost: None,
        }),
        ChatEvent::Finish(FinishReason::ToolCalls),
    ];
    assert_eq!(all(got).await, (expected, None));
}

#[tokio::test]
async fn the_request_has_items_and_everything_that_was_asked() {
    let stub = Stub::with(stream(&[completed()])).await;
    let call = ToolCall {
        id: "call_1".into(),
        name: "weather".into(),
        arguments: "{\"city\":\"Rome\"}".into(),
        ..ToolCall::default()
    };
    let sealed =
        |content: &str| json!({"type": "reasoning", "id": "rs_1", "encrypted_content": content});
    let assistant = ChatMessage {
        parts: vec![
            Part::Thought {
                text: "hm".into(),
                signature: Some(format!("{}\n{}\n", sealed("older"), sealed("sealed"))),
            },
            Part::Text("Let me see.".into()),
        ],
        tool_calls: vec![call.clone()],
        ..ChatMessage::text(Role::Assistant, "")
    };
    let mut seen = ChatMessage::tool(&call, "sunny");
    seen.parts
        .push(Part::Image(Media::bytes("image/png", &b"hi"[..])));
    let pdf = Media {
        name: Some("a.pdf".into()),
        ..Media::bytes("application/pdf", &b"%PDF"[..])
    };
    let request = ChatRequest {
        messages: vec![
            ChatMessage::text(Role::System, "Be brief."),
            ChatMessage {
                parts: vec![Part::Text("Look".into()), Part::Document(pdf)],
                ..ChatMessage::text(Role::User, "")
            },
            assistant,
            ChatMessage::tool(&call, "sunny"),
            seen,
        ],
        tools: vec![ToolSpec {
            name: "weather".into(),
            description: "Tells the weather.".into(),
            parameters: serde_json::from_value::<Plain>(json!({"type": "object"})).unwrap(),
            strict: Some(true),
        }],
        tool_choice: Some(ToolChoice::Named("weather".into())),
        parallel_tool_calls: Some(true),
        response_format: Some(ResponseFormat::JsonSchema {
            name: "x".into(),
            description: None,
            schema: serde_json::from_value::<Plain>(json!({"type": "object"})).unwrap(),
            strict: Some(true),
        }),
        max_tokens: Some(100),
        temperature: Some(1.0),
        reasoning_effort: Some("low".into()),
        end_user: Some("somebody".into()),
        openai_fields: [
            ("verbosity".into(), "low".into()),
            ("service_tier".into(), "flex".into()),
            ("store".into(), true.into()),
        ]
        .into_iter()
        .collect(),
        ..hello("gpt-5-mini")
    };
    answer(&stub.provider("openai"), request).await.unwrap();
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/responses");
    let expected = json!({
        "model": "gpt-5-mini",
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "sealed"},
            {"type": "message", "role": "assistant", "content": "Let me see."},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{\"city\":\"Rome\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
            {"type": "function_call_output", "call_id": "call_1", "output": [
                {"type": "input_text", "text": "sunny"},
                {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
            ]},
        ],
        "stream": true,
        "store": true,
        "service_tier": "flex",
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 100,
        "reasoning": {"effort": "low", "summary": "auto"},
        "user": "somebody",
        "tools": [{"type": "function", "name": "weather", "description": "Tells the weather.",
            "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": {"type": "function", "name": "weather"},
        "parallel_tool_calls": true,
        "text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": true}, "verbosity": "low"},
    });
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn answers_that_stop_short_say_why() {
    let incomplete = |reason: &str| {
        let usage = json!({"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 3});
        let about = json!({"incomplete_details": {"reason": reason}, "usage": usage});
        json!({"type": "response.incomplete", "response": response("incomplete", about)})
    };
    let refusal = json!({"type": "response.refusal.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
        "delta": "No."});
    let cases = [
        (
            vec![text("Hi"), incomplete("max_output_tokens")],
            FinishReason::Length,
        ),
        (
            vec![text("Hi"), incomplete("content_filter")],
            FinishReason::ContentFilter,
        ),
        (vec![refusal, completed()], FinishReason::ContentFilter),
        (vec![text("Hi"), completed()], FinishReason::Stop),
    ];
    for (events, finish) in cases {
        let stub = Stub::with(stream(&events)).await;
        let got = answer(&stub.provider("openai"), hello("o3-pro"))
            .await
            .unwrap();
        assert_eq!(got.finish, Some(finish));
        assert!(got.usage.is_some() && !got.text.is_empty());
    }
}

#[tokio::test]
async fn failures_are_told_in_three_ways() {
    let failed = |code: &str| {
        let about = json!({"error": {"code": code, "message": "sorry"}});
        json!({"type": "response.failed", "response": response("failed", about)})
    };
    let cases = [
        (failed("server_error"), ModelErrorKind::Server),
        (
            failed("rate_limit_exceeded"),
            ModelErrorKind::RateLimited { retry_after: None },
        ),
        (
            failed("context_length_exceeded"),
            ModelErrorKind::ContextTooLong,
        ),
        (
            json!({"type": "error", "code": "invalid_prompt", "message": "sorry", "param": null}),
            ModelErrorKind::BadRequest,
        ),
        (
            json!({"type": "error", "error": {"type": "invalid_request_error", "code": null, "message": "sorry"}}),
            ModelErrorKind::BadRequest,
        ),
    ];
    for (event, kind) in cases {
        let stub = Stub::with(stream(&[text("Hi"), event])).await;
        let got = begin(&stub.provider("openai"), hello("gpt-5"))
            .await
            .unwrap();
        let (came, failed) = all(got).await;
        let failed = failed.unwrap();
        assert_eq!(came, [ChatEvent::Text("Hi".into())]);
        assert_eq!((failed.kind, failed.message.as_str()), (kind, "sorry"));
    }
    let stub = Stub::with(stream(&[text("Hi")])).await;
    let e = answer(&stub.provider("openai"), hello("gpt-5"))
        .await
        .unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Connection);
}

#[tokio::test]
async fn accounts_that_get_no_summaries_get_answers() {
    let refusal = json!({"error": {"message": "Your organization must be verified to generate reasoning summaries.",
        "type": "invalid_request_error", "param": "reasoning.summary", "code": "unsupported_value"}});
    let good = || Reply::With(stream(&[text("Hi"), completed()]));
    let stub = Stub::answering([Reply::With(status(400, refusal)), good(), good()]).await;
    let provider = stub.provider("openai");
    for _ in 0..2 {
        assert_eq!(answer(&provider, hello("gpt-5")).await.unwrap().text, "Hi");
    }
    let reasoning: Vec<Value> = stub
        .asked()
        .iter()
        .map(|a| a.json()["reasoning"].clone())
        .collect();
    assert_eq!(
        reasoning,
        [json!({"summary": "auto"}), Value::Null, Value::Null]
    );
}

#[tokio::test]
async fn requests_without_words_here_go_the_other_way_or_are_refused() {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    let request = |model: &str| ChatRequest {
        seed: Some(1),
        ..hello(model)
    };
    answer(&stub.provider("openai"), request("gpt-5"))
        .await
        .unwrap();
    assert_eq!(stub.asked_once().path, "/v1/chat/completions");
    let e = begin(&stub.provider("openai"), request("gpt-5-pro"))
        .await
        .err()
        .unwrap();
    assert_eq!(
        (e.kind, e.param.as_deref()),
        (ModelErrorKind::Unsupported, Some("seed"))
    );
    assert_eq!(
        e.message,
        "the provider `openai` does not do `seed` with the model `gpt-5-pro`"
    );
}

#[tokio::test]
async fn a_model_that_says_it_has_only_this_form_is_asked_again() {
    let message = "This model is only supported in v1/responses and not in v1/chat/completions.";
    let refusal = json!({"error": {"message": message, "type": "invalid_request_error", "param": "model", "code": null}});
    let good = Reply::With(stream(&[text("Hi"), completed()]));
    let stub = Stub::answering([Reply::With(status(404, refusal)), good]).await;
    let got = answer(&stub.provider("openai"), hello("gpt-9"))
        .await
        .unwrap();
    assert_eq!(got.text, "Hi");
    let paths: Vec<String> = stub.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/v1/chat/completions", "/v1/responses"]);
}

#[tokio::test]
async fn signatures_of_other_providers_stay_here() {
    let stub = Stub::with(stream(&[completed()])).await;
    let mut request = hello("gpt-5");
    request.messages.push(ChatMessage {
        parts: vec![
            Part::Thought {
                text: "hm".into(),
                signature: Some("EqQBCkYIARgCKkB=".into()),
            },
            Part::Text("Well".into()),
        ],
        ..ChatMessage::text(Role::Assistant, "")
    });
    answer(&stub.provider("openai"), request).await.unwrap();
    let expected = json!([
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
        {"type": "message", "role": "assistant", "content": "Well"},
    ]);
    assert_eq!(stub.asked_once().json()["input"], expected);
}
