//! Who asks, until when, and the trace that the request is part of.

use std::future::Future;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::timeout_at;

use crate::app::App;
use crate::auth::Client;
use crate::lane::Answer;
use crate::problem::{Kind, Problem};
use crate::traces::Trace;

/// The header with the time that a client gives the server.
pub(crate) const TIMEOUT_HEADER: &str = "x-request-timeout-ms";

/// Whoever waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    deadline: Instant,
    trace: Option<Trace>,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let most = app.config.request_timeout;
        let time = asked(&parts.headers)?.map_or(most, |asked| asked.min(most));
        let client = parts.extensions.get::<Client>().cloned();
        Ok(Self {
            client: client.unwrap_or(Client::Unknown),
            deadline: Instant::now() + time,
            trace: parts.extensions.get::<Trace>().cloned(),
        })
    }
}

impl Caller {
    /// What comes out of the work, if it is done in time.
    pub(crate) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Problem> {
        let late = |_| Problem::new(Kind::Timeout, "the answer was not ready in time");
        timeout_at(self.deadline.into(), work).await.map_err(late)
    }

    /// Notes in the trace how texts were read.
    pub(crate) fn note(&self, model: &str, answers: &[Answer]) {
        if let Some(trace) = &self.trace {
            trace.note(model, answers);
        }
    }
}

/// The time that the client gives.
fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(None);
    };
    millis(value.as_bytes())
        .map(|millis| Some(Duration::from_millis(millis)))
        .ok_or_else(|| {
            Problem::validation("X-Request-Timeout-Ms is no whole number of milliseconds from 1")
        })
}

/// A whole number from 1; one that is too large for a computer is as good as the largest.
fn millis(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| is_number)?;
    Some(text.parse().unwrap_or(u64::MAX)).filter(|&millis| millis > 0)
}
