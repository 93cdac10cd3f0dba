//! Every described route in every mode, as everybody who may come: the answers are compared with `access.txt`, a table
//! that people have read. A route without a row fails the test.
//!
//! A row: method, path, who may call it (`P` everybody, `A` users, `ADM` administrators, `LOC` programs of the machine
//! itself), in which modes it is (`d`esktop, `p`rivate, t: public, for tenants), then the status that each gets who is
//! known: on a desktop its owner, on a private server with users the owner of what is asked for, another user, and an
//! administrator.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::description::DESCRIPTION;
use super::graphs::{graph, greeting, node, output, script};
use super::local::with_headers;
use super::server::{TestServer, folder};

const TABLE: &str = include_str!("access.txt");
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// Users of the server with accounts, and the tokens they have.
pub(super) const ANN: (&str, &str) = ("ann", "token-of-ann");
pub(super) const BOB: (&str, &str) = ("bob", "token-of-bob");
pub(super) const ROOT: (&str, &str) = ("root", "token-of-root");

/// The token of the servers themselves.
const TOKEN: &str = "token-of-the-server";
/// Somebody to be removed.
const GONE: (&str, &str) = ("gone", "token-of-gone");

/// One of a server's callers.
struct As<'a> {
    server: &'a TestServer,
    token: Option<&'a str>,
}

impl As<'_> {
    async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token.unwrap_or_default());
        let mut headers = Vec::new();
        if self.token.is_some() {
            headers.push(("authorization", bearer.as_str()));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = with_headers(method, path, &headers, body.unwrap_or_default().to_owned());
        // A mode may have fewer routes than are described.
        let reply = self.server.client().send_unchecked(request).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        (
            reply.status,
            serde_json::from_str(&text).unwrap_or_default(),
        )
    }

    async fn upload(&self) -> Value {
        let bearer = format!("Bearer {}", self.token.unwrap_or_default());
        let mut headers = vec![("content-type", "multipart/form-data; boundary=B")];
        if self.token.is_some() {
            headers.push(("authorization", bearer.as_str()));
        }
        let body = "--B\r\ncontent-disposition: form-data; name=\"json\"\r\n\r\n\
            {\"name\": \"mine.txt\", \"content_type\": \"text/plain\"}\r\n\
            --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"mine.txt\"\r\n\r\nmine\r\n--B--\r\n";
        let request = with_headers(Method::POST, "/api/assets", &headers, body);
        self.server.client().send(request).await.ok()
    }

    async fn make(&self, path: &str, body: &Value) -> Value {
        let (status, made) = self.ask("POST", path, Some(&body.to_string())).await;
        assert_eq!(status, 200, "{path}: {made}");
        made
    }
}

/// What one user has, to be asked for by all.
struct Things(BTreeMap<&'static str, String>);

impl Things {
    async fn of(user: &As<'_>) -> Things {
        let workflow = json!({ "name": "Mine", "access": "private", "graph": greeting() });
        let workflow = user.make("/api/workflows", &workflow).await["id"].clone();
        let other = json!({ "name": "Mine, too", "access": "private", "graph": greeting() });
        let other = user.make("/api/workflows", &other).await["id"].clone();
        let id = workflow.as_str().unwrap();
        user.make(&format!("/api/workflows/{id}/versions"), &json!({}))
            .await;
        let path = format!("/api/workflows/{id}/run");
        user.make(&path, &json!({ "params": { "name": "x" } }))
            .await;
        let (_, jobs) = user.ask("GET", "/api/jobs", None).await;
        let thread = user.make("/api/threads", &json!({})).await["id"].clone();
        let message = json!({ "role": "user", "content": "x", "thread_id": thread });
        let message = user.make("/api/messages", &message).await["id"].clone();
        let asset = user.upload().await;
        let key = user.make("/api/keys", &json!({ "name": "k" })).await["id"].clone();
        user.ask("PUT", "/api/storage/temp/mine.txt", Some("mine"))
            .await;
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        Things(BTreeMap::from([
            ("workflow", text(&workflow)),
            // The Orchestrator's, which has a route of its own to delete it.
            ("loop", text(&other)),
            ("job", text(&jobs["jobs"][0]["id"])),
            ("thread", text(&thread)),
            ("message", text(&message)),
            ("asset", text(&asset["id"])),
            ("key", text(&key)),
        ]))
    }

    /// A described path with something in the place of each variable part.
    fn fill(&self, path: &str) -> String {
        let mut filled = String::new();
        let mut before = "";
        for part in path.split('/').skip(1) {
            let value = match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                None => part,
                Some(name) => self.value(path, before, name),
            };
            let _ = write!(filled, "/{value}");
            before = part;
        }
        filled
    }

    fn value(&self, path: &str, before: &str, name: &str) -> &str {
        let mine = |what: &str| self.0[what].as_str();
        match (before, name) {
            ("examples", _) | ("packages", _) => "none",
            ("keys", "id") => mine("key"),
            ("assets", "id" | "asset_id") => mine("asset"),
            ("workflow", "workflow_id") => mine("loop"),
            (
                "models" | "browser-sessions" | "browser-pools" | "accounts" | "demo-requests"
                | "submissions",
                "id",
            )
            | (_, "rule_id") => "none",
            (_, "workflow_id") | ("workflows" | "public", "id") => mine("workflow"),
            (_, "job_id") => mine("job"),
            (_, "thread_id") => mine("thread"),
            (_, "message_id") => mine("message"),
            (_, "version") => "1",
            ("secrets", "key") => "OPENAI_API_KEY",
            ("temp", "key") => "mine.txt",
            ("db", "table") => "workflows",
            ("{table}", "key") => mine("workflow"),
            (_, "key") => "loose.txt",
            ("users", "username") => GONE.0,
            ("api-keys", "id") => "none",
            (_, "repo_id") => "owner/name",
            (
                _,
                "name" | "path" | "file_path" | "filename" | "asset_name" | "example_name"
                | "node_id" | "connection_id" | "file_id" | "identifier" | "owner" | "project"
                | "prediction_id" | "workspace_id" | "model_id" | "skill_name" | "model_type"
                | "provider" | "task_id" | "webhook_id",
            ) => "none",
            _ => panic!("{path}: the test does not know what to put for {name}"),
        }
    }
}

/// An operation of the description.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Operation {
    /// Reads first, deletions last, so that what is asked for is still there.
    turn: usize,
    path: String,
    method: String,
    body: Option<&'static str>,
}

fn operations() -> Vec<Operation> {
    let order = ["GET", "PUT", "POST", "PATCH", "DELETE"];
    let mut all = Vec::new();
    for (path, item) in DESCRIPTION.root["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_ascii_uppercase();
            let Some(turn) = order.iter().position(|m| *m == method) else {
                continue;
            };
            let body = &operation["requestBody"]["content"]["application/json"];
            let path = path.clone();
            all.push(Operation {
                turn,
                path,
                method,
                body: (!body.is_null()).then_some("{}"),
            });
        }
    }
    all.sort();
    all
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    policy: String,
    modes: String,
    /// On a desktop; then as owner, other user and administrator.
    statuses: [u16; 4],
}

/// What of a mode is not as the table says: routes it has or has not, and what nobody gets there.
async fn mounted(
    mode: char,
    server: &TestServer,
    expected: &BTreeMap<(String, String), Row>,
) -> String {
    let holder = As {
        server,
        token: Some(TOKEN),
    };
    let (status, described) = holder.ask("GET", "/openapi.json", None).await;
    assert_eq!(status, 200, "{mode}");
    let mut faults = String::new();
    for ((method, path), row) in expected {
        let there = &described["paths"][path][method.to_ascii_lowercase()];
        if there.is_null() == row.modes.contains(mode) {
            let _ = writeln!(
                faults,
                "{method} {path}: not as {} says in mode {mode}",
                row.modes
            );
        }
    }
    for (path, item) in described["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let key = (method.to_ascii_uppercase(), path.clone());
            if !expected.contains_key(&key) {
                let _ = writeln!(faults, "{method} {path}: in mode {mode} without a row");
            }
        }
    }
    faults
}

fn table() -> BTreeMap<(String, String), Row> {
    let rows = TABLE
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
    let read = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, policy, modes, desktop, owner, other, admin] = words[..] else {
            panic!("access.txt: a row has eight columns: {line}");
        };
        let status = |text: &str| {
            text.parse()
                .unwrap_or_else(|_| panic!("access.txt: {line}"))
        };
        let row = Row {
            policy: policy.into(),
            modes: modes.into(),
            statuses: [desktop, owner, other, admin].map(status),
        };
        ((method.to_owned(), path.to_owned()), row)
    };
    rows.map(read).collect()
}

pub(super) fn with_accounts() -> TestServer {
    with_accounts_and(&[])
}

/// The same with more arguments.
pub(super) fn with_accounts_and(more: &[&str]) -> TestServer {
    let users = folder();
    let file = users.path().join("users.yaml");
    let mut text = "version: \"1.0\"\nusers:\n".to_owned();
    for ((name, token), role) in [
        (ANN, "user"),
        (BOB, "user"),
        (GONE, "user"),
        (ROOT, "admin"),
    ] {
        let hash: String = Sha256::digest(token)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let _ = writeln!(
            text,
            "  {name}: {{ user_id: user_{name}, username: {name}, role: {role}, token_hash: {hash}, created_at: \"2026-01-01T00:00:00+00:00\" }}"
        );
    }
    std::fs::write(&file, text).unwrap();
    let environment = [
        ("AUTH_PROVIDER", "multi_user"),
        ("USERS_FILE", file.to_str().unwrap()),
        ("SERVER_AUTH_TOKEN", TOKEN),
        ("SECRETS_MASTER_KEY", "key"),
        ("NODETOOL_AUTH_FAILURES_PER_MINUTE", "0"),
    ];
    let arguments = [&["--mode", "private"], more].concat();
    let server = TestServer::start_in(&environment, &arguments);
    // The file is read again when it changes, so it has to outlive the server.
    std::mem::forget(users);
    server
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let (desktop, private) = (TestServer::start(), with_accounts());
    let here = As {
        server: &desktop,
        token: None,
    };
    let known = |token| As {
        server: &private,
        token: Some(token),
    };
    let (ann, bob, root) = (known(ANN.1), known(BOB.1), known(ROOT.1));
    let nobodies = [
        As {
            server: &private,
            token: None,
        },
        known("wrong"),
    ];
    let (own, hers) = (Things::of(&here).await, Things::of(&ann).await);
    // What an administrator is tried on may be gone afterwards.
    let spare = Things::of(&ann).await;
    let (operations, expected) = (operations(), table());
    let mut seen: BTreeMap<(String, String), [u16; 4]> = BTreeMap::new();
    let mut faults = String::new();
    // Others first: whatever they try, what is hers stays as it is.
    for (at, who) in [(2, &bob), (3, &root), (1, &ann), (0, &here)] {
        let things = match at {
            0 => &own,
            3 => &spare,
            _ => &hers,
        };
        for operation in &operations {
            let path = things.fill(&operation.path);
            let (status, _) = who.ask(&operation.method, &path, operation.body).await;
            let key = (operation.method.clone(), operation.path.clone());
            seen.entry(key).or_default()[at] = status;
        }
        if at == 2 {
            let workflow = format!("/api/workflows/{}", hers.0["workflow"]);
            let (status, kept) = ann.ask("GET", &workflow, None).await;
            assert_eq!(
                (status, &kept["name"]),
                (200, &json!("Mine")),
                "touched by another user"
            );
        }
    }
    for operation in &operations {
        let key = (operation.method.clone(), operation.path.clone());
        let Some(row) = expected.get(&key) else {
            let _ = writeln!(faults, "{} {}: has no row", key.0, key.1);
            continue;
        };
        let found = seen[&key];
        if found != row.statuses {
            let _ = writeln!(
                faults,
                "{} {}: {found:?}, expected {:?}",
                key.0, key.1, row.statuses
            );
        }
        let here = (row.modes.contains('d'), found[0]);
        let there = (row.modes.contains('p'), found[1]);
        for (at, nobody) in nobodies.iter().enumerate() {
            let path = hers.fill(&operation.path);
            let (status, _) = nobody.ask(&operation.method, &path, operation.body).await;
            let right = match row.policy.as_str() {
                "P" => status == found[1] || status < 500 && status != 401,
                _ => status == 401,
            };
            if !right {
                let _ = writeln!(faults, "{} {}: nobody ({at}) got {status}", key.0, key.1);
            }
        }
        let refused = |status: u16| matches!(status, 401 | 403);
        let fits = match row.policy.as_str() {
            "P" | "A" => !refused(found[1]) || found[1] == 403 && found[3] == 403,
            // Not everything of others is an administrator's to remove.
            "ADM" => found[1] == 403 && found[2] == 403 && found[3] != 401,
            "LOC" => true,
            other => panic!("access.txt: {other} is no policy"),
        };
        if there.0 && !fits {
            let _ = writeln!(faults, "{} {}: not {}: {found:?}", key.0, key.1, row.policy);
        }
        if !there.0 && there.1 != 404 || !here.0 && here.1 != 404 {
            let _ = writeln!(faults, "{} {}: not only in {}", key.0, key.1, row.modes);
        }
    }
    for key in expected.keys().filter(|key| !seen.contains_key(key)) {
        let _ = writeln!(faults, "{} {}: a row without a route", key.0, key.1);
    }
    let assets = folder();
    let public = [
        ("AUTH_PROVIDER", "supabase"),
        ("SUPABASE_URL", "http://127.0.0.1:9"),
        ("SUPABASE_KEY", "none"),
        ("ASSET_FOLDER", assets.path().to_str().unwrap()),
        ("SERVER_AUTH_TOKEN", TOKEN),
    ];
    let public = TestServer::start_in(&public, &["--mode", "public"]);
    for (mode, server) in [('d', &desktop), ('p', &private), ('t', &public)] {
        faults.push_str(&mounted(mode, server, &expected).await);
    }
    if faults.is_empty() {
        return;
    }
    let mut now = String::new();
    for (key, statuses) in &seen {
        let row = expected.get(key);
        let (policy, modes) = row.map_or(("?", "?"), |r| (&r.policy, &r.modes));
        let [desktop, owner, other, admin] = statuses;
        let _ = writeln!(
            now,
            "{:6} {:64} {policy:4} {modes:4} {desktop} {owner} {other} {admin}",
            key.0, key.1
        );
    }
    let kept = Path::new(FOLDER).join("access.txt");
    std::fs::write(&kept, now).unwrap();
    panic!("{faults}\nThe table as it would be now: {}", kept.display());
}

#[tokio::test]
async fn cases_24_48_64_65_and_67_what_is_one_users_is_nobody_elses() {
    let server = with_accounts();
    let known = |token| As {
        server: &server,
        token: Some(token),
    };
    let (ann, bob, root) = (known(ANN.1), known(BOB.1), known(ROOT.1));
    let hers = Things::of(&ann).await;
    let workflow = format!("/api/workflows/{}", hers.0["workflow"]);
    let (status, told) = bob.ask("GET", &workflow, None).await;
    assert_eq!(
        (status, &told["detail"]),
        (404, &json!("Workflow not found"))
    );
    let public = json!({ "name": "Mine", "access": "public", "graph": greeting() });
    let (status, _) = ann.ask("PUT", &workflow, Some(&public.to_string())).await;
    assert_eq!(status, 200);
    assert_eq!(bob.ask("GET", &workflow, None).await.0, 200);
    let jobs = format!("/api/jobs/?workflow_id={}", hers.0["workflow"]);
    let (status, listed) = bob.ask("GET", &jobs, None).await;
    assert_eq!((status, &listed["jobs"]), (200, &json!([])));
    let file = format!("/api/storage/{}.txt", hers.0["asset"]);
    assert_eq!(ann.ask("GET", &file, None).await.0, 200);
    assert_eq!(bob.ask("GET", &file, None).await.0, 404);
    let loose = "/admin/storage/assets/x";
    let (status, told) = bob.ask("PUT", loose, Some("x")).await;
    assert_eq!(
        (status, &told["detail"]),
        (403, &json!("Admin access required"))
    );
    assert_eq!(root.ask("PUT", loose, Some("x")).await.0, 200);
    let import = "/admin/secrets/import";
    assert_eq!(bob.ask("POST", import, Some("[]")).await.0, 403);
    assert_eq!(root.ask("POST", import, Some("[]")).await.0, 200);
}

impl As<'_> {
    /// The output of a run of a graph.
    async fn run(&self, graph: &Value) -> (u16, Value) {
        let body = json!({ "name": "R", "access": "private", "graph": graph });
        let id = self.make("/api/workflows", &body).await["id"].clone();
        let path = format!("/api/workflows/{}/run", id.as_str().unwrap());
        self.ask("POST", &path, Some("{}")).await
    }
}

#[tokio::test]
async fn files_of_runs_are_their_users_own_and_none_are_the_machines() {
    let server = with_accounts();
    let known = |token| As {
        server: &server,
        token: Some(token),
    };
    let (ann, bob) = (known(ANN.1), known(BOB.1));
    let write = script(
        "await workspace.write('mine.txt', 'of ann'); return { output: 1 };",
        10,
    );
    assert_eq!(ann.run(&write).await.0, 200);
    let read = script("return { output: await workspace.read('mine.txt') };", 10);
    assert_eq!(ann.run(&read).await.1["out"], "of ann");
    let (status, told) = bob.run(&read).await;
    assert!(
        status >= 400 && !told.to_string().contains("of ann"),
        "{told}"
    );
    for folder in ["/etc", "/", server.folder().to_str().unwrap()] {
        let body = json!({ "name": "w", "path": folder }).to_string();
        assert_eq!(
            bob.ask("POST", "/api/workspaces", Some(&body)).await.0,
            400,
            "{folder}"
        );
    }
}

#[tokio::test]
async fn a_webhook_keeps_its_secret_from_those_who_may_only_run_it() {
    let server = with_accounts();
    let known = |token| As {
        server: &server,
        token: Some(token),
    };
    let (ann, bob) = (known(ANN.1), known(BOB.1));
    let hook = node(
        "h",
        "nodetool.triggers.WebhookTrigger",
        json!({ "secret": "planted-secret" }),
    );
    let graph = graph(&[hook, output()], &["h.body -> o.value"]);
    let body = json!({ "name": "W", "access": "public", "graph": graph, "run_mode": "trigger" });
    let id = ann.make("/api/workflows", &body).await["id"].clone();
    let id = id.as_str().unwrap();
    let own = ann
        .ask("GET", &format!("/api/workflows/{id}"), None)
        .await
        .1;
    assert!(own.to_string().contains("planted-secret"));
    for path in [
        format!("/api/workflows/{id}"),
        format!("/api/workflows/public/{id}"),
        "/api/workflows/public".into(),
        format!("/workflows/{id}"),
    ] {
        let (status, told) = bob.ask("GET", &path, None).await;
        assert_eq!(status, 200, "{path}");
        assert!(
            !told.to_string().contains("planted-secret"),
            "{path}: {told}"
        );
    }
}

#[tokio::test]
async fn a_user_who_is_removed_loses_what_is_open() {
    let server = with_accounts();
    let root = As {
        server: &server,
        token: Some(ROOT.1),
    };
    let gone = As {
        server: &server,
        token: Some(GONE.1),
    };
    let ticket = gone.make("/api/tickets", &json!({})).await["ticket"].clone();
    let mut socket = super::ws::opened(&server, &format!("/ws?token={}", GONE.1)).await;
    let path = format!("/api/users/{}", GONE.0);
    assert_eq!(root.ask("DELETE", &path, None).await.0, 200);
    assert_eq!(socket.close_code().await, 1008);
    let path = format!("/ws?token={}", ticket.as_str().unwrap());
    let mut socket = super::ws::opened(&server, &path).await;
    assert_eq!(socket.close_code().await, 1008);
}

#[tokio::test]
async fn a_right_token_passes_from_an_address_that_has_guessed() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", TOKEN),
        ("NODETOOL_AUTH_FAILURES_PER_MINUTE", "3"),
    ];
    let server = TestServer::start_in(&environment, &[]);
    let known = |token| As {
        server: &server,
        token: Some(token),
    };
    for _ in 0..3 {
        assert_eq!(known("guess").ask("GET", "/api/jobs", None).await.0, 401);
    }
    assert_eq!(known("guess").ask("GET", "/api/jobs", None).await.0, 429);
    assert_eq!(known(TOKEN).ask("GET", "/api/jobs", None).await.0, 200);
}
