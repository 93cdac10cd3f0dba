//! Who opens a socket (socket spec 1.3, 1.4; conformance rows 2 to 4; HTTP spec row 90).

use futures_util::StreamExt;
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::super::access::{ANN, BOB, with_accounts};
use super::super::graphs::{greeting, waiting};
use super::super::local::with_headers;
use super::super::server::{TestServer, within};
use super::client::{Mode, Socket, open};

/// The code and reason of the close that comes first, if one does before anything else.
async fn closed(server: &TestServer, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut request = format!("ws://localhost{path}")
        .into_client_request()
        .unwrap();
    if let Some(token) = token {
        let value = token.parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let (mut socket, _) = client_async(request, stream)
        .await
        .expect("the upgrade is accepted");
    let first = within("a first message", socket.next()).await;
    match first.expect("a message").expect("a proper one") {
        Message::Close(frame) => {
            let frame = frame.expect("a reason");
            Some((frame.code.into(), frame.reason.to_string()))
        }
        _ => None,
    }
}

#[tokio::test]
async fn cases_2_to_4_and_90_sockets_know_tokens_by_header_and_by_query() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "tok"),
        ("NODETOOL_SYSTEM_STATS", "1"),
    ];
    let server = TestServer::start_in(&environment, &["--mode", "private"]);
    let missing = Some((1008, "Missing authentication".to_owned()));
    let invalid = Some((1008, "Invalid authentication".to_owned()));
    for path in ["/ws", "/updates"] {
        for (query, token, expected) in [
            ("", None, &missing),
            ("?api_key=&token=", None, &missing),
            ("", Some("Basic tok"), &missing),
            ("?api_key=wrong", None, &invalid),
            ("?api_key=wrong&token=tok", None, &invalid),
            ("?api_key=tok", Some("Bearer wrong"), &invalid),
            ("?api_key=tok", None, &None),
            ("?token=tok", None, &None),
            ("", Some("bearer tok"), &None),
            ("?token=tok", Some("Basic x"), &None),
        ] {
            let told = closed(&server, &format!("{path}{query}"), token).await;
            assert_eq!(&told, expected, "{path}{query} {token:?}");
        }
    }
    assert!(!server.log().contains("tok="), "{}", server.log());
}

/// The commands a source file lists, so that none is forgotten here.
fn listed(source: &'static str) -> impl Iterator<Item = &'static str> {
    let (_, rest) = source
        .split_once("const COMMANDS: &[&str] = &[")
        .expect("a list of commands");
    let (list, _) = rest.split_once("];").expect("its end");
    list.split('"').skip(1).step_by(2)
}

/// What comes back for a command about ids, with those ids and all others that are made up on the way left out.
async fn told(server: &TestServer, command: &str, job: &str, workflow: &str) -> Vec<String> {
    let path = format!("/ws?token={}", BOB.1);
    let mut socket = open(server, &path, Mode::Text).await;
    let data = json!({
        "job_id": if command == "run_job" { Value::Null } else { job.into() },
        "workflow_id": workflow, "id": workflow, "ids": [workflow], "input": "name", "value": 1, "params": {},
        "node_type": "nodetool.output.Output", "user_id": "user_ann",
        // Threads get the ids their users choose, and a taken one has to be refused: who says something in a thread
        // learns that it is taken. Nobody else does.
        "thread_id": if command == "chat_message" { Value::Null } else { job.into() },
    });
    let asked = json!({ "command": command, "data": data, "request_id": "r" });
    socket.send(&asked).await;
    let mut messages = Vec::new();
    if command == "run_job" {
        let ack = socket.next().await;
        let started = ack["job_id"].as_str().unwrap_or_default().to_owned();
        messages.push(ack);
        messages.extend(socket.until_end(&started).await);
    }
    socket.send(&json!({ "type": "ping" })).await;
    loop {
        let message = socket.next().await;
        if message["type"] == "pong" {
            break;
        }
        messages.push(message);
    }
    let known = [job, workflow];
    let told = messages.iter().map(|m| {
        known
            .iter()
            .fold(m.to_string(), |t, id| t.replace(id, "ID"))
    });
    told.map(|text| without_ids(&text)).collect()
}

/// A text in which runs of 32 hex digits, which are ids, are one word, and times another.
fn without_ids(text: &str) -> String {
    let id = fancy_regex::Regex::new("[0-9a-f]{32}").unwrap();
    let time = fancy_regex::Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+]+").unwrap();
    let text = id.replace_all(text, "ID").into_owned();
    time.replace_all(&text, "TIME").into_owned()
}

async fn start(server: &TestServer, token: &str, graph: Value) -> (Socket, String) {
    let path = format!("/ws?token={token}");
    let mut socket = open(server, &path, Mode::Text).await;
    let ack = socket.start(json!({ "graph": graph })).await;
    let id = ack["job_id"].as_str().unwrap().to_owned();
    (socket, id)
}

#[tokio::test]
async fn case_32_every_socket_command_is_blind_to_other_users() {
    let server = with_accounts();
    let (mut hers, job) = start(&server, ANN.1, waiting(600.0)).await;
    let saved = json!({ "name": "Mine", "access": "private", "graph": greeting() });
    let bearer = format!("Bearer {}", ANN.1);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let request = super::super::local::with_headers(
        hyper::Method::POST,
        "/api/workflows",
        &headers,
        saved.to_string(),
    );
    let workflow = server.client().send(request).await.ok()["id"].clone();
    let workflow = workflow.as_str().unwrap();
    // A thread of hers has the id of her job, so that it stands for both.
    let asked = json!({ "thread_id": job, "content": "mine", "model": "local/echo" });
    hers.command("chat_message", asked).await;
    hers.until("chunk").await;
    let (no_job, no_workflow) = ("f".repeat(32), "e".repeat(32));
    let commands = listed(include_str!("../../../../src/ws/jobs.rs"));
    let commands = commands.chain(listed(include_str!("../../../../src/ws/rpc.rs")));
    let commands = commands.chain(listed(include_str!("../../../../src/ws/chat.rs")));
    let mut tried = 0;
    for command in commands {
        let real = told(&server, command, &job, workflow).await;
        let made_up = told(&server, command, &no_job, &no_workflow).await;
        assert_eq!(
            real, made_up,
            "{command} tells another user's thing from none"
        );
        assert!(!real.is_empty(), "{command} is answered");
        tried += 1;
    }
    assert!(tried > 20, "{tried} commands");
    let status = hers.ask("get_status", json!({ "job_id": job })).await;
    assert_eq!(status["status"], "running", "untouched by all of that");
    for token in ["", "wrong"] {
        let told = closed(&server, &format!("/ws?token={token}"), None).await;
        assert_eq!(told.expect("a close").0, 1008);
    }
}

#[tokio::test]
async fn a_ticket_opens_one_socket_and_no_route() {
    let environment = [
        ("AUTH_PROVIDER", "static"),
        ("SERVER_AUTH_TOKEN", "tok"),
        ("NODETOOL_SYSTEM_STATS", "1"),
    ];
    let server = TestServer::start_in(&environment, &[]);
    let client = server.client();
    let bearer = [("authorization", "Bearer tok")];
    for name in ["token", "api_key"] {
        let request = with_headers(Method::POST, "/api/tickets", &bearer, "");
        let made = client.send(request).await;
        assert_eq!(made.header("cache-control"), "no-store");
        let made = made.ok();
        assert_eq!(made["expires_in"], 60);
        let ticket = made["ticket"].as_str().unwrap();
        let as_token = format!("Bearer {ticket}");
        let as_token = [("authorization", as_token.as_str())];
        let request = with_headers(Method::GET, "/api/workflows", &as_token, "");
        assert_eq!(client.send(request).await.status, 401);
        let path = format!("/ws?{name}={ticket}");
        assert_eq!(closed(&server, &path, None).await, None);
        let used = Some((1008, "Invalid authentication".to_owned()));
        assert_eq!(closed(&server, &path, None).await, used);
        assert!(!server.log().contains(ticket));
    }
}
