//! `lib.mail.SendEmail`.

use chrono::Utc;
use nodetool_sdk::{Node, NodeCx, NodeError, Process};
use uuid::Uuid;

use super::smtp::{self, Envelope};
use super::words::{base64_lines, encoded};

/// Most people one message goes to.
const MAX_PEOPLE: usize = 100;
/// Longest subject, in characters.
const MAX_SUBJECT: usize = 1_000;
/// Most bytes of the text.
const MAX_BODY: usize = 10 << 20;

/// Sends a message of plain text.
/// email, smtp, send, message, notify
///
/// The connection is encrypted; a server that does not offer that is refused.
#[derive(Node)]
#[node(
    namespace = "lib.mail",
    tool,
    uncached,
    effect = "once",
    basic(
        "smtp_server",
        "smtp_port",
        "username",
        "password",
        "from_address",
        "to_address",
        "subject",
        "body"
    )
)]
pub(super) struct SendEmail {
    /// The server that takes the message.
    #[prop(default = "smtp.gmail.com")]
    smtp_server: String,
    /// Its port.
    #[prop(default = 587)]
    smtp_port: i64,
    /// Who sends, to the server; empty when it does not ask.
    username: String,
    /// The password for it.
    password: String,
    /// Who sends, to the reader; the user name when empty.
    from_address: String,
    /// Who gets it; several are separated by commas.
    to_address: String,
    /// The subject.
    subject: String,
    /// The text.
    body: String,
}

impl Process for SendEmail {
    type Output = bool;

    async fn process(self, cx: &NodeCx) -> Result<bool, NodeError> {
        let host = self.smtp_server.trim();
        if host.is_empty() {
            let message = "is empty (expected a server such as smtp.gmail.com)";
            return Err(NodeError::bad("smtp_server", message));
        }
        let port = u16::try_from(self.smtp_port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| {
            let message = format!("{} (expected 1 to 65535)", self.smtp_port);
            NodeError::bad("smtp_port", message)
        })?;
        let user = self.username.trim();
        if user.contains('\0') || self.password.contains('\0') {
            return Err(NodeError::bad("password", "holds a NUL character"));
        }
        let from = match self.from_address.trim() {
            "" => user,
            from => from,
        };
        let from = address("from_address", from)?;
        let people = self.to_address.split([',', ';']).map(str::trim);
        let people = people.filter(|to| !to.is_empty());
        let people: Vec<&str> = people
            .map(|to| address("to_address", to))
            .collect::<Result<_, _>>()?;
        if people.is_empty() || people.len() > MAX_PEOPLE {
            let message = format!("{} addresses (expected 1 to {MAX_PEOPLE})", people.len());
            return Err(NodeError::bad("to_address", message));
        }
        let message = self.message(from, &people)?;
        let envelope = Envelope { from, to: &people };
        let login = (!user.is_empty()).then_some((user, self.password.as_str()));
        let dial = &*cx.services().dial;
        smtp::send(dial, (host, port), login, &envelope, &message).await?;
        Ok(true)
    }
}

impl SendEmail {
    /// The message with its headers. Its text is written in base64, so no line of it can be taken for anything else.
    fn message(&self, from: &str, people: &[&str]) -> Result<String, NodeError> {
        let subject = self.subject.trim();
        let length = subject.chars().count();
        if length > MAX_SUBJECT || subject.chars().any(char::is_control) {
            let message =
                format!("{length} characters (expected at most {MAX_SUBJECT}, all on one line)");
            return Err(NodeError::bad("subject", message));
        }
        if self.body.len() > MAX_BODY {
            let message = format!("{} bytes (expected at most {MAX_BODY})", self.body.len());
            return Err(NodeError::bad("body", message));
        }
        let domain = from.rsplit('@').next().unwrap_or_default();
        let headers = [
            ("From", from.to_owned()),
            ("To", people.join(",\r\n ")),
            ("Subject", encoded(subject)),
            ("Date", Utc::now().to_rfc2822()),
            ("Message-ID", format!("<{}@{domain}>", Uuid::new_v4())),
            ("MIME-Version", "1.0".to_owned()),
            ("Content-Type", "text/plain; charset=utf-8".to_owned()),
            ("Content-Transfer-Encoding", "base64".to_owned()),
        ];
        let headers = headers.map(|(name, value)| format!("{name}: {value}\r\n"));
        let body = base64_lines(
            self.body
                .replace("\r\n", "\n")
                .replace('\n', "\r\n")
                .as_bytes(),
        );
        Ok(format!("{}\r\n{body}", headers.concat()))
    }
}

/// A bare address that can stand in a command.
fn address<'a>(property: &str, text: &'a str) -> Result<&'a str, NodeError> {
    let plain = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let fits = text.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && !domain.is_empty() && !domain.contains('@')
    });
    if text.len() > 254 || !fits || !text.chars().all(plain) {
        let shown: String = text.chars().take(80).collect();
        let message = format!("{shown:?} (expected an address such as ada@example.com)");
        return Err(NodeError::bad(property, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::Value;
    use nodetool_sdk::testing::{Case, case};

    use super::super::message::Mail;
    use super::super::testing::MailServer;
    use super::*;

    fn email() -> Case {
        case::<SendEmail>()
            .set("username", "ada@example.com")
            .set("password", "pa55")
            .set("to_address", "bo@example.org, cy@example.org")
            .set("subject", "Grüße")
            .set("body", ".\nHé")
    }

    #[tokio::test]
    async fn the_message_arrives_as_it_was_written_and_over_an_encrypted_connection() {
        let server = MailServer::smtp(vec![(
            "EHLO",
            "250-here\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n",
        )]);
        let given = email().within(server.cx()).value().await.unwrap();
        assert_eq!(given, true.into());
        let heard = server.heard();
        let at = |what: &str| heard.iter().position(|h| h.starts_with(what)).unwrap();
        assert!(
            at("(encrypted)") < at("AUTH PLAIN AGFkYUBleGFtcGxlLmNvbQBwYTU1"),
            "{heard:?}"
        );
        assert!(at("MAIL FROM:<ada@example.com>") < at("RCPT TO:<cy@example.org>"));
        let message = &heard[at("From: ")];
        let mail = Mail::read(message.as_bytes());
        assert_eq!(mail.header("subject"), "Grüße");
        assert_eq!(mail.text(), ".\r\nHé");
    }

    #[tokio::test]
    async fn nothing_is_told_to_a_server_without_encryption() {
        let server = MailServer::smtp(vec![("EHLO", "250 AUTH PLAIN\r\n")]);
        let refused = email().within(server.cx()).run().await.unwrap_err();
        assert!(refused.to_string().contains("no encryption"), "{refused}");
        assert!(!format!("{:?}", server.heard()).contains("AUTH"));
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_refused_by_name() {
        for (property, value) in [
            ("to_address", Value::from("bo@example.org>\r\nDATA")),
            ("to_address", "".into()),
            ("from_address", "ada".into()),
            ("subject", "a\r\nBcc: x@y.z".into()),
            ("smtp_port", 70_000i64.into()),
            ("smtp_server", " ".into()),
        ] {
            let server = MailServer::smtp(Vec::new());
            let run = email().set(property, value).within(server.cx());
            let refused = run.run().await.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{property}`")), "{refused}");
            assert!(server.heard().is_empty());
        }
        for (command, answer, said) in [
            ("AUTH", "535 no", "`username` and `password` are refused"),
            ("RCPT", "550 who", "bo@example.org is refused"),
            ("From:", "554 spam", "the message: 554 spam"),
        ] {
            let ehlo = ("EHLO", "250-STARTTLS\r\n250 AUTH PLAIN\r\n");
            let answer = format!("{answer}\r\n");
            let server = MailServer::smtp(vec![ehlo, (command, answer.leak())]);
            let refused = email().within(server.cx()).run().await.unwrap_err();
            assert!(refused.to_string().contains(said), "{refused}");
        }
    }
}
