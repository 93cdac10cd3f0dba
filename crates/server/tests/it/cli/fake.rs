//! A server that answers what a test tells it to, one request per connection, and keeps what it was asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Requests that will be answered, one after the other.
pub(super) struct Fake {
    address: SocketAddr,
    asked: JoinHandle<Vec<String>>,
}

impl Fake {
    /// A server with these answers: status line, headers and body of each.
    pub(super) fn answering(answers: Vec<(&'static str, &'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let asked = std::thread::spawn(move || {
            let answer = |(status, headers, body): (&str, &str, Vec<u8>)| {
                let (mut stream, _) = listener.accept().expect("a client");
                let asked = request(&mut stream);
                let head = format!(
                    "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).expect("it reads");
                stream.write_all(&body).expect("it reads");
                asked
            };
            answers.into_iter().map(answer).collect()
        });
        Fake { address, asked }
    }

    /// A server that answers every request with JSON.
    pub(super) fn telling(answers: &[serde_json::Value]) -> Self {
        let of = |v: &serde_json::Value| ("200 OK", "", v.to_string().into_bytes());
        Self::answering(answers.iter().map(of).collect())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked, when everything has been answered.
    pub(super) fn asked(self) -> Vec<String> {
        self.asked.join().expect("every answer was asked for")
    }
}

/// A whole request as text.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return text.into_owned();
            }
        }
        let read = stream.read(&mut piece).expect("a request");
        assert!(read > 0, "the client hung up: {text}");
        bytes.extend_from_slice(&piece[..read]);
    }
}
