//! A shell of the server's machine over a socket (socket spec 12.3).
//!
//! What the client does not take stays in the pseudo terminal, and what the shell does not take stays with the client:
//! each side waits for the other, and only a little is held here.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::Response;
use axum::routing::any;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use nodetool_protocol::Value;
use pty_process::{ReadPty, WritePty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::wire::{self, Mode, now_seconds};
use super::writer::{FIRST_WORD, SIGN, SILENCE, STALL};
use super::{Close, READ_BUFFER, Sockets, WRITE_BUFFER, no_socket, writer};
use crate::http::{FORWARDED, is_local_origin};
use crate::services::{Caller, Terminal, TerminalError, Terminals, resize_terminal};

mod text;

use text::Text;

/// Largest message of a client.
const LARGEST: usize = 1 << 20;
/// Bytes of output in one message.
const CHUNK: usize = 16 << 10;
/// Typed bytes that wait for the shell before no more are read.
const TYPED_AHEAD: usize = 64 << 10;
/// Answers that wait for the client before no more is read.
const ANSWERS: usize = 16;
/// Time for what a shell has said before it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

const DISABLED: Close = policy("Terminal access disabled");
const EXTERNAL: Close = policy("External terminal access requires configured authentication.");
const FOREIGN: Close = policy("Terminal access from external origin is not allowed.");
const NO_ADMIN: Close = policy("Admin access required");
const TOO_MANY: Close = Close {
    code: 1013,
    reason: "Too many terminals are open",
};
const NO_SHELL: Close = Close {
    code: 1011,
    reason: "Shell failed to start",
};
const ENDED: Close = Close {
    code: 1000,
    reason: "Terminal session closed",
};

const fn policy(reason: &'static str) -> Close {
    Close { code: 1008, reason }
}

impl Sockets {
    /// The routes of terminals.
    pub(crate) fn terminal_routes<S>(&self, terminals: Terminals) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let terminal = any(open);
        Router::new()
            .route("/terminal", terminal.clone())
            .route("/ws/terminal", terminal)
            .with_state((self.clone(), terminals))
    }
}

/// Whether somebody who may open sockets may open a terminal. Where nobody shows a token, that is who sits at this
/// machine.
fn judge(
    terminals: &Terminals,
    from: Option<SocketAddr>,
    headers: &HeaderMap,
    own_page: bool,
    caller: Caller,
) -> Result<Caller, Close> {
    if terminals.are_for_token_holders() {
        if !own_page {
            return Err(FOREIGN);
        }
        // A shell reads what belongs to every user.
        return if caller.admin {
            Ok(caller)
        } else {
            Err(NO_ADMIN)
        };
    }
    let local = from.is_some_and(|from| from.ip().to_canonical().is_loopback());
    if !local || FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err(EXTERNAL);
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if !origins.all(|origin| origin.to_str().is_ok_and(is_local_origin)) {
        return Err(FOREIGN);
    }
    Ok(caller)
}

async fn open(
    State((sockets, terminals)): State<(Sockets, Terminals)>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return no_socket();
    };
    let from = from.map(|Extension(ConnectInfo(from))| from);
    let admitted = if terminals.are_enabled() {
        let door = &sockets.0.parts.door;
        let client = from.map_or(Ipv4Addr::UNSPECIFIED.into(), |from| from.ip());
        let caller = door.admit(&headers, uri.query(), client).await;
        let caller = caller.map_err(Close::from);
        let own_page = door.origins.allows(&headers);
        caller.and_then(|caller| judge(&terminals, from, &headers, own_page, caller))
    } else {
        Err(DISABLED)
    };
    let counted = sockets.0.open.token();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(move |socket: WebSocket| async move {
            let _counted = counted;
            let opened = admitted.and_then(|caller| {
                let terminal = terminals.open().map_err(told)?;
                tracing::info!(target: "audit", event = "terminal.opened", user.id = %caller.user_id);
                Ok(terminal)
            });
            match opened {
                Ok(terminal) => serve(&sockets, terminal, socket).await,
                Err(close) => {
                    tracing::info!(target: "audit", event = "terminal.refused", reason = close.reason);
                    writer::say_goodbye(socket, close).await;
                }
            }
        })
}

fn told(e: TerminalError) -> Close {
    match e {
        TerminalError::TooMany => TOO_MANY,
        e => {
            tracing::error!(error = %e, "a terminal could not be opened");
            NO_SHELL
        }
    }
}

/// Serves a terminal to its end. The shell is gone when this is over.
async fn serve(sockets: &Sockets, terminal: Terminal, socket: WebSocket) {
    let Terminal { mut pty, mut shell } = terminal;
    let (mut sink, mut stream) = socket.split();
    let (answers, waiting) = mpsc::channel(ANSWERS);
    let mode = watch::Sender::new(None);
    let line = Line {
        mode,
        since: Instant::now(),
        heard: AtomicU64::new(0),
        deaf: AtomicBool::new(false),
    };
    let mut draining = sockets.0.draining.subscribe();
    let (mut output, mut input) = pty.split();
    let close = tokio::select! {
        _ = draining.wait_for(|on| *on) => Some(Close::DRAINING),
        close = line.take(&mut stream, &mut input, answers) => close,
        close = line.give(&mut sink, &mut output, waiting, shell.ended()) => close,
    };
    let parted = async {
        if let Some(close) = close {
            writer::part_with(&mut sink, &mut stream, close).await;
        }
    };
    tokio::join!(shell.end(pty), parted);
}

/// A connection to a terminal.
struct Line {
    /// How messages leave; nothing until the client has spoken.
    mode: watch::Sender<Option<Mode>>,
    since: Instant,
    /// Milliseconds after `since` at which something was last heard.
    heard: AtomicU64,
    /// Nothing is read from the client now.
    deaf: AtomicBool,
}

type Sink = SplitSink<WebSocket, Message>;

/// The connection is broken.
struct Gone;

/// What the client asks for.
enum Asked {
    /// Bytes for the shell.
    Input(Vec<u8>),
    Resize {
        rows: i64,
        columns: i64,
    },
    Answer(Value),
}

impl Line {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn hear(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Whether nothing was heard of the client for too long, while somebody listened.
    fn is_silent(&self) -> bool {
        if self.deaf.load(Ordering::Relaxed) {
            self.hear();
        }
        let silent = self
            .now()
            .saturating_sub(self.heard.load(Ordering::Relaxed));
        Duration::from_millis(silent) > SILENCE
    }

    fn encode(&self, value: &Value) -> Message {
        let mode = *self.mode.borrow();
        wire::encode(value, mode.unwrap_or(Mode::Binary))
    }

    /// Takes messages until the client closes (nothing) or has to be closed. Typed bytes go on to the shell as it
    /// takes them.
    async fn take(
        &self,
        stream: &mut SplitStream<WebSocket>,
        input: &mut WritePty<'_>,
        answers: mpsc::Sender<Value>,
    ) -> Option<Close> {
        let mut typed: Vec<u8> = Vec::new();
        let mut shell_listens = true;
        loop {
            let full = typed.len() >= TYPED_AHEAD && shell_listens;
            self.deaf.store(full, Ordering::Relaxed);
            let message = tokio::select! {
                written = input.write(&typed), if !typed.is_empty() && shell_listens => {
                    match written {
                        Ok(count) => drop(typed.drain(..count.min(typed.len()))),
                        // The end of the shell is told by the other half.
                        Err(_) => shell_listens = false,
                    }
                    continue;
                }
                message = stream.next(), if !full => message,
            };
            let (bytes, mode): (bytes::Bytes, Mode) = match message {
                Some(Ok(Message::Text(text))) => (text.into(), Mode::Text),
                Some(Ok(Message::Binary(bytes))) => (bytes, Mode::Binary),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    self.hear();
                    continue;
                }
                Some(Ok(Message::Close(_))) | None => return None,
                // The transport tells causes apart by text only.
                Some(Err(e)) if e.to_string().contains("too long") => {
                    return Some(Close::TOO_LARGE);
                }
                Some(Err(_)) => return None,
            };
            self.hear();
            self.mode.send_if_modified(|first| {
                let unset = first.is_none();
                first.get_or_insert(mode);
                unset
            });
            match asked(&bytes, mode) {
                Asked::Input(bytes) if shell_listens => typed.extend_from_slice(&bytes),
                Asked::Input(_) => typed.clear(),
                Asked::Resize { rows, columns } => resize_terminal(input, rows, columns),
                Asked::Answer(answer) => {
                    if answers.send(answer).await.is_err() {
                        return None;
                    }
                }
            }
        }
    }

    /// Gives output and answers until the shell ends, or the connection is broken (nothing).
    async fn give(
        &self,
        sink: &mut Sink,
        output: &mut ReadPty<'_>,
        mut answers: mpsc::Receiver<Value>,
        ended: impl Future<Output = i32>,
    ) -> Option<Close> {
        let mut ended = std::pin::pin!(ended);
        let mut text = Text::default();
        let mut buffer = vec![0; CHUNK];
        let mut tick = tokio::time::interval_at(Instant::now() + SIGN, SIGN);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Most clients speak first, and so choose the encoding.
        let mut chosen = self.mode.subscribe();
        let first_word = chosen.wait_for(Option::is_some);
        let _ = tokio::time::timeout(FIRST_WORD, first_word).await;
        let mut open = true;
        let code = loop {
            let message = tokio::select! {
                Some(answer) = answers.recv() => Some(self.encode(&answer)),
                read = output.read(&mut buffer), if open => match read {
                    Ok(count) if count > 0 => self.shown(text.push(&buffer[..count])),
                    // Nobody has the other side open any more.
                    _ => {
                        open = false;
                        None
                    }
                },
                code = &mut ended => break code,
                _ = tick.tick() => {
                    if self.is_silent() {
                        return Some(Close::SILENT);
                    }
                    Some(Message::Ping(bytes::Bytes::new()))
                }
            };
            if let Some(message) = message
                && put(sink, message).await.is_err()
            {
                return None;
            }
        };
        let rest = async {
            while open {
                match output.read(&mut buffer).await {
                    Ok(count) if count > 0 => {
                        if let Some(message) = self.shown(text.push(&buffer[..count])) {
                            put(sink, message).await?;
                        }
                    }
                    _ => open = false,
                }
            }
            Ok(())
        };
        // Somebody else may hold the terminal open.
        if let Ok(Err(Gone)) = tokio::time::timeout(LAST_WORDS, rest).await {
            return None;
        }
        let exit = Value::map([("type", "exit".into()), ("code", i64::from(code).into())]);
        let last = [self.shown(text.finish()), Some(self.encode(&exit))];
        for message in last.into_iter().flatten() {
            if put(sink, message).await.is_err() {
                return None;
            }
        }
        Some(ENDED)
    }

    fn shown(&self, text: String) -> Option<Message> {
        let output = Value::map([("type", "output".into()), ("data", text.as_str().into())]);
        (!text.is_empty()).then(|| self.encode(&output))
    }
}

/// Sends a message, if the client takes it in time.
async fn put(sink: &mut Sink, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(STALL, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}

fn fault(message: &str) -> Asked {
    let message = [("type", "error".into()), ("message", message.into())];
    Asked::Answer(Value::map(message))
}

/// A number of cells; whole numbers beyond reason come as floats.
fn cells(message: &Value, key: &str) -> Option<i64> {
    match message.get(key) {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::Float(number)) if number.fract() == 0.0 => Some(*number as i64),
        _ => None,
    }
}

fn asked(bytes: &[u8], mode: Mode) -> Asked {
    let message = match wire::decode(bytes, mode) {
        Ok(message) => message,
        Err(reason) => return fault(&reason),
    };
    match message.get("type").and_then(Value::as_str) {
        Some("input") => match message.get("data") {
            Some(Value::Str(text)) => Asked::Input(text.as_bytes().to_vec()),
            Some(Value::Bytes(bytes)) => Asked::Input(bytes.to_vec()),
            _ => fault("data must be a text"),
        },
        Some("resize") => match (cells(&message, "rows"), cells(&message, "cols")) {
            (Some(rows), Some(columns)) => Asked::Resize { rows, columns },
            _ => fault("cols and rows must be whole numbers"),
        },
        Some("ping") => {
            let pong = [("type", "pong".into()), ("ts", now_seconds().into())];
            Asked::Answer(Value::map(pong))
        }
        _ => fault("Unknown message type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_machine_are_local() {
        for local in [
            "http://localhost",
            "https://localhost:3000",
            "http://127.0.0.1:80",
            "http://[::1]:7777",
            "http://[::ffff:127.0.0.1]",
            "http://app.localhost",
        ] {
            assert!(is_local_origin(local), "{local}");
        }
        for foreign in [
            "",
            "null",
            "file://",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://192.168.0.7",
            "http://0.0.0.0",
            "localhost",
        ] {
            assert!(!is_local_origin(foreign), "{foreign}");
        }
    }
}
