use std::sync::Mutex;

use nodetool_sdk::protocol::Graph;
use nodetool_sdk::testing::ScriptedTools;
use serde_json::json;

use super::*;
use crate::sensitive::Sensitive;
use crate::services::{NewSecret, SaveWorkflow};
use house::{House, Site, house, quiet, value};

mod house;
mod shelves;

#[tokio::test]
async fn names_are_resolved_in_order_and_only_the_leading_word_is_stripped() {
    let house = quiet();
    house.workflow("workflow_daily", false).await;
    let client = ScriptedTools::new()
        .with("ui_add", |_| Ok(true.into()))
        .with("calculator", |_| Ok(false.into()));
    let scope = ToolScope {
        client: Some(Arc::new(client)),
        ..house.scope()
    };
    let tools = house.tools.of(scope.clone());
    let asked = [
        "lib.math.Add",
        "lib_math_Add",
        "calculator",
        "workflow_workflow_daily",
        "ui_add",
        "workflow_daily",
        "nothing",
    ];
    let names: Vec<String> = asked.map(str::to_owned).to_vec();
    let found = tools.find(&names).await;
    let found: Vec<Option<&str>> = found
        .iter()
        .map(|t| t.as_ref().map(|t| t.spec.name.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            Some("lib_math_Add"),
            Some("lib_math_Add"),
            Some("calculator"),
            Some("workflow_workflow_daily"),
            Some("ui_add"),
            None,
            None
        ]
    );
    // The server's own calculator comes before the client's.
    let sum = house
        .call_in(scope.clone(), "calculator", json!({"expression": "1+1"}))
        .await;
    assert_eq!(sum.unwrap().get("result"), Some(&2i64.into()));
    assert_eq!(
        house.call_in(scope, "ui_add", json!({})).await,
        Ok(true.into())
    );
    assert_eq!(
        house.call("nothing", json!({})).await,
        Err("Unknown tool: nothing".into())
    );
}

#[tokio::test]
async fn arguments_are_checked_against_what_the_model_was_told() {
    let house = quiet();
    for (name, arguments, says) in [
        ("read_file", json!({}), "`path` is missing"),
        (
            "read_file",
            json!({"path": 1}),
            "path: expected string, got number",
        ),
        (
            "read_file",
            json!({"path": "a", "colour": 1}),
            "colour: is not known",
        ),
        (
            "get_job",
            json!({"job_id": ["x"]}),
            "job_id: expected string",
        ),
        (
            "ask_human",
            json!({"question": "q", "options": [1]}),
            "options[0]: expected string",
        ),
    ] {
        let fault = house.call(name, arguments).await.unwrap_err();
        assert!(
            fault.starts_with("invalid arguments: ") && fault.contains(says),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn files_are_written_read_by_lines_and_listed_in_the_workspace_only() {
    let house = quiet();
    house
        .call(
            "write_file",
            json!({"path": "sub/a.txt", "content": "1\n2\n3\n"}),
        )
        .await
        .unwrap();
    house
        .call(
            "write_file",
            json!({"path": "sub/a.txt", "content": "4", "append": true}),
        )
        .await
        .unwrap();
    let read = house
        .call(
            "read_file",
            json!({"path": "sub/a.txt", "start_line": 2, "end_line": 3}),
        )
        .await
        .unwrap();
    assert_eq!(read.get("content"), Some(&"2\n3\n".into()));
    assert_eq!(read.get("total_lines"), Some(&4i64.into()));
    let listed = house
        .call("list_directory", json!({"recursive": true}))
        .await
        .unwrap();
    let paths: Vec<&str> = listed
        .get("entries")
        .and_then(Value::as_list)
        .unwrap()
        .iter()
        .filter_map(|e| e.get("path").and_then(Value::as_str))
        .collect();
    assert_eq!(paths, ["sub", "sub/a.txt"]);
    std::fs::write(house.folder.path().join("workspace/bin"), [0xff, 0xfe]).unwrap();
    for (name, arguments, says) in [
        (
            "read_file",
            json!({"path": "../db"}),
            "inside the workspace",
        ),
        (
            "write_file",
            json!({"path": "/etc/x", "content": ""}),
            "inside the workspace",
        ),
        (
            "write_file",
            json!({"path": "sub", "content": ""}),
            "not a file",
        ),
        ("read_file", json!({"path": "sub"}), "not a file"),
        ("read_file", json!({"path": "bin"}), "no UTF-8 text"),
        (
            "read_file",
            json!({"path": "a", "start_line": 3, "end_line": 1}),
            "before start_line",
        ),
        ("list_directory", json!({"path": "none"}), "no folder"),
    ] {
        let fault = house.call(name, arguments).await.unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
    let nowhere = ToolScope::of(Caller::local());
    let fault = house
        .call_in(nowhere, "read_file", json!({"path": "a"}))
        .await
        .unwrap_err();
    assert!(fault.contains("no workspace"), "{fault}");
}

#[tokio::test]
async fn pages_become_markdown_and_requests_and_downloads_go_through_the_one_client() {
    let site = Site::new(
        "text/html; charset=utf-8",
        "<html><title> A  page </title><p>x</p></html>",
    );
    let house = house(site.clone());
    let page = house
        .call("browser", json!({"url": "https://x.example/"}))
        .await
        .unwrap();
    assert_eq!(page.get("title"), Some(&"A page".into()));
    assert_eq!(page.get("content"), Some(&"# 45".into()));
    let body = json!({"url": "https://x.example/", "method": "post", "body": {"a": 1}});
    let answer = house.call("http_request", body).await.unwrap();
    assert_eq!(answer.get("status"), Some(&200i64.into()));
    let sent = site.asked.lock().unwrap().pop().unwrap();
    assert_eq!(
        (sent.method.as_str(), sent.body.as_deref()),
        ("POST", Some(&br#"{"a":1}"#[..]))
    );
    assert!(
        sent.headers
            .contains(&("content-type".into(), "application/json".into()))
    );
    let got = house
        .call(
            "download_file",
            json!({"url": "https://x.example/f", "path": "f.html"}),
        )
        .await
        .unwrap();
    assert_eq!(got.get("size"), Some(&(site.body.len()).into()));
    let kept = std::fs::read(house.folder.path().join("workspace/f.html")).unwrap();
    assert_eq!(kept, site.body.as_bytes());
    let before = site.asked.lock().unwrap().len();
    let out = house
        .call(
            "download_file",
            json!({"url": "https://x.example/f", "path": "../f"}),
        )
        .await;
    assert!(out.unwrap_err().contains("inside the workspace"));
    assert_eq!(site.asked.lock().unwrap().len(), before);
    let odd = house
        .call(
            "http_request",
            json!({"url": "https://x.example/", "method": "A B"}),
        )
        .await;
    assert!(odd.unwrap_err().contains("method"));
}

#[tokio::test]
async fn scripts_have_the_workspace_but_no_secrets() {
    let house = quiet();
    let run = |code: &'static str| house.call("run_javascript", json!({"code": code}));
    run("workspace.write a.txt hello").await.unwrap();
    let read = run("workspace.read a.txt").await.unwrap();
    assert_eq!(read.get("result"), Some(&"hello".into()));
    let listed = run("workspace.list").await.unwrap();
    assert_eq!(listed.get("result"), Some(&Value::list(["a.txt".into()])));
    let fetched = run("fetch https://x.example/").await.unwrap();
    let status = fetched.get("result").and_then(|r| r.get("status").cloned());
    assert_eq!(status, Some(200i64.into()));
    let logged = run("log careful").await.unwrap();
    assert_eq!(logged.get("log"), Some(&Value::list(["careful".into()])));
    for (code, says) in [
        ("getSecret OPENAI_API_KEY", "secrets are not offered"),
        ("process.exit", "not offered"),
        ("workspace.read ../db", "inside the workspace"),
    ] {
        let fault = run(code).await.unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
}

#[tokio::test]
async fn searches_need_a_key_and_give_title_address_and_extract() {
    for (keys, body, host) in [
        (
            &["SERPAPI_API_KEY"][..],
            json!({"organic_results": [{"title": "T", "link": "https://t", "snippet": "S"}]}),
            "serpapi.com",
        ),
        (
            &["DATA_FOR_SEO_LOGIN", "DATA_FOR_SEO_PASSWORD"],
            json!({"tasks": [{"status_code": 20000, "result": [{"items": [
            {"type": "paid", "url": "https://ad"}, {"type": "organic", "title": "T", "url": "https://t", "description": "S"}]}]}]}),
            "api.dataforseo.com",
        ),
        (
            &["APIFY_API_KEY"],
            json!([{"organicResults": [{"title": "T", "url": "https://t", "description": "S"}]}]),
            "api.apify.com",
        ),
    ] {
        let site = Site::new("application/json", body.to_string());
        let house = house(site.clone());
        let none = house
            .call("google_search", json!({"query": "q"}))
            .await
            .unwrap_err();
        assert!(
            none.contains("SERPAPI_API_KEY") && none.contains("not configured"),
            "{none}"
        );
        assert!(site.asked.lock().unwrap().is_empty());
        for key in keys {
            let secret = NewSecret {
                key: (*key).into(),
                value: Sensitive::new("k3y"),
                description: None,
            };
            house.secrets.put(&Caller::local(), secret).await.unwrap();
        }
        let found = house
            .call("google_search", json!({"query": "a b"}))
            .await
            .unwrap();
        let want = json!([{"title": "T", "url": "https://t", "snippet": "S"}]);
        assert_eq!(found.get("results"), Some(&value(want)), "{host}");
        let asked = site.asked.lock().unwrap().pop().unwrap();
        assert!(
            asked.url.starts_with(&format!("https://{host}/")),
            "{}",
            asked.url
        );
    }
}

#[tokio::test]
async fn a_refused_search_says_why() {
    let site = Arc::new(Site {
        status: 401,
        kind: "application/json",
        body: r#"{"error":"Invalid key"}"#.into(),
        asked: Mutex::default(),
    });
    let house = house(site);
    let secret = NewSecret {
        key: "SERPAPI_API_KEY".into(),
        value: Sensitive::new("k3y"),
        description: None,
    };
    house.secrets.put(&Caller::local(), secret).await.unwrap();
    let fault = house
        .call("google_search", json!({"query": "q"}))
        .await
        .unwrap_err();
    assert_eq!(fault, "the search failed with status 401: Invalid key");
}

#[tokio::test]
async fn workflows_are_listed_checked_and_run_as_tools() {
    let house = quiet();
    let id = house.workflow("twice", false).await;
    let listed = house
        .call("list_workflows", json!({"query": "TWICE"}))
        .await
        .unwrap();
    let first = listed.get("workflows").and_then(Value::as_list).unwrap()[0].clone();
    assert_eq!(first.get("id"), Some(&id.as_str().into()));
    let whole = house
        .call("get_workflow", json!({"workflow_id": id}))
        .await
        .unwrap();
    assert!(whole.get("graph").and_then(|g| g.get("nodes")).is_some());
    let tool = house
        .tools
        .of(house.scope())
        .find(&["workflow_twice".into()])
        .await
        .pop()
        .flatten()
        .unwrap();
    assert!(tool.effects);
    assert_eq!(tool.spec.parameters.get("required"), Some(&Value::list([])));
    for (name, arguments) in [
        ("workflow_twice", json!({"text": "ab"})),
        (
            "run_workflow",
            json!({"workflow_id": id, "params": {"text": "ab"}}),
        ),
    ] {
        let said = house.call(name, arguments).await.unwrap();
        assert_eq!(said, value(json!({"said": "abab"})), "{name}");
    }
    assert_eq!(
        house.call("workflow_twice", json!({})).await.unwrap(),
        value(json!({"said": "hihi"}))
    );
    let fault = house
        .call("workflow_twice", json!({"text": 1}))
        .await
        .unwrap_err();
    assert!(fault.contains("text: expected string"), "{fault}");
    let ok = house
        .call("validate_workflow", json!({"workflow_id": id}))
        .await
        .unwrap();
    assert_eq!(ok.get("valid"), Some(&true.into()));
    let bad =
        json!({"graph": {"nodes": [{"id": "a", "type": "no.Such", "data": {}}], "edges": []}});
    let bad = house.call("validate_workflow", bad).await.unwrap();
    assert_eq!(bad.get("valid"), Some(&false.into()));
    let jobs = house.call("list_jobs", json!({})).await.unwrap();
    let jobs = jobs.get("jobs").and_then(Value::as_list).unwrap().to_vec();
    assert_eq!(jobs.len(), 3);
    let job = house
        .call(
            "get_job",
            json!({"job_id": jobs[0].get("id").unwrap().as_str().unwrap()}),
        )
        .await
        .unwrap();
    assert_eq!(job.get("status"), Some(&"completed".into()));
    let logs = house
        .call(
            "get_job_logs",
            json!({"job_id": jobs[0].get("id").unwrap().as_str().unwrap()}),
        )
        .await;
    assert!(logs.is_ok());
    for (name, arguments) in [
        ("get_job", json!({"job_id": "x"})),
        ("get_workflow", json!({"workflow_id": "x"})),
        ("run_workflow", json!({"workflow_id": "x"})),
    ] {
        assert!(
            house
                .call(name, arguments)
                .await
                .unwrap_err()
                .contains("there is no such")
        );
    }
}

#[tokio::test]
async fn a_workflow_is_not_run_inside_itself_nor_too_deep() {
    let house = quiet();
    let id = house.workflow("twice", false).await;
    let scope = ToolScope {
        inside: Arc::new([id.as_str().into()]),
        depth: 1,
        ..house.scope()
    };
    let fault = house
        .call_in(scope, "workflow_twice", json!({}))
        .await
        .unwrap_err();
    assert!(fault.contains("cannot run itself"), "{fault}");
    let scope = ToolScope {
        depth: MAX_DEPTH,
        ..house.scope()
    };
    let fault = house
        .call_in(scope, "workflow_twice", json!({}))
        .await
        .unwrap_err();
    assert!(fault.contains("more than 8 deep"), "{fault}");
}

#[tokio::test]
async fn others_see_neither_workflows_nor_jobs_of_a_user() {
    let house = quiet();
    let id = house.workflow("twice", false).await;
    let other = ToolScope::of(Caller::user("2"));
    for (name, arguments) in [
        ("run_workflow", json!({"workflow_id": id})),
        ("get_workflow", json!({"workflow_id": id})),
    ] {
        let fault = house
            .call_in(other.clone(), name, arguments)
            .await
            .unwrap_err();
        assert!(fault.contains("there is no such workflow"), "{fault}");
    }
    assert_eq!(
        house.call_in(other, "workflow_twice", json!({})).await,
        Err("Unknown tool: workflow_twice".into())
    );
}

#[tokio::test]
async fn a_run_that_waits_for_something_outside_is_told() {
    let house = quiet();
    house.workflow("waits", true).await;
    let fault = house.call("workflow_waits", json!({})).await.unwrap_err();
    assert!(fault.contains("waits for something outside"), "{fault}");
}

#[tokio::test]
async fn node_types_are_found_described_and_run() {
    let house = quiet();
    let found = house
        .call(
            "search_nodes",
            json!({"query": ["concat", "text"], "limit": 3}),
        )
        .await
        .unwrap();
    let first = found.get("nodes").and_then(Value::as_list).unwrap()[0].clone();
    assert_eq!(first.get("node_type"), Some(&"nodetool.text.Concat".into()));
    let info = house
        .call(
            "get_node_info",
            json!({"node_type": "nodetool.text.Concat"}),
        )
        .await
        .unwrap();
    assert!(
        info.get("properties")
            .and_then(Value::as_list)
            .is_some_and(|p| p.len() >= 2)
    );
    let listed = house
        .call(
            "list_nodes",
            json!({"namespace": "nodetool.text", "limit": 2}),
        )
        .await
        .unwrap();
    assert_eq!(
        listed
            .get("nodes")
            .and_then(Value::as_list)
            .map(<[Value]>::len),
        Some(2)
    );
    assert!(
        house
            .call("get_node_info", json!({"node_type": "x"}))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_node_type_that_may_be_a_tool_runs_with_the_arguments_as_its_properties() {
    let house = quiet();
    for name in ["lib_math_Add", "lib.math.Add"] {
        let sum = house.call(name, json!({"a": 2, "b": 3})).await;
        assert_eq!(sum, Ok(value(json!({"output": 5}))), "{name}");
    }
    let found = house
        .tools
        .of(house.scope())
        .find(&["lib.math.Add".into()])
        .await;
    let tool = found.into_iter().next().flatten().unwrap();
    assert!(!tool.effects);
    let a = tool
        .spec
        .parameters
        .get("properties")
        .and_then(|p| p.get("a").cloned());
    assert!(a.is_some_and(|a| a.get("default").is_some()));
    for (arguments, says) in [
        (json!({"a": "x"}), "a: "),
        (json!({"c": 1}), "c: is not known; expected only: a, b"),
    ] {
        let fault = house.call("lib_math_Add", arguments).await.unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
    // Not every type is offered to models.
    let fault = house
        .call("nodetool.output.Output", json!({}))
        .await
        .unwrap_err();
    assert!(fault.contains("Unknown tool"), "{fault}");
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_its_run() {
    let house = quiet();
    let graph = json!({"nodes": [{"id": "t", "type": "nodetool.triggers.IntervalTrigger",
        "data": {"interval_seconds": 3600, "emit_on_start": false}}], "edges": []});
    let save = SaveWorkflow {
        name: "Endless".into(),
        access: "private".into(),
        graph: Some(serde_json::from_value::<Graph>(graph).unwrap()),
        ..SaveWorkflow::default()
    };
    let id = house
        .workflows
        .create(&Caller::local(), save)
        .await
        .unwrap()
        .id;
    let jobs = &house.tools.0.jobs;
    let mut call = Box::pin(house.call("run_workflow", json!({"workflow_id": id})));
    while jobs.active(&Caller::local()).is_empty() {
        tokio::select! {
            biased;
            ended = &mut call => panic!("{ended:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(call);
    while !jobs.active(&Caller::local()).is_empty() {
        tokio::task::yield_now().await;
    }
    let listed = house.call("list_jobs", json!({})).await.unwrap();
    let job = listed.get("jobs").and_then(Value::as_list).unwrap()[0].clone();
    assert_eq!(job.get("status"), Some(&"cancelled".into()));
}

#[tokio::test]
async fn runs_get_the_tools_of_their_user_from_a_service_they_do_not_keep_alive() {
    let house = quiet();
    let weak = house.tools.downgrade();
    house.tools.0.jobs.offer_tools(&house.tools);
    assert!(weak.upgrade().is_some());
    let House {
        folder: _folder,
        tools,
        workflows,
        secrets,
    } = house;
    drop((tools, workflows, secrets));
    assert!(weak.upgrade().is_none());
}
