//! Streams of texts: an iterator over texts becomes one over texts with what they say.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::analysis::Analysis;
use crate::error::Result;
use crate::vestnik::Vestnik;

/// Ends the work of others: cloned, it is the same one.
///
/// ```
/// let cancellation = vestnik_infer::Cancellation::new();
/// let other = cancellation.clone();
/// std::thread::spawn(move || other.cancel()).join().unwrap();
/// assert!(cancellation.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Nothing is cancelled yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels; there is no way back.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Texts with what they say, in their order; made by [`Vestnik::analyze_iter`].
///
/// Texts are taken from the source in batches ([`Vestnik::portion`]), and not before an answer is asked for.
#[derive(Debug)]
#[must_use]
pub struct Analyses<'v, I: Iterator> {
    vestnik: &'v Vestnik,
    texts: I,
    ready: VecDeque<(I::Item, Result<Analysis>)>,
    cancellation: Cancellation,
}

impl<'v, I: Iterator> Analyses<'v, I>
where
    I::Item: AsRef<str>,
{
    pub(crate) fn new(vestnik: &'v Vestnik, texts: I) -> Self {
        Self {
            vestnik,
            texts,
            ready: VecDeque::new(),
            cancellation: Cancellation::default(),
        }
    }

    /// Ends when it is cancelled: what was read and not yet given is dropped, and no further text is taken. A batch that
    /// is being read is read to its end.
    pub fn with_cancellation(mut self, cancellation: &Cancellation) -> Self {
        self.cancellation = cancellation.clone();
        self
    }

    fn next_batch(&mut self) -> Vec<I::Item> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let portion = self.vestnik.portion();
        while !portion.is_full(batch.len(), bytes)
            && let Some(text) = self.texts.next()
        {
            bytes += text.as_ref().len();
            batch.push(text);
        }
        batch
    }

    /// Reads the next texts at once; if that fails, one by one, so that a bad one costs the others nothing.
    fn read(&mut self) {
        let batch = self.next_batch();
        let texts: Vec<&str> = batch.iter().map(AsRef::as_ref).collect();
        let found = match self.vestnik.analyze_batch(&texts) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(_) => {
                let each = texts.iter().map(|text| self.vestnik.analyze(text));
                each.collect::<Vec<_>>()
            }
        };
        self.ready = batch.into_iter().zip(found).collect();
    }
}

impl<I: Iterator> Iterator for Analyses<'_, I>
where
    I::Item: AsRef<str>,
{
    type Item = (I::Item, Result<Analysis>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.cancellation.is_cancelled() {
            self.ready.clear();
            return None;
        }
        if self.ready.is_empty() {
            self.read();
        }
        self.ready.pop_front()
    }
}
