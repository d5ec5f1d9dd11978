//! The server from outside: requests over sockets, good ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anything;
mod client;
mod compatible;
mod hostile;
mod keys;
mod openapi;
mod queueing;
mod tagging;
mod test_server;
#[cfg(feature = "tls")]
mod tls;
mod traces;
