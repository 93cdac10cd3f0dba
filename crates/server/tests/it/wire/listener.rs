//! The listener: clients that take their time, too much of everything, where it listens and when it refuses to.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, request};
use super::graphs::greeting;
use super::server::{TestServer, folder, pace, program, within};

/// An answer as it came: status and JSON body.
fn told(read: &[u8]) -> (u16, Value) {
    let text = String::from_utf8_lossy(read);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{text:?}"));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    let body = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {text:?}"));
    (status.expect("a status"), body)
}

/// All that comes until the server closes.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A connection may also end hard.
    let _ = within("the end of a connection", socket.read_to_end(&mut read)).await;
    read
}

/// The answer to bytes, after which the connection ends.
async fn answer(address: SocketAddr, bytes: &[u8]) -> (u16, Value) {
    let socket = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = socket.into_split();
    let mut answer = Vec::new();
    let sent = async {
        // The server need not take all of it.
        let _ = write.write_all(bytes).await;
    };
    within("an answer", async {
        tokio::join!(sent, read.read_to_end(&mut answer)).1
    })
    .await
    .unwrap();
    told(&answer)
}

/// One request over a connection that stays open, and the head of its answer.
async fn ask(socket: &mut TcpStream) -> String {
    let asked = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    socket.write_all(asked).await.unwrap();
    let mut read = vec![0; 4096];
    let n = within("an answer", socket.read(&mut read)).await.unwrap();
    String::from_utf8_lossy(&read[..n]).into_owned()
}

#[tokio::test]
async fn a_head_that_drips_is_cut_in_time() {
    let server = TestServer::start_with(&["--header-seconds", "1"]);
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let since = Instant::now();
    socket.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
    let mut read = Vec::new();
    within("the end of a connection", async {
        let mut bytes = [0; 1024];
        loop {
            tokio::select! {
                got = socket.read(&mut bytes) => match got {
                    Ok(0) | Err(_) => break,
                    Ok(n) => read.extend_from_slice(&bytes[..n]),
                },
                () = pace() => if socket.write_all(b"x-a: b\r\n").await.is_err() { break },
            }
        }
    })
    .await;
    assert!(
        since.elapsed() < Duration::from_secs(20),
        "{:?}",
        since.elapsed()
    );
    let (status, body) = told(&read);
    assert_eq!(status, 408);
    assert_eq!(
        body,
        json!({ "detail": "The request did not arrive in time" })
    );
    server.client().check_health().await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed() {
    let server = TestServer::start_with(&["--header-seconds", "1", "--keep-alive-seconds", "1"]);
    let mut fresh = TcpStream::connect(server.address()).await.unwrap();
    let mut kept = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        let answer = ask(&mut kept).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    assert_eq!(rest(&mut fresh).await, b"");
    assert_eq!(rest(&mut kept).await, b"");
}

#[tokio::test]
async fn a_kept_connection_is_kept_longer_than_a_head_may_take() {
    let server = TestServer::start_with(&["--header-seconds", "1"]);
    let mut kept = TcpStream::connect(server.address()).await.unwrap();
    ask(&mut kept).await;
    for _ in 0..2 {
        let mut silent = TcpStream::connect(server.address()).await.unwrap();
        assert_eq!(rest(&mut silent).await, b"");
    }
    let answer = ask(&mut kept).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_answered_with_408() {
    let server = TestServer::start_with(&["--body-stall-seconds", "1"]);
    for path in ["/api/workflows", "/api/jobs", "/api/threads"] {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{\"na"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let (status, body) = told(&rest(&mut socket).await);
        assert_eq!(status, 408, "{path}: {body}");
        assert!(body["detail"].is_string(), "{path}: {body}");
    }
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head = b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"nam\r\n";
    socket.write_all(head).await.unwrap();
    assert_eq!(told(&rest(&mut socket).await).0, 408);
}

#[tokio::test]
async fn a_body_that_comes_slowly_but_comes_is_taken() {
    let server = TestServer::start_with(&["--body-stall-seconds", "2", "--header-seconds", "1"]);
    let body = json!({ "name": "W", "access": "private", "graph": greeting() }).to_string();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /api/workflows HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // Takes longer than a head might.
    let since = Instant::now();
    for byte in body.bytes() {
        socket.write_all(&[byte]).await.unwrap();
        pace().await;
    }
    assert!(since.elapsed() > Duration::from_secs(1));
    assert_eq!(told(&rest(&mut socket).await).0, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_makes_room() {
    let server = TestServer::start_with(&["--stall-seconds", "1", "--max-connections", "1"]);
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let asked = "GET /api/nodes/metadata HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
    socket.write_all(asked.as_bytes()).await.unwrap();
    within("room for another connection", async {
        loop {
            let mut other = TcpStream::connect(server.address()).await.unwrap();
            // A connection that finds no room may end hard.
            let _ = other
                .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await;
            let mut read = Vec::new();
            if other.read_to_end(&mut read).await.is_ok() && read.starts_with(b"HTTP/1.1 200") {
                break;
            }
            pace().await;
        }
    })
    .await;
}

#[tokio::test]
async fn answers_end_properly_although_a_client_reads_them_late() {
    let server = TestServer::start_with(&["--keep-alive-seconds", "1", "--header-seconds", "1"]);
    let whole = server.client().get("/api/nodes/metadata").await.body.len();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let asked = "GET /api/nodes/metadata HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(30);
    socket.write_all(asked.as_bytes()).await.unwrap();
    for _ in 0..2 {
        let mut silent = TcpStream::connect(server.address()).await.unwrap();
        assert_eq!(rest(&mut silent).await, b"");
    }
    let read = rest(&mut socket).await;
    assert!(read.len() > 30 * whole, "{} of {}", read.len(), 30 * whole);
}

#[tokio::test]
async fn sockets_have_signs_of_life_of_their_own() {
    let short = [
        "--header-seconds",
        "1",
        "--keep-alive-seconds",
        "1",
        "--stall-seconds",
        "1",
    ];
    let server = TestServer::start_with(&short);
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/ws/updates", stream)
        .await
        .unwrap();
    for _ in 0..2 {
        let mut silent = TcpStream::connect(server.address()).await.unwrap();
        assert_eq!(rest(&mut silent).await, b"");
    }
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    socket.send(Message::Ping("x".into())).await.unwrap();
    within("a pong", async {
        while !matches!(socket.next().await, Some(Ok(Message::Pong(_)))) {}
    })
    .await;
}

#[tokio::test]
async fn a_head_has_a_hundred_headers_and_no_more() {
    let server = TestServer::start();
    let with = |n: usize, close: &str| {
        let headers = "x-a: 1\r\n".repeat(n);
        format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{close}{headers}\r\n")
    };
    let most = answer(
        server.address(),
        with(98, "connection: close\r\n").as_bytes(),
    )
    .await;
    assert_eq!(most, (200, json!("OK")));
    for n in [100, 500, 100_000] {
        let (status, body) = answer(server.address(), with(n, "").as_bytes()).await;
        assert_eq!(status, 431, "{n}");
        let wanted = "The head of a request may have at most 100 headers and 65536 bytes";
        assert_eq!(body, json!({ "detail": wanted }), "{n}");
    }
    let wide = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "y".repeat(66_000)
    );
    assert_eq!(answer(server.address(), wide.as_bytes()).await.0, 431);
    server.client().check_health().await;
    assert!(server.memory() < 200 << 20);
}

#[tokio::test]
async fn an_address_has_a_length_and_no_more() {
    let server = TestServer::start();
    let of = |n: usize| {
        format!(
            "GET /health?{} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            "a".repeat(n)
        )
    };
    let most = answer(server.address(), of((32 << 10) - 8).as_bytes()).await;
    assert_eq!(most, (200, json!("OK")));
    for n in [(32 << 10) - 7, 40_000, 60_000, 70_000, 200_000, 3_000_000] {
        let (status, body) = answer(server.address(), of(n).as_bytes()).await;
        assert_eq!(status, 414, "{n}");
        let wanted = "The address of a request may have at most 32768 bytes";
        assert_eq!(body, json!({ "detail": wanted }), "{n}");
    }
    server.client().check_health().await;
}

#[tokio::test]
async fn what_is_no_http_is_told_so_in_json() {
    let server = TestServer::start();
    for bytes in [&b"GARBAGE\r\n\r\n"[..], b"GET / HTTP/9.9\r\n\r\n"] {
        let (status, body) = answer(server.address(), bytes).await;
        assert_eq!(status, 400);
        assert_eq!(body, json!({ "detail": "The request is not proper HTTP" }));
    }
    // After a proper request on the same connection, too.
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    assert!(ask(&mut socket).await.starts_with("HTTP/1.1 200 OK"));
    socket.write_all(b"GARBAGE\r\n\r\n").await.unwrap();
    assert_eq!(told(&rest(&mut socket).await).0, 400);
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_a_row() {
    let server = TestServer::start();
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let mut asked = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2000);
    asked.push_str("GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let (mut read, mut write) = socket.split();
    let mut got = Vec::new();
    let (sent, ended) = within("all answers", async {
        tokio::join!(
            write.write_all(asked.as_bytes()),
            read.read_to_end(&mut got)
        )
    })
    .await;
    sent.unwrap();
    ended.unwrap();
    let got = String::from_utf8(got).unwrap();
    assert_eq!(got.matches("HTTP/1.1 200 OK\r\n").count(), 2000);
    assert_eq!(got.rfind("HTTP/1.1 404 "), got.rfind("HTTP/1.1 "));
}

#[tokio::test]
async fn beyond_the_most_connections_clients_are_told_so() {
    let server = TestServer::start_with(&["--max-connections", "20"]);
    let mut kept = Vec::new();
    for _ in 0..20 {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        assert!(ask(&mut socket).await.starts_with("HTTP/1.1 200 OK"));
        kept.push(socket);
    }
    let mut more = TcpStream::connect(server.address()).await.unwrap();
    let (status, body) = told(&rest(&mut more).await);
    assert_eq!(status, 503);
    assert_eq!(
        body["detail"],
        "There are too many connections; try again later"
    );
    kept.pop();
    within("room for another connection", async {
        loop {
            let mut socket = TcpStream::connect(server.address()).await.unwrap();
            let _ = socket
                .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .await;
            if rest(&mut socket).await.starts_with(b"HTTP/1.1 200") {
                break;
            }
            pace().await;
        }
    })
    .await;
    assert!(
        server.log().contains("there are too many"),
        "{}",
        server.log()
    );
    for socket in &mut kept {
        assert!(ask(socket).await.starts_with("HTTP/1.1 200 OK"));
    }
}

#[tokio::test]
async fn without_file_descriptors_it_waits_and_goes_on() {
    let server = TestServer::start();
    server.client().check_health().await;
    let limit = |current| Rlimit {
        current: Some(current),
        maximum: Some(4096),
    };
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero()))
        .unwrap()
        .count() as u64;
    rustix::process::prlimit(Some(server.pid()), Resource::Nofile, limit(open + 5)).unwrap();
    let mut many = Vec::new();
    for _ in 0..50 {
        many.push(TcpStream::connect(server.address()).await.unwrap());
    }
    within("the server to take note", async {
        while !server.log().contains("no connection can be taken") {
            pace().await;
        }
    })
    .await;
    let (since, before) = (Instant::now(), server.processor_time());
    within("some time to pass", async {
        while since.elapsed() < Duration::from_secs(1) {
            pace().await;
        }
    })
    .await;
    let used = server.processor_time() - before;
    assert!(used < 50, "{used} ticks in {:?}", since.elapsed());
    drop(many);
    rustix::process::prlimit(Some(server.pid()), Resource::Nofile, limit(1024)).unwrap();
    server.client().check_health().await;
    assert_eq!(
        server.log().matches("no connection can be taken").count(),
        1
    );
}

#[tokio::test]
async fn kept_connections_do_not_hold_up_the_end() {
    let server = TestServer::start();
    let mut idle = Vec::new();
    for i in 0..99 {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        match i % 3 {
            0 => drop(ask(&mut socket).await),
            1 => socket.write_all(b"GET / HT").await.unwrap(),
            _ => {}
        }
        idle.push(socket);
    }
    // The last connection has been taken, and so have those before it.
    ask(idle.last_mut().unwrap()).await;
    let told = Instant::now();
    server.terminate();
    let (status, log, _) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(
        told.elapsed() < Duration::from_secs(2),
        "{:?}",
        told.elapsed()
    );
    assert!(!log.contains("WARN"), "{log}");
    for mut socket in idle {
        assert_eq!(rest(&mut socket).await, b"");
    }
}

#[tokio::test]
async fn more_ports_lead_to_the_same_server() {
    let server = TestServer::start_with(&["--also-port", "0", "--also-port", "0"]);
    // The address is known a moment before the line it stands in is kept.
    let log = within("the line with the ports", async {
        loop {
            let log = server.log();
            if log.contains("http://") {
                return log;
            }
            pace().await;
        }
    })
    .await;
    let ports = log.split("http://").skip(1).map(|rest| {
        let end = rest.find([' ', '\n']).unwrap_or(rest.len());
        rest[..end].parse::<SocketAddr>().unwrap()
    });
    let ports: Vec<_> = ports.collect();
    assert_eq!(ports.len(), 3, "{log}");
    let id = server.client().save(&greeting()).await;
    for port in ports {
        let client = Client::new(port);
        assert_eq!(
            client.get(&format!("/api/workflows/{id}")).await.status,
            200
        );
    }
}

#[tokio::test]
async fn beyond_this_machine_it_listens_with_tokens_or_a_word_from_the_operator() {
    let data = folder();
    for host in ["0.0.0.0", "::", "[::]", ""] {
        let refused = program()
            .args(["serve", "--port", "0", "--host", host, "--data-dir"])
            .arg(data.path())
            .output()
            .unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{host}: {told}");
        assert!(
            told.contains("--insecure-bind") && told.contains("--auth-provider"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    }
    let server = TestServer::start_with(&["--host", "0.0.0.0", "--insecure-bind"]);
    let here = SocketAddr::new([127, 0, 0, 1].into(), server.address().port());
    Client::new(here).check_health().await;
    let log = server.log();
    assert!(
        log.contains("without accounts") && log.contains("without TLS"),
        "{log}"
    );
    let quiet = TestServer::start_with(&["--host", "localhost"]);
    assert!(!quiet.log().contains("WARN"), "{}", quiet.log());
}

#[tokio::test]
async fn only_trusted_proxies_say_whom_they_ask_for() {
    for (arguments, wanted) in [
        (&[][..], "client.address=127.0.0.1 "),
        (
            &["--trusted-proxy", "127.0.0.0/8"],
            "client.address=203.0.113.7 ",
        ),
    ] {
        let server = TestServer::start_with(arguments);
        let asked = request(hyper::Method::GET, "/api/jobs")
            .header("x-forwarded-for", "198.51.100.1, 203.0.113.7")
            .body(bytes::Bytes::new().into())
            .unwrap();
        server.client().send(asked).await.ok();
        within("the line of the request", async {
            while !server.log().contains(wanted) {
                pace().await;
            }
        })
        .await;
    }
    let data = folder();
    let refused = program()
        .args([
            "serve",
            "--port",
            "0",
            "--trusted-proxy",
            "proxy.test",
            "--data-dir",
        ])
        .arg(data.path())
        .output()
        .unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(
        told.contains("trusted_proxies: \"proxy.test\" is not"),
        "{told}"
    );
}
