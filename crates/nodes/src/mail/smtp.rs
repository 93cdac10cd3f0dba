//! A client of SMTP (RFC 5321), as far as sending one message needs it. Nothing is said unencrypted but hello.
//!
//! It must not know nodes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodetool_sdk::NodeError;
use nodetool_sdk::dial::Dial;

use super::lines::Lines;

/// The port where a connection is encrypted from its first byte.
const ENCRYPTED: u16 = 465;
/// Most lines of one answer.
const MAX_LINES: usize = 100;

/// An envelope.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [&'a str],
}

/// Sends a message, whose lines must not begin with a dot.
pub(super) async fn send(
    dial: &dyn Dial,
    (host, port): (&str, u16),
    login: Option<(&str, &str)>,
    envelope: &Envelope<'_>,
    message: &str,
) -> Result<(), NodeError> {
    let mut connection = dial.connect(host, port).await?;
    if port == ENCRYPTED {
        connection = dial.secure(connection, host).await?;
    }
    let mut talk = Talk {
        lines: Lines::new(host, connection),
    };
    talk.expect("its greeting", 220).await?;
    let mut offers = talk.ask("EHLO localhost", 250).await?;
    if port != ENCRYPTED {
        if !offers.iter().any(|o| o.eq_ignore_ascii_case("STARTTLS")) {
            return Err(talk.lines.broken("it offers no encryption (STARTTLS)"));
        }
        talk.ask("STARTTLS", 220).await?;
        let connection = dial.secure(talk.lines.into_connection()?, host).await?;
        talk.lines = Lines::new(host, connection);
        offers = talk.ask("EHLO localhost", 250).await?;
    }
    if let Some((user, password)) = login {
        let offered = offers.iter().map(|o| o.to_ascii_uppercase());
        let plain = offered
            .filter(|o| o.starts_with("AUTH"))
            .any(|o| o.contains(" PLAIN"));
        if !plain {
            return Err(talk
                .lines
                .broken("it takes no user name and password (AUTH PLAIN)"));
        }
        let secret = STANDARD.encode(format!("\0{user}\0{password}"));
        let login = talk.say(&format!("AUTH PLAIN {secret}")).await?;
        if login.code != 235 {
            let message = format!("are refused by {host}: {}", login.shown());
            return Err(NodeError::bad(
                "password",
                format!("`username` and `password` {message}"),
            ));
        }
    }
    talk.ask(&format!("MAIL FROM:<{}>", envelope.from), 250)
        .await?;
    for to in envelope.to {
        let answer = talk.say(&format!("RCPT TO:<{to}>")).await?;
        if !(250..=251).contains(&answer.code) {
            let message = format!("{to} is refused by {host}: {}", answer.shown());
            return Err(NodeError::bad("to_address", message));
        }
    }
    talk.ask("DATA", 354).await?;
    talk.ask(&format!("{message}\r\n."), 250).await?;
    // It is sent; how the goodbye goes does not matter.
    let _ = talk.lines.send(b"QUIT\r\n").await;
    Ok(())
}

struct Talk {
    lines: Lines,
}

/// What the server says: a code and lines.
struct Answer {
    code: u16,
    lines: Vec<String>,
}

impl Answer {
    fn shown(&self) -> String {
        let text = format!("{} {}", self.code, self.lines.join(" "));
        text.chars().take(300).collect()
    }
}

impl Talk {
    /// Says something that has to be answered so; the lines of the answer.
    async fn ask(&mut self, command: &str, code: u16) -> Result<Vec<String>, NodeError> {
        self.lines.send(format!("{command}\r\n").as_bytes()).await?;
        let words = command.split(['\r', ':']).next().unwrap_or_default();
        let shown = if code == 250 && command.ends_with("\r\n.") {
            "the message"
        } else {
            words
        };
        self.expect(shown, code).await
    }

    async fn expect(&mut self, what: &str, code: u16) -> Result<Vec<String>, NodeError> {
        let answer = self.answer().await?;
        match answer.code == code {
            true => Ok(answer.lines),
            false => Err(self.lines.broken(&format!("{what}: {}", answer.shown()))),
        }
    }

    async fn say(&mut self, command: &str) -> Result<Answer, NodeError> {
        self.lines.send(format!("{command}\r\n").as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, NodeError> {
        let mut lines = Vec::new();
        for _ in 0..MAX_LINES {
            let line = self.lines.line().await?;
            let code = line.get(..3).and_then(|c| c.parse::<u16>().ok());
            let Some(code) = code else {
                return Err(self.lines.broken("it does not speak SMTP"));
            };
            lines.push(line.get(4..).unwrap_or_default().trim().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Answer { code, lines });
            }
        }
        Err(self.lines.broken("its answer does not end"))
    }
}
