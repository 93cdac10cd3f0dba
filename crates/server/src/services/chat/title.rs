//! Titles of threads, made by a model from what is said (HTTP spec 6.8).

use std::time::Duration;

use nodetool_sdk::models::{Answer, ChatMessage, ChatRequest, ModelError, ModelErrorKind, Role};
use nodetool_store::ThreadRow;

use super::ChatService;
use crate::services::{Caller, ThreadError};

/// Characters of a title, and of what it is made from.
const LONGEST: usize = 60;
const MOST_READ: usize = 8_000;
/// Time for the model.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no title.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TitleError {
    #[error(transparent)]
    Thread(#[from] ThreadError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ChatService {
    /// Whether a provider is known on this server.
    pub(crate) fn knows_provider(&self, id: &str) -> bool {
        self.0.parts.models.knows(id)
    }

    /// Has a model name a thread by what is said in it.
    pub(crate) async fn name_thread(
        &self,
        caller: &Caller,
        thread_id: &str,
        (provider, model): (String, String),
        content: &str,
    ) -> Result<ThreadRow, TitleError> {
        let threads = &self.0.parts.threads;
        let thread = threads.get(caller, thread_id).await?;
        let task = "Give this conversation a title of a few words, in its language. Answer with the title alone, \
                    without quotes and without a full stop.";
        let title = self
            .short_answer(caller, (provider, model), task, content.to_owned())
            .await?;
        if title.is_empty() {
            return Ok(thread);
        }
        Ok(threads.rename(caller, thread_id, &title).await?)
    }

    /// What a model says to a task in a few words; nothing when it has none.
    pub(super) async fn short_answer(
        &self,
        caller: &Caller,
        (provider, model): (String, String),
        task: &str,
        said: String,
    ) -> Result<String, ModelError> {
        let said: String = said.chars().take(MOST_READ).collect();
        let request = ChatRequest {
            provider: provider.clone(),
            model,
            messages: vec![
                ChatMessage::text(Role::System, task),
                ChatMessage::text(Role::User, said),
            ],
            node_id: Some(super::regular::COST_OF.into()),
            ..ChatRequest::default()
        };
        let models = self.0.parts.models.of(caller);
        let asked = async { Answer::of(models.chat(request).await?).await };
        let answer = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer?,
            Err(_) => {
                let text = format!("no answer came within {} s", PATIENCE.as_secs());
                return Err(ModelError::new(ModelErrorKind::TimedOut, provider, text));
            }
        };
        Ok(title_in(&answer.text))
    }
}

/// The title in what a model says.
fn title_in(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    let outer = |c: char| c.is_whitespace() || "\"'`“”„‘’«»*#".contains(c);
    let title = line.unwrap_or_default().trim_matches(outer);
    let shown = title.chars().filter(|c| !c.is_control());
    let short: String = shown.take(LONGEST).collect();
    short.trim_end_matches(outer).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_short_line_without_quotes() {
        assert_eq!(
            title_in("\n \"Grüße aus “Köln”\" \nmore"),
            "Grüße aus “Köln"
        );
        assert_eq!(title_in("## **Plans**"), "Plans");
        assert_eq!(title_in(&"ä".repeat(100)), "ä".repeat(60));
        assert_eq!(title_in("  \n"), "");
    }
}
