//! What is there beside the API: the web UI, the pages inside the program, the routes of extensions (HTTP spec 2.7;
//! conformance row 94).

use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use serde_json::json;
use tempfile::TempDir;

use super::client::{Client, Reply, request};
use super::server::{TestServer, program};

const PAGE: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// A folder with a small web UI.
fn ui() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write("index.html", "<p>start</p>");
    write("assets/index-B7xq0Wv1.js", "start()");
    write("guide/index.html", "<p>guide</p>");
    write("api/nope", "not to be seen");
    write(".env", "not to be seen");
    write("logo.svg", "<svg/>");
    write("favicon.ico", "icon");
    write("data.json", "{}");
    folder
}

fn server(folder: &Path) -> TestServer {
    TestServer::start_with(&["--static-folder", folder.to_str().expect("a path")])
}

async fn ask(client: &Client, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client
        .send(request.body(Full::new(Bytes::new())).unwrap())
        .await
}

#[tokio::test]
async fn case_94_deep_links_get_the_page_and_the_api_answers_for_itself() {
    let ui = ui();
    let server = server(ui.path());
    let client = server.client();
    for path in ["/deep/link", "/deep/link/", "/nope.html", "/%F0%9F%8C%8A"] {
        let page = ask(&client, path, &[("accept", PAGE)]).await;
        assert_eq!(
            (page.status, &page.body[..]),
            (200, &b"<p>start</p>"[..]),
            "{path}"
        );
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    for path in [
        "/api/nope",
        "/api",
        "/ws/nope",
        "/v1/nope",
        "/storage/x",
        "/admin",
        "/mcp",
        "/collections/x/y",
    ] {
        let refused = ask(&client, path, &[("accept", PAGE)]).await;
        assert_eq!(refused.detail(404), "Not Found", "{path}");
    }
    for path in ["/deep/link", "/assets/gone.js"] {
        assert_eq!(
            ask(&client, path, &[("accept", "*/*")]).await.detail(404),
            "Not Found"
        );
        assert_eq!(client.get(path).await.detail(404), "Not Found");
    }
    assert_eq!(
        client.post("/deep/link", &json!({})).await.detail(404),
        "Not Found"
    );
    client.check_health().await;
}

#[tokio::test]
async fn files_of_the_ui_come_with_their_kind() {
    let ui = ui();
    let server = server(ui.path());
    let client = server.client();
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", "<p>start</p>"),
        ("/index.html", "text/html; charset=utf-8", "<p>start</p>"),
        ("/guide", "text/html; charset=utf-8", "<p>guide</p>"),
        ("/guide/", "text/html; charset=utf-8", "<p>guide</p>"),
        (
            "/assets/index-B7xq0Wv1.js",
            "text/javascript; charset=utf-8",
            "start()",
        ),
        ("/logo.svg", "image/svg+xml", "<svg/>"),
        ("/favicon.ico", "image/x-icon", "icon"),
        ("/data.json", "application/json", "{}"),
    ] {
        let file = client.get(path).await;
        assert_eq!(
            (file.status, &file.body[..]),
            (200, body.as_bytes()),
            "{path}"
        );
        assert_eq!(file.header("content-type"), kind, "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        let head = client.call(Method::HEAD, path).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), body.len().to_string());
    }
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    let ui = ui();
    let server = server(ui.path());
    let client = server.client();
    let page = client.get("/").await;
    let (tag, date) = (page.header("etag"), page.header("last-modified"));
    assert!(date.ends_with(" GMT"), "{date}");
    assert_eq!(page.header("cache-control"), "no-cache");
    let script = client.get("/assets/index-B7xq0Wv1.js").await;
    assert!(script.header("cache-control").contains("immutable"));
    let weak = format!("\"other\", W/{tag}");
    for known in [
        ("if-none-match", tag),
        ("if-none-match", weak.as_str()),
        ("if-none-match", "*"),
        ("if-modified-since", date),
    ] {
        let same = ask(&client, "/", &[known]).await;
        assert_eq!((same.status, same.body.len()), (304, 0), "{known:?}");
        assert_eq!(same.header("etag"), tag);
    }
    for known in [
        &[("if-none-match", "\"other\""), ("if-modified-since", date)][..],
        &[("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT")],
        &[("if-modified-since", "yesterday")],
    ] {
        assert_eq!(ask(&client, "/", known).await.status, 200, "{known:?}");
    }
    std::fs::write(ui.path().join("index.html"), "<p>another start</p>").unwrap();
    let changed = ask(&client, "/", &[("if-none-match", tag)]).await;
    assert_eq!(
        (changed.status, &changed.body[..]),
        (200, &b"<p>another start</p>"[..])
    );
}

#[tokio::test]
async fn no_path_leads_out_of_the_ui() {
    let (ui, other) = (ui(), tempfile::tempdir().unwrap());
    std::fs::write(other.path().join("secret"), "secret").unwrap();
    symlink(other.path(), ui.path().join("out")).unwrap();
    symlink(other.path().join("secret"), ui.path().join("secret")).unwrap();
    let server = server(ui.path());
    let client = server.client();
    for path in [
        "/out/secret",
        "/secret",
        "/.env",
        "/%2eenv",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/assets/..%2f.env",
        "/index.html%00.js",
        "/%ff",
        "/guide%5cindex.html",
        "/api/nope",
    ] {
        assert_eq!(client.get(path).await.detail(404), "Not Found", "{path}");
    }
    client.check_health().await;
}

#[tokio::test]
async fn without_a_ui_the_server_says_what_it_is() {
    let server = TestServer::start();
    let client = server.client();
    let home = client.get("/").await;
    assert_eq!(
        (home.status, home.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let html = String::from_utf8(home.body.to_vec()).unwrap();
    for link in ["href=\"docs\"", "href=\"api-demo.html\"", "href=\"health\""] {
        assert!(html.contains(link), "{link}");
    }
    let deep = ask(&client, "/deep/link", &[("accept", PAGE)]).await;
    assert_eq!(deep.detail(404), "Not Found");
}

#[tokio::test]
async fn pages_of_the_program_allow_themselves_and_nothing_else() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/", "/docs", "/docs/", "/redoc", "/api-demo.html"] {
        let page = client.get(path).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let tag = page.header("etag");
        assert_eq!(
            ask(&client, path, &[("if-none-match", tag)]).await.status,
            304
        );
        assert_eq!(client.call(Method::HEAD, path).await.status, 200);
        assert_eq!(
            client.post(path, &json!({})).await.status,
            if path == "/" { 404 } else { 405 }
        );
    }
    assert_eq!(client.get("/openapi.json").await.ok()["openapi"], "3.1.0");
}

#[tokio::test]
async fn documentation_can_be_left_out() {
    let ui = ui();
    let ui = ui.path().to_str().expect("a path");
    for arguments in [
        &["--disable-docs"][..],
        &["--disable-docs=yes", "--static-folder", ui],
    ] {
        let server = TestServer::start_with(arguments);
        let client = server.client();
        for path in ["/docs", "/redoc", "/openapi.json"] {
            let refused = ask(&client, path, &[("accept", PAGE)]).await;
            assert_eq!(refused.detail(404), "Not Found", "{path}");
        }
        assert_eq!(client.get("/api-demo.html").await.status, 200);
    }
}

#[test]
fn a_ui_that_is_not_there_is_said_at_start_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let ran = program()
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(&data)
        .args(["--static-folder", "/nope/ui"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert_eq!(
        told.trim_end(),
        "error: cannot serve the web UI from the folder /nope/ui (--static-folder): No such file or directory (os error 2)"
    );
    assert!(!data.exists(), "nothing is begun");
}
