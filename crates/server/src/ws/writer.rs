//! The one writer of a socket: replies, messages of jobs, news and signs of life. A client that does not read stops it
//! alone; it ends when nothing can be written for a while.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, StreamExt, poll};
use nodetool_protocol::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::command::object;
use super::connection::Socket;
use super::outgoing::Next;
use super::wire::{self, now_seconds};
use super::{Close, Profile};
use crate::services::{Change, Happened, Sample};

/// Time between two signs of life.
pub(super) const SIGN: Duration = Duration::from_secs(25);
/// Time without any sign of the client after which it is gone.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// Time in which something must be written.
pub(super) const STALL: Duration = Duration::from_secs(60);
/// Time a client has to choose the encoding by speaking first.
pub(super) const FIRST_WORD: Duration = Duration::from_secs(1);
/// Time for the last words.
const GOODBYE: Duration = Duration::from_secs(2);
/// Rounds of replies and messages after which news get their turn.
const ROUNDS: usize = 16;

/// The connection is broken, or takes nothing.
pub(super) struct Gone;

/// News a socket listens to.
struct News {
    samples: watch::Receiver<Option<Arc<Sample>>>,
    changes: broadcast::Receiver<Arc<Change>>,
}

/// Writes until the socket is to be closed, or is broken (nothing).
pub(super) async fn write(
    socket: &Socket,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Option<Close> {
    let house = &socket.sockets.0;
    let mut news = socket.profile.has_news().then(|| News {
        samples: if house.parts.stats {
            house.sampler.listen()
        } else {
            watch::channel(None).1
        },
        changes: house.parts.changes.listen(),
    });
    let mut draining = house.draining.subscribe();
    // Most clients speak first, and so choose the encoding; news waits for that, but not long.
    let news_begin = Instant::now() + FIRST_WORD;
    let mut tick = tokio::time::interval_at(Instant::now() + SIGN, SIGN);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let busy = match send_waiting(socket, sink).await {
            Ok(busy) => busy,
            Err(end) => return end,
        };
        let message = tokio::select! {
            biased;
            _ = draining.wait_for(|on| *on) => {
                socket.outgoing.close(Close::DRAINING);
                None
            }
            message = next_news(socket, news.as_mut(), news_begin) => Some(message),
            silent = next_sign(socket, &mut tick, sink) => match silent {
                Ok(message) => message,
                Err(end) => return end,
            },
            () = socket.outgoing.wake.notified() => None,
            () = std::future::ready(()), if busy => None,
        };
        if let Some(message) = message
            && put(sink, message).await.is_err()
        {
            return None;
        }
    }
}

/// Sends what waits, for some rounds; whether there may be more.
async fn send_waiting(
    socket: &Socket,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<bool, Option<Close>> {
    for _ in 0..ROUNDS {
        let mode = socket.mode.get();
        match socket.outgoing.next(mode) {
            Next::Replies(replies) => {
                for reply in replies {
                    put(sink, reply).await.map_err(|Gone| None)?;
                }
            }
            Next::Frames(frames) => {
                for frame in frames {
                    let message = wire::encode_frame(&frame, mode);
                    put(sink, message).await.map_err(|Gone| None)?;
                }
            }
            Next::Close(close) => return Err(Some(close)),
            Next::Nothing => {
                flush(sink).await.map_err(|Gone| None)?;
                return Ok(false);
            }
        }
    }
    // The machine is shared: a busy job must not keep a thread for itself.
    tokio::task::yield_now().await;
    Ok(true)
}

/// The next piece of news for this socket; waits for ever when it listens to none.
async fn next_news(socket: &Socket, news: Option<&mut News>, begin: Instant) -> Message {
    let Some(news) = news else {
        return std::future::pending().await;
    };
    tokio::time::sleep_until(begin).await;
    loop {
        tokio::select! {
            Ok(()) = news.samples.changed() => {
                let sample = news.samples.borrow_and_update().clone();
                if let Some(sample) = sample {
                    return wire::encode_sample(&sample, socket.mode.get());
                }
            }
            change = news.changes.recv() => match change {
                Ok(change) if change.user_id == socket.caller.user_id => {
                    return socket.encode(&resource_change(&change));
                }
                // News of others, or more than could be kept: what is missed can be read again.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return std::future::pending().await,
            },
        }
    }
}

fn resource_change(change: &Change) -> Value {
    let event = match change.happened {
        Happened::Created => "created",
        Happened::Updated => "updated",
        Happened::Deleted => "deleted",
    };
    let resource = object([
        ("id", change.id.as_str().into()),
        ("etag", change.etag.as_str().into()),
    ]);
    object([
        ("type", "resource_change".into()),
        ("event", event.into()),
        ("resource_type", change.kind.into()),
        ("resource", resource.into()),
    ])
    .into()
}

/// Waits for the time of a sign of life and gives it; an error when the client gave none for too long.
async fn next_sign(
    socket: &Socket,
    tick: &mut Interval,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<Option<Message>, Option<Close>> {
    tick.tick().await;
    if socket.silence() > SILENCE {
        return Err(Some(Close::SILENT));
    }
    put(sink, Message::Ping(bytes::Bytes::new()))
        .await
        .map_err(|Gone| None)?;
    let ping = [("type", "ping".into()), ("ts", now_seconds().into())];
    Ok((socket.profile == Profile::Ws).then(|| socket.encode(&object(ping).into())))
}

/// Work that must get somewhere in time; there is no timer as long as it does at once.
async fn in_time<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, Gone> {
    let mut work = std::pin::pin!(work);
    if let Poll::Ready(done) = poll!(work.as_mut()) {
        return done.map_err(|_| Gone);
    }
    match tokio::time::timeout(STALL, work).await {
        Ok(done) => done.map_err(|_| Gone),
        Err(_) => Err(Gone),
    }
}

/// Writes a message where it waits for others to share a packet with.
pub(super) async fn put(
    sink: &mut SplitSink<WebSocket, Message>,
    message: Message,
) -> Result<(), Gone> {
    in_time(sink.feed(message)).await
}

/// Sends what has been put.
pub(super) async fn flush(sink: &mut SplitSink<WebSocket, Message>) -> Result<(), Gone> {
    in_time(sink.flush()).await
}

/// Ends a connection: what is queued leaves, then the close, if the client takes them in time.
pub(super) async fn finish(
    socket: &Socket,
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    close: Option<Close>,
) {
    let last_words = async {
        if let Some(close) = close {
            while let Next::Replies(replies) = socket.outgoing.next(socket.mode.get()) {
                for reply in replies {
                    sink.feed(reply).await?;
                }
            }
            part(sink, close).await?;
            // The client's answer to the close.
            while let Some(Ok(_)) = stream.next().await {}
        }
        sink.close().await
    };
    // Whether the other side hears it or not, the connection is over.
    let _ = tokio::time::timeout(GOODBYE, last_words).await;
}

/// Closes a connection that was not admitted.
pub(super) async fn say_goodbye(mut socket: WebSocket, close: Close) {
    let last_words = async {
        part(&mut socket, close).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), axum::Error>(())
    };
    let _ = tokio::time::timeout(GOODBYE, last_words).await;
}

/// Tells a client that its connection is closed, and waits for its answer, but not for long.
pub(super) async fn part_with(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    close: Close,
) {
    let last_words = async {
        part(sink, close).await?;
        while let Some(Ok(_)) = stream.next().await {}
        sink.close().await
    };
    let _ = tokio::time::timeout(GOODBYE, last_words).await;
}

pub(super) async fn part<S: Sink<Message, Error = axum::Error> + Unpin>(
    sink: &mut S,
    close: Close,
) -> Result<(), axum::Error> {
    let frame = CloseFrame {
        code: close.code,
        reason: close.reason.into(),
    };
    sink.send(Message::Close(Some(frame))).await
}
