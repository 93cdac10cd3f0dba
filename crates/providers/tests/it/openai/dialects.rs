//! What a row of the table changes.

use nodetool_providers::find;
use nodetool_sdk::models::{
    ChatMessage, ChatRequest, Media, Part, ResponseFormat, Role, ToolCall, ToolSpec,
};
use nodetool_sdk::protocol::Value as Plain;
use serde_json::{Value, json};

use super::stub::{Stub, answer, finish, hello, stream_of};

async fn asked(id: &str, request: ChatRequest) -> Value {
    let stub = Stub::with(stream_of(&[finish("stop")])).await;
    answer(&stub.provider(id), request).await.unwrap();
    stub.asked_once().json()
}

fn full(model: &str) -> ChatRequest {
    let mut request = hello(model);
    request.messages[0].name = Some("ann".into());
    ChatRequest {
        max_tokens: Some(9),
        seed: Some(7),
        end_user: Some("somebody".into()),
        ..request
    }
}

#[tokio::test]
async fn providers_get_fields_by_their_names_and_none_they_refuse() {
    let message = |name: bool| match name {
        true => json!([{"role": "user", "name": "ann", "content": "Hello"}]),
        false => json!([{"role": "user", "content": "Hello"}]),
    };
    let mistral = json!({"model": "m", "messages": message(false), "stream": true, "max_tokens": 9, "random_seed": 7});
    assert_eq!(asked("mistral", full("m")).await, mistral);
    let groq = json!({"model": "m", "messages": message(false), "stream": true,
        "stream_options": {"include_usage": true}, "max_completion_tokens": 9, "seed": 7, "user": "somebody"});
    assert_eq!(asked("groq", full("m")).await, groq);
    let usual = json!({"model": "m", "messages": message(true), "stream": true,
        "stream_options": {"include_usage": true}, "max_tokens": 9, "seed": 7, "user": "somebody"});
    for id in [
        "openrouter",
        "together",
        "deepseek",
        "moonshot",
        "vllm",
        "llama_cpp",
        "huggingface",
    ] {
        assert_eq!(asked(id, full("m")).await, usual, "{id}");
    }
}

#[tokio::test]
async fn a_host_behind_the_router_is_named_with_the_model() {
    assert_eq!(asked("huggingface", hello("org/m")).await["model"], "org/m");
    assert_eq!(
        asked("huggingface_zai", hello("org/m")).await["model"],
        "org/m:zai-org"
    );
    assert_eq!(
        asked("huggingface_zai", hello("org/m:groq")).await["model"],
        "org/m:groq"
    );
}

#[tokio::test]
async fn json_is_asked_for_in_the_way_a_provider_knows() {
    let schema = |id: &'static str| async move {
        let mut request = hello("m");
        request
            .messages
            .insert(0, ChatMessage::text(Role::System, "Be brief."));
        request.response_format = Some(ResponseFormat::JsonSchema {
            name: "x".into(),
            description: None,
            schema: serde_json::from_value::<Plain>(json!({"type": "object"})).unwrap(),
            strict: None,
        });
        asked(id, request).await
    };
    let native =
        json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    assert_eq!(schema("vllm").await["response_format"], native);
    assert_eq!(schema("lmstudio").await["response_format"], native);
    let deepseek = schema("deepseek").await;
    assert_eq!(deepseek["response_format"], json!({"type": "json_object"}));
    let words = "Answer with one JSON object and nothing else. It has to fit this JSON Schema: {\"type\":\"object\"}";
    assert_eq!(
        deepseek["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": words},
            {"role": "user", "content": "Hello"},
        ])
    );
    let object = ChatRequest {
        response_format: Some(ResponseFormat::JsonObject),
        ..hello("m")
    };
    let any = json!({"type": "json_object"});
    assert_eq!(
        asked("openai", object.clone()).await["response_format"],
        any
    );
    let any = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}});
    assert_eq!(asked("lmstudio", object).await["response_format"], any);
}

#[tokio::test]
async fn a_sound_is_written_as_the_provider_reads_it() {
    let mut request = hello("m");
    let sound = Media::bytes("audio/wav", &b"snd"[..]);
    request.messages[0].parts.push(Part::Audio(sound));
    let part = |asked: Value| asked["messages"][0]["content"][1].clone();
    let expected = json!({"type": "input_audio", "input_audio": "c25k"});
    assert_eq!(part(asked("mistral", request.clone()).await), expected);
    let expected = json!({"type": "input_audio", "input_audio": {"data": "c25k", "format": "wav"}});
    assert_eq!(part(asked("openrouter", request).await), expected);
}

#[tokio::test]
async fn ids_of_calls_fit_the_provider_and_still_belong_together() {
    let call = ToolCall {
        id: "toolu_01A09q90qw90lq917835lq9".into(),
        name: "f".into(),
        ..ToolCall::default()
    };
    let mut request = hello("m");
    request.messages.push(ChatMessage {
        parts: Vec::new(),
        tool_calls: vec![call.clone()],
        ..ChatMessage::text(Role::Assistant, "")
    });
    request.messages.push(ChatMessage::tool(&call, "done"));
    let asked = asked("mistral", request).await;
    let id = asked["messages"][1]["tool_calls"][0]["id"]
        .as_str()
        .unwrap();
    assert!(
        id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
        "{id}"
    );
    assert_eq!(asked["messages"][2]["tool_call_id"], id);
}

#[tokio::test]
async fn reasoning_goes_back_only_within_its_turn_and_where_it_is_wanted() {
    let thought = |text: &str, said: &str| ChatMessage {
        parts: vec![
            Part::Thought {
                text: text.into(),
                signature: None,
            },
            Part::Text(said.into()),
        ],
        ..ChatMessage::text(Role::Assistant, "")
    };
    let mut request = hello("m");
    request.messages.push(thought("old", "one"));
    request.messages.push(ChatMessage::text(Role::User, "More"));
    request.messages.push(thought("new", "two"));
    let messages = |asked: Value| asked["messages"].clone();
    let first = json!({"role": "assistant", "content": "one"});
    let last = |id: &'static str| {
        let asked = asked(id, request.clone());
        async {
            let messages = messages(asked.await);
            (messages[1].clone(), messages[3].clone())
        }
    };
    let expected = json!({"role": "assistant", "content": "two"});
    assert_eq!(last("groq").await, (first.clone(), expected));
    let expected = json!({"role": "assistant", "content": "two", "reasoning_content": "new"});
    assert_eq!(last("deepseek").await, (first.clone(), expected));
    let expected = json!({"role": "assistant", "content": "<think>\nnew\n</think>\n\ntwo"});
    assert_eq!(last("minimax").await, (first, expected));
}

#[tokio::test]
async fn a_tool_without_arguments_has_a_schema() {
    let tool = |parameters: Value| ToolSpec {
        name: "now".into(),
        description: String::new(),
        parameters: serde_json::from_value(parameters).unwrap(),
        ..ToolSpec::default()
    };
    let request = ChatRequest {
        tools: vec![tool(json!(null)), tool(json!({}))],
        ..hello("m")
    };
    let function = json!({"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}});
    assert_eq!(
        asked("openai", request).await["tools"],
        json!([function, function])
    );
}

#[test]
fn the_table_says_where_providers_are() {
    let address = |id: &str| find(id).unwrap().address;
    assert_eq!(address("lmstudio"), "http://127.0.0.1:1234/v1");
    assert_eq!(address("llama_cpp"), "http://127.0.0.1:8080/v1");
    let vllm = find("vllm").unwrap();
    assert_eq!(
        (vllm.address, vllm.address_setting, vllm.path),
        ("", Some("VLLM_BASE_URL"), "/v1")
    );
    assert_eq!((vllm.key, vllm.needs_key), (Some("VLLM_API_KEY"), false));
    for place in [
        "http://gpu:8000",
        "http://gpu:8000/",
        " http://gpu:8000/v1/ ",
    ] {
        assert_eq!(vllm.address_at(place), "http://gpu:8000/v1");
    }
    let (setting, other) = find("zai").unwrap().other_address.unwrap();
    assert_eq!(
        (setting, other),
        ("ZAI_USE_CODING_PLAN", "https://api.z.ai/api/coding/paas/v4")
    );
    for id in ["huggingface", "huggingface_groq"] {
        let row = find(id).unwrap();
        assert_eq!(
            (row.key, row.address),
            (Some("HF_TOKEN"), "https://router.huggingface.co/v1")
        );
    }
}
