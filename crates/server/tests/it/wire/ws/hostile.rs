//! Clients that break off, send garbage or do not read.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::super::graphs::{COUNT, REPEAT, counting, graph, node, output};
use super::super::server::{TestServer, pace, within};
use super::client::{Got, Mode, is_end, open};

/// A connection that was upgraded by hand, with a small window.
async fn raw(server: &TestServer) -> TcpStream {
    raw_at(server, "/predict").await
}

/// The same at a path; it cannot send much that nobody reads, either.
async fn raw_at(server: &TestServer, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.address()).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    socket
}

#[tokio::test]
async fn a_client_in_the_middle_of_a_message_that_is_too_large_is_told_so() {
    const SIZE: usize = 3 << 20;
    let server = TestServer::start_in(
        &[("NODETOOL_ENABLE_TERMINAL_WS", "1")],
        &["--ws-max-message-bytes", "1000"],
    );
    let made = server
        .client()
        .post("/api/workflow/", &json!({ "name": "w" }))
        .await;
    let watch = format!("/ws/workflow/{}/", made.json()["id"].as_str().unwrap());
    for path in ["/ws", "/predict", "/terminal", &watch] {
        let mut socket = raw_at(&server, path).await;
        let mut frame = vec![0x82, 0xff];
        frame.extend_from_slice(&(SIZE as u64).to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.resize(frame.len() + SIZE, b' ');
        // All of it is taken, though it was refused at its first bytes.
        let sent = within("the message to leave", socket.write_all(&frame)).await;
        sent.unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut told = Vec::new();
        let read = within("the answer", socket.read_to_end(&mut told)).await;
        read.unwrap_or_else(|e| panic!("{path}: {e}"));
        let close = [0x88, 0, 0x03, 0xf1];
        let closes = |at: &[u8]| at[0] == close[0] && at[2..] == close[2..];
        assert!(told.windows(4).any(closes), "{path}: {told:?}");
    }
    server.client().check_health().await;
}

#[tokio::test]
async fn clients_that_break_off_leave_nothing_behind() {
    let server = TestServer::start();
    for part in [
        &[][..],
        &[0x81],
        &[0x81, 0xfe],
        &[0x81, 0x85, 1, 2, 3],
        &[
            0x82, 0xff, 0, 0, 0, 0, 0x0f, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5,
        ],
        // The first part of a message whose rest never comes.
        &[0x01, 0x81, 0, 0, 0, 0, b'{'],
        // Not masked, reserved bits, an unknown opcode.
        &[0x81, 0x01, b'x'],
        &[0xf1, 0x80, 0, 0, 0, 0],
        &[0x83, 0x80, 0, 0, 0, 0],
    ] {
        for _ in 0..5 {
            let mut socket = raw(&server).await;
            socket.write_all(part).await.unwrap();
        }
    }
    server.client().check_health().await;
    // Nothing of them holds the end back.
    server.terminate();
    let (status, log, _) = server.ended().await;
    assert!(status.success() && !log.contains("panic"), "{log}");
}

#[tokio::test]
async fn garbage_of_any_kind_is_answered() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let mut runner = TestRunner::deterministic();
    let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..64);
    for i in 0..500 {
        let garbage = bytes.new_tree(&mut runner).unwrap().current();
        let message = if i % 2 == 0 {
            Message::binary(garbage)
        } else {
            Message::text(String::from_utf8_lossy(&garbage).into_owned())
        };
        socket.send_raw(message).await;
        let (reply, _) = socket.next_as().await;
        assert!(reply["error"].is_string(), "{reply}");
    }
    socket
        .send_raw(super::client::encode(
            &json!({ "type": "ping" }),
            Mode::Binary,
        ))
        .await;
    assert_eq!(socket.next().await["type"], "pong");
}

#[tokio::test]
async fn a_client_that_asks_and_does_not_read_stops_itself_only() {
    let server = TestServer::start();
    let before = server.memory();
    let mut silent = raw(&server).await;
    // 10,000 commands, each answered with half a kilobyte.
    let command = json!({ "command": "x".repeat(200) }).to_string();
    let mut frame = vec![0x81, 0xfe];
    frame.extend_from_slice(&(command.len() as u16).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(command.as_bytes());
    let asking = async {
        for _ in 0..10_000 {
            if silent.write_all(&frame).await.is_err() {
                break;
            }
        }
    };
    let others = async {
        let mut socket = open(&server, "/ws", Mode::Text).await;
        for _ in 0..200 {
            socket.check_quiet().await;
        }
        let ack = socket.start(json!({ "graph": counting(100) })).await;
        socket.until_end(ack["job_id"].as_str().unwrap()).await;
    };
    tokio::select! {
        () = async { asking.await; std::future::pending().await } => {}
        () = others => {}
    }
    let grown = server.memory().saturating_sub(before) >> 20;
    assert!(grown < 40, "{grown} MiB more");
    server.client().check_health().await;
}

#[tokio::test]
async fn a_job_does_not_wait_for_a_client_that_does_not_read() {
    let server = TestServer::start();
    let before = server.memory();
    let mut silent = raw(&server).await;
    let mut reading = open(&server, "/ws", Mode::Binary).await;
    // Much more than what is kept of a job or fits into a connection.
    let count = node("n", COUNT, json!({ "count": 20_000 }));
    let text = node(
        "r",
        REPEAT,
        json!({ "value": "x".repeat(4000), "count": 1 }),
    );
    let graph = graph(&[count, text, output()], &["n.output -> o.value"]);
    let run =
        json!({ "command": "run_job", "data": { "job_id": "busy", "graph": graph } }).to_string();
    let mut frame = vec![0x81, 0xfe];
    frame.extend_from_slice(&(run.len() as u16).to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(run.as_bytes());
    silent.write_all(&frame).await.unwrap();
    within("the job to end", async {
        loop {
            let status = reading.ask("get_status", json!({ "job_id": "busy" })).await;
            if status["status"] == "completed" {
                break;
            }
            pace().await;
        }
    })
    .await;
    // It can still have the end when it begins to read: a second connection of its own does.
    reading
        .ask("reconnect_job", json!({ "job_id": "busy", "last_seq": 1 }))
        .await;
    let resumed = reading.next().await;
    assert_eq!(resumed["replay_incomplete"], true);
    let messages = reading.until_end("busy").await;
    assert_eq!(resumed["replay_count"], json!(messages.len()));
    assert!(is_end(messages.last().unwrap()));
    let grown = server.memory().saturating_sub(before) >> 20;
    assert!(grown < 80, "{grown} MiB more");
}

#[tokio::test]
async fn very_many_idle_sockets_cost_little() {
    let server = TestServer::start();
    let before = server.memory();
    let mut sockets = Vec::new();
    for _ in 0..400 {
        sockets.push(open(&server, "/ws", Mode::Binary).await);
    }
    for socket in &mut sockets {
        assert!(matches!(socket.any().await, Got::Message(..)));
    }
    let grown = server.memory().saturating_sub(before) >> 10;
    // 2000 of them must stay below 60 MiB.
    assert!(grown / 400 < 30, "{} KiB each", grown / 400);
    server.client().check_health().await;
}
