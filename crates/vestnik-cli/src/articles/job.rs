//! The loop over chunks: work, what goes in and out of it, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use vestnik_data::{Article, Batch, Problem, Rejected, Reprints, TextSignature, located};

use super::aside::{Aside, SET_ASIDE};
use super::chunks::{Chunk, Chunks, reject};
use super::languages::Languages;
use super::reprints::Copies;
use super::sink::{Sink, Writer};
use super::stop::Stop;
use super::{Work, shown};
use crate::Outcome;
use crate::failure::{Mistake, one_line};
use crate::output::note;
use crate::progress::{Measures, Progress};

/// The name of the count of articles that were read, those included that were not worked on: for `--limit`.
pub(super) const READ: &str = "read";

/// The work and what goes in and out of it.
pub(super) struct Job<W> {
    work: W,
    writer: Writer,
    aside: Aside,
    progress: Progress,
    /// What earlier processes have counted.
    earlier: BTreeMap<String, u64>,
    /// Articles of this process.
    articles: u64,
    /// Articles that this process has read.
    n_read: u64,
    /// Bytes of the input as it lies on the disk.
    bytes: u64,
    /// Whether lines say where their records were found.
    located: bool,
    /// Whether an output without articles is one.
    may_be_empty: bool,
    languages: Option<Languages>,
    copies: Option<Copies>,
}

/// Articles that are to be tagged together.
#[derive(Default)]
struct Waiting {
    articles: Vec<Article>,
    /// Their places among the articles of the chunk.
    slots: Vec<usize>,
    signatures: Vec<Option<TextSignature>>,
    recent: Option<Reprints<()>>,
}

impl Waiting {
    /// Whether an article is a reprint of one that waits. What is less similar than the user asked for is only tagged
    /// earlier.
    fn has(&self, signature: &TextSignature) -> bool {
        self.recent
            .as_ref()
            .is_some_and(|recent| recent.find(signature).is_some())
    }

    fn push(&mut self, slot: usize, article: Article, signature: Option<TextSignature>) {
        if let Some(signature) = signature.clone() {
            let recent = self
                .recent
                .get_or_insert_with(|| Reprints::new(0.0, usize::MAX));
            recent.add(&signature, ());
        }
        self.articles.push(article);
        self.slots.push(slot);
        self.signatures.push(signature);
    }
}

/// How the loop ended.
enum End {
    /// All was read.
    All,
    /// The program was told to end.
    Stopped,
    /// The writer ended before: it knows why.
    NotWritten,
}

impl<W: Work> Job<W> {
    pub(super) fn new(
        work: W,
        writer: Writer,
        aside: Aside,
        progress: Progress,
        earlier: BTreeMap<String, u64>,
    ) -> Self {
        Self {
            work,
            writer,
            aside,
            progress,
            earlier,
            articles: 0,
            n_read: 0,
            bytes: 0,
            located: false,
            may_be_empty: false,
            languages: None,
            copies: None,
        }
    }

    pub(super) fn with_copies(mut self, copies: Option<Copies>) -> Self {
        self.copies = copies;
        self
    }

    pub(super) fn with_languages(mut self, languages: Option<Languages>) -> Self {
        self.languages = languages;
        self
    }

    pub(super) fn with_empty_output(mut self, may_be_empty: bool) -> Self {
        self.may_be_empty = may_be_empty;
        self
    }

    pub(super) fn with_places(mut self, located: bool) -> Self {
        self.located = located;
        self
    }

    pub(super) fn run(mut self, chunks: Chunks, stop: &Stop) -> Result<Outcome> {
        if let Some(articles) = self.earlier.get("articles") {
            self.progress
                .note(&format!("going on behind {articles} articles"));
        }
        let end = self.work_through(chunks, stop);
        let measures = self.measures();
        let is_output = self.count("articles") > 0 || self.may_be_empty;
        let Self {
            writer,
            aside,
            progress,
            bytes,
            ..
        } = self;
        let (sink, written) = writer.end()?;
        match (end, written) {
            (Err(error), _) | (_, Err(error)) => {
                drop(progress);
                leave(sink)?;
                Err(error)
            }
            (Ok(End::Stopped), Ok(())) => {
                drop(progress);
                Err(stopped(sink)?)
            }
            (Ok(_), Ok(())) if !is_output => {
                sink.give_up()?;
                Err(aside.reason().into())
            }
            (Ok(_), Ok(())) => {
                sink.finish()?;
                if !aside.kinds().is_empty() {
                    progress.event(&kinds(&aside), &json!({"set_aside_by_kind": aside.kinds()}));
                }
                progress.finish_as_table(bytes, measures);
                Ok(match aside.count() {
                    0 => Outcome::Done,
                    _ => Outcome::Findings,
                })
            }
        }
    }

    fn work_through(&mut self, chunks: Chunks, stop: &Stop) -> Result<End> {
        for chunk in chunks {
            let batch = self.batch(chunk?)?;
            if !self.writer.send(batch) {
                return Ok(End::NotWritten);
            }
            let measures = self.measures();
            self.progress.update(self.bytes, || measures);
        }
        Ok(if stop.is_asked() {
            End::Stopped
        } else {
            End::All
        })
    }

    fn batch(&mut self, chunk: Chunk) -> Result<Batch> {
        if let Some(first) = chunk.articles.first()
            && self.articles == 0
        {
            self.work.begin(first, &self.progress);
        }
        let articles = match &mut self.languages {
            Some(languages) => languages.sort(chunk.articles),
            None => chunk.articles,
        };
        let (articles, refused) = self.sorted(articles);
        let (lines, failed) = self.lines_or_copies(articles)?;
        let mut errors = String::new();
        for rejected in chunk.rejected.into_iter().chain(refused).chain(failed) {
            errors.push_str(&self.aside.put(rejected, &self.progress)?);
        }
        if !lines.is_empty() {
            self.aside.settle(&self.progress);
        }
        self.articles += lines.len() as u64;
        self.bytes = chunk.bytes_read;
        self.n_read = chunk.n_read;
        Ok(Batch {
            lines: lines.into_iter().map(|line| line + "\n").collect(),
            errors,
            position: chunk.position,
            counts: self.counts_to_keep(),
        })
    }

    /// The articles that can be worked on, and what is wrong with the others.
    fn sorted(&self, articles: Vec<Article>) -> (Vec<Article>, Vec<Rejected>) {
        let (mut sound, mut refused) = (Vec::with_capacity(articles.len()), Vec::new());
        for article in articles {
            match self.work.refuse(&article) {
                None => sound.push(article),
                Some(problem) => refused.push(reject(article, problem)),
            }
        }
        (sound, refused)
    }

    /// The lines of articles, in their order; reprints get theirs from what they reprint.
    fn lines_or_copies(&mut self, articles: Vec<Article>) -> Result<(Vec<String>, Vec<Rejected>)> {
        let Some(mut copies) = self.copies.take() else {
            return self.lines(&articles);
        };
        let mut slots: Vec<Option<String>> = vec![None; articles.len()];
        let mut waiting = Waiting::default();
        let mut failed = Vec::new();
        for (slot, article) in articles.into_iter().enumerate() {
            let signature = Copies::signature(&article);
            if signature
                .as_ref()
                .is_some_and(|signature| waiting.has(signature))
            {
                self.tag_waiting(&mut waiting, &mut copies, &mut slots, &mut failed)?;
            }
            let copy = signature
                .as_ref()
                .and_then(|signature| copies.copy(&article, signature));
            match copy {
                Some(line) => {
                    slots[slot] = self
                        .placed(vec![line], std::slice::from_ref(&article))
                        .pop();
                }
                None => waiting.push(slot, article, signature),
            }
        }
        self.tag_waiting(&mut waiting, &mut copies, &mut slots, &mut failed)?;
        self.copies = Some(copies);
        Ok((slots.into_iter().flatten().collect(), failed))
    }

    /// Tags the articles that wait, and takes note of them for their reprints.
    fn tag_waiting(
        &mut self,
        waiting: &mut Waiting,
        copies: &mut Copies,
        slots: &mut [Option<String>],
        failed: &mut Vec<Rejected>,
    ) -> Result<()> {
        let waiting = std::mem::take(waiting);
        let (lines, mut rejected) = self.lines(&waiting.articles)?;
        let is_failed = |article: &Article| {
            rejected.iter().any(|rejected| {
                rejected.path == article.origin.path && rejected.line == Some(article.origin.line)
            })
        };
        let sound = waiting
            .articles
            .iter()
            .zip(&waiting.slots)
            .zip(waiting.signatures);
        let sound = sound.filter(|((article, _), _)| !is_failed(article));
        for (((article, slot), signature), line) in sound.zip(lines) {
            if let Some(signature) = signature {
                copies.learn(article.id.clone(), &article.text, &signature, &line)?;
            }
            slots[*slot] = Some(line);
        }
        failed.append(&mut rejected);
        Ok(())
    }

    /// The lines of articles. Where they cannot be worked on together it is tried one by one; when none can, it is the
    /// work that fails.
    fn lines(&mut self, articles: &[Article]) -> Result<(Vec<String>, Vec<Rejected>)> {
        if articles.is_empty() {
            return Ok(Default::default());
        }
        let together = match self.work.lines(articles) {
            Ok(lines) => return Ok((self.placed(lines, articles), Vec::new())),
            Err(error) => error,
        };
        if let Some((slow, limit)) = too_slow(&together) {
            return self.lines_without(articles, slow, limit);
        }
        let (mut lines, mut failed) = (Vec::new(), Vec::new());
        for article in articles {
            match self.work.lines(std::slice::from_ref(article)) {
                Ok(line) => lines.extend(self.placed(line, std::slice::from_ref(article))),
                Err(error) => failed.push(reject(article.clone(), not_tagged(&error))),
            }
        }
        let never_worked = lines.is_empty() && (articles.len() > 1 || self.count("articles") == 0);
        match never_worked {
            true => Err(together),
            false => Ok((lines, failed)),
        }
    }

    /// The lines of the articles before and behind one that takes too long, which is set aside.
    fn lines_without(
        &mut self,
        articles: &[Article],
        slow: usize,
        limit: Duration,
    ) -> Result<(Vec<String>, Vec<Rejected>)> {
        let (mut lines, mut failed) = self.lines(&articles[..slow])?;
        failed.push(reject(articles[slow].clone(), Problem::TooSlow { limit }));
        let (more_lines, more_failed) = self.lines(&articles[slow + 1..])?;
        lines.extend(more_lines);
        failed.extend(more_failed);
        Ok((lines, failed))
    }

    fn placed(&self, lines: Vec<String>, articles: &[Article]) -> Vec<String> {
        if !self.located {
            return lines;
        }
        let pairs = articles.iter().zip(&lines);
        pairs
            .map(|(article, line)| located(article, line))
            .collect()
    }

    /// What was counted, by this process and earlier ones.
    fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut counts = vec![("articles", self.articles), ("tokens", self.work.tokens())];
        counts.extend(self.work.counts());
        let n_others = self.languages.as_ref().map_or(0, Languages::n_others);
        if n_others > 0 || self.earlier.contains_key("other_languages") {
            counts.push(("other_languages", n_others));
        }
        for (name, count) in &mut counts {
            *count += self.earlier.get(*name).copied().unwrap_or_default();
        }
        let n_copied = self.copies.as_ref().map_or(0, Copies::n_copied);
        if n_copied > 0 || self.earlier.contains_key("copied") {
            let earlier = self.earlier.get("copied").copied().unwrap_or_default();
            counts.push(("copied", n_copied + earlier));
        }
        counts.insert(1, (SET_ASIDE, self.aside.count()));
        counts
    }

    /// The counts with which another process goes on.
    fn counts_to_keep(&self) -> BTreeMap<String, u64> {
        let n_read = self.n_read + self.earlier.get(READ).copied().unwrap_or_default();
        let counts = self.counts().into_iter().chain([(READ, n_read)]);
        counts
            .map(|(name, count)| (name.to_owned(), count))
            .chain(self.aside.kinds_to_keep())
            .collect()
    }

    fn count(&self, name: &str) -> u64 {
        let counts = self.counts();
        counts
            .iter()
            .find(|(found, _)| *found == name)
            .map_or(0, |(_, count)| *count)
    }

    fn measures(&self) -> Measures {
        let seconds = self.progress.elapsed().as_secs_f64().max(1e-3);
        let rate = |count: u64| Value::from((count as f64 / seconds * 10.0).round() / 10.0);
        let mut measures = shown(self.counts());
        let rates = [
            ("tokens_per_s", rate(self.work.tokens())),
            ("articles_per_s", rate(self.articles)),
        ];
        measures.splice(2..2, rates);
        measures
    }
}

/// The article that took too long, if that is the error, and the time that it had.
fn too_slow(error: &anyhow::Error) -> Option<(usize, Duration)> {
    match error.downcast_ref() {
        Some(vestnik_infer::Error::TimeLimit { text, limit }) => Some((*text, *limit)),
        _ => None,
    }
}

/// Why an article alone could not be worked on.
fn not_tagged(error: &anyhow::Error) -> Problem {
    match too_slow(error) {
        Some((_, limit)) => Problem::TooSlow { limit },
        None => Problem::NotTagged {
            reason: one_line(error),
        },
    }
}

/// `set aside: 3 invalid JSON, 1 too long`.
fn kinds(aside: &Aside) -> String {
    let kinds: Vec<String> = aside
        .kinds()
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    format!("set aside: {}", kinds.join(", "))
}

/// Says what is safe of a run that failed.
fn leave(sink: Sink) -> Result<()> {
    if let Some((folder, articles)) = sink.leave()? {
        note(&format!(
            "note: {articles} articles are safe in {}; the same command with --resume goes on behind them",
            folder.display()
        ));
    }
    Ok(())
}

/// Why a run that was told to end is not done.
fn stopped(sink: Sink) -> Result<anyhow::Error> {
    let left = sink.leave().context("the run was interrupted")?;
    Ok(match left {
        None => Mistake::new("interrupted")
            .hint("with -o FILE a run can be continued")
            .into(),
        Some((folder, articles)) => {
            let message = format!(
                "interrupted, {articles} articles are safe in {}",
                folder.display()
            );
            Mistake::new(message)
                .hint("the same command with --resume goes on")
                .into()
        }
    })
}

#[cfg(test)]
mod tests;
