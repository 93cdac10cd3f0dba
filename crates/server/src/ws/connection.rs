//! One socket: what it holds, and its reader. Commands begin in the order they come; none waits for a long one before.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{FuturesUnordered, SplitStream};
use futures_util::{StreamExt, poll};
use nodetool_protocol::Value;

use super::command::{Command, Control, Incoming, error, no_command, object};
use super::outgoing::Outgoing;
use super::users::Seat;
use super::wire::{self, Mode, ModeSwitch, now_seconds};
use super::{Close, Profile, Sockets, chat, jobs, rpc, writer};
use crate::services::{Caller, Manifest};

/// Commands at work at the same time before no more are read.
const AT_WORK: usize = 256;
/// Time the queue of replies may be full.
const FULL: Duration = Duration::from_secs(30);

/// The state of one socket.
pub(super) struct Socket {
    pub(super) sockets: Sockets,
    pub(super) caller: Caller,
    pub(super) profile: Profile,
    pub(super) mode: ModeSwitch,
    pub(super) outgoing: Outgoing,
    /// Commands about jobs, one at a time and in order.
    pub(super) job_lane: tokio::sync::Mutex<()>,
    /// Values on their way into jobs, in order within each job.
    pub(super) inputs: jobs::InputLanes,
    /// Commands that look things up, one at a time.
    pub(super) rpc_lane: tokio::sync::Mutex<()>,
    /// Messages of chats, one at a time until they are stored.
    pub(super) chat_lane: tokio::sync::Mutex<()>,
    /// Tools the client offers.
    manifest: Mutex<Manifest>,
    since: Instant,
    /// Milliseconds after `since`.
    heard: AtomicU64,
    /// Nothing is read from the client now.
    paused: AtomicBool,
}

impl Socket {
    fn new(sockets: Sockets, caller: Caller, profile: Profile) -> Self {
        let mode = match profile {
            Profile::Updates | Profile::Downloads => ModeSwitch::new(Mode::Text, true),
            Profile::Ws | Profile::Jobs | Profile::Chat => ModeSwitch::new(Mode::Binary, false),
        };
        Socket {
            sockets,
            caller,
            profile,
            mode,
            outgoing: Outgoing::new(),
            job_lane: tokio::sync::Mutex::default(),
            inputs: jobs::InputLanes::default(),
            rpc_lane: tokio::sync::Mutex::default(),
            chat_lane: tokio::sync::Mutex::default(),
            manifest: Mutex::default(),
            since: Instant::now(),
            heard: AtomicU64::new(0),
            paused: AtomicBool::new(false),
        }
    }

    /// Queues a reply in the encoding of now.
    pub(super) fn reply(&self, reply: &Value) {
        self.outgoing.reply(self.encode(reply));
    }

    pub(super) fn encode(&self, value: &Value) -> Message {
        wire::encode(value, self.mode.get())
    }

    /// Tools the client offers.
    pub(super) fn manifest(&self) -> Manifest {
        let manifest = self.manifest.lock();
        manifest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_manifest(&self, manifest: Manifest) {
        *self.manifest.lock().unwrap_or_else(PoisonError::into_inner) = manifest;
    }

    fn hear(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(now, Ordering::Relaxed);
    }

    /// How long nothing was heard of the client, while somebody listened.
    pub(super) fn silence(&self) -> Duration {
        if self.paused.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let heard = Duration::from_millis(self.heard.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(heard)
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(
    sockets: Sockets,
    caller: Caller,
    profile: Profile,
    socket: WebSocket,
    seat: &Seat,
) {
    let (mut sink, mut stream) = socket.split();
    let socket = Box::new(Socket::new(sockets, caller, profile));
    let close = tokio::select! {
        close = read(&socket, &mut stream) => close,
        close = writer::write(&socket, &mut sink) => close,
        () = seat.dismissed() => Some(Close::DISMISSED),
    };
    writer::finish(&socket, &mut sink, &mut stream, close).await;
    let left = socket.outgoing.leave();
    if close == Some(Close::DRAINING) {
        // The server goes, not the client: what waits in line goes on after the next start.
        return;
    }
    for job_id in left {
        let jobs = &socket.sockets.0.parts.jobs;
        if let Err(e) = jobs.cancel(&socket.caller, &job_id).await {
            tracing::error!(job.id = %job_id, error = %e, "a queued job whose socket has gone could not be cancelled");
        }
    }
}

type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Reads until the client closes (nothing) or has to be closed.
async fn read(socket: &Socket, stream: &mut SplitStream<WebSocket>) -> Option<Close> {
    let mut at_work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    loop {
        if socket.outgoing.is_full() || at_work.len() >= AT_WORK {
            socket.paused.store(true, Ordering::Relaxed);
            if socket.outgoing.is_full() {
                let room = tokio::time::timeout(FULL, socket.outgoing.has_room());
                if room.await.is_err() {
                    return Some(Close::TOO_SLOW);
                }
            } else {
                at_work.next().await;
            }
            socket.hear();
            socket.paused.store(false, Ordering::Relaxed);
            continue;
        }
        let message = tokio::select! {
            Some(()) = at_work.next(), if !at_work.is_empty() => continue,
            message = stream.next() => message,
        };
        socket.hear();
        let (bytes, mode) = match message {
            Some(Ok(Message::Text(text))) => (text.into(), Mode::Text),
            Some(Ok(Message::Binary(bytes))) => (bytes, Mode::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_))) | None => return None,
            Some(Err(e)) => {
                let text = e.to_string();
                // The transport tells causes apart by text only.
                if text.contains("too long") {
                    let max = socket.sockets.0.parts.max_message;
                    socket.reply(&oversize(max));
                    return Some(Close::TOO_LARGE);
                }
                tracing::debug!(error = %text, "a socket broke");
                return None;
            }
        };
        if socket.profile == Profile::Updates {
            continue;
        }
        if let Some(mut work) = take(socket, &bytes, mode) {
            // Begins here, so that commands begin in their order.
            if poll!(work.as_mut()).is_pending() {
                at_work.push(work);
            }
        }
    }
}

fn oversize(max: usize) -> Value {
    error(
        "invalid_frame",
        &format!("a message may have at most {max} bytes"),
    )
}

/// Answers a message, or gives the work it asks for.
fn take<'a>(socket: &'a Socket, bytes: &[u8], mode: Mode) -> Option<Work<'a>> {
    socket.mode.follow(mode);
    let max = socket.sockets.0.parts.max_message;
    if bytes.len() > max {
        socket.reply(&oversize(max));
        return None;
    }
    let value = match wire::decode(bytes, mode) {
        Ok(value) => value,
        Err(reason) => {
            socket.reply(&error("invalid_frame", &reason));
            return None;
        }
    };
    match Incoming::of(value) {
        Incoming::Refused(reply) => socket.reply(&reply),
        Incoming::Control(Control::Ping, _) => {
            let pong = [("type", "pong".into()), ("ts", now_seconds().into())];
            socket.reply(&object(pong).into());
        }
        Incoming::Bare(message) if socket.profile == Profile::Chat => {
            return Some(Box::pin(chat::bare(socket, message)));
        }
        Incoming::Bare(_) => socket.reply(&no_command()),
        Incoming::Control(Control::Manifest, frame) => chat::take_manifest(socket, &frame),
        Incoming::Control(Control::ToolResult, frame) => {
            let chat = &socket.sockets.0.parts.chat;
            chat.tool_result(&socket.caller, &frame);
        }
        Incoming::Control(Control::Pong | Control::Other, _) => {}
        Incoming::Control(Control::Stop, map) => {
            return Some(Box::pin(jobs::perform(
                socket,
                Command::legacy("stop", map),
            )));
        }
        Incoming::Command(command) => return perform(socket, command),
    }
    None
}

fn perform(socket: &Socket, command: Command) -> Option<Work<'_>> {
    match &*command.name {
        "set_mode" => socket.reply(&set_mode(socket, &command)),
        "clear_models" => {
            // Models live outside this process; none is held that could be cleared.
            let reply = object([("message", "Unused models cleared".into())]);
            socket.reply(&command.ack(reply));
        }
        "update_node_properties" => socket.reply(&update_node_properties(&command)),
        name if jobs::COMMANDS.contains(&name) => {
            return Some(Box::pin(jobs::perform(socket, command)));
        }
        name if chat::COMMANDS.contains(&name) => {
            return Some(Box::pin(chat::perform(socket, command)));
        }
        name if rpc::COMMANDS.contains(&name) => {
            return Some(Box::pin(rpc::perform(socket, command)));
        }
        _ => socket.reply(&command.unknown()),
    }
    None
}

fn set_mode(socket: &Socket, command: &Command) -> Value {
    let mode = match command.data.get("mode").and_then(Value::as_str) {
        Some("binary") => Mode::Binary,
        Some("text") => Mode::Text,
        _ => return command.fail("mode must be binary or text"),
    };
    socket.mode.pin(mode);
    let message = format!("Mode set to {}", mode.as_str());
    command.ack(object([("message", message.into())]))
}

fn update_node_properties(command: &Command) -> Value {
    match (command.data.get("node_id"), command.data.get("properties")) {
        (Some(Value::Str(id)), Some(Value::Map(_))) if !id.is_empty() => {
            let message = "The properties of a node cannot be changed while its job runs";
            command.ack(object([
                ("applied", false.into()),
                ("message", message.into()),
            ]))
        }
        (Some(Value::Str(id)), _) if !id.is_empty() => command.fail("properties must be an object"),
        _ => command.fail("node_id is required"),
    }
}
