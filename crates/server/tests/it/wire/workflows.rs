//! Saved workflows: create, read, change, delete (HTTP spec 6.2; conformance rows 16, 17, 22, 23, 25 to 27, 30).

use serde_json::{Value, json};

use super::graphs::{edge, graph, greeting, node, output};
use super::server::TestServer;

fn workflow(name: &str, graph: &Value) -> Value {
    json!({ "name": name, "access": "private", "graph": graph })
}

#[tokio::test]
async fn a_workflow_is_created_under_both_spellings_of_the_path_without_a_redirect() {
    let server = TestServer::start();
    let client = server.client();
    let empty = workflow("W", &json!({ "nodes": [], "edges": [] }));
    for path in ["/api/workflows/", "/api/workflows"] {
        let made = client.post(path, &empty).await.ok();
        let id = made["id"].as_str().unwrap();
        assert!(
            id.len() == 32
                && id
                    .bytes()
                    .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)),
            "{id}"
        );
        assert_eq!(made["description"], "");
        assert_eq!(made["thumbnail"], "");
        assert_eq!(made["thumbnail_url"], Value::Null);
        let schema = json!({ "type": "object", "properties": {}, "required": [] });
        assert_eq!(
            (&made["input_schema"], &made["output_schema"]),
            (&schema, &schema)
        );
        let time = made["created_at"].as_str().unwrap();
        assert!(time.ends_with("+00:00") && time.len() == 32, "{time}");
    }
    for path in [
        "/api/workflows/",
        "/api/workflows",
        "/workflows/",
        "/workflows",
    ] {
        let list = client.get(path).await.ok();
        assert_eq!(list["workflows"].as_array().unwrap().len(), 2, "{path}");
    }
}

#[tokio::test]
async fn every_spelling_of_get_gives_the_same_workflow_and_the_etag_of_the_list() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let first = client.get(&format!("/api/workflows/{id}")).await.ok();
    for path in [
        format!("/api/workflows/{id}/"),
        format!("/workflows/{id}"),
        format!("/workflows/{id}/"),
    ] {
        assert_eq!(client.get(&path).await.ok(), first, "{path}");
    }
    let listed = client.get("/api/workflows/").await.ok();
    assert_eq!(listed["workflows"][0], first);
    let etag = first["etag"].as_str().unwrap();
    assert!(!etag.is_empty());
    let changed = workflow("other", &greeting());
    let changed = client
        .put(&format!("/api/workflows/{id}"), &changed)
        .await
        .ok();
    assert_ne!(changed["etag"], etag);
    let got = client.get(&format!("/api/workflows/{id}")).await.ok();
    assert_eq!(got["etag"], changed["etag"]);
}

#[tokio::test]
async fn what_is_sent_is_what_is_stored() {
    let server = TestServer::start();
    let client = server.client();
    let sent = json!({
        "name": "Grüße 👋", "access": "public", "tool_name": "greet", "description": "says hello", "tags": ["a", "b"],
        "thumbnail": "t.png", "graph": greeting(), "settings": { "a": 1, "b": [true, null] }, "run_mode": "tool",
        "package_name": "p", "workspace_id": "w1", "html_app": "<html></html>",
    });
    let made = client.post("/api/workflows/", &sent).await.ok();
    let got = client
        .get(&format!("/api/workflows/{}", made["id"].as_str().unwrap()))
        .await
        .ok();
    for (key, value) in sent.as_object().unwrap() {
        if key != "graph" {
            assert_eq!(&got[key], value, "{key}");
        }
    }
}

#[tokio::test]
async fn an_update_clears_what_it_leaves_out_except_thumbnail_and_run_mode() {
    let server = TestServer::start();
    let client = server.client();
    let mut sent = workflow("W", &greeting());
    for (key, value) in [
        ("description", "d"),
        ("thumbnail", "t.png"),
        ("run_mode", "tool"),
    ] {
        sent[key] = json!(value);
    }
    sent["tags"] = json!(["a"]);
    let made = client.post("/api/workflows/", &sent).await.ok();
    let path = format!("/api/workflows/{}", made["id"].as_str().unwrap());
    let bare = client.put(&path, &workflow("W2", &greeting())).await.ok();
    assert_eq!(bare["name"], "W2");
    assert_eq!(
        (&bare["description"], &bare["tags"]),
        (&json!(""), &json!([]))
    );
    assert_eq!(
        (&bare["thumbnail"], &bare["run_mode"]),
        (&json!("t.png"), &json!("tool"))
    );
    assert_eq!(bare["created_at"], made["created_at"]);
    assert!(bare["updated_at"].as_str() > made["updated_at"].as_str());
}

#[tokio::test]
async fn put_creates_a_workflow_under_the_given_id() {
    let server = TestServer::start();
    let client = server.client();
    for id in ["newid", "A-b_c.d:e", "0".repeat(128).as_str()] {
        let path = format!("/api/workflows/{id}");
        assert_eq!(client.get(&path).await.detail(404), "Workflow not found");
        let made = client.put(&path, &workflow("W", &greeting())).await.ok();
        assert_eq!(made["id"], id);
        assert_eq!(client.get(&path).await.ok()["id"], id);
    }
    let saved = workflow("W", &greeting());
    for id in ["a%20b", "a%2Fb", "%C3%A4", "0".repeat(129).as_str()] {
        let refused = client.put(&format!("/api/workflows/{id}"), &saved).await;
        assert_eq!(
            refused.places(),
            [("value_error".into(), json!(["path", "id"]))],
            "{id}"
        );
    }
    let refused = client.put("/api/workflows/%ff", &saved).await;
    assert_eq!(
        refused.places(),
        [("string_unicode".into(), json!(["path"]))]
    );
}

#[tokio::test]
async fn a_workflow_is_deleted_once() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}");
    let gone = client.delete(&path).await;
    assert_eq!((gone.status, &gone.body[..]), (200, &b"null"[..]));
    assert_eq!(client.delete(&path).await.detail(404), "Workflow not found");
    assert_eq!(client.get(&path).await.detail(404), "Workflow not found");
    assert_eq!(
        client.run(&id, json!({})).await.detail(404),
        "Workflow not found"
    );
}

#[tokio::test]
async fn a_graph_is_needed_on_create_and_on_update() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for bare in [
        json!({ "name": "W", "access": "private" }),
        json!({ "name": "W", "access": "private", "graph": null }),
    ] {
        assert_eq!(
            client.post("/api/workflows/", &bare).await.detail(400),
            "Invalid workflow"
        );
        let changed = client.put(&format!("/api/workflows/{id}"), &bare).await;
        assert_eq!(changed.detail(400), "Invalid workflow");
    }
    let comfy = json!({ "name": "W", "access": "private", "comfy_workflow": {} });
    let told = client.post("/api/workflows/", &comfy).await.detail(400);
    assert!(told.contains("ComfyUI"), "{told}");
}

#[tokio::test]
async fn static_values_of_connected_properties_are_taken_out_on_create_and_update() {
    let server = TestServer::start();
    let client = server.client();
    let mut graph = greeting();
    graph["nodes"][1]["data"] = json!({ "name": "out", "value": 1 });
    let made = client
        .post("/api/workflows/", &workflow("W", &graph))
        .await
        .ok();
    assert_eq!(made["graph"]["nodes"][1]["data"], json!({ "name": "out" }));
    let path = format!("/api/workflows/{}", made["id"].as_str().unwrap());
    let saved = client.put(&path, &workflow("W", &graph)).await.ok();
    assert_eq!(saved["graph"]["nodes"][1]["data"], json!({ "name": "out" }));
    let unconnected = json!({ "nodes": graph["nodes"], "edges": [] });
    let saved = client.put(&path, &workflow("W", &unconnected)).await.ok();
    assert_eq!(
        saved["graph"]["nodes"][1]["data"],
        json!({ "name": "out", "value": 1 })
    );
}

#[tokio::test]
async fn fields_of_a_graph_that_nobody_knows_survive() {
    let server = TestServer::start();
    let client = server.client();
    let mut graph = greeting();
    graph["viewport"] = json!({ "zoom": 1.5 });
    graph["nodes"][0]["selected"] = json!([1, { "a": null }]);
    graph["nodes"][0]["ui_properties"] = json!({ "position": { "x": 1, "y": -2.5 }, "later": "x" });
    graph["nodes"][0]["data"]["unknown"] = json!({ "deep": [[]] });
    graph["edges"][0]["animated"] = json!(true);
    let id = client.save(&graph).await;
    let got = client.get(&format!("/api/workflows/{id}")).await.ok();
    let got = &got["graph"];
    assert_eq!(got["viewport"], graph["viewport"]);
    assert_eq!(got["edges"][0]["animated"], true);
    for key in ["selected", "ui_properties", "data"] {
        assert_eq!(got["nodes"][0][key], graph["nodes"][0][key], "{key}");
    }
    let saved = json!({ "name": "W", "access": "private", "graph": got });
    let again = client
        .put(&format!("/api/workflows/{id}"), &saved)
        .await
        .ok();
    assert_eq!(&again["graph"], got);
}

#[tokio::test]
async fn the_schemas_name_inputs_and_outputs() {
    let server = TestServer::start();
    let client = server.client();
    let inputs = [
        node(
            "s",
            "nodetool.input.StringInput",
            json!({ "name": "text", "value": "hi", "label": "Text" }),
        ),
        node(
            "i",
            "nodetool.input.IntegerInput",
            json!({ "name": "n", "value": 3, "min": 1, "max": 9 }),
        ),
        node("f", "nodetool.input.FloatInput", json!({ "name": "x" })),
        node(
            "b",
            "nodetool.input.BooleanInput",
            json!({ "name": "yes", "value": true }),
        ),
        node(
            "p",
            "nodetool.input.ImageInput",
            json!({ "name": "picture" }),
        ),
        output(),
    ];
    let id = client.save(&graph(&inputs, &["s.output -> o.value"])).await;
    let got = client.get(&format!("/api/workflows/{id}")).await.ok();
    let number = |kind: &str, low: i64, high: i64, default: i64| json!({ "type": kind, "minimum": low, "maximum": high, "default": default, "label": "" });
    assert_eq!(
        got["input_schema"],
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string", "default": "hi", "label": "Text" },
                "n": number("integer", 1, 9, 3),
                "x": number("number", 0, 100, 0),
                "yes": { "type": "boolean", "default": true, "label": "" },
                "picture": {
                    "type": "object",
                    "properties": { "uri": { "type": "string", "format": "uri" }, "type": { "type": "string", "enum": ["image"] } },
                    "required": ["uri", "type"],
                    "label": "",
                },
            },
            "required": ["text", "n", "x", "yes", "picture"],
        })
    );
    let out = json!({ "type": "object", "properties": { "out": { "type": "any", "label": "" } }, "required": ["out"] });
    assert_eq!(got["output_schema"], out);
}

#[tokio::test]
async fn graphs_of_older_files_are_taken_too() {
    let server = TestServer::start();
    let client = server.client();
    let old = json!({
        "nodes": [
            { "id": 1, "type": "nodetool.input.StringInput", "name": "name", "properties": { "value": "old" } },
            { "id": 2, "type": "nodetool.output.Output", "name": "out" },
        ],
        "edges": [{ "source": 1, "sourceHandle": "output", "target": 2, "targetHandle": "value" }],
    });
    let id = client.save(&old).await;
    assert_eq!(
        client.run(&id, json!({})).await.ok(),
        json!({ "out": "old" })
    );
}

#[tokio::test]
async fn a_change_of_the_graph_changes_the_next_run() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    assert_eq!(
        client.run(&id, json!({ "name": 1 })).await.status,
        500,
        "a number is no text"
    );
    assert_eq!(
        client.run(&id, json!({ "name": "a" })).await.ok(),
        json!({ "out": "a" })
    );
    let constant = node("i", "nodetool.constant.String", json!({ "value": "fixed" }));
    let changed = json!({ "nodes": [constant, output()], "edges": [edge("i.output -> o.value")] });
    client
        .put(&format!("/api/workflows/{id}"), &workflow("W", &changed))
        .await
        .ok();
    assert_eq!(
        client.run(&id, json!({ "name": "a" })).await.ok(),
        json!({ "out": "fixed" })
    );
}
