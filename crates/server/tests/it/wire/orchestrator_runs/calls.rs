//! API workflows, which are called like functions.

use hyper::Method;
use serde_json::{Value, json};

use super::super::client::request;
use super::super::server::TestServer;
use super::{Flow, error};

async fn webhook(flow: &Flow<'_>) -> String {
    flow.node("webhook-producer", json!({ "webhook_id": "w" }))
        .await
}

#[tokio::test]
async fn case_55_only_an_active_workflow_is_called() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    let first = webhook(&flow).await;
    let second = flow.transformer(r#"{"twice": {{ data.n * 2 }}}"#).await;
    flow.edge(&first, &second).await;
    flow.post("deactivate", &json!({})).await.ok();
    let input = json!({ "input": { "n": 4 } });
    let refused = flow.post("execute", &input).await;
    let text = error(&refused, 400);
    assert!(text.starts_with("Workflow 'Api' is not active."), "{text}");
    assert_eq!(refused.json()["success"], false);
    flow.post("activate", &json!({})).await.ok();
    let answer = flow.post("execute", &input).await.ok();
    assert_eq!(
        (&answer["success"], &answer["workflow_id"]),
        (&json!(true), &json!(flow.id))
    );
    assert_eq!(answer["output"]["data_transformer"], json!({ "twice": 8 }));
    assert!(answer["execution_time_ms"].is_u64(), "{answer}");
    let object = flow.object().await;
    assert_eq!(
        (&object["runs_count"], &object["status"]),
        (&json!(1), &json!("active"))
    );
    assert_eq!(client.get("/api/jobs").await.ok()["jobs"], json!([]));
}

#[tokio::test]
async fn case_56_a_step_sees_the_request_without_its_credentials() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    webhook(&flow).await;
    let path = format!("{}?x=1", flow.path("execute"));
    let call = request(Method::POST, &path)
        .header("content-type", "application/json")
        .header("authorization", "Bearer secret-token")
        .header("cookie", "secret-cookie")
        .header("x-extra", "seen")
        .body(json!({ "input": {} }).to_string().into_bytes().into());
    let answer = client.send(call.unwrap()).await.ok();
    let data = &answer["output"]["webhook"]["data"];
    assert_eq!(
        (
            &data["query_params"],
            &data["method"],
            &data["headers"]["x-extra"]
        ),
        (&json!({ "x": ["1"] }), &json!("POST"), &json!("seen"))
    );
    assert!(!answer.to_string().contains("secret-"), "{answer}");
}

async fn responding(flow: &Flow<'_>, form: Value) {
    let first = webhook(flow).await;
    let response = flow.node("http-response", form).await;
    flow.edge(&first, &response).await;
}

#[tokio::test]
async fn case_57_a_step_makes_the_whole_response() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    let form =
        json!({ "status_code": 201, "body_source": "custom", "body_json": r#"{"made": true}"# });
    responding(&flow, form).await;
    let made = client.send_unchecked(super::super::client::json(
        Method::POST,
        &flow.path("execute"),
        &json!({}),
    ));
    let made = made.await;
    assert_eq!((made.status, made.json()), (201, json!({ "made": true })));
    let flow = Flow::api(&client).await;
    responding(
        &flow,
        json!({ "status_code": 404, "body_source": "from_input" }),
    )
    .await;
    let body = json!({ "input": { "n": 1 } });
    let call = super::super::client::json(Method::POST, &flow.path("execute"), &body);
    let missing = client.send_unchecked(call).await;
    assert_eq!((missing.status, &missing.json()["n"]), (404, &json!(1)));
    let flow = Flow::api(&client).await;
    responding(
        &flow,
        json!({ "status_code": 204, "body_source": "custom" }),
    )
    .await;
    let empty = flow.post("execute", &json!({})).await;
    assert_eq!((empty.status, empty.body.len()), (204, 0));
}

#[tokio::test]
async fn case_58_a_call_that_takes_too_long_is_cut() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    let first = webhook(&flow).await;
    let delay = json!({ "interval": 3600, "unit": "seconds" });
    let delay = flow.node("static-delay-node", delay).await;
    flow.edge(&first, &delay).await;
    let cut = flow.post("execute", &json!({ "timeout": 1 })).await;
    assert_eq!(error(&cut, 400), "Execution timeout after 1 seconds");
}

#[tokio::test]
async fn case_59_a_call_begins_with_a_webhook() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::api(&client).await;
    flow.counter(1, 2).await;
    let refused = flow.post("execute", &json!({})).await;
    let text = "API workflows must start with WebhookProducer node. Found: counter";
    assert_eq!(error(&refused, 400), text);
    let refused = flow.post("execute", &json!({ "input": [] })).await;
    assert_eq!(error(&refused, 400), "input must be an object");
}

#[tokio::test]
async fn case_60_a_production_workflow_is_neither_called_nor_activated() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    for route in ["activate", "deactivate"] {
        assert_eq!(flow.post(route, &json!({})).await.status, 400);
    }
    let text = error(&flow.post("execute", &json!({})).await, 400);
    let expected = "Workflow 'Flow' is not an API workflow. Current type: production.";
    assert!(text.starts_with(expected), "{text}");
    let flow = Flow::api(&client).await;
    let refused = flow.get("start_execution").await;
    assert_eq!(refused.status, 400, "{refused:?}");
}
