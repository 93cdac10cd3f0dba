//! Beginning and end of a server: stopping with runs at work, dying, coming back, two over one folder.

use hyper::Method;
use serde_json::{Value, json};

use super::client::json as json_request;
use super::graphs::{UNTIL_TOLD, greeting, script, waiting};
use super::server::{TestServer, appears, folder, program, within};

/// Starts a blocking run and gives its answer, or nothing when the connection was cut.
async fn run_at_a_distance(server: &TestServer, id: &str) -> tokio::task::JoinSet<(u16, Value)> {
    let client = server.client();
    let request = json_request(
        Method::POST,
        &format!("/api/workflows/{id}/run"),
        &json!({}),
    );
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let reply = client.send(request).await;
        (reply.status, reply.json())
    });
    let client = server.client();
    within("the job to be listed", async {
        loop {
            let jobs = client
                .get(&format!("/api/jobs?workflow_id={id}"))
                .await
                .ok();
            if jobs["jobs"][0]["status"] == "running" {
                break;
            }
            super::server::pace().await;
        }
    })
    .await;
    tasks
}

#[tokio::test]
async fn an_idle_server_stops_at_once_when_told() {
    for signal in [TestServer::terminate, TestServer::interrupt] {
        let server = TestServer::start();
        // A kept connection without a request must not hold it.
        let client = server.client();
        client.get("/health").await.ok();
        let told = std::time::Instant::now();
        signal(&server);
        let (status, log, _) = server.ended().await;
        assert!(status.success(), "{status}\n{log}");
        assert!(told.elapsed().as_secs() < 5, "{:?}", told.elapsed());
        assert!(
            log.contains("stopping: no new requests") && log.contains("stopped"),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_run_that_ends_in_time_is_answered_and_stored_while_the_server_stops() {
    let server = TestServer::start_with(&["--shutdown-seconds", "30"]);
    let client = server.client();
    let workspace = server.folder().join("workspace");
    let id = client.save(&script(UNTIL_TOLD, 60)).await;
    let mut blocking = run_at_a_distance(&server, &id).await;
    appears(&workspace.join("begun.txt")).await;
    server.terminate();
    within("the server to take note", async {
        while !server.log().contains("stopping") {
            super::server::pace().await;
        }
    })
    .await;
    std::fs::write(workspace.join("go.txt"), "1").unwrap();
    let answer = blocking.join_next().await.unwrap().unwrap();
    assert_eq!(answer, (200, json!({ "out": "told" })));
    let (status, log, folder) = server.ended().await;
    assert!(
        status.success() && !log.contains("WARN") && !log.contains("ERROR"),
        "{log}"
    );
    assert_eq!(job_after(folder, &id).await["status"], "completed");
}

#[tokio::test]
async fn a_blocking_run_that_takes_longer_is_cancelled_answered_and_stored() {
    let server = TestServer::start_with(&["--shutdown-seconds", "1"]);
    let id = server.client().save(&waiting(600.0)).await;
    let mut blocking = run_at_a_distance(&server, &id).await;
    server.terminate();
    let answer = blocking.join_next().await.unwrap().unwrap();
    assert_eq!(answer, (500, json!({ "detail": "The run was cancelled" })));
    let (status, log, folder) = server.ended().await;
    assert!(
        status.success() && log.contains("jobs are still at work"),
        "{log}"
    );
    assert_eq!(job_after(folder, &id).await["status"], "cancelled");
}

#[tokio::test]
async fn a_streamed_run_that_takes_longer_says_so_and_goes_on_after_the_next_start() {
    let server = TestServer::start_with(&["--shutdown-seconds", "1"]);
    let client = server.client();
    let id = client.save(&waiting(600.0)).await;
    let mut stream = client.run_lines(&id, &json!({})).await;
    stream.line().await.unwrap();
    server.terminate();
    let lines = stream.lines().await;
    let [.., said, last] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&said["type"], &last["type"]),
        (&json!("error"), &json!("job_failed"))
    );
    assert!(
        said["message"].as_str().unwrap().contains("going away"),
        "{said}"
    );
    drop(client);
    let (status, log, folder) = server.ended().await;
    assert!(status.success(), "{log}");
    let server = TestServer::start_over(folder, &[]);
    let jobs = server
        .client()
        .get(&format!("/api/jobs?workflow_id={id}"))
        .await
        .ok();
    assert_eq!(jobs["jobs"][0]["status"], "running");
    assert!(server.log().contains("they go on"), "{}", server.log());
}

#[tokio::test]
async fn a_run_whose_client_has_gone_gets_its_time_too() {
    let server = TestServer::start_with(&["--shutdown-seconds", "30"]);
    let client = server.client();
    let workspace = server.folder().join("workspace");
    let id = client.save(&script(UNTIL_TOLD, 60)).await;
    drop(run_at_a_distance(&server, &id).await);
    drop(client);
    appears(&workspace.join("begun.txt")).await;
    server.terminate();
    within("the server to take note", async {
        while !server.log().contains("stopping") {
            super::server::pace().await;
        }
    })
    .await;
    std::fs::write(workspace.join("go.txt"), "1").unwrap();
    let (_, log, folder) = server.ended().await;
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(job_after(folder, &id).await["status"], "completed");
}

/// The job of a workflow as the next server over the folder knows it.
async fn job_after(folder: std::sync::Arc<tempfile::TempDir>, id: &str) -> Value {
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let jobs = client
        .get(&format!("/api/jobs?workflow_id={id}"))
        .await
        .ok();
    assert!(
        !server.log().contains("earlier process"),
        "{}",
        server.log()
    );
    client.check_health().await;
    jobs["jobs"][0].clone()
}

#[tokio::test]
async fn jobs_of_a_server_that_died_are_marked_failed_by_the_next_that_is_told_to() {
    let server = TestServer::start();
    let client = server.client();
    let (kept, cut) = (
        client.save(&greeting()).await,
        client.save(&waiting(600.0)).await,
    );
    client.run(&kept, json!({})).await.ok();
    let mut stream = client.run_lines(&cut, &json!({})).await;
    stream.line().await.unwrap();
    let blocking = run_at_a_distance(&server, &client.save(&waiting(600.0)).await).await;
    drop(blocking);
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &["--recovery", "fail"]);
    let client = server.client();
    let jobs = client.get("/api/jobs").await.ok();
    let jobs = jobs["jobs"].as_array().unwrap();
    let states: Vec<&Value> = jobs.iter().map(|j| &j["status"]).collect();
    assert_eq!(states, ["failed", "failed", "completed"]);
    for job in &jobs[..2] {
        assert_eq!(job["error"], "Server shutdown while job was running");
        assert!(job["finished_at"].is_string(), "{job}");
    }
    let log = server.log();
    assert!(
        log.contains("jobs of an earlier process were still at work; they are marked failed"),
        "{log}"
    );
    assert_eq!(
        client.run(&kept, json!({ "name": "again" })).await.ok(),
        json!({ "out": "again" })
    );
}

#[tokio::test]
async fn what_was_answered_outlives_a_server_that_dies() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    client.run(&id, json!({ "name": "x" })).await.ok();
    let stored = client.get(&format!("/api/workflows/{id}")).await.ok();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    assert_eq!(
        client.get(&format!("/api/workflows/{id}")).await.ok(),
        stored
    );
    assert_eq!(client.ended_job(&id).await["status"], "completed");
}

#[tokio::test]
async fn a_second_server_over_the_same_folder_refuses_and_says_why() {
    let server = TestServer::start();
    let second = program()
        .args(["serve", "--port", "0", "--data-dir"])
        .arg(server.folder())
        .output()
        .unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{told}");
    let wanted = format!(
        "error: another server uses the data folder {}; name another one with --data-dir\n",
        server.folder().display()
    );
    assert_eq!(told, wanted);
    server.client().check_health().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do() {
    let server = TestServer::start();
    let folder = folder();
    let port = server.address().port().to_string();
    let second = program()
        .args(["serve", "--port", &port, "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{told}");
    assert!(
        told.contains(&format!("cannot listen on 127.0.0.1:{port}")) && told.contains("--port"),
        "{told}"
    );
}

#[tokio::test]
async fn the_data_folder_is_private_and_made_when_it_is_not_there() {
    use std::os::unix::fs::PermissionsExt;
    let outer = folder();
    let inner = outer.path().join("a/b");
    let server = TestServer::start_at(&inner, outer, &[]);
    server.client().check_health().await;
    for path in [inner.clone(), inner.join("workspace")] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
}

#[tokio::test]
async fn settings_come_from_the_environment_and_flags_win() {
    let folder = folder();
    let mut command = program();
    command
        .args(["serve", "--port", "0"])
        .env("PORT", "1")
        .env("NODETOOL_DATA_DIR", folder.path());
    // A port nobody may take: had the variable won, the server would not start.
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("listens on http://127.0.0.1:"), "{line}");
    assert!(folder.path().join("nodetool.sqlite3").exists());
    child.kill().unwrap();
    child.wait().unwrap();
}
