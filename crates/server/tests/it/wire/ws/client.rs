//! A small client of the sockets that speaks both encodings.

use futures_util::{SinkExt, StreamExt};
use nodetool_protocol::pack;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::server::{TestServer, within};

/// How a client writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Binary,
    Text,
}

pub(super) const MODES: [Mode; 2] = [Mode::Binary, Mode::Text];

/// A connection.
pub(in crate::wire) struct Socket {
    pub(super) inner: WebSocketStream<TcpStream>,
    mode: Mode,
    /// News that came between other messages.
    pub(super) news: Vec<Value>,
}

/// A message and how it came.
#[derive(Debug)]
pub(super) enum Got {
    Message(Value, Mode),
    Closed(u16, String),
}

/// Opens a socket; `status` of a refusal otherwise.
pub(super) async fn try_open(server: &TestServer, path: &str, mode: Mode) -> Result<Socket, u16> {
    let stream = TcpSocket::new_v4().unwrap();
    let stream = stream
        .connect(server.address())
        .await
        .expect("the server listens");
    let url = format!("ws://localhost{path}");
    match within("a socket to open", client_async(url, stream)).await {
        Ok((inner, _)) => Ok(Socket {
            inner,
            mode,
            news: Vec::new(),
        }),
        Err(tokio_tungstenite::tungstenite::Error::Http(r)) => Err(r.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

pub(super) async fn open(server: &TestServer, path: &str, mode: Mode) -> Socket {
    try_open(server, path, mode)
        .await
        .expect("an accepted socket")
}

impl Socket {
    /// A connection that was opened elsewhere.
    pub(super) fn over(inner: WebSocketStream<TcpStream>, mode: Mode) -> Self {
        Socket {
            inner,
            mode,
            news: Vec::new(),
        }
    }

    pub(in crate::wire) async fn send_raw(&mut self, message: Message) {
        self.inner.send(message).await.expect("an open socket");
    }

    /// Sends a message in the client's encoding.
    pub(in crate::wire) async fn send(&mut self, message: &Value) {
        self.send_raw(encode(message, self.mode)).await;
    }

    pub(super) async fn command(&mut self, name: &str, data: Value) {
        self.send(&json!({ "command": name, "data": data })).await;
    }

    /// The next message, news and pings too.
    pub(super) async fn any(&mut self) -> Got {
        within("a message", async {
            loop {
                match self.inner.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let value = serde_json::from_str(&text).expect("a JSON message");
                        return Got::Message(value, Mode::Text);
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        let value = pack::from_slice(&bytes).expect("a MessagePack message");
                        // Another reader agrees.
                        let other: nodetool_protocol::Value =
                            rmp_serde::from_slice(&bytes).unwrap();
                        assert_eq!(value, other);
                        return Got::Message(serde_json::to_value(&value).unwrap(), Mode::Binary);
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let frame = frame.expect("a close with a code");
                        return Got::Closed(frame.code.into(), frame.reason.to_string());
                    }
                    Some(Ok(_)) => {}
                    Some(Err(e)) => panic!("the socket broke: {e}"),
                    None => panic!("the socket ended without a close"),
                }
            }
        })
        .await
    }

    /// The next message that is no news, and how it came.
    pub(super) async fn next_as(&mut self) -> (Value, Mode) {
        loop {
            match self.any().await {
                Got::Message(message, mode) => match message["type"].as_str() {
                    Some("system_stats" | "resource_change" | "ping") => self.news.push(message),
                    _ => return (message, mode),
                },
                Got::Closed(code, reason) => panic!("closed: {code} {reason}"),
            }
        }
    }

    /// The next message that is no news, which comes as the client writes.
    #[track_caller]
    pub(in crate::wire) fn next(&mut self) -> impl Future<Output = Value> {
        let here = std::panic::Location::caller();
        async move {
            let wanted = self.mode;
            let (message, mode) = self.next_as().await;
            assert_eq!(mode, wanted, "{here}: {message}");
            message
        }
    }

    /// Sends a command and takes the reply, past messages of other jobs.
    pub(super) async fn ask(&mut self, name: &str, data: Value) -> Value {
        self.command(name, data).await;
        let mut passed = Vec::new();
        loop {
            let message = self.next().await;
            if message.get("type").is_none() {
                let early = passed
                    .iter()
                    .any(|m: &Value| m["job_id"] == message["job_id"]);
                assert!(name != "run_job" || !early, "the reply comes first");
                return message;
            }
            passed.push(message);
        }
    }

    /// All messages up to the one that ends a job, that one included.
    pub(super) async fn until_end(&mut self, job_id: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            let ended = message["job_id"] == job_id && is_end(&message);
            messages.push(message);
            if ended {
                return messages;
            }
        }
    }

    /// The next message of a type.
    pub(super) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Starts a job; its ack.
    pub(super) async fn start(&mut self, data: Value) -> Value {
        let ack = self.ask("run_job", data).await;
        assert_eq!(ack["message"], "Job started", "{ack}");
        ack
    }

    /// Nothing more comes before the answer to a ping.
    pub(in crate::wire) async fn check_quiet(&mut self) {
        self.send(&json!({ "type": "ping" })).await;
        assert_eq!(self.next().await["type"], "pong");
    }

    /// Waits for the close; code and reason.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Got::Closed(code, reason) = self.any().await {
                return (code, reason);
            }
        }
    }
}

pub(super) fn is_end(message: &Value) -> bool {
    let status = message["status"].as_str();
    message["type"] == "job_update" && matches!(status, Some("completed" | "failed" | "cancelled"))
}

pub(super) fn encode(message: &Value, mode: Mode) -> Message {
    match mode {
        Mode::Text => Message::text(message.to_string()),
        Mode::Binary => Message::binary(pack::to_vec(message).expect("a message")),
    }
}

/// The `job_seq` of the messages of a job.
pub(super) fn numbers(messages: &[Value]) -> Vec<u64> {
    let numbered = messages.iter().filter_map(|m| m["job_seq"].as_u64());
    numbered.collect()
}

/// A socket for those who only want to see its end.
pub(in crate::wire) async fn opened(server: &TestServer, path: &str) -> Socket {
    open(server, path, Mode::Text).await
}

impl Socket {
    /// The code it is closed with, whatever comes before.
    pub(in crate::wire) async fn close_code(&mut self) -> u16 {
        loop {
            if let Got::Closed(code, _) = self.any().await {
                return code;
            }
        }
    }
}
