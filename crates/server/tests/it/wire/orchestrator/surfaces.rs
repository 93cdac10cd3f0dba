//! One workflow through both APIs (spec 7.6).

use hyper::Method;
use serde_json::{Value, json};

use super::super::graphs::{graph, greeting, node as graph_node};
use super::super::server::TestServer;
use super::{connect, id_of, node, patch, some};

#[tokio::test]
async fn case_70_a_loop_is_a_graph_to_the_other_api() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let a = node(&client, &path, "counter").await;
    let b = node(&client, &path, "custom-node").await;
    let body = json!({ "form_values": { "step": "2" }, "config": { "q": 1 } });
    patch(&client, &format!("{path}/nodes/{a}"), &body)
        .await
        .ok();
    let position = json!({ "position": { "x": 10, "y": 20 } });
    patch(&client, &format!("{path}/nodes/{a}/position"), &position)
        .await
        .ok();
    let line = connect(&client, &path, &a, &b).await;
    let hyphens = path.rsplit('/').next().unwrap();
    let plain = hyphens.replace('-', "");
    let listed = client.get("/api/workflows").await.ok();
    assert_eq!(listed["workflows"][0]["id"], plain.as_str());
    let by = |id: &str| {
        let path = format!("/api/workflows/{id}");
        let client = &client;
        async move { client.get(&path).await.ok() }
    };
    let flow = by(&plain).await;
    assert_eq!(by(hyphens).await, flow);
    let nodes = &flow["graph"]["nodes"];
    assert_eq!(nodes.as_array().unwrap().len(), 2);
    assert_eq!(
        (&nodes[0]["id"], &nodes[0]["type"]),
        (&json!(a), &json!("orchestrator.counter"))
    );
    assert_eq!(nodes[1]["type"], "orchestrator.custom-node");
    assert_eq!(nodes[0]["data"], json!({ "step": "2" }));
    assert_eq!(nodes[0]["config"], json!({ "q": 1 }));
    assert_eq!(
        nodes[0]["ui_properties"]["position"],
        json!({ "x": 10, "y": 20 })
    );
    let edges = &flow["graph"]["edges"];
    assert_eq!(edges.as_array().unwrap().len(), 1);
    assert_eq!(
        (&edges[0]["source"], &edges[0]["target"]),
        (&json!(a), &json!(b))
    );
    assert_eq!(
        (&edges[0]["sourceHandle"], &edges[0]["targetHandle"]),
        (&json!("default"), &json!("data"))
    );
    assert_eq!(edges[0]["id"], line["id"]);
    // Saved by the other API as it was read, it is the same here.
    let before = client.get(&format!("{path}/canvas_data")).await.ok();
    let saved = json!({ "name": flow["name"], "access": flow["access"], "graph": flow["graph"] });
    let kept = client
        .put(&format!("/api/workflows/{hyphens}"), &saved)
        .await
        .ok();
    assert_eq!(kept["id"], plain.as_str());
    let plain_path = format!("/api/workflow/{plain}/canvas_data");
    assert_eq!(client.get(&plain_path).await.ok(), before);
    for below in ["/versions", "/interface"] {
        let path = format!("/api/workflows/{hyphens}{below}");
        assert_eq!(client.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_graph_of_the_other_api_is_shown_and_edited_here_without_losing_anything() {
    let server = TestServer::start();
    let client = server.client();
    let mut whole = greeting();
    whole["nodes"][0]["ui_properties"] = json!({ "position": { "x": 7, "y": 8 }, "color": "red" });
    whole["nodes"][0]["of_somebody"] = json!({ "kept": true });
    whole["of_the_graph"] = json!([1]);
    let id = client.save(&whole).await;
    let stored = client.get(&format!("/api/workflows/{id}")).await.ok();
    let path = format!("/api/workflow/{id}");
    let canvas = client.get(&format!("{path}/canvas_data/")).await.ok();
    let (nodes, given) = (canvas["nodes"].as_array().unwrap(), &whole["nodes"]);
    assert_eq!(nodes.len(), given.as_array().unwrap().len());
    assert_eq!(nodes[0]["position"], json!({ "x": 7, "y": 8 }));
    assert_eq!(nodes[0]["node_type"]["identifier"], given[0]["type"]);
    assert_eq!(
        nodes[0]["node_type"]["input_ports"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let first = id_of(&nodes[0]);
    assert_eq!(first.len(), 36);
    assert_eq!(
        canvas["edges"].as_array().unwrap().len(),
        whole["edges"].as_array().unwrap().len()
    );
    for name in [first.as_str(), given[0]["id"].as_str().unwrap()] {
        let one = client.get(&format!("{path}/nodes/{name}")).await.ok();
        assert_eq!(one["id"], first.as_str());
    }
    let move_it = json!({ "position": { "x": 9 } });
    patch(&client, &format!("{path}/nodes/{first}/position"), &move_it)
        .await
        .ok();
    let after = client.get(&format!("/api/workflows/{id}")).await.ok();
    let mut expected = stored["graph"].clone();
    expected["nodes"][0]["ui_properties"]["position"]["x"] = 9.into();
    expected["nodes"][0]["updated_at"] = after["graph"]["nodes"][0]["updated_at"].clone();
    assert_eq!(after["graph"], expected);
    let outputs = client.run(&id, json!({ "name": "you" })).await;
    assert_eq!(outputs.status, 200, "{outputs:?}");
}

#[tokio::test]
async fn ids_that_are_no_uuids_work_as_they_are() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "W", "access": "private", "graph": graph(&[
        graph_node("1", "x.Y", json!({})), graph_node("2", "x.Y", json!({}))], &[]) });
    client.put("/api/workflows/newid", &body).await.ok();
    let shown = client.get("/api/workflow/newid/").await.ok();
    assert_eq!(shown["id"], "newid");
    let nodes = client.get("/api/workflow/newid/nodes/").await.ok();
    let ids: Vec<String> = nodes.as_array().unwrap().iter().map(id_of).collect();
    assert_eq!(ids.len(), 2);
    let made = connect(&client, "/api/workflow/newid", &ids[0], &ids[1]).await;
    assert_eq!(made["source"], ids[0].as_str());
    let flow = client.get("/api/workflows/newid").await.ok();
    let keys: Vec<&Value> = vec![
        &flow["graph"]["edges"][0]["source"],
        &flow["graph"]["edges"][0]["target"],
    ];
    assert_eq!(keys, ["2", "1"]);
    let gone = client.call(Method::DELETE, "/api/workflow/newid/").await;
    assert_eq!(gone.status, 204);
    assert_eq!(client.get("/api/workflows/newid").await.status, 404);
}
