//! Embeddings.

use nodetool_providers::Provider;
use nodetool_sdk::models::{EmbedRequest, Embeddings, ModelError, ModelErrorKind, Usage};
use serde_json::{Value, json};

use super::stub::{Reply, Stub, ok};

async fn embed(provider: &Provider, texts: &[&str]) -> Result<Embeddings, ModelError> {
    let request = EmbedRequest {
        model: "text-embedding-3-small".into(),
        texts: texts.iter().map(|text| (*text).to_owned()).collect(),
        dimensions: Some(2),
        ..EmbedRequest::default()
    };
    provider.embed.as_ref().unwrap().embed(request).await
}

fn item(index: u32, embedding: Value) -> Value {
    json!({"object": "embedding", "index": index, "embedding": embedding})
}

#[tokio::test]
async fn vectors_are_in_the_order_of_their_numbers() {
    // 1.0 and -2.0, little-endian.
    let base64 = json!("AACAPwAAAMA=");
    let stub = Stub::with(ok(
        json!({"object": "list", "model": "m", "data": [item(1, json!([0.5, 0])), item(0, base64)],
        "usage": {"prompt_tokens": 4, "total_tokens": 4}}),
    ))
    .await;
    let got = embed(&stub.provider("openai"), &["a", "b"]).await.unwrap();
    assert_eq!(got.vectors, [vec![1.0, -2.0], vec![0.5, 0.0]]);
    assert_eq!(
        got.usage,
        Some(Usage {
            input: 4,
            ..Usage::default()
        })
    );
    let asked = stub.asked_once();
    assert_eq!(asked.path, "/v1/embeddings");
    let expected = json!({"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2});
    assert_eq!(asked.json(), expected);
}

#[tokio::test]
async fn many_texts_go_in_batches() {
    let batch = |texts: u32| {
        let data: Vec<Value> = (0..texts)
            .map(|i| item(i, json!([f64::from(i), 1])))
            .collect();
        Reply::With(ok(json!({"object": "list", "model": "m", "data": data,
            "usage": {"prompt_tokens": texts, "total_tokens": texts}})))
    };
    let stub = Stub::answering([batch(64), batch(6)]).await;
    let got = embed(&stub.provider("mistral"), &["x"; 70]).await.unwrap();
    assert_eq!(got.vectors.len(), 70);
    assert_eq!((got.vectors[63][0], got.vectors[64][0]), (63.0, 0.0));
    assert_eq!(got.usage.unwrap().input, 70);
    let asked = stub.asked()[1].json();
    assert_eq!(
        asked,
        json!({"model": "text-embedding-3-small", "input": vec!["x"; 6], "output_dimension": 2})
    );
}

#[tokio::test]
async fn no_texts_are_no_call() {
    let stub = Stub::answering([]).await;
    let got = embed(&stub.provider("openai"), &[]).await.unwrap();
    assert_eq!(got, Embeddings::default());
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn vectors_that_do_not_fit_the_texts_are_refused() {
    let cases = [
        json!({"data": [item(0, json!([1]))]}),
        json!({"data": [item(0, json!([1])), item(0, json!([1]))]}),
        json!({"data": [item(0, json!([1])), item(7, json!([1]))]}),
        json!({"data": [item(0, json!([1])), item(1, json!([1, 2]))]}),
        json!({"data": [item(0, json!([1])), item(1, json!(["x"]))]}),
        json!({"data": [item(0, json!("AACAPw==")), item(1, json!("AAA="))]}),
        json!({"data": "none"}),
    ];
    for body in cases {
        let stub = Stub::with(ok(body.clone())).await;
        let e = embed(&stub.provider("openai"), &["a", "b"])
            .await
            .unwrap_err();
        assert_eq!(e.kind, ModelErrorKind::Protocol, "{body}");
    }
}
