//! The only way from a browser to the network: a SOCKS proxy on this machine that connects where nodes may connect.
//!
//! The browser resolves no names and opens no other connections, so the policy of the dialer holds for all that a page
//! fetches: documents, what is in them, redirects, workers, sockets. It must not know HTTP; TLS passes through.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nodetool_sdk::dial::Dial;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Connections of one browser at a time.
const MOST: usize = 256;
/// How long the first words of a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Refusals that are remembered.
const REMEMBERED: usize = 64;

const SOCKS: u8 = 5;
const CONNECT: u8 = 1;
/// What the browser is told: done, not to be reached, and a command that is none of ours.
const DONE: u8 = 0;
const FORBIDDEN: u8 = 2;
const UNKNOWN: u8 = 7;

/// What was refused last, newest last: host, port, and why.
type Refusals = Mutex<VecDeque<(String, u16, String)>>;

/// The proxy of one browser.
pub(super) struct Gate {
    address: SocketAddr,
    refusals: Arc<Refusals>,
}

/// What has to be driven for a gate to let anything through.
pub(super) struct Keeper {
    listener: TcpListener,
    own: SocketAddr,
    dial: Arc<dyn Dial>,
    refusals: Arc<Refusals>,
}

impl Gate {
    /// A gate on a free port of this machine.
    pub(super) async fn open(dial: Arc<dyn Dial>) -> io::Result<(Gate, Keeper)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let refusals = Arc::<Refusals>::default();
        let keeper = Keeper {
            listener,
            own: address,
            dial,
            refusals: refusals.clone(),
        };
        Ok((Gate { address, refusals }, keeper))
    }

    /// Where it is, as browsers are told.
    pub(super) fn url(&self) -> String {
        format!("socks5://{}", self.address)
    }

    /// Why the newest connection to a host and port was refused, if it was.
    pub(super) fn refusal(&self, host: &str, port: u16) -> Option<String> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let found = refusals
            .iter()
            .rev()
            .find(|(h, p, _)| h == host && *p == port);
        found.map(|(.., why)| why.clone())
    }
}

impl Keeper {
    /// Serves the browser until this is dropped, with all its connections.
    pub(super) async fn serve(self) {
        let room = Arc::new(Semaphore::new(MOST));
        let mut tunnels = JoinSet::new();
        loop {
            while tunnels.try_join_next().is_some() {}
            let Ok(permit) = room.clone().acquire_owned().await else {
                return;
            };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Out of descriptors, most likely; some come back when connections end.
                    tracing::warn!(error = %e, "a browser's connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (dial, refusals, own) = (self.dial.clone(), self.refusals.clone(), self.own);
            tunnels.spawn(async move {
                // How a connection breaks is the page's business.
                let _ = tunnel(stream, &*dial, &refusals, own).await;
                drop(permit);
            });
        }
    }
}

async fn tunnel(
    mut stream: TcpStream,
    dial: &dyn Dial,
    refusals: &Refusals,
    own: SocketAddr,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let asked = timeout(PATIENCE, greet(&mut stream)).await;
    let Some((host, port)) = asked.map_err(io::Error::other)?? else {
        return Ok(());
    };
    // A page that asked for the gate itself could tie it into knots.
    let itself = port == own.port() && host.parse() == Ok(own.ip());
    let reached = match itself {
        true => Err("Requests to the browser's own proxy are refused".to_owned()),
        false => dial.connect(&host, port).await.map_err(|e| e.to_string()),
    };
    match reached {
        Ok(mut far) => {
            answer(&mut stream, DONE).await?;
            copy_bidirectional(&mut stream, &mut far).await?;
            Ok(())
        }
        Err(why) => {
            remember(refusals, host, port, why);
            answer(&mut stream, FORBIDDEN).await
        }
    }
}

fn remember(refusals: &Refusals, host: String, port: u16, why: String) {
    let mut refusals = refusals.lock().unwrap_or_else(PoisonError::into_inner);
    refusals.retain(|(h, p, _)| (h, *p) != (&host, port));
    if refusals.len() >= REMEMBERED {
        refusals.pop_front();
    }
    refusals.push_back((host, port, why));
}

/// Reads where the browser wants to go; nothing when it speaks another language.
async fn greet(stream: &mut TcpStream) -> io::Result<Option<(String, u16)>> {
    let [version, methods] = bytes(stream).await?;
    let mut offered = vec![0; methods.into()];
    stream.read_exact(&mut offered).await?;
    if version != SOCKS || !offered.contains(&0) {
        stream.write_all(&[SOCKS, 0xff]).await?;
        return Ok(None);
    }
    stream.write_all(&[SOCKS, 0]).await?;
    let [version, command, _, kind] = bytes(stream).await?;
    if version != SOCKS || command != CONNECT {
        answer(stream, UNKNOWN).await?;
        return Ok(None);
    }
    let host = match kind {
        1 => IpAddr::V4(Ipv4Addr::from(bytes::<4>(stream).await?)).to_string(),
        4 => IpAddr::V6(Ipv6Addr::from(bytes::<16>(stream).await?)).to_string(),
        3 => {
            let [length] = bytes(stream).await?;
            let mut name = vec![0; length.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(io::Error::other)?
        }
        _ => {
            answer(stream, UNKNOWN).await?;
            return Ok(None);
        }
    };
    let port = u16::from_be_bytes(bytes(stream).await?);
    Ok(Some((host, port)))
}

async fn bytes<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn answer(stream: &mut TcpStream, word: u8) -> io::Result<()> {
    stream
        .write_all(&[SOCKS, word, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::{Outbound, OutboundOptions};

    async fn asked(words: &[u8], allow: &[&str]) -> (Vec<u8>, Gate) {
        let allow = allow.iter().map(|host| (*host).to_owned()).collect();
        let options = OutboundOptions {
            allow,
            ..OutboundOptions::default()
        };
        let dial = Arc::new(Outbound::new(options).unwrap());
        let (gate, keeper) = Gate::open(dial).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.serve());
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        stream.write_all(words).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut said = Vec::new();
        // One that is turned away before it has been heard out is reset.
        let _ = stream.read_to_end(&mut said).await;
        (said, gate)
    }

    fn to(ip: [u8; 4], port: u16) -> Vec<u8> {
        let mut words = vec![5, 1, 0, 5, 1, 0, 1];
        words.extend(ip);
        words.extend(port.to_be_bytes());
        words
    }

    #[tokio::test]
    async fn what_nodes_may_not_reach_is_refused_and_the_reason_remembered() {
        let (said, gate) = asked(&to([169, 254, 169, 254], 80), &[]).await;
        assert_eq!(said[..4], [5, 0, 5, FORBIDDEN]);
        let why = gate.refusal("169.254.169.254", 80).unwrap();
        assert!(why.contains("refused"), "{why}");
        assert_eq!(gate.refusal("169.254.169.254", 81), None);
    }

    #[tokio::test]
    async fn what_is_allowed_is_reached_and_bytes_go_both_ways() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            stream.read_to_end(&mut asked).await.unwrap();
            stream
                .write_all(&[b"you said ", &*asked].concat())
                .await
                .unwrap();
        });
        let mut words = to([127, 0, 0, 1], port);
        words.extend(b"hello");
        let (said, _) = asked(&words, &["127.0.0.1"]).await;
        assert_eq!(&said[12..], b"you said hello");
    }

    #[tokio::test]
    async fn words_of_other_protocols_are_turned_away() {
        for (words, answer) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], None),
            (&[5, 1, 2], Some([5, 0xff])),
            (&[4, 1, 0, 80], None),
        ] {
            let (said, _) = asked(words, &[]).await;
            match answer {
                Some(answer) => assert_eq!(said, answer),
                None => assert!(said.is_empty() || said == [5, 0xff], "{said:?}"),
            }
        }
        let (said, _) = asked(&[5, 1, 0, 5, 2, 0, 1, 1, 1, 1, 1, 0, 80], &[]).await;
        assert_eq!(said[2..4], [5, UNKNOWN]);
    }

    #[tokio::test]
    async fn the_gate_does_not_lead_to_itself() {
        let allow = vec!["127.0.0.1".to_owned()];
        let options = OutboundOptions {
            allow,
            ..OutboundOptions::default()
        };
        let (gate, keeper) = Gate::open(Arc::new(Outbound::new(options).unwrap()))
            .await
            .unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(keeper.serve());
        let mut stream = TcpStream::connect(gate.address).await.unwrap();
        stream
            .write_all(&to([127, 0, 0, 1], gate.address.port()))
            .await
            .unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.unwrap();
        assert_eq!(said[..4], [5, 0, 5, FORBIDDEN]);
    }
}
