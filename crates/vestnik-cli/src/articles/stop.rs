//! SIGINT and SIGTERM: the batch at hand is finished, then the program ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether the program was told to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Waits for signals from now on. The second one ends the program at once, with exit code 2.
    pub(crate) fn listen() -> Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            let failed = "cannot wait for signals";
            // In this order: the first signal must not see the flag that it sets itself.
            flag::register_conditional_shutdown(signal, 2, stop.0.clone()).context(failed)?;
            flag::register(signal, stop.0.clone()).context(failed)?;
        }
        Ok(stop)
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
