//! Files of nodes, and pictures of their types.

use std::io::Write as _;

use bytes::Bytes;
use hyper::Method;
use serde_json::json;

use super::super::client::{Client, Reply};
use super::super::local::with_headers;
use super::super::server::TestServer;
use super::{id_of, node, refusal, some};

/// A form with a key and a file.
fn form(key: Option<&str>, file: Option<(&str, &[u8])>) -> Vec<u8> {
    let mut body = Vec::new();
    let mut say = |text: String| body.extend_from_slice(text.as_bytes());
    if let Some(key) = key {
        say(format!(
            "--B\r\ncontent-disposition: form-data; name=\"key\"\r\n\r\n{key}\r\n"
        ));
    }
    if let Some((name, _)) = file {
        say(format!(
            "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        ));
    }
    if let Some((_, content)) = file {
        body.write_all(content).unwrap();
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    body
}

async fn send(client: &Client, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
    let headers = [("content-type", "multipart/form-data; boundary=B")];
    client
        .send(with_headers(method, path, &headers, body))
        .await
}

#[tokio::test]
async fn case_67_a_key_names_one_file_that_is_replaced_whole() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let node = node(&client, &path, "x").await;
    let files = format!("{path}/nodes/{node}/files");
    let mut last = json!(null);
    for content in ["one", "two"] {
        let body = form(Some("k1"), Some(("a b.txt", content.as_bytes())));
        let reply = send(&client, Method::POST, &format!("{files}/upload/"), body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let file = reply.json();
        assert_eq!((&file["node"], &file["key"]), (&json!(node), &json!("k1")));
        let address = file["file"].as_str().unwrap();
        assert_eq!(address, format!("/media/node_files/{node}/k1/a%20b.txt"));
        let read = client.get(address).await;
        assert_eq!((read.status, &*read.body), (200, content.as_bytes()));
        assert_eq!(read.header("x-content-type-options"), "nosniff");
        if !last.is_null() {
            assert_eq!(
                (&file["id"], &file["created_at"]),
                (&last["id"], &last["created_at"])
            );
            assert!(file["updated_at"].as_str() > last["updated_at"].as_str());
        }
        last = file;
    }
    assert_eq!(client.get(&format!("{files}/")).await.ok(), json!([last]));
    let taken = form(Some("k1"), Some(("c.txt", b"three")));
    let taken = send(&client, Method::POST, &files, taken).await;
    let taken = refusal(&taken, 400, "INVALID_REQUEST");
    assert!(taken["errors"]["key"].is_array());
    let one = format!("{files}/{}", id_of(&last));
    for method in [Method::PUT, Method::PATCH] {
        let body = form(Some("other"), Some(("d.html", b"<script>1</script>")));
        let reply = send(&client, method, &format!("{one}/update-file/"), body).await;
        let changed = reply.ok();
        assert_eq!(
            (&changed["key"], &changed["id"]),
            (&json!("k1"), &last["id"]),
            "P1"
        );
        let page = client.get(changed["file"].as_str().unwrap()).await;
        assert_eq!(page.header("content-security-policy"), "sandbox");
        assert_eq!(page.header("content-disposition"), "attachment");
    }
    assert_eq!(client.get(last["file"].as_str().unwrap()).await.status, 404);
    assert_eq!(client.delete(&one).await.status, 204);
    refusal(&client.get(&one).await, 404, "NOT_FOUND");
    assert_eq!(client.get(&files).await.ok(), json!([]));
}

#[tokio::test]
async fn a_form_without_key_or_file_is_told_what_is_missing() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let node = node(&client, &path, "x").await;
    let files = format!("{path}/nodes/{node}/files/upload");
    for (body, field) in [
        (form(None, Some(("a", b"x"))), "key"),
        (form(Some(""), Some(("a", b"x"))), "key"),
        (form(Some("../k"), Some(("a", b"x"))), "key"),
        (form(Some(".."), Some(("a", b"x"))), "key"),
        (form(Some("k"), None), "file"),
    ] {
        let refused = send(&client, Method::POST, &files, body).await;
        let refused = refusal(&refused, 400, "INVALID_REQUEST");
        assert!(refused["errors"][field].is_array(), "{refused}");
    }
    let json = client.post(&files, &json!({ "key": "k" })).await;
    refusal(&json, 415, "UNSUPPORTED_MEDIA_TYPE");
    let climbing = form(Some("k"), Some(("../../etc/passwd", b"x")));
    let climbing = send(&client, Method::POST, &files, climbing).await.json();
    let address = climbing["file"].as_str().unwrap();
    assert!(address.ends_with("/k/passwd"), "{address}");
}

#[tokio::test]
async fn case_67_a_file_of_more_than_100_mib_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let node = node(&client, &path, "x").await;
    let content = vec![b'x'; (100 << 20) + 1];
    let body = form(Some("k"), Some(("big", &content)));
    let files = format!("{path}/nodes/{node}/files");
    let refused = send(&client, Method::POST, &format!("{files}/upload"), body).await;
    let refused = refusal(&refused, 400, "INVALID_REQUEST");
    assert!(refused["errors"]["file"].is_array(), "{refused}");
    assert_eq!(client.get(&files).await.ok(), json!([]));
}

#[tokio::test]
async fn files_go_with_their_node_and_their_workflow() {
    let server = TestServer::start();
    let client = server.client();
    let path = some(&client).await;
    let mut addresses = Vec::new();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let node = node(&client, &path, "x").await;
        let body = form(Some("k"), Some(("a.txt", b"x")));
        let upload = format!("{path}/nodes/{node}/files/upload");
        let file = send(&client, Method::POST, &upload, body).await.json();
        addresses.push(file["file"].as_str().unwrap().to_owned());
        nodes.push(node);
    }
    let blobs = || {
        let folder = server.folder().join("assets/files/objects");
        std::fs::read_dir(folder).unwrap().count()
    };
    assert_eq!(blobs(), 2);
    client
        .delete(&format!("{path}/nodes/{}/remove", nodes[0]))
        .await
        .ok();
    assert_eq!(blobs(), 1);
    assert_eq!(client.get(&addresses[0]).await.status, 404);
    assert_eq!(client.get(&addresses[1]).await.status, 200);
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.get(&addresses[1]).await.status, 404);
    assert_eq!(blobs(), 0);
}

#[tokio::test]
async fn case_68_icons_are_found_by_their_very_name() {
    let server = TestServer::start();
    let client = server.client();
    let icon = client.get("/node-icons/producer.png").await;
    assert_eq!(
        (icon.status, icon.header("content-type")),
        (200, "image/png")
    );
    assert!(icon.body.starts_with(b"\x89PNG"));
    for path in [
        "/node-icons//etc/hostname",
        "/node-icons/../x",
        "/node-icons/..%2f..%2fetc%2fhostname",
        "/node-icons/%2Fetc%2Fhostname",
        "/node-icons/./producer.png",
        "/node-icons/x.png",
    ] {
        refusal(&client.get(path).await, 404, "NOT_FOUND");
    }
    // Every type has a picture that is there.
    let flat = client.get("/api/nodes/flat/").await.ok();
    for meta in flat.as_array().unwrap() {
        let icon = format!("/node-icons/{}", meta["icon"].as_str().unwrap());
        assert_eq!(client.get(&icon).await.status, 200, "{icon}");
    }
}
