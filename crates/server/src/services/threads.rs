//! Threads and the messages in them.

use nodetool_protocol::Value;
use nodetool_store::{MessageRow, Page, Store, StoreError, ThreadRow, new_id, now_micros};

use super::{Caller, Changes, Happened};

mod conversations;
mod record;
mod spoken;

pub(crate) use conversations::ThreadsOf;
pub(crate) use record::record;
pub(crate) use spoken::{base64_bytes, fetch, keep_media, mime_of, spoken, to_row};

/// The title of a thread nobody has named.
pub(crate) const DEFAULT_TITLE: &str = "New Thread";

/// Most messages of a conversation that a model is told.
pub(crate) const MOST_MESSAGES: usize = 1000;

/// Why a thread or message use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadError {
    #[error("Thread not found")]
    NoThread,
    #[error("Message not found")]
    NoMessage,
    #[error("a message cannot be written as JSON")]
    Unwritable(#[from] serde_json::Error),
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for ThreadError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::NotFound { .. } => ThreadError::NoThread,
            e => ThreadError::Store(e),
        }
    }
}

/// What a client says.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewMessage {
    /// Where it belongs; a new thread when absent.
    pub(crate) thread_id: Option<String>,
    pub(crate) tool_call_id: Option<String>,
    pub(crate) role: String,
    pub(crate) name: Option<String>,
    pub(crate) content: Option<Value>,
    pub(crate) tool_calls: Option<Value>,
}

/// Part of a list: which way round, how many, from where.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) newest_first: bool,
    pub(crate) limit: usize,
    pub(crate) cursor: String,
}

/// The one owner of thread and message rows in this process.
#[derive(Clone)]
pub(crate) struct ThreadService {
    store: Store,
    changes: Changes,
}

impl ThreadService {
    pub(crate) fn new(store: Store, changes: Changes) -> Self {
        ThreadService { store, changes }
    }

    pub(crate) async fn create(
        &self,
        caller: &Caller,
        title: Option<String>,
    ) -> Result<ThreadRow, ThreadError> {
        let row = new_thread(caller, title);
        self.store.insert_thread(row.clone()).await?;
        self.tell_thread(Happened::Created, &row);
        Ok(row)
    }

    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<ThreadRow, ThreadError> {
        let row = self.store.get_thread(&caller.user_id, id).await?;
        row.ok_or(ThreadError::NoThread)
    }

    pub(crate) async fn list(
        &self,
        caller: &Caller,
        slice: Slice,
    ) -> Result<Page<ThreadRow>, ThreadError> {
        let Slice {
            newest_first,
            limit,
            cursor,
        } = slice;
        let user = &caller.user_id;
        let page = self.store.list_threads(user, newest_first, limit, &cursor);
        Ok(page.await?)
    }

    pub(crate) async fn rename(
        &self,
        caller: &Caller,
        id: &str,
        title: &str,
    ) -> Result<ThreadRow, ThreadError> {
        let user = &caller.user_id;
        let row = self.store.rename_thread(user, id, title, now_micros());
        let row = row.await?;
        self.tell_thread(Happened::Updated, &row);
        Ok(row)
    }

    /// Deletes a thread and everything said in it.
    pub(crate) async fn delete(&self, caller: &Caller, id: &str) -> Result<(), ThreadError> {
        self.store.delete_thread(&caller.user_id, id).await?;
        let user = &caller.user_id;
        self.changes
            .tell(user, Happened::Deleted, "thread", id, String::new);
        Ok(())
    }

    /// Stores a message in the thread it names, which is made when there is none of that id; gives whether it was.
    pub(crate) async fn begin(
        &self,
        caller: &Caller,
        row: &MessageRow,
    ) -> Result<bool, ThreadError> {
        let thread = ThreadRow {
            id: row.thread_id.clone(),
            ..new_thread(caller, None)
        };
        // The last try is for a thread that was made a moment ago; one of another user stays out of sight.
        for new in [None, Some(thread.clone()), None] {
            let begun = new.is_some();
            match self.store.insert_message(row.clone(), new).await {
                Ok(()) => {
                    if begun {
                        self.tell_thread(Happened::Created, &thread);
                    }
                    self.tell_message(row);
                    return Ok(begun);
                }
                Err(
                    StoreError::NotFound { .. } | StoreError::AlreadyExists { kind: "thread", .. },
                ) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(ThreadError::NoThread)
    }

    /// Whether a thread is there; one of somebody else is refused as one that is not found.
    pub(crate) async fn is_there(&self, caller: &Caller, id: &str) -> Result<bool, ThreadError> {
        match self.store.thread_owner(id).await? {
            None => Ok(false),
            Some(owner) if owner == caller.user_id => Ok(true),
            Some(_) => Err(ThreadError::NoThread),
        }
    }

    /// Stores a message in a thread that is there.
    pub(crate) async fn add(&self, row: &MessageRow) -> Result<(), ThreadError> {
        self.store.insert_message(row.clone(), None).await?;
        self.tell_message(row);
        Ok(())
    }

    /// The newest messages of a thread, oldest of them first, without those that tell how an agent got on.
    pub(crate) async fn recent(
        &self,
        caller: &Caller,
        thread_id: &str,
        most: usize,
    ) -> Result<Vec<MessageRow>, ThreadError> {
        let user = &caller.user_id;
        Ok(self.store.recent_messages(user, thread_id, most).await?)
    }

    fn tell_message(&self, row: &MessageRow) {
        let user = &row.user_id;
        self.changes
            .tell(user, Happened::Created, "message", &row.id, String::new);
    }

    /// Stores a message, and the thread it begins when it names none.
    pub(crate) async fn say(
        &self,
        caller: &Caller,
        message: NewMessage,
    ) -> Result<MessageRow, ThreadError> {
        let text = |value: Option<Value>| value.as_ref().map(serde_json::to_string).transpose();
        let begun = message
            .thread_id
            .is_none()
            .then(|| new_thread(caller, None));
        let thread_id = match &begun {
            Some(thread) => thread.id.clone(),
            None => message.thread_id.unwrap_or_default(),
        };
        let row = MessageRow {
            id: new_id(),
            user_id: caller.user_id.clone(),
            thread_id,
            created_at: now_micros(),
            role: message.role,
            name: message.name,
            content: text(message.content)?,
            tool_call_id: message.tool_call_id,
            tool_calls: text(message.tool_calls)?,
            ..MessageRow::default()
        };
        self.store
            .insert_message(row.clone(), begun.clone())
            .await?;
        if let Some(thread) = &begun {
            self.tell_thread(Happened::Created, thread);
        }
        self.tell_message(&row);
        Ok(row)
    }

    pub(crate) async fn message(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<MessageRow, ThreadError> {
        let row = self.store.get_message(&caller.user_id, id).await?;
        row.ok_or(ThreadError::NoMessage)
    }

    /// What was said in a thread; nothing in one that is not the caller's.
    pub(crate) async fn messages(
        &self,
        caller: &Caller,
        thread_id: &str,
        slice: Slice,
    ) -> Result<Page<MessageRow>, ThreadError> {
        let Slice {
            newest_first,
            limit,
            cursor,
        } = slice;
        let user = &caller.user_id;
        let page = self
            .store
            .list_messages(user, thread_id, newest_first, limit, &cursor);
        Ok(page.await?)
    }

    fn tell_thread(&self, happened: Happened, row: &ThreadRow) {
        self.changes
            .tell(&row.user_id, happened, "thread", &row.id, || row.etag());
    }
}

fn new_thread(caller: &Caller, title: Option<String>) -> ThreadRow {
    let now = now_micros();
    let title = title.filter(|title| !title.is_empty());
    ThreadRow {
        id: new_id(),
        user_id: caller.user_id.clone(),
        title: Some(title.unwrap_or_else(|| DEFAULT_TITLE.to_owned())),
        created_at: now,
        updated_at: now,
    }
}
