//! Costs and predictions (HTTP spec 6.15, 6.23; conformance row 83).

use nodetool_store::{Options, PredictionRow, Store};
use serde_json::{Value, json};

use super::server::{TestServer, folder};

/// A server whose database knows twelve calls of the user and one of somebody else.
async fn with_calls() -> TestServer {
    let folder = folder();
    let path = folder.path().join("nodetool.sqlite3");
    let store = Store::open(&path, Options::default()).unwrap();
    for n in 0..13 {
        let row = PredictionRow {
            id: format!("call{n}"),
            user_id: if n == 12 { "2".into() } else { "1".into() },
            provider: if n % 2 == 0 {
                "openai".into()
            } else {
                "gemini".into()
            },
            model: if n < 4 {
                "small".into()
            } else {
                "large".into()
            },
            status: "completed".into(),
            created_at: n,
            cost: Some(0.5),
            input_tokens: Some(n),
            output_tokens: Some(1),
            total_tokens: Some(n + 1),
            metadata: Some(r#"{"a":1}"#.into()),
            ..PredictionRow::default()
        };
        store.insert_prediction(row).await.unwrap();
    }
    store.close().await.unwrap();
    TestServer::start_over(folder, &[])
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn calls_are_listed_newest_first_in_exact_pages() {
    let server = with_calls().await;
    let client = server.client();
    let all = client.get("/api/costs/").await.ok();
    assert_eq!(
        (ids(&all["calls"]).len(), &all["next_start_key"]),
        (12, &json!(""))
    );
    assert_eq!(all["calls"][0]["id"], "call11");
    assert_eq!(all["calls"][0]["metadata"], json!({ "a": 1 }));
    let first = client.get("/api/costs?limit=3&model=small").await.ok();
    assert_eq!(ids(&first["calls"]), ["call3", "call2", "call1"]);
    let key = first["next_start_key"].as_str().unwrap();
    let rest = client
        .get(&format!("/api/costs?limit=3&model=small&start_key={key}"))
        .await
        .ok();
    assert_eq!(
        (ids(&rest["calls"]), &rest["next_start_key"]),
        (vec!["call0"], &json!(""))
    );
    let both = client
        .get("/api/costs?provider=gemini&model=small")
        .await
        .ok();
    assert_eq!(ids(&both["calls"]), ["call3", "call1"]);
}

#[tokio::test]
async fn case_83_a_limit_out_of_range_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    for (limit, kind) in [
        ("0", "greater_than_equal"),
        ("-5", "greater_than_equal"),
        ("1001", "less_than_equal"),
        ("x", "int_parsing"),
    ] {
        let refused = client.get(&format!("/api/costs/?limit={limit}")).await;
        assert_eq!(
            refused.places(),
            [(kind.into(), json!(["query", "limit"]))],
            "{limit}"
        );
    }
    let refused = client.get("/api/costs?start_key=zzz").await;
    assert_eq!(
        refused.places(),
        [("value_error".into(), json!(["query", "start_key"]))]
    );
    assert_eq!(
        client.get("/api/costs?limit=1000").await.ok(),
        json!({ "calls": [], "next_start_key": "" })
    );
}

#[tokio::test]
async fn costs_are_summed_for_the_caller() {
    let server = with_calls().await;
    let client = server.client();
    let total = client.get("/api/costs/aggregate").await.ok();
    let expected = json!({
        "total_cost": 6.0, "total_input_tokens": 66, "total_output_tokens": 12, "total_tokens": 78, "call_count": 12,
        "user_id": "1", "provider": null, "model": null,
    });
    assert_eq!(total, expected);
    let some = client
        .get("/api/costs/aggregate?provider=openai&model=small")
        .await
        .ok();
    assert_eq!(
        (&some["call_count"], &some["total_input_tokens"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&some["provider"], &some["model"]),
        (&json!("openai"), &json!("small"))
    );
    let providers = client.get("/api/costs/aggregate/by-provider").await.ok();
    let names: Vec<_> = providers
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (&p["provider"], &p["call_count"]))
        .collect();
    assert_eq!(
        names,
        [(&json!("gemini"), &json!(6)), (&json!("openai"), &json!(6))]
    );
    let models = client
        .get("/api/costs/aggregate/by-model?provider=openai")
        .await
        .ok();
    let names: Vec<_> = models
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (&m["model"], &m["call_count"]))
        .collect();
    assert_eq!(
        names,
        [(&json!("large"), &json!(4)), (&json!("small"), &json!(2))]
    );
    let summary = client.get("/api/costs/summary").await.ok();
    assert_eq!(summary["overall"], expected);
    assert_eq!(summary["by_provider"], providers);
    assert_eq!(summary["by_model"].as_array().unwrap().len(), 4);
    let recent = ids(&summary["recent_calls"]);
    assert_eq!(
        (recent.len(), recent[0], recent[9]),
        (10, "call11", "call2")
    );
}

#[tokio::test]
async fn a_prediction_is_noted_and_read_back() {
    let server = TestServer::start();
    let client = server.client();
    let sent = json!({
        "provider": "fal_ai", "model": "m", "node_id": "n", "params": { "a": [1] }, "version": "v1", "workflow_id": "w",
    });
    let made = client.post("/api/predictions/", &sent).await.ok();
    assert_eq!(
        (&made["status"], &made["user_id"]),
        (&json!("starting"), &json!("1"))
    );
    assert_eq!(
        (&made["parameters"], &made["metadata"]),
        (&json!({ "a": [1] }), &json!({ "version": "v1" }))
    );
    let path = format!("/api/predictions/{}", made["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.ok(), made);
    let list = client.get("/api/predictions?page_size=1").await.ok();
    assert_eq!(list, json!({ "next": "", "predictions": [made] }));
    assert_eq!(
        client.get("/api/predictions/none").await.detail(404),
        "Prediction not found"
    );
    let refused = client
        .post(
            "/api/predictions",
            &json!({ "provider": "nope", "model": "m", "node_id": "n" }),
        )
        .await;
    assert_eq!(
        refused.places(),
        [("enum".into(), json!(["body", "provider"]))]
    );
    let missing = client.post("/api/predictions", &json!({})).await.places();
    let names: Vec<_> = missing
        .iter()
        .map(|(_, place)| place[1].as_str().unwrap())
        .collect();
    assert_eq!(names, ["provider", "model", "node_id"]);
}

#[tokio::test]
async fn a_prediction_of_somebody_else_is_not_found() {
    let server = with_calls().await;
    let client = server.client();
    assert_eq!(
        client.get("/api/predictions/call12").await.detail(404),
        "Prediction not found"
    );
    assert_eq!(
        client.get("/api/predictions/call11").await.ok()["id"],
        "call11"
    );
}
