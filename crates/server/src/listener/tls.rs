//! TLS of the listener: certificate and key from files, read again when the process is told to.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::answers;

/// Time for a client to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The first byte of a TLS connection.
const HELLO: u8 = 0x16;
/// Most bytes of a file with certificates or a key.
const MOST: u64 = 1 << 20;
/// Most certificates of a chain.
const CHAIN: usize = 32;

/// Certificate and key in use; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Files>);

#[derive(Debug)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// What the settings name: both files, or none.
    pub(crate) fn open(cert: &Path, key: &Path) -> anyhow::Result<Option<Tls>> {
        match (cert.as_os_str().is_empty(), key.as_os_str().is_empty()) {
            (true, true) => return Ok(None),
            (false, false) => {}
            (false, true) => {
                bail!("--tls-cert needs --tls-key, the private key of the certificate")
            }
            (true, false) => bail!("--tls-key needs --tls-cert, the certificate of the key"),
        }
        let now = load(cert, key)?;
        Ok(Some(Tls(Arc::new(Files {
            cert: cert.to_owned(),
            key: key.to_owned(),
            now: RwLock::new(Arc::new(now)),
        }))))
    }

    fn now(&self) -> Arc<ServerConfig> {
        let now = self.0.now.read();
        now.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Agrees on keys with a client, in time; nothing when that fails.
    pub(super) async fn secure(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let secured = tokio::time::timeout(HANDSHAKE, self.shake_hands(stream)).await;
        match secured {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => {
                tracing::debug!(error = %e, "a client and this server did not agree on TLS");
                None
            }
            Err(_) => None,
        }
    }

    async fn shake_hands(
        &self,
        mut stream: TcpStream,
    ) -> std::io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        match stream.peek(&mut first).await? {
            0 => return Ok(None),
            _ if first[0] == HELLO => {}
            _ => {
                // What was asked has to be read, or the answer would be lost with it.
                let _ = stream.try_read(&mut [0; 4096]);
                stream.write_all(answers::SPEAKS_TLS).await?;
                stream.shutdown().await?;
                return Ok(None);
            }
        }
        let acceptor = TlsAcceptor::from(self.now());
        acceptor.accept(stream).await.map(Some)
    }

    /// Says so when others on this machine can read the key.
    pub(crate) fn warn_of_readers(&self) {
        use std::os::unix::fs::PermissionsExt;
        let key = &self.0.key;
        let mode = std::fs::metadata(key).map(|m| m.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o007 != 0) {
            tracing::warn!(
                "every user of this machine can read the key file {}; chmod 600 changes that",
                key.display()
            );
        }
    }

    /// Reads both files again; a pair that does not work leaves the one in use.
    pub(crate) async fn reload(&self) {
        let files = self.0.clone();
        let read = tokio::task::spawn_blocking(move || load(&files.cert, &files.key)).await;
        match read {
            Ok(Ok(config)) => {
                let now = self.0.now.write();
                *now.unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("certificate and key were read again and are in use");
                self.warn_of_readers();
            }
            Ok(Err(e)) => {
                tracing::error!(error = %format!("{e:#}"), "the new certificate and key do not work; the old ones stay in use");
            }
            Err(e) => tracing::error!(error = %e, "certificate and key could not be read again"),
        }
    }
}

fn load(cert: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let of_cert = || format!("in the certificate file {} (--tls-cert)", cert.display());
    let of_key = || format!("in the key file {} (--tls-key)", key.display());
    let pem = read(cert).with_context(of_cert)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).take(CHAIN).collect();
    let chain = chain.with_context(of_cert)?;
    if chain.is_empty() {
        bail!("{}: there is no certificate in PEM form", of_cert());
    }
    let pem = read(key).with_context(of_key)?;
    let private = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| anyhow::anyhow!("there is no private key in PEM form without a passphrase"))
        .with_context(of_key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| {
            format!(
                "the certificate {} and the key {} do not work together",
                cert.display(),
                key.display()
            )
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        bail!("it is larger than {MOST} bytes");
    }
    Ok(bytes)
}
