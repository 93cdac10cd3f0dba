//! Who is who: users of the file, API keys, tickets (HTTP spec 3.1 to 3.3, 3.6, 3.7, 6.13; conformance rows 74, 75).

use std::path::PathBuf;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Reply;
use super::local::with_headers;
use super::server::{TestServer, folder, program};

const OWNER: &str = "the-token-of-the-server";

/// A server for several users, and its users file.
struct Shared {
    server: TestServer,
    file: PathBuf,
    _folder: Arc<TempDir>,
}

impl Shared {
    fn start() -> Self {
        let folder = folder();
        let file = folder.path().join("users.yaml");
        let environment = [
            ("AUTH_PROVIDER", "multi_user"),
            ("USERS_FILE", file.to_str().unwrap()),
            ("SERVER_AUTH_TOKEN", OWNER),
        ];
        Shared {
            server: TestServer::start_in(&environment, &[]),
            file,
            _folder: folder,
        }
    }

    /// Runs `nodetool users` on the file; gives what it printed.
    fn users(&self, arguments: &[&str]) -> String {
        let run = program()
            .arg("users")
            .args(arguments)
            .env("USERS_FILE", &self.file)
            .output()
            .expect("the program runs");
        assert!(run.status.success(), "{run:?}");
        String::from_utf8(run.stdout).unwrap().trim_end().to_owned()
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Reply {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let request = with_headers(method, path, &headers, body);
        self.server.client().send(request).await
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, token, None).await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.send(Method::POST, path, token, Some(body)).await
    }

    async fn delete(&self, path: &str, token: &str) -> Reply {
        self.send(Method::DELETE, path, token, None).await
    }
}

#[tokio::test]
async fn case_74_users_are_shown_to_administrators_only() {
    let shared = Shared::start();
    let admin = shared.users(&["add", "ann", "--role", "admin"]);
    let user = shared.users(&["add", "bob"]);
    for path in ["/api/users", "/api/users/", "/api/users/bob"] {
        let refused = shared.get(path, &user).await;
        assert_eq!(refused.detail(403), "Admin access required", "{path}");
        let refused = shared.get(path, "nobody").await;
        assert_eq!(refused.detail(401), "Invalid bearer token", "{path}");
    }
    let users = shared.get("/api/users/", &admin).await.ok();
    assert_eq!(users, shared.get("/api/users", OWNER).await.ok());
    let users = users["users"].as_array().unwrap();
    assert_eq!(users.len(), 2);
    let hash = users[0]["token_hash"].as_str().unwrap();
    let digits = hash.strip_suffix("...").unwrap();
    assert!(
        digits.len() == 16 && digits.bytes().all(|c| c.is_ascii_hexdigit()),
        "{hash}"
    );
    let names: Vec<&String> = users[0].as_object().unwrap().keys().collect();
    let fields = ["username", "user_id", "role", "token_hash", "created_at"];
    assert!(fields.iter().all(|f| names.iter().any(|n| n == f)) && names.len() == 5);
    let one = shared.get("/api/users/ann", &admin).await.ok();
    assert_eq!(one, users[0]);
    let missing = shared.get("/api/users/eve", &admin).await;
    assert_eq!(missing.detail(404), "User 'eve' not found");
}

#[tokio::test]
async fn case_75_users_are_added_once_and_removed_once() {
    let shared = Shared::start();
    let bob = json!({ "username": "bob" });
    let made = shared.post("/api/users", OWNER, bob.clone()).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.ok();
    let token = made["token"].as_str().unwrap();
    let id = made["user_id"].as_str().unwrap();
    assert!(id.starts_with("user_bob_") && made["role"] == "user" && token.len() == 43);
    let again = shared.post("/api/users/", OWNER, bob.clone()).await;
    assert_eq!(again.detail(400), "User 'bob' already exists");
    for (body, word) in [
        (json!({ "username": "eve", "role": "king" }), "king"),
        (json!({ "username": "reset-token" }), "username"),
        (json!({ "username": "a b" }), "username"),
    ] {
        let told = shared.post("/api/users", OWNER, body).await.detail(400);
        assert!(told.contains(word), "{told}");
    }
    let extra = json!({ "username": "eve", "user_id": "1" });
    let refused = shared.post("/api/users", OWNER, extra).await;
    assert_eq!(
        refused.places(),
        [("extra_forbidden".into(), json!(["body", "user_id"]))]
    );
    // What is the user's is nobody else's.
    let workflow =
        json!({ "name": "W", "access": "private", "graph": { "nodes": [], "edges": [] } });
    let saved = shared.post("/api/workflows", token, workflow).await.ok();
    let path = format!("/api/workflows/{}", saved["id"].as_str().unwrap());
    assert_eq!(shared.get(&path, OWNER).await.status, 404);
    let reset = shared.post("/api/users/reset-token", OWNER, bob).await.ok();
    assert_eq!(reset["user_id"], made["user_id"]);
    let told = shared.get(&path, token).await.detail(401);
    assert_eq!(told, "Invalid bearer token");
    let token = reset["token"].as_str().unwrap();
    assert_eq!(shared.get(&path, token).await.status, 200);
    let removed = shared.delete("/api/users/bob", OWNER).await.ok();
    assert_eq!(
        removed,
        json!({ "message": "User 'bob' removed successfully" })
    );
    assert_eq!(shared.get(&path, token).await.status, 401);
    for reply in [
        shared.delete("/api/users/bob", OWNER).await,
        shared
            .post(
                "/api/users/reset-token",
                OWNER,
                json!({ "username": "bob" }),
            )
            .await,
    ] {
        assert_eq!(reply.detail(404), "User 'bob' not found");
    }
    let admin = json!({ "username": "ann", "role": "admin" });
    shared.post("/api/users", OWNER, admin).await.ok();
    let kept = shared.delete("/api/users/ann", OWNER).await.detail(400);
    assert!(kept.contains("last admin"), "{kept}");
}

#[tokio::test]
async fn nobody_gets_in_by_a_broken_users_file() {
    let shared = Shared::start();
    let token = shared.users(&["add", "ann", "--role", "admin"]);
    assert_eq!(shared.get("/api/workflows", &token).await.status, 200);
    let good = std::fs::read_to_string(&shared.file).unwrap();
    std::fs::write(&shared.file, good.replace("admin", "root")).unwrap();
    for path in ["/api/workflows", "/api/workflows"] {
        let told = shared.get(path, &token).await.detail(503);
        assert!(!told.contains("users.yaml"), "{told}");
    }
    assert_eq!(shared.get("/api/users", OWNER).await.status, 503);
    let place = format!("{}:6: ", shared.file.display());
    assert!(
        shared.server.log().contains(&place),
        "{}",
        shared.server.log()
    );
    std::fs::write(&shared.file, good).unwrap();
    assert_eq!(shared.get("/api/workflows", &token).await.status, 200);
}

#[tokio::test]
async fn an_api_key_speaks_for_its_user_and_administers_nothing() {
    let shared = Shared::start();
    let admin = shared.users(&["add", "ann", "--role", "admin"]);
    let user = shared.users(&["add", "bob"]);
    let body = json!({ "name": "nightly", "expires_in_days": 90 });
    let made = shared.post("/api/keys", &admin, body).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.ok();
    let key = made["token"].as_str().unwrap();
    assert!(key.starts_with("ntk_") && key.len() == 47, "{key}");
    assert_eq!(shared.get("/api/workflows", key).await.status, 200);
    let refused = shared.get("/api/users", key).await.detail(403);
    assert_eq!(refused, "Admin access required");
    let more = shared.post("/api/keys", key, json!({ "name": "x" })).await;
    assert!(more.detail(403).contains("own token"));
    let listed = shared.get("/api/keys", key).await.ok();
    let listed = &listed["keys"][0];
    assert_eq!(listed["name"], "nightly");
    assert!(key.starts_with(listed["prefix"].as_str().unwrap()));
    assert!(listed["last_used_at"].is_string() && listed["expires_at"].is_string());
    assert!(listed.get("token").is_none() && listed.get("hash").is_none());
    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
    let foreign = shared.delete(&path, &user).await.detail(404);
    assert_eq!(foreign, "API key not found");
    let none = shared.get("/api/keys", &user).await.ok();
    assert_eq!(none, json!({ "keys": [] }));
    assert_eq!(shared.delete(&path, key).await.status, 403);
    assert_eq!(shared.delete(&path, &admin).await.status, 204);
    let gone = shared.get("/api/workflows", key).await.detail(401);
    assert_eq!(gone, "Invalid API key");
    for (body, kind, field) in [
        (json!({}), "missing", "name"),
        (json!({ "name": " " }), "string_too_short", "name"),
        (
            json!({ "name": "x".repeat(101) }),
            "string_too_long",
            "name",
        ),
        (
            json!({ "name": "n", "expires_in_days": 0 }),
            "value_error",
            "expires_in_days",
        ),
        (
            json!({ "name": "n", "expires_in_days": 3651 }),
            "value_error",
            "expires_in_days",
        ),
        (
            json!({ "name": "n", "expires_in_days": "1" }),
            "int_type",
            "expires_in_days",
        ),
        (
            json!({ "name": "n", "user_id": "1" }),
            "extra_forbidden",
            "user_id",
        ),
    ] {
        let refused = shared.post("/api/keys", &user, body).await;
        assert_eq!(refused.places(), [(kind.into(), json!(["body", field]))]);
    }
    let log = shared.server.log();
    for secret in [key, &admin, &user, OWNER] {
        assert!(!log.contains(secret));
    }
}
