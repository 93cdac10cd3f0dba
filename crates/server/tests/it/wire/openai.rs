//! The routes that clients of OpenAI know, over a provider that says what a script says.

use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Stream, json as request};
use super::graphs::{INPUT, failing, graph, node, output};
use super::local::with_headers;
use super::server::{TestServer, folder, pace, program, within};

const MODEL: &str = "fake-model-v1";
const TEXT: &str = "Hello, this is a fake response!";
const CHAT: &str = "/v1/chat/completions";

/// A script for the provider, in a file of a folder.
fn script(folder: &Path, rules: &Value) -> String {
    let file = folder.join("script.json");
    std::fs::write(&file, rules.to_string()).unwrap();
    format!("fake={}", file.display())
}

fn rules() -> Value {
    json!([
        { "contains": "weather", "turns": [{ "text": "", "tool_calls": [{ "id": "c1", "name": "look", "arguments": { "city": "Paris" } }] }, { "text": "Mild." }] },
        { "contains": "hang", "turns": [{ "text": "still here", "hang": true }] },
        { "contains": "fire", "turns": [{ "refuse": { "status": 500, "message": "on fire" } }] },
        { "contains": "fast", "turns": [{ "refuse": { "status": 429, "message": "slow down" } }] },
        { "contains": "long", "turns": [{ "refuse": { "status": 400, "message": "maximum context length is 3" } }] },
        { "contains": "break", "turns": [{ "text": "half", "break_off": { "error": { "type": "server_error", "message": "lost" } } }] },
        { "contains": "think", "turns": [{ "reasoning": "hm", "text": "yes" }] }
    ])
}

fn started() -> TestServer {
    started_with(&[])
}

fn started_with(more: &[&str]) -> TestServer {
    let folder = folder();
    let script = script(folder.path(), &rules());
    let mut arguments = vec!["--enable-fake-provider", "--provider-url", &script];
    arguments.extend_from_slice(more);
    let data = folder.path().join("data");
    TestServer::start_at(&data, folder, &arguments)
}

fn asked(text: &str) -> Value {
    json!({ "model": MODEL, "messages": [{ "role": "user", "content": text }] })
}

fn with(mut body: Value, key: &str, value: impl Into<Value>) -> Value {
    body[key] = value.into();
    body
}

async fn stream(client: &Client, path: &str, body: &Value) -> Stream {
    client.open(request(Method::POST, path, body)).await
}

/// The chunks of a stream that ends with `[DONE]`.
async fn chunks(client: &Client, body: Value) -> Vec<Value> {
    let stream = stream(client, CHAT, &with(body, "stream", true)).await;
    assert_eq!(stream.status, 200);
    let mut events = stream.events().await;
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    let read = |event: &String| serde_json::from_str(event).unwrap();
    events.iter().map(read).collect()
}

fn said(chunks: &[Value]) -> String {
    let text = |chunk: &Value| {
        chunk["choices"][0]["delta"]["content"]
            .as_str()
            .map(str::to_owned)
    };
    chunks.iter().filter_map(text).collect()
}

/// Waits until a call has ended like this.
async fn ended(client: &Client, status: &str) -> Value {
    within("the end of a call", async {
        loop {
            let listed = client.get("/api/predictions").await.ok();
            let calls = listed["predictions"].as_array().unwrap();
            if let Some(call) = calls.iter().find(|call| call["status"] == status) {
                return call.clone();
            }
            pace().await;
        }
    })
    .await
}

#[tokio::test]
async fn cases_85_and_53_a_request_without_stream_has_one_answer() {
    let server = started();
    let client = server.client();
    let answer = client.post(CHAT, &asked("hi")).await.ok();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], MODEL);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["content"], TEXT);
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["finish_reason"], "stop");
    let usage = &answer["usage"];
    let tokens = |key: &str| usage[key].as_u64().unwrap();
    assert_eq!(
        tokens("total_tokens"),
        tokens("prompt_tokens") + tokens("completion_tokens")
    );
    // Nothing of it is kept but what it took.
    assert_eq!(client.get("/api/threads").await.ok()["threads"], json!([]));
    let call = ended(&client, "completed").await;
    assert_eq!(
        (&call["provider"], &call["model"]),
        (&json!("fake"), &json!(MODEL))
    );
}

#[tokio::test]
async fn cases_86_and_52_a_stream_has_a_role_deltas_an_end_and_one_id() {
    let server = started();
    let client = server.client();
    let head = stream(&client, CHAT, &with(asked("hi"), "stream", true)).await;
    let header = |name: &str| head.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(header("cache-control"), "no-cache");
    let told = chunks(&client, asked("hi")).await;
    let delta = |i: usize| &told[i]["choices"][0]["delta"];
    assert_eq!(delta(0)["role"], "assistant");
    assert_eq!(delta(1), &json!({ "content": "Hello, thi" }));
    assert_eq!(said(&told), TEXT);
    let last = told.last().unwrap();
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    for chunk in &told {
        assert_eq!(chunk["id"], told[0]["id"]);
        assert_eq!(chunk["object"], "chat.completion.chunk");
    }
    let counted = with(
        asked("hi"),
        "stream_options",
        json!({ "include_usage": true }),
    );
    let told = chunks(&client, counted).await;
    let last = told.last().unwrap();
    assert_eq!(
        (&last["choices"], &last["usage"]["completion_tokens"]),
        (&json!([]), &json!(6))
    );
}

#[tokio::test]
async fn case_87_what_is_wrong_is_told_as_openai_tells_it() {
    let server = started();
    let client = server.client();
    for (path, body, status, param, code) in [
        (
            CHAT,
            json!({ "model": MODEL, "messages": [] }),
            400,
            "messages",
            "empty_array",
        ),
        (
            CHAT,
            json!({ "model": MODEL }),
            400,
            "messages",
            "missing_required_parameter",
        ),
        (
            CHAT,
            with(asked("x"), "model", "nobody-knows"),
            404,
            "model",
            "model_not_found",
        ),
        (
            CHAT,
            with(asked("x"), "model", 7),
            400,
            "model",
            "invalid_type",
        ),
        (
            CHAT,
            with(asked("x"), "model", "workflow/none"),
            404,
            "model",
            "model_not_found",
        ),
        (
            CHAT,
            with(asked("x"), "n", 3),
            400,
            "n",
            "unsupported_value",
        ),
        (
            CHAT,
            with(asked("x"), "stream", "yes"),
            400,
            "stream",
            "invalid_type",
        ),
        (
            CHAT,
            asked("too long"),
            400,
            "messages",
            "context_length_exceeded",
        ),
        (CHAT, asked("too fast"), 429, "", "rate_limit_exceeded"),
        (CHAT, asked("on fire"), 502, "", "provider_error"),
        (
            CHAT,
            with(asked("on fire"), "stream", true),
            502,
            "",
            "provider_error",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL }),
            400,
            "input",
            "missing_required_parameter",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL, "input": [] }),
            400,
            "input",
            "empty_array",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL, "input": "x", "previous_response_id": "r" }),
            400,
            "previous_response_id",
            "unsupported_parameter",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL, "input": [{ "type": "item_reference", "id": "i" }] }),
            400,
            "input[0].type",
            "unsupported_value",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL, "input": [{ "role": "user", "content": [{ "type": "input_smell" }] }] }),
            400,
            "input[0].content[0].type",
            "invalid_value",
        ),
        (
            "/v1/responses",
            json!({ "model": MODEL, "input": "x", "tools": [{ "type": "web_search" }] }),
            400,
            "tools[0].type",
            "invalid_value",
        ),
        (
            "/v1/embeddings",
            json!({ "model": "fake-embedding", "input": [1, 2] }),
            400,
            "input",
            "unsupported_value",
        ),
        (
            "/v1/embeddings",
            json!({ "model": "fake-embedding", "input": ["a", ""] }),
            400,
            "input[1]",
            "empty_string",
        ),
        (
            "/v1/embeddings",
            json!({ "model": "fake-embedding", "input": "a", "encoding_format": "hex" }),
            400,
            "encoding_format",
            "invalid_value",
        ),
        (
            "/v1/images/generations",
            json!({ "model": "fake-image-model", "prompt": "" }),
            400,
            "prompt",
            "invalid_value",
        ),
        (
            "/v1/images/generations",
            json!({ "model": "fake-image-model", "prompt": "x", "response_format": "url" }),
            400,
            "response_format",
            "unsupported_value",
        ),
        (
            "/v1/images/generations",
            json!({ "model": "fake-image-model", "prompt": "x", "size": "big" }),
            400,
            "size",
            "invalid_value",
        ),
        (
            "/v1/audio/speech",
            json!({ "model": "fake-tts", "input": "x", "response_format": "mp3" }),
            400,
            "response_format",
            "unsupported_value",
        ),
        (
            "/v1/audio/speech",
            json!({ "model": "fake-tts", "input": "x", "speed": 9 }),
            400,
            "speed",
            "invalid_value",
        ),
    ] {
        let refused = client.post(path, &body).await;
        let detail = refused.detail(status);
        let error = &refused.json()["error"];
        assert_eq!(error["code"], code, "{path} {body}: {error}");
        assert_eq!(
            error["param"].as_str().unwrap_or_default(),
            param,
            "{path} {body}: {error}"
        );
        assert_eq!(error["message"], detail.as_str());
        assert!(!detail.is_empty() && error["type"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn bodies_that_are_none_have_the_same_form() {
    let server = started_with(&["--graph-limit", "1000"]);
    let client = server.client();
    let deep = format!("{{\"messages\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let large = with(asked("x"), "user", "u".repeat(2000)).to_string();
    for (kind, body, status) in [
        ("application/json", "", 400),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "null", 400),
        ("application/json", &deep, 400),
        ("application/json", "{\"messages\":\"\u{0}", 400),
        ("text/plain", "{}", 400),
        ("application/json", &large, 413),
    ] {
        for path in [
            CHAT,
            "/v1/responses",
            "/v1/embeddings",
            "/v1/images/generations",
            "/v1/audio/speech",
        ] {
            let refused = client.post_as(path, kind, body.to_owned()).await;
            let detail = refused.detail(status);
            assert_eq!(refused.json()["error"]["message"], detail, "{path} {body}");
        }
    }
    for path in ["/v1/audio/transcriptions", "/v1/images/edits"] {
        for (kind, body) in [
            ("application/json", "{}"),
            ("multipart/form-data", "x"),
            ("multipart/form-data; boundary=B", "--B\r\n"),
            (
                "multipart/form-data; boundary=B",
                "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n--B--\r\n",
            ),
            ("multipart/form-data; boundary=B", "--B--\r\n"),
        ] {
            let refused = client.post_as(path, kind, body).await;
            let detail = refused.detail(400);
            assert_eq!(refused.json()["error"]["message"], detail, "{path} {body}");
        }
    }
    for (method, path, status) in [
        (Method::GET, "/v1/nope", 404),
        (Method::DELETE, "/v1/models", 405),
        (Method::GET, CHAT, 405),
    ] {
        let refused = client.call(method, path).await;
        let detail = refused.detail(status);
        assert_eq!(refused.json()["error"]["message"], detail);
    }
    client.check_health().await;
}

#[tokio::test]
async fn case_88_models_are_listed_with_their_owners() {
    let folder = folder();
    let script = script(folder.path(), &rules());
    let environment = [("AUTH_PROVIDER", "static"), ("SERVER_AUTH_TOKEN", "tok")];
    let data = folder.path().join("data");
    let arguments = ["--enable-fake-provider", "--provider-url", &script];
    let server = TestServer::start_there(&environment, &data, folder, &arguments);
    let ask = async |path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        server
            .client()
            .send(with_headers(Method::GET, path, &headers, ""))
            .await
    };
    let listed = ask("/v1/models", "tok").await.ok();
    assert_eq!(listed["object"], "list");
    let data = listed["data"].as_array().unwrap();
    let model = data.iter().find(|model| model["id"] == MODEL).unwrap();
    assert_eq!(
        model,
        &json!({ "id": MODEL, "object": "model", "created": 0, "owned_by": "fake" })
    );
    for id in [MODEL, "fake/fake-model-v1", "fake%2Ffake-model-v1"] {
        assert_eq!(
            ask(&format!("/v1/models/{id}"), "tok").await.ok()["owned_by"],
            "fake"
        );
    }
    assert_eq!(
        ask("/v1/models/nobody", "tok").await.json()["error"]["code"],
        "model_not_found"
    );
    let refused = ask("/v1/models", "wrong").await;
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    let detail = refused.detail(401);
    let error = refused.json()["error"].clone();
    assert_eq!(
        (&error["message"], &error["code"]),
        (&json!(detail), &json!("invalid_api_key"))
    );
}

#[tokio::test]
async fn case_54_a_provider_that_fails_in_the_middle_is_told_in_the_text() {
    let server = started();
    let client = server.client();
    let told = chunks(&client, asked("break off")).await;
    assert_eq!(said(&told), "halfError: lost");
    assert_eq!(told.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let call = ended(&client, "failed").await;
    assert_eq!(call["error"], "lost");
    // Nothing of it has been told, so that it still has a status.
    client.post(CHAT, &asked("break off")).await.detail(502);
}

#[tokio::test]
async fn streaming_may_be_what_happens_when_nothing_is_said() {
    let server = started_with(&["--chat-stream-default"]);
    let client = server.client();
    let stream = stream(&client, CHAT, &asked("hi")).await;
    assert_eq!(stream.events().await.pop().as_deref(), Some("[DONE]"));
    let whole = with(asked("hi"), "stream", false);
    assert_eq!(
        client.post(CHAT, &whole).await.ok()["object"],
        "chat.completion"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_call() {
    let server = started();
    let client = server.client();
    let mut left = stream(&client, CHAT, &with(asked("hang on"), "stream", true)).await;
    while !left.event().await.unwrap().contains("still here") {}
    drop(left);
    ended(&client, "cancelled").await;
}

#[tokio::test]
async fn tools_reasoning_and_the_default_model_pass_through() {
    let server = started_with(&["--provider", "fake", "--default-model", "fake-fast-model"]);
    let client = server.client();
    let tool = json!({ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } });
    let body = with(asked("the weather"), "tools", json!([tool]));
    let answer = client.post(CHAT, &body).await.ok();
    let message = answer["choices"][0]["message"].clone();
    assert_eq!(
        (&message["content"], &answer["choices"][0]["finish_reason"]),
        (&Value::Null, &json!("tool_calls"))
    );
    let function = json!({ "name": "look", "arguments": "{\"city\":\"Paris\"}" });
    assert_eq!(
        message["tool_calls"],
        json!([{ "id": "c1", "type": "function", "function": function }])
    );
    let mut next = body;
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(message);
    messages.push(json!({ "role": "tool", "tool_call_id": "c1", "content": "20" }));
    let answer = client.post(CHAT, &next).await.ok();
    assert_eq!(answer["choices"][0]["message"]["content"], "Mild.");
    for model in [Value::Null, json!("default"), json!("")] {
        let answer = client
            .post(CHAT, &with(asked("think"), "model", model))
            .await
            .ok();
        assert_eq!(answer["model"], "fake/fake-fast-model");
        assert_eq!(answer["choices"][0]["message"]["reasoning_content"], "hm");
    }
}

#[tokio::test]
async fn a_picture_that_is_none_is_refused_before_anybody_is_asked() {
    let server = started();
    let client = server.client();
    let part = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,bm8gcGljdHVyZQ==" } });
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": [part] }] });
    let refused = client.post(CHAT, &body).await;
    refused.detail(400);
    assert_eq!(refused.json()["error"]["code"], "invalid_image");
    assert_eq!(
        client.get("/api/predictions").await.ok()["predictions"],
        json!([])
    );
}

/// Takes a text and greets it.
fn greeter() -> Value {
    graph(
        &[
            node("i", INPUT, json!({ "name": "who" })),
            node("greet", "nodetool.text.Concat", json!({ "a": "Hello, " })),
            output(),
        ],
        &["i.output -> greet.b", "greet.output -> o.value"],
    )
}

async fn save(client: &Client, name: &str, graph: &Value) -> String {
    let body = json!({ "name": name, "access": "private", "graph": graph });
    let saved = client.post("/api/workflows/", &body).await.ok();
    saved["id"].as_str().unwrap().to_owned()
}

async fn workflows(client: &Client) -> Vec<String> {
    let listed = client.get("/v1/models").await.ok();
    let models = listed["data"].as_array().unwrap().iter();
    let ids = models.filter(|model| model["owned_by"] == "workflow");
    let mut ids: Vec<_> = ids
        .map(|model| model["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn workflows_that_take_a_text_and_give_one_are_models() {
    let server = started();
    let client = server.client();
    let id = save(&client, "Greeter", &greeter()).await;
    let mute = graph(
        &[
            node("n", "nodetool.input.IntegerInput", json!({ "name": "n" })),
            output(),
        ],
        &[],
    );
    save(&client, "Mute", &mute).await;
    let twins = [
        save(&client, "Twin", &greeter()).await,
        save(&client, "Twin", &greeter()).await,
    ];
    let odd = save(&client, "a/b", &greeter()).await;
    let mut expected: Vec<String> = [&twins[0], &twins[1], &odd]
        .map(|id| format!("workflow/{id}"))
        .into();
    expected.push("workflow/Greeter".into());
    expected.sort();
    assert_eq!(workflows(&client).await, expected);
    for model in [
        "workflow/Greeter".to_owned(),
        format!("workflow/{id}"),
        format!("workflow/{odd}"),
    ] {
        let body = with(asked("Ada"), "model", model.as_str());
        let answer = client.post(CHAT, &body).await.ok();
        assert_eq!(answer["choices"][0]["message"]["content"], "Hello, Ada");
        assert_eq!(answer["model"], model.as_str());
        assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() > 0);
        assert_eq!(said(&chunks(&client, body).await), "Hello, Ada");
    }
    let ambiguous = client
        .post(CHAT, &with(asked("x"), "model", "workflow/Twin"))
        .await;
    assert!(ambiguous.detail(400).contains("several workflows"));
    let deaf = client
        .post(CHAT, &with(asked("x"), "model", "workflow/Mute"))
        .await;
    assert!(deaf.detail(404).contains("cannot converse"));
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    let body = with(
        with(asked("x"), "model", "workflow/Greeter"),
        "tools",
        tools,
    );
    let refused = client.post(CHAT, &body).await;
    refused.detail(400);
    assert_eq!(refused.json()["error"]["param"], "tools");
    // What is saved anew is looked at anew.
    let body = json!({ "name": "Greeter", "access": "private", "graph": mute });
    client
        .put(&format!("/api/workflows/{id}"), &body)
        .await
        .ok();
    assert!(
        !workflows(&client)
            .await
            .contains(&"workflow/Greeter".to_owned())
    );
}

#[tokio::test]
async fn a_workflow_that_fails_is_a_provider_that_fails() {
    let server = started();
    let client = server.client();
    let mut failing = failing();
    let nodes = failing["nodes"].as_array_mut().unwrap();
    nodes.push(node("i", INPUT, json!({ "name": "prompt" })));
    save(&client, "Failing", &failing).await;
    let body = with(asked("hi"), "model", "workflow/Failing");
    let refused = client.post(CHAT, &body).await;
    assert!(!refused.detail(502).is_empty());
    assert_eq!(refused.json()["error"]["code"], "workflow_failed");
    assert_eq!(refused.header("x-should-retry"), "false");
}

#[tokio::test]
async fn a_chat_server_has_workflow_files_as_models_and_keeps_nothing() {
    let folder = folder();
    let named = folder.path().join("named.json");
    std::fs::write(
        &named,
        json!({ "name": "Greeter", "graph": greeter() }).to_string(),
    )
    .unwrap();
    let bare = folder.path().join("bare.json");
    std::fs::write(&bare, greeter().to_string()).unwrap();
    let data = folder.path().join("data");
    let mut command = program();
    command.args([
        "chat-server",
        "--port",
        "0",
        "--enable-fake-provider",
        "--data-dir",
    ]);
    command
        .arg(&data)
        .arg("--workflow")
        .arg(&named)
        .arg("--workflow")
        .arg(&bare);
    let server = TestServer::spawn(command, folder);
    let client = server.client();
    assert_eq!(
        workflows(&client).await,
        ["workflow/Greeter", "workflow/bare"]
    );
    for model in ["workflow/Greeter", "workflow/bare"] {
        let body = with(asked("Ada"), "model", model);
        let answer = client.post(CHAT, &body).await.ok();
        assert_eq!(answer["choices"][0]["message"]["content"], "Hello, Ada");
        assert_eq!(said(&chunks(&client, body).await), "Hello, Ada");
    }
    assert_eq!(
        client.post(CHAT, &asked("hi")).await.ok()["choices"][0]["message"]["content"],
        TEXT
    );
    assert!(!data.exists(), "it keeps nothing");
}

#[test]
fn a_file_that_cannot_converse_is_no_model() {
    let folder = folder();
    let file = folder.path().join("mute.json");
    std::fs::write(&file, graph(&[output()], &[]).to_string()).unwrap();
    let mut command = program();
    command
        .args(["chat-server", "--port", "0", "--workflow"])
        .arg(&file);
    command.env("HOME", folder.path());
    let ended = command.output().unwrap();
    assert!(!ended.status.success());
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(
        told.contains("the workflow `mute` cannot be a model"),
        "{told}"
    );
}
