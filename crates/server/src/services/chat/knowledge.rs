//! What collections know about a question (socket spec 8.5).

use nodetool_sdk::collections::{Collections, FoundDocument, Look, Search};
use nodetool_sdk::models::{ChatMessage, Role};

/// Documents of one collection, and characters of one.
const MOST_DOCUMENTS: usize = 5;
const MOST_CHARACTERS: usize = 200;
/// Collections that are asked.
const MOST_COLLECTIONS: usize = 20;

/// Puts what collections know about the last thing the person said before it. A collection that cannot be asked is left
/// out.
pub(super) async fn add(
    messages: &mut Vec<ChatMessage>,
    names: &[String],
    collections: &dyn Collections,
) {
    let Some(at) = messages.iter().rposition(|m| m.role == Role::User) else {
        return;
    };
    let question = messages[at].plain_text();
    if question.trim().is_empty() {
        return;
    }
    let mut sections = Vec::new();
    for name in names.iter().take(MOST_COLLECTIONS) {
        let search = Search {
            look: Look::Meaning(question.clone()),
            limit: MOST_DOCUMENTS,
            filter: None,
        };
        match collections.search(name, search).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => sections.push(section(name, &found)),
            Err(e) => {
                tracing::warn!(collection.name = %name, error = %e, "a collection cannot be asked for a chat");
            }
        }
    }
    if sections.is_empty() {
        return;
    }
    let text = format!("Context from knowledge base:\n\n{}", sections.join("\n\n"));
    messages.insert(at, ChatMessage::text(Role::System, text));
}

fn section(name: &str, found: &[FoundDocument]) -> String {
    let lines = found.iter().map(|document| {
        let text: String = document.text.chars().take(MOST_CHARACTERS).collect();
        format!("- {}", text.replace('\n', " "))
    });
    let lines: Vec<String> = lines.collect();
    format!("### Results from {name}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::Map;
    use nodetool_sdk::collections::{DocumentRange, NewDocument};
    use nodetool_sdk::{BoxFuture, NodeError};

    use super::*;

    struct One;

    impl Collections for One {
        fn ensure<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), NodeError>> {
            Box::pin(async { Ok(()) })
        }
        fn put<'a>(
            &'a self,
            _: &'a str,
            _: Vec<NewDocument>,
        ) -> BoxFuture<'a, Result<Vec<String>, NodeError>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn search<'a>(
            &'a self,
            name: &'a str,
            search: Search,
        ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
            let found = FoundDocument {
                id: "d".into(),
                text: format!("{}\n{:?}", "ä".repeat(500), search.look),
                metadata: Map::new(),
                distance: None,
                score: None,
            };
            let known = name == "notes";
            Box::pin(async move {
                known
                    .then(|| vec![found])
                    .ok_or_else(|| NodeError::new("there is no such collection"))
            })
        }
        fn documents<'a>(
            &'a self,
            _: &'a str,
            _: DocumentRange,
        ) -> BoxFuture<'a, Result<Vec<FoundDocument>, NodeError>> {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn count<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<u64, NodeError>> {
            Box::pin(async { Ok(0) })
        }
    }

    #[tokio::test]
    async fn what_is_known_stands_before_the_last_question_and_is_short() {
        let given = [
            ChatMessage::text(Role::User, "before"),
            ChatMessage::text(Role::Assistant, "yes"),
            ChatMessage::text(Role::User, "why?"),
        ];
        let mut messages = given.to_vec();
        add(&mut messages, &["gone".into(), "notes".into()], &One).await;
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[3], given[2]);
        let text = messages[2].plain_text();
        let expected = format!(
            "Context from knowledge base:\n\n### Results from notes\n- {}",
            "ä".repeat(200)
        );
        assert_eq!((messages[2].role, text), (Role::System, expected));
        let mut messages = given.to_vec();
        add(&mut messages, &["gone".into()], &One).await;
        assert_eq!(messages, given);
    }
}
