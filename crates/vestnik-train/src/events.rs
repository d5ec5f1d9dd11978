//! A run on a thread of its own, as an iterator over its events.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::record::RunRecord;
use crate::run::OnEvent;

/// Events that wait for whoever follows the run; with more the run waits.
const ROOM: usize = 64;

/// The events of a run that goes on meanwhile; made by [`Trainer::events`](crate::Trainer::events).
///
/// The iterator ends with the run, and [`Events::finish`] says how that went. Dropped before, it ends the run after a
/// checkpoint, from which [`Trainer::resume`](crate::Trainer::resume) goes on, and waits for that.
///
/// ```no_run
/// # fn example(trainer: vestnik_train::Trainer) -> vestnik_train::Result<()> {
/// let mut events = trainer.events()?;
/// for event in &mut events {
///     println!("{event:?}");
/// }
/// let record = events.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Events {
    events: Option<Receiver<Event>>,
    thread: Option<JoinHandle<Result<RunRecord>>>,
}

impl Events {
    pub(crate) fn start(
        run: impl FnOnce(&mut OnEvent<'_>) -> Result<RunRecord> + Send + 'static,
    ) -> Result<Self> {
        let (sender, events) = sync_channel(ROOM);
        let mut tell = move |event: &Event| match sender.send(event.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            // Nobody follows any more.
            Err(_) => ControlFlow::Break(()),
        };
        let thread = std::thread::Builder::new().name("training".to_owned());
        let thread = thread.spawn(move || run(&mut tell));
        Ok(Self {
            events: Some(events),
            thread: Some(thread.map_err(|source| Error::Thread { source })?),
        })
    }

    /// Waits for the end of the run; events that were not taken are passed over.
    ///
    /// # Errors
    /// As [`Trainer::run`](crate::Trainer::run); [`Error::ThreadGone`] if the run panicked.
    pub fn finish(mut self) -> Result<RunRecord> {
        self.by_ref().for_each(drop);
        self.join().unwrap_or(Err(Error::ThreadGone))
    }

    /// Ends the run after a checkpoint, without waiting for its other updates.
    ///
    /// # Errors
    /// As [`Events::finish`].
    pub fn stop(mut self) -> Result<RunRecord> {
        self.events = None;
        self.join().unwrap_or(Err(Error::ThreadGone))
    }

    fn join(&mut self) -> Option<Result<RunRecord>> {
        self.thread.take()?.join().ok()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.events.as_ref()?.recv().ok()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.events = None;
        // Whoever wants to know how it went asks before.
        let _ = self.join();
    }
}
