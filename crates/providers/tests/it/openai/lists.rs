//! Lists of models.

use nodetool_providers::{ListedModel, ModelKind, Provider};
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use serde_json::json;

use super::stub::{KEY, Stub, ok, status};

async fn models(provider: &Provider) -> Result<Vec<ListedModel>, ModelError> {
    provider.list.as_ref().unwrap().models().await
}

fn kinds(models: &[ListedModel]) -> Vec<(&str, ModelKind)> {
    models
        .iter()
        .map(|model| (model.id.as_str(), model.kind))
        .collect()
}

#[tokio::test]
async fn models_of_every_kind_are_told_apart() {
    let ids = [
        "gpt-4o",
        "text-embedding-3-large",
        "gpt-image-1",
        "dall-e-3",
        "tts-1",
        "gpt-4o-mini-tts",
        "whisper-1",
        "gpt-4o-transcribe",
        "omni-moderation-latest",
        "gpt-realtime",
        "sora-2",
        "",
    ];
    let data: Vec<_> = ids
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1, "owned_by": "openai"}))
        .collect();
    let stub = Stub::with(ok(json!({"object": "list", "data": data}))).await;
    let got = models(&stub.provider("openai")).await.unwrap();
    assert_eq!(
        kinds(&got),
        [
            ("gpt-4o", ModelKind::Language),
            ("text-embedding-3-large", ModelKind::Embedding),
            ("gpt-image-1", ModelKind::Image),
            ("dall-e-3", ModelKind::Image),
            ("tts-1", ModelKind::Tts),
            ("gpt-4o-mini-tts", ModelKind::Tts),
            ("whisper-1", ModelKind::Asr),
            ("gpt-4o-transcribe", ModelKind::Asr),
        ]
    );
    assert_eq!(got[1].dimensions, 3072);
    assert_eq!(got[2].tasks, ["text_to_image", "image_to_image"]);
    assert_eq!(got[3].tasks, ["text_to_image"]);
    assert_eq!(got[4].voices.len(), 9);
    assert!(got[5].voices.contains(&"verse".to_owned()));
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/models");
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
}

#[tokio::test]
async fn what_providers_say_of_their_models_is_used() {
    let router = json!({"data": [
        {"id": "a/b", "name": "B of A", "context_length": 8192, "architecture": {"output_modalities": ["text"]}},
        {"id": "a/draws", "architecture": {"output_modalities": ["image"]}},
    ]});
    let stub = Stub::with(ok(router)).await;
    let got = models(&stub.provider("openrouter")).await.unwrap();
    assert_eq!(kinds(&got), [("a/b", ModelKind::Language)]);
    assert_eq!(
        (got[0].name.as_str(), got[0].context),
        ("B of A", Some(8192))
    );

    let bare =
        json!([{"id": "x", "type": "image", "display_name": "X"}, {"id": "y", "type": "rerank"}]);
    let stub = Stub::with(ok(bare)).await;
    let got = models(&stub.provider("together")).await.unwrap();
    assert_eq!(kinds(&got), [("x", ModelKind::Image)]);
    assert_eq!(got[0].name, "X");
}

#[tokio::test]
async fn a_host_behind_the_router_lists_only_its_models() {
    let list = json!({"data": [
        {"id": "org/a", "providers": [{"provider": "groq", "context_length": 1000}, {"provider": "novita"}]},
        {"id": "org/b", "providers": [{"provider": "novita"}]},
    ]});
    let stub = Stub::with(ok(list.clone())).await;
    let got = models(&stub.provider("huggingface_groq")).await.unwrap();
    assert_eq!(kinds(&got), [("org/a", ModelKind::Language)]);
    assert_eq!(got[0].context, Some(1000));
    let stub = Stub::with(ok(list)).await;
    // The models of single tasks come after those that talk.
    let got = models(&stub.provider("huggingface")).await.unwrap();
    let talk = |m: &&ListedModel| m.kind == ModelKind::Language;
    assert_eq!(got.iter().filter(talk).count(), 2);
    assert!(got.iter().any(|m| m.kind == ModelKind::Image));
}

#[tokio::test]
async fn lists_that_are_none_are_errors() {
    let stub = Stub::with(ok(json!({"data": {}}))).await;
    let e = models(&stub.provider("openai")).await.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Protocol);
    let stub = Stub::with(status(
        401,
        json!({"error": {"message": "no", "code": "invalid_api_key"}}),
    ))
    .await;
    let e = models(&stub.provider("openai")).await.unwrap_err();
    assert_eq!(e.kind, ModelErrorKind::Unauthorized);
}
