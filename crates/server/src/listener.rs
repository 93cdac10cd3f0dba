//! The listener: connections come in by its ports, their requests go to the surface. It bounds what a connection may
//! cost (time, bytes, number) and encrypts; it must not know routes or what they do.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

mod answers;
mod client;
mod farewell;
mod limits;
mod ports;
mod requests;
mod stream;
mod tls;
mod transport;
mod vitals;

pub(crate) use client::{ClientAddr, OverTls, Proxies};
pub(crate) use limits::Limits;
pub(crate) use ports::{Places, Port};
pub(crate) use tls::Tls;

use crate::services::metrics;
use farewell::Farewells;
use limits::{Crowd, HEAD_BYTES, Permit};
use requests::Requests;
use stream::Watched;
use transport::Transport;
use vitals::Vitals;

/// Rest after the machine could not give a connection: out of file descriptors or memory.
const REST: Duration = Duration::from_millis(100);
/// Time between two warnings of one kind.
const WARN: Duration = Duration::from_secs(10);

/// What all connections share.
struct House<S> {
    surface: S,
    limits: Limits,
    proxies: Proxies,
    crowd: Arc<Crowd>,
    stopping: CancellationToken,
    farewells: Farewells,
}

/// Serves until it is told to stop and the requests at work are answered. Dropping it cuts every connection that is
/// not upgraded.
pub(crate) async fn serve<S>(
    ports: Vec<Port>,
    surface: S,
    limits: Limits,
    proxies: Proxies,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let stopping = CancellationToken::new();
    let house = Arc::new(House {
        surface,
        limits,
        proxies,
        crowd: Arc::new(Crowd::new(limits)),
        farewells: Farewells::new(stopping.clone()),
        stopping,
    });
    let mut loops = JoinSet::new();
    for port in ports {
        loops.spawn(accept(port, house.clone()));
    }
    stop.await;
    house.stopping.cancel();
    while let Some(ended) = loops.join_next().await {
        tell_panic(ended);
    }
    house.farewells.over().await;
}

/// Takes the connections of one port.
async fn accept<S>(port: Port, house: Arc<House<S>>)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let Port { socket, tls } = port;
    let mut connections = JoinSet::new();
    let (mut full, mut failing) = (Seldom::default(), Seldom::default());
    let mut stopping = pin!(house.stopping.cancelled());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopping => break,
            Some(ended) = connections.join_next() => {
                tell_panic(ended);
                continue;
            }
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(e) if is_of_one_connection(&e) => continue,
            Err(e) => {
                if failing.now() {
                    tracing::warn!(error = %e, "no connection can be taken; trying again");
                }
                tokio::select! {
                    () = &mut stopping => break,
                    () = tokio::time::sleep(REST) => {}
                }
                continue;
            }
        };
        match house.crowd.admit(peer.ip()) {
            Ok(permit) => {
                connections.spawn(connection(house.clone(), tls.clone(), stream, peer, permit));
            }
            Err(status) => {
                if full.now() {
                    tracing::warn!(client.address = %peer.ip(), http.status = status.as_u16(), "a connection is refused: there are too many");
                }
                turn_away(stream, tls.is_none(), status);
            }
        }
    }
    drop(socket);
    while let Some(ended) = connections.join_next().await {
        tell_panic(ended);
    }
}

/// Says why there is no room, as far as that takes no time.
fn turn_away(stream: TcpStream, plain: bool, status: StatusCode) {
    if plain && let Ok(mut stream) = stream.into_std() {
        // It is closed either way.
        let _ = stream.write(&answers::bytes(status));
    }
}

/// Serves one connection to its end.
async fn connection<S>(
    house: Arc<House<S>>,
    tls: Option<Tls>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Permit,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let _counted = metrics().connection_opens();
    if let Err(e) = stream.set_nodelay(true) {
        tracing::debug!(error = %e, "TCP_NODELAY could not be set");
    }
    let mut stopping = pin!(house.stopping.cancelled());
    let encrypted = tls.is_some();
    let transport = match tls {
        None => Transport::Plain(stream),
        Some(tls) => {
            let secured = tokio::select! {
                () = &mut stopping => None,
                secured = tls.secure(stream) => secured,
            };
            match secured {
                Some(stream) => Transport::Tls(Box::new(stream)),
                None => return,
            }
        }
    };
    let vitals = Arc::new(Vitals::default());
    let requests = Requests {
        surface: house.surface.clone(),
        vitals: vitals.clone(),
        peer,
        tls: encrypted,
        proxies: house.proxies.clone(),
        body_stall: house.limits.body_stall,
    };
    let farewells = house.farewells.clone();
    let watched = Watched::new(transport, permit, vitals.clone(), house.limits, farewells);
    {
        let http = http1::Builder::new()
            .max_header_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(watched), requests)
            .with_upgrades();
        let mut http = pin!(http);
        let mut told = false;
        loop {
            tokio::select! {
                ended = http.as_mut() => {
                    if let Err(e) = ended {
                        tracing::trace!(error = %e, "a connection ended badly");
                    }
                    break;
                }
                () = &mut stopping, if !told => {
                    told = true;
                    if vitals.idle() {
                        break;
                    }
                    http.as_mut().graceful_shutdown();
                }
            }
        }
    }
    if let Some((transport, permit)) = vitals.left() {
        tokio::select! {
            () = &mut stopping, if !house.stopping.is_cancelled() => {}
            () = farewell::say(transport) => {}
        }
        drop(permit);
    }
}

/// Whether only one connection is concerned, which has gone already.
fn is_of_one_connection(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn tell_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(e) = ended
        && e.is_panic()
    {
        tracing::error!(error = %e, "a connection ended by a fault of this program");
    }
}

/// Lets a warning through now and then.
#[derive(Default)]
struct Seldom(Option<Instant>);

impl Seldom {
    fn now(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= WARN);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}
