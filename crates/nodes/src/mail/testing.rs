//! A mail server that answers at once, in the process of the test, for the tests of this namespace.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use nodetool_sdk::dial::{Connection, Dial};
use nodetool_sdk::services::{Secrets, Services};
use nodetool_sdk::testing::context_with;
use nodetool_sdk::{BoxFuture, NodeCx, NodeError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is answered to commands that begin so; the first that fits.
pub(super) type Answers = Vec<(&'static str, &'static str)>;

#[derive(Clone, Copy, PartialEq)]
enum Speech {
    Imap,
    Smtp,
}

/// A server, what it answers and what it has heard. Counted bytes are noted between angle brackets.
pub(super) struct MailServer {
    speech: Speech,
    answers: Answers,
    refuses: &'static str,
    heard: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub(super) fn imap(answers: Answers) -> Arc<Self> {
        Self::of(Speech::Imap, answers, "nothing")
    }

    pub(super) fn refusing(command: &'static str) -> Arc<Self> {
        Self::of(Speech::Imap, Vec::new(), command)
    }

    pub(super) fn smtp(answers: Answers) -> Arc<Self> {
        Self::of(Speech::Smtp, answers, "nothing")
    }

    fn of(speech: Speech, answers: Answers, refuses: &'static str) -> Arc<Self> {
        Arc::new(MailServer {
            speech,
            answers,
            refuses,
            heard: Arc::default(),
        })
    }

    /// What it has heard, without tags.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn cx(self: &Arc<Self>) -> NodeCx {
        let services = Services {
            dial: self.clone(),
            secrets: Arc::new(Account),
            ..Services::none()
        };
        context_with(services, None)
    }
}

impl Dial for MailServer {
    fn connect<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        let greeting = match self.speech {
            Speech::Imap => "* OK ready\r\n",
            Speech::Smtp => "220 ready\r\n",
        };
        let wire = Wire {
            speech: self.speech,
            answers: self.answers.clone(),
            refuses: self.refuses,
            heard: self.heard.clone(),
            outgoing: greeting.bytes().collect(),
            incoming: Vec::new(),
            command: String::new(),
            counted: None,
            in_message: false,
        };
        Box::pin(async move { Ok(Box::new(wire) as Box<dyn Connection>) })
    }

    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        self.heard.lock().unwrap().push("(encrypted)".into());
        Box::pin(async move { Ok(connection) })
    }
}

struct Account;

impl Secrets for Account {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, NodeError>> {
        let value = match key {
            "GOOGLE_MAIL_USER" => Some("ada@example.com"),
            "GOOGLE_APP_PASSWORD" => Some("pa55"),
            _ => None,
        };
        Box::pin(async move { Ok(value.map(str::to_owned)) })
    }
}

/// A connection whose other end answers while it is written to.
struct Wire {
    speech: Speech,
    answers: Answers,
    refuses: &'static str,
    heard: Arc<Mutex<Vec<String>>>,
    outgoing: VecDeque<u8>,
    incoming: Vec<u8>,
    command: String,
    counted: Option<usize>,
    in_message: bool,
}

impl Wire {
    fn work(&mut self) {
        loop {
            if let Some(count) = self.counted {
                if self.incoming.len() < count {
                    return;
                }
                let text: Vec<u8> = self.incoming.drain(..count).collect();
                let text = String::from_utf8(text).unwrap();
                self.command.push_str(&format!("<{text}>"));
                self.counted = None;
                continue;
            }
            let end: &[u8] = if self.in_message {
                b"\r\n.\r\n"
            } else {
                b"\r\n"
            };
            let Some(at) = self.incoming.windows(end.len()).position(|w| w == end) else {
                return;
            };
            let line: Vec<u8> = self.incoming.drain(..at + end.len()).collect();
            let line = String::from_utf8(line).unwrap();
            let line = &line[..line.len() - end.len()];
            if let Some((before, count)) = line.strip_suffix('}').and_then(|l| l.rsplit_once('{')) {
                self.command.push_str(before);
                self.counted = Some(count.parse().unwrap());
                self.outgoing.extend(b"+ go on\r\n");
                continue;
            }
            self.command.push_str(line);
            let command = std::mem::take(&mut self.command);
            self.answer(&command);
        }
    }

    fn answer(&mut self, command: &str) {
        let (tag, command) = match self.speech {
            Speech::Imap => command.split_once(' ').unwrap(),
            Speech::Smtp => ("", command),
        };
        self.heard.lock().unwrap().push(command.to_owned());
        let mut fitting = self.answers.iter().filter(|(c, _)| command.starts_with(c));
        let known = fitting.next().map(|(_, answer)| *answer);
        let answer = match self.speech {
            Speech::Imap if command.starts_with(self.refuses) => {
                format!("{tag} NO [AUTHENTICATIONFAILED] Invalid credentials\r\n")
            }
            Speech::Imap => format!("{}{tag} OK done\r\n", known.unwrap_or_default()),
            Speech::Smtp => {
                let usual = match command.split([' ', ':']).next().unwrap_or_default() {
                    "STARTTLS" => "220 go on\r\n",
                    "AUTH" => "235 welcome\r\n",
                    "DATA" => "354 go on\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => "250 fine\r\n",
                };
                self.in_message = command == "DATA";
                known.unwrap_or(usual).to_owned()
            }
        };
        self.outgoing.extend(answer.bytes());
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A few bytes at a time, so that lines come in pieces. When there is nothing to say, it hangs up.
        let count = self.outgoing.len().min(buffer.remaining()).min(7);
        let bytes: Vec<u8> = self.outgoing.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.incoming.extend_from_slice(bytes);
        self.work();
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
