//! Commands that look things up (socket spec 4.5).

use serde_json::{Value, json};

use super::super::graphs::{INPUT, graph, greeting, node, output};
use super::super::server::TestServer;
use super::client::{MODES, Mode, Socket, open};

async fn look_up(socket: &mut Socket, name: &str, data: Value) -> Value {
    socket
        .send(&json!({ "command": name, "data": data, "request_id": "r" }))
        .await;
    let reply = socket.next().await;
    assert_eq!(
        (&reply["type"], &reply["request_id"], &reply["command"]),
        (&json!("rpc_response"), &json!("r"), &json!(name))
    );
    reply
}

async fn result(socket: &mut Socket, name: &str, data: Value) -> Value {
    let reply = look_up(socket, name, data).await;
    assert!(reply.get("error").is_none(), "{reply}");
    reply["result"].clone()
}

async fn error(socket: &mut Socket, name: &str, data: Value) -> String {
    let reply = look_up(socket, name, data).await;
    let error = &reply["error"];
    assert!(error["apiCode"].is_null() && error["trpcCode"].is_null());
    assert!(
        error["retryable"].is_boolean() && error["message"].is_string(),
        "{reply}"
    );
    error["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn workflows_are_the_same_as_over_http() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client.save(&greeting()).await;
    let over_http = client.get("/api/workflows?limit=1").await.ok();
    for mode in MODES {
        let mut socket = open(&server, "/ws", mode).await;
        let listed = result(&mut socket, "list_workflows", json!({ "limit": 1 })).await;
        assert_eq!(listed, over_http);
        let next = json!({ "limit": 1, "cursor": listed["next"] });
        let more = result(&mut socket, "list_workflow_summaries", next).await;
        assert_eq!(more["workflows"][0]["id"], json!(id));
        assert!(more["workflows"][0].get("graph").is_none());
        let one = result(&mut socket, "get_workflow", json!({ "id": id })).await;
        assert_eq!(one, client.get(&format!("/api/workflows/{id}")).await.ok());
        assert_eq!(
            error(&mut socket, "get_workflow", json!({ "id": "nope" })).await,
            "NOT_FOUND"
        );
        assert_eq!(
            error(&mut socket, "get_workflow", json!({})).await,
            "INVALID_INPUT"
        );
        assert_eq!(
            error(&mut socket, "list_workflows", json!({ "cursor": "x" })).await,
            "INVALID_INPUT"
        );
        assert_eq!(
            error(&mut socket, "list_workflows", json!({ "limit": 0 })).await,
            "INVALID_INPUT"
        );
    }
}

#[tokio::test]
async fn the_interface_of_a_workflow_names_inputs_and_outputs() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let data = json!({ "id": id, "version": 1 });
    let interface = result(&mut socket, "get_workflow_interface", data).await;
    assert_eq!(
        (&interface["id"], &interface["version"]),
        (&json!(id), &json!(1))
    );
    let input = &interface["inputs"][0];
    assert_eq!(
        (&input["name"], &input["node_type"]),
        (&json!("name"), &json!(INPUT))
    );
    assert_eq!(input["type"]["type"], "str");
    assert_eq!(interface["outputs"][0]["name"], "out");
    let all = result(
        &mut socket,
        "get_workflow_interfaces",
        json!({ "ids": [id] }),
    )
    .await;
    assert_eq!(all["interfaces"], json!([interface]));
    assert_eq!(
        error(
            &mut socket,
            "get_workflow_interface",
            json!({ "id": id, "version": 2 })
        )
        .await,
        "INVALID_INPUT"
    );
    assert_eq!(
        error(&mut socket, "get_workflow_interfaces", json!({ "ids": 1 })).await,
        "INVALID_INPUT"
    );
}

#[tokio::test]
async fn node_types_are_found_by_namespace_and_words() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let query = json!({ "namespace": "nodetool.input", "query": "stringinput", "fields": "full" });
    let found = result(&mut socket, "list_nodes", query).await;
    assert_eq!(found["nodes"].as_array().unwrap().len(), 1, "{found}");
    let one = result(&mut socket, "get_node", json!({ "node_type": INPUT })).await;
    assert_eq!(found["nodes"][0], one);
    let all = server.client().get("/api/nodes/metadata").await.ok();
    let all = all.as_array().unwrap();
    assert!(all.contains(&one));
    let inventory = result(&mut socket, "get_node_type_inventory", json!({})).await;
    assert_eq!(inventory["node_types"].as_array().unwrap().len(), all.len());
    let few = result(&mut socket, "list_nodes", json!({ "limit": 2 })).await;
    let few = few["nodes"].as_array().unwrap();
    assert_eq!(few.len(), 2);
    assert!(few[0].get("properties").is_none());
    assert_eq!(
        error(&mut socket, "get_node", json!({ "node_type": "no.Such" })).await,
        "NOT_FOUND"
    );
    assert_eq!(
        error(&mut socket, "list_nodes", json!({ "fields": "some" })).await,
        "INVALID_INPUT"
    );
}

#[tokio::test]
async fn a_graph_is_checked_before_it_runs() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    let mut socket = open(&server, "/ws", Mode::Text).await;
    let fine = result(
        &mut socket,
        "preflight_workflow",
        json!({ "workflow_id": id }),
    )
    .await;
    assert_eq!(fine, json!({ "valid": true, "validation_issues": [] }));
    let graph = graph(&[node("x", "no.Such", json!({})), output()], &[]);
    let bad = result(&mut socket, "preflight_workflow", json!({ "graph": graph })).await;
    assert_eq!(
        (&bad["valid"], &bad["validation_issues"][0]["node_id"]),
        (&json!(false), &json!("x"))
    );
    let torn = result(
        &mut socket,
        "preflight_workflow",
        json!({ "graph": { "nodes": [{}] } }),
    )
    .await;
    assert_eq!(torn["valid"], false);
}

#[tokio::test]
async fn what_is_not_offered_says_so() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Text).await;
    assert_eq!(
        error(&mut socket, "list_assets", json!({})).await,
        "NOT_AVAILABLE"
    );
    assert_eq!(
        error(&mut socket, "generate_text", json!({})).await,
        "NOT_FOUND"
    );
    for request_id in [json!(null), json!("")] {
        socket
            .send(&json!({ "command": "list_nodes", "request_id": request_id }))
            .await;
        let reply = socket.next().await;
        assert_eq!(reply["error"], "request_id is required for RPC commands");
    }
}
