//! The number of threads.

use anyhow::{Context, Result};

/// Sizes the thread pool of the whole program; `None` leaves it at the number of cores.
///
/// To be called before anything else uses the pool.
pub(crate) fn set(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else {
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
