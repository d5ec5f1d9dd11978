//! Traces of requests for OpenTelemetry: a line of OTLP JSON for each, as the collector's `otlpjsonfile` receiver reads
//! them. No text is in them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::lane::Answer;
use crate::stages::Stages;

/// The header of W3C Trace Context, in requests and answers.
pub(crate) const HEADER: &str = "traceparent";
/// Kinds of spans.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// The status of a span whose request failed by the server's fault.
const FAILED: u8 = 2;

/// Where traces are written: a line of JSON for each request to a model.
#[derive(Clone)]
pub struct Traces(Arc<Mutex<Box<dyn Write + Send>>>);

impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traces")
    }
}

impl Traces {
    /// Traces are written there, a line at a time.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(out))))
    }

    pub(crate) fn write(&self, trace: &Value) {
        let line = format!("{trace}\n");
        if let Err(error) = lock(&self.0).write_all(line.as_bytes()) {
            tracing::error!(%error, "cannot write a trace");
        }
    }
}

/// The trace of a request. Cloned, it is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Arc<Spans>);

#[derive(Debug)]
struct Spans {
    parent: Parent,
    span: u64,
    begin: Instant,
    begin_time: SystemTime,
    readings: Mutex<Vec<Reading>>,
}

/// What the client says of the trace that its request is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace: u128,
    /// None where the trace begins here.
    span: Option<u64>,
    is_sampled: bool,
}

/// Texts of the request that were read together.
#[derive(Debug)]
struct Reading {
    model: String,
    queued: Instant,
    texts: usize,
    stages: Stages,
}

/// How a request ended.
pub(crate) struct Ended<'a> {
    pub(crate) method: &'a str,
    pub(crate) route: &'a str,
    pub(crate) status: u16,
    pub(crate) error: Option<&'static str>,
}

impl Trace {
    /// Goes on with the trace of the header, or begins one.
    pub(crate) fn begin(header: Option<&[u8]>) -> Self {
        let header = header.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let begun_here = || Parent {
            trace: u128::from(random()) << 64 | u128::from(random()),
            span: None,
            is_sampled: true,
        };
        Self(Arc::new(Spans {
            parent: header.and_then(parse).unwrap_or_else(begun_here),
            span: random(),
            begin: Instant::now(),
            begin_time: SystemTime::now(),
            readings: Mutex::default(),
        }))
    }

    /// Whether somebody wants to see it.
    pub(crate) fn is_sampled(&self) -> bool {
        self.0.parent.is_sampled
    }

    /// The header of the answer: the trace, and the span of the request.
    pub(crate) fn header(&self) -> String {
        let Parent {
            trace, is_sampled, ..
        } = self.0.parent;
        format!(
            "00-{trace:032x}-{:016x}-{:02x}",
            self.0.span,
            u8::from(is_sampled)
        )
    }

    /// Notes how texts of the request were read.
    pub(crate) fn note(&self, model: &str, answers: &[Answer]) {
        let mut readings = lock(&self.0.readings);
        for answer in answers {
            let same = |reading: &&mut Reading| reading.stages.begin == answer.stages.begin;
            match readings.iter_mut().find(same) {
                Some(reading) => reading.texts += 1,
                None => readings.push(Reading {
                    model: model.to_owned(),
                    queued: answer.queued,
                    texts: 1,
                    stages: answer.stages,
                }),
            }
        }
    }

    /// The spans of the request as an object `TracesData` of OTLP.
    pub(crate) fn ended(&self, ended: &Ended<'_>) -> Value {
        let mut spans = vec![self.request_span(ended)];
        for reading in lock(&self.0.readings).iter() {
            spans.extend(self.reading_spans(reading));
        }
        let version = env!("CARGO_PKG_VERSION");
        json!({"resourceSpans": [{
            "resource": {"attributes": [text("service.name", "vestnik"), text("service.version", version)]},
            "scopeSpans": [{"scope": {"name": "vestnik-serve", "version": version}, "spans": spans}],
        }]})
    }

    fn request_span(&self, ended: &Ended<'_>) -> Value {
        let mut attributes = vec![
            text("http.request.method", ended.method),
            text("http.route", ended.route),
            number("http.response.status_code", u64::from(ended.status)),
        ];
        attributes.extend(ended.error.map(|kind| text("error.type", kind)));
        let status = if ended.status >= 500 {
            json!({"code": FAILED})
        } else {
            json!({})
        };
        let name = format!("{} {}", ended.method, ended.route);
        let took = self.0.begin.elapsed();
        let mut span = self.span(&name, (self.0.begin, took), &attributes);
        span["spanId"] = format!("{:016x}", self.0.span).into();
        span["parentSpanId"] = self
            .0
            .parent
            .span
            .map_or_else(String::new, |span| format!("{span:016x}"))
            .into();
        span["kind"] = SERVER.into();
        span["status"] = status;
        span
    }

    /// The wait, and the parts of reading one after the other, as if all texts had been through one before the next.
    fn reading_spans(&self, reading: &Reading) -> Vec<Value> {
        let attributes = [
            text("vestnik.model", &reading.model),
            number("vestnik.texts", reading.texts as u64),
            number("vestnik.batch_texts", reading.stages.texts as u64),
        ];
        let mut begin = reading.stages.begin;
        let waited = begin.saturating_duration_since(reading.queued);
        let mut spans = vec![self.span("queue", (reading.queued, waited), &attributes)];
        for (name, took) in reading.stages.parts() {
            spans.push(self.span(name, (begin, took), &attributes));
            begin += took;
        }
        spans
    }

    /// A span below that of the request.
    fn span(&self, name: &str, (begin, took): (Instant, Duration), attributes: &[Value]) -> Value {
        json!({
            "traceId": format!("{:032x}", self.0.parent.trace),
            "spanId": format!("{:016x}", random()),
            "parentSpanId": format!("{:016x}", self.0.span),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": self.nanos(begin),
            "endTimeUnixNano": self.nanos(begin + took),
            "attributes": attributes,
            "status": {},
        })
    }

    /// Nanoseconds since 1970, as a string: JSON numbers do not hold them.
    fn nanos(&self, instant: Instant) -> String {
        let time = self.0.begin_time + instant.saturating_duration_since(self.0.begin);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_nanos().to_string()
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// `00-TRACE-SPAN-FLAGS`; later versions may have more behind that.
fn parse(header: &str) -> Option<Parent> {
    let mut parts = header.trim().split('-');
    let version = hex(parts.next()?, 2)?;
    let trace = hex(parts.next()?, 32).filter(|&id| id != 0)?;
    let span = hex(parts.next()?, 16).filter(|&id| id != 0)?;
    let flags = hex(parts.next()?, 2)?;
    let is_known = version == 0 && parts.next().is_none();
    let is_later = (1..0xff).contains(&version);
    (is_known || is_later).then_some(Parent {
        trace,
        span: u64::try_from(span).ok(),
        is_sampled: flags & 1 == 1,
    })
}

/// A number of so many hexadecimal digits in lower case.
fn hex(text: &str, n_digits: usize) -> Option<u128> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_hex = text.len() == n_digits && text.bytes().all(is_digit);
    is_hex
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

/// A number that is not 0 and, with the keys that the standard library draws for its hash maps, another one each time.
fn random() -> u64 {
    RandomState::new().build_hasher().finish().max(1)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_the_client_goes_on() {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = Trace::begin(Some(header.as_bytes()));
        assert!(trace.is_sampled());
        let answered = trace.header();
        assert_eq!(answered[..36], header[..36]);
        assert_ne!(answered[36..52], header[36..52]);
        assert!(answered.ends_with("-01"));
        let unwanted = header.replace("-01", "-00");
        assert!(!Trace::begin(Some(unwanted.as_bytes())).is_sampled());
        let later = format!("cc{}-more", &header[2..]);
        assert_eq!(parse(&later), parse(header));
    }

    #[test]
    fn headers_that_are_none_begin_a_trace() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &good.replacen("00", "ff", 1),
            &format!("{good}-more"),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        let (one, other) = (Trace::begin(None), Trace::begin(Some(b"\xff")));
        assert!(one.is_sampled() && other.is_sampled());
        assert_ne!(one.0.parent.trace, other.0.parent.trace);
        assert_eq!(one.0.parent.span, None);
    }
}
