//! `GET /health`, `/info` and `/metrics`.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json as object};

use vestnik_core::LabelSet;

use super::json;
use crate::app::App;
use crate::lane::Lane;
use crate::problem::Problem;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether requests are taken.
pub(super) async fn health(State(app): State<App>) -> Response {
    if app.is_stopping() {
        return Problem::stopping().into_response();
    }
    json(&object!({"status": "ok"}))
}

/// Models and limits.
pub(super) async fn info(State(app): State<App>) -> Response {
    let models: Value = app.models.lanes().map(|lane| model(lane)).collect();
    let config = &app.config;
    json(&object!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": models,
        "limits": {
            "max_body_bytes": config.max_body_bytes,
            "max_text_chars": config.max_text_chars,
            "max_client_batch": config.max_client_batch,
            "max_labels": config.max_labels,
            "max_targets": config.max_targets,
            "max_queue": config.max_queue,
            "max_connections": config.max_connections,
            "batch_tokens": config.batch_tokens,
            "max_wait_ms": millis(config.max_wait),
            "request_timeout_ms": millis(config.request_timeout),
        },
    }))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn model(lane: &Lane) -> Value {
    let engine = lane.engine();
    let names = |labels: Option<&LabelSet>| -> Vec<String> {
        labels
            .into_iter()
            .flat_map(LabelSet::iter)
            .map(str::to_owned)
            .collect()
    };
    let tagger = engine.tagger();
    object!({
        "name": lane.name(),
        "tasks": engine.tasks(),
        "entity_types": names(tagger.and_then(|tagger| tagger.entity_types())),
        "topics": names(tagger.and_then(|tagger| tagger.topics())),
        "device": engine.device(),
        "queue_texts": lane.queue_len(),
    })
}

/// What was counted and timed.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], app.metrics.render()).into_response()
}
