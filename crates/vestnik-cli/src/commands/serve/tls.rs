//! `--tls-cert` and `--tls-key`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use vestnik_serve::{Error, Pem, Tls};

/// Arguments about HTTPS.
#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// Answer over HTTPS with the certificate in FILE (PEM, with those that vouch for it behind it)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// File with the private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl TlsArgs {
    pub(super) fn is_given(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The certificate and its key, read now and at each reload.
    pub(super) fn open(&self) -> Result<Option<Tls>> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let (of_certificate, of_key) = (certificate.clone(), key.clone());
        let opened = Tls::open(move || {
            Ok(Pem {
                certificates: read(&of_certificate)?,
                key: read(&of_key)?,
            })
        });
        match opened {
            Ok(tls) => Ok(Some(tls)),
            Err(error @ Error::Pem(_)) => Err(error.into()),
            Err(error @ (Error::NoKey | Error::OtherKey)) => Err(in_file(error, key)),
            Err(error) => Err(in_file(error, certificate)),
        }
    }
}

fn in_file(error: Error, path: &Path) -> anyhow::Error {
    anyhow::Error::from(error).context(format!("cannot use {}", path.display()))
}

/// The error names the file: an error of the server knows none.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
