//! Versions and autosaves (HTTP spec 6.2; conformance rows 25, 31 to 39).

use hyper::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::graphs::{INPUT, edge, graph, greeting, node, output};
use super::server::{TestServer, folder};

/// A graph that differs from others by a value.
fn valued(value: &str) -> Value {
    let input = node("i", INPUT, json!({ "name": "name", "value": value }));
    graph(&[input, output()], &["i.output -> o.value"])
}

/// The static value of a graph's input.
fn value_of(with_graph: &Value) -> &Value {
    &with_graph["graph"]["nodes"][0]["data"]["value"]
}

async fn put(client: &Client, id: &str, graph: &Value) -> Value {
    let body = json!({ "name": "W", "access": "private", "graph": graph });
    client
        .put(&format!("/api/workflows/{id}"), &body)
        .await
        .ok()
}

async fn numbers(client: &Client, id: &str) -> Vec<i64> {
    let list = client
        .get(&format!("/api/workflows/{id}/versions"))
        .await
        .ok();
    assert_eq!(list["next"], Value::Null);
    let versions = list["versions"].as_array().unwrap().iter();
    versions.map(|v| v["version"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn case_25_a_workflow_created_by_put_has_no_versions() {
    let server = TestServer::start();
    let client = server.client();
    assert_eq!(put(&client, "newid", &greeting()).await["id"], "newid");
    put(&client, "newid", &greeting()).await;
    let list = client.get("/api/workflows/newid/versions/").await.ok();
    assert_eq!(list, json!({ "next": null, "versions": [] }));
}

#[tokio::test]
async fn case_31_versions_are_numbered_and_named_by_number() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/versions");
    let stored = client.get(&format!("/api/workflows/{id}")).await.ok();
    for number in [1, 2] {
        let made = client.post(&path, &json!({})).await.ok();
        assert_eq!(made["version"], number);
        assert_eq!(made["name"], format!("Version {number}"));
        assert_eq!(
            (&made["save_type"], &made["description"]),
            (&json!("manual"), &json!(""))
        );
        assert_eq!(made["workflow_id"], id);
        assert_eq!(made["autosave_metadata"], json!({}));
        assert_eq!(made["graph"], stored["graph"]);
        assert!(made["created_at"].as_str().unwrap().ends_with("+00:00"));
        assert_eq!(made.as_object().unwrap().len(), 9);
    }
    let named = json!({ "name": "mine", "description": "why" });
    let named = client.post(&path, &named).await.ok();
    assert_eq!(
        (&named["name"], &named["description"]),
        (&json!("mine"), &json!("why"))
    );
    assert_eq!(client.get(&format!("{path}/3")).await.ok(), named);
    let refused = client
        .post(&path, &json!({ "name": 1, "description": [] }))
        .await;
    let text = |key: &str| ("string_type".to_owned(), json!(["body", key]));
    assert_eq!(refused.places(), [text("name"), text("description")]);
    let refused = client.call(Method::POST, &path).await;
    assert_eq!(refused.places(), [("missing".into(), json!(["body"]))]);
    let nobodys = client
        .post("/api/workflows/none/versions", &json!({}))
        .await;
    assert_eq!(nobodys.detail(404), "Workflow not found");
}

#[tokio::test]
async fn case_32_a_page_ends_with_the_number_the_rest_is_below() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/versions");
    for _ in 0..2 {
        client.post(&path, &json!({})).await.ok();
    }
    let first = client.get(&format!("{path}?limit=1")).await.ok();
    assert_eq!(
        (&first["next"], &first["versions"][0]["version"]),
        (&json!("2"), &json!(2))
    );
    // A version that comes meanwhile is ahead of what was asked for.
    client.post(&path, &json!({})).await.ok();
    let second = client.get(&format!("{path}?limit=1&cursor=2")).await.ok();
    assert_eq!(
        (&second["next"], &second["versions"][0]["version"]),
        (&Value::Null, &json!(1))
    );
    for bad in ["cursor=x", "limit=x"] {
        let refused = client.get(&format!("{path}?{bad}")).await;
        let key = bad.split('=').next().unwrap();
        assert_eq!(
            refused.places(),
            [("int_parsing".into(), json!(["query", key]))]
        );
    }
    let nobodys = client.get("/api/workflows/none/versions").await;
    assert_eq!(nobodys.detail(404), "Workflow not found");
}

#[tokio::test]
async fn case_33_a_version_is_named_by_a_number_that_exists() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/versions");
    for bad in ["abc", "1.5", "99999999999999999999", "%00", "é"] {
        let bad = bad.replace('é', "%C3%A9");
        let refused = client.get(&format!("{path}/{bad}")).await;
        assert_eq!(
            refused.places(),
            [("int_parsing".into(), json!(["path", "version"]))],
            "{bad}"
        );
    }
    let refused = client.get(&format!("{path}/%ff")).await;
    assert_eq!(
        refused.places(),
        [("string_unicode".into(), json!(["path"]))]
    );
    for none in ["99", "0", "-1"] {
        let told = client.get(&format!("{path}/{none}")).await.detail(404);
        assert_eq!(told, "Version not found");
        let told = client
            .post(&format!("{path}/{none}/restore"), &json!({}))
            .await;
        assert_eq!(told.detail(404), "Version not found");
    }
    let told = client
        .get("/api/workflows/none/versions/1")
        .await
        .detail(404);
    assert_eq!(told, "Workflow not found");
}

#[tokio::test]
async fn case_34_restoring_brings_the_old_graph_back_and_makes_no_version() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&valued("old")).await;
    let path = format!("/api/workflows/{id}/versions");
    client.post(&path, &json!({})).await.ok();
    let changed = put(&client, &id, &valued("new")).await;
    assert_eq!(
        client.run(&id, json!({})).await.ok(),
        json!({ "out": "new" })
    );
    let restored = client
        .call(Method::POST, &format!("{path}/1/restore"))
        .await;
    assert_eq!(
        restored.header("etag"),
        format!("{}", restored.ok()["etag"])
    );
    let restored = restored.ok();
    assert_eq!(value_of(&restored), "old");
    assert_eq!(
        restored["input_schema"]["properties"]["name"]["default"],
        "old"
    );
    assert_ne!(restored["etag"], changed["etag"]);
    assert_eq!(
        client.get(&format!("/api/workflows/{id}")).await.ok(),
        restored
    );
    assert_eq!(
        client.run(&id, json!({})).await.ok(),
        json!({ "out": "old" })
    );
    assert_eq!(numbers(&client, &id).await, [1]);
    let told = client
        .call(Method::POST, "/api/workflows/none/versions/1/restore")
        .await;
    assert_eq!(told.detail(404), "Workflow not found");
}

#[tokio::test]
async fn case_35_only_versions_of_this_very_workflow_are_deleted() {
    let server = TestServer::start();
    let client = server.client();
    let (id, other) = (
        client.save(&greeting()).await,
        client.save(&greeting()).await,
    );
    let path = format!("/api/workflows/{id}/versions");
    let version = client.post(&path, &json!({})).await.ok();
    let version = version["id"].as_str().unwrap();
    for unknown in [
        format!("{path}/unknown"),
        format!("{path}/1"),
        format!("/api/workflows/{other}/versions/{version}"),
    ] {
        assert_eq!(
            client.delete(&unknown).await.detail(404),
            "Version not found",
            "{unknown}"
        );
    }
    assert_eq!(numbers(&client, &id).await, [1]);
    let gone = client.delete(&format!("{path}/{version}")).await.ok();
    assert_eq!(gone, json!({ "success": true }));
    assert_eq!(
        client.delete(&format!("{path}/{version}")).await.status,
        404
    );
    assert_eq!(numbers(&client, &id).await, [0_i64; 0]);
}

#[tokio::test]
async fn case_27_the_versions_of_a_workflow_go_with_it() {
    let server = TestServer::start();
    let client = server.client();
    put(&client, "w", &greeting()).await;
    client
        .post("/api/workflows/w/versions", &json!({}))
        .await
        .ok();
    client.delete("/api/workflows/w").await.ok();
    assert_eq!(client.get("/api/workflows/w/versions").await.status, 404);
    put(&client, "w", &greeting()).await;
    assert_eq!(numbers(&client, "w").await, [0_i64; 0]);
}

#[tokio::test]
async fn case_36_an_autosave_within_30_seconds_of_another_is_skipped() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/autosave");
    let body = json!({ "client_id": "tab-1", "description": "d" });
    let first = client.post(&path, &body).await.ok();
    assert_eq!(
        (&first["message"], &first["skipped"]),
        (&json!("autosaved"), &json!(false))
    );
    let version = &first["version"];
    assert_eq!(
        (
            &version["name"],
            &version["save_type"],
            &version["description"]
        ),
        (&json!("Autosave 1"), &json!("autosave"), &json!("d"))
    );
    let metadata = json!({ "client_id": "tab-1", "trigger_reason": "autosave" });
    assert_eq!(version["autosave_metadata"], metadata);
    let skipped = json!({ "version": null, "message": "skipped (too soon)", "skipped": true });
    assert_eq!(client.post(&path, &json!({})).await.ok(), skipped);
    let bare = client.call(Method::POST, &path).await;
    assert_eq!(bare.ok(), skipped, "a body may be left out");
    assert_eq!(numbers(&client, &id).await, [1]);
}

#[tokio::test]
async fn case_37_force_and_other_save_types_are_not_held_up() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/autosave");
    for (body, save_type) in [
        (json!({}), "autosave"),
        (json!({ "force": true }), "autosave"),
        (json!({ "save_type": "checkpoint" }), "checkpoint"),
        (json!({ "save_type": "manual" }), "manual"),
        (json!({ "save_type": "restore" }), "restore"),
    ] {
        let saved = client.post(&path, &body).await.ok();
        assert_eq!(saved["message"], "autosaved", "{body}");
        assert_eq!(saved["version"]["save_type"], save_type);
        assert_eq!(
            saved["version"]["autosave_metadata"]["trigger_reason"],
            save_type
        );
        assert_eq!(
            saved["version"]["autosave_metadata"]["client_id"],
            Value::Null
        );
    }
    assert_eq!(numbers(&client, &id).await, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn case_38_an_empty_workflow_is_skipped_and_nothing_is_deleted() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/autosave");
    for _ in 0..3 {
        client.post(&path, &json!({ "force": true })).await.ok();
    }
    let empty = json!({ "nodes": [], "edges": [] });
    let skipped =
        json!({ "version": null, "message": "skipped (empty workflow)", "skipped": true });
    let sent = json!({ "force": true, "max_versions": 1, "graph": empty });
    assert_eq!(client.post(&path, &sent).await.ok(), skipped);
    put(&client, &id, &empty).await;
    let stored = json!({ "force": true, "max_versions": 1 });
    assert_eq!(client.post(&path, &stored).await.ok(), skipped);
    assert_eq!(numbers(&client, &id).await, [3, 2, 1]);
    let paced = client.post(&path, &json!({})).await.ok();
    assert_eq!(
        paced["message"], "skipped (too soon)",
        "which is looked at first"
    );
}

#[tokio::test]
async fn case_39_an_autosave_of_unknown_kind_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/autosave");
    let refused = client.post(&path, &json!({ "save_type": "x" })).await;
    assert_eq!(
        refused.places(),
        [("enum".into(), json!(["body", "save_type"]))]
    );
    let wrong =
        json!({ "force": 1, "max_versions": -1, "graph": [], "client_id": 7, "description": {} });
    let refused = client.post(&path, &wrong).await.places();
    for (kind, key) in [
        ("bool_type", "force"),
        ("greater_than_equal", "max_versions"),
        ("dict_type", "graph"),
        ("string_type", "client_id"),
        ("string_type", "description"),
    ] {
        let place = (kind.to_owned(), json!(["body", key]));
        assert!(refused.contains(&place), "{key}: {refused:?}");
    }
    assert_eq!(numbers(&client, &id).await, [0_i64; 0]);
    let nobodys = client
        .post("/api/workflows/none/autosave", &json!({}))
        .await;
    assert_eq!(nobodys.detail(404), "Workflow not found");
}

#[tokio::test]
async fn an_autosave_keeps_the_graph_on_the_screen_or_the_stored_one() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&valued("stored")).await;
    let path = format!("/api/workflows/{id}/autosave");
    let broken = json!({ "nodes": [{ "type": "no id" }], "edges": [] });
    for (graph, kept) in [
        (valued("screen"), "screen"),
        (Value::Null, "stored"),
        (broken, "stored"),
    ] {
        let body = json!({ "force": true, "graph": graph });
        let saved = client.post(&path, &body).await.ok();
        assert_eq!(value_of(&saved["version"]), kept);
    }
    let stored = client.get(&format!("/api/workflows/{id}")).await.ok();
    assert_eq!(
        value_of(&stored),
        "stored",
        "the workflow itself is left alone"
    );
}

#[tokio::test]
async fn autosaves_are_kept_as_many_as_settings_or_request_say() {
    let server = TestServer::start_with(&[
        "--autosave-min-interval-seconds=0",
        "--autosave-max-versions-per-workflow=3",
    ]);
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/autosave");
    client
        .post(&format!("/api/workflows/{id}/versions"), &json!({}))
        .await
        .ok();
    for _ in 0..5 {
        assert_eq!(client.post(&path, &json!({})).await.ok()["skipped"], false);
    }
    assert_eq!(
        numbers(&client, &id).await,
        [6, 5, 4, 1],
        "the one made by hand stays"
    );
    client.post(&path, &json!({ "max_versions": 0 })).await.ok();
    assert_eq!(
        numbers(&client, &id).await,
        [7, 6, 5, 1],
        "0 leaves it to the settings"
    );
    client.post(&path, &json!({ "max_versions": 1 })).await.ok();
    assert_eq!(
        numbers(&client, &id).await,
        [8, 1],
        "numbers are not given twice"
    );
    client
        .post(&path, &json!({ "max_versions": 10 }))
        .await
        .ok();
    assert_eq!(numbers(&client, &id).await, [9, 8, 1]);
}

#[tokio::test]
async fn versions_made_at_once_get_numbers_of_their_own() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/versions");
    let clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    let body = json!({});
    let made = clients.iter().map(|c| c.post(&path, &body));
    let mut made: Vec<i64> = futures_util::future::join_all(made)
        .await
        .iter()
        .map(|reply| reply.ok()["version"].as_i64().unwrap())
        .collect();
    made.sort_unstable();
    assert_eq!(made, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn versions_outlive_the_server() {
    let server = TestServer::start_over(folder(), &[]);
    let client = server.client();
    let id = client.save(&valued("old")).await;
    let made = client
        .post(&format!("/api/workflows/{id}/versions"), &json!({}))
        .await
        .ok();
    let server = TestServer::start_over(server.kill().await, &[]);
    let got = server
        .client()
        .get(&format!("/api/workflows/{id}/versions/1"))
        .await
        .ok();
    assert_eq!(got, made);
    assert_eq!(
        got["graph"]["edges"][0]["target"],
        edge("i.output -> o.value")["target"]
    );
}
