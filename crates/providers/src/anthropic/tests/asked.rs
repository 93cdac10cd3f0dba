//! What is sent.

use nodetool_sdk::models::{Media, MediaSource, ModelErrorKind, Part, ResponseFormat, ToolChoice};

use super::*;

fn user(parts: Vec<Part>) -> ChatMessage {
    ChatMessage { parts, ..say("") }
}

fn assistant(text: &str, tool_calls: Vec<ToolCall>) -> ChatMessage {
    ChatMessage {
        tool_calls,
        ..ChatMessage::text(Role::Assistant, text)
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false
    })
}

#[tokio::test]
async fn a_plain_request_says_no_more_than_it_has_to() {
    let expected = json!({
        "model": MODEL,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "stream": true
    });
    assert_eq!(body(ask(vec![say("Hi")])).await, expected);
}

#[tokio::test]
async fn every_setting_has_its_place() {
    let request = ChatRequest {
        tools: vec![weather()],
        tool_choice: Some(ToolChoice::Auto),
        parallel_tool_calls: Some(false),
        max_tokens: Some(100),
        temperature: Some(1.7),
        top_p: Some(1.0),
        presence_penalty: Some(0.0),
        stop: vec!["END".into()],
        end_user: Some("user-7".into()),
        reasoning_effort: Some("none".into()),
        ..ask(vec![
            ChatMessage::text(Role::System, "Be kind."),
            say("Hi"),
            ChatMessage::text(Role::System, "Be brief."),
        ])
    };
    let expected = json!({
        "model": MODEL,
        "max_tokens": 100,
        "system": "Be kind.\n\nBe brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "tools": [{"name": "weather", "description": "The weather of a city.", "input_schema": schema()}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "temperature": 1.0,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "user-7"},
        "stream": true
    });
    assert_eq!(body(request).await, expected);
}

#[tokio::test]
async fn every_choice_of_tools_has_its_word() {
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"type": "auto"})),
        (ToolChoice::Required, json!({"type": "any"})),
        (ToolChoice::None, json!({"type": "none"})),
        (
            ToolChoice::Named("weather".into()),
            json!({"type": "tool", "name": "weather"}),
        ),
    ] {
        let request = ChatRequest {
            tools: vec![weather()],
            tool_choice: Some(choice),
            ..ask(vec![say("Hi")])
        };
        assert_eq!(body(request).await["tool_choice"], expected);
    }
}

#[tokio::test]
async fn a_tool_is_strict_when_it_has_to_be() {
    for (strict, expected) in [
        (None, json!(null)),
        (Some(false), json!(null)),
        (Some(true), json!(true)),
    ] {
        let mut tool = weather();
        tool.strict = strict;
        let request = ChatRequest {
            tools: vec![tool],
            ..ask(vec![say("Hi")])
        };
        assert_eq!(body(request).await["tools"][0]["strict"], expected);
    }
}

#[tokio::test]
async fn the_fields_of_a_schema_keep_their_order() {
    let mut tool = weather();
    let parameters =
        r#"{"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"string"}}}"#;
    tool.parameters = serde_json::from_str(parameters).unwrap();
    let stub = Stub::new([Reply::events(hello())]).await;
    let request = ChatRequest {
        tools: vec![tool],
        ..ask(vec![say("Hi")])
    };
    let stream = chat(&account(&stub), request).await.unwrap();
    Answer::of(stream).await.unwrap();
    let text = &stub.seen()[0].text;
    assert!(
        text.contains(r#""properties":{"why":{"type":"string"},"answer":"#),
        "{text}"
    );
}

#[tokio::test]
async fn messages_of_one_speaker_are_one_turn_and_results_of_tools_are_the_users() {
    let (a, b) = (call("toolu_a", "{\"city\":\"Rom\"}"), call("call:b", ""));
    let request = ask(vec![
        say("Hello."),
        say("Weather?"),
        assistant("I look.", vec![a.clone(), b.clone()]),
        ChatMessage::tool(&a, "sunny"),
        ChatMessage::tool(&b, ""),
        say("And?"),
    ]);
    let sent = body(request).await;
    let expected = json!([
        {"role": "user", "content": [
            {"type": "text", "text": "Hello."},
            {"type": "text", "text": "Weather?"}
        ]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_a", "name": "weather", "input": {"city": "Rom"}},
            {"type": "tool_use", "id": "call_b", "name": "weather", "input": {}}
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_a", "content": [{"type": "text", "text": "sunny"}]},
            {"type": "tool_result", "tool_use_id": "call_b"},
            {"type": "text", "text": "And?"}
        ]}
    ]);
    assert_eq!(sent["messages"], expected);
    // Tools of the past have to be told of, although none may be called now.
    assert_eq!(
        sent["tools"],
        json!([{"name": "weather", "input_schema": {"type": "object"}}])
    );
    assert_eq!(sent["tool_choice"], json!({"type": "none"}));
}

#[tokio::test]
async fn arguments_that_were_no_object_are_shown_to_the_model() {
    let made = call("a", "{\"city\":");
    let request = ask(vec![
        say("Weather?"),
        assistant("", vec![made.clone()]),
        ChatMessage::tool(&made, "{\"error\":\"not JSON\"}"),
    ]);
    let sent = body(request).await;
    let input = &sent["messages"][1]["content"][0]["input"];
    assert_eq!(input, &json!({"arguments": "{\"city\":"}));
}

#[tokio::test]
async fn pictures_and_documents_are_blocks() {
    let png = b"\x89PNG\r\n\x1a\n";
    let url = |mime: &str, url: &str| Media {
        mime: mime.into(),
        name: None,
        source: MediaSource::Url(url.into()),
    };
    let named = |media: Media| Media {
        name: Some("a.txt".into()),
        ..media
    };
    let request = ask(vec![user(vec![
        Part::Text("Look:".into()),
        Part::Text(" \n".into()),
        Part::Image(Media::bytes("image/jpeg", &png[..])),
        Part::Image(url("", "https://example.com/a.png")),
        Part::Document(Media::bytes("application/pdf", &b"%PDF-1.4"[..])),
        Part::Document(url("application/pdf", "https://example.com/a.pdf")),
        Part::Document(named(Media::bytes("text/markdown", "# Ä"))),
    ])]);
    let expected = json!([
        {"type": "text", "text": "Look:"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "# Ä"}, "title": "a.txt"}
    ]);
    assert_eq!(body(request).await["messages"][0]["content"], expected);
}

#[tokio::test]
async fn a_form_of_the_answer_is_a_tool_that_has_to_be_called() {
    let format = |tools, tool_choice| ChatRequest {
        tools,
        tool_choice,
        response_format: Some(ResponseFormat::JsonSchema {
            name: "city".into(),
            description: None,
            schema: value(schema()),
            strict: None,
        }),
        ..ask(vec![say("A city?")])
    };
    let output = json!({
        "name": "json_output",
        "description": "Gives the answer, in the form that is asked for.",
        "input_schema": schema()
    });
    let forced = json!({"type": "tool", "name": "json_output"});
    let alone = body(format(Vec::new(), None)).await;
    assert_eq!(alone["tools"], json!([output]));
    assert_eq!(alone["tool_choice"], forced);

    let none = body(format(vec![weather()], Some(ToolChoice::None))).await;
    assert_eq!(none["tools"], json!([output]));
    assert_eq!(none["tool_choice"], forced);

    let beside = body(format(vec![weather()], Some(ToolChoice::Auto))).await;
    assert_eq!(beside["tools"][0]["name"], "weather");
    assert_eq!(beside["tools"][1], output);
    assert_eq!(beside["tool_choice"], json!({"type": "any"}));

    let required = body(format(vec![weather()], Some(ToolChoice::Required))).await;
    assert_eq!(required["tools"].as_array().unwrap().len(), 1);
    assert_eq!(required["tool_choice"], json!({"type": "any"}));

    let object = ChatRequest {
        response_format: Some(ResponseFormat::JsonObject),
        reasoning_effort: Some("low".into()),
        ..ask(vec![say("A city?")])
    };
    let object = body(object).await;
    let open = json!({"type": "object", "additionalProperties": true});
    assert_eq!(object["tools"][0]["input_schema"], open);
    // Models that think cannot be made to call a tool.
    assert_eq!(object["tool_choice"], json!({"type": "auto"}));
    let system = object["system"].as_str().unwrap();
    assert!(system.contains("`json_output`"), "{system}");
}

#[tokio::test]
async fn models_think_by_the_words_they_understand() {
    let think = |model: &str, effort: &str, max_tokens| ChatRequest {
        model: model.into(),
        reasoning_effort: Some(effort.into()),
        temperature: Some(0.5),
        top_p: Some(0.9),
        max_tokens,
        ..ask(vec![say("Hi")])
    };
    let budget = |tokens: u32| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let off = Value::Null;
    for (request, thinking, effort, max_tokens) in [
        (think(MODEL, "minimal", None), budget(1024), None, 9216),
        (think(MODEL, "high", None), budget(16_384), None, 24_576),
        (think(MODEL, "max", None), budget(16_384), None, 24_576),
        (think(MODEL, "medium", Some(4000)), budget(3000), None, 4000),
        (think(MODEL, "high", Some(1000)), off.clone(), None, 1000),
        (
            think("claude-opus-4-6", "minimal", None),
            adaptive.clone(),
            Some("low"),
            16_384,
        ),
        (
            think("claude-opus-4-7", "xhigh", None),
            adaptive.clone(),
            Some("xhigh"),
            24_576,
        ),
        (
            think("claude-opus-4-7", "high", Some(500)),
            adaptive,
            Some("high"),
            500,
        ),
    ] {
        let sent = body(request.clone()).await;
        let what = format!("{} {:?}", request.model, request.reasoning_effort);
        assert_eq!(sent["thinking"], thinking, "{what}");
        assert_eq!(sent["output_config"]["effort"].as_str(), effort, "{what}");
        assert_eq!(sent["max_tokens"], max_tokens, "{what}");
        let temperature = if thinking == off {
            json!(0.5)
        } else {
            off.clone()
        };
        assert_eq!(sent["temperature"], temperature, "{what}");
        assert_eq!(sent["top_p"], off, "{what}");
    }
}

#[tokio::test]
async fn a_turn_that_began_without_thinking_goes_on_without() {
    let made = call("a", "{}");
    let request = |thought: Vec<Part>| {
        let mut asked = assistant("", vec![made.clone()]);
        asked.parts.extend(thought);
        ChatRequest {
            tools: vec![weather()],
            reasoning_effort: Some("low".into()),
            ..ask(vec![say("Hi"), asked, ChatMessage::tool(&made, "1")])
        }
    };
    let foreign = Part::Thought {
        text: "Hm.".into(),
        signature: Some("gemini:3:2:ab;".into()),
    };
    for thought in [Vec::new(), vec![foreign]] {
        let sent = body(request(thought)).await;
        assert_eq!(sent["thinking"], Value::Null);
        let said = sent["messages"][1]["content"].as_array().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
    }
    let own = Part::Thought {
        text: "Hm.".into(),
        signature: Some("anthropic:3:2:ab;".into()),
    };
    assert_eq!(
        body(request(vec![own])).await["thinking"]["type"],
        "enabled"
    );
}

#[tokio::test]
async fn what_the_api_cannot_do_is_refused_by_name() {
    let plain = || ask(vec![say("Hi")]);
    for (field, request) in [
        (
            "logprobs",
            ChatRequest {
                logprobs: Some(0),
                ..plain()
            },
        ),
        (
            "seed",
            ChatRequest {
                seed: Some(7),
                ..plain()
            },
        ),
        (
            "presence_penalty",
            ChatRequest {
                presence_penalty: Some(0.5),
                ..plain()
            },
        ),
        (
            "frequency_penalty",
            ChatRequest {
                frequency_penalty: Some(-1.0),
                ..plain()
            },
        ),
        (
            "reasoning_effort",
            ChatRequest {
                model: "claude-3-5-haiku-latest".into(),
                reasoning_effort: Some("low".into()),
                ..plain()
            },
        ),
        (
            "messages[0].content[0]",
            ask(vec![user(vec![Part::Audio(Media::bytes(
                "audio/wav",
                "x",
            ))])]),
        ),
        (
            "messages[0].content[0]",
            ask(vec![user(vec![Part::Image(Media::bytes(
                "image/tiff",
                "x",
            ))])]),
        ),
    ] {
        let refusal = refused(request).await;
        assert_eq!(refusal.kind, ModelErrorKind::Unsupported, "{field}");
        assert_eq!(refusal.param.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn fields_that_are_wrong_are_named() {
    let form = |schema: Value| {
        Some(ResponseFormat::JsonSchema {
            name: "x".into(),
            description: None,
            schema: value(schema),
            strict: None,
        })
    };
    let mut taken = weather();
    taken.name = "json_output".into();
    let mut orphan = ChatMessage::text(Role::Tool, "1");
    orphan.tool_call_id = None;
    for (field, request) in [
        (
            "reasoning_effort",
            ChatRequest {
                reasoning_effort: Some("huge".into()),
                ..ask(vec![say("Hi")])
            },
        ),
        (
            "tool_choice",
            ChatRequest {
                tool_choice: Some(ToolChoice::Required),
                ..ask(vec![say("Hi")])
            },
        ),
        (
            "response_format.json_schema.schema",
            ChatRequest {
                response_format: form(json!({"type": "array"})),
                ..ask(vec![say("Hi")])
            },
        ),
        (
            "tools[0].name",
            ChatRequest {
                tools: vec![taken],
                response_format: form(schema()),
                ..ask(vec![say("Hi")])
            },
        ),
        ("messages[1].tool_call_id", ask(vec![say("Hi"), orphan])),
        (
            "messages[0].content[0]",
            ask(vec![user(vec![Part::Document(Media::bytes(
                "text/plain",
                &b"\xff"[..],
            ))])]),
        ),
    ] {
        let refusal = refused(request).await;
        assert_eq!(refusal.kind, ModelErrorKind::BadRequest, "{field}");
        assert_eq!(refusal.param.as_deref(), Some(field));
    }
}
