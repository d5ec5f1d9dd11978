//! How much the server takes, and from whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::auth::ApiKeys;
use crate::error::{Error, Result};
#[cfg(feature = "tls")]
use crate::tls::Tls;
use crate::traces::Traces;

/// Settings of a server. `Config::default()` listens on loopback and asks for no key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen. Default: `127.0.0.1:8080`; port 0 takes any that is free.
    pub address: SocketAddr,
    /// Who may ask. Default: anybody who reaches the address.
    pub api_keys: Option<ApiKeys>,
    /// Origins whose pages may call the server. Default: none.
    pub cors_origins: Vec<String>,
    /// Bytes of a request's body, as sent and when decompressed. Default: 8 MiB.
    pub max_body_bytes: usize,
    /// Characters of one text. Default: 200,000.
    pub max_text_chars: usize,
    /// Texts of one request. Default: 256.
    pub max_client_batch: usize,
    /// Labels of one request to classify. Default: 100.
    pub max_labels: usize,
    /// Targets of one document. Default: 1,000.
    pub max_targets: usize,
    /// Texts that wait for one model; of these a single client may have half. Default: 4096.
    pub max_queue: usize,
    /// Connections at a time; further ones are closed. Default: 1024.
    pub max_connections: usize,
    /// Tokens of a batch, estimated from bytes by what was read so far. Default: 4096.
    pub batch_tokens: usize,
    /// How long a text waits for others to share its batch while the model is idle. Default: 2 ms.
    pub max_wait: Duration,
    /// How long a request may take, from its head to its answer; a client may ask for less. Default: 60 s.
    pub request_timeout: Duration,
    /// How long the head of a request may take to arrive, and its body. Default: 15 s each.
    pub read_timeout: Duration,
    /// How long a client may stop taking its answer. Default: 15 s.
    pub write_timeout: Duration,
    /// How long requests in progress may go on after the server was told to stop. Default: 30 s.
    pub drain_timeout: Duration,
    /// Whether records say the language that their text is recognised in, if they have no field `lang`. Default: yes.
    pub languages: bool,
    /// Whether the log says what the texts are. Default: no.
    pub log_text: bool,
    /// Where traces of requests are written. Default: nowhere.
    pub traces: Option<Traces>,
    /// The certificate for HTTPS. Default: none, and HTTP.
    #[cfg(feature = "tls")]
    pub tls: Option<Tls>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            api_keys: None,
            cors_origins: Vec::new(),
            max_body_bytes: 8 << 20,
            max_text_chars: 200_000,
            max_client_batch: 256,
            max_labels: 100,
            max_targets: 1000,
            max_queue: 4096,
            max_connections: 1024,
            batch_tokens: 4096,
            max_wait: Duration::from_millis(2),
            request_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
            languages: true,
            log_text: false,
            traces: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl Config {
    /// Limits that leave no room for a request are refused.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = [
            ("the limit of bytes of a body", self.max_body_bytes),
            ("the limit of characters of a text", self.max_text_chars),
            ("the limit of texts of a request", self.max_client_batch),
            ("the limit of labels of a request", self.max_labels),
            ("the limit of targets of a document", self.max_targets),
            ("the limit of connections", self.max_connections),
            ("the budget of tokens of a batch", self.batch_tokens),
        ];
        if let Some((limit, value)) = limits.into_iter().find(|(_, value)| *value == 0) {
            let expected = "at least 1";
            return Err(Error::Limit {
                limit,
                value,
                expected,
            });
        }
        if self.max_queue < self.max_client_batch {
            return Err(Error::Limit {
                limit: "the limit of texts that wait",
                value: self.max_queue,
                expected: "at least the limit of texts of a request",
            });
        }
        Ok(())
    }

    /// Texts of one client that may wait: half of all, so that nobody keeps the others out.
    pub(crate) fn max_queue_of_client(&self) -> usize {
        (self.max_queue / 2).max(self.max_client_batch)
    }
}
