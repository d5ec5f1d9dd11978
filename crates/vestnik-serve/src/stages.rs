//! When texts were read together, and how long the parts of that took.

use std::time::{Duration, Instant};

use crate::engine::Engine;
use vestnik_infer::Times;

/// The reading of a batch, or of a part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stages {
    pub(crate) begin: Instant,
    /// Texts that were read together.
    pub(crate) texts: usize,
    pub(crate) tokenize: Duration,
    pub(crate) compute: Duration,
    /// Scores become answers.
    pub(crate) decode: Duration,
}

impl Stages {
    /// All of it.
    pub(crate) fn total(&self) -> Duration {
        self.tokenize + self.compute + self.decode
    }

    /// The parts by their names, in their order.
    pub(crate) fn parts(&self) -> [(&'static str, Duration); 3] {
        [
            ("tokenize", self.tokenize),
            ("compute", self.compute),
            ("decode", self.decode),
        ]
    }
}

/// Measures the reading of texts. An engine is used by one thread, so that all it adds up meanwhile is theirs.
pub(crate) struct StageWatch {
    begin: Instant,
    before: Times,
}

impl StageWatch {
    pub(crate) fn start(engine: &Engine) -> Self {
        Self {
            before: engine.times(),
            begin: Instant::now(),
        }
    }

    pub(crate) fn stop(self, engine: &Engine, texts: usize) -> Stages {
        let took = self.begin.elapsed();
        let spent = engine.times().since(self.before);
        // Threads spend time side by side; the parts of the clock's are those of theirs.
        let all = (spent.tokenize + spent.compute + spent.decode).as_secs_f64();
        let part = |part: Duration| took.mul_f64(part.as_secs_f64() / all.max(f64::MIN_POSITIVE));
        Stages {
            begin: self.begin,
            texts,
            tokenize: part(spent.tokenize),
            compute: part(spent.compute),
            decode: part(spent.decode),
        }
    }
}
