//! News and the end of the server (rows 55, 60).

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::super::graphs::greeting;
use super::super::server::TestServer;
use super::client::{Got, Mode, Socket, open};

async fn change(socket: &mut Socket, mode: Mode) -> serde_json::Value {
    loop {
        match socket.any().await {
            Got::Message(message, got) => {
                assert_eq!(got, mode);
                if message["type"] == "resource_change" {
                    return message;
                }
                assert_eq!(message["type"], "system_stats", "{message}");
            }
            Got::Closed(code, reason) => panic!("closed: {code} {reason}"),
        }
    }
}

#[tokio::test]
async fn case_55_what_is_created_changed_and_deleted_is_told() {
    let server = TestServer::start();
    let client = server.client();
    let mut updates = open(&server, "/updates", Mode::Text).await;
    let mut alias = open(&server, "/ws/updates", Mode::Text).await;
    let mut everything = open(&server, "/ws", Mode::Binary).await;
    // Each listens by the time its first message is here.
    for socket in [&mut updates, &mut alias, &mut everything] {
        assert!(matches!(socket.any().await, Got::Message(..)));
    }
    let id = client.save(&greeting()).await;
    let etag = client.get(&format!("/api/workflows/{id}")).await.ok()["etag"].clone();
    let created = json!({
        "type": "resource_change", "event": "created", "resource_type": "workflow",
        "resource": { "id": id, "etag": etag },
    });
    assert_eq!(change(&mut updates, Mode::Text).await, created);
    assert_eq!(change(&mut alias, Mode::Text).await, created);
    assert_eq!(change(&mut everything, Mode::Binary).await, created);
    client.delete(&format!("/api/workflows/{id}")).await;
    assert_eq!(change(&mut updates, Mode::Text).await["event"], "deleted");
}

#[tokio::test]
async fn the_updates_socket_takes_no_commands() {
    let server = TestServer::start();
    let mut socket = open(&server, "/updates", Mode::Text).await;
    socket.send_raw(Message::text("{bad")).await;
    socket.send_raw(Message::binary(vec![0xc1])).await;
    socket.command("get_status", json!({})).await;
    for _ in 0..3 {
        let Got::Message(stats, Mode::Text) = socket.any().await else {
            panic!("no text message")
        };
        assert_eq!(stats["type"], "system_stats");
    }
}

#[tokio::test]
async fn case_7_an_idle_socket_gets_a_ping_and_stays_open_without_an_answer() {
    let server = TestServer::start();
    let mut socket = open(&server, "/ws", Mode::Binary).await;
    let ping = loop {
        match socket.any().await {
            Got::Message(message, _) if message["type"] == "ping" => break message,
            Got::Message(message, _) => assert_eq!(message["type"], "system_stats"),
            Got::Closed(code, reason) => panic!("closed: {code} {reason}"),
        }
    };
    assert!(ping["ts"].is_f64(), "{ping}");
    socket.check_quiet().await;
}

#[tokio::test]
async fn the_jobs_socket_hears_no_news() {
    let server = TestServer::start();
    let mut jobs = open(&server, "/predict", Mode::Text).await;
    let mut everything = open(&server, "/ws", Mode::Binary).await;
    assert!(matches!(everything.any().await, Got::Message(..)));
    server.client().save(&greeting()).await;
    change(&mut everything, Mode::Binary).await;
    jobs.check_quiet().await;
    assert!(jobs.news.is_empty());
}

#[tokio::test]
async fn case_60_a_server_that_stops_closes_its_sockets() {
    let server = TestServer::start();
    let mut sockets = Vec::new();
    for path in ["/ws", "/predict", "/updates"] {
        sockets.push(open(&server, path, Mode::Text).await);
    }
    server.terminate();
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, (1012, "Server draining".to_owned()));
    }
    drop(sockets);
    let (status, log, _) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(!log.contains("in time"), "{log}");
}
