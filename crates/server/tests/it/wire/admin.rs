//! What administration does at the wire: rows carried over, assets of all users (HTTP spec 6.19).

use serde_json::{Value, json};

use super::graphs::greeting;
use super::server::TestServer;

const ID: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn health_of_a_deployed_server_tells_its_version() {
    let server = TestServer::start();
    let health = server.client().get("/admin/health/").await.ok();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["timestamp"].as_str().unwrap().ends_with("+00:00"));
}

#[tokio::test]
async fn a_workflow_row_is_carried_over_times_and_all() {
    let server = TestServer::start();
    let client = server.client();
    let row = json!({
        "id": "w1", "user_id": "1", "name": "carried", "access": "public", "graph": greeting(), "tags": ["a"],
        "settings": { "x": 1 }, "created_at": "2024-05-06T07:08:09.000010+02:00", "updated_at": "2024-05-06 07:08:09",
        "receive_clipboard": true, "run_mode": "chat",
    });
    let saved = client.post("/admin/db/workflows/save", &row).await.ok();
    assert_eq!(saved, json!({ "status": "ok" }));
    let got = client.get("/admin/db/workflows/w1").await.ok();
    assert_eq!(got["created_at"], "2024-05-06T05:08:09.000010+00:00");
    assert_eq!(got["updated_at"], "2024-05-06T07:08:09.000000+00:00");
    for key in [
        "id",
        "user_id",
        "name",
        "access",
        "tags",
        "settings",
        "receive_clipboard",
        "run_mode",
    ] {
        assert_eq!(got[key], row[key], "{key}");
    }
    assert_eq!(got["input_schema"]["required"], json!(["name"]));
    // What was read can be saved as it is, and every save changes the etag.
    let path = "/api/workflows/w1";
    let etag = client.get(path).await.ok()["etag"].clone();
    assert_eq!(
        client.post("/admin/db/workflows/save", &got).await.status,
        200
    );
    let again = client.get(path).await.ok();
    assert_eq!(again["graph"], got["graph"]);
    assert_ne!(again["etag"], etag);
    assert_eq!(client.run("w1", json!({ "name": "you" })).await.status, 200);
    let mut taken = row.clone();
    taken["user_id"] = json!("2");
    assert_eq!(
        client.post("/admin/db/workflows/save", &taken).await.status,
        409
    );
    assert_eq!(
        client.delete("/admin/db/workflows/w1").await.ok(),
        json!({ "status": "ok" })
    );
    for told in [
        client.get("/admin/db/workflows/w1").await,
        client.delete("/admin/db/workflows/w1").await,
        client.get("/admin/db/secrets/1").await,
        client.delete("/admin/db/secrets/1").await,
        client.post("/admin/db/secrets/save", &row).await,
    ] {
        assert_eq!(told.detail(404), "Not found");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_are_refused_field_by_field() {
    let server = TestServer::start();
    let client = server.client();
    let refused = async |table: &str, change: Value| {
        let mut row =
            json!({ "id": ID, "name": "n", "content_type": "text/plain", "graph": greeting() });
        for (key, value) in change.as_object().unwrap() {
            row[key] = value.clone();
        }
        let told = client.post(&format!("/admin/db/{table}/save"), &row).await;
        told.places()[0].1.clone()
    };
    for (table, change, field) in [
        (
            "workflows",
            json!({ "created_at": "yesterday" }),
            "created_at",
        ),
        ("workflows", json!({ "id": "a b" }), "id"),
        ("workflows", json!({ "access": "all" }), "access"),
        ("workflows", json!({ "name": null }), "name"),
        ("assets", json!({ "id": "../x" }), "id"),
        ("assets", json!({ "file_id": "other.txt" }), "file_id"),
        (
            "assets",
            json!({ "file_id": format!("{ID}./../x") }),
            "file_id",
        ),
        ("assets", json!({ "parent_id": "none" }), "parent_id"),
        ("assets", json!({ "size": -1 }), "size"),
        ("assets", json!({ "duration": "long" }), "duration"),
        (
            "assets",
            json!({ "content_type": "no type" }),
            "content_type",
        ),
    ] {
        assert_eq!(refused(table, change).await, json!(["body", field]));
    }
}

#[tokio::test]
async fn an_asset_row_comes_first_and_its_contents_follow() {
    let server = TestServer::start();
    let client = server.client();
    let row = json!({
        "id": ID, "user_id": "2", "name": "a.txt", "content_type": "text/plain", "size": 3, "metadata": { "k": 1 },
        "updated_at": "2024-05-06T07:08:09Z",
    });
    assert_eq!(client.post("/admin/db/assets/save", &row).await.status, 200);
    let got = client.get(&format!("/admin/db/assets/{ID}")).await.ok();
    assert_eq!(got["file_id"], format!("{ID}.txt"));
    assert_eq!(
        (&got["parent_id"], &got["metadata"]),
        (&json!("2"), &json!({ "k": 1 }))
    );
    assert_eq!(client.post("/admin/db/assets/save", &got).await.status, 200);
    let contents = format!("/admin/storage/assets/{ID}.txt");
    let put = client
        .send(
            super::client::request(hyper::Method::PUT, &contents)
                .body(http_body_util::Full::new("hello".into()))
                .unwrap(),
        )
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(&client.get(&contents).await.body[..], b"hello");
    // Of another user: the one who asks does not own it.
    assert_eq!(
        client.get(&format!("/api/storage/{ID}.txt")).await.status,
        404
    );
    assert_eq!(client.get(&format!("/storage/{ID}.txt")).await.status, 404);
    let seen = client.get(&format!("/admin/assets/{ID}")).await.ok();
    assert_eq!((&seen["size"], &seen["user_id"]), (&json!(5), &json!("2")));
    let refused = client.delete(&format!("/admin/assets/{ID}")).await;
    assert_eq!(refused.detail(403), "Asset access denied");
    let list = client.get("/admin/assets?user_id=2").await.ok();
    assert_eq!(list["assets"][0]["id"], ID);
    assert_eq!(
        client
            .delete(&format!("/admin/db/assets/{ID}"))
            .await
            .status,
        200
    );
    assert_eq!(client.get(&contents).await.status, 404);
    let missing = client.get(&format!("/admin/assets/{ID}")).await;
    assert_eq!(missing.detail(404), "Asset not found");
}

#[tokio::test]
async fn assets_of_any_user_are_made_and_listed() {
    let server = TestServer::start();
    let client = server.client();
    let folder = json!({ "name": "F", "content_type": "folder", "user_id": "2" });
    let folder = client.post("/admin/assets", &folder).await.ok();
    let picture = json!({
        "id": ID, "name": "p", "content_type": "image/png", "user_id": "2", "parent_id": folder["id"],
        "metadata": { "k": 1 },
    });
    let made = client.post("/admin/assets", &picture).await.ok();
    assert_eq!(
        (&made["id"], &made["metadata"]),
        (&json!(ID), &json!({ "k": 1 }))
    );
    assert_eq!(client.post("/admin/assets", &picture).await.status, 409);
    let mut foreign = picture.clone();
    foreign["id"] = json!("1".repeat(32));
    foreign["user_id"] = json!("3");
    let refused = client.post("/admin/assets", &foreign).await;
    assert_eq!(refused.places()[0].1, json!(["body", "parent_id"]));
    let list = client
        .get(&format!(
            "/admin/assets?user_id=2&parent_id={}",
            folder["id"].as_str().unwrap()
        ))
        .await
        .ok();
    let listed = &list["assets"][0];
    assert_eq!(listed["thumb_url"], format!("/api/storage/{ID}_thumb.jpg"));
    for absent in ["node_id", "job_id", "etag"] {
        assert!(listed.get(absent).is_none(), "{absent}");
    }
    assert_eq!(client.get("/admin/assets").await.ok()["assets"], json!([]));
    let root = client.get("/admin/assets/2?user_id=2").await.ok();
    assert_eq!(
        (&root["name"], &root["content_type"]),
        (&json!("Home"), &json!("folder"))
    );
    let own = json!({ "name": "mine", "content_type": "text/plain" });
    let own = client.post("/admin/assets", &own).await.ok();
    let path = format!("/admin/assets/{}", own["id"].as_str().unwrap());
    assert_eq!(
        client.delete(&path).await.ok(),
        json!({ "deleted_asset_ids": [own["id"]] })
    );
    assert_eq!(client.delete(&path).await.detail(404), "Asset not found");
}
