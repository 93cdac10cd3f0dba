//! Answers on their way: begun, so that what fails at once still has a status, then taken as they come. Dropping one
//! cancels the call.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use nodetool_sdk::models::{Answer, ChatEvent, ChatStream, ModelError, ModelErrorKind};

/// How long a client may be without the head of an answer. A failure after that has no status of its own.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How often a stream without events says that it is alive, so that nothing on the way cuts it.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Most bytes of an answer that is kept until it is whole.
const MAX_ANSWER: usize = 64 << 20;

/// An answer on its way.
pub(super) struct Begun {
    first: Option<ChatEvent>,
    events: ChatStream,
}

/// What waiting for an event gave.
pub(super) enum Waited {
    /// An event, a failure, or the end.
    Event(Option<Result<ChatEvent, ModelError>>),
    /// Nothing for long.
    Silence,
}

/// Waits for the first event, but not for ever.
pub(super) async fn begin(
    opening: impl Future<Output = Result<ChatStream, ModelError>> + Send + 'static,
) -> Result<Begun, ModelError> {
    let mut events: ChatStream = Box::pin(stream::once(opening).try_flatten());
    let first = match tokio::time::timeout(HEAD_PATIENCE, events.next()).await {
        Ok(Some(first)) => Some(first?),
        Ok(None) => return Err(broken_off()),
        Err(_) => None,
    };
    Ok(Begun { first, events })
}

/// The end came without its event.
pub(super) fn broken_off() -> ModelError {
    let message = "the model's answer broke off before its end";
    ModelError::new(ModelErrorKind::Connection, "", message)
}

impl Begun {
    /// The next event, or the news that there was none for a while.
    pub(super) async fn wait(&mut self) -> Waited {
        if let Some(first) = self.first.take() {
            return Waited::Event(Some(Ok(first)));
        }
        match tokio::time::timeout(PING_EVERY, self.events.next()).await {
            Ok(event) => Waited::Event(event),
            Err(_) => Waited::Silence,
        }
    }

    /// What has come already.
    pub(super) fn ready(&mut self) -> Option<Option<Result<ChatEvent, ModelError>>> {
        if let Some(first) = self.first.take() {
            return Some(Some(Ok(first)));
        }
        self.events.next().now_or_never()
    }
}

/// About how many bytes an event adds to an answer.
pub(super) fn weight(event: &ChatEvent) -> usize {
    match event {
        ChatEvent::Text(text)
        | ChatEvent::Reasoning(text)
        | ChatEvent::ReasoningSignature(text) => text.len(),
        ChatEvent::ToolArguments { text, .. } => text.len(),
        ChatEvent::File(file) => match &file.source {
            nodetool_sdk::models::MediaSource::Bytes(bytes) => bytes.len(),
            nodetool_sdk::models::MediaSource::Url(url) => url.len(),
        },
        ChatEvent::Logprobs(piece) => piece.weight(),
        ChatEvent::ToolCall { .. } => 256,
        ChatEvent::Usage(_) | ChatEvent::Finish(_) => 0,
    }
}

/// Counts what is kept of an answer.
#[derive(Default)]
pub(super) struct Room(usize);

impl Room {
    /// Makes room for an event, or says that there is none.
    pub(super) fn take(&mut self, event: &ChatEvent) -> Result<(), ModelError> {
        self.0 = self.0.saturating_add(weight(event));
        if self.0 <= MAX_ANSWER {
            return Ok(());
        }
        let message = format!("the model's answer has more than {} MiB", MAX_ANSWER >> 20);
        Err(ModelError::new(ModelErrorKind::Protocol, "", message))
    }
}

/// The whole answer.
pub(super) async fn collect(begun: Begun) -> Result<Answer, ModelError> {
    let first = begun.first.into_iter().map(Ok);
    let mut events = stream::iter(first).chain(begun.events);
    let (mut answer, mut room) = (Answer::default(), Room::default());
    while let Some(event) = events.next().await {
        let event = event?;
        room.take(&event)?;
        answer.add(event);
    }
    match answer.finish {
        Some(_) => Ok(answer),
        None => Err(broken_off()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use nodetool_sdk::models::FinishReason;

    use super::*;

    /// A call that answers with these events.
    pub(in super::super) fn playing(
        events: Vec<Result<ChatEvent, ModelError>>,
    ) -> impl Future<Output = Result<ChatStream, ModelError>> + Send + 'static {
        std::future::ready(Ok(Box::pin(stream::iter(events)) as ChatStream))
    }

    #[tokio::test]
    async fn a_failure_before_the_first_event_is_one_of_the_call() {
        let refused = ModelError::new(ModelErrorKind::UnknownModel, "p", "no");
        let told = begin(std::future::ready(Err(refused.clone()))).await;
        assert_eq!(told.err().unwrap(), refused);
        let told = begin(playing(vec![Err(refused.clone())])).await;
        assert_eq!(told.err().unwrap(), refused);
        let told = begin(playing(Vec::new())).await;
        assert_eq!(told.err().unwrap(), broken_off());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_provider_holds_nobody_and_goes_on_when_it_speaks() {
        let (tx, rx) = tokio::sync::oneshot::channel::<()>();
        let opening = async move {
            rx.await.unwrap();
            let said = [
                ChatEvent::Text("at last".into()),
                ChatEvent::Finish(FinishReason::Stop),
            ];
            Ok(Box::pin(stream::iter(said.map(Ok))) as ChatStream)
        };
        let mut begun = begin(opening).await.unwrap();
        assert!(begun.ready().is_none());
        assert!(matches!(begun.wait().await, Waited::Silence));
        assert!(matches!(begun.wait().await, Waited::Silence));
        tx.send(()).unwrap();
        let answer = collect(begun).await.unwrap();
        assert_eq!(answer.text, "at last");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_none() {
        let begun = begin(playing(vec![Ok(ChatEvent::Text("half".into()))])).await;
        let told = collect(begun.unwrap()).await;
        assert_eq!(told.unwrap_err(), broken_off());
    }
}
