//! A public workflow that needs the whole server, run as it lies there.

use serde_json::{Value, json};

use super::collections::{indexed, made};
use super::server::{TestServer, folder};
use crate::cases::{filled, read, shared};

const ANSWER: &str = "Networks that relate all parts of a sequence to each other.";

#[tokio::test]
async fn a_question_is_answered_from_the_documents_of_a_collection() {
    let path = shared("workflows/chat-with-docs.json");
    if !path.exists() {
        println!("SKIPPED 1 run: there is no {}", path.display());
        return;
    }
    let folder = folder();
    let file = folder.path().join("script.json");
    // Only a prompt with the right document in the first place is answered so.
    let rule = "### User Question:\nwhat are transformers?\n\n### Relevant Information from Retrieved Documents\nThese snippets can be incomplete or out of context. Ignore information that is not relevant.\n\n=====================\n**Document 1\n** Transformers are neural networks";
    let script = json!([{ "contains": rule, "turns": [{ "text": ANSWER }] }]);
    std::fs::write(&file, script.to_string()).unwrap();
    let address = format!("fake={}", file.display());
    let arguments = ["--enable-fake-provider", "--provider-url", &address];
    let server = TestServer::start_over(folder, &arguments);
    let client = server.client();
    made(&client, "test").await;
    for (name, text) in [
        ("bread.txt", "Bread is baked from flour and water."),
        (
            "ml.txt",
            "Transformers are neural networks built on attention.",
        ),
        ("sea.txt", "Tides follow the moon."),
    ] {
        indexed(&client, "test", name, text.as_bytes()).await;
    }
    let graph = read(&path).get("graph").cloned().unwrap();
    let graph = serde_json::to_value(filled(graph)).unwrap();
    let id = client.save(&graph).await;
    let lines = client.run_lines(&id, &json!({})).await.lines().await;
    let shown: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "preview_update")
        .map(|line| &line["value"])
        .collect();
    assert_eq!(shown, [&json!(ANSWER)], "{lines:?}");
    let job = client.ended_job(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    // The same without the collection: the run says which one is missing.
    client.delete("/api/collections/test").await.ok();
    let failed = client.run(&id, json!({})).await;
    let said = String::from_utf8_lossy(&failed.body).into_owned();
    assert!(said.contains("There is no collection 'test'"), "{said}");
}
