//! `nodetool assets`: what goes over the wire.

use serde_json::json;

use super::fake::Fake;
use super::files::Files;
use super::process::{nodetool, text};

#[test]
fn a_file_is_uploaded_as_a_form() {
    let files = Files::new();
    let path = files.bytes("note \"1\".txt", "line\r\n--x\n".repeat(20_000));
    let asset = json!({ "id": "a1", "name": "n.txt", "content_type": "text/plain" });
    let fake = Fake::telling(std::slice::from_ref(&asset));
    let put = nodetool(&[
        "assets",
        "put",
        &path,
        "--parent-id",
        "p1",
        "--name",
        "n.txt",
        "--json",
        "--api-url",
        &fake.url(),
    ]);
    assert_eq!(put.json(), asset);
    assert_eq!(put.stderr, "", "no progress where nobody watches");
    let asked = fake.asked().remove(0);
    assert!(
        asked.starts_with("POST /api/assets HTTP/1.1\r\n"),
        "{}",
        &asked[..200]
    );
    assert!(
        asked
            .to_lowercase()
            .contains("content-type: multipart/form-data; boundary=")
    );
    let about = r#"{"name":"n.txt","content_type":"text/plain","parent_id":"p1"}"#;
    assert!(asked.contains(about));
    assert!(asked.contains(&"line\r\n--x\n".repeat(20_000)));
}

#[test]
fn what_cannot_be_uploaded_is_told_before_anything_is_sent() {
    let files = Files::new();
    let missing = files.path("missing");
    let told = nodetool(&[
        "assets",
        "put",
        text(&missing),
        "--api-url",
        "http://127.0.0.1:1",
    ]);
    assert!(told.failed().starts_with("cannot open "), "{told:?}");
    let folder = files.path("");
    let told = nodetool(&[
        "assets",
        "put",
        text(&folder),
        "--api-url",
        "http://127.0.0.1:1",
    ]);
    assert!(told.failed().ends_with(" is no file"), "{told:?}");
}

#[test]
fn a_download_is_there_whole_or_not_at_all() {
    let files = Files::new();
    let content: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let fake = Fake::answering(vec![("200 OK", "", content.clone())]);
    let output = files.path("out.bin");
    let got = nodetool(&[
        "assets",
        "get",
        "a1",
        "-o",
        text(&output),
        "--api-url",
        &fake.url(),
    ]);
    assert_eq!((got.code, got.stdout.as_str()), (Some(0), ""), "{got:?}");
    assert_eq!(std::fs::read(&output).unwrap(), content);
    assert!(fake.asked()[0].starts_with("GET /api/assets/a1/download HTTP/1.1"));

    let lost = files.path("lost.bin");
    let not_found = json!({ "detail": "Asset not found" }).to_string();
    let fake = Fake::answering(vec![("404 Not Found", "", not_found.into_bytes())]);
    let told = nodetool(&[
        "assets",
        "get",
        "a1",
        "-o",
        text(&lost),
        "--api-url",
        &fake.url(),
    ]);
    assert_eq!(told.failed(), "Asset not found: a1");
    assert!(!lost.exists());
}

#[test]
fn lists_go_from_page_to_page_up_to_their_limit() {
    let page = |id: &str, next: &str| {
        json!({ "next": next, "assets": [
            { "id": id, "name": format!("{id}.png"), "content_type": "image/png", "size": 3, "created_at": "2026-01-02T03:04:05.000000+00:00" },
        ] })
    };
    let fake = Fake::telling(&[page("a1", "c 1"), page("a2", "c2")]);
    let listed = nodetool(&[
        "assets",
        "list",
        "--limit",
        "2",
        "--content-type",
        "image/",
        "--api-url",
        &fake.url(),
    ]);
    let rows: Vec<&str> = listed.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 2, "{listed:?}");
    assert!(
        rows[0].starts_with("a1  a1.png  image/png  3     2026-01-02 03:04:05"),
        "{rows:?}"
    );
    assert_eq!(listed.stderr, "2 assets; --limit shows more\n");
    let asked = fake.asked();
    assert!(asked[0].starts_with("GET /api/assets?page_size=2&content_type=image%2F HTTP"));
    assert!(
        asked[1].starts_with("GET /api/assets?page_size=1&content_type=image%2F&cursor=c+1 HTTP")
    );
}

#[test]
fn a_search_asks_in_all_folders_and_packages_are_listed_apart() {
    let found = json!({ "assets": [{ "id": "a1" }], "next_cursor": "" });
    let packaged = json!({ "assets": [{ "id": "pkg:p/a.png", "name": "a.png" }, { "id": "pkg:p/b", "name": "b" }] });
    let fake = Fake::telling(&[found, packaged]);
    let url = fake.url();
    let own = nodetool(&[
        "assets",
        "list",
        "--query",
        "ab",
        "--json",
        "--api-url",
        &url,
    ]);
    assert_eq!(own.json(), json!([{ "id": "a1" }]));
    let of_packages = nodetool(&[
        "assets",
        "list",
        "--source",
        "package",
        "--package-name",
        "p",
        "--query",
        ".PNG",
        "--json",
        "--api-url",
        &url,
    ]);
    assert_eq!(
        of_packages.json(),
        json!([{ "id": "pkg:p/a.png", "name": "a.png" }])
    );
    let asked = fake.asked();
    assert!(asked[0].starts_with("GET /api/assets/search?page_size=100&query=ab HTTP"));
    assert!(asked[1].starts_with("GET /api/assets/packages/p HTTP"));
}
