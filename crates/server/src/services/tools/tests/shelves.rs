//! Tools over what the server keeps: assets, models, collections, stored files, examples; and the person who is asked.

use super::*;

#[tokio::test]
async fn texts_are_saved_found_and_read_as_assets() {
    let house = quiet();
    let saved = house
        .call(
            "save_text_asset",
            json!({"name": "note.md", "content": "# hi", "content_type": "text/markdown"}),
        )
        .await
        .unwrap();
    let id = saved
        .get("asset_id")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    let read = house
        .call("read_asset", json!({"asset_id": id}))
        .await
        .unwrap();
    assert_eq!(read.get("content"), Some(&"# hi".into()));
    for arguments in [
        json!({}),
        json!({"query": "note"}),
        json!({"content_type": "text/"}),
    ] {
        let listed = house.call("list_assets", arguments).await.unwrap();
        let first = listed.get("assets").and_then(Value::as_list).unwrap()[0].clone();
        assert_eq!(first.get("name"), Some(&"note.md".into()));
    }
    let one = house
        .call("get_asset", json!({"asset_id": id}))
        .await
        .unwrap();
    assert_eq!(one.get("content_type"), Some(&"text/markdown".into()));
    let other = house
        .call_in(
            ToolScope::of(Caller::user("2")),
            "read_asset",
            json!({"asset_id": id}),
        )
        .await;
    assert!(other.unwrap_err().contains("no such asset"));
}

#[tokio::test]
async fn models_and_collections_come_from_their_services() {
    let house = quiet();
    let models = house
        .call(
            "query_models",
            json!({"kind": "language", "query": "LARGE"}),
        )
        .await
        .unwrap();
    assert_eq!(models.get("total"), Some(&1i64.into()));
    let listed = house.call("list_collections", json!({})).await.unwrap();
    assert!(
        listed
            .get("collections")
            .and_then(Value::as_list)
            .is_some_and(|c| c.len() == 1)
    );
    let found = house
        .call(
            "query_collection",
            json!({"collection": "notes", "query": "x"}),
        )
        .await
        .unwrap();
    let documents = found.get("documents").and_then(Value::as_list).unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0].get("truncated"), Some(&true.into()));
    let fault = house
        .call(
            "query_collection",
            json!({"collection": "none", "query": "x"}),
        )
        .await;
    assert!(fault.unwrap_err().contains("no collection"));
}

struct Yes;

impl Human for Yes {
    fn ask<'a>(&'a self, question: HumanQuestion) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            Ok(format!(
                "{} of {}",
                question.question,
                question.options.len()
            ))
        })
    }
}

#[tokio::test]
async fn a_person_is_asked_where_there_is_one() {
    let house = quiet();
    let arguments = json!({"question": "Which?", "options": ["a", "b"]});
    let fault = house
        .call("ask_human", arguments.clone())
        .await
        .unwrap_err();
    assert!(fault.contains("nobody is there"), "{fault}");
    let scope = ToolScope {
        human: Some(Arc::new(Yes)),
        ..house.scope()
    };
    let answer = house.call_in(scope, "ask_human", arguments).await.unwrap();
    assert_eq!(answer.get("answer"), Some(&"Which? of 2".into()));
}

#[tokio::test]
async fn an_agent_is_a_tool_that_is_not_given_itself() {
    let house = quiet();
    let done = house.call("run_agent", json!({"objective": "Tea"})).await;
    let done = done.unwrap();
    assert_eq!(done.get("status"), Some(&"completed".into()));
    assert_eq!(done.get("result"), Some(&"all done".into()));
    for (arguments, fault) in [
        (json!({"objective": " "}), "objective"),
        (json!({"objective": "x", "tools": ["nothing"]}), "`nothing`"),
        (
            json!({"objective": "x", "tools": ["run_agent"]}),
            "run_agent",
        ),
        (
            json!({"objective": "x", "tools": vec!["calculator"; 65]}),
            "at most 64",
        ),
    ] {
        let refused = house.call("run_agent", arguments).await.unwrap_err();
        assert!(refused.contains(fault), "{refused}");
    }
    let scope = ToolScope {
        depth: MAX_DEPTH,
        ..house.scope()
    };
    let refused = house.call_in(scope, "run_agent", json!({"objective": "x"}));
    assert!(refused.await.unwrap_err().contains("deep"));
}

#[tokio::test]
async fn graphs_are_drawn_and_examples_shown() {
    let house = quiet();
    let graph = json!({"nodes": [{"id": "a", "type": "x.Y", "data": {}}], "edges": []});
    let drawn = house
        .call("generate_dot_graph", json!({ "graph": graph }))
        .await;
    let drawn = drawn.unwrap();
    assert!(drawn.as_str().unwrap().contains("\"a\" [label=\"x.Y\"]"));
    let neither = house.call("generate_dot_graph", json!({})).await;
    assert!(neither.unwrap_err().contains("workflow_id or graph"));
    let unknown = json!({"example_name": "no such thing"});
    let told = house
        .call("get_example_workflow", unknown)
        .await
        .unwrap_err();
    let name = told
        .split("there are: ")
        .nth(1)
        .unwrap()
        .split(", ")
        .next()
        .unwrap();
    let found = house.call("get_example_workflow", json!({ "example_name": name }));
    let found = found.await.unwrap();
    assert_eq!(found.get("name"), Some(&name.into()));
    assert!(found.get("graph").and_then(|g| g.get("nodes")).is_some());
}

#[tokio::test]
async fn stored_files_are_listed_described_and_given() {
    let house = quiet();
    let saved = json!({"name": "a.txt", "content": "hello"});
    house.call("save_text_asset", saved).await.unwrap();
    let listed = house.call("list_storage_files", json!({})).await.unwrap();
    let files = listed.get("files").and_then(Value::as_list).unwrap();
    assert_eq!(files.len(), 1);
    let key = files[0].get("key").and_then(Value::as_str).unwrap();
    let about = house.call("get_file_metadata", json!({ "key": key })).await;
    assert_eq!(about.unwrap().get("size"), Some(&5i64.into()));
    let given = house
        .call("download_file_from_storage", json!({ "key": key }))
        .await;
    let given = given.unwrap();
    assert_eq!(given.get("content"), Some(&"hello".into()));
    assert_eq!(given.get("encoding"), Some(&"text".into()));
    // Files of no asset are the server's, and those of others theirs, even for who administers.
    for (key, temporary) in [
        ("server.txt", false),
        (key, true),
        ("../x", false),
        ("", false),
    ] {
        let arguments = json!({ "key": key, "temporary": temporary });
        let refused = house
            .call("get_file_metadata", arguments)
            .await
            .unwrap_err();
        assert!(refused.starts_with("key: "), "{refused}");
    }
}

#[tokio::test]
async fn models_of_the_hub_are_told_of_only_where_the_server_looks_after_them() {
    let house = quiet();
    for name in [
        "get_hf_cache_info",
        "inspect_hf_cached_model",
        "query_hf_model_files",
        "search_hf_hub_models",
        "get_hf_model_info",
    ] {
        let arguments = match name {
            "get_hf_cache_info" => json!({}),
            "search_hf_hub_models" => json!({"query": "x"}),
            _ => json!({"repo_id": "o/m"}),
        };
        let refused = house.call(name, arguments).await.unwrap_err();
        assert!(refused.contains("does not look after"), "{name}: {refused}");
    }
    let bad = house
        .call("get_hf_model_info", json!({"repo_id": "../x"}))
        .await;
    assert!(bad.unwrap_err().starts_with("repo_id: "));
}

#[tokio::test]
async fn a_collection_is_counted_and_its_documents_given() {
    let house = quiet();
    let about = house
        .call("get_collection", json!({"collection": "notes"}))
        .await;
    assert_eq!(about.unwrap().get("count"), Some(&0i64.into()));
    let name = "get_documents_from_collection";
    let all = house
        .call(name, json!({"collection": "notes"}))
        .await
        .unwrap();
    assert_eq!(all.get("documents"), Some(&Value::list([])));
    let many = json!({"collection": "notes", "ids": ["a", "b"], "limit": 1});
    let refused = house.call(name, many).await.unwrap_err();
    assert!(refused.starts_with("ids: "), "{refused}");
}
