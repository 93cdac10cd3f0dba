//! Connections between nodes.

use serde_json::json;

use super::super::server::TestServer;
use super::{connect, id_of, node, patch, refusal, some};

#[tokio::test]
async fn case_16_a_connection_is_there_once_and_between_two_nodes() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let (a, b) = (
        node(&client, &path, "x").await,
        node(&client, &path, "x").await,
    );
    connect(&client, &path, &a, &b).await;
    let add = format!("{path}/connections/add/");
    let twice = client
        .post(
            &add,
            &json!({ "source": a, "target": b, "sourceHandle": "default" }),
        )
        .await;
    let twice = refusal(&twice, 400, "INVALID_REQUEST");
    assert_eq!(twice["error"], "Connection already exists");
    let itself = client
        .post(&add, &json!({ "source": a, "target": a }))
        .await;
    let itself = refusal(&itself, 400, "INVALID_REQUEST");
    let text = "Source node and target node cannot be the same.";
    assert_eq!(itself["errors"], json!({ "target_node": [text] }));
    for (source, target) in [(a.as_str(), "nope"), ("nope", b.as_str())] {
        let body = json!({ "source": source, "target": target });
        let unknown = refusal(&client.post(&add, &body).await, 400, "INVALID_REQUEST");
        assert_eq!(unknown["error"], "Source or target node not found");
    }
    let long = json!({ "source": a, "target": b, "sourceHandle": "h".repeat(51) });
    let long = refusal(&client.post(&add, &long).await, 400, "INVALID_REQUEST");
    assert!(long["errors"]["sourceHandle"].is_array());
    let other = client
        .post(
            &add,
            &json!({ "source": a, "target": b, "sourceHandle": "Yes" }),
        )
        .await;
    assert_eq!(
        (other.status, &other.json()["sourceHandle"]),
        (201, &json!("yes"))
    );
    let list = client.get(&format!("{path}/connections/")).await.ok();
    assert_eq!(list.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn connections_are_read_and_changed_one_by_one() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let (a, b, c) = (
        node(&client, &path, "x").await,
        node(&client, &path, "x").await,
        node(&client, &path, "x").await,
    );
    let all = format!("{path}/connections/");
    let made = client
        .post(
            &all,
            &json!({ "source_node": a, "target_node": b, "source_handle": null }),
        )
        .await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let one = format!("{all}{}", id_of(&made));
    assert_eq!(client.get(&one).await.ok(), made);
    let moved = patch(
        &client,
        &one,
        &json!({ "target_node": c, "source_handle": "no" }),
    )
    .await
    .ok();
    assert_eq!(
        (&moved["target"], &moved["source_handle"]),
        (&json!(c), &json!("no"))
    );
    assert_eq!(moved["id"], made["id"]);
    let unknown = patch(&client, &one, &json!({ "source_node": "nope" })).await;
    let unknown = refusal(&unknown, 400, "INVALID_REQUEST");
    assert!(
        unknown["errors"]["source_node"][0]
            .as_str()
            .unwrap()
            .contains("nope")
    );
    refusal(
        &client.put(&one, &json!({ "source_node": a })).await,
        400,
        "INVALID_REQUEST",
    );
    connect(&client, &path, &a, &b).await;
    let taken = json!({ "source_node": a, "target_node": b, "source_handle": "default" });
    let taken = refusal(&client.put(&one, &taken).await, 400, "INVALID_REQUEST");
    assert_eq!(taken["error"], "Connection already exists");
    let gone = client.delete(&format!("{one}/remove/")).await.ok();
    assert_eq!(
        gone,
        json!({ "message": "Connection removed successfully" })
    );
    refusal(&client.delete(&one).await, 404, "NOT_FOUND");
}
