//! Forks, joins, queues between loops and loops within loops.

use std::path::Path;

use serde_json::{Value, json};

use super::super::server::{TestServer, pace, within};
use super::{Flow, completed};

/// A step that appends what a template gives to a file, a line for each token.
async fn noting(flow: &Flow<'_>, file: &str, template: &str) -> String {
    let form = json!({ "file_path": file, "mode": "a", "content": template });
    flow.node("file-writer", form).await
}

/// The lines of the file of that name below a folder, once it is there.
pub(super) fn lines(folder: &Path, name: &str) -> Vec<String> {
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                return text.lines().map(str::to_owned).collect();
            }
        }
    }
    Vec::new()
}

#[tokio::test]
async fn case_46_a_join_runs_once_with_what_all_branches_have_added() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 1_000_000).await;
    let (a, b) = (
        flow.transformer(r#"{"a": 1}"#).await,
        flow.transformer(r#"{"b": 2}"#).await,
    );
    let join = noting(&flow, "joined.txt", "{{ data|tojson }}").await;
    let last = flow.transformer("{}").await;
    for (from, to) in [
        (&counter, &a),
        (&counter, &b),
        (&a, &join),
        (&b, &join),
        (&join, &last),
    ] {
        flow.edge(from, to).await;
    }
    flow.start().await;
    let noted = within("a join", async {
        loop {
            if let Some(first) = lines(server.folder(), "joined.txt").first() {
                return first.clone();
            }
            pace().await;
        }
    })
    .await;
    let noted: Value = serde_json::from_str(&noted).unwrap();
    assert_eq!(noted["counter"]["current"], 1);
    assert_eq!(
        (&noted["data_transformer"], &noted["data_transformer_2"]),
        (&json!({ "a": 1 }), &json!({ "b": 2 }))
    );
    assert_eq!(noted.as_object().unwrap().len(), 3, "{noted}");
    flow.stop().await;
}

#[tokio::test]
async fn case_46_the_sentinel_visits_each_node_of_a_fork_once() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let counter = flow.counter(1, 2).await;
    let (a, b) = (flow.transformer("{}").await, flow.transformer("{}").await);
    let join = flow.transformer("{}").await;
    for (from, to) in [(&counter, &a), (&counter, &b), (&a, &join), (&b, &join)] {
        flow.edge(from, to).await;
    }
    let (told, end) = flow.watched().await;
    assert_eq!(end["type"], "job_completed", "{end}");
    let done = completed(&told);
    for node in [&counter, &a, &b, &join] {
        assert_eq!(done.iter().filter(|n| *n == node).count(), 3, "{done:?}");
    }
}

/// Loops that are joined by queues: producers write, readers note what they read.
async fn queued(flow: &Flow<'_>, producers: usize, readers: usize) -> Vec<String> {
    let mut reading = Vec::new();
    for n in 0..readers {
        let reader = flow.node("queue-reader", json!({})).await;
        let file = format!("read-{n}.txt");
        let note = noting(flow, &file, "{{ data.counter.current }}").await;
        flow.edge(&reader, &note).await;
        reading.push(reader);
    }
    for n in 0..producers {
        let first = 1 + 2 * i64::try_from(n).unwrap();
        let counter = flow.counter(first, first + 1).await;
        let writer = flow.node("queue-writer", json!({})).await;
        flow.edge(&counter, &writer).await;
        for reader in &reading {
            flow.edge(&writer, reader).await;
        }
    }
    reading
}

#[tokio::test]
async fn case_47_a_queue_carries_tokens_in_order_and_the_end_with_them() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    queued(&flow, 1, 1).await;
    flow.start().await;
    assert_eq!(flow.ended().await["status"], "completed");
    assert_eq!(lines(server.folder(), "read-0.txt"), ["1", "2"]);
}

#[tokio::test]
async fn case_48_every_reader_gets_every_token() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    queued(&flow, 1, 2).await;
    flow.start().await;
    assert_eq!(flow.ended().await["status"], "completed");
    for file in ["read-0.txt", "read-1.txt"] {
        assert_eq!(lines(server.folder(), file), ["1", "2"]);
    }
}

#[tokio::test]
async fn case_49_a_reader_ends_after_all_its_writers() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    queued(&flow, 2, 1).await;
    flow.start().await;
    assert_eq!(flow.ended().await["status"], "completed");
    let mut read = lines(server.folder(), "read-0.txt");
    read.sort();
    assert_eq!(read, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn case_50_a_reader_of_nothing_is_a_fault() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let reader = flow.node("queue-reader", json!({})).await;
    flow.start().await;
    let error = flow.ended().await["error"].as_str().unwrap().to_owned();
    assert!(
        error.contains(&reader) && error.contains("queue_name: This field is required."),
        "{error}"
    );
}

#[tokio::test]
async fn case_51_and_52_a_body_runs_for_each_item_and_the_rest_once() {
    for body_nodes in [1, 2] {
        let server = TestServer::start();
        let client = server.client();
        let flow = Flow::new(&client).await;
        let once = json!({ "min_value": 1, "max_value": 2, "direction": "increment", "step": 2 });
        let counter = flow.node("counter", once).await;
        let each = flow
            .node("for-each", json!({ "array_expression": "[1, 2]" }))
            .await;
        let item = r#"{"item": {{ data.forEachNode.state.item }}}"#;
        let mut body = vec![flow.transformer(item).await];
        for _ in 1..body_nodes {
            body.push(flow.transformer("{}").await);
        }
        let after = noting(&flow, "after.txt", "{{ data|tojson }}").await;
        flow.edge(&counter, &each).await;
        flow.edge_from(&each, "subdag", &body[0]).await;
        for pair in body.windows(2) {
            flow.edge(&pair[0], &pair[1]).await;
        }
        flow.edge(&each, &after).await;
        let (told, end) = flow.watched().await;
        assert_eq!(end["type"], "job_completed", "{end}");
        let times = |node: &str| {
            let done = completed(&told);
            done.iter().filter(|n| **n == node).count()
        };
        // Each item, and the pass of the sentinel.
        assert!(body.iter().all(|node| times(node) == 3), "{told:?}");
        assert_eq!(times(&after), 2);
        let noted = lines(server.folder(), "after.txt");
        assert_eq!(noted.len(), 1, "{noted:?}");
        let noted: Value = serde_json::from_str(&noted[0]).unwrap();
        let results = noted["loop_results"].as_array().unwrap();
        assert_eq!(results.len(), 2, "{noted}");
        assert_eq!(results[1]["data_transformer"], json!({ "item": 2 }));
        assert_eq!(
            noted["forEachNode"]["state"],
            json!({ "index": 1, "item": 2 })
        );
    }
}
