//! Example workflows (HTTP spec 6.2).

use serde_json::{Value, json};

use super::client::Client;
use super::graphs::{graph, greeting, node, output};
use super::server::{TestServer, folder};

const WORDS: &str = "/api/workflows/examples/nodetool/Word%20lengths";

async fn examples(client: &Client, path: &str) -> Vec<Value> {
    let list = client
        .get(&format!("/api/workflows/examples{path}"))
        .await
        .ok();
    assert_eq!(list["next"], Value::Null);
    list["workflows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_shipped_examples_are_listed_without_graphs_and_given_with_them() {
    let server = TestServer::start();
    let client = server.client();
    let all = examples(&client, "").await;
    let words = all.iter().find(|e| e["name"] == "Word lengths").unwrap();
    assert_eq!(words["graph"], json!({ "nodes": [], "edges": [] }));
    assert_eq!(words["package_name"], "nodetool");
    assert_eq!(
        (&words["required_providers"], &words["required_models"]),
        (&Value::Null, &Value::Null)
    );
    for example in &all {
        let package = example["package_name"].as_str().unwrap();
        let name = example["name"].as_str().unwrap().replace(' ', "%20");
        let full = client
            .get(&format!("/api/workflows/examples/{package}/{name}"))
            .await
            .ok();
        assert!(
            !full["graph"]["nodes"].as_array().unwrap().is_empty(),
            "{name}"
        );
        assert_eq!(full.get("test"), None, "{name}");
        assert_eq!(
            (&full["access"], &full["id"]),
            (&json!("public"), &example["id"])
        );
    }
    for none in [
        "nodetool/None",
        "none/Word%20lengths",
        "nodetool/word%20lengths",
    ] {
        let told = client
            .get(&format!("/api/workflows/examples/{none}"))
            .await
            .detail(404);
        assert_eq!(told, "Example not found");
    }
    let refused = client.get("/api/workflows/examples/%ff/x").await;
    assert_eq!(
        refused.places(),
        [("string_unicode".into(), json!(["path"]))]
    );
}

#[tokio::test]
async fn examples_are_found_by_types_and_titles_of_their_nodes() {
    let server = TestServer::start();
    let client = server.client();
    let all = examples(&client, "").await;
    for text in ["nodetool.text.split", "CONTROL.FOREACH", "for%20each"] {
        let found = examples(&client, &format!("/search?query={text}")).await;
        let words = found.iter().find(|e| e["name"] == "Word lengths");
        let words = words.unwrap_or_else(|| panic!("{text}"));
        assert_eq!(words["graph"], client.get(WORDS).await.ok()["graph"]);
        assert!(found.len() <= all.len());
    }
    assert_eq!(examples(&client, "/search?query=").await.len(), all.len());
    assert_eq!(
        examples(&client, "/search?query=no.such.node").await.len(),
        0
    );
    let refused = client.get("/api/workflows/examples/search").await;
    assert_eq!(
        refused.places(),
        [("missing".into(), json!(["query", "query"]))]
    );
}

#[tokio::test]
async fn a_workflow_made_from_an_example_runs() {
    let server = TestServer::start();
    let client = server.client();
    let path = "/api/workflows/?from_example_package=nodetool&from_example_name=Word%20lengths";
    let body = json!({ "name": "mine", "access": "private", "html_app": "<p>" });
    let made = client.post(path, &body).await.ok();
    let example = client.get(WORDS).await.ok();
    assert_eq!(
        (&made["name"], &made["access"]),
        (&json!("mine"), &json!("private"))
    );
    for key in ["graph", "description", "tags", "thumbnail_url"] {
        assert_eq!(made[key], example[key], "{key}");
    }
    assert_eq!(made["html_app"], Value::Null);
    let outputs = client
        .run(made["id"].as_str().unwrap(), json!({ "text": "ab c" }))
        .await
        .ok();
    assert_eq!(outputs, json!({ "lengths": [2, 1] }));
    let own = json!({ "name": "mine", "access": "private", "description": "own", "tags": ["t"] });
    let made = client.post(path, &own).await.ok();
    assert_eq!(
        (&made["description"], &made["tags"]),
        (&json!("own"), &json!(["t"]))
    );
    for (package, name) in [("nodetool", "none"), ("none", "Word%20lengths")] {
        let path =
            format!("/api/workflows?from_example_package={package}&from_example_name={name}");
        assert_eq!(
            client.post(&path, &body).await.detail(404),
            "Example not found"
        );
    }
    let half = client
        .post("/api/workflows?from_example_name=Word%20lengths", &body)
        .await;
    assert_eq!(
        half.detail(400),
        "Invalid workflow",
        "one alone does not count"
    );
}

#[tokio::test]
async fn an_example_is_written_to_the_folder_of_examples_and_nowhere_else() {
    let examples_dir = folder();
    let shown = examples_dir.path().to_str().unwrap();
    let server = TestServer::start_with(&["--examples-dir", shown]);
    let client = server.client();
    let model = json!({ "model": { "type": "language_model", "provider": "openai", "id": "m1" } });
    let graph = graph(&[node("c", "nodetool.text.Concat", model), output()], &[]);
    let body = json!({
        "name": "../../Evil name", "access": "private", "graph": graph, "package_name": "nodetool", "tags": ["a"],
    });
    let made = client.put("/api/workflows/examples/e1", &body).await.ok();
    assert_eq!((&made["id"], &made["name"]), (&json!("e1"), &body["name"]));
    assert_eq!(made["required_providers"], json!(["openai"]));
    assert_eq!(made["required_models"], json!(["m1"]));
    let files: Vec<String> = std::fs::read_dir(examples_dir.path())
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(
        files[0].starts_with("evil-name-") && files[0].ends_with(".json"),
        "{files:?}"
    );
    let mut again = body.clone();
    again["description"] = json!("changed");
    client.put("/api/workflows/examples/e1", &again).await.ok();
    assert_eq!(std::fs::read_dir(examples_dir.path()).unwrap().count(), 1);
    let count = examples(&client, "").await.len();
    let server = TestServer::start_with(&["--examples-dir", shown]);
    let client = server.client();
    let all = examples(&client, "").await;
    assert_eq!(all.len(), count);
    let kept = all.iter().find(|e| e["id"] == "e1").unwrap();
    assert_eq!(kept["description"], "changed");
    assert_eq!(kept["required_models"], json!(["m1"]));
}

#[tokio::test]
async fn an_example_that_cannot_be_written_is_refused_with_the_reason() {
    let body =
        json!({ "name": "n", "access": "public", "graph": greeting(), "package_name": "nodetool" });
    let path = "/api/workflows/examples/e1";
    let server = TestServer::start();
    let told = server.client().put(path, &body).await.detail(403);
    assert!(told.contains("examples_dir"), "{told}");
    let examples_dir = folder();
    let shown = examples_dir.path().to_str().unwrap();
    let server = TestServer::start_with(&["--environment", "production", "--examples-dir", shown]);
    let told = server.client().put(path, &body).await.detail(403);
    assert!(told.contains("own machine"), "{told}");
    let server = TestServer::start_with(&["--examples-dir", shown]);
    let client = server.client();
    for (key, value, told) in [
        ("graph", Value::Null, "Invalid workflow"),
        ("package_name", json!("node"), "Unknown package"),
        ("package_name", json!("../nodetool"), "Unknown package"),
        ("package_name", Value::Null, "Unknown package"),
        ("name", json!("../.."), "a letter or a digit"),
    ] {
        let mut body = body.clone();
        body[key] = value;
        let detail = client.put(path, &body).await.detail(400);
        assert!(detail.contains(told), "{key}: {detail}");
    }
    assert_eq!(
        client
            .put("/api/workflows/examples/a%20b", &body)
            .await
            .status,
        422
    );
    assert_eq!(client.put(path, &json!({})).await.status, 422);
    assert_eq!(std::fs::read_dir(examples_dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_that_are_no_examples_are_left_out() {
    let examples_dir = folder();
    for (name, text) in [
        ("broken.json", "{"),
        ("bare.json", "{}"),
        ("note.txt", "x"),
        ("bad-graph.json", r#"{"graph": {"nodes": 1}}"#),
        (
            "good.json",
            r#"{"name": "Good", "graph": {"nodes": [], "edges": []}}"#,
        ),
    ] {
        std::fs::write(examples_dir.path().join(name), text).unwrap();
    }
    let without = TestServer::start();
    let count = examples(&without.client(), "").await.len();
    let server = TestServer::start_with(&["--examples-dir", examples_dir.path().to_str().unwrap()]);
    let all = examples(&server.client(), "").await;
    assert_eq!(all.len(), count + 1);
    assert!(all.iter().any(|e| e["name"] == "Good" && e["id"] == "good"));
}
