//! Bare connections for protocols that are not HTTP, to the addresses HTTP may reach, too.
//!
//! It must not know the protocols.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nodetool_sdk::dial::{Connection, Dial};
use nodetool_sdk::{BoxFuture, NodeError};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::OutboundError;
use super::allow::AllowList;
use super::resolver::{Lookup, reachable};

/// How long a connection, and then its encryption, may take to come about.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest name of a host.
const MAX_HOST: usize = 253;

/// Connects to what the allow list permits.
#[derive(Clone)]
pub(super) struct Dialer {
    allow: Arc<AllowList>,
    lookup: Lookup,
    tls: TlsConnector,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

impl Dialer {
    pub(super) fn new(allow: Arc<AllowList>, lookup: Lookup, tls: ClientConfig) -> Self {
        Dialer {
            allow,
            lookup,
            tls: TlsConnector::from(Arc::new(tls)),
        }
    }

    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, OutboundError> {
        let failed = |why: String| OutboundError::Failed {
            host: host.to_owned(),
            why,
        };
        if host.is_empty() || host.len() > MAX_HOST {
            return Err(failed(format!(
                "the name of a host has 1 to {MAX_HOST} characters"
            )));
        }
        let addresses = match host.parse::<IpAddr>() {
            Ok(ip) => {
                self.allow
                    .check(host, ip)
                    .map_err(|why| OutboundError::Refused {
                        host: host.to_owned(),
                        why: format!("it is {why}"),
                    })?;
                vec![SocketAddr::new(ip, 0)]
            }
            Err(_) => reachable(&self.allow, &self.lookup, host).await?,
        };
        let mut last = String::from("no address is known for it");
        for address in addresses {
            // What was checked is what is connected to.
            match TcpStream::connect(SocketAddr::new(address.ip(), port)).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e.to_string(),
            }
        }
        Err(failed(last))
    }

    async fn encrypt(
        &self,
        connection: Box<dyn Connection>,
        host: &str,
    ) -> Result<Box<dyn Connection>, OutboundError> {
        let failed = |why: String| OutboundError::Failed {
            host: host.to_owned(),
            why,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|e| failed(e.to_string()))?;
        match self.tls.connect(name, connection).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(e) => Err(failed(e.to_string())),
        }
    }
}

impl Dial for Dialer {
    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        Box::pin(async move {
            let stream = patiently(host, self.open(host, port)).await?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }

    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>> {
        Box::pin(patiently(host, self.encrypt(connection, host)))
    }
}

async fn patiently<T>(
    host: &str,
    work: impl Future<Output = Result<T, OutboundError>>,
) -> Result<T, NodeError> {
    let done = match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => Err(OutboundError::TimedOut {
            host: host.to_owned(),
            seconds: PATIENCE.as_secs_f64(),
        }),
    };
    done.map_err(|e| NodeError::new(e.to_string()))
}

#[cfg(test)]
mod tests;
