//! `kill -9` while loops run.

use std::collections::BTreeMap;
use std::path::Path;

use hyper::Method;
use serde_json::json;

use super::super::local::with_headers;
use super::super::server::{TestServer, pace, within};
use super::{Flow, counter, delay, lines, note, webhook};

/// What becomes of the workflow when its server dies.
async fn restarting(flow: &Flow<'_>, when: &str) {
    let path = format!("/api/workflow/{}/", flow.id);
    let headers = [("content-type", "application/json")];
    let body = json!({ "restart": when }).to_string();
    let request = with_headers(Method::PATCH, &path, &headers, body);
    let changed = flow.client.send(request).await.ok();
    assert_eq!(changed["restart"], when, "{changed}");
}

/// Waits for so many lines of a file.
async fn comes(folder: &Path, file: &str, least: usize) {
    within(file, async {
        while lines(folder, file).len() < least {
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_killed_run_that_never_restarts_has_failed_and_says_so() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[
        counter(1, i64::MAX),
        note("n.txt", "{{ data.counter.current }}"),
    ])
    .await;
    let started = flow.start().await;
    comes(server.folder(), "n.txt", 3).await;
    let id = flow.id.clone();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    assert_eq!(
        flow.task().await,
        json!({ "task_id": started["task_id"], "status": "FAILURE" })
    );
    assert_eq!(flow.object().await["status"], "error");
    let mut watch = flow.watch(&server).await;
    let state = watch.state().await;
    assert_eq!(
        (&state["status"], &state["error"]),
        (&json!("failed"), &json!("server restarted"))
    );
    let before = lines(server.folder(), "n.txt").len();
    // A start is a new run, and the old one does not go on beside it.
    flow.start().await;
    comes(server.folder(), "n.txt", before + 1).await;
    flow.stop().await;
    let all = lines(server.folder(), "n.txt");
    let told = all.iter().filter(|line| *line == "1").count();
    assert_eq!(told, 2, "{all:?}");
}

#[tokio::test]
async fn a_killed_run_that_restarts_on_boot_begins_again_as_a_task_of_its_own() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[
        counter(1, i64::MAX),
        note("n.txt", "{{ data.counter.current }}"),
    ])
    .await;
    restarting(&flow, "on-boot").await;
    let started = flow.start().await;
    comes(server.folder(), "n.txt", 3).await;
    let id = flow.id.clone();
    let mut folder = server.kill().await;
    let mut task = started["task_id"].clone();
    for round in 2..4 {
        let server = TestServer::start_over(folder, &[]);
        let client = server.client();
        let flow = Flow {
            client: &client,
            id: id.clone(),
        };
        let again = flow.comes_to("STARTED").await;
        assert_ne!(again["task_id"], task, "a new run is a new task");
        let path = format!("/api/celery/task/{}/status/", task.as_str().unwrap());
        assert_eq!(client.get(&path).await.ok()["state"], "FAILURE");
        task = again["task_id"].clone();
        within("the loop to begin anew", async {
            let begun = || {
                lines(server.folder(), "n.txt")
                    .iter()
                    .filter(|l| *l == "1")
                    .count()
            };
            while begun() < round {
                pace().await;
            }
        })
        .await;
        folder = server.kill().await;
    }
}

#[tokio::test]
async fn a_stopped_run_does_not_begin_again_on_boot() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    flow.chain(&[counter(1, i64::MAX), note("n.txt", "x")])
        .await;
    restarting(&flow, "on-boot").await;
    flow.start().await;
    comes(server.folder(), "n.txt", 1).await;
    assert_eq!(flow.stop().await["status"], "REVOKED");
    let id = flow.id.clone();
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    assert_eq!(flow.task().await["status"], "REVOKED");
    assert_eq!(flow.object().await["status"], "inactive");
    let state = flow.watch(&server).await.state().await;
    assert_eq!(state["status"], "idle");
}

#[tokio::test]
async fn tokens_that_wait_in_a_queue_come_at_least_once_after_a_kill() {
    let server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let items: Vec<String> = (1..=8).map(|n| format!("item-{n}")).collect();
    let iterator = json!({ "data_content": items.join(","), "separator_type": "comma" });
    let value = "{{ data.string_iterator.value }}";
    let writer = flow
        .chain(&[
            ("string-iterator-producer", iterator),
            note("sent.txt", value),
            ("queue-node-writer", json!({})),
        ])
        .await;
    let reader = flow
        .chain(&[
            ("queue-reader-dummy", json!({})),
            note("come.txt", value),
            delay(1, "hours"),
        ])
        .await;
    flow.edge(&writer[2], &reader[0]).await;
    restarting(&flow, "on-boot").await;
    flow.start().await;
    // All are written, one is being worked on.
    comes(server.folder(), "sent.txt", items.len()).await;
    comes(server.folder(), "come.txt", 1).await;
    let id = flow.id.clone();
    let folder = server.kill().await;

    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    comes(server.folder(), "come.txt", 2).await;
    flow.stop().await;
    // What was being worked on comes again, and nothing overtakes it.
    let come = lines(server.folder(), "come.txt");
    assert_eq!(come, ["item-1", "item-1"]);
}

#[tokio::test]
async fn of_calls_and_tokens_none_is_lost_and_what_was_done_with_does_not_come_again() {
    let mut server = TestServer::start();
    let client = server.client();
    let flow = Flow::new(&client).await;
    let writer = flow
        .chain(&[webhook("items"), ("queue-node-writer", json!({}))])
        .await;
    let reader = flow
        .chain(&[
            ("queue-reader-dummy", json!({})),
            note("come.txt", "{{ data.webhook.data.body.n }}"),
        ])
        .await;
    flow.edge(&writer[1], &reader[0]).await;
    restarting(&flow, "on-boot").await;
    flow.start().await;
    let id = flow.id.clone();
    let (rounds, each) = (3, 20);
    for round in 0..rounds {
        let client = server.client();
        let flow = Flow {
            client: &client,
            id: id.clone(),
        };
        flow.comes_to("STARTED").await;
        // Whatever was accepted is kept, wherever in the run it is when the server dies.
        for n in round * each..(round + 1) * each {
            taken(&flow, n).await;
        }
        let folder = server.kill().await;
        server = TestServer::start_over(folder, &[]);
    }
    let counts = all_come(server.folder(), rounds * each).await;
    // In each life a call is worked on once at most, and what earlier lives had passed on once more for each of them.
    let lives = usize::try_from(rounds + 1).unwrap();
    let most = counts.values().copied().max().unwrap_or(0);
    assert!(most <= lives * (lives + 1) / 2, "{counts:?}");

    // What was done with is forgotten, and does not come again.
    forgotten(server.folder()).await;
    let before = lines(server.folder(), "come.txt");
    let folder = server.kill().await;
    let server = TestServer::start_over(folder, &[]);
    let client = server.client();
    let flow = Flow {
        client: &client,
        id,
    };
    flow.comes_to("STARTED").await;
    taken(&flow, rounds * each).await;
    comes(server.folder(), "come.txt", before.len() + 1).await;
    let after = lines(server.folder(), "come.txt");
    let last = (rounds * each).to_string();
    assert_eq!(after[before.len()..], [last]);
    flow.stop().await;
}

/// How often each of so many items came, once all have.
async fn all_come(folder: &Path, items: u32) -> BTreeMap<String, usize> {
    within("every item", async {
        loop {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for line in lines(folder, "come.txt") {
                *counts.entry(line).or_default() += 1;
            }
            if (0..items).all(|n| counts.contains_key(&n.to_string())) {
                return counts;
            }
            pace().await;
        }
    })
    .await
}

/// Waits until nothing is kept for a next life.
async fn forgotten(folder: &Path) {
    let db = rusqlite::Connection::open(folder.join("nodetool.sqlite3")).unwrap();
    within("everything to be done with", async {
        loop {
            let sql = "SELECT COUNT(*) FROM nodetool_loop_tokens";
            if db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() == 0 {
                return;
            }
            pace().await;
        }
    })
    .await;
}

/// Calls the webhook until a loop takes it: it may only just have begun.
async fn taken(flow: &Flow<'_>, n: u32) {
    within("a loop that takes the call", async {
        loop {
            let body = json!({ "n": n });
            let reply = flow.client.post("/api/webhooks/items/", &body).await;
            assert_eq!(reply.status, 202, "{reply:?}");
            if reply.json()["subscribers"] == 1 {
                return;
            }
            pace().await;
        }
    })
    .await;
}
