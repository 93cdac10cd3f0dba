//! Jobs that wait for an answer.

use serde_json::{Value, json};

use super::super::graphs::{OUTPUT, WAIT, graph, node, waiting};
use super::super::server::TestServer;
use super::{append, begin_graph, begin_one, in_workspace, job, order, outputs, until};

/// Adds a line to `a.txt`, then waits until it is resumed.
fn held() -> Value {
    let hold = node("w", WAIT, json!({ "timeout_seconds": 0 }));
    let out = node("o", OUTPUT, json!({ "name": "out" }));
    graph(
        &[append("a", "a.txt"), hold, out],
        &["a.output -> w.input", "w.data -> o.value"],
    )
}

#[tokio::test]
async fn a_job_that_waits_outlives_its_server_and_goes_on_with_the_answer() {
    let server = TestServer::start();
    let id = begin_graph(&server.client(), &held()).await;
    let row = until(&server.client(), &id, "suspended").await;
    assert_eq!(
        (
            &row["suspended_node_id"],
            &row["suspension_reason"],
            &row["is_resumable"]
        ),
        (&json!("w"), &json!("waiting to be resumed"), &json!(true))
    );
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    assert_eq!(job(&client, &id).await["status"], "suspended");
    let answer = json!({ "data": { "data": "yes" } });
    order(&client, &id, "resume", &answer).await.ok();
    until(&client, &id, "completed").await;
    assert_eq!(outputs(&client, &id).await, json!({ "out": ["yes"] }));
    assert_eq!(in_workspace(server.folder(), "a.txt"), "a\n");
    let refused = order(&client, &id, "resume", &json!({})).await.detail(409);
    assert!(refused.contains("completed"), "{refused}");
}

#[tokio::test]
async fn an_answer_that_was_taken_is_not_lost_with_the_server() {
    let server = TestServer::start();
    let client = server.client();
    let hold = node("w", WAIT, json!({ "timeout_seconds": 0 }));
    let out = node("o", OUTPUT, json!({ "name": "out" }));
    let edges = ["w.data -> s.input", "s.data -> o.value"];
    let id = begin_graph(&client, &graph(&[hold, super::wait("s", 0.5), out], &edges)).await;
    until(&client, &id, "suspended").await;
    let answer = json!({ "data": { "data": "yes" } });
    order(&client, &id, "resume", &answer).await.ok();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    until(&client, &id, "completed").await;
    assert_eq!(outputs(&client, &id).await, json!({ "out": ["yes"] }));
}

#[tokio::test]
async fn of_many_who_resume_a_job_one_succeeds() {
    let server = TestServer::start();
    let client = server.client();
    let id = begin_graph(&client, &held()).await;
    until(&client, &id, "suspended").await;
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (client, path) = (server.client(), format!("/api/jobs/{id}/resume"));
        let body = json!({ "data": { "data": n } });
        tries.spawn(async move { (n, client.post(&path, &body).await.status) });
    }
    let answers = tries.join_all().await;
    let taken: Vec<i32> = answers
        .iter()
        .filter(|(_, s)| *s == 200)
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(taken.len(), 1, "{answers:?}");
    assert!(
        answers.iter().all(|(_, s)| matches!(s, 200 | 409)),
        "{answers:?}"
    );
    until(&client, &id, "completed").await;
    assert_eq!(outputs(&client, &id).await, json!({ "out": taken }));
}

#[tokio::test]
async fn a_job_that_waits_can_be_cancelled_before_and_after_a_restart() {
    let server = TestServer::start();
    let client = server.client();
    let workflow = client.save(&held()).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = begin_one(&client, &workflow, json!({})).await;
        until(&client, &id, "suspended").await;
        ids.push(id);
    }
    let cancelled = order(&client, &ids[0], "cancel", &json!({})).await.ok();
    assert_eq!(cancelled["status"], "cancelled");
    let row = until(&client, &ids[0], "cancelled").await;
    assert!(row["finished_at"].is_string());
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    order(&client, &ids[1], "cancel", &json!({})).await.ok();
    until(&client, &ids[1], "cancelled").await;
    let again = order(&client, &ids[1], "cancel", &json!({})).await.ok();
    assert_eq!(again["status"], "not_found_or_completed");
    order(&client, &ids[1], "resume", &json!({}))
        .await
        .detail(409);
}

#[tokio::test]
async fn a_job_that_waits_does_not_need_its_workflow_any_more() {
    let server = TestServer::start();
    let client = server.client();
    let workflow = client.save(&held()).await;
    let id = begin_one(&client, &workflow, json!({})).await;
    until(&client, &id, "suspended").await;
    client
        .delete(&format!("/api/workflows/{workflow}"))
        .await
        .ok();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let answer = json!({ "data": { "data": "late" } });
    order(&client, &id, "resume", &answer).await.ok();
    until(&client, &id, "completed").await;
    assert_eq!(outputs(&client, &id).await, json!({ "out": ["late"] }));
}

#[tokio::test]
async fn a_job_at_work_and_one_nobody_has_cannot_be_resumed() {
    let server = TestServer::start();
    let client = server.client();
    let id = begin_graph(&client, &waiting(600.0)).await;
    until(&client, &id, "running").await;
    let refused = order(&client, &id, "resume", &json!({})).await.detail(409);
    assert!(refused.contains("running"), "{refused}");
    order(&client, "nobody", "resume", &json!({}))
        .await
        .detail(404);
    let unknown = order(&client, &id, "resume", &json!({ "date": 1 })).await;
    assert_eq!(unknown.places()[0].1, json!(["body", "date"]));
}
