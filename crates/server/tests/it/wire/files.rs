//! Files of the server's machine (HTTP spec 6.11).

use std::os::unix::fs::symlink;
use std::sync::Arc;

use hyper::Method;
use serde_json::json;
use tempfile::TempDir;

use super::client::{Client, Reply};
use super::local::{local, upload, with_headers};
use super::server::{TestServer, folder};

/// A server that shares a folder.
fn sharing(root: &Arc<TempDir>) -> TestServer {
    TestServer::start_with(&["--file-root", root.path().to_str().unwrap()])
}

async fn get(client: &Client, path: &str) -> Reply {
    client.send(local(Method::GET, path, "")).await
}

#[tokio::test]
async fn files_below_the_root_are_listed_described_and_read() {
    let root = folder();
    std::fs::create_dir(root.path().join("sub")).unwrap();
    std::fs::write(root.path().join("sub/a.txt"), "abc").unwrap();
    std::fs::write(root.path().join(".hidden"), "").unwrap();
    symlink("/etc", root.path().join("link")).unwrap();
    let real = root.path().canonicalize().unwrap();
    let server = sharing(&root);
    let client = server.client();
    for path in [".", "", "~", real.to_str().unwrap()] {
        let list = get(&client, &format!("/api/files/list?path={path}"))
            .await
            .ok();
        let names: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|e| &e["name"])
            .collect();
        assert_eq!(names, ["sub"], "{path}");
        assert_eq!(list[0]["path"], json!(real.join("sub")));
    }
    let whole = real.join("sub/a.txt");
    let encoded = whole.to_str().unwrap().replace('/', "%2F");
    for path in ["sub/a.txt", "~/sub/a.txt", encoded.as_str()] {
        let info = get(&client, &format!("/api/files/info?path={path}"))
            .await
            .ok();
        assert_eq!(
            (&info["path"], &info["size"], &info["is_dir"]),
            (&json!(whole), &json!(3), &json!(false))
        );
        let got = get(&client, &format!("/api/files/download/{path}")).await;
        assert_eq!((got.status, &got.body[..]), (200, &b"abc"[..]), "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(
        get(&client, "/api/files/download/sub").await.detail(404),
        "Path not found: sub"
    );
    assert_eq!(
        get(&client, "/api/files/info?path=none").await.detail(404),
        "Path not found: none"
    );
    let missing = get(&client, "/api/files/info").await.places();
    assert_eq!(missing, [("missing".into(), json!(["query", "path"]))]);
}

#[tokio::test]
async fn nothing_hidden_linked_or_outside_is_reached() {
    let (root, outside) = (folder(), folder());
    std::fs::create_dir(root.path().join(".ssh")).unwrap();
    std::fs::write(root.path().join(".ssh/key"), "k").unwrap();
    std::fs::write(outside.path().join("x"), "x").unwrap();
    symlink(outside.path(), root.path().join("link")).unwrap();
    let server = sharing(&root);
    let client = server.client();
    let absolute = outside
        .path()
        .join("x")
        .to_str()
        .unwrap()
        .replace('/', "%2F");
    let escape = format!(
        "{}%2F..%2Fx",
        root.path().to_str().unwrap().replace('/', "%2F")
    );
    for path in [
        ".ssh",
        ".ssh/key",
        "link",
        "link/x",
        "..%2Fx",
        "%2Fetc%2Fpasswd",
        &absolute,
        &escape,
    ] {
        for url in [
            format!("/api/files/info?path={path}"),
            format!("/api/files/download/{path}"),
        ] {
            let refused = get(&client, &url).await;
            assert_eq!(
                refused.detail(403),
                "Access to this path is forbidden",
                "{url}"
            );
        }
        let refused = client
            .send(upload(
                &format!("/api/files/upload/{path}/new"),
                "file",
                b"n",
            ))
            .await;
        assert_eq!(refused.status, 403, "{path}");
    }
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn an_upload_replaces_a_file_only_when_told_to() {
    let root = folder();
    let server = sharing(&root);
    let client = server.client();
    let path = "/api/files/upload/new/folder/f.txt";
    let stored = client.send(upload(path, "file", b"one")).await.ok();
    assert_eq!(
        (&stored["name"], &stored["size"]),
        (&json!("f.txt"), &json!(3))
    );
    let file = root.path().join("new/folder/f.txt");
    let refused = client.send(upload(path, "file", b"two")).await;
    assert_eq!(
        refused.detail(409),
        "There is a file or folder of that name"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"one");
    client
        .send(upload(&format!("{path}?overwrite=true"), "file", b"two"))
        .await
        .ok();
    assert_eq!(std::fs::read(&file).unwrap(), b"two");
    assert_eq!(
        std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "no rests"
    );
}

#[tokio::test]
async fn only_programs_on_this_machine_reach_files() {
    let root = folder();
    let server = sharing(&root);
    let client = server.client();
    for foreign in [
        ("host", "nodetool.test"),
        ("host", "192.168.1.5:7777"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
    ] {
        let request = with_headers(Method::GET, "/api/files/list", &[foreign], "");
        client.send(request).await.detail(403);
    }
    let own = [
        ("host", "127.0.0.1:7777"),
        ("origin", "http://localhost:3000"),
    ];
    let request = with_headers(Method::GET, "/api/files/list", &own, "");
    assert_eq!(client.send(request).await.ok(), json!([]));
}

#[tokio::test]
async fn files_are_absent_in_production() {
    let server = TestServer::start_with(&["--environment", "production"]);
    let client = server.client();
    for path in [
        "/api/files/list",
        "/api/files/info?path=x",
        "/api/files/download/x",
    ] {
        assert_eq!(get(&client, path).await.detail(404), "Not Found", "{path}");
    }
}

#[tokio::test]
async fn without_a_home_folder_no_file_is_shared() {
    let server = TestServer::start();
    assert_eq!(get(&server.client(), "/api/files/list").await.status, 403);
}
