//! Bodies of requests: JSON objects, within limits of bytes and time.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tokio::time::timeout;

use crate::app::App;
use crate::config::Config;
use crate::fields::{Object, kind_of};
use crate::problem::{Kind, Problem};

/// The JSON object in the body of a request.
#[derive(Debug)]
pub(crate) struct JsonObject(pub(crate) Object);

impl FromRequest<App> for JsonObject {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let is_compressed = check_head(&head.headers, &app.config)?;
        let bytes = read(body, &app.config).await?;
        parse(&bytes, is_compressed, &app.config).map(Self)
    }
}

/// The object in a body that has arrived.
pub(crate) fn parse(bytes: &[u8], is_compressed: bool, config: &Config) -> Result<Object, Problem> {
    if is_compressed {
        return object(&decompress(bytes, config.max_body_bytes)?);
    }
    object(bytes)
}

/// Whether the body is compressed; what cannot be read, or is too long, is refused before it is read.
fn check_head(headers: &HeaderMap, config: &Config) -> Result<bool, Problem> {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    check_type(headers)?;
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > config.max_body_bytes) {
        return Err(too_long(config.max_body_bytes));
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(false),
        Some("gzip") => Ok(true),
        Some(_) => Err(Problem::new(
            Kind::MediaType,
            "expected no Content-Encoding, or gzip",
        )),
    }
}

/// Other types can be sent from any page without asking; this keeps pages of others out of a server on loopback. Some
/// clients name no type; they are no browsers, which say where a page came from.
fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let is_json = match headers.get(header::CONTENT_TYPE) {
        None => !headers.contains_key(header::ORIGIN),
        Some(media_type) => {
            let media_type = media_type.to_str().unwrap_or_default();
            let essence = media_type.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        }
    };
    let error = "expected Content-Type: application/json";
    match is_json {
        true => Ok(()),
        false => Err(Problem::new(Kind::MediaType, error)),
    }
}

fn too_long(limit: usize) -> Problem {
    Problem::too_large(format!("the body has more than {limit} bytes"))
}

async fn read(body: Body, config: &Config) -> Result<Bytes, Problem> {
    let limit = config.max_body_bytes;
    let collected = timeout(config.read_timeout, Limited::new(body, limit).collect()).await;
    match collected {
        Err(_) => Err(Problem::new(
            Kind::SlowRequest,
            "the body did not arrive in time",
        )),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long(limit)),
        Ok(Err(_)) => Err(Problem::validation("the body ended early")),
    }
}

/// Decompresses as much as the limit allows: a small body can hold gigabytes.
fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    let mut limited = MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    limited
        .read_to_end(&mut text)
        .map_err(|_| Problem::validation("the body is no gzip"))?;
    if text.len() > limit {
        return Err(too_long(limit));
    }
    Ok(text)
}

fn object(bytes: &[u8]) -> Result<Object, Problem> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let found = kind_of(&other);
            Err(Problem::validation(format!(
                "the body is {found}, expected an object"
            )))
        }
        Err(error) => Err(Problem::validation(format!("the body is no JSON: {error}"))),
    }
}
