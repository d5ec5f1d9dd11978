//! A model for asynchronous programs: the work is done on a thread of its own.

use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use crate::analysis::Analysis;
use crate::error::{Error, Result};
use crate::vestnik::Vestnik;

/// A [`Vestnik`] whose answers are awaited. Cloning is cheap: clones share the model and its thread, which ends with the
/// last of them. It needs no runtime of a certain kind, and blocks none.
///
/// A call whose future was dropped before its turn is not carried out.
///
/// ```no_run
/// # async fn example() -> vestnik_infer::Result<()> {
/// let vestnik = vestnik_infer::AsyncVestnik::new(vestnik_infer::Vestnik::embedded()?)?;
/// let analysis = vestnik.analyze("Президент Франции прибыл в Киев.").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncVestnik {
    vestnik: Arc<Vestnik>,
    jobs: mpsc::Sender<Job>,
}

/// Texts and where their analyses go.
#[derive(Debug)]
struct Job {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Analysis>>>,
}

impl AsyncVestnik {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Thread`] if it cannot be started.
    pub fn new(vestnik: impl Into<Arc<Vestnik>>) -> Result<Self> {
        let vestnik = vestnik.into();
        let (jobs, queue) = mpsc::channel();
        let model = Arc::clone(&vestnik);
        let thread = std::thread::Builder::new().name("vestnik".to_owned());
        let started = thread.spawn(move || work(&model, &queue));
        started.map_err(|source| Error::Thread { source })?;
        Ok(Self { vestnik, jobs })
    }

    /// The model itself.
    #[must_use]
    pub fn vestnik(&self) -> &Vestnik {
        &self.vestnik
    }

    /// Reads one text.
    ///
    /// # Errors
    /// As [`AsyncVestnik::analyze_batch`].
    pub async fn analyze(&self, text: impl Into<String>) -> Result<Analysis> {
        let mut found = self.analyze_batch(vec![text.into()]).await?;
        found.pop().ok_or(Error::ThreadGone)
    }

    /// Reads texts; the answer has one element for each, in the same order.
    ///
    /// # Errors
    /// As [`Vestnik::analyze_batch`]; [`Error::ThreadGone`] if the thread failed.
    pub async fn analyze_batch(&self, texts: Vec<String>) -> Result<Vec<Analysis>> {
        let (reply, found) = oneshot::channel();
        let sent = self.jobs.send(Job { texts, reply });
        sent.map_err(|_| Error::ThreadGone)?;
        found.await.map_err(|_| Error::ThreadGone)?
    }
}

fn work(vestnik: &Vestnik, queue: &mpsc::Receiver<Job>) {
    for Job { texts, reply } in queue {
        if reply.is_closed() {
            continue;
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        // Whoever asked may have gone meanwhile.
        let _ = reply.send(vestnik.analyze_batch(&texts));
    }
}
