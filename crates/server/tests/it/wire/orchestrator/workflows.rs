//! Workflows as a whole.

use hyper::Method;
use serde_json::{Value, json};

use super::super::graphs::{greeting, waiting};
use super::super::server::TestServer;
use super::{connect, id_of, made, node, patch, refusal, some};

#[tokio::test]
async fn case_1_a_workflow_is_made() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "My Workflow", "description": "d" });
    let reply = client.post("/api/workflow/", &body).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    let id = made["id"].as_str().unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
    assert!(made["created_at"].as_str().unwrap().ends_with('Z'));
    for (key, value) in [
        ("name", json!("My Workflow")),
        ("description", json!("d")),
        ("category", Value::Null),
        ("workflow_type", json!("production")),
        ("status", json!("inactive")),
        ("last_run", Value::Null),
        ("next_run", Value::Null),
        ("runs_count", json!(0)),
        ("tags", json!([])),
        ("task_id", Value::Null),
        ("env", json!({})),
        ("runtime_state", json!({})),
        ("created_by", json!(1)),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    let read = client.get(&format!("/api/workflow/{id}/")).await.ok();
    assert_eq!(read, made);
}

#[tokio::test]
async fn case_2_and_3_each_field_says_what_is_wrong_with_it() {
    let server = TestServer::start();
    let client = server.client();
    let reply = client.post("/api/workflow/", &json!({})).await;
    let body = refusal(&reply, 400, "INVALID_REQUEST");
    assert_eq!(
        body["errors"],
        json!({ "name": ["This field is required."] })
    );
    assert_eq!(body["details"], body["errors"]);
    assert_eq!(body["error"], "name: This field is required.");
    for (field, value, words) in [
        ("name", json!("n".repeat(101)), "100 characters"),
        ("name", json!("  "), "blank"),
        ("name", json!(null), "null"),
        ("name", json!([]), "valid string"),
        ("description", json!("d".repeat(256)), "255 characters"),
        ("category", json!("c".repeat(51)), "50 characters"),
        ("workflow_type", json!("x"), "\"x\" is not a valid choice."),
        ("status", json!("running"), "not a valid choice"),
        ("env", json!([1]), "dictionary"),
        ("runtime_state", json!("x"), "dictionary"),
        ("tags", json!({}), "list"),
        ("tags", json!([[]]), "valid string"),
        ("next_run", json!("soon"), "format"),
    ] {
        let mut body = json!({ "name": "W" });
        body[field] = value;
        let reply = client.post("/api/workflow/", &body).await;
        let refused = refusal(&reply, 400, "INVALID_REQUEST");
        let told = refused["errors"][field][0].as_str().unwrap_or_default();
        assert!(told.contains(words), "{field}: {refused}");
    }
    assert_eq!(client.get("/api/workflow/").await.ok(), json!([]));
}

#[tokio::test]
async fn case_4_lists_hold_the_workflows_of_both_apis_newest_first() {
    let server = TestServer::start();
    let client = server.client();
    let first = id_of(
        &client
            .get(&made(&client, json!({ "name": "B" })).await)
            .await
            .ok(),
    );
    let flow = client.save(&greeting()).await;
    let last = id_of(
        &client
            .get(&made(&client, json!({ "name": "A" })).await)
            .await
            .ok(),
    );
    let ids = |list: Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|w| w["id"].as_str().unwrap().replace('-', ""))
            .collect()
    };
    let (first, last) = (first.replace('-', ""), last.replace('-', ""));
    let list = client.get("/api/workflow/").await.ok();
    assert_eq!(list[1]["dialect"], "dataflow");
    assert_eq!(ids(list), [&*last, &*flow, &*first]);
    for (query, expected) in [
        ("?ordering=created_at", vec![&first, &flow, &last]),
        ("?ordering=name", vec![&last, &first, &flow]),
        ("?dialect=loop", vec![&last, &first]),
        ("?dialect=dataflow", vec![&flow]),
    ] {
        let list = client.get(&format!("/api/workflow{query}")).await.ok();
        assert_eq!(ids(list).iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let of_nodetool = |list: Value| ids(list["workflows"].clone());
    let all = client.get("/api/workflows").await.ok();
    assert_eq!(of_nodetool(all).len(), 3);
    let loops = client.get("/api/workflows?dialect=loop").await.ok();
    assert_eq!(of_nodetool(loops), [&*last, &*first]);
    assert_eq!(client.get("/api/workflows?dialect=x").await.status, 422);
    let refused = client.get("/api/workflow/?dialect=x").await;
    refusal(&refused, 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn case_5_what_is_not_there_is_not_found_however_it_is_named() {
    let server = TestServer::start();
    let client = server.client();
    let unknown = "0190a0b0-c0d0-4000-8000-000000000001";
    for id in [
        unknown,
        "nope",
        "%00",
        "%ff",
        "x%2F..%2Fy",
        &"a".repeat(500),
    ] {
        let reply = client.get(&format!("/api/workflow/{id}/")).await;
        let body = refusal(&reply, 404, "NOT_FOUND");
        assert_ne!(body["error"], "", "{body}");
    }
    let workflow = some(&client).await;
    let base = format!("/api/workflow/{unknown}");
    for path in [
        format!("{base}/canvas_data/"),
        format!("{base}/rawconfig/"),
        format!("{base}/nodes/"),
        format!("{base}/connections/"),
        format!("{workflow}/nodes/nope/"),
        format!("{workflow}/nodes/{unknown}/"),
        format!("{workflow}/nodes/nope/input/"),
        format!("{workflow}/nodes/nope/output/"),
        format!("{workflow}/nodes/nope/files/"),
        format!("{workflow}/connections/nope/"),
        format!("{workflow}/connections/{unknown}/"),
    ] {
        refusal(&client.get(&path).await, 404, "NOT_FOUND");
    }
    let body = json!({ "name": "x" });
    refusal(&patch(&client, &base, &body).await, 404, "NOT_FOUND");
    refusal(&client.delete(&base).await, 404, "NOT_FOUND");
    let reply = client.post(&format!("{base}/nodes/add/"), &json!({})).await;
    assert_eq!(
        refusal(&reply, 404, "NOT_FOUND")["resource_type"],
        "Workflow"
    );
}

#[tokio::test]
async fn case_6_a_change_keeps_what_it_does_not_name() {
    let server = TestServer::start();
    let client = server.client();
    let whole = json!({ "name": "W", "description": "d", "category": "c", "tags": ["t"],
        "env": { "base": "u" }, "next_run": "2030-01-01T00:00:00Z" });
    let path = made(&client, whole).await;
    let before = client.get(&path).await.ok();
    let after = patch(&client, &path, &json!({ "name": "V" })).await.ok();
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str());
    let mut expected = before.clone();
    expected["name"] = "V".into();
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    let reply = client.put(&path, &json!({ "description": "e" })).await;
    let refused = refusal(&reply, 400, "INVALID_REQUEST");
    assert_eq!(refused["errors"]["name"][0], "This field is required.");
    let put = client
        .put(&path, &json!({ "name": "U", "category": null }))
        .await
        .ok();
    assert_eq!(
        (&put["category"], &put["description"]),
        (&Value::Null, &json!("d"))
    );
    let env = patch(
        &client,
        &path,
        &json!({ "env": { "k": [1] }, "runtime_state": { "n": 1 } }),
    )
    .await
    .ok();
    assert_eq!(
        (&env["env"], &env["runtime_state"]),
        (&json!({ "k": [1] }), &json!({ "n": 1 }))
    );
    assert!(env["updated_at"].as_str() > put["updated_at"].as_str());
}

#[tokio::test]
async fn what_only_the_server_knows_cannot_be_set() {
    let server = TestServer::start();
    let client = server.client();
    let mut body = json!({ "name": "W", "status": "active" });
    for key in [
        "id",
        "created_by",
        "created_at",
        "updated_at",
        "task_id",
        "last_run",
    ] {
        body[key] = "x".into();
    }
    body["runs_count"] = 99.into();
    let path = made(&client, body.clone()).await;
    let made = client.get(&path).await.ok();
    assert_eq!(
        (&made["runs_count"], &made["status"]),
        (&json!(0), &json!("inactive"))
    );
    let changed = patch(&client, &path, &body).await.ok();
    for key in [
        "id",
        "created_by",
        "created_at",
        "task_id",
        "last_run",
        "runs_count",
        "status",
    ] {
        assert_eq!(changed[key], made[key], "{key}");
    }
    let api = json!({ "workflow_type": "api", "status": "active" });
    let api = patch(&client, &path, &api).await.ok();
    assert_eq!(api["status"], "active");
    let back = patch(&client, &path, &json!({ "workflow_type": "production" }))
        .await
        .ok();
    assert_eq!(back["status"], "inactive");
}

#[tokio::test]
async fn case_7_what_is_deleted_is_gone_from_both_apis() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let gone = client.delete(&format!("{path}/")).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    refusal(&client.get(&path).await, 404, "NOT_FOUND");
    assert_eq!(client.get("/api/workflow/").await.ok(), json!([]));
    let flow = path.replace("/api/workflow/", "/api/workflows/");
    assert_eq!(client.get(&flow).await.status, 404);
}

#[tokio::test]
async fn case_7_a_run_of_what_is_deleted_ends() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&waiting(600.0)).await;
    let _run = client.run_lines(&id, &json!({ "params": {} })).await;
    let gone = client.delete(&format!("/api/workflow/{id}/")).await;
    assert_eq!(gone.status, 204);
    assert_eq!(client.ended_job(&id).await["status"], "cancelled");
}

#[tokio::test]
async fn case_60_only_what_is_called_is_switched() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    for word in ["activate", "deactivate"] {
        let reply = client.post(&format!("{path}/{word}/"), &json!({})).await;
        refusal(&reply, 400, "INVALID_REQUEST");
    }
    let path = made(&client, json!({ "name": "A", "workflow_type": "api" })).await;
    for (word, status) in [("activate", "active"), ("deactivate", "inactive")] {
        let told = client
            .call(Method::POST, &format!("{path}/{word}/"))
            .await
            .ok();
        assert_eq!(told["status"], status);
        assert!(told["message"].is_string());
        assert_eq!(client.get(&path).await.ok()["status"], status);
    }
}

#[tokio::test]
async fn case_72_a_copy_has_ids_of_its_own_and_the_same_shape() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "W", "workflow_type": "api", "env": { "k": 1 }, "runtime_state": { "n": 1 },
        "status": "active" });
    let path = made(&client, body).await;
    let a = node(&client, &path, "counter").await;
    let b = node(&client, &path, "x").await;
    let edge = connect(&client, &path, &a, &b).await;
    let reply = client
        .call(Method::POST, &format!("{path}/duplicate/"))
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let copy = reply.json();
    assert_eq!(copy["name"], "W (Copy)");
    assert_eq!(
        (&copy["status"], &copy["workflow_type"]),
        (&json!("inactive"), &json!("api"))
    );
    assert_eq!(
        (&copy["env"], &copy["runtime_state"]),
        (&json!({ "k": 1 }), &json!({}))
    );
    let canvas = client
        .get(&format!("/api/workflow/{}/canvas_data/", id_of(&copy)))
        .await;
    let canvas = canvas.ok();
    let nodes = canvas["nodes"].as_array().unwrap();
    let types: Vec<_> = nodes
        .iter()
        .map(|n| &n["node_type"]["identifier"])
        .collect();
    assert_eq!(types, ["counter", "x"]);
    let ids: Vec<String> = nodes.iter().map(id_of).collect();
    assert!(!ids.contains(&a) && !ids.contains(&b));
    let copied = &canvas["edges"][0];
    assert_eq!(copied["source"], ids[0].as_str());
    assert_eq!(copied["target"], ids[1].as_str());
    assert_ne!(copied["id"], edge["id"]);
    assert_eq!(canvas["edges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_graph_that_streams_is_validated_as_one() {
    let server = TestServer::start();
    let client = server.client();
    let flow = client.save(&greeting()).await;
    let path = format!("/api/workflow/{flow}/validate/");
    assert_eq!(
        client.call(Method::POST, &path).await.ok(),
        json!({ "valid": true })
    );
}
