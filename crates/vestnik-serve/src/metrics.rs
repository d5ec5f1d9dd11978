//! What is counted and timed, in the text format of Prometheus (OpenMetrics 1.0).

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::engine::Found;
use crate::problem::Kind;
use crate::stages::Stages;

/// Names and values that tell the series of one measure apart.
type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Histograms = Family<Labels, Histogram, Buckets>;

/// Buckets that double.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    first: f64,
    n: u16,
}

/// From half a millisecond to a minute.
const SECONDS: Buckets = Buckets { first: 5e-4, n: 18 };
/// From 16 to half a million.
const TOKENS: Buckets = Buckets { first: 16.0, n: 16 };
/// From 1 to 1024.
const TEXTS: Buckets = Buckets { first: 1.0, n: 11 };

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(self.first, 2.0, self.n))
    }
}

/// All measures of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Counters,
    request_seconds: Histograms,
    errors: Counters,
    reloads: Counters,
    connections: Gauge,
    connections_refused: Counter,
    lanes: LaneFamilies,
}

/// Measures that each model has.
#[derive(Clone, Debug)]
struct LaneFamilies {
    stage_seconds: Histograms,
    batch_tokens: Histograms,
    batch_texts: Histograms,
    texts: Counters,
    tokens: Counters,
    windowed: Counters,
    cancelled: Counters,
    entities: Counters,
    queue_texts: Family<Labels, Gauge<i64, std::sync::atomic::AtomicI64>>,
}

/// Measures of one model.
#[derive(Clone, Debug)]
pub(crate) struct LaneMetrics {
    model: String,
    families: LaneFamilies,
}

impl LaneFamilies {
    fn new() -> Self {
        Self {
            stage_seconds: Histograms::new_with_constructor(SECONDS),
            batch_tokens: Histograms::new_with_constructor(TOKENS),
            batch_texts: Histograms::new_with_constructor(TEXTS),
            texts: Counters::default(),
            tokens: Counters::default(),
            windowed: Counters::default(),
            cancelled: Counters::default(),
            entities: Counters::default(),
            queue_texts: Family::default(),
        }
    }

    fn register(&self, registry: &mut Registry) {
        let stages = "Seconds of a stage: queue of a text; tokenize, compute and decode of a batch, together batch; render of a request";
        registry.register("stage_seconds", stages, self.stage_seconds.clone());
        registry.register(
            "batch_tokens",
            "Tokens of a batch",
            self.batch_tokens.clone(),
        );
        registry.register("batch_texts", "Texts of a batch", self.batch_texts.clone());
        registry.register("texts", "Texts that were read", self.texts.clone());
        registry.register("tokens", "Tokens that were read", self.tokens.clone());
        let windowed = "Texts that were read in several windows; none is truncated";
        registry.register("windowed_texts", windowed, self.windowed.clone());
        let cancelled = "Texts that left the queue because their client or their time had gone";
        registry.register("cancelled_texts", cancelled, self.cancelled.clone());
        registry.register(
            "entities",
            "Entities that were found",
            self.entities.clone(),
        );
        registry.register("queue_texts", "Texts that wait", self.queue_texts.clone());
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("vestnik"),
            requests: Counters::default(),
            request_seconds: Histograms::new_with_constructor(SECONDS),
            errors: Counters::default(),
            reloads: Counters::default(),
            connections: Gauge::default(),
            connections_refused: Counter::<u64, AtomicU64>::default(),
            lanes: LaneFamilies::new(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "requests",
            "Requests that were answered",
            self.requests.clone(),
        );
        let seconds = "Seconds from the head of a request to its answer";
        registry.register("request_seconds", seconds, self.request_seconds.clone());
        registry.register(
            "errors",
            "Requests that got an error, by its type",
            self.errors.clone(),
        );
        registry.register(
            "reloads",
            "Models that were opened again",
            self.reloads.clone(),
        );
        registry.register("connections", "Open connections", self.connections.clone());
        let refused = "Connections closed at once because there were too many";
        registry.register(
            "connections_refused",
            refused,
            self.connections_refused.clone(),
        );
        self.lanes.register(registry);
    }

    /// Everything, as text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    pub(crate) fn of_lane(&self, model: &str) -> LaneMetrics {
        LaneMetrics {
            model: model.to_owned(),
            families: self.lanes.clone(),
        }
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let route = ("route", route.to_owned());
        self.request_seconds
            .get_or_create_owned(&vec![route.clone()])
            .observe(took.as_secs_f64());
        let labels = vec![
            ("method", method.to_owned()),
            route,
            ("status", status.to_string()),
        ];
        self.requests.get_or_create_owned(&labels).inc();
    }

    pub(crate) fn error(&self, kind: Kind) {
        let labels = vec![("error_type", kind.as_str().to_owned())];
        self.errors.get_or_create_owned(&labels).inc();
    }

    pub(crate) fn reload(&self, done: bool) {
        let result = if done { "done" } else { "failed" };
        self.reloads
            .get_or_create_owned(&vec![("result", result.to_owned())])
            .inc();
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.inc();
    }
}

impl LaneMetrics {
    fn labels(&self) -> Labels {
        vec![("model", self.model.clone())]
    }

    fn labels_and(&self, name: &'static str, value: &str) -> Labels {
        vec![("model", self.model.clone()), (name, value.to_owned())]
    }

    fn stage(&self, stage: &str, took: Duration) {
        let labels = self.labels_and("stage", stage);
        self.families
            .stage_seconds
            .get_or_create_owned(&labels)
            .observe(took.as_secs_f64());
    }

    /// A text has waited so long.
    pub(crate) fn queue(&self, took: Duration) {
        self.stage("queue", took);
    }

    /// The answer of a request was written.
    pub(crate) fn render(&self, took: Duration) {
        self.stage("render", took);
    }

    /// A batch was read.
    pub(crate) fn batch(&self, found: &[Found], stages: &Stages) {
        let tokens: usize = found.iter().map(Found::tokens).sum();
        let windowed = found.iter().filter(|found| found.windows() > 1).count();
        let labels = self.labels();
        let families = &self.families;
        self.stage("batch", stages.total());
        for (stage, took) in stages.parts() {
            self.stage(stage, took);
        }
        families
            .batch_tokens
            .get_or_create_owned(&labels)
            .observe(tokens as f64);
        families
            .batch_texts
            .get_or_create_owned(&labels)
            .observe(found.len() as f64);
        families
            .texts
            .get_or_create_owned(&labels)
            .inc_by(found.len() as u64);
        families
            .tokens
            .get_or_create_owned(&labels)
            .inc_by(tokens as u64);
        families
            .windowed
            .get_or_create_owned(&labels)
            .inc_by(windowed as u64);
        self.entities(found);
    }

    fn entities(&self, found: &[Found]) {
        for found in found {
            let Found::Analysis(analysis) = found else {
                continue;
            };
            for entity in &analysis.entities {
                let labels = self.labels_and("label", &entity.label);
                self.families.entities.get_or_create_owned(&labels).inc();
            }
        }
    }

    pub(crate) fn cancelled(&self, n_texts: usize) {
        if n_texts > 0 {
            self.families
                .cancelled
                .get_or_create_owned(&self.labels())
                .inc_by(n_texts as u64);
        }
    }

    pub(crate) fn queue_len(&self, n_texts: usize) {
        let gauge = self
            .families
            .queue_texts
            .get_or_create_owned(&self.labels());
        gauge.set(i64::try_from(n_texts).unwrap_or(i64::MAX));
    }
}
