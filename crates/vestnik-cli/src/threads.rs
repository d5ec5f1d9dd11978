//! The number of threads.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// Sizes the thread pool of the whole program; `None` leaves it at the number of cores.
///
/// To be called before anything else uses the pool; a second call changes nothing.
pub(crate) fn set(threads: Option<usize>) -> Result<()> {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    let Some(threads) = threads.filter(|_| !IS_SET.swap(true, Ordering::Relaxed)) else {
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .context("cannot set the number of threads")
}

/// Reads a count on the command line: at least one.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(threads) => Ok(threads),
        Err(_) => Err("a whole number from 1".to_owned()),
    }
}
