//! The conversations of a user as agents in workflows use them for memory.

use nodetool_sdk::collections::Conversations;
use nodetool_sdk::models::ChatMessage;
use nodetool_sdk::services::Assets;
use nodetool_sdk::{BoxFuture, NodeError};
use nodetool_store::{new_id, now_micros};
use std::sync::Arc;

use super::{MOST_MESSAGES, ThreadError, ThreadService, fetch, spoken, to_row};
use crate::services::{Caller, Happened};

/// The threads of one user.
pub(crate) struct ThreadsOf {
    threads: ThreadService,
    caller: Caller,
    assets: Arc<dyn Assets>,
}

impl ThreadsOf {
    /// The user's threads; files said in them are the run's assets.
    pub(crate) fn new(threads: ThreadService, caller: Caller, assets: Arc<dyn Assets>) -> Self {
        ThreadsOf {
            threads,
            caller,
            assets,
        }
    }

    async fn find_or_begin(&self, id: &str, title: &str) -> Result<String, ThreadError> {
        if !id.is_empty()
            && let Ok(row) = self.threads.get(&self.caller, id).await
        {
            return Ok(row.id);
        }
        let title = Some(title.to_owned());
        let row = self.threads.create(&self.caller, title).await?;
        Ok(row.id)
    }

    async fn said(&self, id: &str) -> Result<Vec<ChatMessage>, ThreadError> {
        let rows = self.threads.recent(&self.caller, id, MOST_MESSAGES).await?;
        let mut messages: Vec<ChatMessage> = rows.iter().filter_map(spoken).collect();
        fetch(&mut messages, &*self.assets).await;
        Ok(messages)
    }

    async fn put(&self, id: &str, messages: Vec<ChatMessage>) -> Result<(), NodeError> {
        let mut rows = Vec::with_capacity(messages.len());
        for (at, message) in (now_micros()..).zip(&messages) {
            let mut row = to_row(message, &*self.assets).await?;
            row.id = new_id();
            row.user_id.clone_from(&self.caller.user_id);
            id.clone_into(&mut row.thread_id);
            // One after the other, however quickly they are said.
            row.created_at = at;
            rows.push(row);
        }
        let stored = self.threads.store.insert_messages(rows.clone()).await;
        stored.map_err(|e| refusal(&e.into()))?;
        rows.iter().for_each(|row| self.threads.tell_message(row));
        if let Ok(thread) = self.threads.get(&self.caller, id).await {
            self.threads.tell_thread(Happened::Updated, &thread);
        }
        Ok(())
    }
}

fn refusal(e: &ThreadError) -> NodeError {
    if let ThreadError::Store(e) = e {
        tracing::error!(error = %e, "the store failed for a node");
        return NodeError::new("The store of conversations failed");
    }
    NodeError::new(e.to_string())
}

impl Conversations for ThreadsOf {
    fn ensure<'a>(
        &'a self,
        id: &'a str,
        title: &'a str,
    ) -> BoxFuture<'a, Result<String, NodeError>> {
        Box::pin(async move {
            let found = self.find_or_begin(id, title).await;
            found.map_err(|e| refusal(&e))
        })
    }

    fn messages<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Vec<ChatMessage>, NodeError>> {
        Box::pin(async move { self.said(id).await.map_err(|e| refusal(&e)) })
    }

    fn add<'a>(
        &'a self,
        id: &'a str,
        messages: Vec<ChatMessage>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(self.put(id, messages))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::models::{Role, ToolCall};
    use nodetool_sdk::services::Services;

    use super::*;
    use crate::services::Changes;

    #[tokio::test]
    async fn what_is_added_is_read_again_by_its_owner_alone() {
        let store = nodetool_store::Store::open_in_memory().unwrap();
        let threads = ThreadService::new(store, Changes::default());
        let of = |user: &str| {
            let assets = Services::none().assets;
            ThreadsOf::new(threads.clone(), Caller::user(user), assets)
        };
        let (ann, bob) = (of("ann"), of("bob"));
        let id = ann.ensure("", "Memory").await.unwrap();
        assert_eq!(ann.ensure(&id, "Other").await.unwrap(), id);
        let call = ToolCall {
            id: "c".into(),
            name: "look".into(),
            arguments: r#"{"at":1}"#.into(),
            ..ToolCall::default()
        };
        let mut calling = ChatMessage::text(Role::Assistant, "let me see");
        calling.tool_calls.push(call.clone());
        let said = vec![
            ChatMessage::text(Role::User, "hello"),
            calling,
            ChatMessage::tool(&call, "{}"),
        ];
        ann.add(&id, said.clone()).await.unwrap();
        assert_eq!(ann.messages(&id).await.unwrap(), said);
        assert!(bob.messages(&id).await.unwrap().is_empty());
        assert!(bob.add(&id, said).await.is_err());
        assert_ne!(bob.ensure(&id, "Mine").await.unwrap(), id);
    }
}
