//! The step types a server has.

use serde_json::json;

use super::super::server::TestServer;

/// All of them: identifier, kind, and the workflow types it works in.
const STEPS: [(&str, &str, &[&str]); 26] = [
    ("batch-cosine-similarity-scorer", "BlockingNode", BOTH),
    ("cosine-similarity", "BlockingNode", BOTH),
    ("counter", "ProducerNode", BOTH),
    ("cross-encoder", "BlockingNode", BOTH),
    ("data-transformer", "BlockingNode", BOTH),
    ("dynamic-delay-node", "BlockingNode", BOTH),
    ("file-writer", "BlockingNode", BOTH),
    ("for-each", "LoopNode", BOTH),
    ("google-sheets-get-record-by-query", "BlockingNode", BOTH),
    (
        "google-sheets-get-record-by-query-provider",
        "ProducerNode",
        BOTH,
    ),
    ("google-sheets-get-row", "BlockingNode", BOTH),
    ("google-sheets-update-row", "BlockingNode", BOTH),
    ("html-to-markdown", "BlockingNode", BOTH),
    ("http-request", "BlockingNode", BOTH),
    ("http-response", "BlockingNode", &["api"]),
    ("if-condition", "ConditionalNode", BOTH),
    ("linkedin-profile-parser", "BlockingNode", BOTH),
    ("linkedin-profile-scorer", "BlockingNode", BOTH),
    ("linkedin-send-connection-request", "BlockingNode", BOTH),
    ("playwright-network-interceptor", "BlockingNode", BOTH),
    ("playwright-web-page-loader", "BlockingNode", BOTH),
    ("queue-node-writer", "NonBlockingNode", &["production"]),
    ("queue-reader-dummy", "ProducerNode", &["production"]),
    ("static-delay-node", "BlockingNode", BOTH),
    ("string-iterator-producer", "ProducerNode", BOTH),
    ("webhook-producer", "ProducerNode", BOTH),
];
const BOTH: &[&str] = &["production", "api"];

#[tokio::test]
async fn case_29_and_30_there_are_26_step_types_each_with_ports_and_form() {
    let server = TestServer::start();
    let client = server.client();
    let count = client.get("/api/nodes/count/").await.ok();
    assert_eq!(count, json!({ "count": 26 }));
    let flat = client.get("/api/nodes/flat/").await.ok();
    let mut flat = flat.as_array().unwrap().clone();
    flat.sort_by_key(|meta| meta["identifier"].as_str().unwrap().to_owned());
    assert_eq!(flat.len(), STEPS.len());
    let port = |id: &str, label: &str| json!({ "id": id, "label": label });
    for (meta, (identifier, kind, modes)) in flat.iter().zip(STEPS) {
        assert_eq!(meta["identifier"], identifier);
        assert_eq!(meta["type"], kind, "{identifier}");
        assert_eq!(
            meta["supported_workflow_types"],
            json!(modes),
            "{identifier}"
        );
        let out = port("default", "Out");
        let out = match kind {
            "ConditionalNode" => json!([port("yes", "Yes"), port("no", "No")]),
            "LoopNode" => json!([out, port("subdag", "Body")]),
            _ => json!([out]),
        };
        assert_eq!(meta["output_ports"], out, "{identifier}");
        let inputs = match kind {
            "ProducerNode" => json!([]),
            _ => json!([port("default", "In")]),
        };
        assert_eq!(meta["input_ports"], inputs, "{identifier}");
        let form = format!("/api/nodes/{identifier}/form/");
        let form = client.get(&form).await.ok();
        assert_eq!(form["node"]["identifier"], identifier);
        assert_eq!(meta["has_form"], form["form"].is_object(), "{identifier}");
    }
    let counter = client.get("/api/nodes/counter/form/").await.ok();
    let fields = counter["form"]["fields"].as_array().unwrap();
    let labels: Vec<_> = fields.iter().map(|field| &field["label"]).collect();
    assert_eq!(labels, ["Min_Value", "Max_Value", "Direction", "Step"]);
    let choices = fields[2]["widget"]["choices"].as_array().unwrap();
    let values: Vec<_> = choices.iter().map(|choice| &choice[0]).collect();
    assert_eq!(values, ["increment", "decrement"]);
    let missing = client.get("/api/nodes/zzz/").await;
    assert_eq!(missing.status, 404);
    let missing = missing.json();
    assert_eq!(
        (&missing["error"], &missing["identifier"]),
        (&json!("Node not found"), &json!("zzz"))
    );
}
