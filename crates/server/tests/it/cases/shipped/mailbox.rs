//! Gmail on this machine: a server that speaks its IMAP over a socket, as far as searching and labelling goes.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use nodetool_sdk::dial::{Connection, Dial};
use nodetool_sdk::{BoxFuture, NodeError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Who may come in.
pub(super) const USER: &str = "ada@example.com";
pub(super) const PASSWORD: &str = "pa55";
/// Gmail's own name of the first message.
const FIRST: u64 = 1701;

/// A message, and the labels it has been given.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    text: &'static str,
    pub(super) labels: Vec<String>,
}

#[derive(Default)]
struct Inside {
    letters: Vec<Letter>,
    heard: Vec<String>,
}

/// The server.
pub(super) struct Mailbox {
    inside: Arc<Mutex<Inside>>,
    address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Mailbox {
    /// One with these messages, oldest first.
    pub(super) async fn open(texts: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let letters = texts.iter().map(|text| Letter {
            text,
            labels: Vec::new(),
        });
        let inside = Arc::new(Mutex::new(Inside {
            letters: letters.collect(),
            heard: Vec::new(),
        }));
        let mut serving = JoinSet::new();
        let shared = inside.clone();
        serving.spawn(async move {
            let mut sessions = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                sessions.spawn(session(socket, shared.clone()));
            }
        });
        Mailbox {
            inside,
            address,
            _serving: serving,
        }
    }

    /// The labels of each message, oldest first.
    pub(super) fn labels(&self) -> Vec<Vec<String>> {
        let inside = self.inside.lock().unwrap();
        inside.letters.iter().map(|l| l.labels.clone()).collect()
    }

    /// What was asked of it, without tags.
    pub(super) fn heard(&self) -> Vec<String> {
        self.inside.lock().unwrap().heard.clone()
    }

    /// Connections that lead here; they are not encrypted, since nobody but Google can prove to be Google.
    pub(super) fn dial(&self, through: Arc<dyn Dial>) -> Arc<dyn Dial> {
        let address = self.address;
        Arc::new(Led { address, through })
    }
}

/// One connection, until the other end hangs up.
async fn session(socket: TcpStream, inside: Arc<Mutex<Inside>>) {
    let mut socket = BufReader::new(socket);
    if socket.write_all(b"* OK Gimap ready\r\n").await.is_err() {
        return;
    }
    while let Some(command) = command(&mut socket).await {
        let (tag, words) = command.split_once(' ').unwrap_or((&command, ""));
        let answer = answer(&mut inside.lock().unwrap(), tag, words);
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A whole command; counted texts stand between angle brackets.
async fn command(socket: &mut BufReader<TcpStream>) -> Option<String> {
    let mut command = String::new();
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let counted = line.strip_suffix('}').and_then(|l| l.rsplit_once('{'));
        let Some((before, count)) = counted else {
            command.push_str(line);
            return Some(command);
        };
        socket.write_all(b"+ go ahead\r\n").await.ok()?;
        let mut text = vec![0; count.parse().ok()?];
        socket.read_exact(&mut text).await.ok()?;
        let text = String::from_utf8(text).ok()?;
        command.push_str(&format!("{before}<{text}>"));
    }
}

fn answer(inside: &mut Inside, tag: &str, words: &str) -> String {
    inside.heard.push(words.to_owned());
    let count = inside.letters.len();
    let numbers = |from: usize| (from..=count).map(|n| format!(" {n}")).collect::<String>();
    let mut said = String::new();
    if words.starts_with("LOGIN ") && words != format!("LOGIN <{USER}> <{PASSWORD}>") {
        return format!("{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n");
    } else if words.starts_with("LIST ") {
        said.push_str("* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n");
        said.push_str("* LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/All Mail\"\r\n");
    } else if let Some(id) = words.strip_prefix("UID SEARCH X-GM-MSGID ") {
        let number = id.parse::<u64>().ok().and_then(|id| id.checked_sub(FIRST));
        let number = number.map_or(String::new(), |n| format!(" {}", n + 1));
        let _ = write!(said, "* SEARCH{number}\r\n");
    } else if words.starts_with("UID SEARCH ") {
        let _ = write!(said, "* SEARCH{}\r\n", numbers(1));
    } else if let Some(rest) = words.strip_prefix("UID FETCH ") {
        let number: usize = rest.split(' ').next().unwrap().parse().unwrap();
        let (id, text) = (FIRST + number as u64 - 1, inside.letters[number - 1].text);
        let _ = write!(
            said,
            "* {number} FETCH (X-GM-THRID {id} X-GM-MSGID {id} X-GM-LABELS () UID {number} FLAGS () BODY[]<0> {{{}}}\r\n{text})\r\n",
            text.len()
        );
    } else if let Some(rest) = words.strip_prefix("UID STORE ") {
        let (number, change) = rest.split_once(' ').unwrap();
        let label = change.strip_prefix("+X-GM-LABELS <").unwrap();
        let label = label.strip_suffix('>').unwrap().to_owned();
        let number: usize = number.parse().unwrap();
        inside.letters[number - 1].labels.push(label);
    }
    format!("{said}{tag} OK done\r\n")
}

/// Real connections with another destination.
struct Led {
    address: SocketAddr,
    through: Arc<dyn Dial>,
}

impl Dial for Led {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        Box::pin(async move {
            if (host, port) != ("imap.gmail.com", 993) {
                return Err(NodeError::new(format!("nobody is at {host}:{port}")));
            }
            let ip = self.address.ip().to_string();
            self.through.connect(&ip, self.address.port()).await
        })
    }

    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        Box::pin(async move { Ok(connection) })
    }
}
