//! The list of models.

use super::*;
use crate::ModelKind;

#[tokio::test]
async fn models_are_listed_page_by_page_with_what_they_are_for() {
    let model = |name: &str, methods: &[&str]| {
        json!({
            "name": format!("models/{name}"), "displayName": format!("The {name}"),
            "inputTokenLimit": 1000, "supportedGenerationMethods": methods
        })
    };
    let first = json!({
        "models": [
            model("gemini-2.5-flash", &["generateContent", "countTokens"]),
            model("gemma-3-27b-it", &["generateContent"]),
            model("gemini-2.5-flash-image", &["generateContent"]),
            model("gemini-2.5-flash-preview-tts", &["generateContent"]),
        ],
        "nextPageToken": "a&b"
    });
    let last = json!({"models": [
        model("gemini-embedding-001", &["embedContent"]),
        model("imagen-4.0-generate-001", &["predict"]),
        model("veo-3.1-generate-preview", &["predictLongRunning"]),
        model("gemini-live", &["bidiGenerateContent"]),
        model("aqa", &["generateAnswer"]),
    ]});
    let stub = Stub::new([Reply::json(&first), Reply::json(&last)]).await;
    let list = provider(&account(&stub)).list.unwrap();
    let models = list.models().await.unwrap();
    let kinds: Vec<(&str, ModelKind)> = models.iter().map(|m| (m.id.as_str(), m.kind)).collect();
    let expected = [
        ("gemini-2.5-flash", ModelKind::Language),
        ("gemini-2.5-flash", ModelKind::Asr),
        ("gemma-3-27b-it", ModelKind::Language),
        ("gemini-2.5-flash-image", ModelKind::Image),
        ("gemini-2.5-flash-preview-tts", ModelKind::Tts),
        ("gemini-embedding-001", ModelKind::Embedding),
        ("imagen-4.0-generate-001", ModelKind::Image),
        ("veo-3.1-generate-preview", ModelKind::Video),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(models[0].name, "The gemini-2.5-flash");
    assert_eq!(models[0].context, Some(1000));
    assert_eq!(models[3].tasks, ["text_to_image", "image_to_image"]);
    assert_eq!(models[4].voices.len(), 30);
    assert_eq!(models[5].dimensions, 3072);
    assert_eq!(models[7].tasks, ["text_to_video", "image_to_video"]);
    let lines: Vec<String> = stub.seen().into_iter().map(|seen| seen.line).collect();
    let expected = [
        "GET /v1beta/models?pageSize=1000",
        "GET /v1beta/models?pageSize=1000&pageToken=a%26b",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_list_that_does_not_come_is_given_up() {
    let stub = Stub::new([Reply::json(&json!({})).waiting()]).await;
    let mut account = account(&stub);
    account.patience.list = Duration::from_millis(20);
    let list = provider(&account).list.unwrap();
    let refusal = list.models().await.unwrap_err();
    assert_eq!(refusal.kind, nodetool_sdk::models::ModelErrorKind::TimedOut);
}
