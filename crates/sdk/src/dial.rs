//! Connections for protocols that are not HTTP, such as those of mail.
//!
//! It must not know any protocol. The server decides which hosts are reachable, as it does for HTTP.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{BoxFuture, NodeError};

/// Bytes both ways.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Connects to hosts: refuses private, loopback and metadata addresses.
pub trait Dial: Send + Sync {
    /// A connection to a port of a host. It is not encrypted yet.
    fn connect<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>>;
    /// The same connection, encrypted; fails unless the other end proves that it is the host.
    fn secure<'a>(
        &'a self,
        connection: Box<dyn Connection>,
        host: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, NodeError>>;
}
