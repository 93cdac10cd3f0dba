//! Assets at the wire: upload, folders, search, thumbnails, archives (HTTP spec 6.6; conformance rows 51 to 57).

use std::collections::HashSet;
use std::io::{Cursor, Read};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::client::{Client, Reply, request};
use super::graphs::greeting;
use super::server::{TestServer, appears, folder};

const BOUNDARY: &str = "--the-line-between";

/// Parts of a form: name, file name if it is a file, contents.
pub(super) fn form(path: &str, parts: &[(&str, Option<&str>, &[u8])]) -> Request<Full<Bytes>> {
    let mut body = Vec::new();
    for (name, file, contents) in parts {
        let file = file.map_or(String::new(), |f| format!("; filename=\"{f}\""));
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(contents);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    request(Method::POST, path)
        .header(
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(Full::new(body.into()))
        .unwrap()
}

pub(super) async fn upload(client: &Client, asset: &Value, contents: &[u8]) -> Reply {
    let json = asset.to_string();
    let parts = [
        ("json", None, json.as_bytes()),
        ("file", Some("f"), contents),
    ];
    client.send(form("/api/assets/", &parts)).await
}

async fn make(client: &Client, asset: Value) -> Reply {
    let json = asset.to_string();
    let parts = [("json", None, json.as_bytes())];
    client.send(form("/api/assets", &parts)).await
}

fn id(asset: &Value) -> String {
    asset["id"].as_str().expect("an id").to_owned()
}

async fn make_folder(client: &Client, name: &str, parent: &str) -> String {
    let folder = json!({ "name": name, "content_type": "folder", "parent_id": parent });
    id(&make(client, folder).await.ok())
}

async fn text_file(client: &Client, name: &str, parent: &str, text: &str) -> String {
    let file = json!({ "name": name, "content_type": "text/plain", "parent_id": parent });
    id(&upload(client, &file, text.as_bytes()).await.ok())
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let pixels = vec![200; width as usize * height as usize * 3];
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

#[tokio::test]
async fn case_51_an_uploaded_picture_is_an_asset_with_contents_and_thumbnail() {
    let server = TestServer::start();
    let client = server.client();
    let contents = png(600, 300);
    let metadata = json!({ "b": 1, "a": [2] });
    let wanted =
        json!({ "name": "p.png", "content_type": "image/png", "metadata": metadata, "size": 1 });
    let asset = upload(&client, &wanted, &contents).await.ok();
    let keys: Vec<&str> = asset
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let id = id(&asset);
    assert_eq!(
        keys.iter().collect::<HashSet<_>>(),
        [
            "id",
            "user_id",
            "workflow_id",
            "parent_id",
            "name",
            "content_type",
            "size",
            "metadata",
            "created_at",
            "get_url",
            "thumb_url",
            "duration",
            "node_id",
            "job_id",
            "etag"
        ]
        .iter()
        .collect()
    );
    assert_eq!(asset["size"], contents.len());
    assert_eq!(asset["parent_id"], "1");
    assert_eq!(asset["metadata"], metadata);
    assert_eq!(asset["get_url"], format!("/api/storage/{id}.png"));
    let thumb = asset["thumb_url"].as_str().unwrap();
    assert!(
        thumb.starts_with(&format!("/api/assets/{id}/thumbnail?t=")),
        "{thumb}"
    );
    let got = client.get(asset["get_url"].as_str().unwrap()).await;
    assert_eq!((got.status, &got.body[..]), (200, &contents[..]));
    assert_eq!(got.header("content-type"), "image/png");
    let small = client.get(thumb).await;
    assert_eq!(
        (small.status, small.header("content-type")),
        (200, "image/jpeg")
    );
    assert_eq!(small.header("cache-control"), "private, max-age=86400");
    assert!(small.body.starts_with(&[0xff, 0xd8]));
    let since = request(Method::GET, thumb)
        .header("if-modified-since", small.header("last-modified"))
        .body(Full::default())
        .unwrap();
    assert_eq!(client.send(since).await.status, 304);
    let read = client.get(&format!("/api/assets/{id}")).await.ok();
    assert_eq!(read, asset);
    let listed = client.get("/api/assets/").await.ok();
    assert_eq!(listed, json!({ "next": "", "assets": [asset] }));
    let named = client
        .get(&format!("/api/assets/by-filename/{id}.png"))
        .await;
    assert_eq!(named.ok()["id"], id);
    let other = client
        .get(&format!("/api/assets/by-filename/{id}.jpg"))
        .await;
    assert_eq!(other.detail(404), "Asset not found");
    let saved = client.get(&format!("/api/assets/{id}/download")).await;
    assert_eq!(&saved.body[..], &contents[..]);
    assert!(
        saved
            .header("content-disposition")
            .starts_with("attachment; filename=\"p.png\"")
    );
}

#[tokio::test]
async fn parts_of_the_form_come_in_any_order() {
    let server = TestServer::start();
    let client = server.client();
    let json = json!({ "name": "a", "content_type": "text/plain" }).to_string();
    let parts: [(&str, Option<&str>, &[u8]); 3] = [
        ("other", None, b"x"),
        ("file", Some("f"), b"--hello\r\n--"),
        ("json", None, json.as_bytes()),
    ];
    let asset = client.send(form("/api/assets", &parts)).await.ok();
    assert_eq!(asset["size"], 11);
    let got = client.get(asset["get_url"].as_str().unwrap()).await;
    assert_eq!(&got.body[..], b"--hello\r\n--");
}

#[tokio::test]
async fn case_52_a_form_without_json_or_with_bad_json_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    let file: (&str, Option<&str>, &[u8]) = ("file", Some("f"), b"x");
    let reply = client.send(form("/api/assets/", &[file])).await;
    assert_eq!(reply.detail(400), "Missing JSON body");
    let empty = client.call(Method::POST, "/api/assets/").await;
    assert_eq!(empty.detail(400), "Missing JSON body");
    let bad: [(&str, Option<&str>, &[u8]); 2] = [("json", None, b"{"), file];
    let reply = client.send(form("/api/assets/", &bad)).await;
    assert_eq!(
        reply.places(),
        [("json_invalid".to_owned(), json!(["body", "json", 0]))]
    );
    let reply = client.post("/api/assets", &json!({})).await;
    assert_eq!(reply.places(), [("form_type".to_owned(), json!(["body"]))]);
    for (asset, place) in [
        (json!({ "content_type": "text/plain" }), "name"),
        (json!({ "name": "a" }), "content_type"),
        (
            json!({ "name": "a", "content_type": "a/b\r\nx: y" }),
            "content_type",
        ),
        (
            json!({ "name": "a", "content_type": "a/b", "size": -1 }),
            "size",
        ),
        (
            json!({ "name": "a", "content_type": "a/b", "metadata": 1 }),
            "metadata",
        ),
        (
            json!({ "name": "a", "content_type": "a/b", "parent_id": "x" }),
            "parent_id",
        ),
        (
            json!({ "name": "a", "content_type": "folder" }),
            "content_type",
        ),
    ] {
        let reply = upload(&client, &asset, b"x").await;
        assert_eq!(reply.places()[0].1, json!(["body", place]), "{asset}");
    }
    let workflow = json!({ "name": "a", "content_type": "a/b", "workflow_id": "nope" });
    let reply = upload(&client, &workflow, b"x").await;
    assert_eq!(reply.detail(404), "Workflow not found");
    let listed = client.get("/api/assets?content_type=").await.ok();
    assert_eq!(listed["assets"], json!([]));
    // What was uploaded for refused assets is gone, too.
    let files = server.folder().join("assets/files");
    for part in ["objects", "incoming"] {
        assert_eq!(std::fs::read_dir(files.join(part)).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn case_53_a_broken_picture_is_an_asset_without_a_thumbnail() {
    let server = TestServer::start();
    let client = server.client();
    let wanted = json!({ "name": "b.jpg", "content_type": "image/jpeg" });
    let asset = upload(&client, &wanted, b"\xff\xd8\xff\xe0 broken")
        .await
        .ok();
    let thumbnail = client
        .get(&format!("/api/assets/{}/thumbnail", id(&asset)))
        .await;
    assert_eq!(thumbnail.detail(500), "Failed to generate thumbnail");
    let stored = format!("/api/storage/{}_thumb.jpg", id(&asset));
    assert_eq!(client.get(&stored).await.status, 404);
}

#[tokio::test]
async fn case_54_the_callers_own_id_is_the_home_folder() {
    let server = TestServer::start();
    let home = server.client().get("/api/assets/1").await.ok();
    assert_eq!(
        home,
        json!({
            "id": "1", "user_id": "1", "workflow_id": null, "parent_id": "", "name": "Home",
            "content_type": "folder", "size": null, "metadata": null, "created_at": "", "get_url": null,
            "thumb_url": null, "duration": null, "node_id": null, "job_id": null, "etag": null,
        })
    );
}

#[tokio::test]
async fn case_55_a_search_takes_two_characters_and_tells_the_folder() {
    let server = TestServer::start();
    let client = server.client();
    for query in ["a", "%20%20a%20"] {
        let refused = client
            .get(&format!("/api/assets/search?query={query}"))
            .await;
        assert!(refused.detail(400).contains("at least 2 characters"));
    }
    let missing = client.get("/api/assets/search").await;
    assert_eq!(
        missing.places(),
        [("missing".to_owned(), json!(["query", "query"]))]
    );
    let outer = make_folder(&client, "Outer", "1").await;
    let inner = make_folder(&client, "Inner", &outer).await;
    text_file(&client, "My 100%_Cat", &inner, "x").await;
    text_file(&client, "cat", "1", "x").await;
    let found = client.get("/api/assets/search?query=CAT").await.ok();
    assert_eq!(found["total_count"], 2);
    assert_eq!(found["is_global_search"], true);
    assert_eq!(found["next_cursor"], "");
    let (deep, top) = (&found["assets"][0], &found["assets"][1]);
    assert_eq!(deep["folder_path"], "Home / Outer / Inner");
    assert_eq!(
        (&deep["folder_name"], &deep["folder_id"]),
        (&json!("Inner"), &json!(inner))
    );
    assert_eq!(
        (&top["folder_path"], &top["folder_name"]),
        (&json!("Home"), &json!("Home"))
    );
    assert_eq!(top["folder_id"], "1");
    assert!(top.get("etag").is_none());
    let escaped = client.get("/api/assets/search?query=%25_").await.ok();
    assert_eq!(escaped["total_count"], 1);
    let page = client.get("/api/assets/search?query=cat&page_size=1").await;
    let next = page.ok()["next_cursor"].as_str().unwrap().to_owned();
    let rest = client
        .get(&format!("/api/assets/search?query=cat&cursor={next}"))
        .await;
    assert_eq!(rest.ok()["assets"][0]["name"], "cat");
}

#[tokio::test]
async fn case_56_a_folder_is_deleted_with_what_is_in_it() {
    let server = TestServer::start();
    let client = server.client();
    let folder = make_folder(&client, "F", "1").await;
    let child = text_file(&client, "c", &folder, "x").await;
    let deleted = client.delete(&format!("/api/assets/{folder}")).await.ok();
    assert_eq!(deleted, json!({ "deleted_asset_ids": [child, folder] }));
    assert_eq!(
        client
            .get(&format!("/api/storage/{child}.txt"))
            .await
            .status,
        404
    );
    for unknown in [&folder, "1", "nope"] {
        let reply = client.delete(&format!("/api/assets/{unknown}")).await;
        assert_eq!(reply.detail(404), "Asset not found");
    }
    let objects = server.folder().join("assets/files/objects");
    assert_eq!(std::fs::read_dir(objects).unwrap().count(), 0);
}

#[tokio::test]
async fn case_57_an_archive_gives_each_file_a_name_of_its_own() {
    let server = TestServer::start();
    let client = server.client();
    let folder = make_folder(&client, "../A/B", "1").await;
    let one = text_file(&client, "same", "1", "one").await;
    let two = text_file(&client, "same", "1", "two").await;
    text_file(&client, "deep.txt", &folder, &"deep ".repeat(50_000)).await;
    let ids = json!({ "asset_ids": [one, two, folder, "unknown", one] });
    let reply = client.post("/api/assets/download", &ids).await;
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "application/zip")
    );
    let disposition = reply.header("content-disposition");
    assert!(
        disposition.starts_with("attachment; filename=assets_") && disposition.ends_with(".zip"),
        "{disposition}"
    );
    assert!(reply.header("cache-control").contains("no-store"));
    let mut archive = zip::ZipArchive::new(Cursor::new(reply.body.to_vec())).unwrap();
    let mut files = Vec::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.push((
            file.name().unwrap().to_string(),
            text.len(),
            text[..3].to_owned(),
        ));
    }
    let file = |name: &str, length: usize, text: &str| (name.to_owned(), length, text.to_owned());
    assert_eq!(
        files,
        [
            file("same.txt", 3, "one"),
            file("same_1.txt", 3, "two"),
            file(".._A_B/deep.txt", 250_000, "dee"),
        ]
    );
    let none = client
        .post("/api/assets/download", &json!({ "asset_ids": [] }))
        .await;
    assert_eq!(none.detail(400), "No asset IDs provided");
    let missing = client.post("/api/assets/download", &json!({})).await;
    assert_eq!(missing.places()[0].1, json!(["body", "asset_ids"]));
}

#[tokio::test]
async fn a_change_sets_what_is_given_and_keeps_what_is_empty() {
    let server = TestServer::start();
    let client = server.client();
    let folder = make_folder(&client, "F", "1").await;
    let file = text_file(&client, "a", "1", "old").await;
    let path = format!("/api/assets/{file}");
    let change = json!({ "name": "b", "parent_id": folder, "content_type": "", "metadata": {}, "data": "", "size": 0 });
    let changed = client.put(&path, &change).await.ok();
    assert_eq!(
        (&changed["name"], &changed["parent_id"], &changed["size"]),
        (&json!("b"), &json!(folder), &json!(3))
    );
    let change = json!({ "data": "bmV3ZXI=", "data_encoding": "base64", "metadata": {"k": 1}, "duration": 9 });
    let changed = client.put(&path, &change).await.ok();
    assert_eq!(
        (&changed["size"], &changed["duration"]),
        (&json!(5), &Value::Null)
    );
    let got = client.get(changed["get_url"].as_str().unwrap()).await;
    assert_eq!(&got.body[..], b"newer");
    let plain = client.put(&path, &json!({ "data": "plain" })).await.ok();
    assert_eq!(plain["metadata"], json!({ "k": 1 }));
    for (change, place) in [
        (json!({ "data": "%%%", "data_encoding": "base64" }), "data"),
        (
            json!({ "data": "x", "data_encoding": "rot13" }),
            "data_encoding",
        ),
        (json!({ "parent_id": "nope" }), "parent_id"),
        (json!({ "parent_id": file }), "parent_id"),
        (json!({ "content_type": "folder" }), "content_type"),
        (json!({ "content_type": "x" }), "content_type"),
    ] {
        let reply = client.put(&path, &change).await;
        assert_eq!(reply.places()[0].1, json!(["body", place]), "{change}");
    }
    let inner = make_folder(&client, "G", &folder).await;
    let cycle = client
        .put(
            &format!("/api/assets/{folder}"),
            &json!({ "parent_id": inner }),
        )
        .await;
    assert_eq!(cycle.places()[0].1, json!(["body", "parent_id"]));
    let unknown = client
        .put("/api/assets/nope", &json!({ "name": "x" }))
        .await;
    assert_eq!(unknown.detail(404), "Asset not found");
}

#[tokio::test]
async fn a_folder_is_given_with_all_that_is_in_it() {
    let server = TestServer::start();
    let client = server.client();
    let outer = make_folder(&client, "O", "1").await;
    let first = text_file(&client, "first", &outer, "x").await;
    let inner = make_folder(&client, "I", &outer).await;
    let deep = text_file(&client, "deep", &inner, "x").await;
    let tree = client
        .get(&format!("/api/assets/{outer}/recursive"))
        .await
        .ok();
    let top = &tree["assets"][0];
    assert_eq!((&top["id"], &top["type"]), (&json!(outer), &json!("asset")));
    assert_eq!(top["children"][0]["id"], first);
    assert_eq!(top["children"][0]["file_id"], format!("{first}.txt"));
    assert!(top["children"][0].get("children").is_none());
    assert_eq!(top["children"][1]["id"], inner);
    assert_eq!(top["children"][1]["children"][0]["id"], deep);
    let unknown = client.get("/api/assets/nope/recursive").await.ok();
    assert_eq!(unknown, json!({ "assets": [] }));
}

#[tokio::test]
async fn lists_are_restricted_and_paged() {
    let server = TestServer::start();
    let client = server.client();
    let folder = make_folder(&client, "F", "1").await;
    let a = text_file(&client, "a", &folder, "x").await;
    let b = text_file(&client, "b", &folder, "x").await;
    let ids = async |query: &str| -> Vec<String> {
        let listed = client.get(&format!("/api/assets?{query}")).await.ok();
        listed["assets"]
            .as_array()
            .unwrap()
            .iter()
            .map(id)
            .collect()
    };
    assert_eq!(ids("").await, [folder.as_str()]);
    assert_eq!(
        ids(&format!("parent_id={folder}")).await,
        [a.clone(), b.clone()]
    );
    assert_eq!(ids("content_type=text/").await, [a.clone(), b.clone()]);
    assert!(ids("job_id=x").await.is_empty());
    let page = client
        .get(&format!("/api/assets?parent_id={folder}&page_size=1"))
        .await
        .ok();
    let next = page["next"].as_str().unwrap();
    assert_eq!(ids(&format!("parent_id={folder}&cursor={next}")).await, [b]);
    let bad = client.get("/api/assets?cursor=x").await;
    assert_eq!(bad.places()[0].1, json!(["query", "cursor"]));
}

#[tokio::test]
async fn thumbnails_are_only_of_pictures() {
    let server = TestServer::start();
    let client = server.client();
    let of = async |content_type: &str, contents: &[u8]| {
        let asset = json!({ "name": "a", "content_type": content_type });
        id(&upload(&client, &asset, contents).await.ok())
    };
    let (text, video) = (of("text/plain", b"x").await, of("video/mp4", b"x").await);
    for other in [&text, &video] {
        let reply = client.get(&format!("/api/assets/{other}/thumbnail")).await;
        assert!(reply.detail(400).contains("unsupported type"), "{reply:?}");
    }
    let reply = client
        .call(Method::POST, &format!("/api/assets/{text}/thumbnail"))
        .await;
    assert_eq!(reply.detail(400), "Asset is not a video");
    let reply = client
        .call(Method::POST, &format!("/api/assets/{video}/thumbnail"))
        .await;
    assert!(reply.detail(501).contains("no video decoder"), "{reply:?}");
    let unknown = client.get("/api/assets/nope/thumbnail").await;
    assert_eq!(unknown.detail(404), "Asset not found");
    let packages = client.get("/api/assets/packages").await.ok();
    assert_eq!(packages, json!({ "assets": [] }));
    let of_one = client.get("/api/assets/packages/p").await.ok();
    assert_eq!(of_one, packages);
    assert_eq!(client.get("/api/assets/packages/p/x.png").await.status, 404);
}

#[tokio::test]
async fn a_sound_tells_how_long_it_lasts() {
    let server = TestServer::start();
    let client = server.client();
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(8000u32.to_le_bytes());
    wav.extend(16_000u32.to_le_bytes());
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(8_000u32.to_le_bytes());
    wav.extend(vec![0; 8_000]);
    let asset = json!({ "name": "a", "content_type": "audio/x-wav", "duration": 99 });
    let sound = upload(&client, &asset, &wav).await.ok();
    assert_eq!(sound["duration"], 0.5);
    assert_eq!(sound["get_url"], format!("/api/storage/{}.wav", id(&sound)));
}

#[tokio::test]
async fn what_a_node_saves_is_an_asset_of_its_run() {
    let server = TestServer::start();
    let client = server.client();
    let graph = json!({ "nodes": [
        { "id": "save", "type": "nodetool.text.SaveText", "data": { "text": "from a node", "name": "n.txt" } },
        { "id": "out", "type": "nodetool.output.Output", "data": { "name": "out" } },
    ], "edges": [
        { "source": "save", "sourceHandle": "output", "target": "out", "targetHandle": "value" },
    ] });
    let workflow = client.save(&graph).await;
    let outputs = client.run(&workflow, json!({})).await.ok();
    let reference = &outputs["out"];
    let asset_id = reference["asset_id"].as_str().expect("an asset id");
    let got = client.get(reference["uri"].as_str().unwrap()).await;
    assert_eq!(&got.body[..], b"from a node");
    let asset = client.get(&format!("/api/assets/{asset_id}")).await.ok();
    let job = client.ended_job(&workflow).await;
    assert_eq!(
        (&asset["workflow_id"], &asset["node_id"], &asset["job_id"]),
        (&json!(workflow), &json!("save"), &job["id"])
    );
    let of_job = client
        .get(&format!("/api/assets?job_id={}", id(&job)))
        .await
        .ok();
    assert_eq!(of_job["assets"][0]["id"], asset_id);
}

#[tokio::test]
async fn contents_that_a_crash_left_without_an_asset_are_swept() {
    let folder = folder();
    let server = TestServer::start_over(folder.clone(), &[]);
    let kept = text_file(&server.client(), "kept", "1", "x").await;
    let folder = server.kill().await;
    let objects = folder.path().join("assets/files/objects");
    let orphan = objects.join("0123456789abcdef0123456789abcdef.png");
    std::fs::write(&orphan, b"orphan").unwrap();
    let server = TestServer::start_over(folder, &[]);
    super::server::within("the sweep", async {
        while orphan.exists() {
            super::server::pace().await;
        }
    })
    .await;
    let got = server
        .client()
        .get(&format!("/api/storage/{kept}.txt"))
        .await;
    assert_eq!(got.status, 200);
    appears(&objects.join(format!("{kept}.txt"))).await;
}

#[tokio::test]
async fn a_large_file_goes_in_and_out_in_little_memory() {
    const SIZE: usize = 64 << 20;
    let server = TestServer::start();
    let client = server.client();
    client.save(&greeting()).await;
    text_file(&client, "warm", "1", &"x".repeat(1 << 20)).await;
    let before = server.peak_memory();
    let contents: Vec<u8> = (0..SIZE).map(|n| (n >> 8) as u8).collect();
    let asset = json!({ "name": "large", "content_type": "application/octet-stream" });
    let asset = upload(&client, &asset, &contents).await.ok();
    assert_eq!(asset["size"], SIZE);
    let got = client.get(asset["get_url"].as_str().unwrap()).await;
    assert!(got.body == contents, "the bytes are the same");
    let put = request(Method::PUT, "/api/storage/temp/large")
        .body(Full::new(contents.clone().into()))
        .unwrap();
    assert_eq!(client.send(put).await.status, 200);
    let ids = json!({ "asset_ids": [asset["id"]] });
    let archive = client.post("/api/assets/download", &ids).await;
    assert!(archive.body.len() > SIZE);
    let grown = server.peak_memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB more", grown >> 20);
}

#[tokio::test]
async fn a_file_above_the_limit_is_refused_and_nothing_of_it_is_kept() {
    let server = TestServer::start_with(&["--upload-limit", "1000"]);
    let client = server.client();
    let asset = json!({ "name": "a", "content_type": "text/plain" });
    assert_eq!(upload(&client, &asset, &[b'x'; 1000]).await.status, 200);
    let refused = upload(&client, &asset, &[b'x'; 1001]).await;
    assert_eq!(refused.detail(413), "The file is larger than 1000 bytes");
    let refused = upload(&client, &asset, &vec![b'x'; 4 << 20]).await;
    assert_eq!(refused.status, 413);
    let incoming = server.folder().join("assets/files/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

#[tokio::test]
async fn the_assets_of_a_user_stay_within_the_quota() {
    let server = TestServer::start_with(&["--storage-quota-mib", "1"]);
    let client = server.client();
    let text = |bytes: usize| vec![b'x'; bytes];
    let asset = json!({ "name": "a", "content_type": "application/octet-stream" });
    let first = upload(&client, &asset, &text(600 << 10)).await.ok();
    let refused = upload(&client, &asset, &text(600 << 10)).await;
    let told = "With this file the assets of this user would be larger than the quota of 1 MiB";
    assert_eq!(refused.detail(413), told);
    upload(&client, &asset, &text(400 << 10)).await.ok();
    // What a client says of a size makes no room.
    let path = format!("/api/assets/{}", id(&first));
    let said = client.put(&path, &json!({ "size": 1 })).await.ok();
    assert_eq!(said["size"], 600 << 10);
    let put = async |bytes: usize| {
        let request = request(Method::PUT, first["get_url"].as_str().unwrap());
        let body = Full::new(text(bytes).into());
        client.send(request.body(body).unwrap()).await
    };
    assert_eq!(put(700 << 10).await.detail(413), told);
    let data = json!({ "data": "y".repeat(700 << 10) });
    assert_eq!(client.put(&path, &data).await.detail(413), told);
    // What is replaced does not count, and what was deleted neither.
    assert_eq!(put(620 << 10).await.status, 200);
    assert_eq!(client.delete(&path).await.status, 200);
    let listed = client.get("/api/assets").await.ok();
    assert_eq!(listed["assets"].as_array().unwrap().len(), 1);
    let (one, other) = (text(400 << 10), text(400 << 10));
    let second = server.client();
    let (one, other) = tokio::join!(
        upload(&client, &asset, &one),
        upload(&second, &asset, &other)
    );
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 413], "both together are too much");
}
