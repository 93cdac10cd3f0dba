//! A socket to the server, over the client of everything else: its TLS, its token, its way of saying what went wrong.
//! It knows no messages.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use reqwest::header::SEC_WEBSOCKET_ACCEPT;
use reqwest::{Method, StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Ask, Client, PATIENCE, plain};

/// Time without any sign of the server after which it is gone; it gives one at least every 25 s.
const SILENCE: Duration = Duration::from_secs(75);

/// Texts that a server sends.
pub(in crate::cli) struct Socket {
    inner: WebSocketStream<Upgraded>,
    address: String,
}

impl Client {
    /// Opens a socket; what it is about is the last part of its path.
    pub(in crate::cli) async fn socket(&self, path: &[&str]) -> anyhow::Result<Socket> {
        let key = generate_key();
        let headers = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", key.as_str()),
        ];
        let ask = Ask {
            headers: &headers,
            ..Ask::new(Method::GET, path)
        };
        let opened = async {
            let response = self.open(ask).await?;
            let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT);
            let right = derive_accept_key(key.as_bytes());
            let right = accepted.is_some_and(|accepted| *accepted == *right);
            if response.status() != StatusCode::SWITCHING_PROTOCOLS || !right {
                bail!(
                    "{} opens no sockets; is it a NodeTool server?",
                    self.address()
                );
            }
            let stream = response.upgrade().await;
            let stream = stream.with_context(|| format!("{} opened no socket", self.address()))?;
            Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
        };
        let Ok(opened) = tokio::time::timeout(PATIENCE, opened).await else {
            bail!(
                "{} did not answer within {} s",
                self.address(),
                PATIENCE.as_secs()
            );
        };
        Ok(Socket {
            inner: opened?,
            address: self.address().to_owned(),
        })
    }
}

impl Socket {
    /// The next text. A socket that ends is a fault: what is watched says itself when it is over.
    pub(in crate::cli) async fn next(&mut self) -> anyhow::Result<String> {
        loop {
            let message = tokio::time::timeout(SILENCE, self.inner.next()).await;
            let Ok(message) = message else {
                bail!(
                    "{} has given no sign of life for {} s",
                    self.address,
                    SILENCE.as_secs()
                );
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => bail!("{}", closed(&self.address, frame)),
                // Pings are answered where they are read.
                Some(Ok(_)) => {}
                Some(Err(Error::ConnectionClosed)) | None => {
                    bail!("{}", closed(&self.address, None))
                }
                Some(Err(e)) => bail!(
                    "the connection to {} broke: {}",
                    self.address,
                    plain(&e.to_string())
                ),
            }
        }
    }
}

/// How a close is told.
fn closed(address: &str, frame: Option<CloseFrame>) -> String {
    match frame {
        Some(frame) if !frame.reason.is_empty() => {
            let code = u16::from(frame.code);
            format!(
                "{address} closed the connection: {} ({code})",
                plain(&frame.reason)
            )
        }
        _ => format!("{address} closed the connection"),
    }
}
