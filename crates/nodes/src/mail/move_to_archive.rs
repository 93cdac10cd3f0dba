//! `lib.mail.MoveToArchive`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::account;
use super::imap::LabelChange;

/// Takes a message out of the inbox of Gmail; it stays among all mail.
/// email, gmail, archive, inbox, sort
#[derive(Node)]
#[node(
    namespace = "lib.mail",
    tool,
    uncached,
    effect = "idempotent",
    settings("GOOGLE_MAIL_USER", "GOOGLE_APP_PASSWORD"),
    basic("message_id")
)]
pub(super) struct MoveToArchive {
    /// The message, as GmailSearch names it.
    message_id: String,
}

impl Process for MoveToArchive {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        let id = account::message_id(&self.message_id)?;
        let mut session = account::session(cx).await?;
        let number = account::find(&mut session, id).await?;
        session.label(number, LabelChange::LeaveInbox).await?;
        session.close().await;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::testing::MailServer;
    use super::*;

    #[tokio::test]
    async fn the_message_leaves_the_inbox() {
        let server = MailServer::imap(vec![("UID SEARCH X-GM-MSGID 17", "* SEARCH 5\r\n")]);
        let run = case::<MoveToArchive>().set("message_id", "17");
        run.within(server.cx()).run().await.unwrap();
        let heard = server.heard();
        let want = "UID STORE 5 -X-GM-LABELS (\\Inbox)".to_owned();
        assert!(heard.contains(&want), "{heard:?}");
        assert!(
            heard.contains(&"SELECT <[Gmail]/All Mail>".to_owned()),
            "{heard:?}"
        );
    }
}
