//! HTTPS: the certificate, its key, and handshakes that do not last for ever.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::engine::OpenError;
use crate::error::{Error, Result};

/// A certificate with its private key, in PEM.
#[derive(Clone)]
pub struct Pem {
    /// The certificate, then those that vouch for it.
    pub certificates: Vec<u8>,
    /// The private key, not encrypted.
    pub key: Vec<u8>,
}

/// What a server shows its clients; it is read again at each reload.
#[derive(Clone)]
pub struct Tls(Arc<Shown>);

struct Shown {
    read: Box<dyn Fn() -> std::result::Result<Pem, OpenError> + Send + Sync>,
    acceptor: RwLock<TlsAcceptor>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Takes the certificate that `read` gives, now and at each reload.
    ///
    /// # Errors
    /// [`Error::Pem`] where it cannot be read, [`Error::NoCertificate`], [`Error::NoKey`], [`Error::OtherKey`] for a key of
    /// another certificate, [`Error::Certificate`].
    pub fn open(
        read: impl Fn() -> std::result::Result<Pem, OpenError> + Send + Sync + 'static,
    ) -> Result<Self> {
        let acceptor = RwLock::new(acceptor(&read().map_err(Error::Pem)?)?);
        Ok(Self(Arc::new(Shown {
            read: Box::new(read),
            acceptor,
        })))
    }

    /// Reads the certificate again. One that cannot be used changes nothing.
    pub(crate) fn reload(&self) -> Result<()> {
        let new = acceptor(&(self.0.read)().map_err(Error::Pem)?)?;
        *self
            .0
            .acceptor
            .write()
            .unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Shakes hands, in so much time at most.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        limit: Duration,
    ) -> std::io::Result<TlsStream<S>> {
        let acceptor = self
            .0
            .acceptor
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        timeout(limit, acceptor.accept(stream)).await?
    }
}

fn acceptor(pem: &Pem) -> Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_slice_iter(&pem.certificates)
        .collect::<std::result::Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| Error::Pem(error.into()))?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|error| match error {
        pem::Error::NoItemsFound => Error::NoKey,
        error => Error::Pem(error.into()),
    })?;
    let unusable = |error: rustls::Error| match error {
        rustls::Error::InconsistentKeys(_) => Error::OtherKey,
        source => Error::Certificate {
            source: source.into(),
        },
    };
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = config.with_no_client_auth();
    let mut config = config
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
