//! Starting, stopping and what is told of it.

use hyper::Method;
use serde_json::json;

use super::super::client::request;
use super::super::server::{TestServer, pace, within};
use super::{Flow, completed, count, error};

#[tokio::test]
async fn case_34_and_35_a_counter_runs_to_its_end_and_says_so() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let other = flow
        .transformer(r#"{"v": {{ data.counter.current }}}"#)
        .await;
    flow.edge(&counter, &other).await;
    let started = flow.start().await;
    assert_eq!(started["status"], "PENDING");
    let state = flow.ended().await;
    assert_eq!(state["status"], "completed", "{state}");
    // Two numbers and the pass of the sentinel, through both nodes.
    assert_eq!(state["completed_count"], 6, "{state}");
    assert_eq!(state["total_nodes"], 2);
    assert!(state["total_duration_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(state["executing_nodes"], json!({}));
    let nodes = state["completed_nodes"].as_array().unwrap();
    let ids: Vec<_> = nodes
        .iter()
        .map(|n| n["node_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [&*counter, &other, &counter, &other, &counter, &other]);
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "SUCCESS" })
    );
    let object = flow.object().await;
    assert_eq!(
        (&object["status"], &object["runs_count"]),
        (&json!("inactive"), &json!(1))
    );
    assert!(object["last_run"].is_string());
    let path = format!(
        "/api/celery/task/{}/status/",
        started["task_id"].as_str().unwrap()
    );
    let task = client.get(&path).await.ok();
    assert_eq!(
        (&task["state"], &task["result"]["status"]),
        (&json!("SUCCESS"), &json!("success"))
    );
}

#[tokio::test]
async fn a_loop_of_one_node_is_told_in_order_to_whoever_follows_its_job() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let (told, end) = flow.watched().await;
    assert_eq!(completed(&told), [&*counter; 3]);
    let turns: Vec<_> = told.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(turns, ["running", "completed"].repeat(3));
    assert_eq!(end["type"], "job_completed", "{end}");
    assert_eq!(flow.object().await["runs_count"], 1);
}

#[tokio::test]
async fn case_36_a_form_that_cannot_be_used_fails_the_run_and_names_the_field() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let node = flow.node("http-request", json!({})).await;
    assert_eq!(flow.start().await["status"], "PENDING");
    let state = flow.ended().await;
    assert_eq!(state["status"], "failed");
    let error = state["error"].as_str().unwrap();
    assert!(error.contains(&node) && error.contains("url"), "{error}");
    assert_eq!(flow.task().await["status"], "FAILURE");
    assert_eq!(flow.object().await["status"], "error");
}

#[tokio::test]
async fn case_37_an_empty_workflow_fails_and_says_that_it_has_no_nodes() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let started = flow.start().await;
    assert_eq!(started["status"], "PENDING");
    let state = flow.ended().await;
    assert_eq!(
        (&state["status"], &state["error"]),
        (&json!("failed"), &json!("Workflow has no nodes"))
    );
    let path = format!(
        "/api/celery/task/{}/status/",
        started["task_id"].as_str().unwrap()
    );
    let task = client.get(&path).await.ok();
    assert_eq!(
        (&task["state"], &task["error"]),
        (&json!("FAILURE"), &json!("Workflow has no nodes"))
    );
    assert_eq!(flow.object().await["status"], "error");
}

#[tokio::test]
async fn case_38_a_graph_without_a_producer_completes_without_a_node() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.transformer("{}").await;
    flow.start().await;
    let state = flow.ended().await;
    assert_eq!(
        (&state["status"], &state["completed_count"]),
        (&json!("completed"), &json!(0))
    );
}

#[tokio::test]
async fn case_39_a_stopped_run_is_over_and_tells_nothing_more() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 100).await;
    let delay = json!({ "interval": 1, "unit": "seconds" });
    let delay = flow.node("static-delay-node", delay).await;
    flow.edge(&counter, &delay).await;
    let started = flow.start().await;
    flow.until("a delay", |state| {
        !state["executing_nodes"][&delay].is_null()
    })
    .await;
    let stopped = flow.stop().await;
    assert_eq!(stopped["status"], "REVOKED");
    assert_ne!(stopped["task_id"], started["task_id"]);
    let state = flow.state().await;
    assert_eq!(
        (&state["status"], &state["completed_count"]),
        (&json!("idle"), &json!(0))
    );
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "REVOKED" })
    );
    assert_eq!(flow.object().await["status"], "inactive");
    let path = format!(
        "/api/celery/task/{}/status/",
        started["task_id"].as_str().unwrap()
    );
    assert_eq!(client.get(&path).await.ok()["error"], "Task was revoked");
}

#[tokio::test]
async fn case_40_stopping_what_does_not_run_is_no_error() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    for _ in 0..2 {
        let stopped = flow.stop().await;
        assert_eq!(stopped["status"], "SUCCESS");
        let path = format!(
            "/api/celery/task/{}/status/",
            stopped["task_id"].as_str().unwrap()
        );
        assert_eq!(client.get(&path).await.ok()["state"], "SUCCESS");
    }
    assert_eq!(flow.get("stop_execution").await.ok()["status"], "SUCCESS");
}

#[tokio::test]
async fn case_41_starting_twice_is_starting_once() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.counter(1, i64::MAX).await;
    let first = flow.start().await;
    let second = flow.get("start_execution").await.ok();
    assert_eq!(
        (&first["status"], &second["status"]),
        (&json!("PENDING"), &json!("STARTED"))
    );
    assert_eq!(first["task_id"], second["task_id"]);
    let object = flow.object().await;
    assert_eq!(
        (&object["runs_count"], &object["status"]),
        (&json!(1), &json!("active"))
    );
    flow.until("numbers", |state| {
        state["completed_count"].as_u64() > Some(500)
    })
    .await;
    let listed = flow.state().await["completed_nodes"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(listed, 200);
    // A job like others: it is listed, and can be cancelled over the other API.
    let jobs = client.get("/api/jobs").await.ok();
    assert_eq!(jobs["jobs"][0]["job_type"], "loop");
    let id = jobs["jobs"][0]["id"].as_str().unwrap();
    client
        .call(Method::POST, &format!("/api/jobs/{id}/cancel"))
        .await
        .ok();
    flow.until("the end", |state| state["status"] == "idle")
        .await;
    within("the workflow to say so", async {
        while flow.object().await["status"] != "inactive" {
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn case_42_a_workflow_that_never_ran_has_no_task() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let refused = flow.get("task_status").await;
    assert_eq!(
        error(&refused, 400),
        "No task associated with this workflow"
    );
    let unknown = client.get("/api/celery/task/nope/status/").await.ok();
    assert_eq!(
        unknown,
        json!({ "state": "PENDING", "task_id": "nope", "result": null })
    );
    for route in [
        "start_execution",
        "stop_execution",
        "task_status",
        "execution_state",
    ] {
        let reply = client.get(&format!("/api/workflow/nope/{route}/")).await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (404, &json!("NOT_FOUND"))
        );
    }
}

#[tokio::test]
async fn a_page_of_another_site_starts_and_stops_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    for route in ["start_execution", "stop_execution"] {
        for site in ["cross-site", "same-site"] {
            let request = request(Method::GET, &flow.path(route)).header("sec-fetch-site", site);
            let refused = client.send(request.body(Default::default()).unwrap()).await;
            assert_eq!(
                (refused.status, &refused.json()["code"]),
                (403, &json!("FORBIDDEN"))
            );
        }
        for site in ["same-origin", "none"] {
            let request = request(Method::GET, &flow.path(route)).header("sec-fetch-site", site);
            assert_eq!(
                client
                    .send(request.body(Default::default()).unwrap())
                    .await
                    .status,
                200
            );
        }
    }
}

#[tokio::test]
async fn case_43_a_condition_sends_each_token_one_way_and_the_sentinel_both() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let condition = json!({ "condition_expression": "{{ data.counter.current }} > 1" });
    let condition = flow.node("if-condition", condition).await;
    let (yes, no) = (flow.transformer("{}").await, flow.transformer("{}").await);
    flow.edge(&counter, &condition).await;
    flow.edge_from(&condition, "yes", &yes).await;
    flow.edge_from(&condition, "no", &no).await;
    let (told, _) = flow.watched().await;
    let done = completed(&told);
    assert_eq!(
        done[..6],
        [&*counter, &condition, &no, &counter, &condition, &yes]
    );
    let mut last = done[6..].to_vec();
    last.sort_unstable();
    let mut all = vec![&*counter, &condition, &yes, &no];
    all.sort_unstable();
    assert_eq!(last, all);
    let state = flow.ended().await;
    let routes = state["completed_nodes"].as_array().unwrap().iter();
    let routes: Vec<_> = routes
        .filter(|n| n["node_id"] == condition.as_str())
        .map(|n| n["route"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(routes[..2], ["no", "yes"]);
}

#[tokio::test]
async fn case_44_a_node_that_fails_ends_its_path_and_leaves_a_dead_letter() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let failing = flow.transformer("no JSON").await;
    let after = flow.transformer("{}").await;
    flow.edge(&counter, &failing).await;
    flow.edge(&failing, &after).await;
    let (told, end) = flow.watched().await;
    let failed: Vec<_> = told
        .iter()
        .filter(|(status, _)| status == "error")
        .collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|(_, node)| *node == failing));
    assert_eq!(
        completed(&told)
            .iter()
            .filter(|node| **node == after)
            .count(),
        1
    );
    assert_eq!(end["type"], "job_completed", "{end}");
    let letters = flow.get("dead_letters").await.ok();
    let letters = letters.as_array().unwrap();
    assert_eq!(letters.len(), 2);
    for (letter, current) in letters.iter().zip([2, 1]) {
        assert_eq!(letter["node_id"], failing.as_str());
        assert_eq!(letter["token"]["data"]["counter"]["current"], current);
        assert!(letter["error"].as_str().unwrap().contains("JSON"));
    }
}

#[tokio::test]
async fn case_45_a_producer_that_fails_is_tried_again_until_it_is_stopped() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let form =
        json!({ "min_value": "{{ nope.x }}", "max_value": 2, "direction": "increment", "step": 1 });
    let counter = flow.node("counter", form).await;
    flow.start().await;
    within("a dead letter of the producer", async {
        loop {
            let letters = flow.get("dead_letters").await.ok();
            if letters[0]["node_id"] == counter.as_str() {
                return;
            }
            pace().await;
        }
    })
    .await;
    assert_eq!(flow.state().await["status"], "running");
    assert_eq!(flow.stop().await["status"], "REVOKED");
    assert_eq!(flow.state().await["status"], "idle");
}

#[tokio::test]
async fn a_workflow_of_dataflow_nodes_that_is_started_runs_once() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&super::super::graphs::greeting()).await;
    let started = client
        .get(&format!("/api/workflow/{id}/start_execution/"))
        .await
        .ok();
    assert_eq!(started["status"], "PENDING");
    let path = format!("/api/workflow/{id}/task_status/");
    within("the end of the run", async {
        while client.get(&path).await.ok()["status"] != "SUCCESS" {
            pace().await;
        }
    })
    .await;
    let job = started["task_id"].as_str().unwrap().replace('-', "");
    let job = client.get(&format!("/api/jobs/{job}")).await.ok();
    assert_eq!(
        (&job["job_type"], &job["status"]),
        (&json!("workflow"), &json!("completed"))
    );
    let path = format!("/api/workflow/{id}/execution_state/");
    let state = within("the state of the run", async {
        loop {
            let state = client.get(&path).await.ok();
            if state["status"] == "completed" {
                return state;
            }
            pace().await;
        }
    })
    .await;
    assert!(state["completed_count"].as_u64() > Some(0), "{state}");
}

#[tokio::test]
async fn single_steps_are_jobs_that_are_not_listed() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.node("counter", count(1, 2)).await;
    flow.run_node(&counter, json!({})).await.ok();
    assert_eq!(client.get("/api/jobs").await.ok()["jobs"], json!([]));
}
