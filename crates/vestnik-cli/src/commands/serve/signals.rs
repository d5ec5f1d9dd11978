//! Signals that stop the server or have it open its models again.

use std::future::Future;

use anyhow::{Context, Result};
use tokio::sync::mpsc;

/// Ready at the first SIGINT or SIGTERM. The second one ends the process at once.
#[cfg(unix)]
pub(super) fn stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let failed = "cannot wait for signals";
    let mut interrupt = signal(SignalKind::interrupt()).context(failed)?;
    let mut terminate = signal(SignalKind::terminate()).context(failed)?;
    Ok(async move {
        let told = async move || {
            tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            }
        };
        let mut told = told;
        told().await;
        tokio::spawn(async move { std::process::exit(told().await) });
    })
}

/// Something comes out at each SIGHUP.
#[cfg(unix)]
pub(super) fn reload() -> Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for signals")?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // Several signals while models are being opened are one.
        while hangup.recv().await.is_some() {
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}

/// Ready at the first interrupt.
#[cfg(not(unix))]
pub(super) fn stop() -> Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Nothing comes out: there is no such signal.
#[cfg(not(unix))]
pub(super) fn reload() -> Result<mpsc::Receiver<()>> {
    Ok(mpsc::channel(1).1)
}
