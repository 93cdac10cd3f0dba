//! Secrets at rest (HTTP spec 4, 6.12, 6.22; conformance rows 67 to 69).

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, Method};
use http_body_util::Full;
use hyper::body::Bytes;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::client::{Client, Reply, request};
use super::local::{local, local_json};
use super::server::{TestServer, folder};

const SECRETS: &str = "/api/settings/secrets";
const OPENAI: &str = "/api/settings/secrets/OPENAI_API_KEY";
const REVEALED: &str = "/api/settings/secrets/OPENAI_API_KEY?decrypt=true";
const IMPORT: &str = "/admin/secrets/import";

/// A request that an HTTP server of a test has got: method, path with query, headers, body.
pub(crate) type Asked = (Method, String, HeaderMap, Vec<u8>);

/// An HTTP server of a test.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<VecDeque<Asked>>>,
    _serving: JoinSet<()>,
}

impl Fake {
    /// A server that answers as it is told.
    pub(crate) async fn start(
        answer: impl Fn(&Asked) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::<Mutex<VecDeque<Asked>>>::default();
        let kept = asked.clone();
        let handler =
            async move |method: Method, uri: axum::http::Uri, headers: HeaderMap, body: Bytes| {
                let request = (method, uri.to_string(), headers, body.to_vec());
                let (status, text) = answer(&request);
                kept.lock().unwrap().push_back(request);
                (axum::http::StatusCode::from_u16(status).unwrap(), text)
            };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let app = Router::new().fallback(handler);
            axum::serve(listener, app).await.unwrap();
        });
        Fake {
            address,
            asked,
            _serving: serving,
        }
    }

    /// What it was asked, oldest first.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().cloned().collect()
    }
}

fn with_key(key: &str) -> TestServer {
    TestServer::start_with(&["--secrets-master-key", key])
}

async fn store(client: &Client, value: &str) -> Value {
    client.put(OPENAI, &json!({ "value": value })).await.ok()
}

/// The secret with its value, as a program on the server's machine gets it.
async fn reveal(client: &Client) -> Reply {
    client.send(local(Method::GET, REVEALED, "")).await
}

/// A GET with a header.
async fn get_as(client: &Client, path: &str, header: (&str, &str)) -> Reply {
    let request = request(Method::GET, path).header(header.0, header.1);
    client.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn case_68_a_secret_is_stored_and_shown_without_its_value_unless_asked_for() {
    let server = with_key("m");
    let client = server.client();
    let body = json!({ "value": "v", "description": "for tests" });
    let stored = client.put(OPENAI, &body).await.ok();
    let shown = client.get(OPENAI).await.ok();
    assert_eq!(stored, shown);
    assert_eq!(
        (
            &shown["key"],
            &shown["user_id"],
            &shown["is_configured"],
            &shown["description"]
        ),
        (
            &json!("OPENAI_API_KEY"),
            &json!("1"),
            &json!(true),
            &json!("for tests")
        )
    );
    assert!(shown.get("value").is_none());
    let revealed = reveal(&client).await;
    assert_eq!(revealed.header("cache-control"), "no-store");
    assert_eq!(revealed.ok()["value"], "v");
    let again = store(&client, "w").await;
    assert_eq!(
        (&again["id"], &again["description"]),
        (&shown["id"], &json!("for tests"))
    );
    assert_eq!(reveal(&client).await.ok()["value"], "w");
    let deleted = client.delete(OPENAI).await.ok();
    assert_eq!(deleted, json!({ "message": "Secret deleted successfully" }));
    for gone in [client.get(OPENAI).await, client.delete(OPENAI).await] {
        assert_eq!(gone.detail(404), "Secret not found");
    }
}

#[tokio::test]
async fn case_69_only_registered_secrets_are_stored() {
    let server = with_key("m");
    let client = server.client();
    let path = format!("{SECRETS}/NOPE");
    let put = client.put(&path, &json!({ "value": "v" })).await;
    put.detail(404);
    assert_eq!(client.get(&path).await.detail(404), "Secret not found");
    let path = format!("{SECRETS}/FONT_PATH");
    client
        .put(&path, &json!({ "value": "v" }))
        .await
        .detail(404);
}

#[tokio::test]
async fn every_registered_secret_is_listed_in_pages() {
    let server = with_key("m");
    let client = server.client();
    store(&client, "v").await;
    let all = client.get(SECRETS).await.ok();
    assert_eq!(all["next_key"], Value::Null);
    let all = all["secrets"].as_array().unwrap().clone();
    assert_eq!(all.len(), 33);
    let stored = all.iter().filter(|s| s["is_configured"] == true);
    assert_eq!(
        stored.map(|s| &s["key"]).collect::<Vec<_>>(),
        ["OPENAI_API_KEY"]
    );
    assert!(all.iter().all(|s| s.get("value").is_none()));
    let (mut paged, mut start) = (Vec::new(), String::new());
    loop {
        let path = format!("{SECRETS}?limit=10&start_key={start}");
        let page = client.get(&path).await.ok();
        paged.extend(page["secrets"].as_array().unwrap().clone());
        match page["next_key"].as_str() {
            Some(next) => next.clone_into(&mut start),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let refused = client.get(&format!("{SECRETS}?start_key=NOPE")).await;
    assert_eq!(refused.places()[0].1, json!(["query", "start_key"]));
}

#[tokio::test]
async fn a_value_is_told_to_this_machine_and_to_administrators_only() {
    let server = TestServer::start_with(&["--secrets-master-key", "m", "--admin-token", "t0ken"]);
    let client = server.client();
    store(&client, "v4lue").await;
    let afar = ("x-forwarded-for", "192.0.2.1");
    assert_eq!(get_as(&client, OPENAI, afar).await.status, 200);
    let refused = get_as(&client, REVEALED, afar).await;
    assert!(refused.detail(403).contains("X-Admin-Token"));
    for (token, status) in [("t0ken", 200), ("t0ke", 403), ("", 403)] {
        let request = request(Method::GET, REVEALED)
            .header(afar.0, afar.1)
            .header("x-admin-token", token);
        let reply = client.send(request.body(Full::default()).unwrap()).await;
        assert_eq!(reply.status, status, "{token}");
        let shown = String::from_utf8_lossy(&reply.body).contains("v4lue");
        assert_eq!(shown, status == 200);
    }
    server.logs("secret.read").await;
    let log = server.log();
    assert!(
        log.contains("secret.read") && !log.contains("v4lue") && !log.contains("t0ke"),
        "{log}"
    );
}

#[tokio::test]
async fn a_value_that_cannot_be_stored_is_not_repeated() {
    let server = with_key("m");
    let client = server.client();
    let long = "hush".repeat(5000);
    for (body, place) in [
        (json!({}), "value"),
        (json!({ "value": null }), "value"),
        (json!({ "value": "" }), "value"),
        (json!({ "value": ["hush"] }), "value"),
        (json!({ "value": { "hush": 1 } }), "value"),
        (json!({ "value": "hush\u{0}" }), "value"),
        (json!({ "value": long }), "value"),
        (
            json!({ "value": "hush", "description": long }),
            "description",
        ),
    ] {
        let refused = client.put(OPENAI, &body).await;
        assert_eq!(refused.places()[0].1, json!(["body", place]), "{body}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("hush"));
    }
    client.get(OPENAI).await.detail(404);
}

#[tokio::test]
async fn under_another_master_key_a_secret_is_neither_read_nor_overwritten() {
    let server = with_key("m");
    store(&server.client(), "v4lue").await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &["--secrets-master-key", "n"]);
    let client = server.client();
    assert_eq!(
        reveal(&client).await.detail(409),
        "Failed to decrypt secret"
    );
    for path in [OPENAI, "/api/settings/secrets/HF_TOKEN"] {
        let put = client.put(path, &json!({ "value": "w" })).await;
        assert!(put.detail(409).contains("another master key"));
    }
    let sent = json!({ "settings": { "FONT_PATH": "/f" }, "secrets": { "HF_TOKEN": "w" } });
    let put = client.put("/api/settings", &sent).await;
    assert!(put.detail(409).contains("another master key"));
    assert_eq!(client.get(OPENAI).await.ok()["is_configured"], true);
    server.logs("encrypted with another master key").await;
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &["--secrets-master-key", "m"]);
    assert_eq!(reveal(&server.client()).await.ok()["value"], "v4lue");
}

/// A data folder and a folder for key files beside it.
fn places() -> (Arc<TempDir>, String, std::path::PathBuf) {
    let both = folder();
    let config = both.path().join("config").to_str().unwrap().to_owned();
    let data = both.path().join("data");
    (both, config, data)
}

#[tokio::test]
async fn a_key_is_made_at_the_first_secret_and_used_from_then_on() {
    let (both, config, data) = places();
    let arguments = ["--xdg-config-home", &*config];
    let server = TestServer::start_at(&data, both.clone(), &arguments);
    let client = server.client();
    client.get(SECRETS).await.ok();
    assert!(!Path::new(&config).exists(), "nothing is encrypted yet");
    store(&client, "v4lue").await;
    let file = Path::new(&config).join("nodetool/master_key");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(!server.log().contains(key.trim()));
    server.kill().await;
    let server = TestServer::start_at(&data, both.clone(), &arguments);
    assert_eq!(reveal(&server.client()).await.ok()["value"], "v4lue");
    server.kill().await;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let server = TestServer::start_at(&data, both.clone(), &arguments);
    let told = reveal(&server.client()).await.detail(503);
    assert!(told.contains("no master key"), "{told}");
    server.logs("others may read the key file").await;
    server.kill().await;
    std::fs::remove_file(&file).unwrap();
    let server = TestServer::start_at(&data, both, &arguments);
    let put = server.client().put(OPENAI, &json!({ "value": "w" })).await;
    put.detail(503);
    server.logs("is missing").await;
    assert!(!file.exists(), "no key is made in place of a lost one");
}

#[tokio::test]
async fn without_any_place_for_a_key_the_log_says_what_to_set() {
    let server = TestServer::start();
    let put = server.client().put(OPENAI, &json!({ "value": "w" })).await;
    put.detail(503);
    server.logs("SECRETS_MASTER_KEY").await;
}

#[tokio::test]
async fn the_master_key_is_read_from_aws() {
    let fake = Fake::start(|_| (200, json!({ "SecretString": "of the cloud" }).to_string())).await;
    let endpoint = format!("http://{}", fake.address);
    let environment = [
        ("AWS_SECRETS_MASTER_KEY_NAME", "my/key"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_SESSION_TOKEN", "s3ssion"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    let both = folder();
    let path = both.path().to_owned();
    let server = TestServer::start_there(&environment, &path, both.clone(), &["--log", "trace"]);
    store(&server.client(), "v4lue").await;
    assert_eq!(reveal(&server.client()).await.ok()["value"], "v4lue");
    let asked = fake.asked();
    assert_eq!(asked.len(), 1, "once for each process");
    let (method, path, headers, body) = &asked[0];
    assert_eq!((method, path.as_str()), (&Method::POST, "/"));
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(header("x-amz-security-token"), "s3ssion");
    assert_eq!(header("host"), fake.address.to_string());
    let signed = header("authorization");
    assert!(
        signed.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"),
        "{signed}"
    );
    let scope = "/eu-west-1/secretsmanager/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=";
    assert!(signed.contains(scope), "{signed}");
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body, json!({ "SecretId": "my/key" }));
    let log = server.log();
    for word in ["of the cloud", "s3cr3t", "s3ssion", "v4lue"] {
        assert!(!log.contains(word), "{word}");
    }
    server.kill().await;
    let server = TestServer::start_over(both, &["--secrets-master-key", "of the cloud"]);
    assert_eq!(reveal(&server.client()).await.ok()["value"], "v4lue");
}

#[tokio::test]
async fn what_aws_refuses_is_told_in_the_log_and_tried_again() {
    let tries = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let fake = Fake::start(move |_| {
        if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            (
                400,
                json!({ "__type": "AccessDeniedException" }).to_string(),
            )
        } else {
            (200, json!({ "SecretBinary": "a2V5" }).to_string())
        }
    })
    .await;
    let endpoint = format!("http://{}", fake.address);
    let environment = [
        ("AWS_SECRETS_MASTER_KEY_NAME", "k"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint.as_str()),
    ];
    let both = folder();
    let path = both.path().to_owned();
    let server = TestServer::start_there(&environment, &path, both, &[]);
    let client = server.client();
    client
        .put(OPENAI, &json!({ "value": "v" }))
        .await
        .detail(503);
    server.logs("AccessDeniedException").await;
    store(&client, "v").await;
}

/// The encrypted value in a data folder.
fn sealed(folder: &Path) -> String {
    let db = Connection::open(folder.join("nodetool.sqlite3")).unwrap();
    let select = "SELECT encrypted_value FROM nodetool_secrets";
    db.query_row(select, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn rows_of_a_server_with_the_same_key_are_taken_over() {
    let source = with_key("m");
    store(&source.client(), "v4lue").await;
    let value = sealed(source.folder());
    assert!(value.starts_with("gAAAA"), "{value}");
    let server = with_key("m");
    let client = server.client();
    let row = |key: &str, value: &str, created: &str| json!({ "user_id": "1", "key": key, "encrypted_value": value, "created_at": created });
    let rows = json!([
        row("OPENAI_API_KEY", &value, "2026-01-02T03:04:05.000678"),
        row("HF_TOKEN", "gAAAA", "2026-01-02T03:04:05+01:00"),
        row("NOPE", &value, "2026-01-02T03:04:05Z"),
        json!({ "user_id": "2", "key": "GROQ_API_KEY", "encrypted_value": value }),
    ]);
    let told = client
        .send(local_json(Method::POST, IMPORT, &rows))
        .await
        .ok();
    let rejected = ["HF_TOKEN", "NOPE", "GROQ_API_KEY"];
    assert_eq!(told, json!({ "imported": 1, "rejected": rejected }));
    let shown = reveal(&client).await.ok();
    assert_eq!(shown["value"], "v4lue");
    assert_eq!(shown["created_at"], "2026-01-02T03:04:05.000678+00:00");
    assert_eq!(sealed(server.folder()), value, "as it was");
    server.logs("secret.imported").await;
}

#[tokio::test]
async fn only_whole_rows_are_imported_and_only_by_administrators() {
    let server = with_key("m");
    let client = server.client();
    let good = json!({ "user_id": "1", "key": "K", "encrypted_value": "e" });
    let with = |key: &str, value: Value| {
        let mut row = good.clone();
        row[key] = value;
        json!([good, row])
    };
    for (body, place) in [
        (with("user_id", Value::Null), json!(["body", 1, "user_id"])),
        (with("user_id", json!("a b")), json!(["body", 1, "user_id"])),
        (with("key", json!(5)), json!(["body", 1, "key"])),
        (
            with("created_at", json!("soon")),
            json!(["body", 1, "created_at"]),
        ),
        (json!([good, 5]), json!(["body", 1])),
        (json!({}), json!(["body"])),
        (json!(vec![&good; 1001]), json!(["body"])),
    ] {
        let refused = client.send(local_json(Method::POST, IMPORT, &body)).await;
        assert_eq!(refused.places()[0].1, place, "{place}");
    }
    let request = request(Method::POST, IMPORT)
        .header("content-type", "application/json")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Full::from(json!([good]).to_string()));
    client.send(request.unwrap()).await.detail(401);
}
