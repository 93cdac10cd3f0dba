//! `lib.mail.GmailSearch`.

use chrono::{TimeDelta, Utc};
use nodetool_sdk::{Emitter, Generate, Map, Node, NodeCx, NodeError, Outputs, Value, ValueType};

use super::account;
use super::imap::Fetched;
use super::message::Mail;

/// Most messages of one search.
const MAX_RESULTS: i64 = 500;
/// Most characters of one criterion.
const MAX_TEXT: usize = 500;
/// Characters of the beginning of a message.
const SNIPPET: usize = 200;

/// How old messages may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
#[value(type_name = "nodetool.nodes.lib.mail.GmailSearch.DateFilter")]
pub(super) enum DateFilter {
    #[value("SINCE_ONE_HOUR")]
    Hour,
    #[value("SINCE_ONE_DAY")]
    Day,
    #[value("SINCE_ONE_WEEK")]
    Week,
    #[value("SINCE_ONE_MONTH")]
    Month,
    #[value("SINCE_ONE_YEAR")]
    Year,
}

impl DateFilter {
    fn span(self) -> TimeDelta {
        match self {
            DateFilter::Hour => TimeDelta::hours(1),
            DateFilter::Day => TimeDelta::days(1),
            DateFilter::Week => TimeDelta::days(7),
            DateFilter::Month => TimeDelta::days(30),
            DateFilter::Year => TimeDelta::days(365),
        }
    }
}

/// A mailbox of Gmail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueType)]
#[value(type_name = "nodetool.nodes.lib.mail.GmailSearch.GmailFolder")]
pub(super) enum GmailFolder {
    #[value("INBOX")]
    Inbox,
    #[value("[Gmail]/Sent Mail")]
    Sent,
    #[value("[Gmail]/Drafts")]
    Drafts,
    #[value("[Gmail]/Spam")]
    Spam,
    #[value("[Gmail]/Trash")]
    Trash,
}

/// Finds messages of a Gmail account and gives them one after the other, newest first.
/// email, gmail, search, inbox, messages
///
/// Nothing is changed: messages stay unread.
#[derive(Node)]
#[node(
    namespace = "lib.mail",
    kind = Generate,
    tool,
    settings("GOOGLE_MAIL_USER", "GOOGLE_APP_PASSWORD"),
    basic("from_address", "subject", "body", "date_filter", "max_results")
)]
pub(super) struct GmailSearch {
    /// Who sent it.
    from_address: String,
    /// Who got it.
    to_address: String,
    /// Words of the subject.
    subject: String,
    /// Words of the text.
    body: String,
    /// How old it may be.
    #[prop(default = "SINCE_ONE_DAY")]
    date_filter: DateFilter,
    /// More of Gmail's own search words, such as label:work or has:attachment.
    keywords: String,
    /// Where to look.
    folder: GmailFolder,
    /// Words anywhere in it.
    text: String,
    /// Most messages.
    #[prop(default = 50)]
    max_results: i64,
}

/// A message and its name.
#[derive(Outputs)]
pub(super) struct Letter {
    #[slot(ty = "dict")]
    email: Map,
    message_id: String,
}

impl Generate for GmailSearch {
    type Output = Letter;

    async fn generate(self, out: &Emitter<'_, Letter>, cx: &NodeCx) -> Result<(), NodeError> {
        if self.max_results < 1 {
            let message = format!("{} (expected 1 to {MAX_RESULTS})", self.max_results);
            return Err(NodeError::bad("max_results", message));
        }
        let most = usize::try_from(self.max_results.min(MAX_RESULTS)).unwrap_or(1);
        let since = (Utc::now() - self.date_filter.span()).timestamp();
        let query = self.query(since)?;
        let folder = self.folder.into_value();
        let folder = folder.as_str().unwrap_or_default();
        let mut session = account::session(cx).await?;
        session.select(folder, false).await?;
        let found = session.search(&query).await?;
        for number in found.into_iter().rev().take(most) {
            // It may have gone since it was found.
            let Some(fetched) = session.fetch(number).await? else {
                continue;
            };
            out.emit(letter(fetched, folder)).await?;
        }
        session.close().await;
        Ok(())
    }
}

impl GmailSearch {
    /// What is looked for, in Gmail's search words.
    fn query(&self, since: i64) -> Result<String, NodeError> {
        let mut query = format!("after:{since}");
        for (property, word, text) in [
            ("from_address", "from:", &self.from_address),
            ("to_address", "to:", &self.to_address),
            ("subject", "subject:", &self.subject),
            ("body", "", &self.body),
            ("text", "", &self.text),
        ] {
            let text = bounded(property, text)?.replace('"', " ");
            let text = text.trim();
            if !text.is_empty() {
                query.push_str(&format!(" {word}\"{text}\""));
            }
        }
        let keywords = bounded("keywords", &self.keywords)?.trim();
        if !keywords.is_empty() {
            query.push(' ');
            query.push_str(keywords);
        }
        Ok(query)
    }
}

fn bounded<'a>(property: &str, text: &'a str) -> Result<&'a str, NodeError> {
    let length = text.chars().count();
    if length > MAX_TEXT || text.chars().any(char::is_control) {
        let message = format!("{length} characters (expected at most {MAX_TEXT}, all on one line)");
        return Err(NodeError::bad(property, message));
    }
    Ok(text)
}

fn letter(fetched: Fetched, folder: &str) -> Letter {
    let mail = Mail::read(&fetched.content);
    let body = mail.text();
    let plain: Vec<&str> = body.split_whitespace().collect();
    let snippet: String = plain.join(" ").chars().take(SNIPPET).collect();
    let list = |words: Vec<String>| Value::list(words.into_iter().map(Value::from));
    let email = Map::from_iter([
        ("type".into(), Value::from("email")),
        ("id".into(), fetched.message_id.as_str().into()),
        ("subject".into(), mail.header("subject").into()),
        ("sender".into(), mail.header("from").into()),
        ("to".into(), mail.header("to").into()),
        ("date".into(), mail.header("date").into()),
        ("body".into(), body.into()),
        ("snippet".into(), snippet.into()),
        ("thread_id".into(), fetched.thread_id.into()),
        ("labels".into(), list(fetched.labels)),
        ("flags".into(), list(fetched.flags)),
        ("keywords".into(), list(Vec::new())),
        ("folder".into(), folder.into()),
    ]);
    Letter {
        email,
        message_id: fetched.message_id,
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::super::testing::MailServer;
    use super::*;

    fn search() -> Case {
        case::<GmailSearch>().set("max_results", 2i64)
    }

    fn server() -> std::sync::Arc<MailServer> {
        MailServer::imap(vec![
            ("UID SEARCH", "* SEARCH 3 9 4\r\n"),
            (
                "UID FETCH 9",
                "* 3 FETCH (X-GM-MSGID 90 X-GM-THRID 80 X-GM-LABELS (work) UID 9 FLAGS (\\Seen) BODY[]<0> {41}\r\nSubject: Nine\r\nFrom: a@b.org\r\n\r\nHi  you\r\n)\r\n",
            ),
            ("UID FETCH 4", ""),
        ])
    }

    #[tokio::test]
    async fn the_newest_messages_leave_one_by_one_and_those_that_are_gone_do_not() {
        let server = server();
        let given = search().set("subject", "a \"b").within(server.cx()).run();
        let given = given.await.unwrap();
        assert_eq!(given.len(), 1);
        assert_eq!(given[0]["message_id"], "90".into());
        let email = &given[0]["email"];
        for (key, want) in [
            ("subject", "Nine"),
            ("sender", "a@b.org"),
            ("snippet", "Hi you"),
            ("thread_id", "80"),
        ] {
            assert_eq!(email.get(key), Some(&want.into()), "{key}");
        }
        let heard = server.heard();
        assert!(heard.contains(&"EXAMINE <INBOX>".to_owned()), "{heard:?}");
        let asked = heard.iter().find(|h| h.starts_with("UID SEARCH")).unwrap();
        assert!(
            asked.starts_with("UID SEARCH CHARSET UTF-8 X-GM-RAW <after:"),
            "{asked}"
        );
        assert!(asked.ends_with(" subject:\"a  b\">"), "{asked}");
        assert!(
            !heard.iter().any(|h| h.starts_with("UID FETCH 3")),
            "{heard:?}"
        );
    }

    #[tokio::test]
    async fn what_cannot_be_searched_is_refused_and_so_is_a_wrong_password() {
        for (case, said) in [
            (search().set("max_results", 0i64), "`max_results`"),
            (search().set("keywords", "a\r\nb"), "`keywords`"),
        ] {
            let refused = case.within(server().cx()).run().await.unwrap_err();
            assert!(refused.to_string().contains(said), "{refused}");
        }
        let closed = MailServer::refusing("LOGIN");
        let refused = search().within(closed.cx()).run().await.unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("GOOGLE_APP_PASSWORD") && !refused.contains("pa55"),
            "{refused}"
        );
        let nobody = nodetool_sdk::testing::context();
        let refused = search().within(nobody).run().await.unwrap_err().to_string();
        assert!(refused.contains("GOOGLE_MAIL_USER is not set"), "{refused}");
    }
}
