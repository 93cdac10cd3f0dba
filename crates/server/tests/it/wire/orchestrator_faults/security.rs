//! Forms, paths, addresses and headers that mean harm (orchestrator spec 8.1: S1 to S4, S7, S12, S13, S15, S17).

use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::local::with_headers;
use super::super::server::{TestServer, within};
use super::{Flow, found, note, webhook};

#[tokio::test]
async fn s1_icons_read_no_files() {
    let server = TestServer::start();
    let client = server.client();
    for path in [
        "/node-icons//etc/hostname",
        "/node-icons/../../etc/hostname",
        "/node-icons/%2e%2e/%2e%2e/etc/hostname",
        "/node-icons/..%2f..%2fetc%2fhostname",
        "/node-icons/%2fetc%2fhostname",
        "/node-icons/default.png/../../../etc/hostname",
        "/node-icons/default.png%00",
    ] {
        let request = with_headers(Method::GET, path, &[], "");
        assert_eq!(client.send_unchecked(request).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn s2_templates_reach_no_insides() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("data-transformer", json!({})).await;
    for template in [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ data.__class__.__init__.__globals__ }}",
        "{{ runtime.__class__ }}",
        "{{ workflowenv.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace.__init__ }}",
        "{{ request }}{{ config }}",
        "{{ ''|attr('__class__')|attr('__mro__') }}",
        "{{ [].__reduce__ }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}{{ os }}",
        "{% extends '/etc/passwd' %}",
    ] {
        let form = json!({ "overwrite": false, "output_template": format!("[\"{template}\"]") });
        let answer = flow.try_node(&node, form, json!({})).await.ok();
        let told = answer["output"]["data"].to_string();
        for inside in ["class", "builtin", "module", "object at", "root:", "uid="] {
            assert!(!told.contains(inside), "{template}: {answer}");
        }
        let error = answer["error"].as_str().unwrap_or_default();
        for inside in ["crates/", ".rs:", "panicked", "Traceback", "root:"] {
            assert!(!error.contains(inside), "{template}: {answer}");
        }
    }
    client.check_health().await;
}

#[tokio::test]
async fn s3_conditions_call_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("if-condition", json!({})).await;
    let touched = server.folder().join("touched");
    let touch = format!("__import__('os').system('touch {}')", touched.display());
    for condition in [
        touch.as_str(),
        "open('/etc/passwd').read()",
        "().__class__.__bases__[0].__subclasses__()",
        "data.__class__",
        "data.get.__self__",
        "(lambda: 1)()",
        "[x for x in [1]]",
        "eval('1')",
        "exec('1')",
        "(x := 1)",
        "f'{data}'",
        "data['a'].format(data)",
    ] {
        let form = json!({ "condition_expression": condition });
        let answer = flow
            .try_node(&node, form, json!({ "a": "{0.__class__}" }))
            .await
            .ok();
        assert_eq!(answer["success"], false, "{condition}: {answer}");
    }
    assert!(!touched.exists());
}

#[tokio::test]
async fn s4_files_are_written_into_their_folder_alone() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let (kind, form) = note("first.txt", "x");
    let node = flow.node(kind, form.clone()).await;
    let answer = flow.try_node(&node, form, json!({})).await.ok();
    assert_eq!(answer["success"], true, "{answer}");
    let first = found(server.folder(), "first.txt").expect("the file that was written");
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target.txt");
    std::fs::write(&target, "as it was").unwrap();
    let here = first.parent().unwrap();
    std::os::unix::fs::symlink(outside.path(), here.join("folder")).unwrap();
    std::os::unix::fs::symlink(&target, here.join("file.txt")).unwrap();
    let absolute = outside.path().join("new.txt");
    for path in [
        "../new.txt",
        "a/../../new.txt",
        "../../../../../../../../../../tmp/nodetool-s4.txt",
        absolute.to_str().unwrap(),
        "folder/new.txt",
        "file.txt",
        "/new.txt",
        "{{ '..' }}/new.txt",
        "nul\0byte.txt",
    ] {
        for mode in ["w", "a"] {
            let form = json!({ "file_path": path, "mode": mode, "content": "changed" });
            let answer = flow.try_node(&node, form, json!({})).await;
            let refused = answer.status == 422 || answer.ok()["success"] == false;
            assert!(refused, "{path}: {answer:?}");
        }
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "as it was");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert!(!std::path::Path::new("/tmp/nodetool-s4.txt").exists());
    assert_eq!(found(server.folder(), "new.txt"), None);
}

#[tokio::test]
async fn s7_the_credentials_of_a_caller_go_into_no_data() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let ids = flow
        .chain(&[webhook("w"), note("seen.txt", "{{ data|tojson }}")])
        .await;
    let mut watch = flow.watch(&server).await;
    flow.start().await;
    watch
        .until_state(|state| state["executing_nodes"].get(&ids[0]).is_some())
        .await;
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer the-credential"),
        ("cookie", "session=the-credential"),
        ("x-api-key", "the-credential"),
        ("proxy-authorization", "the-credential"),
        ("x-other", "not secret"),
    ];
    let path = "/api/webhooks/w/?token=visible";
    let request = with_headers(Method::POST, path, &headers, "{}");
    assert_eq!(client.send(request).await.status, 202);
    let told = watch
        .until(|m| m["type"] == "node_completed" && m["node_id"] == ids[1])
        .await;
    let told = Value::from(told).to_string();
    assert!(!told.contains("the-credential"), "{told}");
    let seen = found(server.folder(), "seen.txt").expect("the file that was written");
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("not secret"), "{seen}");
    assert!(!seen.contains("the-credential"), "{seen}");
    flow.stop().await;

    // A call of a workflow that answers, too.
    let made = json!({ "name": "Api", "workflow_type": "api" });
    let made = client.post("/api/workflow/", &made).await.json();
    let flow = Flow {
        client: &client,
        id: made["id"].as_str().unwrap().to_owned(),
    };
    flow.chain(&[webhook("w")]).await;
    flow.post("activate", &json!({})).await.ok();
    let path = flow.path("execute");
    let request = with_headers(Method::POST, &path, &headers, "{\"input\": {}}");
    let answer = client.send(request).await.ok().to_string();
    assert!(answer.contains("not secret"), "{answer}");
    assert!(!answer.contains("the-credential"), "{answer}");
}

#[tokio::test]
async fn s12_faults_are_json_without_insides_and_pages_of_others_are_kept_out() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.node("http-request", json!({})).await;
    let task = flow.start().await["task_id"].clone();
    flow.comes_to("FAILURE").await;
    let path = format!("/api/celery/task/{}/status/", task.as_str().unwrap());
    let told = client.get(&path).await.ok();
    assert_eq!(told["state"], "FAILURE");
    assert!(told.get("traceback").is_none_or(Value::is_null), "{told}");
    for (method, path, body) in [
        (Method::GET, "/api/workflow/none/canvas_data/", ""),
        (Method::POST, "/api/workflow/", "{"),
        (Method::POST, "/api/workflow/", "[]"),
        (Method::POST, "/api/workflow/none/execute/", "{}"),
        (Method::POST, "/api/nodes/none/execute/", "{}"),
    ] {
        let headers = [("content-type", "application/json")];
        let reply = client
            .send(with_headers(method, path, &headers, body))
            .await;
        assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
        let told = reply.json().to_string();
        for inside in ["crates/", ".rs:", "panicked", "Traceback", "<html"] {
            assert!(!told.contains(inside), "{path}: {told}");
        }
    }
    let foreign = [("origin", "https://evil.example")];
    let request = with_headers(Method::GET, "/api/workflow/", &foreign, "");
    let reply = client.send_unchecked(request).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), "");
    let rebound = [("host", "evil.example")];
    let request = with_headers(Method::GET, "/api/workflow/", &rebound, "");
    assert_eq!(client.send_unchecked(request).await.status, 403);
}

#[tokio::test]
async fn s13_a_page_of_another_site_starts_and_stops_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[webhook("w")]).await;
    for site in ["cross-site", "same-site"] {
        for what in ["start_execution", "stop_execution"] {
            let headers = [("sec-fetch-site", site)];
            let request = with_headers(Method::GET, &flow.path(what), &headers, "");
            let reply = client.send(request).await;
            assert_eq!(reply.status, 403, "{site} {what}: {reply:?}");
            assert_eq!(reply.json()["code"], "FORBIDDEN");
        }
    }
    assert_eq!(flow.object().await["runs_count"], 0);
    for site in ["same-origin", "none"] {
        let headers = [("sec-fetch-site", site)];
        let request = with_headers(Method::GET, &flow.path("start_execution"), &headers, "");
        client.send(request).await.ok();
    }
    assert_eq!(flow.object().await["runs_count"], 1);
}

#[tokio::test]
async fn s15_requests_go_nowhere_private_and_follow_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("http-request", json!({})).await;
    for host in [
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        "[::1]".to_owned(),
        "[::ffff:127.0.0.1]".to_owned(),
        "2130706433".to_owned(),
        "0x7f.1".to_owned(),
        "0.0.0.0".to_owned(),
        "169.254.169.254".to_owned(),
        "10.0.0.1".to_owned(),
        server.address().ip().to_string(),
    ] {
        let url = format!("http://{host}:{port}/latest/meta-data/");
        let form = json!({ "method": "GET", "url": url, "timeout_seconds": 20 });
        let answer = flow.try_node(&node, form, json!({})).await.ok();
        let result = &answer["output"]["data"]["http_request"];
        let refused = answer["success"] == false
            || result["status"] == 0 && result["error"]["message"].is_string();
        assert!(refused, "{url}: {answer}");
    }
    let nobody = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");

    // Where an address is allowed, a redirect is an answer.
    let server = TestServer::start_with(&["--allow-host", "127.0.0.1"]);
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("http-request", json!({})).await;
    let form = json!({ "method": "GET", "url": format!("http://127.0.0.1:{port}/") });
    let answering = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 64];
        socket.read_exact(&mut head).await.unwrap();
        let answer =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket
    };
    let (_socket, answer) = within("the answer", async {
        tokio::join!(answering, flow.try_node(&node, form, json!({})))
    })
    .await;
    let answer = answer.ok();
    assert_eq!(
        answer["output"]["data"]["http_request"]["status"], 302,
        "{answer}"
    );
}

#[tokio::test]
async fn s17_passwords_of_forms_are_written_and_never_read() {
    let server = TestServer::start_in(&[("SECRETS_MASTER_KEY", "a key for tests")], &[]);
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form = json!({ "method": "GET", "url": "https://a.example/", "auth_type": "basic",
        "auth_username": "ann", "auth_password": "the-password-of-ann" });
    let node = flow.node("http-request", form).await;
    for path in [
        "canvas_data",
        "rawconfig",
        "nodes",
        &format!("nodes/{node}"),
    ] {
        let told = flow.get(path).await.ok().to_string();
        assert!(told.contains("ann"), "{told}");
        assert!(!told.contains("the-password"), "{path}: {told}");
    }
    let other = format!("/api/workflows/{}", flow.id.replace('-', ""));
    let told = client.get(&other).await.ok().to_string();
    assert!(!told.contains("the-password"), "{told}");
    let copy = flow.post("duplicate", &json!({})).await;
    assert_eq!(copy.status, 201);
    assert!(!copy.json().to_string().contains("the-password"));
    let answer = flow
        .post("execute_and_save_node", &json!({ "node_id": node }))
        .await;
    assert!(
        !answer.json().to_string().contains("the-password"),
        "{answer:?}"
    );
    // At rest, too: whatever lies in the data folder.
    let folder = server.kill().await;
    let mut left = vec![folder.path().to_owned()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            let plain = bytes.windows(12).any(|w| w == b"the-password");
            assert!(!plain, "{} has it", path.display());
        }
    }
}
