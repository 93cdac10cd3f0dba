//! Where the server listens: addresses, ports, and which of them need a word from the operator first.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use super::tls::Tls;
use crate::config::Config;

/// A socket connections come in by, and how they are encrypted.
pub(crate) struct Port {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Tls>,
}

impl Port {
    /// A port of this machine only, on a free port, without encryption.
    pub(crate) async fn inside() -> anyhow::Result<(Port, SocketAddr)> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = socket.context("cannot listen on 127.0.0.1")?;
        let address = socket.local_addr()?;
        Ok((Port { socket, tls: None }, address))
    }
}

/// The addresses the settings ask for, one list for each port.
#[derive(Debug)]
pub(crate) struct Places(Vec<(String, Vec<SocketAddr>)>);

impl Places {
    /// Looks up the addresses, and refuses those the settings should not mean.
    pub(crate) async fn of(config: &Config) -> anyhow::Result<Places> {
        let host = match config.host.trim() {
            "" => "0.0.0.0",
            host => host.trim_start_matches('[').trim_end_matches(']'),
        };
        let mut places = Vec::new();
        let own = Some(config.orchestrator_port).filter(|port| *port != 0);
        let more = config.also_ports.iter().copied().chain(own);
        for port in std::iter::once(config.port).chain(more) {
            let shown = if host.contains(':') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            };
            let found = tokio::net::lookup_host((host, port)).await;
            let found = found.with_context(|| unusable(&shown))?.collect();
            places.push((shown, found));
        }
        let places = Places(places);
        if let Some(place) = places.beyond()
            && !config.auth_provider.enforced()
            && !config.insecure_bind
        {
            bail!(
                "whoever reaches {place} could do everything this server can, since nobody has to show a token: set --auth-provider to static, multi_user or supabase, or pass --insecure-bind if that is meant"
            );
        }
        Ok(places)
    }

    /// An address that others than this machine reach.
    fn beyond(&self) -> Option<&str> {
        let beyond = |address: &SocketAddr| !is_here(address.ip());
        let found = self.0.iter().find(|(_, found)| found.iter().any(beyond));
        found.map(|(shown, _)| shown.as_str())
    }

    /// Begins to listen; gives the address of each port, the one of `port` first.
    pub(crate) async fn open(
        &self,
        config: &Config,
        tls: Option<&Tls>,
    ) -> anyhow::Result<(Vec<Port>, Vec<SocketAddr>)> {
        let (mut ports, mut addresses) = (Vec::new(), Vec::new());
        for (shown, found) in &self.0 {
            let socket = TcpListener::bind(found.as_slice()).await;
            let socket = socket.with_context(|| unusable(shown))?;
            addresses.push(socket.local_addr()?);
            ports.push(Port {
                socket,
                tls: tls.cloned(),
            });
        }
        if let Some(beyond) = addresses.iter().find(|a| !is_here(a.ip())) {
            if !config.auth_provider.enforced() {
                tracing::warn!(http.address = %beyond, "listening beyond this machine, without accounts: anybody who reaches this address can run workflows");
            }
            if tls.is_none() {
                tracing::warn!(http.address = %beyond, "listening beyond this machine without TLS: what is sent can be read on the way; --tls-cert and --tls-key change that, or a proxy in front");
            }
        }
        Ok((ports, addresses))
    }
}

fn unusable(shown: &str) -> String {
    format!("cannot listen on {shown}; --host and --port choose another address")
}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
