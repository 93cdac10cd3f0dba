//! Chats: what a person says in a thread is stored, answered by a model, an agent, a workflow or a maker of media, and
//! the answer is stored before it is told.
//!
//! A thread has one turn at a time. A turn belongs to this service and not to a socket: it goes on when its listeners
//! have gone, and ends by itself, because it is stopped, because the person says something else, or with the server. It
//! must not know sockets or HTTP.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nodetool_protocol::{Map, Value};
use nodetool_sdk::agent::Budgets;
use nodetool_sdk::models::{ModelError, ModelErrorKind};
use nodetool_sdk::services::Assets;
use nodetool_store::{MessageRow, new_id, now_micros};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    AssetOrigin, AssetService, Caller, CollectionService, JobService, ModelService, ThreadError,
    ThreadService, ToolService, WorkflowService,
};

mod agent_mode;
mod ask;
mod client_tools;
mod content;
mod faults;
mod feed;
mod files;
mod inference;
mod knowledge;
mod making;
mod permission;
mod prompt;
mod regular;
mod title;
mod toolbox;
mod turn;
mod workflow;
mod workflow_name;

pub(crate) use ask::{AskFault, ChatAsk, permission_mode};
pub(crate) use client_tools::Manifest;
pub(crate) use faults::error_frame;
pub(crate) use feed::{ChatFeed, ChatFrame, ChatWatch, KeptTurns, TakenTurns};
pub(crate) use inference::InferenceAsk;
pub(crate) use permission::PermissionMode;
pub(crate) use title::TitleError;
pub(crate) use workflow_name::NamingError;

use client_tools::Waiting;
use permission::Permissions;
use turn::Turn;

/// Turns of one user at the same time.
const MOST_TURNS: usize = 64;
/// Bytes that the messages of threads without a turn and without listeners may hold together.
const IDLE_BYTES: usize = 32 << 20;

/// What the operator says about chats.
#[derive(Clone, Debug)]
pub(crate) struct ChatSettings {
    pub(crate) kept: KeptTurns,
    /// How long a client may take to answer the call of one of its tools.
    pub(crate) client_tool: Duration,
    /// Folder that files of turns are in.
    pub(crate) workspace: PathBuf,
    /// What a turn of an agent may take.
    pub(crate) agent: Budgets,
}

/// What the service is made of.
pub(crate) struct ChatParts {
    pub(crate) threads: ThreadService,
    pub(crate) models: ModelService,
    pub(crate) jobs: JobService,
    pub(crate) workflows: WorkflowService,
    pub(crate) assets: AssetService,
    pub(crate) tools: ToolService,
    pub(crate) collections: CollectionService,
    pub(crate) settings: ChatSettings,
}

/// Why nothing is answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatError {
    #[error("{}: {}", .0.path, .0.reason)]
    Ask(AskFault),
    #[error(transparent)]
    Thread(#[from] ThreadError),
    #[error(transparent)]
    Model(ModelError),
    #[error("Too many chats are being answered; wait for one to end")]
    TooMany,
    #[error("The server is shutting down")]
    ShuttingDown,
}

/// Why a turn ends before it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Its user asked for it.
    Stopped,
    /// Its user said something else.
    Replaced,
    /// The server goes.
    ShuttingDown,
}

/// The grip on a turn at work.
#[derive(Default)]
struct Live {
    cut: CancellationToken,
    why: OnceLock<Cut>,
    over: CancellationToken,
    /// Number of the message that says that it was stopped.
    stopped_at: OnceLock<u64>,
    job_id: OnceLock<Arc<str>>,
}

impl Live {
    fn end(&self, why: Cut) {
        let _ = self.why.set(why);
        self.cut.cancel();
    }
}

/// A thread with its messages and its turn.
struct Seat {
    feed: Arc<ChatFeed>,
    /// Turns begin one after the other.
    lane: tokio::sync::Mutex<()>,
    live: Mutex<Option<Arc<Live>>>,
}

impl Seat {
    fn live(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user's and the thread's id.
type Key = (Arc<str>, Arc<str>);

struct Inner {
    parts: ChatParts,
    seats: Mutex<HashMap<Key, Arc<Seat>>>,
    tasks: TaskTracker,
    waiting: Waiting,
    permissions: Permissions,
}

/// Answers what people say; clones share everything.
#[derive(Clone)]
pub(crate) struct ChatService(Arc<Inner>);

/// A turn that is stored and about to begin: it does when this is dropped, so that its listeners can be there first.
pub(crate) struct Begun {
    pub(crate) feed: Arc<ChatFeed>,
    /// Number of the last message before it.
    pub(crate) after: u64,
    turn: Option<Turn>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            turn.service.0.tasks.clone().spawn(turn.see_through());
        }
    }
}

/// How a stopped turn was told.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    /// Number of the message in the thread's feed that says so.
    pub(crate) number: u64,
}

impl ChatService {
    pub(crate) fn new(parts: ChatParts) -> Self {
        ChatService(Arc::new(Inner {
            parts,
            seats: Mutex::default(),
            tasks: TaskTracker::new(),
            waiting: Waiting::default(),
            permissions: Permissions::default(),
        }))
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<Key, Arc<Seat>>> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(caller: &Caller, thread_id: &str) -> Key {
        (caller.user_id.as_str().into(), thread_id.into())
    }

    /// Stores what a person says and gets its answer ready; a turn of the same thread that is still at work ends.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        ask: ChatAsk,
        manifest: Manifest,
    ) -> Result<Begun, ChatError> {
        if self.0.tasks.is_closed() {
            return Err(ChatError::ShuttingDown);
        }
        // What began is brought to its end even if whoever asked has gone.
        let (service, caller) = (self.clone(), caller.clone());
        let work = async move { service.begin_here(caller, ask, manifest).await };
        match self.0.tasks.spawn(work).await {
            Ok(begun) => begun,
            Err(e) => {
                tracing::error!(error = %e, "the beginning of a chat turn broke off");
                Err(ChatError::ShuttingDown)
            }
        }
    }

    async fn begin_here(
        &self,
        caller: Caller,
        mut ask: ChatAsk,
        manifest: Manifest,
    ) -> Result<Begun, ChatError> {
        if self.active(&caller).len() >= MOST_TURNS {
            return Err(ChatError::TooMany);
        }
        if ask.model.is_empty() && ask.route() == ask.without_workflow() {
            let chosen = self
                .0
                .parts
                .models
                .choose(&caller.user_id, &ask.provider, "");
            if let Err(e) = chosen.await
                && e.kind == ModelErrorKind::NoModel
            {
                return Err(ChatError::Model(e));
            }
        }
        let named = ask.thread_id.clone();
        let there = match &named {
            Some(id) => self.has_messages(&caller, id).await?,
            None => false,
        };
        let thread_id = named.unwrap_or_else(|| new_id().into());
        let assets = self.assets(&caller);
        content::keep(&mut ask, &*assets)
            .await
            .map_err(ChatError::Ask)?;
        let seat = self.seat(&caller, &thread_id, there);
        let lane = seat.lane.lock().await;
        let earlier = seat.live().clone();
        if let Some(live) = earlier {
            live.end(Cut::Replaced);
            live.over.cancelled().await;
        }
        let said = self.row(&caller, &ask, &thread_id)?;
        self.0.parts.threads.begin(&caller, &said).await?;
        if let Some(mode) = ask.permission_mode {
            self.set_permission_mode(&caller, &thread_id, mode);
        }
        let live = Arc::new(Live::default());
        *seat.live() = Some(live.clone());
        seat.feed.turn_begins();
        drop(lane);
        Ok(Begun {
            feed: seat.feed.clone(),
            after: seat.feed.next_number() - 1,
            turn: Some(Turn {
                service: self.clone(),
                caller,
                ask,
                said,
                thread_id,
                manifest,
                assets,
                over: turn::Over { seat, live },
            }),
        })
    }

    /// Whether something was said in a thread; one of somebody else is refused.
    async fn has_messages(&self, caller: &Caller, thread_id: &str) -> Result<bool, ThreadError> {
        let threads = &self.0.parts.threads;
        Ok(threads.is_there(caller, thread_id).await?
            && !threads.recent(caller, thread_id, 1).await?.is_empty())
    }

    /// The assets of a user's chats.
    fn assets(&self, caller: &Caller) -> Arc<dyn Assets> {
        self.0.parts.assets.of_run(AssetOrigin {
            caller: caller.clone(),
            workflow_id: None,
            job_id: None,
        })
    }

    /// What a person says, as it is stored.
    fn row(
        &self,
        caller: &Caller,
        ask: &ChatAsk,
        thread_id: &str,
    ) -> Result<MessageRow, ThreadError> {
        let json = |value: Option<Value>| {
            let text = value.filter(|v| !v.is_null());
            text.map(|v| serde_json::to_string(&v)).transpose()
        };
        let names = |names: &Option<Vec<String>>| {
            let names = names.as_ref();
            names.map(|names| Value::list(names.iter().map(|n| n.as_str().into())))
        };
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Ok(MessageRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            thread_id: thread_id.to_owned(),
            created_at: now_micros(),
            role: ask.role.clone(),
            name: ask.name.clone(),
            content: json(Some(ask.content.clone()))?,
            tool_call_id: ask.tool_call_id.clone(),
            tool_calls: json(ask.tool_calls.clone())?,
            workflow_id: text(&ask.workflow_id),
            graph: json(ask.graph.clone().map(Value::Map))?,
            tools: json(names(&ask.tools))?,
            collections: json(names(&ask.collections))?,
            input_files: json(ask.input_files.clone())?,
            provider: given(&ask.provider),
            model: given(&ask.model),
            agent_mode: Some(ask.agent_mode),
            help_mode: Some(ask.help_mode),
            workflow_target: text(&ask.workflow_target),
            workflow_message_input_name: text(&ask.message_input),
            workflow_messages_input_name: text(&ask.messages_input),
            ..MessageRow::default()
        })
    }

    /// The seat of a thread. The numbers of a thread with messages that are older than its seat begin above all that may have been
    /// given out before: with the time.
    fn seat(&self, caller: &Caller, thread_id: &Arc<str>, there: bool) -> Arc<Seat> {
        let mut seats = self.seats();
        self.sweep(&mut seats);
        let key = Self::key(caller, thread_id);
        let kept = self.0.parts.settings.kept.clone();
        let seat = seats.entry(key).or_insert_with(|| {
            let first = match there {
                true => now_micros().max(1).cast_unsigned(),
                false => 1,
            };
            Arc::new(Seat {
                feed: Arc::new(ChatFeed::new(thread_id.clone(), first, kept)),
                lane: tokio::sync::Mutex::default(),
                live: Mutex::default(),
            })
        });
        seat.clone()
    }

    /// Forgets threads nobody listens to, whose turns ended long ago or that hold too much together.
    fn sweep(&self, seats: &mut HashMap<Key, Arc<Seat>>) {
        let after_end = self.0.parts.settings.kept.after_end;
        let mut idle: Vec<(Duration, usize, Key)> = Vec::new();
        seats.retain(|key, seat| {
            // Whoever holds it is about to begin a turn.
            let used = Arc::strong_count(seat) > 1 || *seat.feed.attached().borrow() > 0;
            match seat.feed.idle() {
                (weight, Some(age)) if !used => {
                    idle.push((age, weight, key.clone()));
                    age <= after_end
                }
                _ => true,
            }
        });
        idle.sort_by_key(|(age, ..)| *age);
        let mut sum = 0;
        for (_, weight, key) in idle {
            sum += weight;
            if sum > IDLE_BYTES {
                seats.remove(&key);
            }
        }
    }

    /// The messages of a thread of the caller's that had a turn lately.
    pub(crate) fn feed(&self, caller: &Caller, thread_id: &str) -> Option<Arc<ChatFeed>> {
        let mut seats = self.seats();
        self.sweep(&mut seats);
        let seat = seats.get(&Self::key(caller, thread_id));
        seat.map(|seat| seat.feed.clone())
    }

    /// The caller's threads with a turn at work.
    pub(crate) fn active(&self, caller: &Caller) -> Vec<Arc<ChatFeed>> {
        let seats = self.seats();
        let own = seats
            .iter()
            .filter(|((user, _), _)| **user == *caller.user_id);
        let mut active: Vec<_> = own
            .filter(|(_, seat)| seat.live().is_some())
            .map(|(_, seat)| seat.feed.clone())
            .collect();
        active.sort_by(|a, b| a.thread_id().cmp(b.thread_id()));
        active
    }

    /// Ends the turn of a thread and waits until it has told so; nothing when the caller has none at work there.
    pub(crate) async fn stop(&self, caller: &Caller, thread_id: &str) -> Option<Stopped> {
        let seat = self.seats().get(&Self::key(caller, thread_id)).cloned()?;
        let live = seat.live().clone()?;
        live.end(Cut::Stopped);
        live.over.cancelled().await;
        let number = *live.stopped_at.get()?;
        Some(Stopped { number })
    }

    /// Says how freely tools are called in a thread of the caller's, from the next call on.
    pub(crate) fn set_permission_mode(
        &self,
        caller: &Caller,
        thread_id: &Arc<str>,
        mode: PermissionMode,
    ) {
        let user_id = caller.user_id.as_str().into();
        self.0.permissions.set(&user_id, thread_id, mode);
    }

    /// The answer of a client to the call of one of its tools, or to the question whether one of ours may be called.
    /// Late and unknown ones are let go.
    pub(crate) fn tool_result(&self, caller: &Caller, answer: &Map) {
        self.0.waiting.answer(&caller.user_id, answer);
    }

    /// Takes no new turns and waits for those at work; what is left then keeps what was said so far.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(grace, self.0.tasks.wait())
            .await
            .is_ok()
        {
            return;
        }
        let seats: Vec<Arc<Seat>> = self.seats().values().cloned().collect();
        for seat in seats {
            if let Some(live) = &*seat.live() {
                live.end(Cut::ShuttingDown);
            }
        }
        let ended = tokio::time::timeout(Duration::from_secs(4), self.0.tasks.wait());
        if ended.await.is_err() {
            tracing::warn!(turns = self.0.tasks.len(), "chat turns did not end in time");
        }
    }
}
