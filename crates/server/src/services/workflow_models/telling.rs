//! What a run says, as a model would say it: pieces as they come, the values of its outputs, its end.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::stream;
use nodetool_protocol::{JobEvent, JobStatus, JobUpdate, Value, decode_data_uri};
use nodetool_sdk::models::{
    ChatEvent, ChatStream, FinishReason, Media, MediaSource, ModelError, ModelErrorKind,
};
use tokio::sync::Notify;

use super::WORKFLOW_FAILED;
use super::here::HereRun;
use super::talk::Talk;
use crate::services::{Followed, Taken, Watch};

/// What is said when a run has said nothing (socket spec 8.4).
const NOTHING_SAID: &str = "Workflow completed successfully.";
/// Messages taken at once.
const TAKEN: usize = 256;
/// Bytes of what was said in pieces by which the whole is known again.
const KNOWN_BY: usize = 4096;

/// A run that ends when nobody holds it.
pub(super) enum Grip {
    Job(Followed),
    Here(HereRun),
}

impl Grip {
    fn watch(&mut self) -> &mut Watch {
        match self {
            Grip::Job(run) => &mut run.watch,
            Grip::Here(run) => &mut run.watch,
        }
    }

    fn let_go(&mut self) {
        if let Grip::Job(run) = self {
            run.let_go();
        }
    }
}

struct Conversation {
    run: Grip,
    wake: Arc<Notify>,
    teller: Teller,
}

/// What a run says, until its end. Dropping it ends the run.
pub(super) fn conversation(run: Grip, wake: Arc<Notify>, talk: &Talk) -> ChatStream {
    let conversation = Conversation {
        run,
        wake,
        teller: Teller::new(talk.speakers.clone()),
    };
    Box::pin(stream::unfold(conversation, |mut c| async move {
        loop {
            if let Some(event) = c.teller.ready.pop_front() {
                return Some((event, c));
            }
            if c.teller.ended {
                return None;
            }
            match c.run.watch().next(&c.wake, TAKEN).await {
                Taken::Frames(frames) => {
                    for frame in &frames {
                        c.teller.tell(&frame.event);
                    }
                }
                // A follower never loses its place: the server ends before the run.
                Taken::Snapshot(_) | Taken::Ended | Taken::Nothing => {
                    c.teller
                        .fail(ModelErrorKind::Connection, "the server is shutting down");
                }
            }
            if c.teller.ended {
                c.run.let_go();
            }
        }
    }))
}

/// Turns the messages of a run into what a model says.
struct Teller {
    speakers: HashSet<Arc<str>>,
    ready: VecDeque<Result<ChatEvent, ModelError>>,
    /// How the text began that speakers have said and no output has repeated yet, and how long it is.
    live: (String, usize),
    spoke: bool,
    ended: bool,
}

impl Teller {
    fn new(speakers: HashSet<Arc<str>>) -> Self {
        Teller {
            speakers,
            ready: VecDeque::new(),
            live: (String::new(), 0),
            spoke: false,
            ended: false,
        }
    }

    fn say(&mut self, text: &str) {
        if !text.is_empty() {
            self.spoke = true;
            self.ready.push_back(Ok(ChatEvent::Text(text.to_owned())));
        }
    }

    fn think(&mut self, text: &str) {
        if !text.is_empty() {
            self.ready
                .push_back(Ok(ChatEvent::Reasoning(text.to_owned())));
        }
    }

    fn fail(&mut self, kind: ModelErrorKind, message: &str) {
        let code = (kind == ModelErrorKind::Server).then(|| WORKFLOW_FAILED.to_owned());
        let failure = ModelError::new(kind, "workflow", message);
        self.ready.push_back(Err(ModelError { code, ..failure }));
        self.ended = true;
    }

    fn tell(&mut self, event: &JobEvent) {
        if self.ended {
            return;
        }
        match event {
            JobEvent::Chunk {
                node_id: Some(node),
                content_type,
                content,
                thinking,
                ..
            } if self.speakers.contains(node) && &**content_type == "text" => {
                let text = content.as_str().unwrap_or_default();
                if *thinking {
                    self.think(text);
                } else {
                    let left = KNOWN_BY.saturating_sub(self.live.0.len());
                    self.live
                        .0
                        .push_str(&text[..text.floor_char_boundary(left)]);
                    self.live.1 += text.len();
                    self.say(text);
                }
            }
            JobEvent::OutputUpdate(update) => self.output(&update.value),
            JobEvent::JobUpdate(update) => self.update(update),
            _ => {}
        }
    }

    fn update(&mut self, update: &JobUpdate) {
        let error = update.error.as_deref();
        match update.status {
            JobStatus::Completed => {
                if !self.spoke {
                    self.say(NOTHING_SAID);
                }
                self.ready
                    .push_back(Ok(ChatEvent::Finish(FinishReason::Stop)));
                self.ended = true;
            }
            JobStatus::Failed => {
                self.fail(
                    ModelErrorKind::Server,
                    error.unwrap_or("the workflow failed"),
                );
            }
            JobStatus::Cancelled => self.fail(ModelErrorKind::Server, "the run was cancelled"),
            JobStatus::Suspended => {
                let message = "the workflow waits for something from outside, which a conversation cannot give it";
                self.fail(ModelErrorKind::Server, message);
            }
            _ => {}
        }
    }

    /// A value of an output.
    fn output(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::Str(text) => self.text(text),
            Value::Map(map) => match map.get("type").and_then(Value::as_str) {
                Some("chunk") => self.piece(value),
                Some(kind @ ("image" | "audio" | "video")) => match media(value, kind) {
                    Some(media) => {
                        self.spoke = true;
                        self.ready.push_back(Ok(ChatEvent::File(media)));
                    }
                    None => self.text(&json(value)),
                },
                Some("message") => match value.get("content") {
                    Some(Value::List(parts)) => parts.iter().for_each(|part| self.part(part)),
                    Some(content) => self.output(content),
                    None => {}
                },
                _ => self.text(&json(value)),
            },
            Value::List(items) if items.iter().all(|item| item.as_str().is_some()) => {
                let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                self.text(&texts.join("\n"));
            }
            Value::List(items) if items.iter().all(|item| item.type_tag().is_some()) => {
                items.iter().for_each(|item| self.output(item));
            }
            other => self.text(&json(other)),
        }
    }

    /// A part of a message.
    fn part(&mut self, part: &Value) {
        match part.get("type").and_then(Value::as_str) {
            Some("text") => {
                let text = part.get("text").and_then(Value::as_str);
                self.text(text.unwrap_or_default());
            }
            Some("image_url") => part
                .get("image")
                .into_iter()
                .for_each(|image| self.output(image)),
            Some(kind @ ("audio" | "video")) => {
                part.get(kind)
                    .into_iter()
                    .for_each(|file| self.output(file));
            }
            _ => {}
        }
    }

    fn piece(&mut self, chunk: &Value) {
        let field = |key: &str| chunk.get(key);
        let kind = field("content_type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind != "text") {
            return;
        }
        let text = field("content").and_then(Value::as_str).unwrap_or_default();
        match field("thinking").and_then(Value::as_bool) {
            Some(true) => self.think(text),
            _ => self.say(text),
        }
    }

    /// A whole text, of which pieces may have been said before.
    fn text(&mut self, text: &str) {
        let (begin, length) = std::mem::take(&mut self.live);
        if length > 0 && (text.starts_with(&begin) || begin.starts_with(text)) {
            if let Some(rest) = text.get(length..) {
                self.say(rest);
            }
            return;
        }
        if self.spoke && !text.is_empty() {
            self.say("\n");
        }
        self.say(text);
    }
}

fn json(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn media(value: &Value, kind: &str) -> Option<Media> {
    let uri = value.get("uri").and_then(Value::as_str).unwrap_or_default();
    if let Some(Value::Bytes(bytes)) = decode_data_uri(uri) {
        let mime = uri.strip_prefix("data:")?.split([';', ',']).next()?;
        let known = mime.split('/').next() == Some(kind);
        let mime = if known {
            mime.to_owned()
        } else {
            format!("{kind}/*")
        };
        return Some(Media::bytes(mime, bytes));
    }
    (uri.starts_with("https://") || uri.starts_with("http://")).then(|| Media {
        mime: format!("{kind}/*"),
        name: None,
        source: MediaSource::Url(uri.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::{Map, OutputUpdate};

    use super::*;

    fn output(value: impl Into<Value>) -> JobEvent {
        JobEvent::OutputUpdate(OutputUpdate {
            node_id: "o".into(),
            node_name: "out".into(),
            output_name: "out".into(),
            value: value.into(),
            output_type: "any".into(),
            metadata: Map::new(),
            workflow_id: None,
        })
    }

    fn chunk(node: &str, text: &str, thinking: bool) -> JobEvent {
        JobEvent::Chunk {
            node_id: Some(node.into()),
            thread_id: None,
            workflow_id: None,
            content_type: "text".into(),
            content: text.into(),
            content_metadata: Map::new(),
            done: false,
            thinking,
        }
    }

    fn end(status: JobStatus) -> JobEvent {
        JobEvent::JobUpdate(JobUpdate {
            error: (status == JobStatus::Failed).then(|| "it broke".into()),
            ..JobUpdate::new(status, "j".into(), "w".into())
        })
    }

    fn told(events: &[JobEvent]) -> Vec<Result<ChatEvent, ModelError>> {
        let mut teller = Teller::new(HashSet::from(["a".into()]));
        events.iter().for_each(|event| teller.tell(event));
        teller.ready.into()
    }

    fn said(events: &[JobEvent]) -> String {
        let texts = told(events).into_iter().filter_map(|event| match event {
            Ok(ChatEvent::Text(text)) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    #[test]
    fn what_was_said_in_pieces_is_not_said_again() {
        let pieces = [
            chunk("a", "Hel", false),
            chunk("b", "noise", false),
            chunk("a", "lo", false),
        ];
        let with = |last: &str| said(&[&pieces[..], &[output(last)]].concat());
        assert_eq!(with("Hello"), "Hello");
        assert_eq!(with("Hello there"), "Hello there");
        assert_eq!(with("Hel"), "Hello");
        assert_eq!(with("Bye"), "Hello\nBye");
        let long = "é".repeat(KNOWN_BY);
        assert_eq!(
            said(&[chunk("a", &long, false), output(long.as_str())]),
            long
        );
    }

    #[test]
    fn values_of_outputs_are_said_in_their_forms() {
        assert_eq!(said(&[output("a"), output("b")]), "a\nb");
        let piece = |text: &str| {
            Value::map([
                ("type", Value::from("chunk")),
                ("content", text.into()),
                ("content_type", "text".into()),
            ])
        };
        assert_eq!(said(&[output(piece("a")), output(piece("b"))]), "ab");
        assert_eq!(said(&[output(3i64)]), "3");
        assert_eq!(
            said(&[output(Value::list(["x".into(), "y".into()]))]),
            "x\ny"
        );
        let message = Value::map([("type", Value::from("message")), ("content", "m".into())]);
        assert_eq!(said(&[output(message)]), "m");
        let image = Value::map([
            ("type", Value::from("image")),
            ("uri", "data:image/png;base64,aGk=".into()),
        ]);
        let told = told(&[output(image)]);
        assert_eq!(told, [Ok(ChatEvent::File(Media::bytes("image/png", "hi")))]);
    }

    #[test]
    fn a_run_ends_as_an_answer_does() {
        let finish = Ok(ChatEvent::Finish(FinishReason::Stop));
        assert_eq!(told(&[end(JobStatus::Completed)]).pop(), Some(finish));
        assert_eq!(said(&[end(JobStatus::Completed)]), NOTHING_SAID);
        let thought = told(&[
            chunk("a", "hm", true),
            end(JobStatus::Failed),
            output("late"),
        ]);
        assert_eq!(thought[0], Ok(ChatEvent::Reasoning("hm".into())));
        let failure = thought[1].as_ref().unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.code.as_deref()),
            ("it broke", Some(WORKFLOW_FAILED))
        );
        assert_eq!(thought.len(), 2);
    }
}
