//! Calls of models on behalf of a user: tried again where that is safe, noted in the ledger however they end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use nodetool_providers::Provider;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatEvent, ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelError,
    ModelErrorKind, Models, SpeechRequest, SpeechStream, TranscribeRequest, Transcript, Usage,
    VideoRequest,
};
use nodetool_store::now_micros;

use super::ledger::{Entry, Ledger};
use super::{Choice, ModelService};

/// Tries of a call that a provider could not take.
const TRIES: u32 = 3;
/// First pause between two tries; the next is twice as long.
const PAUSE: Duration = Duration::from_millis(400);
/// The longest pause a provider may ask for; beyond it the caller is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Models as one user may call them.
pub(super) struct UserModels {
    service: ModelService,
    user_id: Arc<str>,
}

/// A call in the ledger; what it is when it is dropped is what is noted.
struct Note {
    ledger: Ledger,
    entry: Option<Entry>,
}

impl Note {
    fn ended(&mut self, status: &'static str, error: Option<String>) {
        if let Some(mut entry) = self.entry.take() {
            entry.status = status;
            entry.error = error;
            self.ledger.note(entry);
        }
    }

    fn failed(&mut self, e: &ModelError) {
        self.ended("failed", Some(e.message.clone()));
    }

    fn used(&mut self, usage: Option<Usage>) {
        if let Some(entry) = &mut self.entry {
            entry.usage = usage.or(entry.usage);
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.ended("cancelled", None);
    }
}

/// When a failed call may be made again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Whenever it failed in passing: an answer that was not begun costs nothing.
    WhilePassing,
    /// Only when the provider has certainly not begun: what it makes costs money.
    WhenNotTaken,
}

impl Again {
    fn allows(self, e: &ModelError) -> bool {
        match (self, &e.kind) {
            (_, ModelErrorKind::RateLimited { .. }) => true,
            (_, ModelErrorKind::TimedOut) => false,
            (Again::WhilePassing, _) => e.is_passing(),
            (Again::WhenNotTaken, _) => false,
        }
    }
}

fn pause(e: &ModelError, tries: u32) -> Option<Duration> {
    let pause = match e.kind {
        ModelErrorKind::RateLimited {
            retry_after: Some(asked),
        } => asked,
        _ => PAUSE * 2_u32.pow(tries - 1),
    };
    (pause <= LONGEST_PAUSE).then(|| pause.mul_f64(1.0 + jitter() / 4.0))
}

/// 0 to 1, so that clients that failed together do not come back together.
fn jitter() -> f64 {
    (now_micros() % 1000) as f64 / 1000.0
}

async fn tried<'a, T>(
    again: Again,
    mut call: impl FnMut() -> BoxFuture<'a, Result<T, ModelError>>,
) -> Result<T, ModelError> {
    let mut tries = 1;
    loop {
        let e = match call().await {
            Ok(result) => return Ok(result),
            Err(e) => e,
        };
        let pause = pause(&e, tries).filter(|_| tries < TRIES && again.allows(&e));
        let Some(pause) = pause else {
            return Err(e);
        };
        tracing::debug!(provider.id = %e.provider, error = %e, "a model is asked again");
        tokio::time::sleep(pause).await;
        tries += 1;
    }
}

/// The names in a request that every kind of call has.
struct Asked<'a> {
    provider: &'a str,
    model: &'a str,
    node_id: &'a Option<Arc<str>>,
    workflow_id: &'a Option<Arc<str>>,
}

macro_rules! asked {
    ($request:expr) => {
        Asked {
            provider: &$request.provider,
            model: &$request.model,
            node_id: &$request.node_id,
            workflow_id: &$request.workflow_id,
        }
    };
}

impl UserModels {
    pub(super) fn new(service: ModelService, user_id: &str) -> Self {
        UserModels {
            service,
            user_id: user_id.into(),
        }
    }

    async fn begin(&self, asked: Asked<'_>) -> Result<(Choice, Provider, Note), ModelError> {
        let service = &self.service;
        let opened = service.open(&self.user_id, asked.provider, asked.model);
        let (choice, provider) = opened.await?;
        let entry = Entry {
            user_id: self.user_id.to_string(),
            provider: choice.provider.clone(),
            model: choice.model.clone(),
            node_id: asked.node_id.as_deref().unwrap_or_default().to_owned(),
            workflow_id: asked.workflow_id.as_deref().map(str::to_owned),
            began: now_micros(),
            ..Entry::default()
        };
        let note = Note {
            ledger: service.0.ledger.clone(),
            entry: Some(entry),
        };
        Ok((choice, provider, note))
    }
}

/// What a call gave, noted.
fn noted<T>(
    mut note: Note,
    result: Result<T, ModelError>,
    usage: impl FnOnce(&T) -> Option<Usage>,
) -> Result<T, ModelError> {
    match &result {
        Ok(given) => {
            note.used(usage(given));
            note.ended("completed", None);
        }
        Err(e) => note.failed(e),
    }
    result
}

/// An answer whose end is noted.
struct Metered<S> {
    stream: S,
    note: Note,
}

impl<T, S> Stream for Metered<S>
where
    S: Stream<Item = Result<T, ModelError>> + Unpin,
    T: Measured,
{
    type Item = Result<T, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(Pin::new(&mut self.stream).poll_next(cx));
        match &next {
            Some(Ok(piece)) => self.note.used(piece.usage()),
            Some(Err(e)) => self.note.failed(e),
            None => self.note.ended("completed", None),
        }
        Poll::Ready(next)
    }
}

/// A piece of a stream that may say what the call took.
trait Measured {
    fn usage(&self) -> Option<Usage>;
}

impl Measured for ChatEvent {
    fn usage(&self) -> Option<Usage> {
        match self {
            ChatEvent::Usage(usage) => Some(*usage),
            _ => None,
        }
    }
}

impl Measured for bytes::Bytes {
    fn usage(&self) -> Option<Usage> {
        None
    }
}

macro_rules! capability {
    ($provider:expr, $choice:expr, $capability:ident, $what:literal) => {
        $provider
            .$capability
            .ok_or_else(|| ModelError::unsupported(&$choice.provider, $what))?
    };
}

impl Models for UserModels {
    fn chat<'a>(
        &'a self,
        mut request: ChatRequest,
    ) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        Box::pin(async move {
            let (choice, provider, mut note) = self.begin(asked!(request)).await?;
            let chat = capability!(provider, choice, chat, "conversation");
            (request.provider, request.model) = (choice.provider, choice.model);
            let begun = tried(Again::WhilePassing, || chat.chat(request.clone())).await;
            match begun {
                Ok(stream) => Ok(Box::pin(Metered { stream, note }) as ChatStream),
                Err(e) => {
                    note.failed(&e);
                    Err(e)
                }
            }
        })
    }

    fn embed<'a>(
        &'a self,
        mut request: EmbedRequest,
    ) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        Box::pin(async move {
            let (choice, provider, note) = self.begin(asked!(request)).await?;
            let embed = capability!(provider, choice, embed, "vectors of texts");
            (request.provider, request.model) = (choice.provider, choice.model);
            let wanted = request.texts.len();
            let made = tried(Again::WhilePassing, || embed.embed(request.clone()));
            let made = made.await.and_then(|made| match made.vectors.len() {
                came if came == wanted => Ok(made),
                came => {
                    let message = format!("{came} vectors came for {wanted} texts");
                    let kind = ModelErrorKind::Protocol;
                    Err(ModelError::new(kind, &request.provider, message))
                }
            });
            noted(note, made, |made| made.usage)
        })
    }

    fn image<'a>(
        &'a self,
        mut request: ImageRequest,
    ) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        Box::pin(async move {
            let (choice, provider, note) = self.begin(asked!(request)).await?;
            let draw = capability!(provider, choice, draw, "pictures");
            (request.provider, request.model) = (choice.provider, choice.model);
            let drawn = tried(Again::WhenNotTaken, || draw.draw(request.clone()));
            noted(note, drawn.await, |_| None)
        })
    }

    fn video<'a>(&'a self, mut request: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        Box::pin(async move {
            let (choice, provider, note) = self.begin(asked!(request)).await?;
            let film = capability!(provider, choice, film, "videos");
            (request.provider, request.model) = (choice.provider, choice.model);
            let made = tried(Again::WhenNotTaken, || film.film(request.clone()));
            noted(note, made.await, |_| None)
        })
    }

    fn speech<'a>(
        &'a self,
        mut request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        Box::pin(async move {
            let (choice, provider, mut note) = self.begin(asked!(request)).await?;
            let speak = capability!(provider, choice, speak, "speech");
            (request.provider, request.model) = (choice.provider, choice.model);
            let begun = tried(Again::WhenNotTaken, || speak.speak(request.clone()));
            match begun.await {
                Ok(stream) => Ok(Box::pin(Metered { stream, note }) as SpeechStream),
                Err(e) => {
                    note.failed(&e);
                    Err(e)
                }
            }
        })
    }

    fn transcribe<'a>(
        &'a self,
        mut request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        Box::pin(async move {
            let (choice, provider, note) = self.begin(asked!(request)).await?;
            let transcribe = capability!(provider, choice, transcribe, "speech recognition");
            (request.provider, request.model) = (choice.provider, choice.model);
            let heard = tried(Again::WhilePassing, || {
                transcribe.transcribe(request.clone())
            });
            noted(note, heard.await, |heard| heard.usage)
        })
    }
}
