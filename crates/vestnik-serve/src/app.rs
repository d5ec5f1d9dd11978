//! What all handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Config;
use crate::metrics::Metrics;
use crate::models::Models;

/// Settings, models and measures of a server. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

/// See [`App`].
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) models: Models,
    pub(crate) metrics: Metrics,
    stopping: AtomicBool,
}

impl App {
    pub(crate) fn new(config: Config, models: Models, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            config,
            models,
            metrics,
            stopping: AtomicBool::new(false),
        }))
    }

    /// New requests should go elsewhere from now on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
