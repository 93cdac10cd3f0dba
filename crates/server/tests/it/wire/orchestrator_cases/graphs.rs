//! Workflows of real steps: on the canvas, as input of a step, as a graph of the other API, as a copy.

use hyper::Method;
use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, Watch, is_end, only, story};

/// A counter, a condition, a loop node with a body, and what follows; ids in that order.
async fn branching(flow: &Flow<'_>) -> [String; 5] {
    let c = flow.counter(1, 2).await;
    let form = json!({ "condition_expression": "data['counter']['current'] > 1" });
    let i = flow.node("if-condition", form).await;
    let form = json!({ "array_expression": "[1, 2]" });
    let e = flow.node("for-each", form).await;
    let s = flow.node("data-transformer", only(r#"{"s": 1}"#)).await;
    let z = flow.node("data-transformer", only(r#"{"z": 1}"#)).await;
    for (from, handle, to) in [
        (&c, "default", &i),
        (&i, "yes", &e),
        (&e, "subdag", &s),
        (&e, "default", &z),
        (&i, "no", &z),
    ] {
        flow.edge_from(from, handle, to).await;
    }
    [c, i, e, s, z]
}

/// The edges of a canvas or of a graph, as `source handle target`.
fn edges(of: &Value) -> Vec<String> {
    let of = of["edges"].as_array().unwrap().iter();
    let text = |edge: &Value, key: &str| edge[key].as_str().unwrap().to_owned();
    let mut edges: Vec<String> = of
        .map(|edge| ["source", "sourceHandle", "target"].map(|key| text(edge, key)))
        .map(|words| words.join(" "))
        .collect();
    edges.sort_unstable();
    edges
}

fn ids(of: &Value) -> Vec<&str> {
    let nodes = of["nodes"].as_array().unwrap().iter();
    nodes.map(|node| node["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn case_17_the_canvas_shows_each_kind_of_step_with_its_ports() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let [c, i, e, s, z] = branching(&flow).await;
    let w = flow.node("queue-writer", json!({})).await;
    flow.edge(&z, &w).await;
    let canvas = flow.get("canvas_data").await.ok();
    assert_eq!(ids(&canvas), [&c, &i, &e, &s, &z, &w]);
    let out = json!([{ "id": "default", "label": "Out" }]);
    let ways = json!([{ "id": "yes", "label": "Yes" }, { "id": "no", "label": "No" }]);
    let body = json!([{ "id": "default", "label": "Out" }, { "id": "subdag", "label": "Body" }]);
    let expected = [
        ("Counter", "ProducerNode", &out),
        ("IfCondition", "ConditionalNode", &ways),
        ("ForEachNode", "LoopNode", &body),
        ("Data Transformer", "BlockingNode", &out),
        ("Data Transformer", "BlockingNode", &out),
        ("QueueWriter", "NonBlockingNode", &out),
    ];
    let nodes = canvas["nodes"].as_array().unwrap();
    for (node, (name, kind, ports)) in nodes.iter().zip(expected) {
        let shown = &node["node_type"];
        assert_eq!(
            (&shown["name"], &shown["type"]),
            (&json!(name), &json!(kind))
        );
        assert_eq!(&shown["output_ports"], ports, "{name}");
        let inputs = shown["input_ports"].as_array().unwrap().len();
        assert_eq!(inputs, usize::from(kind != "ProducerNode"), "{name}");
        for key in ["identifier", "category", "icon", "has_form", "description"] {
            assert!(shown.get(key).is_some(), "{name} has no {key}");
        }
    }
    let mut expected = [
        format!("{c} default {i}"),
        format!("{i} yes {e}"),
        format!("{e} subdag {s}"),
        format!("{e} default {z}"),
        format!("{i} no {z}"),
        format!("{z} default {w}"),
    ];
    expected.sort_unstable();
    assert_eq!(edges(&canvas), expected);
    assert_eq!(
        (&canvas["id"], &canvas["workflow"]["name"]),
        (&json!(flow.id), &json!("Flow"))
    );
}

#[tokio::test]
async fn case_18_what_two_steps_gave_flows_into_the_one_behind_them() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let first = flow.node("data-transformer", only(r#"{"a": 1}"#)).await;
    let second = only(r#"{"a": 2, "b": 3}"#);
    let second = flow.node("data-transformer", second).await;
    let t = flow
        .transformer(r#"{"sum": {{ data.a + data.a_2 + data.b }}}"#)
        .await;
    flow.edge(&first, &t).await;
    flow.edge(&second, &t).await;
    for node in [&first, &second] {
        flow.run_node(node, json!({})).await.ok();
    }
    let merged = json!({ "a": 1, "a_2": 2, "b": 3 });
    let input = flow.get(&format!("nodes/{t}/input")).await.ok();
    assert_eq!(input, json!({ "input_data": merged }));
    let ran = flow.run_node(&t, json!({})).await.ok();
    assert_eq!(ran["input_data"], merged);
    assert_eq!(
        ran["output"]["data"]["data_transformer"],
        json!({ "sum": 6 })
    );
}

#[tokio::test]
async fn case_70_the_other_api_shows_the_same_nodes_and_edges() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    branching(&flow).await;
    let plain = flow.id.replace('-', "");
    let listed = client.get("/api/workflows").await.ok();
    let [listed] = &listed["workflows"].as_array().unwrap()[..] else {
        panic!("{listed}")
    };
    assert_eq!(
        (&listed["id"], &listed["name"]),
        (&json!(plain), &json!("Flow"))
    );
    assert_eq!(
        client.get(&format!("/api/workflow/{plain}/")).await.ok(),
        flow.object().await
    );
    let canvas = flow.get("canvas_data").await.ok();
    let other = client.get(&format!("/api/workflows/{plain}")).await.ok();
    assert_eq!(ids(&other["graph"]), ids(&canvas));
    assert_eq!(edges(&other["graph"]), edges(&canvas));
    let nodes = other["graph"]["nodes"].as_array().unwrap();
    for (node, shown) in nodes.iter().zip(canvas["nodes"].as_array().unwrap()) {
        let identifier = shown["node_type"]["identifier"].as_str().unwrap();
        assert_eq!(node["type"], format!("orchestrator.{identifier}"));
        assert_eq!(node["data"], shown["form_values"]);
    }
    // A name that is changed in one is changed in the other.
    let body = json!({ "name": "Other" });
    let path = format!("/api/workflow/{plain}/");
    let request = super::super::local::local_json(Method::PATCH, &path, &body);
    client.send(request).await.ok();
    let other = client.get(&format!("/api/workflows/{plain}")).await.ok();
    assert_eq!(other["name"], "Other");
}

#[tokio::test]
async fn case_72_a_copy_has_its_own_nodes_and_runs_like_the_first() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "name": "W", "env": { "base": "u" }, "tags": ["t"] });
    let flow = Flow::of(&client, body).await;
    branching(&flow).await;
    let made = flow.post("duplicate", &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    for (key, value) in [
        ("name", json!("W (Copy)")),
        ("status", json!("inactive")),
        ("env", json!({ "base": "u" })),
        ("runs_count", json!(0)),
        ("task_id", Value::Null),
    ] {
        assert_eq!(made[key], value, "{key}");
    }
    let copy = Flow {
        client: &client,
        id: made["id"].as_str().unwrap().to_owned(),
    };
    assert_ne!(copy.id, flow.id);
    let before = flow.get("canvas_data").await.ok();
    let after = copy.get("canvas_data").await.ok();
    let (old, new) = (ids(&before), ids(&after));
    assert_eq!(old.len(), new.len());
    assert!(old.iter().all(|id| !new.contains(id)), "{old:?} {new:?}");
    let mut expected: Vec<String> = edges(&before);
    for (old, new) in old.iter().zip(&new) {
        for edge in &mut expected {
            *edge = edge.replace(old, new);
        }
    }
    expected.sort_unstable();
    assert_eq!(edges(&after), expected);
    let both = before["nodes"].as_array().unwrap().iter();
    for (old, new) in both.zip(after["nodes"].as_array().unwrap()) {
        for key in ["node_type", "form_values", "position", "config"] {
            assert_eq!(old[key], new[key], "{key}");
        }
    }
    let names = ["c", "i", "e", "s", "z"];
    let mut stories = Vec::new();
    for (flow, ids) in [(&flow, &old), (&copy, &new)] {
        let mut watch = Watch::open(&server, flow).await;
        let told = watch.run(flow).await;
        assert!(told.last().is_some_and(is_end));
        let names: Vec<_> = names.into_iter().zip(ids.iter().copied()).collect();
        stories.push(story(&told, &names));
    }
    assert_eq!(stories[0][..8].join(" "), "c i:no z c i:yes e s s");
    assert_eq!(stories[0], stories[1]);
}
