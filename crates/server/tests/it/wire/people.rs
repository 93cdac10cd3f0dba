//! People who sign in with a name and a password (orchestrator spec 3.10; cases 65 and 66).

use hyper::Method;
use serde_json::{Value, json};

use super::client::Reply;
use super::local::with_headers;
use super::server::TestServer;

const OWNER: &str = "the-token-of-the-server";

/// A server that asks for tokens and lets people register.
fn guarded(registration: &str) -> TestServer {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", OWNER),
        ("NODETOOL_REGISTRATION", registration),
    ];
    TestServer::start_in(&environment, &[])
}

async fn send(
    server: &TestServer,
    method: Method,
    path: &str,
    header: Option<(&str, &str)>,
    body: Option<Value>,
) -> Reply {
    let mut headers: Vec<(&str, &str)> = header.into_iter().collect();
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = body.map(|b| b.to_string()).unwrap_or_default();
    let request = with_headers(method, path, &headers, body);
    server.client().send(request).await
}

async fn post(server: &TestServer, path: &str, body: Value) -> Reply {
    send(server, Method::POST, path, None, Some(body)).await
}

async fn as_bearer(
    server: &TestServer,
    method: Method,
    path: &str,
    token: &str,
    body: Option<Value>,
) -> Reply {
    let bearer = format!("Bearer {token}");
    send(server, method, path, Some(("authorization", &bearer)), body).await
}

fn person(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.org"), "first_name": "A", "last_name": "L",
        "password": "analytical-engine", "password_confirm": "analytical-engine"})
}

#[tokio::test]
async fn case_65_tokens_are_renewed_once() {
    let server = guarded("true");
    let made = post(&server, "/api/auth/register/", person("ada")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert_eq!(
        made["user"],
        json!({"id": 2, "username": "ada", "email": "ada@example.org",
        "first_name": "A", "last_name": "L"})
    );
    let words = json!({"username": "ada", "password": "analytical-engine"});
    let signed = post(&server, "/api/auth/login/", words).await;
    assert_eq!(signed.status, 200, "{signed:?}");
    let signed = signed.json();
    let access = signed["access"].as_str().unwrap().to_owned();
    let me = as_bearer(&server, Method::GET, "/api/auth/me/", &access, None).await;
    assert_eq!(
        (me.status, me.json()["username"].clone()),
        (200, json!("ada"))
    );
    let token = json!({"refresh": signed["refresh"]});
    let first = post(&server, "/api/auth/refresh/", token.clone()).await;
    assert_eq!(first.status, 200);
    let second = post(&server, "/api/auth/refresh/", token).await;
    assert_eq!(second.status, 401);
    assert_eq!(second.json()["error"], "Token is blacklisted");
    assert_eq!(second.header("www-authenticate"), "Bearer realm=\"api\"");
    let none = post(&server, "/api/auth/refresh/", json!({"refresh": "x.y.z"})).await;
    assert_eq!(
        (none.status, none.json()["error"].clone()),
        (401, json!("Token is invalid"))
    );
    let last = json!({"refresh": first.json()["refresh"]});
    let out = as_bearer(
        &server,
        Method::POST,
        "/api/auth/logout/",
        &access,
        Some(last.clone()),
    )
    .await;
    assert_eq!(
        (out.status, out.json()),
        (200, json!({"message": "Logout successful"}))
    );
    assert_eq!(post(&server, "/api/auth/refresh/", last).await.status, 401);
}

#[tokio::test]
async fn registrations_and_logins_with_faults_are_told_why() {
    let server = guarded("true");
    let new = json!({"username": "a b", "email": "nowhere", "password": "12345", "password_confirm": "1"});
    let refused = post(&server, "/api/auth/register/", new).await;
    assert_eq!(refused.status, 400);
    let body = refused.json();
    for field in ["username", "email", "password", "password_confirm"] {
        assert!(body[field][0].is_string(), "{field}: {body}");
    }
    assert_eq!(body["code"], "INVALID_REQUEST");
    assert_eq!(
        post(&server, "/api/auth/register/", person("ada"))
            .await
            .status,
        201
    );
    let twice = post(&server, "/api/auth/register/", person("ada")).await;
    assert_eq!(
        twice.json()["username"],
        json!(["A user with that username already exists."])
    );
    let nothing = post(&server, "/api/auth/login/", json!({"username": "ada"})).await;
    assert_eq!(nothing.status, 400);
    assert_eq!(
        nothing.json()["error"],
        "Username and password are required"
    );
    for name in ["ada", "bob"] {
        let wrong = json!({"username": name, "password": "difference-engine"});
        let wrong = post(&server, "/api/auth/login/", wrong).await;
        assert_eq!(
            (wrong.status, wrong.json()["error"].clone()),
            (401, json!("Invalid credentials"))
        );
    }
    let closed = guarded("false");
    let refused = post(&closed, "/api/auth/register/", person("ada")).await;
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (403, json!("FORBIDDEN"))
    );
}

#[tokio::test]
async fn case_66_keys_of_people_come_in_by_both_headers_and_manage_no_keys() {
    let server = guarded("true");
    let made = post(&server, "/api/auth/register/", person("ada"))
        .await
        .json();
    let access = made["access"].as_str().unwrap();
    let key = as_bearer(
        &server,
        Method::POST,
        "/api/auth/api-keys/",
        access,
        Some(json!({"name": "ci"})),
    )
    .await;
    assert_eq!(key.status, 201, "{key:?}");
    let (id, key) = (
        key.json()["id"].clone(),
        key.json()["key"].as_str().unwrap().to_owned(),
    );
    let scheme = format!("Api-Key {key}");
    for header in [
        ("x-api-key", key.as_str()),
        ("authorization", scheme.as_str()),
    ] {
        let me = send(&server, Method::GET, "/api/auth/me/", Some(header), None).await;
        assert_eq!(
            (me.status, me.json()["id"].clone()),
            (200, json!(2)),
            "{header:?}"
        );
        for (method, path) in [
            (Method::GET, "/api/auth/api-keys/"),
            (Method::POST, "/api/auth/api-keys/"),
        ] {
            let body = (method == Method::POST).then(|| json!({"name": "n"}));
            let refused = send(&server, method, path, Some(header), body).await;
            assert_eq!(refused.status, 401, "{path}");
        }
    }
    let listed = as_bearer(&server, Method::GET, "/api/auth/api-keys/", access, None)
        .await
        .json();
    assert_eq!(listed[0]["name"], "ci");
    assert!(listed[0].get("key").is_none() && listed.as_array().unwrap().len() == 1);
    let path = format!("/api/auth/api-keys/{}/", id.as_str().unwrap());
    assert_eq!(
        as_bearer(&server, Method::DELETE, &path, access, None)
            .await
            .status,
        204
    );
    let gone = send(
        &server,
        Method::GET,
        "/api/auth/me/",
        Some(("x-api-key", &key)),
        None,
    )
    .await;
    assert_eq!(gone.status, 401);
    assert_eq!(
        as_bearer(&server, Method::DELETE, &path, access, None)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn people_of_a_server_without_accounts_have_things_of_their_own() {
    let server = TestServer::start();
    let made = post(&server, "/api/auth/register/", person("ada")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let access = made["access"].as_str().unwrap();
    let new =
        json!({"name": "of nobody", "access": "private", "graph": {"nodes": [], "edges": []}});
    assert_eq!(post(&server, "/api/workflows/", new).await.status, 200);
    let own = as_bearer(&server, Method::GET, "/api/workflows/", access, None)
        .await
        .json();
    assert_eq!(own["workflows"], json!([]));
    // A token that was made for no server is no one's; one that was made here and is none is refused.
    assert_eq!(
        as_bearer(&server, Method::GET, "/api/workflows/", "anything", None)
            .await
            .status,
        200
    );
    let broken = format!("{}x", &access[..access.len() - 1]);
    assert_eq!(
        as_bearer(&server, Method::GET, "/api/workflows/", &broken, None)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn people_administer_nothing_where_nobody_has_to_show_a_token() {
    let server = TestServer::start();
    let registered = post(&server, "/api/auth/register/", person("ada")).await;
    let access = registered.json()["access"].as_str().unwrap().to_owned();
    let path = "/api/demo-requests/";
    let refused = as_bearer(&server, Method::GET, path, &access, None).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let owner = server.client().get(path).await;
    assert_eq!(owner.status, 200, "{owner:?}");
}
