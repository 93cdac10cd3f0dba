//! `nodetool.agents.CreateThread`.

use nodetool_sdk::{Node, NodeCx, NodeError, Outputs, Process};

pub(super) const TITLE: &str = "Agent Conversation";

/// Gives the id of a conversation that is kept, and begins one where there is none.
/// thread, conversation, chat, memory, history
///
/// Agents with the same id remember what was said before.
#[derive(Node)]
#[node(namespace = "nodetool.agents", uncached, effect = "once")]
pub(super) struct CreateThread {
    /// Title of a new conversation.
    #[prop(default = TITLE)]
    title: Option<String>,
    /// The conversation to go on with. A new one is begun when this is none of yours.
    thread_id: String,
}

/// The conversation.
#[derive(Outputs)]
pub(super) struct Thread {
    thread_id: String,
}

impl Process for CreateThread {
    type Output = Thread;

    async fn process(self, cx: &NodeCx) -> Result<Thread, NodeError> {
        let title = self.title.unwrap_or_default();
        let title = match title.trim() {
            "" => TITLE,
            title => title,
        };
        let conversations = &cx.services().conversations;
        let thread_id = conversations.ensure(self.thread_id.trim(), title).await?;
        Ok(Thread { thread_id })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::Value;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{case, context, context_with};

    use super::*;
    use crate::agents::history::testing::Kept;

    #[tokio::test]
    async fn a_known_conversation_goes_on_and_another_begins() {
        let kept = Arc::new(Kept::with("t1", Vec::new()));
        let run = async |id: &str, title: Value| {
            let services = Services {
                conversations: kept.clone(),
                ..Services::none()
            };
            let given = case::<CreateThread>()
                .set("thread_id", id)
                .set("title", title)
                .within(context_with(services, None))
                .run()
                .await;
            given.unwrap()[0]["thread_id"].as_str().map(str::to_owned)
        };
        assert_eq!(run("t1", "Other".into()).await.as_deref(), Some("t1"));
        let begun = run("", Value::Null).await;
        assert_eq!(begun.as_deref(), Some("new:Agent Conversation"));
    }

    #[tokio::test]
    async fn a_run_without_a_store_of_conversations_says_so() {
        let refused = case::<CreateThread>().within(context()).run().await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("conversations is not available"),
            "{refused}"
        );
    }
}
