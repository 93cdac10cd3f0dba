//! `lib.mail.AddLabel`.

use nodetool_sdk::{Node, NodeCx, NodeError, Process};

use super::account;
use super::imap::LabelChange;

/// Longest label Gmail takes, in characters.
const MAX_LABEL: usize = 225;

/// Puts a label on a message of Gmail; a label that is new is created.
/// email, gmail, label, sort, tag
#[derive(Node)]
#[node(
    namespace = "lib.mail",
    tool,
    uncached,
    effect = "idempotent",
    settings("GOOGLE_MAIL_USER", "GOOGLE_APP_PASSWORD"),
    basic("message_id", "label")
)]
pub(super) struct AddLabel {
    /// The message, as GmailSearch names it.
    message_id: String,
    /// The label.
    label: String,
}

impl Process for AddLabel {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        let id = account::message_id(&self.message_id)?;
        let label = self.label.trim();
        let length = label.chars().count();
        if length == 0 || length > MAX_LABEL || label.chars().any(char::is_control) {
            let message =
                format!("has {length} characters (expected 1 to {MAX_LABEL} on one line)");
            return Err(NodeError::bad("label", message));
        }
        if label.starts_with('\\') {
            let message =
                "begins with a backslash, as labels of Gmail itself do (expected one of your own)";
            return Err(NodeError::bad("label", message));
        }
        let mut session = account::session(cx).await?;
        let number = account::find(&mut session, id).await?;
        session.label(number, LabelChange::Add(label)).await?;
        session.close().await;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::case;

    use super::super::testing::{Answers, MailServer};
    use super::*;

    fn answers() -> Answers {
        vec![
            (
                "LIST",
                "* LIST (\\HasNoChildren \\All) \"/\" \"[Gmail]/Alle\"\r\n",
            ),
            ("UID SEARCH X-GM-MSGID 17", "* SEARCH 5\r\n"),
            ("UID SEARCH X-GM-MSGID", "* SEARCH\r\n"),
        ]
    }

    #[tokio::test]
    async fn the_message_is_labelled_in_the_mailbox_of_all() {
        let server = MailServer::imap(answers());
        let run = case::<AddLabel>()
            .set("message_id", "17")
            .set("label", "Büro \"x\"");
        let given = run.within(server.cx()).value().await.unwrap();
        assert_eq!(given, true.into());
        let heard = server.heard();
        assert!(
            heard.contains(&"LOGIN <ada@example.com> <pa55>".to_owned()),
            "{heard:?}"
        );
        assert!(
            heard.contains(&"SELECT <[Gmail]/Alle>".to_owned()),
            "{heard:?}"
        );
        let want = "UID STORE 5 +X-GM-LABELS <Büro \"x\">".to_owned();
        assert!(heard.contains(&want), "{heard:?}");
    }

    #[tokio::test]
    async fn unknown_messages_and_odd_labels_are_refused_by_name() {
        for (id, label, said) in [
            ("18", "a", "is no message of the account"),
            ("<a@b>", "a", "`message_id`"),
            ("17", " ", "`label`"),
            ("17", "\\Trash", "`label`"),
            ("17", "a\r\nb", "`label`"),
        ] {
            let server = MailServer::imap(answers());
            let run = case::<AddLabel>().set("message_id", id).set("label", label);
            let refused = run.within(server.cx()).run().await.unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
