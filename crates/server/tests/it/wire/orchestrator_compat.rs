//! The rows where what is documented and what was observed cannot both hold, in both profiles (orchestrator spec 0.3).
//!
//! The description of the API is that of `doc`, so what only `reference` answers is not compared with it.

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply, bare};
use super::doors::refused;
use super::local::local_json;
use super::orchestrator_runs::Flow;
use super::server::{TestServer, folder};

/// A server of each profile.
fn servers() -> [TestServer; 2] {
    ["doc", "reference"].map(|profile| TestServer::start_with(&["--orchestrator-compat", profile]))
}

/// Puts a node into a workflow by the route that is the same in both; gives its id.
async fn node(flow: &Flow<'_>, kind: &str, form: Value) -> String {
    let body = json!({ "node_type": kind, "form_values": form });
    let made = flow.post("nodes", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().unwrap().to_owned()
}

async fn get(client: &Client, path: &str) -> Value {
    client.send_unchecked(bare(Method::GET, path)).await.ok()
}

async fn post(client: &Client, path: &str, body: &Value) -> Reply {
    let request = local_json(Method::POST, path, body);
    client.send_unchecked(request).await
}

fn template(output: &str) -> Value {
    json!({ "overwrite": false, "output_template": output })
}

#[test]
fn a_profile_is_one_of_two_words() {
    for told in [
        refused(&[], &["--orchestrator-compat", "both"]),
        refused(&[("NODETOOL_ORCHESTRATOR_COMPAT", "both")], &[]),
    ] {
        let expected = "invalid value 'both' for '--orchestrator-compat <PROFILE>'";
        assert!(told.contains(expected), "{told}");
        assert!(told.contains("doc, reference"), "{told}");
    }
    let folder = folder();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "orchestrator_compat = \"both\"\n").unwrap();
    let told = refused(&[], &["--config", file.to_str().unwrap()]);
    assert!(
        told.contains("unknown variant `both`, expected `doc` or `reference`"),
        "{told}"
    );
}

#[tokio::test]
async fn what_branches_inherit_is_there_once_or_once_for_each() {
    let once = [
        "data_transformer",
        "data_transformer_2",
        "data_transformer_3",
        "webhook",
    ];
    let each = [&once[..], &["webhook_2", "webhook_3"]].concat();
    for (server, added) in servers().iter().zip([&once[..], &each[..]]) {
        let client = server.client();
        let flow = Flow::api(&client).await;
        let call = node(&flow, "webhook-producer", json!({ "webhook_id": "w" })).await;
        let mut others = Vec::new();
        for output in [r#"{"a": 1}"#, r#"{"b": 2}"#, r#"{"j": 3}"#] {
            others.push(node(&flow, "data-transformer", template(output)).await);
        }
        let [a, b, j] = &others[..] else {
            panic!("three nodes")
        };
        for (from, to) in [(&call, a), (&call, b), (a, j), (b, j)] {
            flow.edge(from, to).await;
        }
        let answer = flow.post("execute", &json!({ "input": {} })).await.ok();
        let output = answer["output"].as_object().unwrap();
        let mut keys: Vec<&str> = output.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, added, "{answer}");
    }
}

#[tokio::test]
async fn a_template_is_told_by_its_marks_or_by_an_expression_on_one_line() {
    let statement = r#"{"v": "{% if true %}yes{% endif %}"}"#;
    for (server, v) in servers().iter().zip(["yes", "{% if true %}yes{% endif %}"]) {
        let client = server.client();
        let flow = Flow::new(&client).await;
        let step = node(&flow, "data-transformer", template(statement)).await;
        let ran = flow.run_node(&step, json!({})).await.ok();
        let made = &ran["output"]["data"]["data_transformer"];
        assert_eq!(*made, json!({ "v": v }), "{ran}");
        let one_line = template(r#"{"v": "{% if true %}{{ 1 + 1 }}{% endif %}"}"#);
        let more = json!({ "form_values": one_line });
        let ran = flow.run_node(&step, more).await.ok();
        let made = &ran["output"]["data"]["data_transformer"];
        assert_eq!(*made, json!({ "v": "2" }), "{ran}");
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_used_is_refused_with_422_or_400() {
    for (server, status) in servers().iter().zip([422, 400]) {
        let client = server.client();
        let flow = Flow::new(&client).await;
        let counter = node(&flow, "counter", json!({ "min_value": "q" })).await;
        let body = json!({ "node_id": counter });
        let refused = post(&client, &flow.path("execute_and_save_node"), &body).await;
        assert_eq!(refused.status, status, "{refused:?}");
        let told = refused.json();
        let text = told["error"].as_str().unwrap();
        assert!(
            text.starts_with("Form validation failed: min_value: "),
            "{told}"
        );
        assert_eq!(told["detail"], told["error"]);
        assert_eq!(
            (&told["code"], &told["error_code"], &told["error_type"]),
            (
                &json!("VALIDATION_ERROR"),
                &json!("ValidationError"),
                &json!("FormValidationError")
            )
        );
        assert!(told["form"]["fields"].is_array(), "{told}");
        assert!(told["details"][&counter]["min_value"].is_array(), "{told}");
        let unfit = post(&client, &flow.path("validate"), &json!({})).await;
        assert_eq!(unfit.status, status, "{unfit:?}");
        assert_eq!(unfit.json()["valid"], false);
    }
}

#[tokio::test]
async fn a_status_that_a_workflow_gives_itself_is_the_same_in_both() {
    for server in &servers() {
        let client = server.client();
        let flow = Flow::api(&client).await;
        let call = node(&flow, "webhook-producer", json!({ "webhook_id": "w" })).await;
        let form = json!({ "status_code": 422, "body_source": "from_input" });
        let response = node(&flow, "http-response", form).await;
        flow.edge(&call, &response).await;
        let answer = post(&client, &flow.path("execute"), &json!({ "input": {} })).await;
        assert_eq!(answer.status, 422, "{answer:?}");
    }
}

#[tokio::test]
async fn a_stop_is_told_as_what_became_of_the_run_or_of_the_stop() {
    for (server, status) in servers().iter().zip(["REVOKED", "SUCCESS"]) {
        let client = server.client();
        let flow = Flow::new(&client).await;
        node(&flow, "webhook-producer", json!({ "webhook_id": "w" })).await;
        flow.start().await;
        flow.until("a run", |state| state["status"] == "running")
            .await;
        assert_eq!(flow.stop().await["status"], status);
        assert_eq!(flow.task().await["status"], "REVOKED");
        assert_eq!(flow.stop().await["status"], "SUCCESS");
    }
}

#[tokio::test]
async fn a_node_that_is_added_tells_its_type_as_a_word_or_as_an_object() {
    for (server, is_word) in servers().iter().zip([true, false]) {
        let client = server.client();
        let flow = Flow::new(&client).await;
        let body = json!({ "nodeTemplate": "counter", "position": { "x": 1, "y": 2 } });
        let added = post(&client, &flow.path("nodes/add"), &body).await;
        assert_eq!(added.status, 201, "{added:?}");
        let added = added.json();
        let info = if is_word {
            assert_eq!(added["node_type"], "counter");
            &added["node_type_info"]
        } else {
            &added["node_type"]
        };
        assert_eq!(
            (&info["identifier"], &info["type"]),
            (&json!("counter"), &json!("ProducerNode")),
            "{added}"
        );
        assert_eq!(added["position"], body["position"]);
        let canvas = flow.get("canvas_data").await.ok();
        assert_eq!(canvas["nodes"][0]["node_type"], *info);
    }
}

#[tokio::test]
async fn what_a_node_takes_and_gives_stands_under_a_key_or_alone() {
    for (server, is_keyed) in servers().iter().zip([true, false]) {
        let client = server.client();
        let flow = Flow::new(&client).await;
        let first = node(&flow, "data-transformer", template(r#"{"a": 1}"#)).await;
        let second = node(&flow, "data-transformer", template(r#"{"b": 2}"#)).await;
        flow.edge(&first, &second).await;
        flow.run_node(&first, json!({})).await.ok();
        let made = json!({ "data_transformer": { "a": 1 } });
        for (node, side) in [(&first, "output"), (&second, "input")] {
            let told = get(&client, &flow.path(&format!("nodes/{node}/{side}"))).await;
            let expected = match is_keyed {
                true => json!({ format!("{side}_data"): made }),
                false => made.clone(),
            };
            assert_eq!(told, expected, "{side}");
        }
    }
}
