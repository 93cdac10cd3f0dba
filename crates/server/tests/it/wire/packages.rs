//! Packages of nodes (HTTP spec 6.23).

use serde_json::{Value, json};

use super::server::TestServer;

#[tokio::test]
async fn the_built_in_package_is_the_only_one() {
    let server = TestServer::start();
    let client = server.client();
    let installed = client.get("/api/packages/installed").await.ok();
    assert_eq!(client.get("/api/packages/available").await.ok(), installed);
    assert_eq!(
        (&installed["count"], &installed["packages"][0]["name"]),
        (&json!(1), &json!("nodetool"))
    );
    let spaces = installed["packages"][0]["namespaces"].as_array().unwrap();
    assert!(spaces.contains(&json!("nodetool.input")), "{spaces:?}");
}

#[tokio::test]
async fn nodes_are_searched_by_words() {
    let server = TestServer::start();
    let client = server.client();
    let all = client.get("/api/packages/nodes/all").await.ok();
    let known = client.get("/api/nodes/metadata").await.ok();
    assert_eq!(all["nodes"], known);
    assert_eq!(client.get("/api/packages/nodes/search").await.ok(), all);
    let found = client
        .get("/api/packages/nodes/search?query=STRING%20input")
        .await
        .ok();
    let types: Vec<_> = found["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| &n["node_type"])
        .collect();
    assert!(
        types.contains(&&json!("nodetool.input.StringInput")),
        "{types:?}"
    );
    assert!(types.len() < known.as_array().unwrap().len());
    assert_eq!(found["count"], types.len());
    let nothing = client
        .get("/api/packages/nodes/search?query=zzqqxx")
        .await
        .ok();
    assert_eq!(nothing, json!({ "nodes": [], "count": 0 }));
}

#[tokio::test]
async fn the_package_of_a_node_type_is_told() {
    let server = TestServer::start();
    let client = server.client();
    let path = "/api/packages/nodes/package?node_type=";
    let known = client
        .get(&format!("{path}nodetool.input.StringInput"))
        .await
        .ok();
    assert_eq!(
        (&known["package"], &known["found"]),
        (&json!("nodetool"), &json!(true))
    );
    let unknown = client.get(&format!("{path}none")).await.ok();
    assert_eq!(
        unknown,
        json!({ "node_type": "none", "package": Value::Null, "found": false })
    );
    let missing = client.get("/api/packages/nodes/package").await.places();
    assert_eq!(missing, [("missing".into(), json!(["query", "node_type"]))]);
}

#[tokio::test]
async fn packages_cannot_be_changed() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/api/packages/install", "/api/packages/update"] {
        let told = client
            .post(path, &json!({ "repo_id": "owner/project" }))
            .await
            .detail(501);
        assert!(told.contains("built into"), "{told}");
        for bad in ["project", "a/b/c", "/b", "a b/c"] {
            let told = client
                .post(path, &json!({ "repo_id": bad }))
                .await
                .detail(400);
            assert!(told.contains("owner/project"), "{bad}");
        }
        let missing = client.post(path, &json!({})).await.places();
        assert_eq!(missing, [("missing".into(), json!(["body", "repo_id"]))]);
    }
    assert!(
        client
            .delete("/api/packages/owner/project")
            .await
            .detail(501)
            .contains("built into")
    );
}

#[tokio::test]
async fn the_description_spells_paths_as_descriptions_do_and_names_every_operation_once() {
    let server = TestServer::start();
    let description = server.client().get("/openapi.json").await.ok();
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.keys().all(|path| !path.contains("{*")));
    assert!(paths.contains_key("/api/files/download/{path}"));
    let operations = paths
        .values()
        .flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<_> = operations
        .filter_map(|o| o["operationId"].as_str())
        .collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
