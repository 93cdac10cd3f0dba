//! Files by key at the wire: ranges, caching, conditions, limits, temporary files (HTTP spec 6.7; conformance rows 58 to
//! 63 and 100). What is promised is promised wherever files are kept: in folders, and in buckets that speak S3.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};

use super::buckets;
use super::client::{Client, Reply, bare, request};
use super::server::TestServer;

/// Runs each case against a server of each kind.
macro_rules! wherever_files_are {
    ($($case:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::TestServer::start()).await;
            })*
        }
        mod s3 {
            $(#[tokio::test]
            async fn $case() {
                if let Some(server) = super::buckets::server(&[]).await {
                    super::$case(&server).await;
                }
            })*
        }
    };
}

wherever_files_are! {
    case_58_a_file_is_stored_and_read_back,
    case_59_ranges_give_the_part_that_was_asked_for,
    case_60_what_has_not_changed_is_not_sent_again,
    case_61_keys_that_lead_elsewhere_are_refused,
    case_62_deleting_what_is_not_there_is_an_empty_404,
    case_63_a_temporary_file_can_be_read_later,
    files_a_browser_would_run_come_as_sandboxed_attachments,
    a_conditional_put_happens_only_if_it_holds,
    case_100_head_tells_what_get_would,
    administration_reaches_every_file_and_answers_deletions_with_204,
}

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

async fn case_58_a_file_is_stored_and_read_back(server: &TestServer) {
    let client = server.client();
    let stored = put(&client, "/api/storage/k.txt", b"hello").await;
    assert_eq!((stored.status, stored.body.len()), (200, 0));
    for path in [
        "/api/storage/k.txt",
        "/storage/k.txt",
        "/storage/assets/k.txt",
        "/admin/storage/assets/k.txt",
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

async fn case_59_ranges_give_the_part_that_was_asked_for(server: &TestServer) {
    let client = server.client();
    put(&client, "/api/storage/k.txt", b"hello").await;
    for path in [
        "/api/storage/k.txt",
        "/storage/k.txt",
        "/storage/assets/k.txt",
        "/admin/storage/assets/k.txt",
    ] {
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

async fn case_60_what_has_not_changed_is_not_sent_again(server: &TestServer) {
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

async fn case_61_keys_that_lead_elsewhere_are_refused(server: &TestServer) {
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
        for base in [
            "/api/storage",
            "/api/storage/temp",
            "/admin/storage/assets",
            "/admin/storage/temp",
        ] {
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

async fn case_62_deleting_what_is_not_there_is_an_empty_404(server: &TestServer) {
    let client = server.client();
    for path in [
        "/api/storage/none",
        "/api/storage/temp/none",
        "/admin/storage/assets/none",
        "/admin/storage/temp/none",
    ] {
        let missing = client.delete(path).await;
        assert_eq!((missing.status, missing.body.len()), (404, 0));
    }
    put(&client, "/api/storage/k.txt", b"x").await;
    let deleted = client.delete("/api/storage/k.txt").await;
    assert_eq!((deleted.status, &deleted.body[..]), (200, &b"null"[..]));
    assert_eq!(client.get("/api/storage/k.txt").await.status, 404);
}

async fn case_63_a_temporary_file_can_be_read_later(server: &TestServer) {
    let client = server.client();
    assert_eq!(
        put(&client, "/api/storage/temp/t", b"soon gone")
            .await
            .status,
        200
    );
    for path in [
        "/api/storage/temp/t",
        "/storage/temp/t",
        "/admin/storage/temp/t",
    ] {
        let got = client.get(path).await;
        assert_eq!((got.status, &got.body[..]), (200, &b"soon gone"[..]));
        assert_eq!(got.header("content-type"), "application/octet-stream");
    }
    assert_eq!(client.get("/api/storage/t").await.status, 404);
    let deleted = client.delete("/api/storage/temp/t").await;
    assert_eq!(&deleted.body[..], b"null");
    assert_eq!(client.get("/api/storage/temp/t").await.status, 404);
}

async fn files_a_browser_would_run_come_as_sandboxed_attachments(server: &TestServer) {
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

async fn put_if(client: &Client, path: &str, header: (&str, &str), body: &'static [u8]) -> Reply {
    let request = request(Method::PUT, path).header(header.0, header.1);
    let body = Full::new(Bytes::from_static(body));
    client.send(request.body(body).unwrap()).await
}

async fn a_conditional_put_happens_only_if_it_holds(server: &TestServer) {
    let client = server.client();
    for path in [
        "/api/storage/c.txt",
        "/admin/storage/assets/d.txt",
        "/api/storage/temp/c",
    ] {
        let fresh = ("if-none-match", "*");
        let none = put_if(&client, path, ("if-match", "*"), b"x").await;
        assert_eq!(
            none.detail(412),
            "The file is not the one that was expected"
        );
        assert_eq!(client.get(path).await.status, 404);
        assert_eq!(put_if(&client, path, fresh, b"one").await.status, 200);
        assert_eq!(put_if(&client, path, fresh, b"two").await.status, 412);
        let got = client.get(path).await;
        let etag = got.header("etag").to_owned();
        assert_eq!(&got.body[..], b"one");
        let other = ("if-match", "\"other\"");
        assert_eq!(put_if(&client, path, other, b"two").await.status, 412);
        let same = ("if-match", etag.as_str());
        assert_eq!(put_if(&client, path, same, b"two").await.status, 200);
        assert_eq!(put_if(&client, path, same, b"three").await.status, 412);
        assert_eq!(&client.get(path).await.body[..], b"two");
    }
}

async fn case_100_head_tells_what_get_would(server: &TestServer) {
    let client = server.client();
    put(&client, "/api/storage/k.txt", b"hello").await;
    put(&client, "/api/storage/temp/k.txt", b"soon gone").await;
    for (path, length) in [
        ("/storage/assets/k.txt", "5"),
        ("/storage/k.txt", "5"),
        ("/api/storage/k.txt", "5"),
        ("/admin/storage/assets/k.txt", "5"),
        ("/storage/temp/k.txt", "9"),
        ("/api/storage/temp/k.txt", "9"),
        ("/admin/storage/temp/k.txt", "9"),
    ] {
        let head = client.call(Method::HEAD, path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-length"), length, "{path}");
        assert_eq!(head.header("content-type"), "text/plain", "{path}");
        assert_eq!(head.header("accept-ranges"), "bytes", "{path}");
        assert!(head.header("etag").len() > 4, "{path}");
    }
}

async fn administration_reaches_every_file_and_answers_deletions_with_204(server: &TestServer) {
    let client = server.client();
    let path = "/admin/storage/assets/a/b%20c.html";
    assert_eq!(put(&client, path, b"<script>").await.status, 200);
    let got = client.get("/api/storage/a/b%20c.html").await;
    assert_eq!(&got.body[..], b"<script>");
    let got = client.get(path).await;
    assert_eq!(got.header("content-security-policy"), "sandbox");
    assert_eq!(got.header("content-disposition"), "attachment");
    // Contents may come before their row.
    let orphan = "/admin/storage/assets/0123456789abcdef0123456789abcdef.png";
    assert_eq!(put(&client, orphan, b"picture").await.status, 200);
    assert_eq!(&client.get(orphan).await.body[..], b"picture");
    let for_users = "/api/storage/0123456789abcdef0123456789abcdef.png";
    assert_eq!(client.get(for_users).await.status, 404);
    put(&client, "/admin/storage/temp/t", b"x").await;
    for path in [path, orphan, "/admin/storage/temp/t"] {
        let deleted = client.delete(path).await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{path}");
        let again = client.delete(path).await;
        assert_eq!((again.status, again.body.len()), (404, 0), "{path}");
    }
    assert!(server.log().contains("admin.storage.delete"), "noted");
}

#[tokio::test]
async fn where_storage_is_public_every_stored_file_can_be_read_but_not_changed() {
    let server = TestServer::start_with(&["--public-storage"]);
    let client = server.client();
    put(&client, "/api/storage/k.txt", b"hello").await;
    let got = client.get("/storage/k.txt").await;
    assert_eq!((got.status, &got.body[..]), (200, &b"hello"[..]));
    let refused = put(&client, "/storage/k.txt", b"x").await;
    assert_eq!(refused.status, 405);
    assert_eq!(client.delete("/storage/k.txt").await.status, 405);
}
