//! The Gmail account of the user.

use nodetool_sdk::{NodeCx, NodeError};

use super::imap::Session;

/// Where Gmail's mailboxes are.
const PLACE: (&str, u16) = ("imap.gmail.com", 993);
const USER: &str = "GOOGLE_MAIL_USER";
const PASSWORD: &str = "GOOGLE_APP_PASSWORD";

/// A session with the account the user has stored.
pub(super) async fn session(cx: &NodeCx) -> Result<Session, NodeError> {
    let user = secret(cx, USER).await?;
    let password = secret(cx, PASSWORD).await?;
    Session::open(&*cx.services().dial, PLACE, &user, &password).await
}

async fn secret(cx: &NodeCx, key: &str) -> Result<String, NodeError> {
    let value = cx.services().secrets.get(key).await?;
    let value = value.map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    value.ok_or_else(|| {
        NodeError::new(format!(
            "Reading mail needs the secrets {USER} and {PASSWORD}; {key} is not set"
        ))
    })
}

/// Gmail's id of a message, as GmailSearch gives it.
pub(super) fn message_id(text: &str) -> Result<u64, NodeError> {
    text.trim().parse().map_err(|_| {
        let shown: String = text.trim().chars().take(40).collect();
        let message = format!("{shown:?} (expected the `message_id` that GmailSearch gives)");
        NodeError::bad("message_id", message)
    })
}

/// The number of a message in the mailbox of all, which is open to be changed afterwards.
pub(super) async fn find(session: &mut Session, id: u64) -> Result<u32, NodeError> {
    let all = session.all_mail().await?;
    session.select(&all, true).await?;
    let number = session.numbered(id).await?;
    number.ok_or_else(|| {
        let message = format!("{id} is no message of the account (mail in spam and trash is not)");
        NodeError::bad("message_id", message)
    })
}
