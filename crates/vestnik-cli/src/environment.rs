//! Settings that libraries read from the environment alone, and only once.

/// What makes training faster (`scripts/bench_training.py`: by about a quarter on two cores).
///
/// candle's own threads spin while they wait, on cores that our kernels work on. The allocator gives freed memory back to
/// the system, which clears it when the next step asks for it again.
#[cfg(unix)]
const FOR_TRAINING: [(&str, &str); 2] =
    [("CANDLE_NUM_THREADS", "1"), ("MIMALLOC_PURGE_DELAY", "-1")];

/// Runs the program anew, in the same process, with the settings for training, unless the user made them. Where that is not
/// possible the program goes on as it is.
#[cfg(unix)]
pub(crate) fn settle_for_training() {
    use std::env;
    use std::os::unix::process::CommandExt as _;

    let missing: Vec<_> = FOR_TRAINING
        .into_iter()
        .filter(|(name, _)| env::var_os(name).is_none())
        .collect();
    let mut arguments = env::args_os();
    let (Ok(program), Some(name)) = (env::current_exe(), arguments.next()) else {
        return;
    };
    if !missing.is_empty() {
        let mut again = std::process::Command::new(program);
        // Comes back only with an error.
        let _error = again.arg0(name).args(arguments).envs(missing).exec();
    }
}

/// Elsewhere the settings are left to the user.
#[cfg(not(unix))]
pub(crate) fn settle_for_training() {}
