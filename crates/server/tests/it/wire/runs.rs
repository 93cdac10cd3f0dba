//! Runs that answer with their outputs (HTTP spec 6.3, blocking form; conformance rows 42, 45, 47).

use hyper::Method;
use serde_json::{Value, json};

use super::client::{bare, json as json_request};
use super::graphs::{
    CODE, COUNT, UNTIL_TOLD, counting, failing, graph, greeting, node, output, script, waiting,
};
use super::server::{TestServer, appears};

#[tokio::test]
async fn a_run_answers_one_property_per_output_and_its_job_is_stored() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    for path in [
        format!("/api/workflows/{id}/run"),
        format!("/api/workflows/{id}/run/"),
    ] {
        let outputs = client
            .post(&path, &json!({ "params": { "name": "hi" } }))
            .await
            .ok();
        assert_eq!(outputs, json!({ "out": "hi" }));
    }
    let job = client.ended_job(&id).await;
    assert_eq!(
        (&job["status"], &job["job_type"]),
        (&json!("completed"), &json!("workflow"))
    );
    assert_eq!(job["workflow_id"], json!(id));
    assert!(job["started_at"].as_str() <= job["finished_at"].as_str());
}

#[tokio::test]
async fn the_worker_route_wraps_results_and_takes_both_forms_of_the_body() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let wanted = json!({ "results": { "out": "hi" } });
    for path in [
        format!("/workflows/{id}/run"),
        format!("/workflows/{id}/run/"),
    ] {
        for body in [
            json!({ "params": { "name": "hi" } }),
            json!({ "name": "hi" }),
            json!({ "params": { "name": "hi" }, "job_id": "j", "explicit_types": true, "execution_strategy": "threaded", "env": {} }),
            json!({ "name": "hi", "params": { "name": "no" } }),
            json!({ "name": "hi", "job_id": 5 }),
        ] {
            assert_eq!(
                client.post(&path, &body).await.ok(),
                wanted,
                "{path} {body}"
            );
        }
    }
}

#[tokio::test]
async fn later_values_of_an_output_overwrite_earlier_ones() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&counting(10)).await;
    assert_eq!(client.run(&id, json!({})).await.ok(), json!({ "out": 9 }));
}

#[tokio::test]
async fn parameters_fall_back_to_the_values_of_their_inputs() {
    let server = TestServer::start();
    let client = server.client();
    let input = node(
        "i",
        "nodetool.input.StringInput",
        json!({ "name": "name", "value": "default" }),
    );
    let id = client
        .save(&graph(&[input, output()], &["i.output -> o.value"]))
        .await;
    let run = format!("/api/workflows/{id}/run");
    let default = json!({ "out": "default" });
    assert_eq!(
        client.send(bare(Method::POST, &run)).await.ok(),
        default,
        "no body at all"
    );
    for body in [
        json!({}),
        json!({ "params": null }),
        json!({ "params": {} }),
        json!({ "params": { "other": 1 } }),
    ] {
        assert_eq!(client.post(&run, &body).await.ok(), default, "{body}");
    }
    for (body, kind) in [
        (json!({ "params": [1] }), "list"),
        (json!({ "params": "x" }), "str"),
    ] {
        let refused = client.post(&run, &body).await;
        assert_eq!(
            refused.places(),
            [("dict_type".into(), json!(["body", "params"]))]
        );
        assert!(refused.errors()[0]["msg"].as_str().unwrap().ends_with(kind));
    }
    assert_eq!(
        client.post(&run, &json!([])).await.places(),
        [("dict_type".into(), json!(["body"]))]
    );
}

#[tokio::test]
async fn a_failed_run_is_a_500_with_the_words_of_the_node() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&failing()).await;
    for path in [
        format!("/api/workflows/{id}/run"),
        format!("/workflows/{id}/run"),
    ] {
        let failed = client.post(&path, &json!({})).await;
        assert!(failed.detail(500).contains("it broke"), "{failed:?}");
    }
    let job = client.ended_job(&id).await;
    assert_eq!(job["status"], "failed");
    assert!(job["error"].as_str().unwrap().contains("it broke"), "{job}");
    assert_eq!(job["is_resumable"], true);
}

#[tokio::test]
async fn a_graph_that_cannot_run_fails_with_every_fault_and_is_stored_as_failed() {
    let server = TestServer::start();
    let client = server.client();
    let nodes = [
        node("a", "nodetool.nope.A", json!({})),
        node("b", "nodetool.nope.B", json!({})),
    ];
    let id = client.save(&graph(&nodes, &[])).await;
    let told = client.run(&id, json!({})).await.detail(500);
    assert!(
        told.contains("node a (type: nodetool.nope.A)")
            && told.contains("node b (type: nodetool.nope.B)"),
        "{told}"
    );
    let job = client.ended_job(&id).await;
    assert_eq!(
        (&job["status"], &job["error"]),
        (&json!("failed"), &json!(told))
    );
}

#[tokio::test]
async fn a_workflow_nobody_has_cannot_be_run() {
    let server = TestServer::start();
    let client = server.client();
    for path in [
        "/api/workflows/nope/run",
        "/api/workflows/nope/run?stream=true",
        "/api/workflows/nope/run/stream",
        "/workflows/nope/run",
        "/workflows/nope/run/stream",
    ] {
        assert_eq!(
            client.post(path, &json!({})).await.detail(404),
            "Workflow not found",
            "{path}"
        );
    }
    assert_eq!(client.get("/api/jobs").await.ok()["jobs"], json!([]));
}

#[tokio::test]
async fn a_workflow_without_nodes_runs_and_gives_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&graph(&[], &[])).await;
    assert_eq!(client.run(&id, json!({})).await.ok(), json!({}));
}

#[tokio::test]
async fn parameters_too_large_to_keep_do_not_stop_the_run() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let large = "x".repeat(20 << 20);
    let outputs = client.run(&id, json!({ "name": large })).await.ok();
    assert_eq!(outputs["out"].as_str().map(str::len), Some(20 << 20));
    assert_eq!(client.ended_job(&id).await["status"], "completed");
}

#[tokio::test]
async fn a_run_goes_on_and_is_stored_when_its_client_goes_away() {
    let server = TestServer::start();
    let client = server.client();
    let folder = server.folder().join("workspace");
    let id = client.save(&script(UNTIL_TOLD, 60)).await;
    let request = json_request(
        Method::POST,
        &format!("/api/workflows/{id}/run"),
        &json!({}),
    );
    let caller = server.client();
    let begun = folder.join("begun.txt");
    tokio::select! {
        reply = caller.send(request) => panic!("answered early: {reply:?}"),
        () = appears(&begun) => {}
    }
    drop(caller);
    std::fs::write(folder.join("go.txt"), "1").unwrap();
    assert_eq!(client.ended_job(&id).await["status"], "completed");
    assert!(folder.join("done.txt").exists());
}

#[tokio::test]
async fn inputs_that_wait_for_a_client_end_with_what_they_have() {
    let server = TestServer::start();
    let client = server.client();
    let input = node(
        "i",
        "nodetool.input.RealtimeAudioInput",
        json!({ "name": "sound" }),
    );
    let collect = node("c", "nodetool.control.Collect", json!({}));
    let id = client
        .save(&graph(
            &[input, collect, output()],
            &["i.chunk -> c.input_item", "c.output -> o.value"],
        ))
        .await;
    // Nothing can be pushed over this route, so waiting would never end.
    assert_eq!(client.run(&id, json!({})).await.ok(), json!({ "out": [] }));
}

#[tokio::test]
async fn runs_share_nothing_but_the_server() {
    let server = TestServer::start();
    let client = server.client();
    let slow = client.save(&waiting(0.2)).await;
    let quick = client.save(&greeting()).await;
    let clients: Vec<_> = (0..16).map(|_| server.client()).collect();
    let runs = clients.iter().enumerate().map(|(i, c)| {
        let (slow, quick) = (&slow, &quick);
        async move {
            for k in 0..5 {
                if i % 4 == 0 {
                    assert_eq!(c.run(slow, json!({})).await.ok(), json!({ "out": "done" }));
                } else {
                    let name = format!("{i}-{k}");
                    assert_eq!(
                        c.run(quick, json!({ "name": name })).await.ok(),
                        json!({ "out": name })
                    );
                }
            }
        }
    });
    futures_util::future::join_all(runs).await;
    let jobs = client.get("/api/jobs?limit=1000").await.ok();
    let jobs = jobs["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 80);
    assert!(jobs.iter().all(|j| j["status"] == "completed"));
}

#[tokio::test]
async fn a_script_gets_inputs_and_gives_outputs() {
    let server = TestServer::start();
    let client = server.client();
    let source = node("n", COUNT, json!({ "count": 3 }));
    let mut twice = node(
        "c",
        CODE,
        json!({ "code": "return { output: inputs.x * 2 }" }),
    );
    twice["dynamic_properties"] = json!({ "x": 0 });
    twice["dynamic_outputs"] = json!({ "output": { "type": "int" } });
    let collect = node("l", "nodetool.control.Collect", json!({}));
    let edges = [
        "n.output -> c.x",
        "c.output -> l.input_item",
        "l.output -> o.value",
    ];
    let id = client
        .save(&graph(&[source, twice, collect, output()], &edges))
        .await;
    assert_eq!(
        client.run(&id, json!({})).await.ok(),
        json!({ "out": [0, 2, 4] })
    );
}

#[tokio::test]
async fn a_suspended_run_says_where_it_waits() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&waiting(0.0)).await;
    let told = client.run(&id, json!({})).await.detail(500);
    assert_eq!(told, "Workflow suspended at node w: waiting to be resumed");
    let jobs = client
        .get(&format!("/api/jobs?workflow_id={id}"))
        .await
        .ok();
    let job = &jobs["jobs"][0];
    assert_eq!(job["status"], "suspended");
    assert_eq!(job["suspended_node_id"], "w");
    assert_eq!(job["suspension_reason"], "waiting to be resumed");
    assert_eq!(
        (&job["finished_at"], &job["is_resumable"]),
        (&Value::Null, &json!(true))
    );
}
