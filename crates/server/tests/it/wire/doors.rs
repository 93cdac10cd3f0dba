//! Who gets in: tokens, pages, names, modes (HTTP spec 1.2 to 1.5, 2.5, 3; socket spec 1.3, 1.4).

use std::process::Output;

use hyper::Method;
use serde_json::json;

use super::client::Reply;
use super::garbage::answer;
use super::graphs::greeting;
use super::local::with_headers;
use super::server::{TestServer, folder, program};

const STATIC: [(&str, &str); 2] = [("AUTH_PROVIDER", "static"), ("SERVER_AUTH_TOKEN", "tok")];
const NO_TOKEN: &str = "Authorization header required. Use 'Authorization: Bearer <token>'.";
const BEARER: (&str, &str) = ("authorization", "Bearer tok");

/// A server in private mode whose token is `tok`.
fn private() -> TestServer {
    TestServer::start_in(&STATIC, &["--mode", "private"])
}

async fn ask(server: &TestServer, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    // Other modes have other routes than those that are described.
    let request = with_headers(method, path, headers, "");
    server.client().send_unchecked(request).await
}

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Reply {
    ask(server, Method::GET, path, headers).await
}

#[tokio::test]
async fn cases_2_and_3_a_private_server_is_alive_for_everybody() {
    let server = private();
    let health = get(&server, "/health", &[]).await.ok();
    assert_eq!(health["status"], "healthy");
    let ping = get(&server, "/ping", &[]).await.ok();
    assert!(ping["timestamp"].as_str().unwrap().ends_with("+00:00"));
}

#[tokio::test]
async fn cases_5_to_8_a_token_is_asked_for_and_judged() {
    let server = private();
    for headers in [&[][..], &[("authorization", "Basic x")]] {
        let refused = get(&server, "/api/workflows/", headers).await;
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        assert_eq!(refused.detail(401), NO_TOKEN);
    }
    let wrong = get(
        &server,
        "/api/workflows/",
        &[("authorization", "Bearer wrong")],
    )
    .await;
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    assert_eq!(wrong.detail(401), "Invalid static token");
    let odd = [("authorization", "bEaReR tok")];
    assert_eq!(get(&server, "/api/workflows/", &odd).await.status, 200);
    let by_query = get(&server, "/api/workflows?api_key=tok&token=tok", &[]).await;
    assert_eq!(by_query.detail(401), NO_TOKEN);
}

#[tokio::test]
async fn case_9_authentication_comes_before_routing() {
    let server = private();
    assert_eq!(get(&server, "/nope", &[]).await.status, 401);
    assert_eq!(
        get(&server, "/nope", &[BEARER]).await.detail(404),
        "Not Found"
    );
    for path in [
        "/health/x",
        "/api/healthy",
        "/x/health",
        "/docs",
        "/openapi.json",
    ] {
        assert_eq!(get(&server, path, &[]).await.status, 401, "{path}");
    }
    assert_eq!(get(&server, "/openapi.json", &[BEARER]).await.status, 200);
}

#[tokio::test]
async fn case_10_a_preflight_of_an_allowed_page_needs_no_token() {
    let server = private();
    let asked = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization"),
    ];
    let told = ask(&server, Method::OPTIONS, "/api/workflows/", &asked).await;
    assert_eq!(told.status, 200);
    assert_eq!(
        told.header("access-control-allow-origin"),
        "http://localhost:3000"
    );
    assert_eq!(told.header("access-control-allow-headers"), "authorization");
    assert!(told.header("access-control-allow-methods").contains("PUT"));
    let refused = get(&server, "/api/workflows/", &asked[..1]).await;
    assert_eq!(
        (
            refused.status,
            refused.header("access-control-allow-origin")
        ),
        (401, "http://localhost:3000"),
        "a page may read why it is refused"
    );
}

#[tokio::test]
async fn case_11_pages_of_other_sites_get_nothing_from_a_server_without_tokens() {
    let server = TestServer::start();
    let id = server.client().save(&greeting()).await;
    for foreign in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost.evil.example"),
        ("host", "evil.example:7777"),
        ("host", "localhost.evil.example"),
    ] {
        for (method, path) in [
            (Method::GET, "/api/workflows".to_owned()),
            (Method::POST, format!("/api/workflows/{id}/run")),
            (Method::DELETE, format!("/api/workflows/{id}")),
        ] {
            let refused = ask(&server, method, &path, &[foreign]).await;
            assert_eq!(refused.status, 403, "{foreign:?} {path}");
            assert_eq!(refused.header("access-control-allow-origin"), "");
        }
    }
    let simple = [
        ("origin", "https://evil.example"),
        ("content-type", "text/plain"),
    ];
    let run = with_headers(
        Method::POST,
        &format!("/api/workflows/{id}/run"),
        &simple,
        "{}",
    );
    assert_eq!(server.client().send(run).await.status, 403);
    assert_eq!(get(&server, "/api/jobs", &[]).await.ok()["jobs"], json!([]));
    let own = [
        ("origin", "http://127.0.0.1:5173"),
        ("host", "localhost:7777"),
    ];
    let told = get(&server, "/api/workflows", &own).await;
    assert_eq!(
        told.header("access-control-allow-origin"),
        "http://127.0.0.1:5173"
    );
    assert_eq!(told.header("vary"), "Origin");
}

#[tokio::test]
async fn origins_and_names_that_are_listed_may_ask() {
    let server = TestServer::start_in(
        &[
            ("CORS_ORIGINS", "https://app.example.com,null"),
            ("NODETOOL_SERVER_NAMES", "flows.example.com"),
        ],
        &[],
    );
    for origin in ["https://app.example.com", "null"] {
        let headers = [("origin", origin), ("host", "flows.example.com")];
        let told = get(&server, "/api/workflows", &headers).await;
        assert_eq!(
            (told.status, told.header("access-control-allow-origin")),
            (200, origin)
        );
    }
    assert_eq!(
        get(
            &server,
            "/api/workflows",
            &[("origin", "https://app.example.org")]
        )
        .await
        .status,
        403
    );
    let everybody = TestServer::start_in(&[("CORS_ORIGINS", "*")], &[]);
    let told = get(
        &everybody,
        "/api/workflows",
        &[("origin", "https://evil.example")],
    )
    .await;
    assert_eq!(told.header("access-control-allow-origin"), "*");
    assert_eq!(told.header("access-control-allow-credentials"), "");
}

/// Starts a server that should not start.
pub(super) fn refused(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let folder = folder();
    let mut command = program();
    command.envs(environment.iter().copied());
    command
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(folder.path())
        .args(arguments);
    let Output { status, stderr, .. } = command.output().expect("the program starts");
    assert!(!status.success(), "{arguments:?}");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn cases_12_and_13_a_mode_without_its_provider_does_not_start() {
    let public = refused(&[("AUTH_PROVIDER", "local")], &["--mode", "public"]);
    assert!(
        public.contains("Public server mode requires AUTH_PROVIDER=supabase"),
        "{public}"
    );
    let private = refused(&[("AUTH_PROVIDER", "local")], &["--mode", "PRIVATE"]);
    assert!(
        private.contains("Private server mode requires AUTH_PROVIDER"),
        "{private}"
    );
    let production = refused(&[], &["--production"]);
    assert!(production.contains("Private server mode requires AUTH_PROVIDER"));
    assert!(refused(&[], &["--mode", "cloud"]).contains("cloud"));
    let origin = refused(&[("CORS_ORIGINS", "app.example.com")], &[]);
    assert!(origin.contains("app.example.com"), "{origin}");
}

#[tokio::test]
async fn case_14_a_private_server_has_what_administers_it_and_nothing_of_the_machine() {
    let server = private();
    let with = |path: &'static str| {
        let server = &server;
        async move { get(server, path, &[BEARER]).await.status }
    };
    assert_eq!(with("/ws").await, 426);
    for path in [
        "/ws/terminal",
        "/terminal",
        "/ws/download",
        "/hf/download",
        "/api/files/list",
    ] {
        assert_eq!(with(path).await, 404, "{path}");
    }
    let index = ask(&server, Method::POST, "/collections/c/index", &[BEARER]).await;
    assert_eq!(index.status, 422);
    let described = get(&server, "/openapi.json", &[BEARER]).await.ok();
    assert!(described["paths"].get("/api/files/list").is_none());
    assert!(described["paths"].get("/api/packages/installed").is_none());
}

#[tokio::test]
async fn case_15_families_that_are_left_out_do_not_exist() {
    let arguments = [
        "--disable-deploy-collections",
        "--disable-deploy-workflows",
        "--disable-main-ws",
    ];
    let server = TestServer::start_with(&arguments);
    for path in ["/workflows", "/ws", "/predict"] {
        assert_eq!(get(&server, path, &[]).await.status, 404, "{path}");
    }
    let index = ask(&server, Method::POST, "/collections/c/index", &[]).await;
    assert_eq!(index.status, 404);
    let bare = TestServer::start_with(&["--disable-default-api"]);
    assert_eq!(get(&bare, "/api/workflows", &[]).await.status, 404);
    assert_eq!(get(&bare, "/health", &[]).await.status, 200);
}

#[tokio::test]
async fn pages_of_the_interface_are_for_everybody_and_its_api_is_not() {
    let site = folder();
    std::fs::write(site.path().join("index.html"), "<p>here</p>").unwrap();
    let site = site.path().to_str().unwrap();
    let server = TestServer::start_in(&STATIC, &["--static-folder", site]);
    for path in ["/", "/index.html", "/api-demo.html", "/%61pi/workflows"] {
        let status = get(&server, path, &[("accept", "text/html")]).await.status;
        assert!(status == 200 || path.starts_with("/%61"), "{path} {status}");
    }
    for path in [
        "/api/workflows",
        "/workflows",
        "/storage/x",
        "/admin/health",
        "/api",
    ] {
        assert_eq!(get(&server, path, &[]).await.status, 401, "{path}");
    }
    assert_eq!(
        ask(&server, Method::POST, "/index.html", &[]).await.status,
        401
    );
}

#[tokio::test]
async fn administration_in_production_asks_for_its_own_token() {
    let mut environment = STATIC.to_vec();
    environment.extend([("ENV", "production"), ("SECRETS_MASTER_KEY", "k")]);
    let off = TestServer::start_in(&environment, &[]);
    assert_eq!(get(&off, "/admin/x", &[BEARER]).await.status, 503);
    environment.push(("ADMIN_TOKEN", "second"));
    let server = TestServer::start_in(&environment, &[]);
    for (headers, detail) in [
        (
            &[BEARER][..],
            "Admin token required. Use X-Admin-Token header.",
        ),
        (
            &[BEARER, ("x-admin-token", "secon")],
            "Invalid admin token.",
        ),
    ] {
        assert_eq!(get(&server, "/admin/x", headers).await.detail(403), detail);
    }
    assert_eq!(get(&server, "/admin/x", &[]).await.detail(401), NO_TOKEN);
    let both = [BEARER, ("x-admin-token", "second")];
    assert_eq!(get(&server, "/admin/x", &both).await.status, 404);
}

#[tokio::test]
async fn refused_requests_are_answered_without_their_body() {
    let server = private();
    let path = "/api/workflows/";
    // The head alone decides; the body is never asked for.
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n"
    );
    let answer = answer(server.address(), head.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

/// A chat server with an environment.
fn chat(environment: &[(&str, &str)]) -> TestServer {
    let folder = folder();
    let mut command = program();
    command
        .args(["chat-server", "--port", "0", "--data-dir"])
        .arg(folder.path());
    command.envs(environment.iter().copied());
    TestServer::spawn(command, folder)
}

#[tokio::test]
async fn cases_4_and_89_a_chat_server_is_the_openai_routes_and_signs_of_life() {
    let server = chat(&STATIC);
    let health = get(&server, "/health", &[]).await.ok();
    assert_eq!(health, json!({ "status": "healthy" }));
    assert_eq!(get(&server, "/ping", &[]).await.ok()["status"], "healthy");
    for (headers, detail) in [
        (&[][..], "Authentication credentials were not provided."),
        (
            &[("authorization", "Bearer no")],
            "Failed to validate authentication token.",
        ),
    ] {
        let refused = ask(&server, Method::POST, "/v1/chat/completions", headers).await;
        assert_eq!(refused.header("www-authenticate"), "");
        assert_eq!(refused.detail(401), detail);
        assert_eq!(refused.json()["error"]["message"], detail);
    }
    let models = get(&server, "/v1/models", &[BEARER]).await.ok();
    assert_eq!(models["data"][0]["id"], "echo", "{models}");
    for path in [
        "/api/workflows",
        "/ws",
        "/workflows",
        "/admin/health",
        "/storage/x",
        "/",
    ] {
        assert_eq!(get(&server, path, &[BEARER]).await.status, 404, "{path}");
    }
    let described = get(&server, "/openapi.json", &[]).await.ok();
    assert_eq!(described["info"]["title"], "NodeTool Chat Server");
    assert_eq!(described["info"]["version"], "1.0.0");
    assert_eq!(
        std::fs::read_dir(server.folder()).unwrap().count(),
        0,
        "it keeps nothing"
    );
}

#[tokio::test]
async fn a_chat_server_without_tokens_is_for_pages_of_this_machine() {
    let server = chat(&[]);
    let foreign = [("origin", "https://evil.example")];
    assert_eq!(get(&server, "/v1/models", &foreign).await.status, 403);
    assert_eq!(
        get(&server, "/v1/models", &[("host", "evil.example")])
            .await
            .status,
        403
    );
    let own = get(&server, "/v1/models", &[("origin", "http://localhost:1")]).await;
    assert_eq!(
        (own.status, own.header("access-control-allow-origin")),
        (200, "http://localhost:1")
    );
}
