//! Lines and counted bytes over a connection, as the protocols of mail use them.
//!
//! It must not know the protocols.

use std::time::Duration;

use nodetool_sdk::NodeError;
use nodetool_sdk::dial::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest line.
const MAX_LINE: usize = 1 << 20;
/// How long the other end may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes asked for at once.
const PORTION: usize = 16 << 10;

/// A connection to a host, and what it sent that nobody has read yet.
pub(super) struct Lines {
    host: String,
    connection: Box<dyn Connection>,
    ahead: Vec<u8>,
}

impl Lines {
    pub(super) fn new(host: &str, connection: Box<dyn Connection>) -> Self {
        Lines {
            host: host.to_owned(),
            connection,
            ahead: Vec::new(),
        }
    }

    /// The bare connection. What came ahead of it is refused: it was not said to whoever goes on.
    pub(super) fn into_connection(self) -> Result<Box<dyn Connection>, NodeError> {
        match self.ahead.is_empty() {
            true => Ok(self.connection),
            false => Err(self.broken("it speaks before it is asked")),
        }
    }

    /// A failure of the other end.
    pub(super) fn broken(&self, why: &str) -> NodeError {
        let why: String = why.chars().take(300).collect();
        NodeError::new(format!("The mail server {} failed: {why}", self.host))
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<String, NodeError> {
        let mut looked = 0;
        loop {
            let end = self.ahead[looked..].iter().position(|b| *b == b'\n');
            if let Some(end) = end {
                let line: Vec<u8> = self.ahead.drain(..=looked + end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            looked = self.ahead.len();
            if looked > MAX_LINE {
                return Err(self.broken("a line is too long"));
            }
            self.more().await?;
        }
    }

    /// So many bytes, at most `most`.
    pub(super) async fn bytes(&mut self, count: usize, most: usize) -> Result<Vec<u8>, NodeError> {
        if count > most {
            let why = format!("it sends {count} bytes (expected at most {most})");
            return Err(self.broken(&why));
        }
        while self.ahead.len() < count {
            self.more().await?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    /// Sends bytes.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), NodeError> {
        let sent = async {
            self.connection.write_all(bytes).await?;
            self.connection.flush().await
        };
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(self.broken(&e.to_string())),
            Err(_) => Err(self.broken("it takes nothing any more")),
        }
    }

    async fn more(&mut self) -> Result<(), NodeError> {
        self.ahead.reserve(PORTION);
        let read = self.connection.read_buf(&mut self.ahead);
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(Ok(0)) => Err(self.broken("it has hung up")),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) => Err(self.broken(&e.to_string())),
            Err(_) => {
                let why = format!("it says nothing for {} s", PATIENCE.as_secs());
                Err(self.broken(&why))
            }
        }
    }
}
