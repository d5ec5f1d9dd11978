//! Reading ahead: articles come in chunks, from a thread of their own, and no more than a few chunks are in memory.

use std::sync::mpsc::{IntoIter, sync_channel};
use std::thread;

use vestnik_data::{Article, ArticleReader, Issue, Problem};

/// Articles of a chunk.
const MAX_ARTICLES: usize = 128;
/// Bytes of text of a chunk; the last article may go past it.
const MAX_BYTES: usize = 1 << 19;
/// Chunks that wait while one is computed.
const WAITING: usize = 2;

/// Articles in the order of the input, and the records between them that cannot be used.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) articles: Vec<Article>,
    pub(crate) issues: Vec<Issue>,
    /// Bytes of the input that had been read when the chunk was full.
    pub(crate) bytes_read: u64,
    /// Bytes of text.
    bytes: usize,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.articles.len() + self.issues.len() >= MAX_ARTICLES || self.bytes >= MAX_BYTES
    }

    fn is_empty(&self) -> bool {
        self.articles.is_empty() && self.issues.is_empty()
    }

    fn push(&mut self, item: Result<Article, Issue>, text_field: &str) {
        match item {
            Ok(article) if article.text.trim().is_empty() => {
                self.issues.push(empty_text(&article, text_field));
            }
            Ok(article) => {
                self.bytes += article.text.len();
                self.articles.push(article);
            }
            Err(issue) => self.issues.push(issue),
        }
    }
}

/// An article without text says nothing; most often the wrong field was read, or the dump is damaged.
fn empty_text(article: &Article, text_field: &str) -> Issue {
    Issue {
        path: article.origin.path.clone(),
        line: Some(article.origin.line),
        problem: Problem::EmptyText {
            field: text_field.to_owned(),
        },
    }
}

/// Reads in the background, at most `limit` articles.
///
/// The thread is not joined: a program that ends early does not wait for an input that is still open.
pub(crate) fn read_ahead(
    reader: ArticleReader,
    text_field: String,
    limit: Option<u64>,
) -> IntoIter<Chunk> {
    let (sender, receiver) = sync_channel(WAITING);
    let bytes_read = reader.bytes_read();
    thread::spawn(move || {
        let mut left = limit.unwrap_or(u64::MAX);
        let mut chunk = Chunk::default();
        let mut items = reader;
        while left > 0
            && let Some(item) = items.next()
        {
            left -= u64::from(item.is_ok());
            chunk.push(item, &text_field);
            if chunk.is_full() {
                chunk.bytes_read = bytes_read.get();
                if sender.send(std::mem::take(&mut chunk)).is_err() {
                    return;
                }
            }
        }
        if !chunk.is_empty() {
            chunk.bytes_read = bytes_read.get();
            // The other side may be gone; then nobody wants the rest.
            let _ = sender.send(chunk);
        }
    });
    receiver.into_iter()
}
