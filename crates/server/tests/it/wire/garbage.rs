//! Bytes that are no proper requests. Some get an answer, some are cut off; none hurts the others.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::request;
use super::graphs::greeting;
use super::server::{TestServer, within};

/// Sends bytes and gives the status line of the answer, if any. A sender that is done may say that no more will come.
pub(super) async fn answer(address: SocketAddr, bytes: &[u8], done: bool) -> String {
    within("an answer or the end", async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // The server may hang up before it has read everything.
        let _ = socket.write_all(bytes).await;
        if done {
            let _ = socket.shutdown().await;
        }
        let mut read = Vec::new();
        let _ = socket.read_to_end(&mut read).await;
        let text = String::from_utf8_lossy(&read);
        text.lines().next().unwrap_or_default().to_owned()
    })
    .await
}

#[tokio::test]
async fn requests_that_are_none_are_turned_away() {
    let server = TestServer::start();
    let long = format!(
        "GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "a".repeat(200_000)
    );
    let many = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        "x-a: 1\r\n".repeat(500)
    );
    let wide = format!(
        "GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    let cases: [(&[u8], &str); 14] = [
        (b"GARBAGE\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 Bad Request"),
        (b"GET /health?%ff=%fe&\xff HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /he\0alth HTTP/1.1\r\nhost: localhost\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /health HTTP/1.1\r\nbad header\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", "HTTP/1.1 400 Bad Request"),
        (b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nabc", "HTTP/1.1 400 Bad Request"),
        (b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"na", "HTTP/1.1 400 Bad Request"),
        (long.as_bytes(), "HTTP/1.1 414 URI Too Long"),
        (many.as_bytes(), "HTTP/1.1 431 Request Header Fields Too Large"),
        (wide.as_bytes(), "HTTP/1.1 431 Request Header Fields Too Large"),
        (b"GET /health HTTP/1.1\r\nhost: localhost\r\n", ""),
    ];
    for (bytes, wanted) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        let got = answer(server.address(), bytes, true).await;
        // What is refused while it is still being sent may be cut before its answer is read.
        assert!(
            got == wanted || (bytes.len() > 100_000 && got.is_empty()),
            "{shown}: {got}"
        );
    }
    server.client().check_health().await;
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[tokio::test]
async fn odd_but_proper_requests_get_proper_answers() {
    let server = TestServer::start();
    for (bytes, wanted) in [
        (&b"GET /health HTTP/1.0\r\n\r\n"[..], "HTTP/1.0 200 OK"),
        (
            b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK",
        ),
        (
            b"GET http://elsewhere/health HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 200 OK",
        ),
        (
            b"OPTIONS * HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404 Not Found",
        ),
        (
            b"CONNECT a:1 HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404 Not Found",
        ),
        (
            b"FROBNICATE /health HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed",
        ),
        (
            b"GET /../../etc/passwd HTTP/1.1\r\nconnection: close\r\nhost: localhost\r\n\r\n",
            "HTTP/1.1 404 Not Found",
        ),
    ] {
        assert_eq!(
            answer(server.address(), bytes, false).await,
            wanted,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[tokio::test]
async fn headers_that_are_no_text_are_passed_over() {
    let server = TestServer::start();
    let client = server.client();
    let id = client.save(&greeting()).await;
    let path = format!("/api/workflows/{id}/run");
    for name in ["accept", "content-type", "expect", "x-request-id", "cookie"] {
        let odd = request(Method::POST, &path)
            .header(name, &b"application/json\xff"[..])
            .body(json!({ "params": { "name": "q" } }).to_string().into())
            .unwrap();
        let reply = client.send(odd).await;
        assert!(matches!(reply.status, 200 | 417 | 422), "{name}: {reply:?}");
    }
    client.check_health().await;
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_keep_others_out() {
    let server = TestServer::start();
    let mut silent = Vec::new();
    for i in 0..500 {
        let mut socket = TcpStream::connect(server.address()).await.unwrap();
        if i % 2 == 0 {
            socket
                .write_all(b"POST /api/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9")
                .await
                .unwrap();
        }
        silent.push(socket);
    }
    tokio::time::timeout(Duration::from_secs(30), server.client().check_health())
        .await
        .unwrap();
    let memory = server.memory() >> 20;
    assert!(memory < 200, "{memory} MiB");
}
