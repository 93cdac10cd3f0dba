//! Lists beyond the caller's own, and workflows of others (HTTP spec 2.6, 6.2, 6.3; conformance rows 24, 28).

use std::sync::Arc;

use nodetool_store::{Options, Store, WorkflowRow};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::graphs::{greeting, output};
use super::server::{TestServer, folder};

/// A row of another user than the one the server has.
fn foreign(id: &str, access: &str, at: i64) -> WorkflowRow {
    WorkflowRow {
        id: id.into(),
        user_id: "2".into(),
        name: format!("foreign {id}"),
        access: access.into(),
        graph: greeting().to_string().into(),
        created_at: at,
        updated_at: at,
        ..WorkflowRow::default()
    }
}

async fn server_with(rows: Vec<WorkflowRow>) -> TestServer {
    let folder: Arc<TempDir> = folder();
    let store = Store::open(&folder.path().join("nodetool.sqlite3"), Options::default()).unwrap();
    for row in rows {
        store.insert_workflow(row).await.unwrap();
    }
    store.close().await.unwrap();
    TestServer::start_over(folder, &[])
}

async fn save(client: &Client, name: &str, more: Value) -> String {
    let mut body = json!({ "name": name, "access": "private", "graph": greeting() });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let made = client.post("/api/workflows", &body).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    let rows = list["workflows"].as_array().unwrap().iter();
    rows.map(|w| w["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn case_24_a_workflow_of_another_user_is_there_once_it_is_public() {
    let rows = vec![
        foreign("closed", "private", 1),
        foreign("open", "public", 2),
    ];
    let server = server_with(rows).await;
    let client = server.client();
    let graph = greeting();
    let saved = json!({ "name": "mine", "access": "private", "graph": graph });
    for id in ["closed", "none"] {
        for path in [
            format!("/api/workflows/{id}"),
            format!("/workflows/{id}"),
            format!("/api/workflows/public/{id}"),
            format!("/api/workflows/{id}/versions"),
            format!("/api/workflows/{id}/versions/1"),
            format!("/api/workflows/{id}/app"),
            format!("/api/workflows/{id}/interface"),
            format!("/api/workflows/{id}/dsl-export"),
        ] {
            let told = client.get(&path).await.detail(404);
            assert_eq!(told, "Workflow not found", "{path}");
        }
    }
    for path in [
        "/api/workflows/open",
        "/api/workflows/public/open",
        "/workflows/open",
    ] {
        assert_eq!(
            client.get(path).await.ok()["name"],
            "foreign open",
            "{path}"
        );
    }
    let none = json!({ "next": null, "versions": [] });
    assert_eq!(client.get("/api/workflows/open/versions").await.ok(), none);
    // To read is not to change.
    for id in ["open", "closed"] {
        let path = format!("/api/workflows/{id}");
        for told in [
            client.put(&path, &saved).await,
            client.delete(&path).await,
            client.post(&format!("{path}/versions"), &json!({})).await,
            client.post(&format!("{path}/autosave"), &json!({})).await,
            client
                .post(&format!("{path}/versions/1/restore"), &json!({}))
                .await,
            client.delete(&format!("{path}/versions/x")).await,
        ] {
            assert_eq!(told.detail(404), "Workflow not found", "{id}");
        }
    }
    assert_eq!(
        client.get("/api/workflows").await.ok()["workflows"],
        json!([])
    );
    let open = client.get("/api/workflows/open").await.ok();
    assert_eq!(open["name"], "foreign open");
}

#[tokio::test]
async fn a_worker_tells_what_belongs_to_somebody_else() {
    let server = server_with(vec![foreign("theirs", "private", 1)]).await;
    let client = server.client();
    let body = json!({ "name": "W", "access": "private", "graph": greeting() });
    for told in [
        client.put("/workflows/theirs", &body).await,
        client.delete("/workflows/theirs").await,
    ] {
        assert_eq!(told.detail(403), "Workflow access denied");
    }
    assert_eq!(
        client.delete("/workflows/none").await.detail(404),
        "Workflow not found"
    );
    let mut connected = body.clone();
    connected["graph"]["nodes"][1]["data"]["value"] = json!("static");
    let made = client.put("/workflows/mine", &connected).await.ok();
    assert_eq!(made["id"], "mine");
    assert_eq!(made["graph"]["nodes"][1]["data"], json!({ "name": "out" }));
    assert_eq!(client.get("/api/workflows/mine").await.ok(), made);
    let bare = json!({ "name": "W", "access": "private" });
    assert_eq!(
        client.put("/workflows/mine", &bare).await.detail(400),
        "Invalid workflow"
    );
    assert_eq!(client.put("/workflows/a%20b", &body).await.status, 422);
    let gone = client.delete("/workflows/mine/").await.ok();
    assert_eq!(
        gone,
        json!({ "status": "ok", "message": "Workflow mine deleted" })
    );
    assert_eq!(client.get("/workflows/mine").await.status, 404);
}

#[tokio::test]
async fn public_workflows_of_all_users_come_in_exact_pages() {
    let mut rows: Vec<WorkflowRow> = (0..4)
        .map(|at| foreign(&format!("p{at}"), "public", at))
        .collect();
    rows.push(foreign("closed", "private", 9));
    let server = server_with(rows).await;
    let client = server.client();
    save(&client, "mine", json!({ "access": "public" })).await;
    save(&client, "hidden", json!({})).await;
    let first = client.get("/api/workflows/public?limit=2").await.ok();
    assert_eq!(names(&first), ["mine", "foreign p3"]);
    save(&client, "later", json!({ "access": "public" })).await;
    let next = first["next"].as_str().unwrap();
    let second = client
        .get(&format!("/api/workflows/public?limit=2&cursor={next}"))
        .await
        .ok();
    assert_eq!(names(&second), ["foreign p2", "foreign p1"]);
    let next = second["next"].as_str().unwrap();
    let third = client
        .get(&format!("/api/workflows/public/?limit=2&cursor={next}"))
        .await
        .ok();
    assert_eq!(
        (names(&third), &third["next"]),
        (vec!["foreign p0"], &json!(""))
    );
    let cut = client
        .get("/api/workflows/public?columns=id&limit=1")
        .await
        .ok();
    assert_eq!(cut["workflows"][0].as_object().unwrap().len(), 1);
    assert_eq!(
        client.get("/api/workflows/public?columns=x").await.status,
        400
    );
    let refused = client.get("/api/workflows/public?cursor=x").await;
    assert_eq!(
        refused.places(),
        [("value_error".into(), json!(["query", "cursor"]))]
    );
}

#[tokio::test]
async fn tools_fill_their_pages() {
    let server = TestServer::start();
    let client = server.client();
    let tool = |name: &str| json!({ "run_mode": "tool", "tool_name": name, "description": "d" });
    for i in 0..3 {
        save(&client, &format!("tool {i}"), tool(&format!("t{i}"))).await;
        for more in [
            json!({}),
            json!({ "run_mode": "tool" }),
            json!({ "tool_name": "x" }),
        ] {
            save(&client, "none", more).await;
        }
    }
    let first = client.get("/api/workflows/tools?limit=2").await.ok();
    let entry = |i: usize| json!({ "name": format!("tool {i}"), "tool_name": format!("t{i}"), "description": "d" });
    assert_eq!(first["workflows"], json!([entry(2), entry(1)]));
    let next = first["next"].as_str().unwrap();
    let second = client
        .get(&format!("/api/workflows/tools?limit=2&cursor={next}"))
        .await
        .ok();
    assert_eq!(second, json!({ "next": null, "workflows": [entry(0)] }));
}

#[tokio::test]
async fn case_28_every_workflow_is_listed_once_while_others_are_saved() {
    let server = TestServer::start();
    let (client, writer) = (server.client(), server.client());
    let mut wanted = Vec::new();
    for i in 0..30 {
        wanted.push(save(&client, &format!("old {i}"), json!({})).await);
    }
    wanted.reverse();
    let paging = async {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/workflows?limit=3&columns=id,name&cursor={cursor}");
            let page = client.get(&path).await.ok();
            let rows = page["workflows"].as_array().unwrap().iter();
            let old = rows.filter(|w| w["name"].as_str().unwrap().starts_with("old"));
            seen.extend(old.map(|w| w["id"].as_str().unwrap().to_owned()));
            cursor = page["next"].as_str().unwrap().to_owned();
            if cursor.is_empty() {
                break seen;
            }
        }
    };
    let writing = async {
        for i in 0..60 {
            save(&writer, &format!("new {i}"), json!({})).await;
        }
    };
    let (seen, ()) = tokio::join!(paging, writing);
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn workflows_stored_without_schemas_get_them_when_they_are_read() {
    let mut row = foreign("old", "public", 1);
    row.user_id = "1".into();
    row.html_app = Some("x".into());
    let server = server_with(vec![row.clone()]).await;
    let client = server.client();
    let listed = client.get("/api/workflows").await.ok();
    let schema = &listed["workflows"][0]["input_schema"];
    assert_eq!(schema["required"], json!(["name"]));
    let (status, _, folder) = {
        server.terminate();
        server.ended().await
    };
    assert!(status.success());
    let store = Store::open(&folder.path().join("nodetool.sqlite3"), Options::default()).unwrap();
    let kept = store.get_workflow("old").await.unwrap().unwrap();
    store.close().await.unwrap();
    let text = kept.input_schema.clone().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), *schema);
    assert_eq!(kept.etag(), row.etag(), "a client's etag stays good");
    let again = TestServer::start_over(folder, &[]);
    assert_eq!(again.client().get("/api/workflows").await.ok(), listed);
}

#[tokio::test]
async fn columns_bring_what_is_asked_for_and_nothing_else() {
    let server = TestServer::start();
    let client = server.client();
    let more =
        json!({ "settings": { "a": 1 }, "thumbnail": "t.png", "tags": ["x"], "run_mode": "chat" });
    let id = save(&client, "one", more).await;
    let full = client.get(&format!("/api/workflows/{id}")).await.ok();
    assert_eq!(full["thumbnail_url"], "/api/storage/t.png");
    let columns = "id name description thumbnail thumbnail_url access created_at updated_at tags graph settings run_mode";
    for column in columns.split(' ') {
        let list = client
            .get(&format!("/api/workflows?columns={column}"))
            .await
            .ok();
        assert_eq!(list["workflows"][0], json!({ column: full[column] }));
    }
    let all = columns.replace(' ', ",");
    let list = client
        .get(&format!("/api/workflows?columns={all}"))
        .await
        .ok();
    assert_eq!(list["workflows"][0].as_object().unwrap().len(), 12);
}

#[tokio::test]
async fn the_interface_of_a_workflow_is_its_schemas() {
    let server = TestServer::start();
    let client = server.client();
    let id = client
        .save(&json!({ "nodes": [output()], "edges": [] }))
        .await;
    let full = client.get(&format!("/api/workflows/{id}")).await.ok();
    let path = format!("/api/workflows/{id}/interface");
    let expected = json!({
        "version": 1, "workflow_id": id,
        "input_schema": full["input_schema"], "output_schema": full["output_schema"],
    });
    for query in ["", "?version=1"] {
        assert_eq!(client.get(&format!("{path}{query}")).await.ok(), expected);
    }
    for (query, kind) in [
        ("?version=2", "literal_error"),
        ("?version=x", "int_parsing"),
    ] {
        let refused = client.get(&format!("{path}{query}")).await;
        assert_eq!(
            refused.places(),
            [(kind.into(), json!(["query", "version"]))]
        );
    }
}
