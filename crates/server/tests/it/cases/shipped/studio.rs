//! Models that answer from the script of these tests, draw small pictures, and keep what they were asked.
//!
//! They must not know which workflow asks.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use nodetool_sdk::BoxFuture;
use nodetool_sdk::models::{
    ChatEvent, ChatMessage, ChatRequest, ChatStream, EmbedRequest, Embeddings, FinishReason,
    ImageRequest, Media, MediaSource, ModelError, Models, Role, SpeechRequest, SpeechStream,
    TranscribeRequest, Transcript, VideoRequest,
};

use super::super::media;
use super::super::models::Scripted;
use crate::wire::server::pace;

/// Width and height of what is drawn, whatever was asked for.
pub(super) const SIDES: (u32, u32) = (16, 12);
/// A second of sound, which comes in two pieces.
const SECOND: usize = 48_000;

/// What models were asked, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) chats: Vec<ChatRequest>,
    pub(super) images: Vec<ImageRequest>,
    pub(super) videos: Vec<VideoRequest>,
    pub(super) speeches: Vec<SpeechRequest>,
    pub(super) sounds: Vec<TranscribeRequest>,
}

impl Asked {
    /// The last thing the person said in each conversation turn.
    pub(super) fn prompts(&self) -> Vec<String> {
        self.chats
            .iter()
            .map(|chat| said(chat, Role::User))
            .collect()
    }

    /// Names of the tools the model was offered in a turn.
    pub(super) fn tools(&self, turn: usize) -> Vec<&str> {
        let tools = self.chats[turn].tools.iter();
        tools.map(|tool| &*tool.name).collect()
    }

    /// What tools answered before a turn, by the name of the tool, in order.
    pub(super) fn answers(&self, turn: usize) -> Vec<(&str, String)> {
        let messages = self.chats[turn].messages.iter();
        let answers = messages.filter(|m| m.role == Role::Tool);
        answers
            .map(|m| (m.name.as_deref().unwrap_or_default(), m.plain_text()))
            .collect()
    }
}

/// The last thing somebody said.
pub(super) fn said(chat: &ChatRequest, role: Role) -> String {
    let last = chat.messages.iter().rfind(|m| m.role == role);
    last.map(ChatMessage::plain_text).unwrap_or_default()
}

/// Writes an answer that depends on the conversation; nothing leaves it to the script.
type Writer = dyn Fn(&ChatRequest) -> Option<String> + Send + Sync;
/// Whether it is time to answer.
type Ready = dyn Fn() -> bool + Send + Sync;

/// The models.
pub(super) struct Studio {
    script: Scripted,
    writer: Box<Writer>,
    ready: Box<Ready>,
    asked: Mutex<Asked>,
}

impl Studio {
    pub(super) fn new(
        writer: Box<Writer>,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Studio {
            script: Scripted::new(),
            writer,
            ready: Box::new(ready),
            asked: Mutex::default(),
        })
    }

    pub(super) fn asked(&self) -> Asked {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, note: impl FnOnce(&mut Asked)) {
        note(&mut self.asked.lock().unwrap());
    }
}

/// The colour of what is drawn for a prompt.
pub(super) fn colour(prompt: &str) -> [u8; 3] {
    let mix = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
    let [_, r, g, b] = prompt.bytes().fold(7, mix).to_be_bytes();
    [r, g, b]
}

/// What is drawn for a prompt.
pub(super) fn drawn(prompt: &str) -> Vec<u8> {
    media::plain(SIDES, colour(prompt))
}

/// What a film is: the beginning of an MP4 file.
pub(super) fn film() -> Bytes {
    Bytes::from_static(b"\0\0\0\x18ftypisom\0\0\x02\0isommp41")
}

impl Models for Studio {
    fn chat<'a>(&'a self, request: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        self.note(|asked| asked.chats.push(request.clone()));
        Box::pin(async move {
            while !(self.ready)() {
                pace().await;
            }
            let Some(text) = (self.writer)(&request) else {
                return self.script.chat(request).await;
            };
            let events = [ChatEvent::Text(text), ChatEvent::Finish(FinishReason::Stop)];
            let answer: ChatStream = Box::pin(stream::iter(events.map(Ok)));
            Ok(answer)
        })
    }

    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        self.script.embed(request)
    }

    /// A picture in one colour; with a source, that source.
    fn image<'a>(&'a self, request: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        let picture = match request.sources.first().map(|media| &media.source) {
            Some(MediaSource::Bytes(bytes)) => bytes.clone(),
            _ => drawn(&request.prompt).into(),
        };
        self.note(|asked| asked.images.push(request));
        Box::pin(async { Ok(vec![Media::bytes("image/png", picture)]) })
    }

    fn video<'a>(&'a self, request: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        self.note(|asked| asked.videos.push(request));
        Box::pin(async { Ok(Media::bytes("video/mp4", film())) })
    }

    /// A second of a tone that is none: each half has its own level.
    fn speech<'a>(
        &'a self,
        request: SpeechRequest,
    ) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        self.note(|asked| asked.speeches.push(request));
        let half = |level: u8| Ok(Bytes::from(vec![level; SECOND / 2]));
        let speech: SpeechStream = Box::pin(stream::iter([half(1), half(2)]));
        Box::pin(async { Ok(speech) })
    }

    fn transcribe<'a>(
        &'a self,
        request: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        self.note(|asked| asked.sounds.push(request.clone()));
        self.script.transcribe(request)
    }
}
