//! Attacks of the classes that servers of this kind are known to fall to, one test or more for each; what a class is and
//! which other tests guard it is in `docs/security.md`.

use hyper::Method;
use serde_json::{Value, json};

use super::description::DESCRIPTION;
use super::graphs::{CODE, graph, greeting, node, output, script};
use super::local::with_headers;
use super::server::{TestServer, folder, program};

/// A script that leaves a trace if it is run.
const TRACE: &str = "await workspace.write('ran.txt', 'ran'); return { output: 'ran' };";

fn has_run(server: &TestServer) -> bool {
    server.folder().join("workspace/ran.txt").exists()
}

#[tokio::test]
async fn class_a_what_is_looked_at_is_not_run() {
    let server = TestServer::start();
    let client = server.client();
    let tempting = script(TRACE, 10);
    let id = client.save(&tempting).await;
    for path in ["interface", "versions", "app"] {
        client.get(&format!("/api/workflows/{id}/{path}")).await;
    }
    let body = json!({ "name": "W", "access": "private", "graph": tempting });
    client
        .put(&format!("/api/workflows/{id}"), &body)
        .await
        .ok();
    client
        .post(
            &format!("/api/workflows/{id}/autosave"),
            &json!({ "graph": tempting }),
        )
        .await;
    client.get("/api/workflows/tools").await.ok();
    let file = folder();
    let path = file.path().join("w.json");
    std::fs::write(&path, body.to_string()).unwrap();
    let checked = program().arg("validate").arg(&path).output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    assert!(!has_run(&server), "nothing of this runs a node");
    client.run(&id, json!({})).await.ok();
    assert!(
        has_run(&server),
        "the script does leave a trace when it runs"
    );
}

#[tokio::test]
async fn class_a_a_run_is_of_the_stored_graph() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for path in [
        format!("/api/workflows/{id}/run"),
        format!("/workflows/{id}/run"),
    ] {
        let body = json!({ "params": { "name": "x" }, "graph": script(TRACE, 10) });
        client.post(&path, &body).await;
        assert!(!has_run(&server), "{path} took a graph of the caller");
    }
}

#[tokio::test]
async fn class_a_scripts_and_templates_see_nothing_of_the_host() {
    let server = TestServer::start();
    let client = server.client();
    let names = [
        "process",
        "require",
        "Deno",
        "Bun",
        "globalThis.process",
        "std",
        "os",
        "XMLHttpRequest",
        "WebAssembly",
        "importScripts",
    ];
    let probe = names.map(|name| format!("typeof {name}")).join(", ");
    let code = format!("return {{ output: [{probe}].join(' ') }};");
    let id = client.save(&script(&code, 10)).await;
    let seen = client.run(&id, json!({})).await.ok();
    let seen = seen["out"].as_str().unwrap();
    assert!(seen.split(' ').all(|kind| kind == "undefined"), "{seen}");
    let escapes = [
        "return { output: this.constructor.constructor('return typeof process')() };",
        "return { output: await import('fs').then(() => 'in', () => 'out') };",
        "return { output: await import('file:///etc/passwd').then(() => 'in', () => 'out') };",
    ];
    for code in escapes {
        let id = client.save(&script(code, 10)).await;
        let reply = client.run(&id, json!({})).await;
        if reply.status == 200 {
            let told = reply.ok()["out"].clone();
            assert!(told == "undefined" || told == "out", "{code}: {told}");
        }
    }
    for template in [
        "{{ ''.__class__.__mro__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ config }}",
        "{{ name.__globals__ }}",
    ] {
        let text = node(
            "t",
            "nodetool.text.FormatText",
            json!({ "template": template }),
        );
        let id = client
            .save(&graph(&[text, output()], &["t.output -> o.value"]))
            .await;
        let reply = client.run(&id, json!({})).await;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(
            !told.contains("class '") && !told.contains("function"),
            "{template}: {told}"
        );
    }
}

#[tokio::test]
async fn class_b_no_graph_starts_a_program() {
    let server = TestServer::start();
    let client = server.client();
    let metadata = client.get("/api/nodes/metadata").await.ok();
    let types = metadata
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|n| n["node_type"].as_str());
    let runners: Vec<&str> = types
        .filter(|t| t.starts_with("nodetool.code.") && *t != CODE)
        .collect();
    assert!(!runners.is_empty(), "there are such nodes to try");
    for runner in runners {
        let mark = server.folder().join("workspace/spawned");
        let code = format!("touch {}", mark.display());
        let data = json!({ "code": code, "command": code, "image": "x" });
        let id = client.save(&graph(&[node("c", runner, data)], &[])).await;
        client.run(&id, json!({})).await;
        assert!(!mark.exists(), "{runner} ran a program");
    }
}

#[tokio::test]
async fn class_c_a_body_does_not_name_files_of_the_server() {
    let server = TestServer::start();
    let client = server.client();
    let planted = server.folder().join("planted.txt");
    std::fs::write(&planted, "of the host").unwrap();
    let path = planted.to_str().unwrap();
    // As JSON that looks like the outcome of an upload.
    let forged = json!({
        "name": "x", "content_type": "text/plain", "filepath": path, "file": { "filepath": path, "path": path },
        "files": [{ "filepath": path }], "uri": format!("file://{path}"), "url": format!("file://{path}"),
        "get_url": format!("file://{path}"), "data": format!("file://{path}"), "key": format!("../../{path}"),
    });
    let made = client.post("/api/assets", &forged).await;
    let listed = client.get("/api/assets").await.ok();
    assert!(
        made.status >= 400
            || listed["assets"]
                .as_array()
                .unwrap()
                .iter()
                .all(|a| a["size"].as_i64() != Some(11))
    );
    // As parts of a form.
    let part = |name: &str, more: &str, value: &str| {
        format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n")
    };
    let meta = json!({ "name": "y", "content_type": "text/plain", "id": "../../x", "filepath": path, "user_id": "2" });
    let body = [
        part("json", "", &meta.to_string()),
        part("file", &format!("; filename=\"{path}\""), "of the sender"),
        part("filepath", "", path),
        "--B--\r\n".into(),
    ]
    .concat();
    let reply = client
        .post_as("/api/assets", "multipart/form-data; boundary=B", body)
        .await;
    if reply.status == 200 {
        let asset = reply.ok();
        let read = client.get(asset["get_url"].as_str().unwrap()).await;
        assert_eq!(&read.body[..], b"of the sender");
        assert_eq!(asset["user_id"], "1");
        assert_eq!(
            asset["id"].as_str().unwrap().len(),
            32,
            "the id is the server's: {asset}"
        );
    }
    // As an input of a workflow.
    for uri in [
        format!("file://{path}"),
        path.to_owned(),
        "/api/storage/..%2fplanted.txt".into(),
    ] {
        let input = node("i", "nodetool.input.TextInput", json!({ "name": "t" }));
        let id = client
            .save(&graph(&[input, output()], &["i.output -> o.value"]))
            .await;
        let reply = client
            .run(&id, json!({ "t": { "type": "text", "uri": uri } }))
            .await;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!told.contains("of the host"), "{uri}: {told}");
    }
}

#[tokio::test]
async fn class_d_no_path_leads_out_of_its_folder() {
    let server = TestServer::start();
    let client = server.client();
    std::fs::write(server.folder().join("planted.txt"), "of the host").unwrap();
    let tricks = [
        "..%2fplanted.txt",
        "..%5cplanted.txt",
        "%2e%2e%2fplanted.txt",
        "..%252fplanted.txt",
        "a%2f..%2f..%2fplanted.txt",
        "....%2f%2fplanted.txt",
        "%2fetc%2fpasswd",
        "..%c0%afplanted.txt",
        "planted.txt%00.png",
        "..;%2fplanted.txt",
        "C:%5cplanted.txt",
        "%5c%5chost%5cshare",
    ];
    for (before, after) in [
        ("/api/storage/", ""),
        ("/api/storage/temp/", ""),
        ("/storage/", ""),
        ("/storage/assets/", ""),
        ("/api/assets/by-filename/", ""),
        ("/api/assets/", "/thumbnail"),
        ("/api/workflows/examples/package/", ""),
        ("/api/assets/packages/package/", ""),
        ("/api/skills/", ""),
        ("/api/workflows/", "/app"),
        ("/api/files/download/", ""),
    ] {
        for trick in tricks {
            let path = format!("{before}{trick}{after}");
            let reply = client.get(&path).await;
            assert!(
                reply.status != 200 && reply.status < 500,
                "{path}: {}",
                reply.status
            );
            assert!(
                !String::from_utf8_lossy(&reply.body).contains("of the host"),
                "{path}"
            );
        }
    }
    for trick in tricks {
        let path = format!("/api/storage/{trick}");
        let request = with_headers(Method::PUT, &path, &[], "overwritten");
        client.send(request).await;
    }
    let kept = std::fs::read_to_string(server.folder().join("planted.txt")).unwrap();
    assert_eq!(kept, "of the host");
}

#[tokio::test]
async fn class_f_owners_and_roles_are_not_taken_from_bodies() {
    let server = TestServer::start();
    let client = server.client();
    let forged = |mut body: Value| {
        for (key, value) in [
            ("user_id", json!("2")),
            ("owner", json!("2")),
            ("role", json!("admin")),
            ("is_admin", json!(true)),
            ("created_at", json!("1999-01-01T00:00:00")),
            ("etag", json!("mine")),
            ("__proto__", json!({ "user_id": "2" })),
        ] {
            body[key] = value;
        }
        body
    };
    let workflow = forged(json!({ "name": "W", "access": "private", "graph": greeting() }));
    let made = client.post("/api/workflows", &workflow).await.ok();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_ne!(made["etag"], "mine");
    assert_ne!(made["created_at"], "1999-01-01T00:00:00");
    client
        .put(&format!("/api/workflows/{id}"), &workflow)
        .await
        .ok();
    assert_eq!(
        client.get(&format!("/api/workflows/{id}")).await.status,
        200,
        "still the caller's"
    );
    let thread = client.post("/api/threads", &forged(json!({}))).await.ok();
    assert_eq!(thread["user_id"], "1");
    let message = forged(json!({ "role": "user", "content": "x", "thread_id": thread["id"] }));
    let message = client.post("/api/messages", &message).await.ok();
    assert!(
        message["user_id"].is_null() || message["user_id"] == "1",
        "{message}"
    );
    client.run(&id, json!({ "name": "x" })).await.ok();
    let run = forged(json!({ "params": { "name": "x" } }));
    client.post(&format!("/api/workflows/{id}/run"), &run).await;
    let jobs = client.get("/api/jobs").await.ok();
    assert!(
        jobs["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["user_id"] == "1")
    );
    for key in [
        "AUTH_PROVIDER",
        "SERVER_AUTH_TOKEN",
        "ADMIN_TOKEN",
        "SECRETS_MASTER_KEY",
        "ENV",
        "USERS_FILE_2",
    ] {
        let body = json!({ "settings": { key: "none" }, "secrets": {} });
        let refused = client.put("/api/settings", &body).await;
        assert_eq!(refused.status, 422, "{key}");
    }
}

#[tokio::test]
async fn class_h_what_users_store_does_not_run_in_the_browser() {
    let server = TestServer::start();
    let client = server.client();
    for (name, content) in [
        ("page.html", "<script>alert(1)</script>"),
        (
            "image.svg",
            "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        ),
        (
            "page.xhtml",
            "<html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>",
        ),
        ("doc.xml", "<?xml version='1.0'?><x/>"),
        ("code.js", "alert(1)"),
        ("odd.bin", "<script>alert(1)</script>"),
        ("mail.eml", "<script>alert(1)</script>"),
        ("page.mhtml", "<script>alert(1)</script>"),
    ] {
        let path = format!("/api/storage/{name}");
        let put = with_headers(Method::PUT, &path, &[], content.to_owned());
        assert_eq!(client.send(put).await.status, 200);
        let reply = client.get(&path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{name}");
        let inert = reply.header("content-security-policy").contains("sandbox")
            && reply
                .header("content-disposition")
                .starts_with("attachment");
        let plain = reply
            .header("content-type")
            .starts_with("application/octet-stream");
        assert!(inert || plain, "{name}: {:?}", reply.headers);
    }
    let body = json!({ "name": "W", "access": "private", "graph": greeting(), "html_app": "<html><head></head><script>alert(1)</script></html>" });
    let id = client.post("/api/workflows", &body).await.ok()["id"].clone();
    let app = client
        .get(&format!("/api/workflows/{}/app", id.as_str().unwrap()))
        .await;
    assert!(
        app.header("content-security-policy").contains("sandbox"),
        "{:?}",
        app.headers
    );
    assert!(
        !app.header("content-security-policy")
            .contains("allow-same-origin")
    );
}

#[tokio::test]
async fn class_i_texts_of_queries_are_no_sql() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client.run(&id, json!({ "name": "x" })).await.ok();
    let tricks = [
        "' OR '1'='1",
        "'; DROP TABLE jobs; --",
        "1) OR 1=1 --",
        "\\'; SELECT 1",
        "%",
        "$1",
        "?1",
        ":a",
    ];
    let mut tried = 0;
    for (path, item) in DESCRIPTION.root["paths"].as_object().unwrap() {
        if path.contains('{') {
            continue;
        }
        let parameters = item["get"]["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for name in parameters
            .iter()
            .filter(|p| p["in"] == "query")
            .filter_map(|p| p["name"].as_str())
        {
            for trick in tricks {
                let value: String =
                    url::form_urlencoded::byte_serialize(trick.as_bytes()).collect();
                let reply = client.get(&format!("{path}?{name}={value}")).await;
                assert!(
                    reply.status < 500,
                    "{path}?{name}={trick}: {}",
                    reply.status
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried} requests");
    assert_eq!(
        client.get("/api/jobs").await.ok()["jobs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        client.get("/api/workflows").await.ok()["workflows"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn class_l_nothing_is_installed_from_elsewhere() {
    let server = TestServer::start();
    let client = server.client();
    let body = json!({ "repo_id": "evil/package" });
    for path in ["/api/packages/install", "/api/packages/update"] {
        let refused = client.post(path, &body).await;
        assert!(
            matches!(refused.status, 400 | 404 | 501),
            "{path}: {}",
            refused.status
        );
    }
}

#[tokio::test]
async fn class_m_nodes_do_not_reach_into_the_network_of_the_server() {
    let server = TestServer::start();
    let client = server.client();
    let port = server.address().port();
    let id = client
        .save(&graph(
            &[
                node("i", "nodetool.input.StringInput", json!({ "name": "url" })),
                node("h", "lib.http.GetRequest", json!({})),
                output(),
            ],
            &["i.output -> h.url", "h.output -> o.value"],
        ))
        .await;
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
        "metadata.google.internal",
        "evil.example@127.0.0.1",
        "127.0.0.1#.example.com",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/api/workflows");
        let reply = client.run(&id, json!({ "url": url })).await;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(
            reply.status >= 400 && !told.contains("\"workflows\""),
            "{url}: {} {told}",
            reply.status
        );
    }
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "data:text/plain,x",
        "dict://127.0.0.1:1/",
    ] {
        let reply = client.run(&id, json!({ "url": url })).await;
        assert!(reply.status >= 400, "{url}: {}", reply.status);
    }
    assert_eq!(client.get("/api/jobs").await.status, 200);
}

#[tokio::test]
async fn class_n_what_is_for_authors_is_not_on_a_server_for_others() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "tok"),
        ("NODETOOL_ENABLE_TERMINAL_WS", "1"),
    ];
    let server = TestServer::start_in(&environment, &["--mode", "private"]);
    let bearer = [("authorization", "Bearer tok")];
    for path in [
        "/terminal",
        "/ws/terminal",
        "/hf/download",
        "/ws/download",
        "/api/files/list",
        "/api/files/info?path=/etc",
        "/api/packages/installed",
        "/api/predictions",
    ] {
        let request = with_headers(Method::GET, path, &bearer, "");
        assert_eq!(
            server.client().send_unchecked(request).await.status,
            404,
            "{path}"
        );
    }
}
