//! Files by key at the wire: ranges, caching, limits, temporary files (HTTP spec 6.7; conformance rows 58 to 63).

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};

use super::client::{Client, Reply, bare, request};
use super::server::TestServer;

async fn put(client: &Client, path: &str, body: &'static [u8]) -> Reply {
    let request = request(Method::PUT, path);
    client
        .send(request.body(Full::new(Bytes::from_static(body))).unwrap())
        .await
}

fn with(path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn case_58_a_file_is_stored_and_read_back() {
    let server = TestServer::start();
    let client = server.client();
    let stored = put(&client, "/api/storage/k.txt", b"hello").await;
    assert_eq!((stored.status, stored.body.len()), (200, 0));
    for path in [
        "/api/storage/k.txt",
        "/storage/k.txt",
        "/storage/assets/k.txt",
    ] {
        let got = client.get(path).await;
        assert_eq!((got.status, &got.body[..]), (200, &b"hello"[..]), "{path}");
        assert_eq!(got.header("content-type"), "text/plain");
        assert_eq!(got.header("content-length"), "5");
        assert_eq!(got.header("accept-ranges"), "bytes");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert!(got.header("last-modified").ends_with(" GMT"));
        let head = client.send(bare(Method::HEAD, path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-type", "content-length", "etag", "last-modified"] {
            assert_eq!(head.header(name), got.header(name), "{path} {name}");
        }
    }
    put(&client, "/api/storage/k.txt", b"other").await;
    let got = client.get("/api/storage/k.txt").await;
    assert_eq!(&got.body[..], b"other");
    put(&client, "/api/storage/a/b%20c.bin", b"nested").await;
    let got = client.get("/api/storage/a%2Fb%20c.bin").await;
    assert_eq!(&got.body[..], b"nested");
    let missing = client.get("/api/storage/none.txt").await;
    assert_eq!(missing.detail(404), "Not Found");
    let missing = client.send(bare(Method::HEAD, "/storage/none")).await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn case_59_ranges_give_the_part_that_was_asked_for() {
    let server = TestServer::start();
    let client = server.client();
    put(&client, "/api/storage/k.txt", b"hello").await;
    for path in ["/api/storage/k.txt", "/storage/k.txt"] {
        for (range, status, body, content_range) in [
            ("bytes=1-2", 206, "el", "bytes 1-2/5"),
            ("bytes=1-", 206, "ello", "bytes 1-4/5"),
            ("bytes=-2", 206, "lo", "bytes 3-4/5"),
            ("bytes=3-99", 206, "lo", "bytes 3-4/5"),
            ("bytes=9-", 416, "", "bytes */5"),
            ("bytes=0-0,2-3", 200, "hello", ""),
            ("garbage", 200, "hello", ""),
        ] {
            let got = client.send(with(path, &[("range", range)])).await;
            assert_eq!(got.status, status, "{range}");
            assert_eq!(&got.body[..], body.as_bytes(), "{range}");
            assert_eq!(got.header("content-range"), content_range, "{range}");
        }
    }
    let stale = [("range", "bytes=1-2"), ("if-range", "\"other\"")];
    let got = client.send(with("/api/storage/k.txt", &stale)).await;
    assert_eq!((got.status, &got.body[..]), (200, &b"hello"[..]));
    let etag = got.header("etag").to_owned();
    let fresh = [("range", "bytes=1-2"), ("if-range", etag.as_str())];
    let got = client.send(with("/api/storage/k.txt", &fresh)).await;
    assert_eq!((got.status, &got.body[..]), (206, &b"el"[..]));
}

#[tokio::test]
async fn case_60_what_has_not_changed_is_not_sent_again() {
    let server = TestServer::start();
    let client = server.client();
    put(&client, "/api/storage/k.txt", b"hello").await;
    let path = "/api/storage/k.txt";
    let etag = client.get(path).await.header("etag").to_owned();
    let weak = format!("\"x\", W/{etag}");
    for (name, value, status) in [
        ("if-modified-since", "Wed, 01 Jan 2100 00:00:00 GMT", 304),
        ("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("if-modified-since", "some day", 200),
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", weak.as_str(), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
    ] {
        let got = client.send(with(path, &[(name, value)])).await;
        assert_eq!(got.status, status, "{name}: {value}");
        assert_eq!(got.body.len(), if status == 304 { 0 } else { 5 });
        assert_eq!(got.header("etag"), etag);
    }
    let both = [
        ("if-none-match", "\"other\""),
        ("if-modified-since", "Wed, 01 Jan 2100 00:00:00 GMT"),
    ];
    assert_eq!(client.send(with(path, &both)).await.status, 200);
}

#[tokio::test]
async fn case_61_keys_that_lead_elsewhere_are_refused() {
    let server = TestServer::start();
    let client = server.client();
    for (key, detail) in [
        ("..%2Fx", "Invalid key: path traversal is not allowed"),
        ("a%5C..%5Cb", "Invalid key: path traversal is not allowed"),
        ("a/../b", "Invalid key: path traversal is not allowed"),
        (
            "%2Fetc%2Fpasswd",
            "Invalid key: absolute paths are not allowed",
        ),
        (".", "Invalid key: key must not be empty"),
        ("%2F%2F", "Invalid key: key must not be empty"),
    ] {
        for base in ["/api/storage", "/api/storage/temp"] {
            let path = format!("{base}/{key}");
            assert_eq!(put(&client, &path, b"x").await.detail(400), detail);
            assert_eq!(client.get(&path).await.detail(400), detail, "{path}");
            assert_eq!(client.delete(&path).await.detail(400), detail);
        }
        let path = format!("/storage/{key}");
        assert_eq!(client.get(&path).await.detail(400), detail, "{path}");
    }
    let long = format!("/api/storage/{}", "x".repeat(300));
    assert_eq!(put(&client, &long, b"x").await.status, 400);
    assert_eq!(put(&client, "/api/storage/a%00b", b"x").await.status, 400);
    let unreadable = client.get("/api/storage/%ff").await;
    assert_eq!(unreadable.places()[0].0, "string_unicode");
}

#[tokio::test]
async fn case_62_deleting_what_is_not_there_is_an_empty_404() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/api/storage/none", "/api/storage/temp/none"] {
        let missing = client.delete(path).await;
        assert_eq!((missing.status, missing.body.len()), (404, 0));
    }
    put(&client, "/api/storage/k.txt", b"x").await;
    let deleted = client.delete("/api/storage/k.txt").await;
    assert_eq!((deleted.status, &deleted.body[..]), (200, &b"null"[..]));
    assert_eq!(client.get("/api/storage/k.txt").await.status, 404);
}

#[tokio::test]
async fn case_63_a_temporary_file_can_be_read_later() {
    let server = TestServer::start();
    let client = server.client();
    assert_eq!(
        put(&client, "/api/storage/temp/t", b"soon gone")
            .await
            .status,
        200
    );
    for path in ["/api/storage/temp/t", "/storage/temp/t"] {
        let got = client.get(path).await;
        assert_eq!((got.status, &got.body[..]), (200, &b"soon gone"[..]));
        assert_eq!(got.header("content-type"), "application/octet-stream");
    }
    assert_eq!(client.get("/api/storage/t").await.status, 404);
    let deleted = client.delete("/api/storage/temp/t").await;
    assert_eq!(&deleted.body[..], b"null");
    assert_eq!(client.get("/api/storage/temp/t").await.status, 404);
}

#[tokio::test]
async fn files_a_browser_would_run_come_as_sandboxed_attachments() {
    let server = TestServer::start();
    let client = server.client();
    for (name, content_type) in [
        ("a.html", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.xml", "text/xml"),
        ("a.js", "text/javascript"),
    ] {
        let path = format!("/api/storage/{name}");
        put(&client, &path, b"<script>").await;
        let got = client.get(&path).await;
        assert_eq!(got.header("content-type"), content_type);
        assert_eq!(got.header("content-security-policy"), "sandbox");
        assert_eq!(got.header("content-disposition"), "attachment");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
    }
    put(&client, "/api/storage/a.png", b"x").await;
    let got = client.get("/api/storage/a.png").await;
    assert_eq!(got.header("content-disposition"), "");
}

#[tokio::test]
async fn a_file_that_is_too_large_leaves_the_old_one_as_it_was() {
    let server = TestServer::start_with(&["--upload-limit", "10"]);
    let client = server.client();
    put(&client, "/api/storage/k", b"0123456789").await;
    let refused = put(&client, "/api/storage/k", b"0123456789a").await;
    assert_eq!(refused.detail(413), "The file is larger than 10 bytes");
    let got = client.get("/api/storage/k").await;
    assert_eq!(&got.body[..], b"0123456789");
    let empty = |length: Option<&str>| {
        let mut request = request(Method::PUT, "/api/storage/empty");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        request.body(Full::default()).unwrap()
    };
    let unknown = client.send(empty(None)).await;
    assert!(unknown.detail(411).contains("Content-Length"));
    assert_eq!(client.send(empty(Some("0"))).await.status, 200);
    let empty = client.get("/api/storage/empty").await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
}
