//! Reading ahead: articles come in chunks, from a thread of their own, and no more than a few chunks are in memory.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use vestnik_data::{Article, ArticleReader, BytesRead, Problem, RecordPosition, Rejected};
use vestnik_infer::Portion;

use super::stop::Stop;
use crate::failure::Mistake;

/// Chunks that wait while one is computed.
const WAITING: usize = 2;
/// How often to look whether the program was told to end, while there is nothing to read.
const PATIENCE: Duration = Duration::from_millis(100);

/// Articles in the order of the input, and the records between them that cannot be used.
///
/// Where chunks end depends on the records and the device alone, so that a run that goes on behind a chunk has the same chunks.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) articles: Vec<Article>,
    pub(crate) rejected: Vec<Rejected>,
    /// Articles that were read up to here, those included that are not worked on.
    pub(crate) n_read: u64,
    /// How far the input was read when the chunk was full.
    pub(crate) position: RecordPosition,
    /// The same in bytes as they lie on the disk.
    pub(crate) bytes_read: u64,
    /// Bytes of text and of records that cannot be used.
    bytes: usize,
}

impl Chunk {
    fn is_full(&self, portion: Portion) -> bool {
        portion.is_full(self.articles.len() + self.rejected.len(), self.bytes)
    }

    fn push(&mut self, item: Result<Article, Rejected>, text_field: &str) {
        match item {
            Ok(article) if article.text.trim().is_empty() => {
                self.rejected.push(empty_text(article, text_field));
            }
            Ok(article) => {
                self.bytes += article.text.len();
                self.articles.push(article);
            }
            Err(rejected) => {
                self.bytes += rejected.record.as_ref().map_or(0, Vec::len);
                self.rejected.push(rejected);
            }
        }
    }
}

/// An article without text says nothing; most often the wrong field was read, or the dump is damaged.
fn empty_text(article: Article, text_field: &str) -> Rejected {
    let problem = Problem::EmptyText {
        field: text_field.to_owned(),
    };
    reject(article, problem)
}

/// Sets an article aside that was read well.
pub(crate) fn reject(article: Article, problem: Problem) -> Rejected {
    Rejected {
        path: article.origin.path,
        line: Some(article.origin.line),
        problems: vec![problem],
        record: Some(article.fields.into_json().into_bytes()),
    }
}

/// What to read.
pub(crate) struct Plan {
    /// The name of the text, for messages.
    pub(crate) text_field: String,
    /// At most so many articles.
    pub(crate) limit: u64,
    /// When a chunk is full: articles, and bytes of their texts and of records that cannot be used; the last one may go past.
    pub(crate) portion: Portion,
    /// Records to pass over, and the hash that they must have.
    pub(crate) done: Option<(u64, String)>,
}

/// Chunks from another thread.
///
/// The thread is not joined: a program that ends early does not wait for an input that is still open.
pub(crate) struct Chunks {
    /// `None` is the end of the input: a thread that fails says nothing.
    receiver: Receiver<Option<Result<Chunk>>>,
    ended: bool,
    stop: Stop,
}

impl Chunks {
    /// Starts to read.
    pub(crate) fn read_ahead(reader: ArticleReader, plan: Plan, stop: Stop) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        thread::spawn(move || {
            let mut reading = match Reading::start(reader, plan) {
                Ok(reading) => reading,
                Err(error) => {
                    let _ = sender.send(Some(Err(error)));
                    return;
                }
            };
            // The other side may be gone; then nobody wants the rest.
            while let Some(chunk) = reading.next_chunk() {
                if sender.send(Some(Ok(chunk))).is_err() {
                    return;
                }
            }
            let _ = sender.send(None);
        });
        Self::new(receiver, stop)
    }

    fn new(receiver: Receiver<Option<Result<Chunk>>>, stop: Stop) -> Self {
        Self {
            receiver,
            ended: false,
            stop,
        }
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk>;

    /// The next chunk; `None` at the end, or when the program was told to end.
    fn next(&mut self) -> Option<Result<Chunk>> {
        while !self.stop.is_asked() && !self.ended {
            match self.receiver.recv_timeout(PATIENCE) {
                Ok(Some(chunk)) => return Some(chunk),
                Ok(None) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.ended = true;
                    return Some(Err(anyhow!("the reading thread failed")));
                }
            }
        }
        None
    }
}

struct Reading {
    reader: ArticleReader,
    bytes_read: BytesRead,
    plan: Plan,
    n_read: u64,
}

impl Reading {
    fn start(mut reader: ArticleReader, plan: Plan) -> Result<Self> {
        if let Some((n_records, hash)) = &plan.done {
            pass_over(&mut reader, *n_records, hash)?;
        }
        Ok(Self {
            bytes_read: reader.bytes_read(),
            reader,
            plan,
            n_read: 0,
        })
    }

    fn next_chunk(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk::default();
        while self.n_read < self.plan.limit
            && !chunk.is_full(self.plan.portion)
            && let Some(item) = self.reader.next()
        {
            self.n_read += u64::from(item.is_ok());
            chunk.push(item, &self.plan.text_field);
        }
        chunk.n_read = self.n_read;
        chunk.position = self.reader.record_position();
        chunk.bytes_read = self.bytes_read.get();
        let empty = chunk.articles.is_empty() && chunk.rejected.is_empty();
        (!empty).then_some(chunk)
    }
}

/// Passes over what an earlier process has done, and looks whether it is the same.
fn pass_over(reader: &mut ArticleReader, n_records: u64, hash: &str) -> Result<()> {
    let found = match reader.skip_to(n_records) {
        Ok(()) => reader.record_position(),
        Err(end) => end,
    };
    if found.records < n_records {
        let message = format!(
            "the input has changed: it ends after {} records, of which {n_records} were done",
            found.records
        );
        return Err(changed(message));
    }
    if found.hash.to_string() != hash {
        let message = format!(
            "the input has changed: its first {n_records} records are not those that were done"
        );
        return Err(changed(message));
    }
    Ok(())
}

fn changed(message: String) -> anyhow::Error {
    Mistake::new(message)
        .hint("give the input that the run was started with, or start again with --force")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_fails_is_no_end_of_the_input() {
        let (sender, receiver) = sync_channel(WAITING);
        let failing = thread::spawn(move || {
            let _ = sender.send(Some(Ok(Chunk::default())));
            std::panic::resume_unwind(Box::new("a defect"));
        });
        let mut chunks = Chunks::new(receiver, Stop::default());
        assert!(chunks.next().is_some_and(|chunk| chunk.is_ok()));
        assert!(failing.join().is_err());
        let error = chunks.next().and_then(Result::err);
        assert_eq!(
            error.map(|error| error.to_string()).as_deref(),
            Some("the reading thread failed")
        );
        assert!(chunks.next().is_none());
    }
}
