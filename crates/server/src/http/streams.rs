//! A run's messages as a response body: NDJSON lines or server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use nodetool_protocol::{JobEvent, JobStatus, Map, Value};

use tokio::sync::Notify;

use crate::services::{Followed, Taken};

/// How often an idle event stream says that it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);

/// About the size of a piece of the body.
const PIECE: usize = 64 << 10;
/// Messages in a piece at most.
const TAKEN: usize = 256;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One JSON object per line; the last line is `job_completed` or `job_failed`.
    Lines,
    /// `data:` frames; the last is `[DONE]`.
    Events,
}

/// Whether a stream ends with this status.
fn closes(status: JobStatus) -> bool {
    status.is_terminal() || status == JobStatus::Suspended
}

struct Streaming {
    /// Cancels the run when the client goes away before its end.
    run: Followed,
    wake: Arc<Notify>,
    framing: Framing,
    /// Values by output name, for the closing event.
    results: Map,
    ended: bool,
    /// What follows the closing `job_update` is written.
    closed: bool,
}

/// The response of a run that streams.
pub(super) fn stream_response(run: Followed, wake: Arc<Notify>, framing: Framing) -> Response {
    let state = Streaming {
        run,
        wake,
        framing,
        results: Map::new(),
        ended: false,
        closed: false,
    };
    let body = Body::from_stream(stream::unfold(state, |mut s| async move {
        if s.ended {
            return None;
        }
        let piece = s.next_piece().await;
        Some((Ok::<_, Infallible>(piece), s))
    }));
    with_head(body, framing)
}

/// The response of something else that tells its own end: each object as an event, then `[DONE]`.
pub(super) fn events_response(
    objects: impl Stream<Item = serde_json::Value> + Send + 'static,
) -> Response {
    let objects = Box::pin(objects);
    let body = Body::from_stream(stream::unfold(Some(objects), |state| async move {
        let mut objects = state?;
        let piece = match tokio::time::timeout(PING_EVERY, objects.next()).await {
            Ok(Some(object)) => Bytes::from(format!("data: {object}\n\n")),
            Ok(None) => return Some((Ok(Bytes::from_static(b"data: [DONE]\n\n")), None)),
            Err(_) => Bytes::from_static(b": ping\n\n"),
        };
        Some((Ok::<_, Infallible>(piece), Some(objects)))
    }));
    with_head(body, Framing::Events)
}

/// A body under the head of a stream.
pub(super) fn with_head(body: Body, framing: Framing) -> Response {
    let content_type = match framing {
        Framing::Lines => HeaderValue::from_static("application/x-ndjson"),
        Framing::Events => HeaderValue::from_static("text/event-stream; charset=utf-8"),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if framing == Framing::Events {
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    response
}

impl Streaming {
    /// What is there, as far as it fits a piece of the body; waits until there is something.
    async fn next_piece(&mut self) -> Bytes {
        let next = self.run.watch.next(&self.wake, TAKEN);
        match tokio::time::timeout(PING_EVERY, next).await {
            Ok(Taken::Frames(frames)) => {
                let mut piece = Vec::with_capacity((frames.len() * 256).min(PIECE));
                for frame in &frames {
                    self.write(&frame.event, &mut piece);
                }
                piece.into()
            }
            // A follower never loses its place.
            Ok(Taken::Snapshot(_) | Taken::Ended | Taken::Nothing) => {
                self.ended = true;
                let mut piece = Vec::new();
                if !self.closed {
                    // The server ends before the job, which goes on after the next start.
                    self.close(JobStatus::Recovering, None, &mut piece);
                }
                piece.into()
            }
            Err(_) => Bytes::from_static(match self.framing {
                Framing::Lines => b"",
                Framing::Events => b": ping\n\n",
            }),
        }
    }

    fn frame(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) {
        if self.framing == Framing::Events {
            out.extend_from_slice(b"data: ");
        }
        let before = out.len();
        if let Err(e) = write(out) {
            out.truncate(before);
            let text = Value::map([("error", Value::from(e.to_string()))]);
            let _ = serde_json::to_writer(&mut *out, &text);
        }
        out.extend_from_slice(if self.framing == Framing::Events {
            b"\n\n"
        } else {
            b"\n"
        });
    }

    fn write(&mut self, event: &JobEvent, out: &mut Vec<u8>) {
        if let JobEvent::OutputUpdate(u) = event {
            self.results.insert(u.output_name.clone(), u.value.clone());
        }
        match (event, self.framing) {
            (JobEvent::JobUpdate(_), Framing::Events) => {
                // Flat for today's clients, with a copy under `data` for older ones.
                self.frame(out, |w| {
                    let flat = serde_json::to_vec(event)?;
                    w.extend_from_slice(&flat[..flat.len() - 1]);
                    w.extend_from_slice(b",\"data\":");
                    w.extend_from_slice(&flat);
                    w.push(b'}');
                    Ok(())
                });
            }
            _ => self.frame(out, |w| serde_json::to_writer(w, event)),
        }
        if let JobEvent::JobUpdate(update) = event
            && closes(update.status)
        {
            self.close(update.status, update.error.clone(), out);
        }
    }

    /// What follows the closing `job_update`.
    fn close(&mut self, status: JobStatus, error: Option<String>, out: &mut Vec<u8>) {
        let error = error.unwrap_or_else(|| format!("The run ended as {}", status.as_str()));
        let job_id = Value::Str(self.run.watch.feed().subject().job_id.clone());
        let last = match (self.framing, status) {
            (Framing::Lines, JobStatus::Completed) => {
                Value::map([("type", "job_completed".into()), ("job_id", job_id)])
            }
            (Framing::Lines, _) => Value::map([
                ("type", "job_failed".into()),
                ("job_id", job_id),
                ("error", error.into()),
            ]),
            (Framing::Events, JobStatus::Completed) => Value::map([
                ("type", "complete".into()),
                ("results", std::mem::take(&mut self.results).into()),
            ]),
            (Framing::Events, _) => Value::map([("type", "error".into()), ("error", error.into())]),
        };
        self.frame(out, |w| serde_json::to_writer(w, &last));
        if self.framing == Framing::Events {
            out.extend_from_slice(b"data: [DONE]\n\n");
        }
        self.closed = true;
        self.run.let_go();
    }
}
