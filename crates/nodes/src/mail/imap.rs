//! A client of IMAP (RFC 3501) with Gmail's own words, as far as searching and labelling needs it.
//!
//! It must not know nodes. Text from outside goes as counted bytes, so that it can be nothing but text.

use nodetool_sdk::NodeError;
use nodetool_sdk::dial::Dial;

use super::lines::Lines;

/// Most bytes of one message that are read.
pub(super) const MAX_MESSAGE: usize = 2 << 20;
/// Most bytes of one answer.
const MAX_ANSWER: usize = 8 << 20;
/// Most lines of one answer.
const MAX_LINES: usize = 100_000;

/// One part of a command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word<'a> {
    /// Words of the protocol.
    Plain(&'a str),
    /// Text from outside.
    Text(&'a str),
}

/// One line of an answer; counted bytes in it stand apart.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) counted: Vec<Vec<u8>>,
}

/// A message that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) message_id: String,
    pub(super) thread_id: String,
    pub(super) flags: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) content: Vec<u8>,
}

/// A session of a user.
pub(super) struct Session {
    lines: Lines,
    commands: u32,
}

impl Session {
    /// Connects, encrypted from the first byte, and says who it is.
    pub(super) async fn open(
        dial: &dyn Dial,
        (host, port): (&str, u16),
        user: &str,
        password: &str,
    ) -> Result<Self, NodeError> {
        let connection = dial.connect(host, port).await?;
        let connection = dial.secure(connection, host).await?;
        let mut session = Session {
            lines: Lines::new(host, connection),
            commands: 0,
        };
        let greeting = session.lines.line().await?;
        if !greeting.starts_with("* OK") {
            return Err(session.lines.broken(&greeting));
        }
        let login = [Word::Plain("LOGIN"), Word::Text(user), Word::Text(password)];
        match session.answered(&login).await? {
            Ok(_) => Ok(session),
            Err(why) => {
                let why: String = why.chars().take(300).collect();
                Err(NodeError::new(format!(
                    "The mail server {host} refuses GOOGLE_MAIL_USER with GOOGLE_APP_PASSWORD: {why}"
                )))
            }
        }
    }

    /// Opens a mailbox, to be read only or to be changed.
    pub(super) async fn select(&mut self, mailbox: &str, change: bool) -> Result<(), NodeError> {
        let word = if change { "SELECT" } else { "EXAMINE" };
        self.command(&[Word::Plain(word), Word::Text(mailbox)])
            .await?;
        Ok(())
    }

    /// The mailbox that holds every message.
    pub(super) async fn all_mail(&mut self) -> Result<String, NodeError> {
        let said = self.command(&[Word::Plain("LIST \"\" \"*\"")]).await?;
        let mut all = said.iter().filter(|s| s.text.contains("\\All"));
        let name = all.next().and_then(|said| {
            if let Some(name) = said.counted.last() {
                return String::from_utf8(name.clone()).ok();
            }
            let (_, name) = said.text.rsplit_once(" \"")?;
            Some(
                name.trim_end_matches('"')
                    .replace("\\\"", "\"")
                    .replace("\\\\", "\\"),
            )
        });
        Ok(name.unwrap_or_else(|| "[Gmail]/All Mail".to_owned()))
    }

    /// Numbers of the messages of the open mailbox that Gmail finds, oldest first.
    pub(super) async fn search(&mut self, query: &str) -> Result<Vec<u32>, NodeError> {
        let words = [
            Word::Plain("UID SEARCH CHARSET UTF-8 X-GM-RAW"),
            Word::Text(query),
        ];
        let said = self.command(&words).await?;
        let found = said.iter().filter_map(|s| s.text.strip_prefix("* SEARCH"));
        let numbers = found.flat_map(|list| list.split_ascii_whitespace());
        let mut numbers: Vec<u32> = numbers.filter_map(|n| n.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The number of the message with Gmail's id for it.
    pub(super) async fn numbered(&mut self, message_id: u64) -> Result<Option<u32>, NodeError> {
        let words = format!("UID SEARCH X-GM-MSGID {message_id}");
        let said = self.command(&[Word::Plain(&words)]).await?;
        let mut found = said.iter().filter_map(|s| s.text.strip_prefix("* SEARCH"));
        let number = found.find_map(|list| list.split_ascii_whitespace().next()?.parse().ok());
        Ok(number)
    }

    /// A message of the open mailbox; nothing when it is gone.
    pub(super) async fn fetch(&mut self, number: u32) -> Result<Option<Fetched>, NodeError> {
        let words = format!(
            "UID FETCH {number} (X-GM-MSGID X-GM-THRID X-GM-LABELS FLAGS BODY.PEEK[]<0.{MAX_MESSAGE}>)"
        );
        let said = self.command(&[Word::Plain(&words)]).await?;
        let found = said.into_iter().find(|s| {
            s.text.starts_with("* ") && s.text.contains(" FETCH (") && s.text.contains("BODY[]")
        });
        Ok(found.and_then(fetched))
    }

    /// Adds a label to a message of the open mailbox, or takes it away.
    pub(super) async fn label(
        &mut self,
        number: u32,
        change: LabelChange<'_>,
    ) -> Result<(), NodeError> {
        let store = format!("UID STORE {number}");
        let words = match change {
            LabelChange::Add(label) => [
                Word::Plain(&store),
                Word::Plain("+X-GM-LABELS"),
                Word::Text(label),
            ],
            LabelChange::LeaveInbox => [
                Word::Plain(&store),
                Word::Plain("-X-GM-LABELS"),
                Word::Plain("(\\Inbox)"),
            ],
        };
        self.command(&words).await?;
        Ok(())
    }

    /// Says goodbye; nothing depends on it.
    pub(super) async fn close(mut self) {
        let _ = self.lines.send(b"bye LOGOUT\r\n").await;
    }

    async fn command(&mut self, words: &[Word<'_>]) -> Result<Vec<Said>, NodeError> {
        let answer = self.answered(words).await?;
        answer.map_err(|why| self.lines.broken(&why))
    }

    /// Sends a command; the lines of the answer, or why it is refused.
    async fn answered(
        &mut self,
        words: &[Word<'_>],
    ) -> Result<Result<Vec<Said>, String>, NodeError> {
        self.commands += 1;
        let tag = format!("n{}", self.commands);
        let mut line = tag.clone();
        for word in words {
            line.push(' ');
            match word {
                Word::Plain(plain) => line.push_str(plain),
                Word::Text(text) => {
                    line.push_str(&format!("{{{}}}\r\n", text.len()));
                    self.lines.send(line.as_bytes()).await?;
                    line.clear();
                    if let Some(refused) = self.invited(&tag).await? {
                        return Ok(Err(refused));
                    }
                    line.push_str(text);
                }
            }
        }
        line.push_str("\r\n");
        self.lines.send(line.as_bytes()).await?;
        let (mut said, mut bytes) = (Vec::new(), 0);
        loop {
            let one = self.said(&mut bytes).await?;
            if let Some(status) = status(&tag, &one.text) {
                return Ok(status.map(|()| said));
            }
            if said.len() >= MAX_LINES {
                return Err(self.lines.broken("its answer does not end"));
            }
            said.push(one);
        }
    }

    /// Waits to be asked for counted bytes; why not, when it is refused.
    async fn invited(&mut self, tag: &str) -> Result<Option<String>, NodeError> {
        for _ in 0..MAX_LINES {
            let line = self.lines.line().await?;
            if line.starts_with('+') {
                return Ok(None);
            }
            if let Some(status) = status(tag, &line) {
                let why = status
                    .err()
                    .unwrap_or_else(|| "it answers too early".into());
                return Ok(Some(why));
            }
        }
        Err(self.lines.broken("its answer does not end"))
    }

    /// One line with the counted bytes in it.
    async fn said(&mut self, bytes: &mut usize) -> Result<Said, NodeError> {
        let mut said = Said::default();
        loop {
            let line = self.lines.line().await?;
            *bytes = bytes.saturating_add(line.len());
            said.text.push_str(&line);
            let Some(count) = counted(&line) else {
                return Ok(said);
            };
            let left = MAX_ANSWER.saturating_sub(*bytes);
            let content = self.lines.bytes(count, left).await?;
            *bytes = bytes.saturating_add(count);
            said.counted.push(content);
        }
    }
}

/// What happens to the labels of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum LabelChange<'a> {
    Add(&'a str),
    LeaveInbox,
}

/// How many bytes follow a line that ends so.
fn counted(line: &str) -> Option<usize> {
    let (_, count) = line.strip_suffix('}')?.rsplit_once('{')?;
    count.parse().ok()
}

/// How a command ended, if this is the line that says so.
fn status(tag: &str, line: &str) -> Option<Result<(), String>> {
    let rest = line.strip_prefix(tag)?.strip_prefix(' ')?;
    match rest.split_once(' ').unwrap_or((rest, "")) {
        ("OK", _) => Some(Ok(())),
        (_, why) => Some(Err(why.to_owned())),
    }
}

fn fetched(said: Said) -> Option<Fetched> {
    let after = |key: &str| {
        let (_, rest) = said.text.split_once(key)?;
        let end = rest.find([' ', ')']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    let list = |key: &str| {
        let (_, rest) = said.text.split_once(key)?;
        Some(words(rest.strip_prefix('(')?))
    };
    Some(Fetched {
        message_id: after("X-GM-MSGID ")?,
        thread_id: after("X-GM-THRID ").unwrap_or_default(),
        flags: list("FLAGS ").unwrap_or_default(),
        labels: list("X-GM-LABELS ").unwrap_or_default(),
        content: said.counted.into_iter().next_back().unwrap_or_default(),
    })
}

/// The words up to the closing bracket; quoted ones may hold anything.
fn words(list: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for c in list.chars() {
        match c {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | ')' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if c == ')' {
                    break;
                }
            }
            _ => word.push(c),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(counted("* 1 FETCH (BODY[] {12}"), Some(12));
        assert_eq!(counted("* 1 FETCH (BODY[] {x}"), None);
        assert_eq!(status("n1", "n1 OK done"), Some(Ok(())));
        assert_eq!(status("n1", "n1 NO not you"), Some(Err("not you".into())));
        assert_eq!(status("n1", "n10 OK done"), None);
        let said = Said {
            text: "* 1 FETCH (X-GM-THRID 5 X-GM-MSGID 7 X-GM-LABELS (\"\\\\Inbox\" \"to do (now)\" work) UID 2 FLAGS (\\Seen) BODY[]<0> {2})".into(),
            counted: vec![b"hi".to_vec()],
        };
        let fetched = fetched(said).unwrap();
        assert_eq!((&*fetched.message_id, &*fetched.thread_id), ("7", "5"));
        assert_eq!(fetched.labels, ["\\Inbox", "to do (now)", "work"]);
        assert_eq!(fetched.flags, ["\\Seen"]);
        assert_eq!(fetched.content, b"hi");
    }
}
