//! The list of models.

use super::*;
use crate::{ListedModel, ModelKind};

#[tokio::test]
async fn models_are_listed_page_by_page() {
    let model = |id: &str, name: &str| {
        json!({
            "type": "model", "id": id, "display_name": name, "created_at": "2025-09-29T00:00:00Z",
            "lifecycle": "active"
        })
    };
    let mut large = model("claude-c", "");
    large["max_input_tokens"] = json!(200_000);
    let mut gone = model("claude-0", "Claude 0");
    gone["lifecycle"] = json!("retired");
    let first = json!({
        "data": [gone, model("claude-a", "Claude A"), model("claude-b", "Claude B")],
        "first_id": "claude-a", "last_id": "claude b&c", "has_more": true
    });
    let last =
        json!({"data": [large], "first_id": "claude-c", "last_id": "claude-c", "has_more": false});
    let stub = Stub::new([Reply::json(&first), Reply::json(&last)]).await;
    let provider = (super::super::DEFINITION.make)(&account(&stub));
    let models = provider.list.unwrap().models().await.unwrap();
    let named = |id: &str, name: &str| ListedModel {
        name: name.into(),
        ..ListedModel::new(id, ModelKind::Language)
    };
    let expected = [
        named("claude-a", "Claude A"),
        named("claude-b", "Claude B"),
        ListedModel {
            context: Some(200_000),
            ..named("claude-c", "claude-c")
        },
    ];
    assert_eq!(models, expected);
    let lines: Vec<String> = stub.seen().into_iter().map(|seen| seen.line).collect();
    let expected = [
        "GET /v1/models?limit=1000",
        "GET /v1/models?limit=1000&after_id=claude+b%26c",
    ];
    assert_eq!(lines, expected);
    assert_eq!(stub.seen()[0].headers["x-api-key"], crate::stub::SECRET);
}

#[tokio::test]
async fn a_list_that_goes_in_circles_ends() {
    let page = json!({"data": [], "last_id": "a", "has_more": true});
    let stub = Stub::new([Reply::json(&page), Reply::json(&page)]).await;
    let provider = (super::super::DEFINITION.make)(&account(&stub));
    assert_eq!(provider.list.unwrap().models().await, Ok(Vec::new()));
    assert_eq!(stub.seen().len(), 2);
}
