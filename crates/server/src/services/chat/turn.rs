//! One turn of a thread, from the stored question to the end marker. One task for each turn.
//!
//! Whoever answers runs in a future that is dropped when the turn is cut short, and speaks through a [`Voice`]; what it
//! says is stored and told here, outside of that future, so that nothing is stored by half and nothing that was told is
//! forgotten.

use std::sync::Arc;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::agent::{close_open_calls, trim};
use nodetool_sdk::models::{ChatMessage, ModelError};
use nodetool_sdk::services::Assets;
use nodetool_store::{MessageRow, new_id, now_micros};
use tokio::sync::{mpsc, oneshot};

use super::ask::Route;
use super::faults::{self, end_marker, stopped};
use super::{ChatAsk, ChatService, Cut, Live, Manifest, Seat};
use super::{agent_mode, making, regular, workflow};
use crate::services::{Caller, MOST_MESSAGES, ThreadError, WorkflowError, fetch, record, spoken};

/// Tokens of a conversation and its answer together, and of the answer.
const CONTEXT: usize = 32_000;
const ANSWER: usize = 8_192;
/// Tokens of a conversation.
pub(super) const WINDOW: usize = CONTEXT - ANSWER;
/// Things that are said and not yet taken.
const WAITING: usize = 64;

/// About how many tokens a text has: one for four bytes, and at least one for each word.
pub(super) fn tokens(text: &str) -> usize {
    let words = text.split_whitespace().count();
    words.max(text.len().div_ceil(4))
}

/// Something that is said in a turn.
enum Said {
    /// A piece of the answer.
    Text(String),
    /// Told and not stored.
    Frame(Map),
    /// Stored, then told with more fields; then whoever said it goes on.
    Message(Box<MessageRow>, Map, oneshot::Sender<()>),
}

/// Says things in a turn; clones say it in the same.
#[derive(Clone)]
pub(super) struct Voice(mpsc::Sender<Said>);

impl Voice {
    /// A voice nobody hears.
    #[cfg(test)]
    pub(super) fn unheard() -> Self {
        Voice(mpsc::channel(1).0)
    }

    async fn say(&self, said: Said) {
        // Nobody listens any more once the turn was cut short, and then this future is dropped.
        let _ = self.0.send(said).await;
    }

    /// A piece of the answer, kept as part of a message if the turn is cut short.
    pub(super) async fn text(&self, piece: String) {
        self.say(Said::Text(piece)).await;
    }

    /// A message that is told and not stored.
    pub(super) async fn frame(&self, frame: Map) {
        self.say(Said::Frame(frame)).await;
    }

    /// A message that is stored, and then told. Resolves when it has been.
    pub(super) async fn message(&self, row: MessageRow) {
        self.message_with(row, Map::new()).await;
    }

    /// A message that is stored, and then told with more fields.
    pub(super) async fn message_with(&self, row: MessageRow, more: Map) {
        let (stored, heard) = oneshot::channel();
        self.say(Said::Message(Box::new(row), more, stored)).await;
        let _ = heard.await;
    }
}

/// Why a turn failed.
#[derive(Debug)]
pub(super) enum TurnError {
    Model(ModelError),
    /// An agent did not come to its end.
    Agent(String),
    /// A workflow did not; how the sentence about it begins.
    Workflow(&'static str, String),
    Plain(String),
    /// Something of ours; the log says what.
    Internal(&'static str, String),
}

impl From<ThreadError> for TurnError {
    fn from(e: ThreadError) -> Self {
        match e {
            ThreadError::NoThread => TurnError::Plain("The thread was deleted".into()),
            e => TurnError::Internal("a message could not be stored or read", e.to_string()),
        }
    }
}

/// The end of a turn, however it comes.
pub(super) struct Over {
    pub(super) seat: Arc<Seat>,
    pub(super) live: Arc<Live>,
}

impl Drop for Over {
    fn drop(&mut self) {
        let mut live = self.seat.live();
        if live.as_ref().is_some_and(|l| Arc::ptr_eq(l, &self.live)) {
            *live = None;
            self.seat.feed.turn_ended();
        }
        drop(live);
        self.live.over.cancel();
    }
}

/// A turn.
pub(super) struct Turn {
    pub(super) service: ChatService,
    pub(super) caller: Caller,
    pub(super) ask: ChatAsk,
    /// What was said, as it is stored.
    pub(super) said: MessageRow,
    pub(super) thread_id: Arc<str>,
    /// Tools of the client.
    pub(super) manifest: Manifest,
    pub(super) assets: Arc<dyn Assets>,
    pub(super) over: Over,
}

/// How the answer ended.
enum Ended {
    Answered(Result<Map, TurnError>),
    Cut(Cut),
}

impl Turn {
    /// Answers, stores and tells the answer and its end.
    pub(super) async fn see_through(self) {
        let live = self.over.live.clone();
        let mut scribe = Scribe {
            turn: &self,
            partial: String::new(),
            last: self.said.created_at,
        };
        let (tx, mut rx) = mpsc::channel(WAITING);
        let mut ended = {
            let work = self.answer(Voice(tx));
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    () = live.cut.cancelled() => {
                        break Ended::Cut(live.why.get().copied().unwrap_or(Cut::Stopped));
                    }
                    Some(said) = rx.recv() => {
                        if let Err(e) = scribe.take(said).await {
                            break Ended::Answered(Err(e.into()));
                        }
                    }
                    answered = &mut work => break Ended::Answered(answered),
                }
            }
        };
        // What was said just before the end.
        while let Ok(said) = rx.try_recv() {
            if let Err(e) = scribe.take(said).await {
                ended = Ended::Answered(Err(e.into()));
            }
        }
        scribe.finish(ended).await;
    }

    /// Who answers; gives what the end marker says beyond the usual.
    async fn answer(&self, voice: Voice) -> Result<Map, TurnError> {
        let route = match self.ask.route() {
            Route::PerhapsWorkflow if self.is_chat_workflow().await? => Route::Workflow,
            Route::PerhapsWorkflow => self.ask.without_workflow(),
            route => route,
        };
        match route {
            Route::Workflow => workflow::answer(self, &voice).await,
            Route::Media => making::answer(self, &voice).await.map(|()| Map::new()),
            Route::Agent => agent_mode::answer(self, &voice).await.map(|()| Map::new()),
            Route::Regular | Route::PerhapsWorkflow => {
                regular::answer(self, &voice).await.map(|()| Map::new())
            }
        }
    }

    /// Whether the workflow that the message is about is made for chats.
    async fn is_chat_workflow(&self) -> Result<bool, TurnError> {
        let Some(id) = &self.ask.workflow_id else {
            return Ok(false);
        };
        let found = self.service.0.parts.workflows.get(&self.caller, id).await;
        match found {
            Ok(row) => Ok(row.run_mode.as_deref() == Some("chat")),
            // It is only what the message is about.
            Err(WorkflowError::NotFound) => Ok(false),
            Err(e) => Err(TurnError::Internal(
                "a workflow could not be read",
                e.to_string(),
            )),
        }
    }

    /// The stored messages of the thread, the new one last.
    pub(super) async fn rows(&self) -> Result<Vec<MessageRow>, TurnError> {
        let threads = &self.service.0.parts.threads;
        let rows = threads.recent(&self.caller, &self.thread_id, MOST_MESSAGES);
        Ok(rows.await?)
    }

    /// The conversation as a model is told it: within the window, every tool call with its answer, contents at hand.
    pub(super) async fn history(&self) -> Result<Vec<ChatMessage>, TurnError> {
        let rows = self.rows().await?;
        let messages = close_open_calls(rows.iter().filter_map(spoken).collect());
        let mut messages = trim(messages, WINDOW, &tokens);
        fetch(&mut messages, &*self.assets).await;
        Ok(messages)
    }

    /// A frame of this turn.
    pub(super) fn frame<const N: usize>(
        &self,
        kind: &'static str,
        pairs: [(&'static str, Value); N],
    ) -> Map {
        let mut frame = Map::with_capacity(N + 4);
        frame.insert("type".into(), kind.into());
        frame.insert("thread_id".into(), self.thread_id.clone().into());
        frame.insert("workflow_id".into(), self.ask.workflow_id.clone().into());
        frame.extend(pairs.into_iter().map(|(k, v)| (k.into(), v)));
        frame
    }

    /// A piece of text as a frame.
    pub(super) fn chunk(&self, text: String, thinking: bool) -> Map {
        self.frame(
            "chunk",
            [
                ("node_id", Value::Null),
                ("content_type", "text".into()),
                ("content", text.into()),
                ("content_metadata", Map::new().into()),
                ("done", false.into()),
                ("thinking", thinking.into()),
            ],
        )
    }

    /// A message of the assistant with this content.
    pub(super) fn says(&self, content: &Value) -> MessageRow {
        MessageRow {
            role: "assistant".to_owned(),
            content: serde_json::to_string(content).ok(),
            ..MessageRow::default()
        }
    }
}

/// Stores and tells what is said in a turn.
struct Scribe<'a> {
    turn: &'a Turn,
    /// The answer since the last whole message.
    partial: String,
    /// Time of the last stored message; the next is later.
    last: i64,
}

impl Scribe<'_> {
    fn send(&self, frame: Map) -> u64 {
        self.turn.over.seat.feed.send(frame)
    }

    async fn take(&mut self, said: Said) -> Result<(), ThreadError> {
        match said {
            Said::Text(piece) => {
                self.partial.push_str(&piece);
                self.send(self.turn.chunk(piece, false));
                Ok(())
            }
            Said::Frame(frame) => {
                self.send(frame);
                Ok(())
            }
            Said::Message(row, more, stored) => {
                self.store(*row, more).await?;
                // Whoever said it may have been dropped meanwhile.
                let _ = stored.send(());
                Ok(())
            }
        }
    }

    async fn store(&mut self, mut row: MessageRow, more: Map) -> Result<(), ThreadError> {
        let turn = self.turn;
        row.id = new_id();
        row.user_id.clone_from(&turn.caller.user_id);
        row.thread_id = turn.thread_id.to_string();
        row.created_at = now_micros().max(self.last + 1);
        self.last = row.created_at;
        row.workflow_id = turn.ask.workflow_id.as_deref().map(str::to_owned);
        for (column, given) in [
            (&mut row.provider, &turn.ask.provider),
            (&mut row.model, &turn.ask.model),
        ] {
            if column.is_none() && !given.is_empty() {
                *column = Some(given.clone());
            }
        }
        row.agent_mode.get_or_insert(turn.ask.agent_mode);
        row.help_mode.get_or_insert(turn.ask.help_mode);
        turn.service.0.parts.threads.add(&row).await?;
        if row.role == "assistant" {
            self.partial.clear();
        }
        let mut frame = record(&row);
        frame.extend(more);
        self.send(frame);
        Ok(())
    }

    async fn say(&mut self, text: String) {
        let row = self.turn.says(&text.into());
        if let Err(e) = self.store(row, Map::new()).await {
            tracing::error!(thread.id = %self.turn.thread_id, error = %e, "a message of a chat could not be stored");
        }
    }

    async fn finish(mut self, ended: Ended) {
        let partial = std::mem::take(&mut self.partial);
        match ended {
            Ended::Answered(Ok(more)) => {
                // Who answers well has said whole messages only.
                self.send(end_marker(self.turn, more));
            }
            Ended::Answered(Err(e)) => {
                if !partial.is_empty() {
                    self.say(partial).await;
                }
                let told = faults::told(self.turn, e);
                self.send(told.frame);
                if let Some(text) = told.message {
                    self.say(text).await;
                }
                self.send(end_marker(self.turn, Map::new()));
            }
            Ended::Cut(why) => {
                if !partial.is_empty() {
                    self.say(partial).await;
                }
                if why == Cut::Stopped {
                    let live = &self.turn.over.live;
                    let number = self.send(stopped(self.turn, live.job_id.get()));
                    let _ = live.stopped_at.set(number);
                }
            }
        }
    }
}
