//! Graphs and scripts that mean harm: each gives an error that says what is wrong, within bounds, and the server stays
//! well.

use serde_json::{Value, json};

use super::graphs::{
    COUNT, REPEAT, WORKFLOW, counting, edge, graph, greeting, node, output, script, waiting,
};
use super::server::TestServer;

/// What a run of the graph fails with; afterwards the server is well.
async fn refusal(server: &TestServer, graph: &Value) -> String {
    let client = server.client();
    let id = client.save(graph).await;
    let told = client.run(&id, json!({})).await.detail(500);
    let lines = client.run_lines(&id, &json!({})).await.lines().await;
    let last = lines.last().unwrap();
    assert_eq!(last["type"], "job_failed");
    assert_eq!(last["error"], told, "both forms say the same");
    client.check_health().await;
    told
}

#[tokio::test]
async fn graphs_that_cannot_run_say_what_is_wrong_and_where() {
    let server = TestServer::start();
    let text = || node("i", "nodetool.input.StringInput", json!({ "name": "name" }));
    let add = |id: &str, data: Value| node(id, "lib.math.Add", data);
    let cases = [
        (
            graph(&[node("x", "nodetool.nope.Nope", json!({}))], &[]),
            "Failed to load node x (type: nodetool.nope.Nope): Invalid node type: nodetool.nope.Nope",
        ),
        (
            graph(
                &[text(), add("m", json!({})), output()],
                &["i.output -> m.a", "m.output -> o.value"],
            ),
            "Graph contains errors: m: Type mismatch for property 'a' - i.output outputs str but m.a expects union[int, float]",
        ),
        (
            graph(
                &[add("m", json!({ "a": "x" })), output()],
                &["m.output -> o.value"],
            ),
            "property 'a' on node 'm'",
        ),
        (
            graph(
                &[add("m", json!({})), add("n", json!({})), output()],
                &["m.output -> n.a", "n.output -> m.a", "n.output -> o.value"],
            ),
            "Circular dependency detected: m -> n -> m",
        ),
        (
            graph(&[add("m", json!({}))], &["m.output -> m.a"]),
            "Circular dependency detected: m -> m",
        ),
        (
            graph(&[add("m", json!({})), add("m", json!({}))], &[]),
            "Node id 'm' is used by more than one node",
        ),
        (
            graph(
                &[node("i", "nodetool.input.StringInput", json!({})), output()],
                &["i.output -> o.value"],
            ),
            "All InputNode(s) must have a non-empty name. Invalid: i",
        ),
        (
            graph(
                &[
                    text(),
                    node("j", "nodetool.input.StringInput", json!({ "name": "name" })),
                ],
                &[],
            ),
            "Duplicate names: name",
        ),
        (
            graph(
                &[add("m", json!({})), add("n", json!({})), output()],
                &["m.output -> o.value", "n.output -> o.value"],
            ),
            "o: Multiple edges target non-list property 'value'",
        ),
    ];
    for (graph, wanted) in cases {
        let told = refusal(&server, &graph).await;
        assert!(told.contains(wanted), "{told}\nwanted: {wanted}");
    }
}

#[tokio::test]
async fn a_parameter_of_the_wrong_type_names_its_input() {
    let server = TestServer::start();
    let client = server.client();
    let input = node("i", "nodetool.input.IntegerInput", json!({ "name": "n" }));
    let id = client
        .save(&graph(&[input, output()], &["i.output -> o.value"]))
        .await;
    let told = client.run(&id, json!({ "n": "abc" })).await.detail(500);
    assert!(
        told.contains("IntegerInput") && told.contains("expected int"),
        "{told}"
    );
    client.check_health().await;
}

#[tokio::test]
async fn nesting_without_end_is_refused_by_the_reader() {
    let server = TestServer::start();
    let client = server.client();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [
        deep.clone(),
        format!(
            "{{\"name\":\"W\",\"access\":\"private\",\"graph\":{{\"nodes\":[],\"edges\":[],\"x\":{deep}}}}}"
        ),
        "{\"a\":".repeat(100_000),
        "[".repeat(1_000_000),
    ];
    for body in bodies {
        let refused = client
            .post_as("/api/workflows", "application/json", body)
            .await;
        let error = &refused.errors()[0];
        assert_eq!(error["type"], "json_depth");
        assert_eq!(error["loc"], json!(["body"]));
    }
    let id = client.save(&greeting()).await;
    let params = format!("{{\"params\":{{\"name\":{deep}}}}}");
    let refused = client
        .post_as(
            &format!("/api/workflows/{id}/run"),
            "application/json",
            params,
        )
        .await;
    assert_eq!(refused.status, 422);
    client.check_health().await;
}

#[tokio::test]
async fn values_that_nodes_nest_without_end_are_refused() {
    let server = TestServer::start();
    let client = server.client();
    let depth = 10_000;
    let mut nodes = vec![node(
        "n0",
        "nodetool.constant.Integer",
        json!({ "value": 1 }),
    )];
    let mut edges = Vec::new();
    for i in 1..depth {
        let mut wrap = node(
            &format!("n{i}"),
            "nodetool.dictionary.MakeDictionary",
            json!({}),
        );
        wrap["dynamic_properties"] = json!({ "x": null });
        nodes.push(wrap);
        edges.push(edge(&format!("n{}.output -> n{i}.x", i - 1)));
    }
    nodes.push(output());
    edges.push(edge(&format!("n{}.output -> o.value", depth - 1)));
    let id = client
        .save(&json!({ "nodes": nodes, "edges": edges }))
        .await;
    let told = client.run(&id, json!({})).await.detail(500);
    assert!(told.contains("nested more than 1000 levels deep"), "{told}");
    client.check_health().await;
}

#[tokio::test]
async fn graphs_of_more_nodes_than_a_server_can_hold_are_refused() {
    let server = TestServer::start();
    let client = server.client();
    let nodes = vec!["{\"id\":\"a\"}"; 100_001].join(",");
    let body = format!(
        "{{\"name\":\"W\",\"access\":\"private\",\"graph\":{{\"nodes\":[{nodes}],\"edges\":[]}}}}"
    );
    let refused = client
        .post_as("/api/workflows", "application/json", body)
        .await;
    assert_eq!(
        refused.places(),
        [("value_error".into(), json!(["body", "graph", "nodes"]))]
    );
    assert_eq!(
        refused.errors()[0]["msg"],
        "expected at most 100000 nodes, got 100001"
    );
    client.check_health().await;
}

#[tokio::test]
async fn a_document_of_garbage_gets_a_short_answer() {
    let server = TestServer::start();
    let client = server.client();
    let graph = json!({ "nodes": vec![1; 50_000], "edges": vec!["x"; 50_000] });
    let body = json!({ "name": "W", "access": "private", "graph": graph });
    let refused = client.post("/api/workflows", &body).await;
    assert_eq!(refused.errors().len(), 100);
    client.check_health().await;
}

#[tokio::test]
async fn a_long_chain_of_bypassed_nodes_costs_no_more_than_its_length() {
    let server = TestServer::start();
    let client = server.client();
    let n = 10_000;
    let mut nodes = vec![node(
        "n0",
        "nodetool.constant.Integer",
        json!({ "value": 7 }),
    )];
    let mut edges = Vec::new();
    for i in 1..n {
        let mut skipped = node(&format!("n{i}"), "lib.math.Add", json!({}));
        skipped["ui_properties"] = json!({ "bypassed": true });
        nodes.push(skipped);
        edges.push(edge(&format!("n{}.output -> n{i}.a", i - 1)));
    }
    nodes.push(output());
    edges.push(edge(&format!("n{}.output -> o.value", n - 1)));
    let id = client
        .save(&json!({ "nodes": nodes, "edges": edges }))
        .await;
    assert_eq!(client.run(&id, json!({})).await.ok(), json!({ "out": 7 }));
}

#[tokio::test]
async fn scripts_are_stopped_when_they_run_allocate_or_print_without_end() {
    let server = TestServer::start();
    let cases = [
        ("while (true) {}", 1, "ran longer than 1 s"),
        ("for (;;) await sleep(1)", 1, "ran longer than 1 s"),
        ("await new Promise(() => {})", 1, ""),
        (
            "const a = []; for (;;) a.push('x'.repeat(1 << 20))",
            60,
            "memory",
        ),
        ("let s = 'x'; for (;;) s += s", 60, ""),
        ("return { output: 'x'.repeat(20 << 20) }", 60, ""),
        ("const f = () => f(); f()", 60, ""),
        (
            "let x = []; for (let i = 0; i < 1e6; i++) x = [x]; return { output: x }",
            60,
            "",
        ),
        ("throw 'x'.repeat(1e7)", 60, ""),
        ("(", 60, ""),
        ("process.exit(1)", 60, "process"),
        ("return require('fs')", 60, "require"),
        (
            "return await workspace.read('../nodetool.sqlite3')",
            60,
            "workspace",
        ),
        (
            "return await workspace.read('/etc/passwd')",
            60,
            "workspace",
        ),
    ];
    for (code, timeout, wanted) in cases {
        let told = refusal(&server, &script(code, timeout)).await;
        assert!(
            !told.is_empty() && told.chars().count() <= 1000,
            "{code}: {told}"
        );
        assert!(told.contains(wanted), "{code}: {told}");
    }
    let memory = server.memory() >> 20;
    assert!(memory < 300, "{memory} MiB");
}

#[tokio::test]
async fn an_expression_that_never_ends_is_stopped_and_a_run_with_one_can_be_left() {
    let server = TestServer::start();
    let client = server.client();
    let source = node("n", COUNT, json!({ "count": 1000 }));
    let filter = |predicate: &str| {
        let filter = node(
            "f",
            "nodetool.control.FilterCode",
            json!({ "predicate": predicate }),
        );
        graph(
            &[source.clone(), filter, output()],
            &["n.output -> f.input_item", "f.output -> o.value"],
        )
    };
    let endless = filter("(() => { while (true) {} })()");
    let told = refusal(&server, &endless).await;
    assert!(told.contains("ran longer than"), "{told}");
    let greedy = filter("(() => { const a = []; for (;;) a.push('x'.repeat(1 << 20)) })()");
    let told = refusal(&server, &greedy).await;
    assert!(told.contains("memory"), "{told}");
    let id = client.save(&endless).await;
    let mut stream = client.run_lines(&id, &json!({})).await;
    stream.line().await.unwrap();
    drop(stream);
    assert_eq!(client.ended_job(&id).await["status"], "cancelled");
    client.check_health().await;
}

#[tokio::test]
async fn a_workflow_that_runs_itself_is_stopped_at_a_depth() {
    let server = TestServer::start();
    let client = server.client();
    let itself = |copies: usize| {
        let nodes =
            (0..copies).map(|i| node(&format!("w{i}"), WORKFLOW, json!({ "workflow_id": "self" })));
        json!({ "name": "W", "access": "private", "graph": graph(&nodes.collect::<Vec<_>>(), &[]) })
    };
    client.put("/api/workflows/self", &itself(1)).await.ok();
    let told = client.run("self", json!({})).await.detail(500);
    assert_eq!(
        told,
        "Workflow self would run more than 16 workflows deep; does it run itself?"
    );
    let before = server.memory();
    for copies in [2, 50] {
        client
            .put("/api/workflows/self", &itself(copies))
            .await
            .ok();
        let told = client.run("self", json!({})).await.detail(500);
        assert!(
            told.contains("More than 256 workflows are at work inside this run"),
            "{told}"
        );
    }
    let grown = server.memory().saturating_sub(before) >> 20;
    assert!(grown < 150, "{grown} MiB more than before");
    client.check_health().await;
    // The bound is of one run, not of the server.
    let inner = client.save(&greeting()).await;
    let nested = node("w", WORKFLOW, json!({ "workflow_id": inner }));
    let mut nested = graph(&[nested, output()], &["w.out -> o.value"]);
    nested["nodes"][0]["dynamic_outputs"] = json!({ "out": { "type": "str" } });
    nested["nodes"][0]["dynamic_properties"] = json!({ "name": "inside" });
    let id = client.save(&nested).await;
    assert_eq!(
        client.run(&id, json!({})).await.ok(),
        json!({ "out": "inside" })
    );
}

#[tokio::test]
async fn more_items_than_memory_holds_are_refused() {
    let server = TestServer::start();
    for (source, data) in [
        (COUNT, json!({ "count": 1_000_000_000 })),
        (REPEAT, json!({ "value": 1, "count": i64::MAX })),
    ] {
        let told = refusal(
            &server,
            &graph(
                &[node("n", source, data), output()],
                &["n.output -> o.value"],
            ),
        )
        .await;
        assert!(
            told.contains("`count`") && told.contains("expected at most"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn paths_outside_the_workspace_are_refused() {
    use std::os::unix::fs::symlink;
    let server = TestServer::start();
    let workspace = server.folder().join("workspace");
    symlink("/etc", workspace.join("link")).unwrap();
    symlink(
        server.folder().join("nodetool.sqlite3"),
        workspace.join("db.csv"),
    )
    .unwrap();
    for path in [
        "../nodetool.sqlite3",
        "/etc/passwd",
        "link/passwd",
        "db.csv",
        "a/../../x",
        "~/x",
        "\u{0}",
        ".",
    ] {
        let load = node(
            "l",
            "nodetool.dictionary.LoadCSVFile",
            json!({ "path": path }),
        );
        let told = refusal(&server, &graph(&[load, output()], &["l.output -> o.value"])).await;
        assert!(!told.contains("root:"), "{told}");
        assert!(told.chars().count() < 400, "{told}");
    }
}

#[tokio::test]
async fn runs_at_work_do_not_keep_others_waiting() {
    let server = TestServer::start();
    let client = server.client();
    let endless = client.save(&script("while (true) {}", 600)).await;
    let (long, count) = (
        client.save(&waiting(600.0)).await,
        client.save(&counting(10_000_000)).await,
    );
    let mut streams = Vec::new();
    for id in [&endless, &long, &count, &long, &count] {
        let mut stream = client.run_lines(id, &json!({})).await;
        stream.line().await.unwrap();
        streams.push(stream);
    }
    client.check_health().await;
    drop(streams);
    for id in [&endless, &long, &count] {
        assert_eq!(client.ended_job(id).await["status"], "cancelled");
    }
    client.check_health().await;
}
