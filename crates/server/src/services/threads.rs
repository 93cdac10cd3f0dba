//! Threads and the messages in them.

use nodetool_protocol::Value;
use nodetool_store::{MessageRow, Page, Store, StoreError, ThreadRow, new_id, now_micros};

use super::{Caller, Changes, Happened};

/// The title of a thread nobody has named.
pub(crate) const DEFAULT_TITLE: &str = "New Thread";

/// Why a thread or message use case failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ThreadError {
    #[error("Thread not found")]
    NoThread,
    #[error("Message not found")]
    NoMessage,
    #[error("no model provider is set up")]
    NoProvider,
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

    /// Would give a thread a title made by a model.
    pub(crate) async fn summarize(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<ThreadRow, ThreadError> {
        self.get(caller, id).await?;
        Err(ThreadError::NoProvider)
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
        let user = &caller.user_id;
        self.changes
            .tell(user, Happened::Created, "message", &row.id, String::new);
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
