//! Nodes, one at a time and at once.

use hyper::Method;
use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{connect, id_of, node, patch, refusal, some};

#[tokio::test]
async fn case_12_and_13_a_node_is_put_where_it_is_asked_for() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let body = json!({ "nodeTemplate": "http-request", "position": { "x": 100, "y": 200 } });
    let reply = client.post(&format!("{path}/nodes/add/"), &body).await;
    assert_eq!(reply.status, 201);
    let added = reply.json();
    assert_eq!(added["node_type"], "http-request");
    assert_eq!(added["position"], json!({ "x": 100, "y": 200 }));
    assert_eq!(added["form_values"], json!({}));
    assert_eq!((&added["x"], &added["y"]), (&json!(100.0), &json!(200.0)));
    let bare = client
        .post(&format!("{path}/nodes/add/"), &json!({}))
        .await
        .json();
    assert_eq!(bare["node_type"], "custom-node");
    assert_eq!(bare["position"], json!({ "x": 0, "y": 0 }));
    assert_eq!(bare["node_type_info"]["type"], "unknown");
    let list = client.get(&format!("{path}/nodes/")).await.ok();
    let ids: Vec<String> = list.as_array().unwrap().iter().map(id_of).collect();
    assert_eq!(ids, [id_of(&bare), id_of(&added)]);
    assert_eq!(
        client.get(&format!("{path}/nodes/{}", ids[1])).await.ok(),
        list[1]
    );
}

#[tokio::test]
async fn case_14_a_position_is_numbers() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let body = json!({ "position": { "x": 1, "y": 250 } });
    let node = id_of(
        &client
            .post(&format!("{path}/nodes/add/"), &body)
            .await
            .json(),
    );
    let place = format!("{path}/nodes/{node}/position/");
    let moved = patch(&client, &place, &json!({ "position": { "x": 150 } }))
        .await
        .ok();
    assert_eq!(moved["position"], json!({ "x": 150, "y": 250 }));
    for bad in [
        json!("q"),
        json!({ "x": "q" }),
        json!({ "y": true }),
        json!([1, 2]),
    ] {
        let reply = patch(&client, &place, &json!({ "position": bad })).await;
        refusal(&reply, 400, "INVALID_REQUEST");
    }
    let same = patch(&client, &place, &json!({})).await.ok();
    assert_eq!(same["position"], moved["position"]);
}

#[tokio::test]
async fn case_15_a_node_takes_its_edges_with_it() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let (a, b, c) = (
        node(&client, &path, "x").await,
        node(&client, &path, "x").await,
        node(&client, &path, "x").await,
    );
    connect(&client, &path, &a, &b).await;
    connect(&client, &path, &b, &c).await;
    let kept = connect(&client, &path, &a, &c).await;
    let gone = client
        .delete(&format!("{path}/nodes/{b}/remove/"))
        .await
        .ok();
    assert_eq!(gone, json!({ "message": "Node removed successfully" }));
    let canvas = client.get(&format!("{path}/canvas_data/")).await.ok();
    assert_eq!(canvas["nodes"].as_array().unwrap().len(), 2);
    let edges = canvas["edges"].as_array().unwrap();
    assert_eq!((edges.len(), &edges[0]["id"]), (1, &kept["id"]));
    let again = client.delete(&format!("{path}/nodes/{b}/remove/")).await;
    refusal(&again, 404, "NOT_FOUND");
    assert_eq!(
        client.delete(&format!("{path}/nodes/{a}/")).await.status,
        204
    );
}

#[tokio::test]
async fn case_17_the_canvas_knows_types_ports_edges_and_the_workflow() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let a = node(&client, &path, "counter").await;
    let b = node(&client, &path, "nothing-known").await;
    let edge = connect(&client, &path, &a, &b).await;
    let canvas = client.get(&format!("{path}/canvas_data/")).await.ok();
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(
        (&canvas["id"], &canvas["workflow"]["id"]),
        (&json!(id), &json!(id))
    );
    for key in [
        "name",
        "description",
        "status",
        "workflow_type",
        "runs_count",
        "last_run",
        "runtime_state",
    ] {
        assert!(canvas["workflow"].get(key).is_some(), "{key}");
    }
    let counter = &canvas["nodes"][0]["node_type"];
    assert_eq!(counter["identifier"], "counter");
    assert_eq!(counter["type"], "ProducerNode");
    assert_eq!(counter["input_ports"], json!([]));
    assert_eq!(
        counter["output_ports"],
        json!([{ "id": "default", "label": "Out" }])
    );
    assert_eq!(counter["has_form"], true);
    let other = &canvas["nodes"][1]["node_type"];
    for key in ["identifier", "name"] {
        assert_eq!(other[key], "nothing-known");
    }
    assert_eq!(other["type"], "unknown");
    assert_eq!(
        other["input_ports"],
        json!([{ "id": "default", "label": "In" }])
    );
    assert_eq!(canvas["edges"], json!([edge]));
    for (key, value) in [
        ("source", &a),
        ("source_node", &a),
        ("target", &b),
        ("target_node", &b),
    ] {
        assert_eq!(edge[key], value.as_str(), "{key}");
    }
    for key in ["sourceHandle", "source_handle"] {
        assert_eq!(edge[key], "default");
    }
    let raw = client.get(&format!("{path}/rawconfig/")).await.ok();
    assert_eq!(raw["name"], "W");
    assert_eq!(raw["nodes"][0]["type"], "counter");
    assert_eq!(raw["nodes"][0]["data"], json!({ "form": {}, "config": {} }));
    assert_eq!(raw["connections"], canvas["edges"]);
}

#[tokio::test]
async fn case_18_the_input_of_a_node_is_what_came_before_as_one() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let mut nodes = Vec::new();
    for output in [json!({ "a": 1 }), json!({ "a": 2, "b": 3 }), json!({})] {
        let body = json!({ "node_type": "x", "output_data": output });
        let made = client.post(&format!("{path}/nodes/"), &body).await;
        assert_eq!(made.status, 201);
        nodes.push(id_of(&made.json()));
    }
    let [first, second, target] = &nodes[..] else {
        unreachable!()
    };
    connect(&client, &path, first, target).await;
    connect(&client, &path, second, target).await;
    let input = client
        .get(&format!("{path}/nodes/{target}/input/"))
        .await
        .ok();
    assert_eq!(input, json!({ "input_data": { "a": 1, "a_2": 2, "b": 3 } }));
    let output = client
        .get(&format!("{path}/nodes/{second}/output/"))
        .await
        .ok();
    assert_eq!(output, json!({ "output_data": { "a": 2, "b": 3 } }), "P3");
    let clear = format!("{path}/clear_node_output/");
    let cleared = client
        .post(&clear, &json!({ "node_id": second }))
        .await
        .ok();
    assert_eq!(cleared, json!({ "success": true }));
    let input = client
        .get(&format!("{path}/nodes/{target}/input/"))
        .await
        .ok();
    assert_eq!(input, json!({ "input_data": { "a": 1 } }));
    for bad in [json!({}), json!({ "node_id": "nope" })] {
        let refused = refusal(&client.post(&clear, &bad).await, 400, "INVALID_REQUEST");
        assert_eq!(refused["success"], false);
    }
}

#[tokio::test]
async fn nodes_are_read_and_changed_field_by_field() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let nodes = format!("{path}/nodes/");
    let refused = refusal(
        &client.post(&nodes, &json!({})).await,
        400,
        "INVALID_REQUEST",
    );
    assert_eq!(refused["errors"]["node_type"][0], "This field is required.");
    let body = json!({ "node_type": "counter", "x": "1.5", "form_values": { "step": "{{ 1 }}" }, "config": { "q": 1 } });
    let made = client.post(&nodes, &body).await.json();
    assert_eq!(
        (&made["x"], &made["config"]),
        (&json!(1.5), &json!({ "q": 1 }))
    );
    let one = format!("{nodes}{}", id_of(&made));
    let after = patch(
        &client,
        &one,
        &json!({ "y": 2, "id": "x", "created_at": "x" }),
    )
    .await
    .ok();
    let mut expected = made.clone();
    expected["y"] = json!(2.0);
    expected["updated_at"] = after["updated_at"].clone();
    assert_eq!(after, expected);
    for (field, value) in [
        ("form_values", json!([])),
        ("config", json!(null)),
        ("x", json!("q")),
    ] {
        let refused = patch(&client, &one, &json!({ field: value })).await;
        let refused = refusal(&refused, 400, "INVALID_REQUEST");
        assert!(refused["errors"][field].is_array(), "{refused}");
    }
    let put = json!({ "node_type": "other", "form_values": { "a": 1 } });
    let put = client.put(&one, &put).await.ok();
    assert_eq!(
        (&put["node_type"], &put["form_values"]),
        (&json!("other"), &json!({ "a": 1 }))
    );
    assert_eq!(client.put(&one, &json!({ "x": 1 })).await.status, 400);
}

#[tokio::test]
async fn of_changes_at_the_same_time_none_is_lost() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let adding = (0..20).map(|i| {
        let (client, path) = (server.client(), path.clone());
        async move {
            let body = json!({ "nodeTemplate": "x", "position": { "x": i } });
            let reply = client.post(&format!("{path}/nodes/add/"), &body).await;
            assert_eq!(reply.status, 201, "{reply:?}");
        }
    });
    futures_util::future::join_all(adding).await;
    let nodes = client.get(&format!("{path}/nodes/")).await.ok();
    let mut places: Vec<i64> = nodes
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["x"].as_f64().unwrap() as i64)
        .collect();
    places.sort_unstable();
    assert_eq!(places, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_edit_is_a_save_and_a_refused_one_is_none() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let flow = path.replace("/api/workflow/", "/api/workflows/");
    let before = client.get(&flow).await.header("etag").to_owned();
    node(&client, &path, "x").await;
    let after = client.get(&flow).await.header("etag").to_owned();
    assert_ne!(before, after);
    let gone = client
        .call(Method::DELETE, &format!("{path}/nodes/nope/remove/"))
        .await;
    refusal(&gone, 404, "NOT_FOUND");
    let same: Value = client.get(&flow).await.header("etag").into();
    assert_eq!(same, after.as_str());
}
