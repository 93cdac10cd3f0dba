//! Browser sessions, pools and their pauses, as clients keep them (orchestrator spec 3.10, other routes; S9).

use hyper::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::Reply;
use super::local::with_headers;
use super::server::TestServer;
use super::ws::opened;

const SESSIONS: &str = "/api/browser-sessions/";
const POOLS: &str = "/api/browser-pools/";

async fn send(server: &TestServer, method: Method, path: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json")];
    let request = with_headers(method, path, &headers, body.to_string());
    server.client().send(request).await
}

async fn made(server: &TestServer, path: &str, body: Value) -> Value {
    let reply = server.client().post(path, &body).await;
    assert_eq!(
        reply.status,
        201,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    reply.json()
}

fn refused(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(
        reply.status,
        status,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    let body = reply.json();
    assert_eq!(body["code"], code, "{body}");
    body
}

#[tokio::test]
async fn sessions_are_made_listed_changed_and_deleted() {
    let server = TestServer::start();
    let client = server.client();
    assert_eq!(client.get(SESSIONS).await.ok(), json!([]));
    let config = json!({"viewport": {"width": 800, "height": 600}, "locale": "de-DE"});
    let first = made(&server, SESSIONS, json!({"name": "Shop", "config": config})).await;
    let second = made(
        &server,
        SESSIONS,
        json!({"name": "News", "description": "d"}),
    )
    .await;
    assert_eq!(first["config"]["viewport"], config["viewport"]);
    assert_eq!(
        (
            &first["status"],
            &first["open_pages"],
            &first["browser_type"]
        ),
        (&json!("idle"), &json!(0), &json!("chromium"))
    );
    assert_eq!(client.get(SESSIONS).await.ok(), json!([first, second]));
    let id = first["id"].as_str().unwrap();
    let path = format!("{SESSIONS}{id}/");
    let shorter = format!("{SESSIONS}{}", id.replace('-', ""));
    assert_eq!(client.get(&shorter).await.ok(), first);
    let launch = client.get(&format!("{path}config/")).await.ok();
    assert_eq!(
        (&launch["session_id"], &launch["headless"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(launch["config"], first["config"]);
    let changed = send(&server, Method::PATCH, &path, json!({"description": "x"}))
        .await
        .ok();
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&json!("Shop"), &json!("x"))
    );
    let body = refused(
        &send(&server, Method::PUT, &path, json!({"description": "x"})).await,
        400,
        "INVALID_REQUEST",
    );
    assert_eq!(body["errors"]["name"], json!(["This field is required."]));
    let choices = client.get(&format!("{SESSIONS}choices/")).await.ok();
    assert_eq!(
        choices[1],
        json!({"value": second["id"], "label": "News", "id": second["id"], "name": "News"})
    );
    assert_eq!(client.delete(&path).await.status, 204);
    refused(&client.get(&path).await, 404, "NOT_FOUND");
    refused(&client.delete(&path).await, 404, "NOT_FOUND");
    refused(
        &client.get(&format!("{SESSIONS}nope/")).await,
        404,
        "NOT_FOUND",
    );
}

#[tokio::test]
async fn a_pool_names_sessions_and_keeps_pauses() {
    let server = TestServer::start();
    let client = server.client();
    let session = made(&server, SESSIONS, json!({"name": "s"})).await["id"].clone();
    let pool = made(
        &server,
        POOLS,
        json!({"name": "p", "browser_sessions": [session]}),
    )
    .await;
    assert_eq!(pool["browser_sessions"], json!([session]));
    let id = pool["id"].as_str().unwrap();
    let choices = client.get(&format!("{POOLS}choices/")).await.ok();
    assert_eq!(choices[0]["value"], format!("pool:{id}"));
    let path = format!("{POOLS}{id}/");
    let rules = format!("{path}domain-throttle-rules/");
    let rule = made(
        &server,
        &rules,
        json!({"domain": "*.Example.com", "delay_seconds": 1.5}),
    )
    .await;
    assert_eq!(
        (&rule["domain"], &rule["delay_seconds"], &rule["enabled"]),
        (&json!("example.com"), &json!(1.5), &json!(true))
    );
    let body = refused(
        &client
            .post(
                &rules,
                &json!({"domain": "example.com", "delay_seconds": 2}),
            )
            .await,
        400,
        "INVALID_REQUEST",
    );
    assert!(body["errors"]["domain"].is_array(), "{body}");
    let one = format!("{rules}{}/", rule["id"].as_str().unwrap());
    let changed = send(&server, Method::PATCH, &one, json!({"enabled": false}))
        .await
        .ok();
    assert_eq!(
        (&changed["enabled"], &changed["delay_seconds"]),
        (&json!(false), &json!(1.5))
    );
    assert_eq!(client.get(&one).await.ok(), changed);
    assert_eq!(client.get(&rules).await.ok(), json!([changed]));
    assert_eq!(client.delete(&one).await.status, 204);
    refused(&client.get(&one).await, 404, "NOT_FOUND");
    let unknown = json!({"browser_sessions": ["0190a0b0-0000-7000-8000-000000000001"]});
    let body = refused(
        &send(&server, Method::PATCH, &path, unknown).await,
        400,
        "INVALID_REQUEST",
    );
    assert!(
        body["errors"]["browser_sessions"][0]
            .as_str()
            .unwrap()
            .contains("does not exist"),
        "{body}"
    );
    client
        .delete(&format!("{SESSIONS}{}/", session.as_str().unwrap()))
        .await;
    assert_eq!(
        client.get(&path).await.ok()["browser_sessions"],
        json!([]),
        "what is gone is not named"
    );
    assert_eq!(client.delete(&path).await.status, 204);
    refused(&client.get(&rules).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn what_another_user_has_is_not_there() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "the-token-of-the-server"),
        ("NODETOOL_REGISTRATION", "true"),
    ];
    let server = TestServer::start_in(&environment, &[]);
    let ask = async |method: Method, path: &str, token: &str, body: Option<Value>| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        server
            .client()
            .send(with_headers(method, path, &headers, body))
            .await
    };
    let mut tokens = Vec::new();
    for name in ["ada", "grace"] {
        let person = json!({"username": name, "password": "analytical-engine", "password_confirm": "analytical-engine"});
        let reply = ask(Method::POST, "/api/auth/register/", "", Some(person)).await;
        assert_eq!(reply.status, 201);
        tokens.push(reply.json()["access"].as_str().unwrap().to_owned());
    }
    let (ada, grace) = (&*tokens[0], &*tokens[1]);
    let session = ask(Method::POST, SESSIONS, ada, Some(json!({"name": "s"})))
        .await
        .json()["id"]
        .clone();
    let pool = json!({"name": "p", "browser_sessions": [session]});
    let pool_id = ask(Method::POST, POOLS, ada, Some(pool.clone()))
        .await
        .json()["id"]
        .clone();
    let (session, pool_id) = (session.as_str().unwrap(), pool_id.as_str().unwrap());
    for path in [SESSIONS, POOLS] {
        assert_eq!(
            ask(Method::GET, &format!("{path}choices/"), grace, None)
                .await
                .ok(),
            json!([])
        );
        assert_eq!(ask(Method::GET, path, grace, None).await.ok(), json!([]));
    }
    let rules = format!("{POOLS}{pool_id}/domain-throttle-rules/");
    for (method, path) in [
        (Method::GET, format!("{SESSIONS}{session}/")),
        (Method::GET, format!("{SESSIONS}{session}/config/")),
        (Method::DELETE, format!("{SESSIONS}{session}/")),
        (Method::GET, format!("{POOLS}{pool_id}/")),
        (Method::DELETE, format!("{POOLS}{pool_id}/")),
        (Method::GET, rules.clone()),
    ] {
        refused(&ask(method, &path, grace, None).await, 404, "NOT_FOUND");
    }
    let rule = json!({"domain": "a.example", "delay_seconds": 1});
    refused(
        &ask(Method::POST, &rules, grace, Some(rule)).await,
        404,
        "NOT_FOUND",
    );
    let stolen = ask(Method::POST, POOLS, grace, Some(pool)).await;
    refused(&stolen, 400, "INVALID_REQUEST");
    assert_eq!(
        ask(Method::GET, &format!("{SESSIONS}{session}/"), ada, None)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn without_a_browser_none_is_started_and_none_is_watched() {
    let server = TestServer::start_in(&[("NODETOOL_MAX_BROWSERS", "0")], &[]);
    let session = made(&server, SESSIONS, json!({"name": "s"})).await;
    let id = session["id"].as_str().unwrap();
    let launch = format!("{SESSIONS}{id}/launch_browser/");
    let reply = server.client().post(&launch, &json!({})).await;
    let body = refused(&reply, 503, "UNAVAILABLE");
    assert!(
        body["error"].as_str().unwrap().contains("not available"),
        "{body}"
    );
    let mut socket = opened(&server, "/ws/video/").await;
    assert_eq!(socket.next().await["type"], "error");
    assert_eq!(socket.close_code().await, 1011);
}

#[tokio::test]
async fn a_browser_that_does_not_start_is_told() {
    let server = TestServer::start_in(&[("NODETOOL_BROWSER_PATH", "/bin/false")], &[]);
    let session = made(&server, SESSIONS, json!({"name": "s"})).await;
    let id = session["id"].as_str().unwrap();
    let launch = format!("{SESSIONS}{id}/launch_browser/");
    let reply = server.client().post(&launch, &json!({})).await;
    let body = refused(&reply, 503, "UNAVAILABLE");
    assert!(
        body["error"]
            .as_str()
            .unwrap()
            .contains("could not be started"),
        "{body}"
    );
    let mut socket = opened(&server, "/ws/video").await;
    let said = async |socket: &mut super::ws::Socket, message: &str| {
        socket.send_raw(Message::text(message)).await;
        let told = socket.next().await;
        assert_eq!(told["type"], "error", "{told}");
        told["message"].as_str().unwrap().to_owned()
    };
    for (message, part) in [
        ("{", "Invalid JSON"),
        (r#"{"type":"start"}"#, "session_id"),
        (r#"{"type":"mousedown","x":"left","y":1}"#, "x:"),
        (r#"{"type":"new_tab"}"#, "start first"),
    ] {
        let told = said(&mut socket, message).await;
        assert!(told.contains(part), "{told}");
    }
    socket.check_quiet().await;
    let start = json!({"type": "start", "session_id": id}).to_string();
    let told = said(&mut socket, &start).await;
    assert!(told.contains("could not be started"), "{told}");
    assert_eq!(socket.close_code().await, 1011);
}

#[tokio::test]
async fn nobody_watches_what_another_user_has() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "the-token-of-the-server"),
        ("NODETOOL_REGISTRATION", "true"),
        ("NODETOOL_BROWSER_PATH", "/bin/false"),
    ];
    let server = TestServer::start_in(&environment, &[]);
    let post = async |path: &str, token: &str, body: Value| {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("content-type", "application/json"),
            ("authorization", bearer.as_str()),
        ];
        let request = with_headers(Method::POST, path, &headers, body.to_string());
        server.client().send(request).await
    };
    let mut tokens = Vec::new();
    for name in ["ada", "grace"] {
        let person = json!({"username": name, "password": "analytical-engine", "password_confirm": "analytical-engine"});
        let reply = post("/api/auth/register/", "", person).await;
        tokens.push(reply.json()["access"].as_str().unwrap().to_owned());
    }
    let session = post(SESSIONS, &tokens[0], json!({"name": "s"})).await;
    let id = session.json()["id"].as_str().unwrap().to_owned();
    let launch = format!("{SESSIONS}{id}/launch_browser/");
    refused(
        &post(&launch, &tokens[1], json!({})).await,
        404,
        "NOT_FOUND",
    );
    for path in ["/ws/video/", "/ws/video/?token=junk"] {
        let mut socket = opened(&server, path).await;
        assert_eq!(socket.close_code().await, 4401);
    }
    for wanted in [&*id, "11111111-1111-4111-8111-111111111111", "x"] {
        let mut socket = opened(&server, &format!("/ws/video/?token={}", tokens[1])).await;
        socket
            .send(&json!({"type": "start", "session_id": wanted}))
            .await;
        let told = socket.next().await;
        assert_eq!(
            told,
            json!({"type": "error", "message": "No BrowserSession matches the given query."})
        );
        assert_eq!(socket.close_code().await, 4404);
    }
}
