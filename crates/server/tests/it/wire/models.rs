//! Models over HTTP: what is in the caches, the administrator's downloads, Ollama (HTTP spec 6.9, 6.19).

use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::hub::{COMMIT, File, Hub, REPO};
use super::local::{local, local_json, with_headers};
use super::ollama::Ollama;
use super::server::TestServer;

fn tiny() -> Vec<File> {
    vec![
        File::small("config.json", "{}"),
        File::small("model_index.json", "[]"),
        File::large("unet/w.bin", 50_000),
    ]
}

/// A server with a hub, and the folder of its cache.
fn serve_with(hub: &str, more: &[&str]) -> TestServer {
    let folder = super::server::folder();
    let home = folder.path().join("hf");
    let home = home.to_str().unwrap();
    let mut arguments = vec!["--hf-endpoint", hub, "--hf-home", home];
    arguments.extend(["--download-min-free-bytes", "0"]);
    arguments.extend(more);
    TestServer::start_over(folder.clone(), &arguments)
}

const DOWNLOAD: &str = "/admin/models/huggingface/download";

/// Downloads the whole repository; the last word.
async fn download(server: &TestServer, more: Value) -> Value {
    let mut body = json!({ "repo_id": REPO, "stream": false });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let request = local_json(Method::POST, DOWNLOAD, &body);
    server.client().send(request).await.ok()
}

/// The objects of an event stream that ends as it should.
fn events(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).unwrap();
    let text = text.strip_suffix("data: [DONE]\n\n").expect(text);
    let frames = text.split_terminator("\n\n");
    frames
        .filter(|f| !f.starts_with(':'))
        .map(|f| serde_json::from_str(f.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn an_administrator_watches_a_download_to_its_end() {
    let hub = Hub::start(tiny()).await;
    let server = serve_with(&hub.url(), &[]);
    let outside = server.folder().join("outside");
    let body = json!({ "repo_id": REPO, "cache_dir": outside });
    let request = local_json(Method::POST, DOWNLOAD, &body);
    let reply = server.client().send(request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(reply.header("cache-control"), "no-cache");
    assert_eq!(reply.header("x-accel-buffering"), "no");
    let events = events(&reply.body);
    assert_eq!(events[0]["status"], "starting");
    let end = events.last().unwrap();
    assert_eq!(end["status"], "completed", "{end}");
    assert_eq!(
        (&end["total_files"], &end["downloaded_files"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        (&end["downloaded_size"], &end["cached_files"]),
        (&json!(50_004), &json!(0))
    );
    let place = Path::new(end["local_path"].as_str().unwrap());
    assert!(place.ends_with(format!("hf/hub/models--org--tiny-model/snapshots/{COMMIT}")));
    assert_eq!(
        std::fs::read_to_string(place.join("config.json")).unwrap(),
        "{}"
    );
    assert!(!outside.exists(), "the server chooses the folder");
    let again = download(&server, json!({})).await;
    assert_eq!(again["cached_files"], 3);
    assert!(server.log().contains("download.started"));
}

#[tokio::test]
async fn a_download_that_fails_says_where() {
    let hub = Hub::start(tiny()).await;
    hub.behave(|m| m.corrupt = true);
    let server = serve_with(&hub.url(), &[]);
    let end = download(&server, json!({ "file_path": "unet/w.bin" })).await;
    assert_eq!(
        (&end["status"], &end["error_file"]),
        (&json!("error"), &json!("unet/w.bin"))
    );
    assert!(end["error"].as_str().unwrap().contains("checksum"), "{end}");
}

#[tokio::test]
async fn what_cannot_be_downloaded_is_refused_and_only_administrators_may_ask() {
    let server = TestServer::start();
    let client = server.client();
    for (path, told) in [
        (DOWNLOAD, "repo_id is required"),
        ("/admin/models/ollama/download", "model_name is required"),
    ] {
        for body in [json!({}), json!({ "repo_id": "", "model_name": null })] {
            let reply = client.send(local_json(Method::POST, path, &body)).await;
            assert_eq!(reply.detail(400), told);
            let headers = [
                ("x-forwarded-for", "10.0.0.1"),
                ("content-type", "application/json"),
            ];
            let from_afar = with_headers(Method::POST, path, &headers, body.to_string());
            assert_eq!(client.send(from_afar).await.status, 401);
        }
    }
    for repo_id in ["x", "../../etc", "a/b/c"] {
        let body = json!({ "repo_id": repo_id });
        let reply = client.send(local_json(Method::POST, DOWNLOAD, &body)).await;
        assert_eq!(reply.status, 422, "{repo_id}");
    }
    for path in ["/admin/cache/scan", "/admin/cache/size"] {
        let from_afar = with_headers(Method::GET, path, &[("x-forwarded-for", "10.0.0.1")], "");
        assert_eq!(client.send(from_afar).await.status, 401);
    }
    let afar = [("x-forwarded-for", "10.0.0.1")];
    let from_afar = with_headers(Method::DELETE, "/admin/models/huggingface/a/b", &afar, "");
    assert_eq!(client.send(from_afar).await.status, 401);
}

#[tokio::test]
async fn the_cache_is_listed_measured_and_emptied() {
    let hub = Hub::start(tiny()).await;
    let server = serve_with(&hub.url(), &[]);
    let client = server.client();
    let get = async |path: &str| client.send(local(Method::GET, path, "")).await.ok();
    let empty = get("/admin/cache/scan").await;
    assert_eq!(
        empty["cache_info"],
        json!({ "size_on_disk": 0, "repos": [], "warnings": [] })
    );
    download(&server, json!({})).await;
    let scan = get("/admin/cache/scan").await;
    assert_eq!(
        (&scan["status"], &scan["cache_info"]["warnings"]),
        (&json!("completed"), &json!([]))
    );
    let repo = &scan["cache_info"]["repos"][0];
    assert_eq!(
        (
            &repo["repo_id"],
            &repo["repo_type"],
            &repo["nb_files"],
            &repo["size_on_disk"]
        ),
        (&json!(REPO), &json!("model"), &json!(3), &json!(50_004))
    );
    let revision = &repo["revisions"][0];
    assert_eq!(revision["commit_hash"], COMMIT);
    assert_eq!(revision["files"][2]["file_name"], "unet/w.bin");
    let size = get("/admin/cache/size").await;
    let whole = size["total_size_bytes"].as_u64().unwrap();
    assert!(whole >= 50_004 && size["success"] == true, "{size}");
    for elsewhere in ["/", "/etc", "../..", "%00"] {
        let size = get(&format!("/admin/cache/size?cache_dir={elsewhere}")).await;
        assert_eq!(size["total_size_bytes"], whole, "{elsewhere}");
    }
    let part = repo["repo_path"].as_str().unwrap();
    let part = get(&format!("/admin/cache/size?cache_dir={part}/refs")).await;
    assert_eq!(part["total_size_bytes"], 40);
    let listed = client.get("/api/models/huggingface").await.ok();
    assert_eq!(listed[0]["repo_id"], REPO);
    assert_eq!(
        (&listed[0]["downloaded"], &listed[0]["has_model_index"]),
        (&json!(true), &json!(true))
    );
    let search = async |query: &str| {
        let path = format!("/api/models/huggingface/search?{query}");
        let found = client.get(&path).await.ok();
        let ids = found.as_array().unwrap().iter().map(|m| m["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(search("").await, [json!(REPO)]);
    assert_eq!(search("repo_pattern=org/*").await, [json!(REPO)]);
    assert!(search("repo_pattern=other/*").await.is_empty());
    assert_eq!(
        search("filename_pattern=*.bin&filename_pattern=nothing").await,
        [json!(format!("{REPO}:unet/w.bin"))]
    );
    let long = format!(
        "/api/models/huggingface/search?repo_pattern={}",
        "x".repeat(600)
    );
    assert_eq!(client.get(&long).await.status, 422);
    let other = client.get("/api/models/huggingface/type/hf.gguf").await;
    assert_eq!(other.ok(), json!([]));
    let delete = async |repo: &str| {
        let path = format!("/admin/models/huggingface/{repo}");
        client.send(local(Method::DELETE, &path, "")).await
    };
    let deleted = delete(REPO).await.ok();
    assert_eq!(
        (&deleted["status"], &deleted["repo_id"]),
        (&json!("completed"), &json!(REPO))
    );
    assert_eq!(delete(REPO).await.ok()["status"], "error");
    for bad in ["..%2F..", "x", "a/b/c", "..%2Fhub"] {
        assert_eq!(delete(bad).await.status, 422, "{bad}");
    }
    assert_eq!(client.get("/api/models/huggingface").await.ok(), json!([]));
}

#[tokio::test]
async fn what_is_here_is_told_without_the_hub() {
    let hub = Hub::start(tiny()).await;
    let llama = super::server::folder();
    std::fs::write(llama.path().join("o_m_q4.gguf"), "x").unwrap();
    let server = serve_with(
        &hub.url(),
        &["--llama-cache", llama.path().to_str().unwrap()],
    );
    let client = server.client();
    download(&server, json!({ "ignore_patterns": ["unet/*"] })).await;
    let asked = hub.asked().len();
    let path = "/api/models/huggingface/try_cache_files";
    let files = [
        ("config.json", true),
        ("unet/w.bin", false),
        ("../../../refs/main", false),
    ];
    let body: Vec<Value> = files
        .iter()
        .map(|(path, _)| json!({ "repo_id": REPO, "path": path, "downloaded": false }))
        .collect();
    let told = client.post(path, &json!(body)).await.ok();
    let expected: Vec<Value> = files
        .iter()
        .map(|(path, here)| json!({ "repo_id": REPO, "path": path, "downloaded": here }))
        .collect();
    assert_eq!(told, json!(expected));
    let path = "/api/models/huggingface/try_cache_repos";
    let told = client
        .post(path, &json!([REPO, "org/none", "../x"]))
        .await
        .ok();
    let here: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["downloaded"])
        .collect();
    assert_eq!(here, [true, false, false]);
    let path = "/api/models/huggingface/cache_status";
    let questions = [
        (json!({}), true),
        (json!({ "path": "config.json" }), true),
        (json!({ "path": "unet/w.bin" }), false),
        (json!({ "allow_patterns": ["*.json"] }), true),
        (json!({ "allow_patterns": ["*.json", "*.bin"] }), false),
        (
            json!({ "allow_patterns": ["*.json"], "ignore_patterns": ["*.json"] }),
            false,
        ),
        (
            json!({ "repo_id": "o/m", "model_type": "llama_cpp", "path": "q4.gguf" }),
            true,
        ),
        (
            json!({ "repo_id": "o/m", "model_type": "hf.gguf", "path": "q8.gguf" }),
            false,
        ),
        (json!({ "repo_id": "o/m", "model_type": "hf.gguf" }), false),
    ];
    let body: Vec<Value> = questions
        .iter()
        .enumerate()
        .map(|(i, (more, _))| {
            let mut body = json!({ "key": i.to_string(), "repo_id": REPO });
            for (key, value) in more.as_object().unwrap() {
                body[key] = value.clone();
            }
            body
        })
        .collect();
    let told = client.post(path, &json!(body)).await.ok();
    for (i, (question, here)) in questions.iter().enumerate() {
        assert_eq!(
            told[i],
            json!({ "key": i.to_string(), "downloaded": here }),
            "{question}"
        );
    }
    assert_eq!(hub.asked().len(), asked, "the hub was not asked");
    let refused = client
        .post(path, &json!([{ "key": "a", "repo_id": 1 }]))
        .await;
    assert_eq!(
        refused.places(),
        [("string_type".into(), json!(["body", 0, "repo_id"]))]
    );
    for body in [json!({}), json!(null), json!([1])] {
        assert_eq!(client.post(path, &body).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn what_is_missing_and_how_large_it_is_is_asked_of_the_hub() {
    let hub = Hub::start(tiny()).await;
    let server = serve_with(&hub.url(), &[]);
    let client = server.client();
    let path = "/api/models/huggingface/check_cache";
    let body = json!({ "repo_id": REPO, "allow_pattern": "*.json" });
    let told = client.post(path, &body).await.ok();
    let missing = json!(["config.json", "model_index.json"]);
    let expected =
        json!({ "repo_id": REPO, "all_present": false, "total_files": 2, "missing": missing });
    assert_eq!(told, expected);
    download(&server, json!({ "allow_patterns": ["*.json"] })).await;
    assert_eq!(client.post(path, &body).await.ok()["all_present"], true);
    let all = client.post(path, &json!({ "repo_id": REPO })).await.ok();
    assert_eq!(
        (&all["missing"], &all["total_files"]),
        (&json!(["unet/w.bin"]), &json!(3))
    );
    let info = "/api/models/huggingface/file_info";
    let files = json!([{ "repo_id": REPO, "path": "unet/w.bin" }, { "repo_id": REPO, "path": "config.json" }]);
    let told = client.post(info, &files).await.ok();
    let sizes: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["size"])
        .collect();
    assert_eq!(sizes, [50_000, 2]);
    assert!(
        hub.asked()
            .iter()
            .all(|a| a.method == "GET" || !a.elsewhere)
    );
    for (path, body, status) in [
        (path, json!({ "repo_id": "org/none" }), 404),
        (info, json!([{ "repo_id": REPO, "path": "none" }]), 404),
        (info, json!([{ "repo_id": REPO, "path": "../x" }]), 422),
        (path, json!({ "repo_id": "none" }), 422),
        (path, json!({ "repo_id": REPO, "allow_pattern": 1 }), 422),
    ] {
        assert_eq!(client.post(path, &body).await.status, status, "{body}");
    }
    hub.behave(|m| m.gated = Some("x"));
    let refused = client
        .post(path, &json!({ "repo_id": REPO }))
        .await
        .detail(403);
    assert!(refused.contains("HF_TOKEN"), "{refused}");
    drop(hub);
    assert_eq!(
        client.post(path, &json!({ "repo_id": REPO })).await.status,
        502
    );
}

#[tokio::test]
async fn in_production_models_are_neither_deleted_nor_pulled() {
    let server = serve_with("http://127.0.0.1:9", &["--environment", "production"]);
    let client = server.client();
    let base = server.folder().join("hf/hub/models--o--m/snapshots/x");
    std::fs::create_dir_all(&base).unwrap();
    std::fs::write(base.join("w"), "1").unwrap();
    assert_eq!(
        client
            .delete("/api/models/huggingface?repo_id=o/m")
            .await
            .ok(),
        false
    );
    assert!(base.exists());
    assert_eq!(
        client.delete("/api/models/ollama?model_name=m").await.ok(),
        false
    );
    assert_eq!(
        client
            .delete("/api/models/huggingface?repo_id=../m")
            .await
            .status,
        422
    );
    let pull = client
        .call(Method::POST, "/api/models/pull_ollama_model?model_name=m")
        .await;
    assert_eq!(pull.status, 404);
    let info = client
        .post("/api/models/huggingface/file_info", &json!([]))
        .await;
    assert_eq!(info.status, 404);
    let listed = client.get("/api/models/huggingface").await.ok();
    assert_eq!(
        (&listed[0]["repo_id"], &listed[0]["cache_path"]),
        (&json!("o/m"), &Value::Null)
    );
}

#[tokio::test]
async fn a_pull_passes_on_what_ollama_says() {
    let ollama = Ollama::start().await;
    let server = serve_with("http://127.0.0.1:9", &["--ollama-api-url", &ollama.url()]);
    let client = server.client();
    let pull = async |model: &str| {
        let path = format!("/api/models/pull_ollama_model?model_name={model}");
        client.open(super::client::bare(Method::POST, &path)).await
    };
    let stream = pull("good").await;
    assert_eq!(stream.headers["content-type"], "application/json");
    assert_eq!(stream.headers["x-content-format"], "ndjson");
    let lines = stream.lines().await;
    assert_eq!(
        lines[1],
        json!({ "status": "downloading", "digest": "sha256:a", "total": 10, "completed": 5 })
    );
    assert_eq!(lines.last().unwrap(), &json!({ "status": "success" }));
    let lines = pull("breaks").await.lines().await;
    let expected = json!({ "status": "error", "message": "The model breaks could not be pulled",
        "error": "max retries exceeded", "model": "breaks" });
    assert_eq!(lines.last().unwrap(), &expected);
    let lines = pull("none").await.lines().await;
    assert_eq!(
        (lines.len(), &lines[0]["error"]),
        (1, &json!("file does not exist"))
    );
    let path = "/admin/models/ollama/download";
    let body = |model: &str, stream: bool| json!({ "model_name": model, "stream": stream });
    let reply = client
        .send(local_json(Method::POST, path, &body("good", true)))
        .await;
    let said = events(&reply.body);
    let statuses: Vec<_> = said.iter().map(|e| &e["status"]).collect();
    assert_eq!(
        statuses,
        [
            "starting",
            "pulling manifest",
            "downloading",
            "success",
            "completed"
        ]
    );
    let end = client
        .send(local_json(Method::POST, path, &body("good", false)))
        .await
        .ok();
    assert_eq!(
        (&end["status"], &end["model"]),
        (&json!("completed"), &json!("good"))
    );
    let end = client
        .send(local_json(Method::POST, path, &body("breaks", false)))
        .await
        .ok();
    assert_eq!(
        (&end["status"], &end["error"]),
        (&json!("error"), &json!("max retries exceeded"))
    );
    for (model, deleted) in [("good", true), ("none", false)] {
        let path = format!("/api/models/ollama?model_name={model}");
        assert_eq!(client.delete(&path).await.ok(), deleted);
    }
    for bad in ["", "a%0Ab"] {
        let path = format!("/api/models/pull_ollama_model?model_name={bad}");
        assert_eq!(client.call(Method::POST, &path).await.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn without_ollama_a_pull_says_so() {
    let path = "/api/models/pull_ollama_model?model_name=m";
    let server = TestServer::start();
    let client = server.client();
    let told = client.call(Method::POST, path).await.ok();
    assert_eq!(
        (&told["status"], &told["model"]),
        (&json!("error"), &json!("m"))
    );
    assert!(
        told["error"].as_str().unwrap().contains("OLLAMA_API_URL"),
        "{told}"
    );
    assert_eq!(
        client.delete("/api/models/ollama?model_name=m").await.ok(),
        false
    );
    let gone = Ollama::start().await.url();
    let server = serve_with("http://127.0.0.1:9", &["--ollama-api-url", &gone]);
    let reply = server.client().call(Method::POST, path).await;
    assert_eq!(reply.status, 503);
    let detail = &reply.json()["detail"];
    assert_eq!(detail["status"], "unavailable");
    assert!(detail["message"].is_string() && detail["error"].is_string());
}

#[tokio::test]
async fn case_80_models_are_listed_by_provider_and_kind() {
    let server = TestServer::start_with(&["--enable-fake-provider"]);
    let client = server.client();
    let providers = client.get("/api/models/providers").await.ok();
    let providers = providers.as_array().unwrap();
    let fake = providers.iter().find(|p| p["provider"] == "fake").unwrap();
    let can = fake["capabilities"].as_array().unwrap();
    for capability in ["generate_messages", "generate_embedding", "text_to_speech"] {
        assert!(can.contains(&json!(capability)), "{capability}: {fake}");
    }
    assert!(!can.contains(&json!("text_to_video")));
    assert!(providers.iter().any(|p| p["provider"] == "local"));
    for (kind, tag, id) in [
        ("llm", "language_model", "fake-model-v1"),
        ("image", "image_model", "fake-image-model"),
        ("tts", "tts_model", "fake-tts"),
        ("asr", "asr_model", "fake-asr"),
        ("embedding", "embedding_model", "fake-embedding"),
    ] {
        let models = client.get(&format!("/api/models/{kind}/fake")).await.ok();
        let first = &models[0];
        assert_eq!(
            (&first["type"], &first["provider"], &first["id"]),
            (&json!(tag), &json!("fake"), &json!(id))
        );
        let others = client.get(&format!("/api/models/{kind}/mlx")).await.ok();
        assert_eq!(others, json!([]), "a provider that is not here");
        let refused = client.get(&format!("/api/models/{kind}/nope")).await;
        assert_eq!(
            refused.places(),
            [("enum".into(), json!(["path", "provider"]))]
        );
    }
    assert_eq!(client.get("/api/models/video/fake").await.ok(), json!([]));
    let speaking = client.get("/api/models/tts").await.ok();
    assert!(
        speaking
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["id"] == "fake-tts")
    );
}

#[tokio::test]
async fn recommended_models_are_sorted_by_task() {
    let server = TestServer::start();
    let client = server.client();
    let all = client.get("/api/models/recommended").await.ok();
    let all = all.as_array().unwrap();
    for (path, tasks) in [
        ("image", vec!["text-to-image", "image-to-image"]),
        ("image/text-to-image", vec!["text-to-image"]),
        ("image/image-to-image", vec!["image-to-image"]),
        ("language", vec!["text-generation", "feature-extraction"]),
        ("language/text-generation", vec!["text-generation"]),
        ("language/embedding", vec!["feature-extraction"]),
        ("asr", vec!["automatic-speech-recognition"]),
        ("tts", vec!["text-to-speech"]),
        ("video/text-to-video", vec!["text-to-video"]),
        ("video/image-to-video", vec!["image-to-video"]),
    ] {
        let path = format!("/api/models/recommended/{path}");
        let some = client.get(&path).await.ok();
        let wanted: Vec<_> = all
            .iter()
            .filter(|m| tasks.iter().any(|task| m["pipeline_tag"] == *task))
            .cloned()
            .collect();
        assert!(!wanted.is_empty());
        assert_eq!(some, json!(wanted), "{path}");
    }
    // There is no Ollama server here.
    let checked = client
        .get("/api/models/recommended?check_servers=true")
        .await
        .ok();
    let checked = checked.as_array().unwrap();
    assert!(checked.len() < all.len() && checked.iter().all(|m| m["type"] != "llama_model"));
    assert_eq!(client.get("/api/models/all").await.ok(), json!(all));
    assert_eq!(client.get("/api/models/ollama").await.ok(), json!([]));
    let info = client
        .get("/api/models/ollama_model_info?model_name=x")
        .await
        .ok();
    assert_eq!(info, Value::Null);
}

#[tokio::test]
async fn the_models_of_an_ollama_server_are_listed_and_described() {
    let ollama = Ollama::start().await;
    let server = TestServer::start_with(&["--ollama-api-url", &ollama.url()]);
    let client = server.client();
    let listed = client.get("/api/models/ollama").await.ok();
    assert_eq!(
        listed,
        json!([{
            "type": "llama_model", "name": "good:latest", "repo_id": "good:latest",
            "modified_at": "2026-01-01T00:00:00Z", "size": 7, "digest": "d", "details": { "family": "llama" },
        }])
    );
    let info = async |name: &str| {
        let path = format!("/api/models/ollama_model_info?model_name={name}");
        client.get(&path).await
    };
    assert_eq!(info("good").await.ok()["capabilities"][0], "completion");
    assert_eq!(info("gone").await.ok(), Value::Null);
    let missing = client.get("/api/models/ollama_model_info").await;
    assert_eq!(missing.status, 422);
    let all = client.get("/api/models/all").await.ok();
    assert_eq!(all[0]["id"], "good:latest");
    drop(ollama);
    let away = client.get("/api/models/ollama").await.detail(503);
    assert!(away.starts_with("ConnectionError: "), "{away}");
}
