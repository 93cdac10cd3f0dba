//! Collections at the wire: made, filled with files of every kind, searched (HTTP spec 6.10, 6.19; conformance row 96).

use std::io::Write;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::access::{ANN, BOB, with_accounts};
use super::client::{Client, Reply};
use super::graphs::{graph, greeting, node};
use super::local::with_headers;
use super::server::TestServer;

const BOUNDARY: &str = "a-boundary-of-forms";

/// A form with a file under a name, as browsers send it.
fn form(path: &str, name: &str, content: &[u8]) -> Request<Full<Bytes>> {
    let mut body = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    with_headers(Method::POST, path, &[("content-type", &kind)], body)
}

async fn index(client: &Client, collection: &str, name: &str, content: &[u8]) -> Reply {
    let path = format!("/api/collections/{collection}/index");
    client.send(form(&path, name, content)).await
}

pub(super) async fn indexed(client: &Client, collection: &str, name: &str, content: &[u8]) {
    let told = index(client, collection, name, content).await.ok();
    assert_eq!(told, json!({ "path": name, "error": null }));
}

pub(super) async fn made(client: &Client, name: &str) {
    let body = json!({ "name": name });
    client.post("/api/collections", &body).await.ok();
}

async fn query(client: &Client, collection: &str, body: &Value) -> Value {
    let path = format!("/api/collections/{collection}/query");
    client.post(&path, body).await.ok()
}

/// The sources of what is found for one text.
fn sources(found: &Value) -> Vec<&str> {
    let metadatas = found["metadatas"][0].as_array().unwrap().iter();
    metadatas.map(|m| m["source"].as_str().unwrap()).collect()
}

/// A docx file of one paragraph.
fn docx(text: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("[Content_Types].xml", options).unwrap();
    zip.write_all(b"<Types/>").unwrap();
    zip.start_file("word/document.xml", options).unwrap();
    let xml = format!(
        "<w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
    );
    zip.write_all(xml.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// A PDF of one line.
fn pdf(line: &str) -> Vec<u8> {
    let stream = format!("BT /F1 12 Tf 20 200 Td ({line}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!(
            "<< /Length {} >>\nstream\n{stream}\nendstream",
            stream.len()
        ),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
    ];
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (i, object) in objects.iter().enumerate() {
        places.push(out.len());
        out.push_str(&format!("{} 0 obj\n{object}\nendobj\n", i + 1));
    }
    let table = out.len();
    out.push_str("xref\n0 6\n0000000000 65535 f \n");
    for place in places {
        out.push_str(&format!("{place:010} 00000 n \n"));
    }
    out.push_str(&format!(
        "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n"
    ));
    out.into_bytes()
}

#[tokio::test]
async fn a_collection_is_made_seen_changed_and_deleted() {
    let server = TestServer::start();
    let client = server.client();
    let none = json!({ "collections": [], "count": 0 });
    assert_eq!(client.get("/api/collections/").await.ok(), none);
    let body = json!({ "name": "notes", "embedding_model": "all-minilm:latest", "embedding_provider": "ollama" });
    let expected = json!({
        "name": "notes", "count": 0, "workflow_name": null,
        "metadata": { "embedding_model": "all-minilm:latest", "embedding_provider": "ollama" },
    });
    let told = client.post("/api/collections/", &body).await.ok();
    assert_eq!(told, expected);
    assert_eq!(
        client.post("/api/collections", &body).await.detail(409),
        "Collection notes already exists"
    );
    assert_eq!(client.get("/api/collections/notes").await.ok(), expected);
    made(&client, "a b/ü").await;
    let plain = client.get("/api/collections/a%20b%2F%C3%BC").await.ok();
    assert_eq!(
        plain["metadata"],
        json!({ "embedding_model": "local/hash-384" })
    );
    let list = client.get("/api/collections?offset=1&limit=1").await.ok();
    assert_eq!(list["count"], 2);
    assert_eq!(list["collections"], json!([plain, expected]));
    let change = json!({ "name": "diary", "metadata": { "about": "days", "embedding_model": "local/hash-384",
        "embedding_provider": "" } });
    let changed = client.put("/api/collections/notes", &change).await.ok();
    let metadata = json!({ "about": "days", "embedding_model": "local/hash-384" });
    assert_eq!(
        (&changed["name"], &changed["metadata"]),
        (&json!("diary"), &metadata)
    );
    let taken = json!({ "name": "a b/ü" });
    assert_eq!(
        client.put("/api/collections/diary", &taken).await.status,
        409
    );
    let gone = client.delete("/api/collections/diary").await.ok();
    assert_eq!(
        gone,
        json!({ "message": "Collection diary deleted successfully" })
    );
    for told in [
        client.get("/api/collections/diary").await,
        client.put("/api/collections/diary", &json!({})).await,
        client.delete("/api/collections/diary").await,
        index(&client, "diary", "a.txt", b"x").await,
        client
            .send(form("/collections/diary/index", "a.txt", b"x"))
            .await,
        client
            .post(
                "/api/collections/diary/query",
                &json!({ "query_texts": ["x"] }),
            )
            .await,
    ] {
        assert_eq!(told.detail(404), "Collection not found");
    }
}

#[tokio::test]
async fn bad_bodies_are_refused_by_field() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    let long = "x".repeat(129);
    for (body, kind, place) in [
        (json!({}), "missing", json!(["body", "name"])),
        (json!({ "name": 3 }), "string_type", json!(["body", "name"])),
        (
            json!({ "name": " " }),
            "value_error",
            json!(["body", "name"]),
        ),
        (
            json!({ "name": long }),
            "string_too_long",
            json!(["body", "name"]),
        ),
    ] {
        let refused = client.post("/api/collections", &body).await;
        assert_eq!(refused.places(), [(kind.to_owned(), place)], "{body}");
    }
    let change = json!({ "metadata": { "k": 1 } });
    let refused = client.put("/api/collections/c", &change);
    let place = json!(["body", "metadata", "k"]);
    assert_eq!(refused.await.places(), [("string_type".to_owned(), place)]);
    for (body, kind, place) in [
        (json!({}), "missing", json!(["body", "query_texts"])),
        (
            json!({ "query_texts": "x" }),
            "list_type",
            json!(["body", "query_texts"]),
        ),
        (
            json!({ "query_texts": [] }),
            "value_error",
            json!(["body", "query_texts"]),
        ),
        (
            json!({ "query_texts": ["x"], "n_results": 0 }),
            "value_error",
            json!(["body", "n_results"]),
        ),
        (
            json!({ "query_texts": ["x"], "mode": "magic" }),
            "enum",
            json!(["body", "mode"]),
        ),
        (
            json!({ "query_texts": ["x"], "where": { "year": { "$about": 3 } } }),
            "value_error",
            json!(["body", "where.year.$about"]),
        ),
    ] {
        let refused = client.post("/api/collections/c/query", &body).await;
        assert_eq!(refused.places(), [(kind.to_owned(), place)], "{body}");
    }
    let bare = client
        .post_as("/api/collections/c/index", "text/plain", "x")
        .await;
    let place = json!(["body", "file"]);
    assert_eq!(bare.places(), [("missing".to_owned(), place.clone())]);
    let other = super::local::upload("/api/collections/c/index", "document", b"x");
    let refused = client.send(other).await;
    assert_eq!(refused.places(), [("missing".to_owned(), place)]);
}

#[tokio::test]
async fn files_of_each_kind_are_found_by_what_they_say() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    let files: [(&str, Vec<u8>, &str); 8] = [
        (
            "plain.txt",
            b"The walrus rests on the ice.".to_vec(),
            "walrus",
        ),
        (
            "latin.txt",
            b"Der Br\xFCllaffe br\xFCllt.".to_vec(),
            "Brüllaffe",
        ),
        (
            "notes.md",
            b"# Herons\n\nA heron waits in the reeds.".to_vec(),
            "heron",
        ),
        (
            "page.html",
            b"<html><p>An <b>ibex</b> climbs.</p><script>lynx()</script></html>".to_vec(),
            "ibex",
        ),
        ("table.csv", b"animal,legs\nocelot,4\n".to_vec(), "ocelot"),
        (
            "list.json",
            br#"[{"animal": "tapir", "legs": 4}]"#.to_vec(),
            "tapir",
        ),
        (
            "letter.docx",
            docx("The badger digs &amp; sleeps."),
            "badger",
        ),
        ("paper.pdf", pdf("Notes on the marmot"), "marmot"),
    ];
    for (name, content, _) in &files {
        indexed(&client, "c", name, content).await;
    }
    let collection = client.get("/api/collections/c").await.ok();
    assert_eq!(collection["count"], files.len());
    for (name, _, word) in &files {
        let body = json!({ "query_texts": [word], "mode": "keyword" });
        let found = query(&client, "c", &body).await;
        assert_eq!(sources(&found), [*name], "{word}");
        let text = found["documents"][0][0].as_str().unwrap().to_lowercase();
        assert!(text.contains(&word.to_lowercase()), "{text}");
        assert_eq!(found["metadatas"][0][0]["chunk"], 0);
    }
    let body = json!({ "query_texts": ["marmot"], "mode": "keyword" });
    let found = query(&client, "c", &body).await;
    assert_eq!(found["metadatas"][0][0]["page"], 1);
    let body = json!({ "query_texts": ["lynx"], "mode": "keyword" });
    assert!(sources(&query(&client, "c", &body).await).is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_by_its_name() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    for (name, content, expected) in [
        (
            "a.bin",
            &b"\x7fELF\0\x01\x02"[..],
            "a.bin is neither text, Markdown, HTML, PDF, docx, csv nor JSON",
        ),
        (
            "b.pdf",
            b"%PDF-1.4 and nothing more",
            "b.pdf cannot be read as PDF: ",
        ),
        ("c.json", b"{", "c.json cannot be read as JSON: "),
        ("d.txt", b" \n ", "d.txt holds no text"),
    ] {
        let told = index(&client, "c", name, content).await.ok();
        assert_eq!(told["path"], name);
        let error = told["error"].as_str().unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
    let body = json!({ "name": "far", "embedding_model": "openai/none" });
    client.post("/api/collections", &body).await.ok();
    let told = index(&client, "far", "a.txt", b"x").await.ok();
    let error = told["error"].as_str().unwrap();
    assert!(
        error.starts_with("the model openai/none gives no vectors: "),
        "{error}"
    );
    for name in ["c", "far"] {
        let collection = client.get(&format!("/api/collections/{name}")).await.ok();
        assert_eq!(collection["count"], 0);
    }
    client.check_health().await;
}

#[tokio::test]
async fn case_96_a_name_cannot_leave_its_folder() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    let folder = server.folder().to_owned();
    for (given, expected) in [
        ("../../p", "p"),
        ("..%2F..%2Fp", "..%2F..%2Fp"),
        ("/etc/cron.d/job", "job"),
        ("C:\\\\windows\\\\x.txt", "x.txt"),
        ("..", "file"),
    ] {
        let told = index(&client, "c", given, b"harmless words").await.ok();
        assert_eq!(told, json!({ "path": expected, "error": null }), "{given}");
    }
    assert!(!folder.join("../../p").exists() && !folder.join("../p").exists());
    assert!(!folder.join("p").exists());
    let found = query(
        &client,
        "c",
        &json!({ "query_texts": ["harmless"], "n_results": 9 }),
    )
    .await;
    let mut sources = sources(&found);
    sources.sort_unstable();
    assert_eq!(sources, ["..%2F..%2Fp", "file", "job", "p", "x.txt"]);
}

#[tokio::test]
async fn documents_are_found_by_meaning_by_words_and_by_both() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    indexed(
        &client,
        "c",
        "cats.txt",
        b"Cats sleep most of the day and hunt at dawn.",
    )
    .await;
    indexed(
        &client,
        "c",
        "boats.txt",
        b"Sailing boats need wind; sailors need patience.",
    )
    .await;
    indexed(
        &client,
        "c",
        "bread.txt",
        b"Bread dough rises slowly in a cold kitchen.",
    )
    .await;
    let text = "sailors and the wind";
    for mode in ["vector", "keyword", "hybrid"] {
        let body = json!({ "query_texts": [text, "dough"], "n_results": 2, "mode": mode });
        let found = query(&client, "c", &body).await;
        assert_eq!(sources(&found)[0], "boats.txt", "{mode}");
        assert_eq!(found["metadatas"][1][0]["source"], "bread.txt", "{mode}");
        for list in ["ids", "documents", "distances", "metadatas", "scores"] {
            assert_eq!(found[list].as_array().unwrap().len(), 2, "{mode} {list}");
        }
        let (distance, score) = (&found["distances"][0][0], &found["scores"][0][0]);
        assert_eq!(distance.is_number(), mode != "keyword", "{mode}");
        assert_eq!(score.is_number(), mode != "vector", "{mode}");
    }
    let plain = query(&client, "c", &json!({ "query_texts": [text] })).await;
    assert_eq!(sources(&plain).len(), 3);
    for (filter, expected) in [
        (json!({ "source": "bread.txt" }), &["bread.txt"][..]),
        (
            json!({ "source": { "$nin": ["boats.txt", "cats.txt"] } }),
            &["bread.txt"],
        ),
        (
            json!({ "$and": [{ "chunk": { "$gte": 1 } }, { "chunk": 0 }] }),
            &[],
        ),
        (
            json!({ "$or": [{ "source": "none" }, { "source": "cats.txt" }] }),
            &["cats.txt"],
        ),
        (json!({}), &["boats.txt", "cats.txt", "bread.txt"]),
    ] {
        let body = json!({ "query_texts": [text], "where": filter });
        let found = query(&client, "c", &body).await;
        let (mut found, mut expected) = (sources(&found), expected.to_vec());
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
}

#[tokio::test]
async fn a_file_that_comes_again_takes_the_place_of_what_was() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    let long: String = (0..400)
        .map(|n| format!("Sentence number {n} of many. "))
        .collect();
    indexed(&client, "c", "a.txt", long.as_bytes()).await;
    let count = client.get("/api/collections/c").await.ok()["count"].as_u64();
    assert!(count.is_some_and(|count| count > 5), "{count:?}");
    let body = json!({ "query_texts": ["sentence number 399"], "mode": "keyword", "n_results": 1 });
    let found = query(&client, "c", &body).await;
    assert!(
        found["documents"][0][0]
            .as_str()
            .unwrap()
            .contains("number 399")
    );
    client
        .send(form("/collections/c/index", "a.txt", b"Only this."))
        .await
        .ok();
    assert_eq!(client.get("/api/collections/c").await.ok()["count"], 1);
    let found = query(&client, "c", &json!({ "query_texts": ["sentence"] })).await;
    assert_eq!(found["documents"], json!([["Only this."]]));
    let change = json!({ "metadata": { "embedding_model": "another" } });
    let told = client.put("/api/collections/c", &change).await.detail(409);
    assert!(
        told.contains("come from local/hash-384, not from another"),
        "{told}"
    );
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    indexed(&client, "c", "a.txt", b"The comet returns every decade.").await;
    let body = json!({ "query_texts": ["when does the comet return"], "mode": "hybrid" });
    let before = query(&client, "c", &body).await;
    let collection = client.get("/api/collections/c").await.ok();
    drop(client);
    let folder = server.kill().await;
    let again = TestServer::start_over(folder, &[]);
    let client = again.client();
    assert_eq!(client.get("/api/collections/c").await.ok(), collection);
    assert_eq!(query(&client, "c", &body).await, before);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_nothing_is_kept() {
    let server = TestServer::start_with(&["--upload-limit", "100000"]);
    let client = server.client();
    made(&client, "c").await;
    let told = index(&client, "c", "a.txt", &vec![b'a'; 100_001]).await;
    assert_eq!(told.detail(413), "The file is larger than 100000 bytes");
    assert_eq!(client.get("/api/collections/c").await.ok()["count"], 0);
    client.check_health().await;
}

#[tokio::test]
async fn a_collection_of_another_user_is_not_there() {
    let server = with_accounts();
    let client = server.client();
    let send = async |who: (&str, &str), method: Method, path: &str, body: Option<Value>| {
        let bearer = format!("Bearer {}", who.1);
        let mut headers = vec![("authorization", bearer.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        client
            .send(with_headers(method, path, &headers, body))
            .await
    };
    let body = || Some(json!({ "name": "hers" }));
    send(ANN, Method::POST, "/api/collections", body())
        .await
        .ok();
    for (method, path, body) in [
        (Method::GET, "/api/collections/hers", None),
        (
            Method::PUT,
            "/api/collections/hers",
            Some(json!({ "name": "mine" })),
        ),
        (Method::DELETE, "/api/collections/hers", None),
        (
            Method::POST,
            "/api/collections/hers/query",
            Some(json!({ "query_texts": ["x"] })),
        ),
    ] {
        let told = send(BOB, method, path, body).await;
        assert_eq!(told.detail(404), "Collection not found", "{path}");
    }
    let mut request = form("/api/collections/hers/index", "a.txt", b"x");
    let bearer = format!("Bearer {}", BOB.1).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    assert_eq!(
        client.send(request).await.detail(404),
        "Collection not found"
    );
    let list = send(BOB, Method::GET, "/api/collections", None).await.ok();
    assert_eq!(list["count"], 0);
    send(BOB, Method::POST, "/api/collections", body())
        .await
        .ok();
    let list = send(ANN, Method::GET, "/api/collections", None).await.ok();
    assert_eq!(list["collections"][0]["name"], "hers");
    assert_eq!(list["count"], 1);
}

#[tokio::test]
async fn a_workflow_that_takes_the_files_needs_inputs_for_them() {
    let server = TestServer::start();
    let client = server.client();
    made(&client, "c").await;
    let collection = node(
        "c",
        "nodetool.input.CollectionInput",
        json!({ "name": "into" }),
    );
    let file = node(
        "f",
        "nodetool.input.DocumentFileInput",
        json!({ "name": "file" }),
    );
    let plain = client.save(&greeting()).await;
    let half = client
        .save(&graph(std::slice::from_ref(&collection), &[]))
        .await;
    let unplannable = node("x", "none.such.Node", json!({}));
    let whole = client
        .save(&graph(&[collection, file, unplannable], &[]))
        .await;
    let set = async |workflow: &str| {
        let change = json!({ "metadata": { "workflow": workflow } });
        client.put("/api/collections/c", &change).await
    };
    assert_eq!(set("none").await.detail(404), "Workflow not found");
    assert_eq!(
        set(&plain).await.detail(400),
        "Workflow must have a CollectionInput node"
    );
    assert_eq!(
        set(&half).await.detail(400),
        "Workflow must have a FileInput or DocumentFileInput node"
    );
    let told = set(&whole).await.ok();
    assert_eq!(
        (&told["workflow_name"], &told["metadata"]["workflow"]),
        (&json!("W"), &json!(whole))
    );
    // The workflow says what becomes of the file, and this one cannot run.
    let told = index(&client, "c", "a.txt", b"words").await.ok();
    let error = told["error"].as_str().unwrap();
    assert!(
        error.starts_with("the workflow of the collection: "),
        "{error}"
    );
    assert_eq!(client.get("/api/collections/c").await.ok()["count"], 0);
    client.delete(&format!("/api/workflows/{whole}")).await;
    assert_eq!(
        client.get("/api/collections/c").await.ok()["workflow_name"],
        Value::Null
    );
    assert_eq!(
        index(&client, "c", "a.txt", b"words").await.detail(404),
        "Workflow not found"
    );
    set("").await.ok();
    indexed(&client, "c", "a.txt", b"words").await;
}

#[tokio::test]
async fn administration_fills_collections_with_ready_made_vectors() {
    let server = TestServer::start();
    let client = server.client();
    let refused = client
        .post("/admin/collections", &json!({ "name": "c" }))
        .await;
    let place = json!(["body", "embedding_model"]);
    assert_eq!(refused.places(), [("missing".to_owned(), place)]);
    let body = json!({ "name": "c", "embedding_model": "some/model" });
    let collection = client.post("/admin/collections/", &body).await.ok();
    assert_eq!(client.post("/admin/collections", &body).await.status, 409);
    assert_eq!(client.get("/admin/collections/c").await.ok(), collection);
    assert_eq!(client.get("/admin/collections").await.ok()["count"], 1);
    let add = |vectors: Value| {
        json!({
            "documents": ["one", "two"], "ids": ["a", "b"],
            "metadatas": [{ "n": 1 }, { "n": 2 }], "embeddings": vectors,
        })
    };
    let path = "/admin/collections/c/add";
    let told = client
        .post(path, &add(json!([[1, 0], [0, 1.5]])))
        .await
        .ok();
    assert_eq!(
        told,
        json!({ "message": "Documents added to collection c successfully" })
    );
    for (vectors, place) in [
        (json!([[1, 0]]), json!(["body", "embeddings"])),
        (json!([[1, 0], ["x", 1]]), json!(["body", "embeddings", 1])),
        (json!([[1, 0], [1, 0, 0]]), json!(["body", "vector"])),
        (json!(3), json!(["body", "embeddings"])),
    ] {
        let refused = client.post(path, &add(vectors.clone())).await;
        assert_eq!(refused.places()[0].1, place, "{vectors}");
    }
    assert_eq!(client.post(path, &json!({})).await.errors().len(), 4);
    let body = json!({ "query_texts": ["two"], "mode": "keyword" });
    let found = query(&client, "c", &body).await;
    assert_eq!(found["ids"], json!([["b"]]));
    let gone = client.delete("/admin/collections/c").await.ok();
    assert_eq!(
        gone,
        json!({ "message": "Collection c deleted successfully" })
    );
    for told in [
        client.get("/admin/collections/c").await,
        client.put("/admin/collections/c", &json!({})).await,
        client.delete("/admin/collections/c").await,
        client.post(path, &add(json!([[1, 0], [0, 1]]))).await,
    ] {
        assert_eq!(told.detail(404), "Collection not found");
    }
}
