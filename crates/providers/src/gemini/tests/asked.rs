//! What is sent.

use nodetool_sdk::models::{Media, MediaSource, ModelErrorKind, Part, ResponseFormat, ToolChoice};

use super::*;

fn user(parts: Vec<Part>) -> ChatMessage {
    ChatMessage { parts, ..say("") }
}

fn hi() -> Value {
    json!([{"role": "user", "parts": [{"text": "Hi"}]}])
}

#[tokio::test]
async fn a_plain_request_says_no_more_than_it_has_to() {
    assert_eq!(body(ask(vec![say("Hi")])).await, json!({"contents": hi()}));
}

#[tokio::test]
async fn every_setting_has_its_place() {
    let request = ChatRequest {
        tools: vec![weather()],
        tool_choice: Some(ToolChoice::Named("weather".into())),
        max_tokens: Some(100),
        temperature: Some(1.5),
        top_p: Some(0.5),
        presence_penalty: Some(0.25),
        frequency_penalty: Some(-0.5),
        stop: vec!["END".into()],
        seed: Some(7),
        reasoning_effort: Some("medium".into()),
        ..ask(vec![ChatMessage::text(Role::System, "Be kind."), say("Hi")])
    };
    let expected = json!({
        "contents": hi(),
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"functionDeclarations": [declared()]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {
            "temperature": 1.5,
            "topP": 0.5,
            "maxOutputTokens": 100,
            "stopSequences": ["END"],
            "seed": 7,
            "presencePenalty": 0.25,
            "frequencyPenalty": -0.5,
            "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 8192}
        }
    });
    assert_eq!(body(request).await, expected);
}

#[tokio::test]
async fn every_choice_of_tools_has_its_word() {
    for (choice, mode) in [
        (ToolChoice::Auto, "AUTO"),
        (ToolChoice::Required, "ANY"),
        (ToolChoice::None, "NONE"),
    ] {
        let request = ChatRequest {
            tools: vec![weather()],
            tool_choice: Some(choice),
            ..ask(vec![say("Hi")])
        };
        let expected = json!({"functionCallingConfig": {"mode": mode}});
        assert_eq!(body(request).await["toolConfig"], expected);
    }
}

#[tokio::test]
async fn media_and_documents_are_parts() {
    let url = Media {
        mime: "video/mp4".into(),
        name: None,
        source: MediaSource::Url("https://example.com/a.mp4".into()),
    };
    let notes = Media {
        name: Some("a.md".into()),
        ..Media::bytes("text/markdown", "# Ä")
    };
    let request = ask(vec![user(vec![
        Part::Text("Look:".into()),
        Part::Image(Media::bytes("", &b"\x89PNG\r\n\x1a\n"[..])),
        Part::Audio(Media::bytes("audio/wav", "hi")),
        Part::Video(url),
        Part::Document(Media::bytes("application/pdf", &b"%PDF-1.4"[..])),
        Part::Document(notes),
    ])]);
    let expected = json!([
        {"text": "Look:"},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://example.com/a.mp4"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQ="}},
        {"text": "a.md:\n# Ä"}
    ]);
    assert_eq!(body(request).await["contents"][0]["parts"], expected);
}

#[tokio::test]
async fn calls_of_other_providers_are_marked_for_models_that_sign_theirs() {
    let call = ToolCall {
        id: "toolu_1".into(),
        name: "weather".into(),
        arguments: "{".into(),
        ..ToolCall::default()
    };
    let mut asked = ChatMessage::text(Role::Assistant, "");
    asked.tool_calls = vec![call.clone()];
    let mut answer = ChatMessage::tool(&call, "[1]");
    answer.name = None;
    let messages = vec![say("Hi"), asked, answer];
    let old = body(ask(messages.clone())).await;
    let made = json!({"id": "toolu_1", "name": "weather", "args": {"arguments": "{"}});
    let parts = json!([{"functionCall": made}]);
    assert_eq!(old["contents"][1]["parts"], parts);
    let result = json!({"id": "toolu_1", "name": "weather", "response": {"result": [1]}});
    assert_eq!(
        old["contents"][2],
        json!({"role": "user", "parts": [{"functionResponse": result}]})
    );
    let new = ChatRequest {
        model: "gemini-3-flash-preview".into(),
        ..ask(messages)
    };
    let parts = json!([
        {"functionCall": made, "thoughtSignature": "skip_thought_signature_validator"}
    ]);
    assert_eq!(body(new).await["contents"][1]["parts"], parts);
}

#[tokio::test]
async fn a_form_of_the_answer_is_told_as_the_model_can_take_it() {
    let schema = json!({
        "type": "object",
        "properties": {"why": {"type": "string"}, "city": {"const": "Rom"}},
        "required": ["why", "city"],
        "additionalProperties": false
    });
    let told = json!({
        "type": "object",
        "properties": {"why": {"type": "string"}, "city": {"type": "string", "enum": ["Rom"]}},
        "required": ["why", "city"],
        "propertyOrdering": ["city", "why"]
    });
    let format = |model: &str, tools, tool_choice| ChatRequest {
        model: model.into(),
        tools,
        tool_choice,
        response_format: Some(ResponseFormat::JsonSchema {
            name: "x".into(),
            description: None,
            schema: value(schema.clone()),
            strict: None,
        }),
        ..ask(vec![say("Hi")])
    };
    let config = json!({"responseMimeType": "application/json", "responseSchema": told});
    let alone = body(format(MODEL, Vec::new(), None)).await;
    assert_eq!(alone, json!({"contents": hi(), "generationConfig": config}));

    let new = body(format("gemini-3-flash-preview", vec![weather()], None)).await;
    assert_eq!(new["generationConfig"], config);
    assert_eq!(
        new["tools"],
        json!([{"functionDeclarations": [declared()]}])
    );

    let none = body(format(MODEL, vec![weather()], Some(ToolChoice::None))).await;
    assert_eq!(none, json!({"contents": hi(), "generationConfig": config}));

    let old = body(format(MODEL, vec![weather()], None)).await;
    assert_eq!(old["generationConfig"], Value::Null);
    let output = json!({
        "name": "json_output",
        "description": "Gives the answer, in the form that is asked for.",
        "parameters": told
    });
    assert_eq!(
        old["tools"],
        json!([{"functionDeclarations": [declared(), output]}])
    );
    assert_eq!(
        old["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY"}})
    );

    let object = ChatRequest {
        response_format: Some(ResponseFormat::JsonObject),
        ..ask(vec![say("Hi")])
    };
    let config = json!({"responseMimeType": "application/json"});
    assert_eq!(body(object).await["generationConfig"], config);
}

#[tokio::test]
async fn models_think_by_the_words_they_understand() {
    let budget = |tokens: u32| json!({"includeThoughts": tokens > 128, "thinkingBudget": tokens});
    let level =
        |level: &str, shown: bool| json!({"includeThoughts": shown, "thinkingLevel": level});
    for (model, effort, expected) in [
        (MODEL, "none", budget(0)),
        ("gemini-2.5-pro", "none", budget(128)),
        (MODEL, "low", budget(1024)),
        ("gemini-flash-latest", "high", budget(24_576)),
        ("gemini-3-flash-preview", "xhigh", level("high", true)),
        ("gemini-3-pro-preview", "minimal", level("low", true)),
        ("gemini-3-pro-preview", "medium", level("high", true)),
        ("gemini-3.1-pro-preview", "medium", level("medium", true)),
        ("gemini-3-flash-preview", "none", level("minimal", false)),
    ] {
        let request = ChatRequest {
            model: model.into(),
            reasoning_effort: Some(effort.into()),
            ..ask(vec![say("Hi")])
        };
        let sent = body(request).await;
        let config = &sent["generationConfig"]["thinkingConfig"];
        assert_eq!(config, &expected, "{model} {effort}");
    }
}

#[tokio::test]
async fn what_is_wrong_or_cannot_be_done_is_named() {
    let plain = || ask(vec![say("Hi")]);
    let (bad, cannot) = (ModelErrorKind::BadRequest, ModelErrorKind::Unsupported);
    let old = ChatRequest {
        model: "gemini-2.0-flash".into(),
        reasoning_effort: Some("low".into()),
        ..plain()
    };
    let mut orphan = ChatMessage::text(Role::Tool, "1");
    orphan.tool_call_id = Some("gone".into());
    let mut looped = weather();
    looped.parameters = value(json!({"$ref": "https://example.com/schema"}));
    for (field, kind, request) in [
        (
            "logprobs",
            &cannot,
            ChatRequest {
                logprobs: Some(2),
                ..plain()
            },
        ),
        ("reasoning_effort", &cannot, old),
        (
            "reasoning_effort",
            &bad,
            ChatRequest {
                reasoning_effort: Some("x".into()),
                ..plain()
            },
        ),
        (
            "seed",
            &bad,
            ChatRequest {
                seed: Some(1 << 40),
                ..plain()
            },
        ),
        (
            "tool_choice",
            &bad,
            ChatRequest {
                tool_choice: Some(ToolChoice::Required),
                ..plain()
            },
        ),
        (
            "messages[1].tool_call_id",
            &bad,
            ask(vec![say("Hi"), orphan]),
        ),
        (
            "messages[0].content[0]",
            &bad,
            ask(vec![user(vec![Part::Image(Media::bytes("", "what"))])]),
        ),
        (
            "tools[0].function.parameters",
            &bad,
            ChatRequest {
                tools: vec![looped],
                ..plain()
            },
        ),
    ] {
        let refusal = refused(request).await;
        assert_eq!(&refusal.kind, kind, "{field}: {}", refusal.message);
        assert_eq!(refusal.param.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn names_of_models_cannot_lead_elsewhere() {
    for model in ["", "../files/x", "a/b", "x?key=y", "a:predict", ".", "a\nb"] {
        let request = ChatRequest {
            model: model.into(),
            ..ask(vec![say("Hi")])
        };
        assert_eq!(
            refused(request).await.kind,
            ModelErrorKind::UnknownModel,
            "{model:?}"
        );
    }
}
