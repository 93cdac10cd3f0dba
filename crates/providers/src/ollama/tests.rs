use futures_util::StreamExt;
use nodetool_sdk::Value as Wire;
use nodetool_sdk::models::{
    Answer as Whole, ChatEvent, ChatMessage, FinishReason, Media, MediaSource, Part,
    ResponseFormat, Role, ToolCall, ToolSpec,
};

use super::*;
use crate::ModelKind;
use crate::media::stand_in::{Answer, KEY, StandIn, account, nowhere};

fn wire(json: Value) -> Wire {
    serde_json::from_value(json).unwrap()
}

fn request(text: &str) -> ChatRequest {
    ChatRequest {
        model: "llama3.2".into(),
        messages: vec![ChatMessage::text(Role::User, text)],
        ..ChatRequest::default()
    }
}

fn search() -> ToolSpec {
    ToolSpec {
        name: "search".into(),
        description: "Searches.".into(),
        parameters: wire(
            json!({ "type": "object", "properties": { "query": { "type": "string" } } }),
        ),
        ..ToolSpec::default()
    }
}

fn lines(lines: &[Value]) -> Answer {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Answer::bytes("application/x-ndjson", text)
}

fn piece(content: &str) -> Value {
    json!({ "model": "llama3.2", "created_at": "2026-01-01T00:00:00Z",
            "message": { "role": "assistant", "content": content }, "done": false })
}

fn done(reason: &str) -> Value {
    json!({ "model": "llama3.2", "created_at": "2026-01-01T00:00:01Z", "message": { "role": "assistant", "content": "" },
            "done": true, "done_reason": reason, "total_duration": 5, "load_duration": 1, "prompt_eval_count": 11,
            "prompt_eval_duration": 1, "eval_count": 7, "eval_duration": 2 })
}

fn client(server: &StandIn) -> Provider {
    provider(&Account {
        context_length: Some(8192),
        ..server.account("ollama")
    })
}

async fn ask(provider: &Provider, request: ChatRequest) -> Result<Whole, ModelError> {
    Whole::of(provider.chat.as_ref().unwrap().chat(request).await?).await
}

async fn refusal(answer: Answer) -> ModelError {
    let server = StandIn::start(move |_| answer.clone()).await;
    ask(&client(&server), request("hi")).await.unwrap_err()
}

#[tokio::test]
async fn a_conversation_is_sent_as_the_protocol_says_and_streams_back() {
    let mut server = StandIn::start(|_| lines(&[piece("Grüße"), piece(" 🌍"), done("stop")])).await;
    let call = ToolCall {
        id: "call_1".into(),
        name: "search".into(),
        arguments: "{\"query\":\"a\"}".into(),
        ..ToolCall::default()
    };
    let mut asked = request("what is it?");
    asked.messages[0]
        .parts
        .push(Part::Image(Media::bytes("image/png", b"\x89PNG".to_vec())));
    asked.messages[0].parts.push(Part::Document(Media {
        name: Some("a.md".into()),
        ..Media::bytes("text/markdown", "# A")
    }));
    let mut thought = ChatMessage::text(Role::Assistant, "");
    thought.parts = vec![Part::Thought {
        text: "Hm.".into(),
        signature: None,
    }];
    thought.tool_calls = vec![call.clone()];
    asked
        .messages
        .insert(0, ChatMessage::text(Role::System, "Be short."));
    asked
        .messages
        .extend([thought, ChatMessage::tool(&call, "{\"hits\":1}")]);
    asked.tools = vec![search()];
    asked.temperature = Some(0.5);
    asked.top_p = Some(0.9);
    asked.seed = Some(7);
    asked.stop = vec!["END".into()];
    asked.max_tokens = Some(100);
    asked.presence_penalty = Some(0.1);
    asked.frequency_penalty = Some(0.2);
    asked.reasoning_effort = Some("medium".into());
    asked.response_format = Some(ResponseFormat::JsonObject);
    let answer = ask(&client(&server), asked).await.unwrap();
    assert_eq!(answer.text, "Grüße 🌍");
    assert_eq!(answer.finish, Some(FinishReason::Stop));
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 11,
            output: 7,
            ..Usage::default()
        })
    );
    let sent = server.asked().await;
    assert_eq!(sent.line(), "POST /api/chat");
    assert_eq!(sent.header("content-type"), "application/json");
    assert_eq!(sent.header("authorization"), "");
    assert_eq!(
        sent.json(),
        json!({
            "model": "llama3.2",
            "stream": true,
            "messages": [
                { "role": "system", "content": "Be short." },
                { "role": "user", "content": "what is it?\n\na.md:\n# A\n", "images": ["iVBORw=="] },
                { "role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
                    { "id": "call_1", "function": { "name": "search", "arguments": { "query": "a" } } } ] },
                { "role": "tool", "content": "{\"hits\":1}", "tool_name": "search", "tool_call_id": "call_1" },
            ],
            "tools": [{ "type": "function", "function": { "name": "search", "description": "Searches.",
                "parameters": { "type": "object", "properties": { "query": { "type": "string" } } } } }],
            "format": "json",
            "think": "medium",
            "options": { "num_ctx": 8192, "num_predict": 100, "temperature": 0.5, "top_p": 0.9, "seed": 7,
                "stop": ["END"], "presence_penalty": 0.1, "frequency_penalty": 0.2 },
        })
    );
}

#[tokio::test]
async fn nothing_is_sent_that_was_not_asked_for() {
    let mut server = StandIn::start(|_| lines(&[done("stop")])).await;
    let plain = provider(&server.account("ollama"));
    ask(&plain, request("hi")).await.unwrap();
    let expected = json!({ "model": "llama3.2", "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    assert_eq!(server.asked().await.json(), expected);
}

#[tokio::test]
async fn a_schema_is_the_format_and_probabilities_are_passed_on() {
    let mut token = piece("{}");
    token["logprobs"] = json!([{ "token": "{}", "logprob": -0.1, "top_logprobs": [] }]);
    let mut server = StandIn::start(move |_| lines(&[token.clone(), done("length")])).await;
    let schema = json!({ "type": "object", "properties": {} });
    let mut asked = request("hi");
    asked.reasoning_effort = Some("none".into());
    asked.logprobs = Some(2);
    asked.response_format = Some(ResponseFormat::JsonSchema {
        name: "answer".into(),
        description: None,
        schema: wire(schema.clone()),
        strict: Some(true),
    });
    let answer = ask(&client(&server), asked).await.unwrap();
    assert_eq!(answer.finish, Some(FinishReason::Length));
    assert_eq!(
        answer.logprobs,
        [wire(
            json!([{ "token": "{}", "logprob": -0.1, "top_logprobs": [] }])
        )]
    );
    let sent = server.asked().await.json();
    assert_eq!((&sent["format"], &sent["think"]), (&schema, &json!(false)));
    assert_eq!(
        (&sent["logprobs"], &sent["top_logprobs"]),
        (&json!(true), &json!(2))
    );
}

#[tokio::test]
async fn thoughts_and_tool_calls_are_events_of_their_own() {
    let mut think = piece("");
    think["message"]["thinking"] = "Let me see.".into();
    let mut calls = piece("");
    calls["message"]["tool_calls"] = json!([
        { "function": { "name": "search", "arguments": { "query": "a" } } },
        { "id": "call_b", "function": { "index": 1, "name": "search", "arguments": {} } },
    ]);
    let server =
        StandIn::start(move |_| lines(&[think.clone(), calls.clone(), done("stop")])).await;
    let mut asked = request("hi");
    asked.tools = vec![search()];
    let answer = ask(&client(&server), asked).await.unwrap();
    assert_eq!(answer.reasoning, "Let me see.");
    assert_eq!(answer.finish, Some(FinishReason::ToolCalls));
    let [first, second] = answer.tool_calls.as_slice() else {
        panic!("{:?}", answer.tool_calls)
    };
    assert!(
        first.id.starts_with("call_") && first.id.len() > 20,
        "{}",
        first.id
    );
    assert_eq!(
        (first.index, first.name.as_str(), first.arguments.as_str()),
        (0, "search", "{\"query\":\"a\"}")
    );
    assert_eq!(
        (second.index, second.id.as_str(), second.arguments.as_str()),
        (1, "call_b", "{}")
    );
}

#[tokio::test]
async fn where_the_network_cuts_an_answer_does_not_matter() {
    let text: String = [piece("Grü"), piece("ße 🌍"), done("stop")]
        .iter()
        .map(|line| format!("{line}\r\n"))
        .collect();
    let bytes: Vec<Vec<u8>> = text.as_bytes().chunks(3).map(<[u8]>::to_vec).collect();
    let server =
        StandIn::start(move |_| Answer::pieces("application/x-ndjson", bytes.clone())).await;
    assert_eq!(
        ask(&client(&server), request("hi")).await.unwrap().text,
        "Grüße 🌍"
    );
}

#[tokio::test]
async fn a_model_without_tools_gets_them_in_words_and_is_remembered() {
    let mut server = StandIn::start(|asked| match asked.json()["tools"].is_null() {
        false => Answer::json(
            json!({ "error": "registry.ollama.ai/library/gemma:2b does not support tools" }),
        )
        .status(400),
        true => lines(&[
            piece("I look.\n{\"name\": \"sea"),
            piece("rch\", \"arguments\": {\"query\": \"a\"}}"),
            done("stop"),
        ]),
    })
    .await;
    let provider = client(&server);
    let mut asked = request("hi");
    asked.tools = vec![search()];
    for round in 0..2 {
        let answer = ask(&provider, asked.clone()).await.unwrap();
        assert_eq!(answer.text, "I look.\n");
        assert_eq!(answer.finish, Some(FinishReason::ToolCalls));
        assert_eq!(answer.tool_calls[0].name, "search");
        assert_eq!(answer.tool_calls[0].arguments, "{\"query\":\"a\"}");
        let sent = server.all_asked();
        assert_eq!(sent.len(), 2 - round, "the refusal is remembered");
        let words = sent.last().unwrap().json();
        assert_eq!(words["messages"][0]["role"], "system");
        let system = words["messages"][0]["content"].as_str().unwrap();
        assert!(system.contains("- search: Searches."), "{system}");
        assert_eq!(
            words["messages"][1],
            json!({ "role": "user", "content": "hi" })
        );
    }
}

#[tokio::test]
async fn a_call_that_is_demanded_is_held_to_its_form() {
    let mut server = StandIn::start(|_| {
        lines(&[
            piece("{\"name\": \"search\", \"arguments\": {\"query\": \"b\"}}"),
            done("stop"),
        ])
    })
    .await;
    let mut asked = request("hi");
    asked.tools = vec![search()];
    asked.tool_choice = Some(ToolChoice::Named("search".into()));
    let answer = ask(&client(&server), asked.clone()).await.unwrap();
    assert_eq!(
        (
            answer.text.as_str(),
            answer.tool_calls[0].arguments.as_str()
        ),
        ("", "{\"query\":\"b\"}")
    );
    let sent = server.asked().await.json();
    assert_eq!(
        sent["format"]["properties"]["name"],
        json!({ "enum": ["search"] })
    );
    assert!(sent["tools"].is_null());
    asked.tool_choice = Some(ToolChoice::Named("fly".into()));
    let refused = ask(&client(&server), asked).await.unwrap_err();
    assert_eq!(
        refused.message,
        "tool_choice names `fly`, which is not among the tools"
    );
}

#[tokio::test]
async fn tools_that_must_not_be_called_are_not_sent() {
    let mut server = StandIn::start(|_| lines(&[piece("search()"), done("stop")])).await;
    let mut asked = request("hi");
    asked.tools = vec![search()];
    asked.tool_choice = Some(ToolChoice::None);
    let answer = ask(&client(&server), asked).await.unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.finish),
        ("search()", Some(FinishReason::Stop))
    );
    let sent = server.asked().await.json();
    assert_eq!(
        sent["messages"],
        json!([{ "role": "user", "content": "hi" }])
    );
    assert!(sent["tools"].is_null());
}

#[tokio::test]
async fn refusals_keep_their_kind_and_words() {
    let told = |words: &str| Answer::json(json!({ "error": words }));
    let e = refusal(told("model 'llama3.2' not found").status(404)).await;
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::UnknownModel, "model 'llama3.2' not found")
    );
    let e = refusal(told(&format!("bad key {KEY}")).status(401)).await;
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::Unauthorized, "bad key …")
    );
    let e = refusal(told("busy").status(429).header("retry-after", "3")).await;
    let retry_after = Some(std::time::Duration::from_secs(3));
    assert_eq!(e.kind, ModelErrorKind::RateLimited { retry_after });
    let e = refusal(Answer::bytes("text/plain", "").status(500)).await;
    assert_eq!(
        (e.kind, e.message.as_str()),
        (ModelErrorKind::Server, "ollama answered 500")
    );
    let e = refusal(told("\"llama3.2\" does not support thinking").status(400)).await;
    assert_eq!(e.kind, ModelErrorKind::Unsupported);
}

#[tokio::test]
async fn what_goes_wrong_in_the_middle_ends_the_stream_with_an_error() {
    for (answer, kind, words) in [
        (
            lines(&[piece("a"), json!({ "error": "out of memory" })]),
            ModelErrorKind::Server,
            "out of memory",
        ),
        (
            lines(&[piece("a")]),
            ModelErrorKind::Connection,
            "ollama broke off",
        ),
        (
            lines(&[piece("a")]).breaks_off(),
            ModelErrorKind::Connection,
            "broke off",
        ),
        (
            Answer::bytes("text/plain", format!("{}\nnonsense\n", piece("a"))),
            ModelErrorKind::Protocol,
            "unexpected",
        ),
        (
            lines(&[
                piece("a"),
                json!({ "message": { "tool_calls": [{ "function": {} }] } }),
            ]),
            ModelErrorKind::Protocol,
            "without a name",
        ),
    ] {
        let server = StandIn::start(move |_| answer.clone()).await;
        let chat = client(&server).chat.unwrap();
        let mut stream = chat.chat(request("hi")).await.unwrap();
        assert_eq!(stream.next().await, Some(Ok(ChatEvent::Text("a".into()))));
        let e = stream.next().await.unwrap().unwrap_err();
        assert_eq!(e.kind, kind, "{e}");
        assert!(e.message.contains(words), "{e}");
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn dropping_the_stream_stops_the_answer() {
    let mut server = StandIn::start(|_| lines(&[piece("a")]).hangs()).await;
    let chat = client(&server).chat.unwrap();
    let mut stream = chat.chat(request("hi")).await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(ChatEvent::Text("a".into()))));
    drop(stream);
    server.left().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let address = nowhere().await;
    let with_password = address.replace("http://", "http://ada:hunter2@");
    let e = ask(&provider(&account("ollama", &with_password)), request("hi"))
        .await
        .unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Connection);
    assert!(e.message.starts_with("ollama cannot be reached: "), "{e}");
    assert!(
        e.message
            .ends_with(&format!("; is it running at {address}?")),
        "{e}"
    );
    assert!(!e.message.contains("hunter2"), "{e}");
}

#[tokio::test]
async fn parts_it_cannot_take_are_named() {
    let server = StandIn::start(|_| lines(&[done("stop")])).await;
    let media = Media::bytes("application/pdf", vec![1]);
    let address = Media {
        source: MediaSource::Url("https://example.com/a.png".into()),
        ..media.clone()
    };
    for (part, words) in [
        (Part::Audio(media.clone()), "ollama takes no sound"),
        (Part::Video(media.clone()), "ollama takes no video"),
        (
            Part::Document(media.clone()),
            "ollama takes documents of plain text only",
        ),
        (
            Part::Image(address),
            "ollama takes pictures as bytes only, and this one is an address",
        ),
    ] {
        let mut asked = request("see");
        asked.messages[0].parts.push(part);
        let e = ask(&client(&server), asked).await.unwrap_err();
        assert_eq!(
            (e.kind, e.message.as_str()),
            (ModelErrorKind::Unsupported, words)
        );
        assert_eq!(e.param.as_deref(), Some("messages[0].content[1]"));
    }
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_texts() {
    let mut server = StandIn::start(|_| {
        Answer::json(json!({ "model": "nomic-embed-text", "embeddings": [[0.5, -1.0], [0.25, 2]], "total_duration": 1,
            "load_duration": 1, "prompt_eval_count": 4 }))
    })
    .await;
    let asked = EmbedRequest {
        model: "nomic-embed-text".into(),
        texts: vec!["a".into(), "b".into()],
        dimensions: Some(2),
        ..EmbedRequest::default()
    };
    let embed = client(&server).embed.unwrap();
    let got = embed.embed(asked.clone()).await.unwrap();
    assert_eq!(got.vectors, [[0.5, -1.0], [0.25, 2.0]]);
    assert_eq!(got.usage.unwrap().input, 4);
    let sent = server.asked().await;
    assert_eq!(sent.line(), "POST /api/embed");
    assert_eq!(
        sent.json(),
        json!({ "model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 2 })
    );
    let three = EmbedRequest {
        texts: vec!["a".into(); 3],
        ..asked
    };
    let e = embed.embed(three).await.unwrap_err();
    assert!(e.message.contains("2 vectors for 3 texts"), "{e}");
    assert_eq!(
        embed
            .embed(EmbedRequest::default())
            .await
            .unwrap()
            .vectors
            .len(),
        0
    );
    assert_eq!(server.all_asked().len(), 1);
}

#[tokio::test]
async fn installed_models_are_listed_with_what_they_are_for() {
    let mut server = StandIn::start(|_| {
        let model = |name: &str, families: Value| {
            json!({ "name": name, "model": name, "modified_at": "2026-01-01T00:00:00Z", "size": 1, "digest": "d",
                "details": { "format": "gguf", "family": families[0], "families": families } })
        };
        Answer::json(json!({ "models": [
            model("llama3.2:latest", json!(["llama"])),
            model("llava:7b", json!(["llama", "clip"])),
            model("nomic-embed-text:latest", json!(["nomic-bert"])),
            model("hf.co/me/bge-m3:latest", json!(["bert"])),
            model("embeddinggemma:latest", json!(["gemma3"])),
        ] }))
    })
    .await;
    let models = client(&server).list.unwrap().models().await.unwrap();
    let got: Vec<_> = models
        .iter()
        .map(|model| (model.id.as_str(), model.kind))
        .collect();
    let expected = [
        ("llama3.2:latest", ModelKind::Language),
        ("llava:7b", ModelKind::Language),
        ("nomic-embed-text:latest", ModelKind::Embedding),
        ("hf.co/me/bge-m3:latest", ModelKind::Embedding),
        ("embeddinggemma:latest", ModelKind::Embedding),
    ];
    assert_eq!(got, expected);
    assert_eq!(server.asked().await.line(), "GET /api/tags");
    let server = StandIn::start(|_| Answer::json(json!({}))).await;
    let e = client(&server).list.unwrap().models().await.unwrap_err();
    assert!(e.message.contains("a list without `models`"), "{e}");
}
