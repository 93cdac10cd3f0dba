//! Servers that keep files in buckets: what assets do there, and what happens when the service fails.
//!
//! The service is the one `NODETOOL_TEST_S3` names, as `ci/s3.py` does; without one these tests are counted as skipped.
//! Failures come from a service of this file's own, which says what it is told to.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request as Asked;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use nodetool_store::new_id;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::assets::upload;
use super::client::{Client, bare, request};
use super::server::{TestServer, program, within};

/// A server over two empty buckets of the service for tests.
pub(super) async fn server(arguments: &[&str]) -> Option<TestServer> {
    let Some(endpoint) = std::env::var_os("NODETOOL_TEST_S3") else {
        eprintln!("SKIPPED 1 test: NODETOOL_TEST_S3 names no service");
        return None;
    };
    let endpoint = endpoint.into_string().unwrap();
    let address = endpoint.trim_start_matches("http://").parse().unwrap();
    let service = Client::new(address);
    let buckets = [format!("files-{}", new_id()), format!("temp-{}", new_id())];
    for bucket in &buckets {
        let made = service.send(bare(Method::PUT, &format!("/{bucket}"))).await;
        assert_eq!(made.status, 200, "{bucket}");
    }
    let [assets, temp] = &buckets;
    let environment = environment(&endpoint, assets);
    let mut environment: Vec<(&str, &str)> = environment.to_vec();
    environment.push(("ASSET_TEMP_BUCKET", temp));
    Some(TestServer::start_in(&environment, arguments))
}

fn environment<'a>(endpoint: &'a str, bucket: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("S3_ACCESS_KEY_ID", "id"),
        ("S3_SECRET_ACCESS_KEY", "not-to-be-seen"),
        ("S3_ENDPOINT_URL", endpoint),
        ("ASSET_BUCKET", bucket),
    ]
}

/// What a server that does not start says.
fn refusal(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = program()
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(folder.path())
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!told.contains("not-to-be-seen"), "{told}");
    told
}

mod s3 {
    use super::*;

    #[tokio::test]
    async fn assets_live_in_a_bucket_as_they_do_in_a_folder() {
        let Some(server) = server(&[]).await else {
            return;
        };
        let client = server.client();
        let large: Vec<u8> = (0..(9u32 << 20)).map(|n| (n >> 8) as u8).collect();
        let asset = json!({ "name": "large", "content_type": "application/octet-stream" });
        let asset = upload(&client, &asset, &large).await.ok();
        assert_eq!(asset["size"], large.len());
        let address = asset["get_url"].as_str().unwrap();
        assert!(address.starts_with("/api/storage/"), "{address}");
        assert!(client.get(address).await.body == large, "the same bytes");
        let ranged = request(Method::GET, address).header("range", "bytes=8388606-8388609");
        let ranged = client.send(ranged.body(Full::default()).unwrap()).await;
        assert_eq!(
            (ranged.status, &ranged.body[..]),
            (206, &large[8388606..8388610])
        );
        let mut picture = Vec::new();
        let mut encoder = png::Encoder::new(&mut picture, 900, 300);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[7; 900 * 300]).unwrap();
        writer.finish().unwrap();
        let asset_of = json!({ "name": "cat", "content_type": "image/png" });
        let cat = upload(&client, &asset_of, &picture).await.ok();
        let small = client.get(cat["thumb_url"].as_str().unwrap()).await;
        assert_eq!(
            (small.status, small.header("content-type")),
            (200, "image/jpeg")
        );
        let ids = json!({ "asset_ids": [cat["id"], asset["id"]] });
        let archive = client.post("/api/assets/download", &ids).await;
        assert!(archive.body.len() > large.len(), "both are in it");
        for asset in [&cat, &asset] {
            let path = format!("/api/assets/{}", asset["id"].as_str().unwrap());
            assert_eq!(client.delete(&path).await.status, 200);
            let gone = client.get(asset["get_url"].as_str().unwrap()).await;
            assert_eq!(gone.status, 404);
        }
        assert!(!server.log().contains("not-to-be-seen"));
    }

    #[tokio::test]
    async fn a_bucket_that_is_not_there_keeps_the_server_from_starting() {
        let Some(endpoint) = std::env::var_os("NODETOOL_TEST_S3") else {
            eprintln!("SKIPPED 1 test: NODETOOL_TEST_S3 names no service");
            return;
        };
        let told = refusal(
            &environment(endpoint.to_str().unwrap(), "no-such-bucket"),
            &[],
        );
        let expected = "the bucket no-such-bucket cannot be used: there is no such bucket";
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn settings_that_do_not_say_where_files_go_are_refused_in_one_sentence() {
    let supabase = [
        ("SUPABASE_URL", "https://x.example.org"),
        ("SUPABASE_KEY", "not-to-be-seen"),
    ];
    assert!(refusal(&supabase, &[]).contains("Supabase storage is not supported"));
    let half = [("S3_ACCESS_KEY_ID", "id")];
    assert!(refusal(&half, &[]).contains("S3_SECRET_ACCESS_KEY is not"));
    let whole = environment("http://127.0.0.1:9", "files");
    let key = [("SECRETS_MASTER_KEY", "k")];
    let whole: Vec<_> = whole.into_iter().chain(key).collect();
    let told = refusal(&whole, &["--environment", "production"]);
    assert!(told.contains("ASSET_TEMP_BUCKET"), "{told}");
}

/// A service that takes the first part of an upload and no other.
struct Failing {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Failing {
    async fn start() -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let noted = asked.clone();
        let answer = move |request: Asked| {
            let noted = noted.clone();
            async move {
                let (head, body) = request.into_parts();
                // Read to its end, as a service does.
                let read = axum::body::to_bytes(body, 64 << 20).await;
                assert!(read.is_ok());
                let query = head.uri.query().unwrap_or_default().to_owned();
                let line = format!("{} {}?{query}", head.method, head.uri.path());
                noted.lock().unwrap().push(line);
                reply(&head.method, &query)
            }
        };
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, axum::Router::new().fallback(answer)).await;
        });
        Failing {
            address,
            asked,
            _serving: serving,
        }
    }

    fn was_asked(&self, start: &str, has: &str) -> bool {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .any(|a| a.starts_with(start) && a.contains(has))
    }
}

fn reply(method: &Method, query: &str) -> Response {
    let xml = |text: &str| {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{text}");
        ([("content-type", "application/xml")], text).into_response()
    };
    match (method.as_str(), query) {
        ("GET", q) if q.contains("list-type") => xml(
            "<ListBucketResult><Name>files</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
        ),
        ("POST", q) if q.starts_with("uploads") => xml(
            "<InitiateMultipartUploadResult><Bucket>files</Bucket><Key>k</Key><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
        ),
        ("PUT", q) if q.contains("partNumber=1") => {
            ([("etag", "\"part\"")], Body::empty()).into_response()
        }
        ("PUT", q) if q.contains("partNumber") => hyper::StatusCode::FORBIDDEN.into_response(),
        ("DELETE", _) => hyper::StatusCode::NO_CONTENT.into_response(),
        _ => hyper::StatusCode::NOT_FOUND.into_response(),
    }
}

// The service answers while this thread waits for the server to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_on_its_way_to_the_bucket_is_aborted_and_never_seen() {
    let service = Failing::start().await;
    let server = TestServer::start_in(&environment(&service.address, "files"), &[]);
    let client = server.client();
    let large = Bytes::from(vec![b'x'; 20 << 20]);
    let put = request(Method::PUT, "/api/storage/large").body(Full::new(large));
    let refused = client.send(put.unwrap()).await;
    assert_eq!(refused.status, 500);
    within("the abort", async {
        while !service.was_asked("DELETE /files/large", "uploadId=u1") {
            super::server::pace().await;
        }
    })
    .await;
    assert!(
        !service.was_asked("POST /files/large", "uploadId"),
        "it was never completed"
    );
    assert_eq!(client.get("/api/storage/large").await.status, 404);
    let coming = server.folder().join("assets/files/incoming");
    assert_eq!(std::fs::read_dir(coming).unwrap().count(), 0);
}
