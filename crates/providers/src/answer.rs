//! From the events of a connection to the events of an answer.
//!
//! It must not know any wire: what an event says is the business of a [`Reader`].

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use nodetool_sdk::models::{ChatEvent, ChatStream, ModelError, ModelErrorKind};
use reqwest::{Response, header};

use crate::Account;
use crate::sse::Event;

/// Most bytes of an answer that a reader keeps back until it knows what they are.
pub(crate) const MAX_HELD: usize = 16 << 20;

/// Reads the events of one answer, in order.
pub(crate) trait Reader: Send + 'static {
    /// The next event. Nothing is read after a `Finish` was given.
    fn read(&mut self, event: &Event, out: &mut Vec<ChatEvent>) -> Result<(), ModelError>;

    /// The connection ended well, without a `Finish` so far.
    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), ModelError>;
}

type Connection = Pin<Box<dyn Stream<Item = Result<Event, ModelError>> + Send>>;

struct Reading<R> {
    /// Absent when there is nothing more to read; dropping it closes the connection.
    connection: Option<Connection>,
    reader: R,
    ready: VecDeque<Result<ChatEvent, ModelError>>,
}

impl<R: Reader> Reading<R> {
    async fn next(&mut self) -> Option<Result<ChatEvent, ModelError>> {
        let mut out = Vec::new();
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let read = match self.connection.as_mut()?.next().await {
                Some(Ok(event)) => self.reader.read(&event, &mut out),
                Some(Err(e)) => Err(e),
                None => {
                    self.connection = None;
                    self.reader.end(&mut out)
                }
            };
            if matches!(out.last(), Some(ChatEvent::Finish(_))) || read.is_err() {
                self.connection = None;
            }
            self.ready.extend(out.drain(..).map(Ok));
            self.ready.extend(read.err().map(Err));
        }
    }
}

impl Account {
    /// Waits for the first event of an answer, so that whatever goes wrong before it fails the call and not the stream.
    pub(crate) async fn begin(
        &self,
        response: Response,
        reader: impl Reader,
    ) -> Result<ChatStream, ModelError> {
        let kind = response.headers().get(header::CONTENT_TYPE);
        if let Some(kind) = kind.and_then(|kind| kind.to_str().ok())
            && !kind
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        {
            return Err(self.nonsense(format_args!("{kind} instead of a stream of events")));
        }
        let mut reading = Reading {
            connection: Some(Box::pin(self.events(response))),
            reader,
            ready: VecDeque::new(),
        };
        let first = reading.next().await.transpose()?;
        let rest = stream::unfold(reading, |mut reading| async move {
            let next = reading.next().await?;
            Some((next, reading))
        });
        Ok(Box::pin(stream::iter(first.map(Ok)).chain(rest)))
    }

    /// A connection that ended before the answer did.
    pub(crate) fn cut_short(&self) -> ModelError {
        let message = format!(
            "the connection to {} ended before its answer did",
            self.provider
        );
        self.error(ModelErrorKind::Connection, message)
    }
}
