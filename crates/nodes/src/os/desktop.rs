//! `lib.os`: what a desktop would show. A server has none, so it reaches the user as a notification of the run.

use nodetool_sdk::{Node, NodeCx, NodeError, Process, Severity};

/// Longest line that is shown, in characters.
const MAX_LINE: usize = 4000;

/// Gives the path of the run's workspace folder.
/// workspace, folder, directory, path
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct WorkspaceDirectory {}

impl Process for WorkspaceDirectory {
    type Output = String;

    async fn process(self, cx: &NodeCx) -> Result<String, NodeError> {
        Ok(cx.workspace()?.root().to_string_lossy().into_owned())
    }
}

/// Points the user to the run's workspace folder.
/// workspace, folder, directory, open, show
///
/// The path comes as a notification.
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct OpenWorkspaceDirectory {}

impl Process for OpenWorkspaceDirectory {
    type Output = ();

    async fn process(self, cx: &NodeCx) -> Result<(), NodeError> {
        let workspace = cx.workspace()?;
        cx.notify(
            Severity::Info,
            format!("The workspace folder is {}", workspace.root().display()),
        );
        Ok(())
    }
}

/// Shows the user a message.
/// notification, message, alert, tell
#[derive(Node)]
#[node(namespace = "lib.os", uncached)]
pub(super) struct ShowNotification {
    /// What it is about.
    title: String,
    /// What it says.
    message: String,
    /// Seconds it is meant to stay; the one who shows it decides.
    #[prop(default = 10)]
    #[expect(dead_code, reason = "notifications of a run have no time")]
    timeout: i64,
}

impl Process for ShowNotification {
    type Output = ();

    async fn process(self, cx: &NodeCx) -> Result<(), NodeError> {
        let line = match (self.title.trim(), self.message.trim()) {
            ("", "") => {
                let message = "cannot be empty; expected something to show";
                return Err(NodeError::bad("message", message));
            }
            (title, "") => title.to_owned(),
            ("", message) => message.to_owned(),
            (title, message) => format!("{title}: {message}"),
        };
        cx.notify(
            Severity::Info,
            line.chars().take(MAX_LINE).collect::<String>(),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nodetool_sdk::protocol::JobEvent;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::{Recorder, case, context};
    use nodetool_sdk::{RunCx, Variables};

    use super::*;

    #[tokio::test]
    async fn a_notification_is_a_message_of_the_run() {
        let recorder = Arc::new(Recorder::default());
        let run = RunCx {
            job_id: "job".into(),
            workflow_id: "workflow".into(),
            user_id: "1".into(),
            depth: 0,
            services: Services::none(),
            variables: Variables::default(),
            workspace: None,
            events: recorder.clone(),
        };
        let cx = NodeCx::new(Arc::new(run), context().node.clone());
        let shown = case::<ShowNotification>()
            .set("title", "Done")
            .set("message", "3 files");
        assert!(shown.within(cx).run().await.unwrap()[0].is_empty());
        let events = recorder.events();
        assert!(
            matches!(&events[..], [JobEvent::Notification { content, .. }] if content == "Done: 3 files"),
            "{events:?}"
        );
        let empty = case::<ShowNotification>()
            .value()
            .await
            .unwrap_err()
            .to_string();
        assert!(empty.contains("cannot be empty"), "{empty}");
    }
}
