//! Models that answer from a script and remember what they were asked.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::BoxFuture;
use crate::models::{
    ChatEvent, ChatRequest, ChatStream, EmbedRequest, Embeddings, FinishReason, ImageRequest,
    Media, ModelError, ModelErrorKind, Models, SpeechRequest, SpeechStream, TranscribeRequest,
    Transcript, Usage, VideoRequest,
};

/// One answer of the script.
#[derive(Clone, Debug)]
pub struct Scripted {
    events: Vec<Result<ChatEvent, ModelError>>,
    refused: Option<ModelError>,
    hangs: bool,
}

impl Scripted {
    /// Exactly these events.
    pub fn events(events: impl IntoIterator<Item = Result<ChatEvent, ModelError>>) -> Self {
        Scripted {
            events: events.into_iter().collect(),
            refused: None,
            hangs: false,
        }
    }

    /// A text, word by word, and its end.
    pub fn text(text: &str) -> Self {
        let words = text.split_inclusive(' ').map(str::to_owned);
        let end = ChatEvent::Finish(FinishReason::Stop);
        Self::events(words.map(ChatEvent::Text).chain([end]).map(Ok))
    }

    /// Calls of tools: name and JSON text of the arguments, which comes in two pieces. Ids are `call_0`, `call_1`, ….
    pub fn calls(calls: &[(&str, &str)]) -> Self {
        let mut events = Vec::new();
        for (i, (name, arguments)) in calls.iter().enumerate() {
            let index = i as u32;
            events.push(Ok(ChatEvent::ToolCall {
                index,
                id: format!("call_{i}"),
                name: (*name).to_owned(),
                signature: None,
            }));
            let middle = arguments
                .char_indices()
                .nth(arguments.chars().count() / 2)
                .map_or(0, |(at, _)| at);
            for piece in [&arguments[..middle], &arguments[middle..]] {
                let text = piece.to_owned();
                events.push(Ok(ChatEvent::ToolArguments { index, text }));
            }
        }
        events.push(Ok(ChatEvent::Finish(FinishReason::ToolCalls)));
        Self::events(events)
    }

    /// A refusal before the first event.
    pub fn fails(error: ModelError) -> Self {
        Scripted {
            events: Vec::new(),
            refused: Some(error),
            hangs: false,
        }
    }

    /// Says a text before everything else.
    pub fn saying(mut self, text: &str) -> Self {
        self.events.insert(0, Ok(ChatEvent::Text(text.to_owned())));
        self
    }

    /// Tells what it took.
    pub fn costing(mut self, usage: Usage) -> Self {
        let end = self.events.len().saturating_sub(1);
        self.events.insert(end, Ok(ChatEvent::Usage(usage)));
        self
    }

    /// After its last event nothing comes any more, not even the end.
    pub fn hanging(mut self) -> Self {
        self.hangs = true;
        self
    }
}

/// A call that was no conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// For vectors.
    Embed(EmbedRequest),
    /// For pictures.
    Image(ImageRequest),
    /// For a video.
    Video(VideoRequest),
    /// For speech.
    Speech(SpeechRequest),
    /// For what is said.
    Transcribe(TranscribeRequest),
}

type Vectors = dyn Fn(&str) -> Vec<f32> + Send + Sync;

/// Models that answer from a script, one answer for each turn, and fail when it is at its end.
#[derive(Default)]
pub struct ScriptedModels {
    script: Mutex<VecDeque<Scripted>>,
    requests: Mutex<Vec<ChatRequest>>,
    asked: Mutex<Vec<Asked>>,
    image: Option<Media>,
    video: Option<Media>,
    speech: Option<Bytes>,
    transcript: Option<Transcript>,
    vectors: Option<Box<Vectors>>,
}

impl ScriptedModels {
    /// These answers, in order.
    pub fn new(script: impl IntoIterator<Item = Scripted>) -> Self {
        ScriptedModels {
            script: Mutex::new(script.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Draws this for every request.
    pub fn with_image(mut self, image: Media) -> Self {
        self.image = Some(image);
        self
    }

    /// Makes this for every request.
    pub fn with_video(mut self, video: Media) -> Self {
        self.video = Some(video);
        self
    }

    /// Speaks so, whatever the text.
    pub fn with_speech(mut self, pcm: impl Into<Bytes>) -> Self {
        self.speech = Some(pcm.into());
        self
    }

    /// Hears this, whatever the sound.
    pub fn with_transcript(mut self, transcript: Transcript) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// Makes vectors so.
    pub fn with_vectors(
        mut self,
        vector: impl Fn(&str) -> Vec<f32> + Send + Sync + 'static,
    ) -> Self {
        self.vectors = Some(Box::new(vector));
        self
    }

    /// Turns that were asked for, in order.
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Other calls, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many answers are left.
    pub fn left(&self) -> usize {
        self.script
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// The next answer; a refusal when the script is at its end.
    fn next(&self) -> Scripted {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let end = || Scripted::fails(lacking("another answer in its script"));
        script.pop_front().unwrap_or_else(end)
    }

    fn note(&self, asked: Asked) {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked);
    }
}

fn lacking(what: &str) -> ModelError {
    let message = format!("the scripted model has no {what}");
    ModelError::new(ModelErrorKind::Internal, "scripted", message)
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Models for ScriptedModels {
    fn chat<'a>(&'a self, request: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        let answer = self.next();
        if let Some(error) = answer.refused {
            return ready(Err(error));
        }
        let events = stream::iter(answer.events);
        let stream: ChatStream = if answer.hangs {
            Box::pin(events.chain(stream::pending()))
        } else {
            Box::pin(events)
        };
        ready(Ok(stream))
    }

    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        let made = match &self.vectors {
            Some(vector) => Ok(Embeddings {
                vectors: request.texts.iter().map(|text| vector(text)).collect(),
                usage: None,
            }),
            None => Err(lacking("vectors")),
        };
        self.note(Asked::Embed(request));
        ready(made)
    }

    fn image<'a>(&'a self, request: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        let count = request.count.unwrap_or(1) as usize;
        let made = self.image.clone().map(|image| vec![image; count.min(64)]);
        self.note(Asked::Image(request));
        ready(made.ok_or_else(|| lacking("image")))
    }

    fn video<'a>(&'a self, request: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        self.note(Asked::Video(request));
        ready(self.video.clone().ok_or_else(|| lacking("video")))
    }

    fn speech<'a>(
        &'a self,
        request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        self.note(Asked::Speech(request));
        let pcm = self.speech.clone().ok_or_else(|| lacking("speech"));
        ready(pcm.map(|pcm| -> SpeechStream { Box::pin(stream::iter([Ok(pcm)])) }))
    }

    fn transcribe<'a>(
        &'a self,
        request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        self.note(Asked::Transcribe(request));
        ready(self.transcript.clone().ok_or_else(|| lacking("transcript")))
    }
}
