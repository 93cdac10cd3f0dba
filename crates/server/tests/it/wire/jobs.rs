//! Jobs: what ran (HTTP spec 6.4).

use serde_json::{Value, json};

use super::graphs::{failing, greeting};
use super::server::TestServer;

#[tokio::test]
async fn jobs_are_listed_newest_first_in_exact_pages() {
    let server = TestServer::start();
    let client = server.client();
    let (a, b) = (
        client.save(&greeting()).await,
        client.save(&greeting()).await,
    );
    for id in [&a, &b, &a, &b, &a] {
        client.run(id, json!({})).await.ok();
    }
    let mut seen = Vec::new();
    let mut key = String::new();
    let mut sizes = Vec::new();
    loop {
        let page = client
            .get(&format!("/api/jobs/?limit=2&start_key={key}"))
            .await
            .ok();
        let jobs = page["jobs"].as_array().unwrap().clone();
        sizes.push(jobs.len());
        seen.extend(jobs);
        key = page["next_start_key"].as_str().unwrap().to_owned();
        if key.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    let workflows: Vec<&Value> = seen.iter().map(|j| &j["workflow_id"]).collect();
    assert_eq!(workflows, [&a, &b, &a, &b, &a]);
    let whole = client.get("/api/jobs").await.ok();
    assert_eq!(whole, json!({ "jobs": seen, "next_start_key": "" }));
    let of_a = client
        .get(&format!("/api/jobs?workflow_id={a}&limit=2"))
        .await
        .ok();
    assert_eq!(of_a["jobs"].as_array().unwrap().len(), 2);
    let key = of_a["next_start_key"].as_str().unwrap();
    let rest = client
        .get(&format!(
            "/api/jobs?workflow_id={a}&limit=2&start_key={key}"
        ))
        .await
        .ok();
    assert_eq!(
        (
            rest["jobs"].as_array().unwrap().len(),
            &rest["next_start_key"]
        ),
        (1, &json!(""))
    );
    let none = client.get("/api/jobs?workflow_id=nope").await.ok();
    assert_eq!(none, json!({ "jobs": [], "next_start_key": "" }));
}

#[tokio::test]
async fn a_job_has_all_its_fields_and_the_same_ones_in_list_and_get() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&failing()).await;
    client.run(&id, json!({})).await.detail(500);
    let listed = client.get("/api/jobs").await.ok()["jobs"][0].clone();
    let job_id = listed["id"].as_str().unwrap();
    for path in [
        format!("/api/jobs/{job_id}"),
        format!("/api/jobs/{job_id}/"),
    ] {
        assert_eq!(client.get(&path).await.ok(), listed);
    }
    let fields = [
        "id",
        "user_id",
        "job_type",
        "status",
        "workflow_id",
        "started_at",
        "finished_at",
        "error",
        "cost",
        "suspended_node_id",
        "suspension_reason",
        "error_message",
        "execution_strategy",
        "is_resumable",
        "etag",
    ];
    assert_eq!(listed.as_object().unwrap().len(), fields.len());
    assert!(fields.iter().all(|f| listed.get(f).is_some()), "{listed}");
    assert_eq!(
        (&listed["user_id"], &listed["job_type"]),
        (&json!("1"), &json!("workflow"))
    );
}

#[tokio::test]
async fn a_job_nobody_has_is_not_found() {
    let server = TestServer::start();
    let client = server.client();
    for id in ["x", "%00", &"y".repeat(500)] {
        assert_eq!(
            client.get(&format!("/api/jobs/{id}")).await.detail(404),
            "Job not found"
        );
    }
}

#[tokio::test]
async fn jobs_outlive_the_server_and_their_workflow() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client.run(&id, json!({})).await.ok();
    let before = client.get("/api/jobs").await.ok();
    client.delete(&format!("/api/workflows/{id}")).await.ok();
    server.terminate();
    let (status, _, folder) = server.ended().await;
    assert!(status.success());
    let server = TestServer::start_over(folder, &[]);
    assert_eq!(server.client().get("/api/jobs").await.ok(), before);
}
