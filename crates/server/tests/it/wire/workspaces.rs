//! Workspaces and the files in them (HTTP spec 6.17; conformance rows 81, 82).

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::graphs::greeting;
use super::local::{local_json, upload, with_headers};
use super::server::{TestServer, folder};

fn body(name: &str, path: &Path) -> Value {
    json!({ "name": name, "path": path })
}

async fn create(client: &Client, body: &Value) -> Reply {
    client
        .send(local_json(Method::POST, "/api/workspaces/", body))
        .await
}

/// A workspace on a folder; gives its id.
async fn made(client: &Client, path: &Path) -> String {
    let made = create(client, &body("W", path)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["id"].as_str().unwrap().to_owned()
}

/// A workflow that uses a workspace; gives its id.
async fn linked(client: &Client, workspace: Option<&str>) -> String {
    let sent =
        json!({ "name": "W", "access": "private", "graph": greeting(), "workspace_id": workspace });
    let made = client.post("/api/workflows", &sent).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn case_81_a_workspace_is_a_folder_that_exists_and_stays_while_workflows_use_it() {
    let (server, outside) = (TestServer::start(), folder());
    let client = server.client();
    let root = outside.path().canonicalize().unwrap();
    std::fs::write(root.join("file"), "").unwrap();
    for (path, told) in [
        (Path::new("relative"), "absolute"),
        (&root.join("missing"), "does not exist"),
        (&root.join("file"), "not a directory"),
        (&root.join("../x"), "'..'"),
        (Path::new(""), "absolute"),
    ] {
        let refused = create(&client, &body("W", path)).await.detail(400);
        assert!(refused.contains(told), "{refused}");
    }
    let reply = create(&client, &body("W", &root)).await;
    assert_eq!(reply.status, 201);
    let made = reply.json();
    assert_eq!((&made["name"], &made["path"]), (&json!("W"), &json!(root)));
    assert_eq!(
        (&made["is_default"], &made["is_accessible"]),
        (&json!(false), &json!(true))
    );
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/workspaces/{id}");
    assert_eq!(client.get(&path).await.ok(), made);
    let list = client.get("/api/workspaces").await.ok();
    assert_eq!(list, json!({ "workspaces": [made], "next_cursor": "" }));
    let workflow = linked(&client, Some(id)).await;
    assert!(
        client
            .delete(&path)
            .await
            .detail(400)
            .contains("used by workflows")
    );
    client
        .delete(&format!("/api/workflows/{workflow}"))
        .await
        .ok();
    let gone = client.delete(&path).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(
        client.delete(&path).await.detail(404),
        format!("Workspace not found: {id}")
    );
    assert_eq!(
        client.get(&path).await.detail(404),
        format!("Workspace not found: {id}")
    );
    assert!(root.join("file").exists(), "the folder is not touched");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_no_workspace_unless_for_root() {
    let (server, outside) = (TestServer::start(), folder());
    let client = server.client();
    let locked = outside.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o555)).unwrap();
    let reply = create(&client, &body("W", &locked)).await;
    if rustix::process::geteuid().is_root() {
        assert_eq!(reply.status, 201);
    } else {
        assert!(reply.detail(400).contains("not writable"));
    }
}

#[tokio::test]
async fn at_most_one_workspace_is_the_default() {
    let (server, outside) = (TestServer::start(), folder());
    let client = server.client();
    assert_eq!(
        client.get("/api/workspaces/default").await.ok(),
        Value::Null
    );
    let mut sent = body("one", outside.path());
    sent["is_default"] = json!(true);
    let one = create(&client, &sent).await.json();
    sent["name"] = json!("two");
    let two = create(&client, &sent).await.json();
    assert_eq!(client.get("/api/workspaces/default").await.ok(), two);
    let path = format!("/api/workspaces/{}", one["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.ok()["is_default"], false);
    let changed = client
        .put(&path, &json!({ "is_default": true, "name": "1" }))
        .await
        .ok();
    assert_eq!(
        (&changed["name"], &changed["path"]),
        (&json!("1"), &one["path"])
    );
    assert_eq!(client.get("/api/workspaces/default").await.ok(), changed);
    let list = client.get("/api/workspaces?limit=1").await.ok();
    assert_eq!(list["workspaces"][0]["id"], one["id"]);
    let next = list["next_cursor"].as_str().unwrap();
    let rest = client
        .get(&format!("/api/workspaces?limit=1&cursor={next}"))
        .await
        .ok();
    assert_eq!(
        (&rest["workspaces"][0]["id"], &rest["next_cursor"]),
        (&two["id"], &json!(""))
    );
    let refused = client
        .put(&path, &json!({ "is_default": "yes", "name": 1 }))
        .await
        .places();
    assert_eq!(refused.len(), 2);
    assert_eq!(
        client.put(&path, &json!({ "path": "x" })).await.detail(400),
        "Path must be absolute"
    );
    let missing = client
        .put("/api/workspaces/none", &json!({ "name": "x" }))
        .await;
    assert_eq!(missing.detail(404), "Workspace not found: none");
}

#[tokio::test]
async fn a_page_of_somebody_else_cannot_make_a_folder_a_workspace() {
    let (server, outside) = (TestServer::start(), folder());
    let client = server.client();
    let sent = body("W", outside.path()).to_string();
    for foreign in [
        ("host", "nodetool.test"),
        ("origin", "https://evil.example"),
        ("x-forwarded-for", "10.1.1.1"),
    ] {
        let headers = [foreign, ("content-type", "application/json")];
        let request = with_headers(Method::POST, "/api/workspaces", &headers, sent.clone());
        let status = if foreign.0 == "x-forwarded-for" {
            400
        } else {
            403
        };
        client.send(request).await.detail(status);
    }
}

#[tokio::test]
async fn workspaces_stay_within_the_roots_that_are_set() {
    let (root, other) = (folder(), folder());
    let allowed = root.path().join("in");
    std::fs::create_dir(&allowed).unwrap();
    symlink(other.path(), root.path().join("out")).unwrap();
    let roots = root.path().to_str().unwrap().to_owned();
    let server = TestServer::start_with(&["--workspace-root", &roots]);
    let client = server.client();
    for path in [
        other.path(),
        &root.path().join("out"),
        Path::new("/"),
        &root.path().join("../etc"),
    ] {
        assert_eq!(
            create(&client, &body("W", path)).await.status,
            400,
            "{}",
            path.display()
        );
    }
    let sent = body("W", &allowed);
    assert_eq!(
        client.post("/api/workspaces", &sent).await.status,
        201,
        "roots hold for everybody"
    );
    let production = TestServer::start_with(&["--environment", "production"]);
    let refused = create(&production.client(), &sent).await.detail(400);
    assert!(refused.contains("outside the folders"), "{refused}");
}

#[tokio::test]
async fn case_82_no_path_leads_out_of_a_workspace() {
    let (server, outer) = (TestServer::start(), folder());
    let client = server.client();
    let root = outer.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(outer.path().join("x"), "secret").unwrap();
    symlink(outer.path().join("x"), root.join("file-link")).unwrap();
    symlink(outer.path(), root.join("folder-link")).unwrap();
    let workspace = made(&client, &root).await;
    let workflow = linked(&client, Some(&workspace)).await;
    let base = format!("/api/workspaces/workflow/{workflow}");
    for path in [
        "..%2Fx",
        "../x",
        "a/../../x",
        "file-link",
        "folder-link/x",
        "%2Fetc%2Fpasswd",
        "a%00b",
    ] {
        let refused = client.get(&format!("{base}/download/{path}")).await;
        assert_eq!(
            refused.detail(403),
            "Access denied: path outside workspace",
            "{path}"
        );
        let refused = client
            .send(upload(&format!("{base}/upload/{path}"), "file", b"new"))
            .await;
        assert_eq!(
            refused.detail(403),
            "Access denied: path outside workspace",
            "{path}"
        );
    }
    for path in ["..", "folder-link", "/", "/etc"] {
        let refused = client.get(&format!("{base}/files?path={path}")).await;
        assert_eq!(
            refused.detail(403),
            "Access denied: path outside workspace",
            "{path}"
        );
    }
    assert_eq!(std::fs::read(outer.path().join("x")).unwrap(), b"secret");
    // The folder itself may have become a link since.
    std::fs::rename(&root, outer.path().join("moved")).unwrap();
    symlink(outer.path(), &root).unwrap();
    assert_eq!(client.get(&format!("{base}/download/x")).await.status, 403);
    let shown = client
        .get(&format!("/api/workspaces/{workspace}"))
        .await
        .ok();
    assert_eq!(shown["is_accessible"], false);
}

#[tokio::test]
async fn files_of_a_workspace_are_listed_stored_and_read_back() {
    let (server, outer) = (TestServer::start(), folder());
    let client = server.client();
    let workspace = made(&client, outer.path()).await;
    let workflow = linked(&client, Some(&workspace)).await;
    let base = format!("/api/workspaces/workflow/{workflow}");
    let content: Vec<u8> = (0..700_000u32).map(|n| (n % 251) as u8).collect();
    let stored = client
        .send(upload(
            &format!("{base}/upload/sub/d%C3%A4.bin"),
            "file",
            &content,
        ))
        .await
        .ok();
    assert_eq!(
        (&stored["name"], &stored["path"]),
        (&json!("dä.bin"), &json!("sub/dä.bin"))
    );
    assert_eq!(
        (&stored["size"], &stored["is_dir"]),
        (&json!(content.len()), &json!(false))
    );
    assert!(stored["modified_at"].as_str().unwrap().ends_with("+00:00"));
    let got = client
        .get(&format!("{base}/download/sub/d%C3%A4.bin"))
        .await;
    assert_eq!(
        (got.status, got.header("content-type")),
        (200, "application/octet-stream")
    );
    assert_eq!(got.header("content-length"), content.len().to_string());
    assert_eq!(
        got.header("content-disposition"),
        "attachment; filename=\"d_.bin\"; filename*=UTF-8''d%C3%A4.bin"
    );
    assert!(got.body == content, "the same bytes");
    client
        .send(upload(
            &format!("{base}/upload/sub/d%C3%A4.bin"),
            "file",
            b"short",
        ))
        .await
        .ok();
    assert_eq!(
        client
            .get(&format!("{base}/download/sub/d%C3%A4.bin"))
            .await
            .body,
        "short"
    );
    std::fs::write(outer.path().join(".hidden"), "h").unwrap();
    let list = client.get(&format!("{base}/files")).await.ok();
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["path"], &e["is_dir"]))
        .collect();
    assert_eq!(
        names,
        [
            (&json!(".hidden"), &json!(false)),
            (&json!("sub"), &json!(true))
        ]
    );
    let sub = client.get(&format!("{base}/files?path=sub")).await.ok();
    assert_eq!(sub[0]["path"], "sub/dä.bin");
    for path in ["none", "sub", "sub/none/x"] {
        assert_eq!(
            client
                .get(&format!("{base}/download/{path}"))
                .await
                .detail(404),
            "Path not found"
        );
    }
    assert_eq!(
        client
            .send(upload(&format!("{base}/upload/sub"), "file", b"x"))
            .await
            .status,
        409
    );
    assert_eq!(
        client
            .get(&format!("{base}/files?path=none"))
            .await
            .detail(404),
        "Path not found"
    );
}

#[tokio::test]
async fn files_need_a_workflow_with_a_workspace() {
    let server = TestServer::start();
    let client = server.client();
    let bare = linked(&client, None).await;
    let lost = linked(&client, Some("gone")).await;
    for (workflow, told) in [
        ("none", "Workflow not found"),
        (&bare, "Workflow has no workspace"),
        (&lost, "Workspace not found: gone"),
    ] {
        let base = format!("/api/workspaces/workflow/{workflow}");
        assert_eq!(client.get(&format!("{base}/files")).await.detail(404), told);
        assert_eq!(
            client.get(&format!("{base}/download/x")).await.detail(404),
            told
        );
        assert_eq!(
            client
                .send(upload(&format!("{base}/upload/x"), "file", b""))
                .await
                .detail(404),
            told
        );
    }
}

#[tokio::test]
async fn an_upload_is_a_form_with_a_file_of_bounded_size() {
    let outer = folder();
    let server = TestServer::start_with(&["--upload-limit", "1000"]);
    let client = server.client();
    let workspace = made(&client, outer.path()).await;
    let workflow = linked(&client, Some(&workspace)).await;
    let path = format!("/api/workspaces/workflow/{workflow}/upload/f");
    let refused = client
        .send(upload(&path, "file", &vec![b'x'; 3_000_000]))
        .await;
    assert_eq!(refused.detail(413), "The file is larger than 1000 bytes");
    assert_eq!(
        std::fs::read_dir(outer.path()).unwrap().count(),
        0,
        "nothing is left of it"
    );
    client.send(upload(&path, "file", &[b'x'; 1000])).await.ok();
    let missing = [("missing".to_owned(), json!(["body", "file"]))];
    assert_eq!(
        client
            .send(upload(&path, "other-name", b"x"))
            .await
            .places(),
        missing
    );
    assert_eq!(client.post(&path, &json!({})).await.places(), missing);
    let cut = client
        .post_as(
            &path,
            "multipart/form-data; boundary=b",
            "--b\r\ncontent-disp",
        )
        .await;
    assert_eq!(cut.status, 400, "{cut:?}");
}
