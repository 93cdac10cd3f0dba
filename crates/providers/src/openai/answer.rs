//! An answer on its way: events of the wire in, events of ours out. It must not know what the wire's events mean.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use nodetool_sdk::models::{ChatEvent, ChatStream, ModelError, ModelErrorKind};
use reqwest::{RequestBuilder, Response, header};

use crate::Account;
use crate::sse::Event;

/// Most bytes of an answer that comes in one piece though a stream was asked for.
const MAX_WHOLE: usize = 64 << 20;
/// How long the usage may take once the answer is finished.
const GRACE: Duration = Duration::from_secs(5);
/// How long the end of the connection may take once the stream has said that it is over. A connection whose answer was
/// read to its end serves the next request.
const END: Duration = Duration::from_millis(100);

/// Whether more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Yes.
    Open,
    /// The wire said that this was all.
    Over,
}

/// Understands the events of one answer.
pub(super) trait Reader: Send + 'static {
    /// Reads an event.
    fn read(
        &mut self,
        event: &Event,
        out: &mut VecDeque<ChatEvent>,
    ) -> Result<Progress, ModelError>;

    /// Whether the model has said why it stopped: all that may still come is what it took.
    fn is_finished(&self) -> bool;

    /// Gives what belongs at the end of a finished answer.
    fn end(&mut self, out: &mut VecDeque<ChatEvent>) -> Result<(), ModelError>;
}

/// Sends a request and reads up to the first event, so that a refusal in it is one of the call.
pub(super) async fn begin(
    account: &Account,
    request: RequestBuilder,
    mut reader: impl Reader,
) -> Result<ChatStream, ModelError> {
    let patience = account.patience.first_byte;
    let response = account.send(request, patience).await?;
    let kind = content_type(&response);
    if kind.starts_with("application/json") {
        let events = whole(account, response, &mut reader).await?;
        return Ok(Box::pin(stream::iter(events.into_iter().map(Ok))));
    }
    let mut answer = Answer {
        account: account.clone(),
        events: Box::pin(account.events(response).fuse()),
        reader,
        ready: VecDeque::new(),
        failed: None,
        state: State::Empty(kind),
    };
    answer.step().await;
    if answer.ready.is_empty()
        && let Some(e) = answer.failed.take()
    {
        return Err(e);
    }
    let events = stream::unfold(answer, |mut answer| async move {
        let event = answer.next().await?;
        Some((event, answer))
    });
    // Whoever asks once more gets the end again.
    Ok(Box::pin(events.fuse()))
}

/// Reads the answer of a server that does not stream.
async fn whole(
    account: &Account,
    response: Response,
    reader: &mut impl Reader,
) -> Result<VecDeque<ChatEvent>, ModelError> {
    let body = account.whole(response, MAX_WHOLE);
    let body = tokio::time::timeout(account.patience.first_byte, body).await;
    let body = body.map_err(|_| account.too_slow())??;
    let data = String::from_utf8(body).map_err(|_| account.nonsense("bytes that are no text"))?;
    let name = String::new();
    let mut out = VecDeque::new();
    reader.read(&Event { name, data }, &mut out)?;
    if !reader.is_finished() {
        return Err(account.nonsense("an answer without a reason to stop"));
    }
    reader.end(&mut out)?;
    Ok(out)
}

fn content_type(response: &Response) -> String {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.to_ascii_lowercase()
}

enum State {
    /// Nothing came yet in a body of this type.
    Empty(String),
    /// Events come.
    Open,
    /// All events came, the connection is still open.
    Told,
    /// Nothing comes any more.
    Over,
}

struct Answer<R> {
    account: Account,
    events: Pin<Box<dyn Stream<Item = Result<Event, ModelError>> + Send>>,
    reader: R,
    ready: VecDeque<ChatEvent>,
    failed: Option<ModelError>,
    state: State,
}

impl<R: Reader> Answer<R> {
    async fn next(&mut self) -> Option<Result<ChatEvent, ModelError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(e) = self.failed.take() {
                return Some(Err(e));
            }
            match self.state {
                State::Empty(_) | State::Open => self.step().await,
                State::Told => {
                    // An end that does not come costs a connection, not the answer.
                    let _ = tokio::time::timeout(END, self.events.next()).await;
                    self.state = State::Over;
                }
                State::Over => return None,
            }
        }
    }

    /// Reads one event.
    async fn step(&mut self) {
        let read = if self.reader.is_finished() {
            let late = tokio::time::timeout(GRACE, self.events.next()).await;
            // Whatever became of the connection: the answer is whole.
            late.ok().flatten().and_then(Result::ok).map(Ok)
        } else {
            self.events.next().await
        };
        let progress = match read {
            Some(Ok(event)) => self.reader.read(&event, &mut self.ready),
            Some(Err(e)) => Err(e),
            None => self.ended(),
        };
        let done = match progress {
            Ok(Progress::Open) => {
                self.state = State::Open;
                return;
            }
            Ok(Progress::Over) => self.reader.end(&mut self.ready),
            Err(e) => Err(e),
        };
        self.state = match &done {
            Ok(()) => State::Told,
            Err(_) => State::Over,
        };
        self.failed = done.err();
    }

    fn ended(&self) -> Result<Progress, ModelError> {
        if self.reader.is_finished() {
            return Ok(Progress::Over);
        }
        let provider = &self.account.provider;
        Err(match &self.state {
            State::Empty(kind) if kind.is_empty() => self.account.nonsense("an empty answer"),
            State::Empty(kind) => {
                let kind: String = kind.chars().take(80).collect();
                let what = format!("no events, in an answer of the type `{kind}`");
                self.account.nonsense(what)
            }
            _ => {
                let message = format!("{provider} broke off in the middle of its answer");
                self.account.error(ModelErrorKind::Connection, message)
            }
        })
    }
}
