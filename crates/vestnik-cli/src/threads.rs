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

/// More than any machine has; each needs memory, and a system does not give any number of them.
const MOST_THREADS: usize = 1024;

/// Reads a number of threads on the command line.
pub(crate) fn parse_threads(text: &str) -> Result<usize, String> {
    parse_count_up_to(text, MOST_THREADS)
}

/// Reads a count on the command line: at least one, at most `most`.
pub(crate) fn parse_count_up_to(text: &str, most: usize) -> Result<usize, String> {
    match parse_count(text)? {
        count if count > most => Err(format!("at most {most}")),
        count => Ok(count),
    }
}

/// Reads a count on the command line: at least one.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(threads) => Ok(threads),
        Err(_) => Err("a whole number from 1".to_owned()),
    }
}
