//! Branches side by side, and where they meet.

use serde_json::json;

use super::super::server::TestServer;
use super::{Flow, Watch, about, given, once, only, sorted, story};

#[tokio::test]
async fn case_46_e2_e4_branches_meet_once_with_what_each_has_added() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let a = flow.transformer(r#"{"a": 1}"#).await;
    let b = flow.transformer(r#"{"b": 2}"#).await;
    let j = flow.transformer(r#"{"j": 3}"#).await;
    let z = flow.transformer(r#"{"z": 4}"#).await;
    for (from, to) in [(&c, &a), (&c, &b), (&a, &j), (&b, &j), (&j, &z)] {
        flow.edge(from, to).await;
    }
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let names: [(&str, &str); 5] = [("a", &a), ("b", &b), ("c", &c), ("j", &j), ("z", &z)];
    let words = story(&told, &names);
    assert_eq!(words.len(), 16, "{words:?}");
    for (pass, mark) in words[..15].chunks(5).zip(["", "", "."]) {
        let named = |name: &str| format!("{name}{mark}");
        assert_eq!(pass[0], named("c"));
        assert_eq!(sorted(&pass[1..3]), [named("a"), named("b")]);
        assert_eq!(pass[3..], [named("j"), named("z")]);
    }
    assert_eq!(words[15], "success");
    for (pass, data) in given(&told, &j).iter().enumerate() {
        let keys: Vec<_> = data.as_object().unwrap().keys().collect();
        let added = ["data_transformer", "data_transformer_2"];
        assert_eq!(keys[0], "counter");
        assert_eq!(keys[1..3], added);
        assert_eq!(keys[3..], ["data_transformer_3"], "{data}");
        assert_eq!(data["counter"]["current"], pass + 1);
        assert_eq!(
            (&data[added[0]], &data[added[1]]),
            (&json!({ "a": 1 }), &json!({ "b": 2 }))
        );
    }
}

#[tokio::test]
async fn e3_conditions_forks_and_loop_nodes_work_in_branches() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = flow.counter(1, 2).await;
    let form = json!({ "condition_expression": "data['counter']['current'] > 1" });
    let i = flow.node("if-condition", form).await;
    let (y, n) = (flow.transformer("{}").await, flow.transformer("{}").await);
    let f = flow.transformer("{}").await;
    let (g, h) = (flow.transformer("{}").await, flow.transformer("{}").await);
    let k = flow.transformer("{}").await;
    let form = json!({ "array_expression": "[1, 2]" });
    let e = flow.node("for-each", form).await;
    let s = flow.node("data-transformer", only(r#"{"s": 1}"#)).await;
    let z = flow.node("data-transformer", only(r#"{"z": 1}"#)).await;
    for (from, handle, to) in [
        (&c, "default", &i),
        (&i, "yes", &y),
        (&i, "no", &n),
        (&y, "default", &z),
        (&n, "default", &z),
        (&c, "default", &f),
        (&f, "default", &g),
        (&f, "default", &h),
        (&g, "default", &k),
        (&h, "default", &k),
        (&k, "default", &z),
        (&c, "default", &e),
        (&e, "subdag", &s),
        (&e, "default", &z),
    ] {
        flow.edge_from(from, handle, to).await;
    }
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let all: [(&str, &str); 11] = [
        ("c", &c),
        ("i", &i),
        ("y", &y),
        ("n", &n),
        ("f", &f),
        ("g", &g),
        ("h", &h),
        ("k", &k),
        ("e", &e),
        ("s", &s),
        ("z", &z),
    ];
    let words = story(&told, &all);
    let mut passes = words.split_inclusive(|word| word.starts_with('z'));
    for way in [["i:no", "n"], ["i:yes", "y"]] {
        let pass = passes.next().unwrap();
        let mut expected = vec!["c", "e", "f", "g", "h", "k", "s", "s", "z"];
        expected.extend(way);
        expected.sort_unstable();
        assert_eq!(sorted(pass), expected);
        assert_eq!((&*pass[0], &*pass[pass.len() - 1]), ("c", "z"));
    }
    // The sentinel goes everywhere, each node once.
    let rest = passes.collect::<Vec<_>>().concat();
    let mut expected: Vec<String> = all.iter().map(|(name, _)| format!("{name}.")).collect();
    expected.push("success".to_owned());
    expected.sort_unstable();
    assert_eq!(sorted(&rest), expected);
    // Within a branch there is an order, whatever goes on beside it.
    let branch = |nodes: &[&str]| story(&about(&told, nodes), &all).join(" ");
    assert_eq!(branch(&[&i, &y, &n])[..15], *"i:no n i:yes y ");
    assert_eq!(branch(&[&e, &s]), "e s s e s s e. s.");
}

#[tokio::test]
async fn e12_inputs_are_merged_alike_while_a_workflow_is_built_and_when_it_runs() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let c = once(&flow).await;
    let a = flow.transformer(r#"{"a": 1}"#).await;
    let b = flow.transformer(r#"{"b": 2}"#).await;
    let j = flow.transformer(r#"{"j": 3}"#).await;
    for (from, to) in [(&c, &a), (&c, &b), (&a, &j), (&b, &j)] {
        flow.edge(from, to).await;
    }
    let mut watch = Watch::open(&server, &flow).await;
    let told = watch.run(&flow).await;
    let in_production = given(&told, &j).remove(0);
    let mut last = json!(null);
    for node in [&c, &a, &b, &j] {
        let ran = flow.run_node(node, json!({})).await.ok();
        assert_eq!(ran["success"], true, "{ran}");
        last = ran["output"]["data"].clone();
    }
    assert_eq!(last, in_production);
    let keys: Vec<_> = last.as_object().unwrap().keys().collect();
    let added = [
        "counter",
        "data_transformer",
        "data_transformer_2",
        "data_transformer_3",
    ];
    assert_eq!(keys, added);
}
