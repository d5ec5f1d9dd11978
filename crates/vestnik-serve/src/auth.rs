//! Who asks: API keys, and the client that shares of the queue are counted for.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::app::App;
use crate::error::{Error, Result};
use crate::problem::{Kind, Problem};

/// Fewest characters of a key.
const FEWEST_CHARS: usize = 16;

/// Keys that clients have to show as `Authorization: Bearer KEY` or `X-API-Key: KEY`.
///
/// Only their digests are kept; `Debug` shows how many there are.
#[derive(Clone)]
pub struct ApiKeys {
    digests: Vec<[u8; 32]>,
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeys({})", self.digests.len())
    }
}

impl ApiKeys {
    /// One key a line, of 16 printable ASCII characters at least; empty lines and lines that start with `#` are passed
    /// over.
    ///
    /// # Errors
    /// [`Error::ApiKey`] if there is none, or one is short or has other characters.
    pub fn parse(text: &str) -> Result<Self> {
        let mut digests = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let key = line.trim();
            if key.is_empty() || key.starts_with('#') {
                continue;
            }
            check(key, index + 1)?;
            digests.push(digest(key.as_bytes()));
        }
        if digests.is_empty() {
            return Err(Error::ApiKey {
                line: text.lines().count().max(1),
                problem: "there is no key",
            });
        }
        Ok(Self { digests })
    }

    /// The place of a key among the keys. The time it takes depends on the number of keys alone.
    fn find(&self, key: &[u8]) -> Option<usize> {
        let shown = digest(key);
        let mut found = None;
        for (place, known) in self.digests.iter().enumerate() {
            let equal: Choice = known.ct_eq(&shown);
            if bool::from(equal) {
                found = Some(place);
            }
        }
        found
    }
}

fn check(key: &str, line: usize) -> Result<()> {
    let problem = if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "a key has printable ASCII characters only"
    } else if key.len() < FEWEST_CHARS {
        "a key has at least 16 characters"
    } else {
        return Ok(());
    };
    Err(Error::ApiKey { line, problem })
}

fn digest(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Who asks, for shares of the queue: the key, or else the address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Key(usize),
    Address(std::net::IpAddr),
    Unknown,
}

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Lets only those pass who have a key, if keys are asked for, and notes who it is.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let client = match &app.config.api_keys {
        None => peer.map_or(Client::Unknown, |Peer(address)| {
            Client::Address(address.ip())
        }),
        Some(keys) => match shown(request.headers()).and_then(|key| keys.find(key)) {
            Some(place) => Client::Key(place),
            None => {
                return Problem::new(Kind::Unauthorized, "an API key is needed").into_response();
            }
        },
    };
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The key that a request shows.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_others_are_not() {
        let keys = ApiKeys::parse("# ours\nabcdefghijklmnop\n\n 0123456789abcdef \n").unwrap();
        assert_eq!(keys.find(b"abcdefghijklmnop"), Some(0));
        assert_eq!(keys.find(b"0123456789abcdef"), Some(1));
        for wrong in [
            &b""[..],
            b"abcdefghijklmno",
            b"abcdefghijklmnopq",
            b"# ours",
        ] {
            assert_eq!(keys.find(wrong), None);
        }
        assert_eq!(format!("{keys:?}"), "ApiKeys(2)");
    }

    #[test]
    fn keys_that_are_none_are_refused_without_being_told() {
        for (text, line) in [
            ("", 1),
            ("# only\n", 1),
            ("a\n", 1),
            ("abcdefghijklmnop\nключключключключ", 2),
        ] {
            let error = ApiKeys::parse(text).unwrap_err();
            assert!(
                matches!(error, Error::ApiKey { line: found, .. } if found == line),
                "{text}"
            );
            assert!(!error.to_string().contains("ключ"));
        }
    }

    #[test]
    fn a_key_is_shown_in_one_of_two_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(shown(&headers), None);
        for (value, key) in [
            ("Bearer k", Some(&b"k"[..])),
            ("bearer  k ", Some(b"k")),
            ("Basic k", None),
            ("Bear", None),
        ] {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(shown(&headers), key, "{value}");
        }
        headers.insert("x-api-key", "other".parse().unwrap());
        assert_eq!(shown(&headers), Some(&b"other"[..]));
    }
}
