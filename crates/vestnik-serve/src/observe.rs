//! Every request is counted, timed and logged.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::auth::Peer;
use crate::problem::Told;
use crate::traces::{self, Ended, Trace};

/// Counts, times and logs a request. The log has no text and no key.
pub(crate) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = match request.method().as_str() {
        known @ ("GET" | "POST" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "PATCH") => {
            known.to_owned()
        }
        // Anybody can make methods up; each would be a series of its own.
        _ => "other".to_owned(),
    };
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().copied();
    let trace = begin_trace(&app, &mut request);
    let mut response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let took = begin.elapsed();
    let status = response.status().as_u16();
    app.metrics.request(&method, route, status, took);
    let problem = response
        .extensions()
        .get::<Told>()
        .map(|Told(problem)| problem);
    if let Some(problem) = problem {
        app.metrics.error(problem.kind);
    }
    let ms = took.as_secs_f64() * 1e3;
    let peer = peer
        .map(|Peer(address)| address.to_string())
        .unwrap_or_default();
    let error = problem.map(|problem| problem.kind.as_str());
    tracing::info!(method, route, status, ms, peer, error, "request");
    if let Some(trace) = trace {
        let ended = Ended {
            method: &method,
            route,
            status,
            error,
        };
        end_trace(&app, &trace, &ended, &mut response);
    }
    response
}

/// Requests to models are traced, if traces are written; probes and pages are not.
fn begin_trace(app: &App, request: &mut Request) -> Option<Trace> {
    let is_traced = app.config.traces.is_some() && request.method() == Method::POST;
    let header = request.headers().get(traces::HEADER);
    let trace = is_traced.then(|| Trace::begin(header.map(HeaderValue::as_bytes)))?;
    request.extensions_mut().insert(trace.clone());
    Some(trace)
}

fn end_trace(app: &App, trace: &Trace, ended: &Ended<'_>, response: &mut Response) {
    if let Ok(header) = HeaderValue::try_from(trace.header()) {
        response.headers_mut().insert(traces::HEADER, header);
    }
    if let Some(traces) = app.config.traces.as_ref().filter(|_| trace.is_sampled()) {
        traces.write(&trace.ended(ended));
    }
}
