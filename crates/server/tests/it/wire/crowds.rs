//! Many clients at once, and clients that do not read what they asked for.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::graphs::{REPEAT, counting, graph, node, output};
use super::server::{TestServer, pace, within};

/// Opens streaming runs whose answers nobody reads.
async fn unread(server: &TestServer, workflow: &str, count: usize) -> Vec<TcpStream> {
    let head = format!(
        "POST /api/workflows/{workflow}/run?stream=true HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
    );
    let mut sockets = Vec::new();
    for _ in 0..count {
        // A small window, so that what is on its way soon fills it.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut socket = socket.connect(server.address()).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    sockets
}

/// Waits until the server's processor time stands still: every run waits for its client.
async fn settled(server: &TestServer) {
    within("the runs to wait for their clients", async {
        let (mut before, mut same) = (server.processor_time(), 0);
        while same < 40 {
            pace().await;
            let now = server.processor_time();
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
    })
    .await;
}

async fn check_bounded(server: &TestServer, workflow: &str, clients: usize, most_megabytes: u64) {
    let client = server.client();
    let sockets = unread(server, workflow, clients).await;
    settled(server).await;
    let memory = server.memory() >> 20;
    assert!(
        memory < most_megabytes,
        "{memory} MiB with {clients} clients that do not read"
    );
    client.check_health().await;
    let jobs = client
        .get(&format!("/api/jobs?workflow_id={workflow}&limit=1000"))
        .await
        .ok();
    let running = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|j| j["status"] == "running");
    assert_eq!(running.count(), clients, "nobody was given up");
    drop(sockets);
    within("the runs to end", async {
        loop {
            let jobs = client
                .get(&format!("/api/jobs?workflow_id={workflow}&limit=1000"))
                .await
                .ok();
            if jobs["jobs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|j| j["status"] == "cancelled")
            {
                break;
            }
            pace().await;
        }
    })
    .await;
    client.check_health().await;
}

#[tokio::test]
async fn fifty_clients_that_do_not_read_a_fast_generator_cost_little_memory() {
    let server = TestServer::start();
    let id = server.client().save(&counting(10_000_000)).await;
    check_bounded(&server, &id, 50, 300).await;
}

#[tokio::test]
async fn large_values_that_nobody_reads_are_not_written_out_in_advance() {
    let server = TestServer::start();
    let source = node(
        "r",
        REPEAT,
        json!({ "value": "v".repeat(100_000), "count": 1_000_000 }),
    );
    let id = server
        .client()
        .save(&graph(&[source, output()], &["r.output -> o.value"]))
        .await;
    check_bounded(&server, &id, 50, 300).await;
}

#[tokio::test]
async fn two_hundred_clients_that_do_not_read_leave_room_for_one_that_does() {
    let server = TestServer::start();
    let id = server.client().save(&counting(10_000_000)).await;
    check_bounded(&server, &id, 200, 500).await;
}
