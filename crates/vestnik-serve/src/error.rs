//! What can go wrong before and beside the answering of requests.

use std::io;
use std::net::SocketAddr;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the server itself. What is wrong with a request is told to its client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No model was given.
    #[error("there is no model to serve")]
    NoModel,
    /// A model cannot be opened.
    #[error("cannot open the model {name}")]
    Model {
        /// Its name as it was given.
        name: String,
        /// Why.
        #[source]
        source: crate::OpenError,
    },
    /// Two models of one name.
    #[error("two models are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// A limit of the configuration that leaves no room for anything.
    #[error("{limit} is {value}, expected {expected}")]
    Limit {
        /// Which one.
        limit: &'static str,
        /// What it is.
        value: usize,
        /// What it may be.
        expected: &'static str,
    },
    /// A certificate or key that cannot be read.
    #[cfg(feature = "tls")]
    #[error("cannot read the certificate and its key")]
    Pem(#[source] crate::OpenError),
    /// No certificate where one should be.
    #[cfg(feature = "tls")]
    #[error("there is no certificate in it (PEM)")]
    NoCertificate,
    /// No private key where one should be.
    #[cfg(feature = "tls")]
    #[error("there is no private key in it (PEM, not encrypted)")]
    NoKey,
    /// A private key of another certificate.
    #[cfg(feature = "tls")]
    #[error("the private key does not belong to the certificate")]
    OtherKey,
    /// A certificate or key of a kind that cannot be used.
    #[cfg(feature = "tls")]
    #[error("the certificate cannot be used")]
    Certificate {
        /// Why not.
        #[source]
        source: crate::OpenError,
    },
    /// An origin for CORS that no browser sends.
    #[error("{origin:?} is no origin, expected one like https://example.org")]
    Origin {
        /// What was given.
        origin: String,
    },
    /// API keys that are none.
    #[error("API keys: line {line}: {problem}")]
    ApiKey {
        /// Line of the text, from 1.
        line: usize,
        /// What is wrong with it. The key itself is not told.
        problem: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread")]
    Thread {
        /// Why not.
        #[source]
        source: io::Error,
    },
}
