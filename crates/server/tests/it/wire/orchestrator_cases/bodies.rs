//! Loop nodes: their bodies, what follows them, and how they are tried out.

use serde_json::{Value, json};

use super::super::server::TestServer;
use super::{Flow, Watch, given, once, only, sorted, story};

const ITEM: &str = r#"{"item": {{ data.forEachNode.state.item }}}"#;
const RESULTS: &str = r#"{"results": {{ data.loop_results|tojson }},
    "state": {{ data.forEachNode.state|tojson }}}"#;

/// A counter that gives one token, a loop node over `[1, 2]` behind it, and what follows.
async fn looping(flow: &Flow<'_>, body: &[String]) -> [String; 3] {
    let c = once(flow).await;
    let form = json!({ "array_expression": "[1, 2]" });
    let e = flow.node("for-each", form).await;
    let z = flow.node("data-transformer", only(RESULTS)).await;
    flow.edge(&c, &e).await;
    flow.edge_from(&e, "subdag", &body[0]).await;
    for pair in body.windows(2) {
        flow.edge(&pair[0], &pair[1]).await;
    }
    flow.edge(&e, &z).await;
    [c, e, z]
}

/// The only output of what follows.
#[track_caller]
fn after(told: &[Value], node: &str) -> Value {
    let all = given(told, node);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[tokio::test]
async fn case_51_e2_a_body_runs_for_each_item_and_what_follows_once() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let s = flow.node("data-transformer", only(ITEM)).await;
    let twice = only(r#"{"twice": {{ data.item * 2 }}}"#);
    let u = flow.node("data-transformer", twice).await;
    let [c, e, z] = looping(&flow, &[s.clone(), u.clone()]).await;
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let names: [(&str, &str); 5] = [("c", &c), ("e", &e), ("s", &s), ("u", &u), ("z", &z)];
    let words = story(&told, &names);
    assert_eq!(words[..9].join(" "), "c e s u s u z c. e.");
    // The sentinel runs nothing and goes everywhere.
    assert_eq!(sorted(&words[9..]), ["s.", "success", "u.", "z."]);
    let expected = json!({ "results": [{ "twice": 2 }, { "twice": 4 }],
        "state": { "index": 1, "item": 2 } });
    assert_eq!(after(&told, &z), expected);
}

#[tokio::test]
async fn case_52_e1_a_body_of_one_node_runs_and_its_outputs_are_the_results() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let s = flow.node("data-transformer", only(ITEM)).await;
    let [c, e, z] = looping(&flow, std::slice::from_ref(&s)).await;
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let names: [(&str, &str); 4] = [("c", &c), ("e", &e), ("s", &s), ("z", &z)];
    let words = story(&told, &names);
    assert_eq!(words[..7].join(" "), "c e s s z c. e.");
    assert_eq!(sorted(&words[7..]), ["s.", "success", "z."]);
    let results = after(&told, &z)["results"].clone();
    assert_eq!(results, json!([{ "item": 1 }, { "item": 2 }]));
}

#[tokio::test]
async fn case_53_and_54_what_is_tried_out_is_kept_and_told_to_nobody_else() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "array_expression": "[3, 4]" });
    let e = flow.node("for-each", form).await;
    let s = flow.node("data-transformer", only(ITEM)).await;
    let z = flow.node("data-transformer", only(RESULTS)).await;
    flow.edge_from(&e, "subdag", &s).await;
    flow.edge(&e, &z).await;
    let mut watch = Watch::open(&server, &flow).await;
    let whole = flow.run_node(&e, json!({})).await.ok();
    assert_eq!(whole["success"], true, "{whole}");
    let data = &whole["output"]["data"];
    let results = json!([{ "item": 3 }, { "item": 4 }]);
    assert_eq!(data["forEachNode"]["results"], results);
    assert_eq!(
        data["forEachNode"]["state"],
        json!({ "index": 1, "item": 4 })
    );
    assert!(data.get("loop_results").is_none(), "{data}");
    assert_eq!(
        flow.output_of(&z).await,
        json!({}),
        "what follows is not run"
    );

    let clear = json!({ "node_id": e });
    for _ in 0..2 {
        flow.post("clear_node_output", &clear).await.ok();
        assert_eq!(flow.output_of(&e).await, json!({}));
        for (index, item) in [(0, 3), (1, 4)] {
            let step = flow.post("execute_for_each_iteration", &clear).await.ok();
            assert_eq!(step["success"], true, "{step}");
            assert_eq!(
                step["forEachNode"]["state"],
                json!({ "index": index, "item": item })
            );
            assert_eq!(step["iteration_output"], json!([{ "item": item }]));
        }
        let step = flow.post("execute_for_each_iteration", &clear).await.ok();
        assert_eq!(step["success"], false, "{step}");
        let text = step["error"].as_str().unwrap();
        assert!(text.contains("out of range [0, 2)"), "{text}");
        let kept = flow.output_of(&e).await;
        assert_eq!(kept["forEachNode"]["results"], results);
    }
    let first = json!({ "node_id": e, "iteration_index": 0 });
    let again = flow.post("execute_for_each_iteration", &first).await.ok();
    assert_eq!(again["forEachNode"]["state"]["index"], 0, "{again}");
    watch.socket.check_quiet().await;
    assert_eq!(watch.state().await["status"], "idle");
}
