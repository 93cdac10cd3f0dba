//! TLS: rustls with ring, trusting what the machine trusts, or the bundled roots where it trusts nothing.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::OutboundError;

/// How connections are encrypted, and whose certificates are believed.
pub(crate) fn config() -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        // A minimal container has no certificates of its own.
        roots
            .roots
            .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| OutboundError::Setup(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
