//! Commands about chats (socket spec 7). They begin in the order they come; none waits for an answer before.

use std::sync::Arc;

use futures_util::StreamExt;
use nodetool_protocol::{Map, Value};
use nodetool_sdk::models::{ChatEvent, ToolCall, read_arguments};

use super::Profile;
use super::command::{Command, object};
use super::connection::Socket;
use crate::services::{
    AskFault, ChatAsk, ChatError, ChatFeed, InferenceAsk, Manifest, ThreadError, error_frame,
    permission_mode,
};

/// The commands of this module.
pub(super) const COMMANDS: &[&str] = &[
    "chat_message",
    "list_chat_turns",
    "resume_chat",
    "set_permission_mode",
    "inference",
];

/// Carries out a command in its turn.
pub(super) async fn perform(socket: &Socket, command: Command) {
    let done = match &*command.name {
        "chat_message" => {
            let _turn = socket.chat_lane.lock().await;
            message(socket, &command, true).await
        }
        "list_chat_turns" => list(socket, &command),
        "resume_chat" => resume(socket, &command),
        "set_permission_mode" => set_permission_mode(socket, &command),
        _ => inference(socket, &command).await,
    };
    if let Err(reply) = done {
        socket.reply(&reply);
    }
}

/// Takes a message that came without a command (socket spec 1.6).
pub(super) async fn bare(socket: &Socket, data: Map) {
    let _turn = socket.chat_lane.lock().await;
    let command = Command::legacy("chat_message", data);
    if let Err(reply) = message(socket, &command, false).await {
        socket.reply(&reply);
    }
}

fn malformed(command: &Command, fault: &AskFault) -> Value {
    command.malformed(&fault.path, &fault.reason)
}

/// A number for a client, which may have to keep it in a float.
fn number(n: u64) -> Value {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

async fn message(socket: &Socket, command: &Command, acked: bool) -> Result<(), Value> {
    let mut ask = ChatAsk::read(&command.data).map_err(|fault| malformed(command, &fault))?;
    if ask.thread_id.is_none() {
        if socket.profile != Profile::Chat {
            return Err(command.fail("thread_id is required for chat_message command"));
        }
        // A conversation without a name goes on in the thread that was made for it.
        ask.thread_id = socket.outgoing.own_thread();
    }
    let own = ask.thread_id.is_none();
    let named = ask.thread_id.clone();
    let chat = &socket.sockets.0.parts.chat;
    let begun = chat.begin(&socket.caller, ask, socket.manifest());
    let begun = begun.await.map_err(|e| refusal(command, e, named))?;
    let thread_id = begun.feed.thread_id().clone();
    let ack = acked.then(|| {
        let started = "Chat message processing started";
        let reply = object([
            ("message", started.into()),
            ("thread_id", thread_id.clone().into()),
        ]);
        socket.encode(&command.ack(reply))
    });
    socket
        .outgoing
        .attach_thread(&begun.feed, begun.after, own, ack);
    // Now that its listener is there.
    drop(begun);
    Ok(())
}

/// What is told of a message that is not answered.
fn refusal(command: &Command, e: ChatError, thread_id: Option<Arc<str>>) -> Value {
    let told = |message: String| {
        command.refuse(object([
            ("type", "error".into()),
            ("message", message.into()),
            ("thread_id", thread_id.clone().into()),
        ]))
    };
    match e {
        ChatError::Ask(fault) => malformed(command, &fault),
        ChatError::Model(e) => {
            let mut frame = error_frame(&e);
            frame.insert("thread_id".into(), thread_id.into());
            command.refuse(frame)
        }
        ChatError::Thread(ThreadError::Store(nodetool_store::StoreError::InvalidInput {
            field,
            reason,
        })) => command.malformed(field, &reason),
        ChatError::Thread(ThreadError::Store(nodetool_store::StoreError::TooLarge {
            limit,
            ..
        })) => {
            let reason = format!("the message is too large, expected at most {limit} bytes");
            command.malformed("content", &reason)
        }
        ChatError::Thread(e @ (ThreadError::Store(_) | ThreadError::Unwritable(_))) => {
            command.internal("a message could not be stored", &e)
        }
        e @ (ChatError::Thread(_) | ChatError::TooMany | ChatError::ShuttingDown) => {
            told(e.to_string())
        }
    }
}

fn list(socket: &Socket, command: &Command) -> Result<(), Value> {
    let active = socket.sockets.0.parts.chat.active(&socket.caller);
    for feed in &active {
        let turn = object([
            ("type", "chat_turn_active".into()),
            ("thread_id", feed.thread_id().clone().into()),
            ("status", "running".into()),
            ("last_seq", number(feed.next_number() - 1)),
        ]);
        socket.reply(&turn.into());
    }
    let reply = object([
        ("message", "Chat turns listed".into()),
        ("count", number(active.len() as u64)),
    ]);
    socket.reply(&command.ack(reply));
    Ok(())
}

/// What goes before the messages of a thread that is listened to again.
pub(super) fn resumed(feed: &ChatFeed, last_seq: u64, count: u64, incomplete: bool) -> Value {
    let status = match feed.is_running() {
        true => "running",
        false => "finished",
    };
    word(feed.thread_id(), status, last_seq, count, incomplete)
}

fn word(
    thread_id: &Arc<str>,
    status: &'static str,
    last_seq: u64,
    count: u64,
    incomplete: bool,
) -> Value {
    object([
        ("type", "chat_resumed".into()),
        ("thread_id", thread_id.clone().into()),
        ("status", status.into()),
        ("last_seq", number(last_seq)),
        ("replay_count", number(count)),
        ("replay_incomplete", incomplete.into()),
    ])
    .into()
}

/// The thread that must be named.
fn named(command: &Command) -> Result<Arc<str>, Value> {
    let id = command.text("thread_id")?;
    id.ok_or_else(|| command.fail("thread_id is required"))
}

fn resume(socket: &Socket, command: &Command) -> Result<(), Value> {
    let thread_id = named(command)?;
    let last_seq = match command.data.get("last_seq") {
        // Whoever knows nothing may say so with any number below one.
        Some(Value::Int(n)) if *n < 0 => 0,
        Some(Value::Float(n)) if *n < 0.0 => 0,
        _ => command.number("last_seq")?.unwrap_or(0),
    };
    let ack = |message: &str, count: u64| {
        socket.encode(&command.ack(object([
            ("message", message.into()),
            ("thread_id", thread_id.clone().into()),
            ("replay_count", number(count)),
        ])))
    };
    let Some(feed) = socket.sockets.0.parts.chat.feed(&socket.caller, &thread_id) else {
        socket.outgoing.reply(ack("No chat turn to resume", 0));
        socket.reply(&word(&thread_id, "unknown", last_seq, 0, false));
        return Ok(());
    };
    // Whole messages are read over HTTP by those who know nothing yet.
    let fresh = last_seq == 0;
    let after = if fresh { feed.last_message() } else { last_seq };
    socket.outgoing.attach_thread_again(&feed, after, |watch| {
        let incomplete = fresh || watch.incomplete;
        let word = resumed(&feed, last_seq, watch.replay, incomplete);
        vec![ack("Chat resumed", watch.replay), socket.encode(&word)]
    });
    Ok(())
}

fn set_permission_mode(socket: &Socket, command: &Command) -> Result<(), Value> {
    let thread_id = named(command)?;
    let mode = permission_mode(&command.data).map_err(|fault| malformed(command, &fault))?;
    let Some(mode) = mode else {
        return Err(command.malformed("permission_mode", "Field required"));
    };
    let chat = &socket.sockets.0.parts.chat;
    chat.set_permission_mode(&socket.caller, &thread_id, mode);
    let mode = mode.as_str();
    let reply = object([
        ("message", format!("Permission mode set to {mode}").into()),
        ("thread_id", thread_id.into()),
    ]);
    socket.reply(&command.ack(reply));
    Ok(())
}

/// Ends a thread's turn; gives the number of the message that says so, if there was one.
pub(super) async fn stop(socket: &Socket, thread_id: &str) -> Option<u64> {
    let chat = &socket.sockets.0.parts.chat;
    let stopped = chat.stop(&socket.caller, thread_id).await?;
    Some(stopped.number)
}

/// The tools of a client, instead of those it had.
pub(super) fn take_manifest(socket: &Socket, frame: &Map) {
    let tools = frame.get("tools").and_then(Value::as_list);
    socket.set_manifest(Manifest::read(tools.unwrap_or_default()));
}

/// Has a model answer once; what it says goes to this socket alone.
async fn inference(socket: &Socket, command: &Command) -> Result<(), Value> {
    let ask = InferenceAsk::read(&command.data).map_err(|fault| malformed(command, &fault))?;
    let chat = &socket.sockets.0.parts.chat;
    let begun = chat.infer(&socket.caller, ask).await;
    let begun = begun.map_err(|fault| malformed(command, &fault))?;
    let started = object([("message", "Inference started".into())]);
    socket.reply(&command.ack(started));
    let mut seq = 0u64;
    let mut tell = |mut frame: Map| {
        seq += 1;
        frame.insert("seq".into(), number(seq));
        if let Some(id) = command.request_id() {
            frame.insert("request_id".into(), id.into());
        }
        socket.reply(&frame.into());
    };
    let mut calls: Vec<ToolCall> = Vec::new();
    let mut answer = match begun {
        Ok(answer) => answer,
        Err(e) => {
            tell(error_frame(&e));
            return Ok(());
        }
    };
    while let Some(event) = answer.next().await {
        // A client that does not read holds its answer up, and nothing else.
        socket.outgoing.has_room().await;
        match event {
            Ok(ChatEvent::Text(piece)) => tell(piece_of(piece, false)),
            Ok(ChatEvent::Reasoning(piece)) => tell(piece_of(piece, true)),
            Ok(ChatEvent::ToolCall {
                index, id, name, ..
            }) => calls.push(ToolCall {
                index,
                id,
                name,
                ..ToolCall::default()
            }),
            Ok(ChatEvent::ToolArguments { index, text }) => {
                let call = calls.iter_mut().find(|call| call.index == index);
                if let Some(call) = call {
                    call.arguments.push_str(&text);
                }
            }
            Ok(_) => {}
            Err(e) => {
                tell(error_frame(&e));
                return Ok(());
            }
        }
    }
    for call in calls {
        let mut frame = object([
            ("type", "tool_call".into()),
            ("id", call.id.into()),
            ("name", call.name.into()),
        ]);
        match read_arguments(&call.arguments) {
            Ok(args) => frame.insert("args".into(), args.into()),
            Err(fault) => {
                frame.insert("args".into(), Map::new().into());
                frame.insert("error".into(), fault.into())
            }
        };
        tell(frame);
    }
    tell(object([("type", "inference_done".into())]));
    Ok(())
}

fn piece_of(text: String, thinking: bool) -> Map {
    object([
        ("type", "chunk".into()),
        ("content_type", "text".into()),
        ("content", text.into()),
        ("content_metadata", Map::new().into()),
        ("done", false.into()),
        ("thinking", thinking.into()),
    ])
}
