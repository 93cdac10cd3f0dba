//! Chat completions that go well.

use nodetool_sdk::models::{
    Answer, ChatEvent, ChatMessage, ChatRequest, FinishReason, Media, MediaSource, Part,
    ResponseFormat, Role, ToolCall, ToolChoice, ToolSpec, Usage,
};
use nodetool_sdk::protocol::{Map, Value as Plain};
use serde_json::{Value, json};

use super::stub::{
    KEY, Stub, all, answer, begin, delta, events, finish, hello, in_pieces, ok, stream_of, whole,
};

fn plain(value: Value) -> Plain {
    serde_json::from_value(value).unwrap()
}

fn weather() -> ToolSpec {
    ToolSpec {
        name: "weather".to_owned(),
        description: "Tells the weather.".to_owned(),
        parameters: plain(json!({"type": "object", "properties": {"city": {"type": "string"}}})),
        ..ToolSpec::default()
    }
}

#[tokio::test]
async fn an_answer_is_streamed_with_usage_and_one_finish() {
    let stub = Stub::with(stream_of(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo"})),
        finish("stop"),
        json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.5}}),
    ]))
    .await;
    let stream = begin(&stub.provider("openai"), hello("gpt-4o"))
        .await
        .unwrap();
    let usage = Usage {
        input: 9,
        output: 2,
        cached: 4,
        reasoning: 0,
        cost: Some(0.5),
    };
    let expected = vec![
        ChatEvent::Text("Hel".into()),
        ChatEvent::Text("lo".into()),
        ChatEvent::Usage(usage),
        ChatEvent::Finish(FinishReason::Stop),
    ];
    assert_eq!(all(stream).await, (expected, None));
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/chat/completions");
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(asked.headers["content-type"], "application/json");
    let expected = json!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn arguments_that_are_no_json_go_only_to_servers_that_do_not_read_them() {
    for (provider, arguments) in [("openai", "{\"city\":"), ("groq", "{}")] {
        let stub = Stub::with(stream_of(&[finish("stop")])).await;
        let call = ToolCall {
            id: "c".into(),
            name: "weather".into(),
            arguments: "{\"city\":".into(),
            ..ToolCall::default()
        };
        let called = ChatMessage {
            tool_calls: vec![call.clone()],
            ..ChatMessage::text(Role::Assistant, "")
        };
        let request = ChatRequest {
            messages: vec![called, ChatMessage::tool(&call, "no JSON")],
            ..hello("m")
        };
        answer(&stub.provider(provider), request).await.unwrap();
        let asked = stub.asked_once().json();
        let sent = &asked["messages"][0]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(sent, arguments, "{provider}");
    }
}

/// Fields for OpenAI alone.
fn fields() -> Map {
    Map::from_iter([
        ("service_tier".into(), "flex".into()),
        ("metadata".into(), plain(json!({"team": "a"}))),
    ])
}

#[tokio::test]
async fn fields_for_openai_alone_go_to_no_other_host() {
    for (provider, goes) in [("openai", true), ("openrouter", true), ("groq", false)] {
        let stub = Stub::with(stream_of(&[finish("stop")])).await;
        let request = ChatRequest {
            openai_fields: fields(),
            ..hello("m")
        };
        answer(&stub.provider(provider), request).await.unwrap();
        let asked = stub.asked_once().json();
        assert_eq!(asked.get("service_tier").is_some(), goes, "{provider}");
        assert_eq!(asked.get("metadata").is_some(), goes, "{provider}");
    }
}

#[tokio::test]
async fn who_asks_is_told_under_one_name() {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    let named = [("safety_identifier".into(), "s".into())];
    let request = ChatRequest {
        end_user: Some("s".into()),
        openai_fields: Map::from_iter(named),
        ..hello("gpt-4o")
    };
    answer(&stub.provider("openai"), request).await.unwrap();
    let asked = stub.asked_once().json();
    assert_eq!(asked["safety_identifier"], "s");
    assert!(asked.get("user").is_none());
}

#[tokio::test]
async fn everything_that_can_be_asked_is_passed_on() {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    let request = ChatRequest {
        tools: vec![ToolSpec {
            strict: Some(true),
            ..weather()
        }],
        tool_choice: Some(ToolChoice::Named("weather".into())),
        parallel_tool_calls: Some(false),
        response_format: Some(ResponseFormat::JsonSchema {
            name: "a city!".into(),
            description: Some("A city".into()),
            schema: plain(json!({"type": "object"})),
            strict: Some(true),
        }),
        max_tokens: Some(100),
        temperature: Some(0.5),
        top_p: Some(0.9),
        stop: vec!["END".into()],
        seed: Some(7),
        presence_penalty: Some(0.25),
        frequency_penalty: Some(-0.5),
        logprobs: Some(3),
        reasoning_effort: Some("low".into()),
        end_user: Some("somebody".into()),
        openai_fields: fields(),
        ..hello("gpt-4o")
    };
    answer(&stub.provider("openai"), request).await.unwrap();
    let expected = json!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 0.25,
        "frequency_penalty": -0.5,
        "stop": ["END"],
        "seed": 7,
        "logprobs": true,
        "top_logprobs": 3,
        "reasoning_effort": "low",
        "user": "somebody",
        "tools": [{"type": "function", "function": {"name": "weather", "description": "Tells the weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}, "strict": true}}],
        "service_tier": "flex",
        "metadata": {"team": "a"},
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "a_city_", "description": "A city",
            "schema": {"type": "object"}, "strict": true}},
    });
    assert_eq!(stub.asked_once().json(), expected);
}

#[tokio::test]
async fn properties_of_a_schema_keep_their_order() {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    let schema: Plain = serde_json::from_str(
        r#"{"type":"object","properties":{"steps":{"type":"string"},"answer":{"type":"string"}}}"#,
    )
    .unwrap();
    let request = ChatRequest {
        response_format: Some(ResponseFormat::JsonSchema {
            name: "x".into(),
            description: None,
            schema,
            strict: None,
        }),
        ..hello("gpt-4o")
    };
    answer(&stub.provider("openai"), request).await.unwrap();
    let body = String::from_utf8(stub.asked_once().body.to_vec()).unwrap();
    assert!(body.find("steps") < body.find("answer"), "{body}");
}

#[tokio::test]
async fn models_that_reason_are_bounded_by_another_field_and_spared_what_they_refuse() {
    let stub = Stub::with(stream_of(&[finish("length")])).await;
    let request = ChatRequest {
        max_tokens: Some(50),
        temperature: Some(1.0),
        top_p: Some(1.0),
        presence_penalty: Some(0.0),
        ..hello("o3-mini")
    };
    let got = answer(&stub.provider("openai"), request).await.unwrap();
    assert_eq!(got.finish, Some(FinishReason::Length));
    let expected = json!({
        "model": "o3-mini",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 50,
    });
    assert_eq!(stub.asked_once().json(), expected);
}

#[tokio::test]
async fn a_conversation_with_contents_and_tools_is_written_out() {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    let call = ToolCall {
        index: 0,
        id: "call_1".into(),
        name: "weather".into(),
        arguments: "{\"city\":\"Rome\"}".into(),
        signature: None,
    };
    let broken = ToolCall {
        index: 1,
        id: "call_2".into(),
        arguments: "{\"city\":".into(),
        ..call.clone()
    };
    let named = |mut media: Media, name: &str| {
        media.name = Some(name.to_owned());
        media
    };
    let user = ChatMessage {
        name: Some("Ann B.".into()),
        parts: vec![
            Part::Text("What is this?".into()),
            Part::Image(Media::bytes("", &b"\x89PNG"[..])),
            Part::Image(Media {
                mime: String::new(),
                name: None,
                source: MediaSource::Url("https://example.com/a.png".into()),
            }),
            Part::Audio(Media::bytes("audio/mpeg", &b"snd"[..])),
            Part::Document(named(
                Media::bytes("application/pdf", &b"%PDF"[..]),
                "a.pdf",
            )),
            Part::Document(named(Media::bytes("text/csv", &b"a,b"[..]), "a.csv")),
        ],
        ..ChatMessage::text(Role::User, "")
    };
    let assistant = ChatMessage {
        parts: vec![Part::Thought {
            text: "hm".into(),
            signature: None,
        }],
        tool_calls: vec![call.clone(), broken.clone()],
        ..ChatMessage::text(Role::Assistant, "")
    };
    let mut seen = ChatMessage::tool(&call, "sunny");
    seen.parts
        .push(Part::Image(Media::bytes("image/jpeg", &b"jpg"[..])));
    let request = ChatRequest {
        messages: vec![
            ChatMessage::text(Role::System, "Be brief."),
            user,
            assistant,
            seen,
            ChatMessage::tool(&broken, "no JSON"),
            ChatMessage::text(Role::Assistant, "It is sunny."),
        ],
        ..hello("gpt-4o")
    };
    answer(&stub.provider("openai"), request).await.unwrap();
    let expected = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "Ann_B_", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "input_audio", "input_audio": {"data": "c25k", "format": "mp3"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            {"type": "text", "text": "a.csv:\n\na,b"},
        ]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}},
            {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": "no JSON"},
        {"role": "user", "content": [
            {"type": "text", "text": "The tool gave this:"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,anBn"}},
        ]},
        {"role": "assistant", "content": "It is sunny."},
    ]);
    assert_eq!(stub.asked_once().json()["messages"], expected);
}

#[tokio::test]
async fn several_tools_are_called_at_once() {
    let call = |index: u32, id: &str, name: &str| {
        delta(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]}),
        )
    };
    let piece = |index: u32, text: &str| {
        delta(json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]}))
    };
    let stub = Stub::with(stream_of(&[
        delta(json!({"role": "assistant", "content": null})),
        call(0, "call_a", "weather"),
        piece(0, "{\"city\":"),
        piece(0, "\"Rome\"}"),
        call(1, "call_b", "weather"),
        piece(1, "{\"city\":\"Oslo\"}"),
        finish("tool_calls"),
    ]))
    .await;
    let request = ChatRequest {
        tools: vec![weather()],
        tool_choice: Some(ToolChoice::Required),
        ..hello("gpt-4o")
    };
    let stream = begin(&stub.provider("openai"), request).await.unwrap();
    let call = |index: u32, id: &str| ChatEvent::ToolCall {
        index,
        id: id.to_owned(),
        name: "weather".to_owned(),
        signature: None,
    };
    let piece = |index: u32, text: &str| ChatEvent::ToolArguments {
        index,
        text: text.to_owned(),
    };
    let expected = vec![
        call(0, "call_a"),
        piece(0, "{\"city\":"),
        piece(0, "\"Rome\"}"),
        call(1, "call_b"),
        piece(1, "{\"city\":\"Oslo\"}"),
        ChatEvent::Finish(FinishReason::ToolCalls),
    ];
    assert_eq!(all(stream).await, (expected, None));
    assert_eq!(stub.asked_once().json()["tool_choice"], "required");
}

#[tokio::test]
async fn tools_called_by_servers_that_say_stop_are_tool_calls() {
    let whole =
        delta(json!({"tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}]}));
    let stub = Stub::with(stream_of(&[whole, finish("stop")])).await;
    let got = answer(&stub.custom(), hello("local")).await.unwrap();
    assert_eq!(got.finish, Some(FinishReason::ToolCalls));
    assert_eq!(got.tool_calls[0].name, "weather");
}

#[tokio::test]
async fn reasoning_is_told_from_the_answer_in_every_form() {
    let forms: [(&str, Vec<Value>); 5] = [
        (
            "deepseek",
            vec![
                delta(json!({"reasoning_content": "hm", "content": null})),
                delta(json!({"content": "yes", "reasoning_content": null})),
            ],
        ),
        (
            "openrouter",
            vec![
                delta(json!({"reasoning": "hm", "content": ""})),
                delta(json!({"content": "yes", "reasoning": null})),
            ],
        ),
        (
            "custom",
            vec![
                delta(json!({"reasoning": "hm", "reasoning_content": "hm"})),
                delta(json!({"content": "yes"})),
            ],
        ),
        (
            "vllm",
            vec![
                delta(json!({"content": "<thi"})),
                delta(json!({"content": "nk>\nhm"})),
                delta(json!({"content": "\n</think>\n\nyes"})),
            ],
        ),
        (
            "mistral",
            vec![
                delta(
                    json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
                ),
                delta(json!({"content": [{"type": "text", "text": "yes"}]})),
            ],
        ),
    ];
    for (id, mut chunks) in forms {
        chunks.push(finish("stop"));
        let stub = Stub::with(stream_of(&chunks)).await;
        let provider = match id {
            "custom" => stub.custom(),
            id => stub.provider(id),
        };
        let got = answer(&provider, hello("m")).await.unwrap();
        assert_eq!(
            (got.reasoning.as_str(), got.text.as_str()),
            ("hm", "yes"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn logprobs_come_with_their_text() {
    let tokens = json!([{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]);
    let mut chunk = delta(json!({"content": "Hi"}));
    chunk["choices"][0]["logprobs"] = json!({"content": tokens, "refusal": null});
    let stub = Stub::with(stream_of(&[chunk, finish("stop")])).await;
    let request = ChatRequest {
        logprobs: Some(0),
        ..hello("gpt-4o")
    };
    let got = answer(&stub.provider("openai"), request).await.unwrap();
    assert_eq!(got.logprobs, [plain(tokens)]);
    let asked = stub.asked_once().json();
    assert_eq!(asked["logprobs"], true);
    assert!(asked.get("top_logprobs").is_none());
}

#[tokio::test]
async fn a_model_that_declines_ends_as_filtered() {
    let chunks = [delta(json!({"refusal": "I will not."})), finish("stop")];
    let stub = Stub::with(stream_of(&chunks)).await;
    let got = answer(&stub.provider("openai"), hello("gpt-4o"))
        .await
        .unwrap();
    assert_eq!(got.text, "I will not.");
    assert_eq!(got.finish, Some(FinishReason::ContentFilter));
}

#[tokio::test]
async fn pictures_in_an_answer_are_files() {
    let image = json!({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]});
    let stub = Stub::with(stream_of(&[delta(image), finish("stop")])).await;
    let got = answer(&stub.provider("openrouter"), hello("m"))
        .await
        .unwrap();
    assert_eq!(got.files, [Media::bytes("image/png", &b"hi"[..])]);
}

#[tokio::test]
async fn it_does_not_matter_how_the_network_cuts_a_stream() {
    let chunks = [
        delta(json!({"content": "Grüße, 世界 "})),
        delta(json!({"content": "😀\n\ndata: no event"})),
        finish("stop"),
    ];
    let text = format!(
        ": a comment\r\n\r\n{}data: [DONE]\n\n",
        events(&chunks).replace('\n', "\r\n")
    );
    let stub = Stub::with(in_pieces(
        "text/event-stream; charset=utf-8",
        text.as_bytes(),
    ))
    .await;
    let got = answer(&stub.provider("openai"), hello("gpt-4o"))
        .await
        .unwrap();
    assert_eq!(got.text, "Grüße, 世界 😀\n\ndata: no event");
}

#[tokio::test]
async fn the_answer_of_a_server_that_does_not_stream_is_read_too() {
    let stub = Stub::with(ok(json!({
        "id": "c", "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "One moment.",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    })))
    .await;
    let got = answer(&stub.custom(), hello("m")).await.unwrap();
    let expected = Answer {
        text: "One moment.".into(),
        tool_calls: vec![ToolCall {
            id: "a".into(),
            name: "weather".into(),
            arguments: "{}".into(),
            ..ToolCall::default()
        }],
        finish: Some(FinishReason::ToolCalls),
        usage: Some(Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        }),
        ..Answer::default()
    };
    assert_eq!(got, expected);
}

#[tokio::test]
async fn an_answer_that_ends_without_done_is_whole_once_it_is_finished() {
    let text = events(&[delta(json!({"content": "Hi"})), finish("stop")]);
    let stub = Stub::with(whole("text/event-stream", text)).await;
    let got = answer(&stub.custom(), hello("m")).await.unwrap();
    assert_eq!(
        (got.text.as_str(), got.finish),
        ("Hi", Some(FinishReason::Stop))
    );
}
