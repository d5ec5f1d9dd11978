//! Articles in, the same articles with what was found in them out: what `tag` and `classify` have in common.

mod aside;
mod chunks;

use std::io::{IsTerminal, Write as _, stdin};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;
use vestnik_data::{Article, ArticleOptions, ArticleReader, Issue, Problem, STDIN};

use crate::Outcome;
use crate::failure::Mistake;
use crate::output::Output;
use crate::progress::{Measures, Progress, ProgressMode};
use aside::Aside;

/// Arguments about articles that commands share.
#[derive(Debug, clap::Args)]
pub(crate) struct ArticleArgs {
    /// Files (.jsonl, .txt, also .gz or .zst), folders of them, or - for standard input (the default in a pipe)
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write to FILE (.jsonl, .jsonl.gz, .jsonl.zst), which appears when all is done [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    /// Field that holds the text
    #[arg(long, default_value = "text", value_name = "FIELD")]
    text_field: String,
    /// Field that names the record in messages
    #[arg(long, default_value = "id", value_name = "FIELD")]
    id_field: String,
    /// Stop after N articles
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// What to do with a record that cannot be read
    #[arg(long, value_enum, default_value_t)]
    on_error: OnError,
    /// Write records that were set aside to FILE as JSON lines {path, line, problem} instead of standard error
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

/// `--on-error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// Set the record aside and go on; exit code 1 at the end
    #[default]
    Skip,
    /// Stop with exit code 2; an output file is not made
    Fail,
}

/// What a command makes of articles.
pub(crate) trait Work {
    /// Is told the first article before any is read.
    fn begin(&self, first: &Article, progress: &Progress);
    /// What is wrong with an article that cannot be worked on; it is set aside.
    fn refuse(&self, _article: &Article) -> Option<Problem> {
        None
    }
    /// The output lines of articles, one for each, without line ends.
    fn lines(&mut self, articles: Vec<Article>) -> Result<Vec<String>>;
    /// Tokens read so far.
    fn tokens(&self) -> u64;
    /// Other things counted so far, for the summary.
    fn counts(&self) -> Measures;
}

/// Reads all articles that the arguments name, has `work` done on them, and writes its lines; `open` makes the work ready
/// once it is known that there is something to read and a place to write to.
///
/// # Errors
/// An input is not there, nothing could be read, the output cannot be written, or the work fails.
pub(crate) fn process<W: Work>(
    args: ArticleArgs,
    open: impl FnOnce() -> Result<W>,
) -> Result<Outcome> {
    let inputs = inputs(&args.inputs)?;
    let reader = ArticleReader::open(&inputs, article_options(&args))?;
    let output = Output::open(args.output.as_deref(), args.force)?;
    let aside = Aside::open(args.errors.as_deref(), args.force, args.on_error)?;
    let work = open()?;
    let mut job = Job {
        work,
        output,
        aside,
        progress: Progress::new(args.progress, ArticleReader::total_bytes(&inputs)),
        articles: 0,
        bytes: 0,
    };
    for chunk in chunks::read_ahead(reader, args.text_field, args.limit) {
        job.work(chunk)?;
    }
    job.finish()
}

/// The inputs that were named, or standard input if it is a pipe or a file.
fn inputs(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    if stdin().is_terminal() {
        return Err(Mistake::new("no input")
            .hint("name files or folders, or pipe JSON lines in")
            .into());
    }
    Ok(vec![PathBuf::from(STDIN)])
}

fn article_options(args: &ArticleArgs) -> ArticleOptions {
    ArticleOptions {
        text_field: args.text_field.clone(),
        id_field: args.id_field.clone(),
        ..ArticleOptions::default()
    }
}

/// The work and what goes in and out of it.
struct Job<W> {
    work: W,
    output: Output,
    aside: Aside,
    progress: Progress,
    articles: u64,
    /// Bytes of the input as it lies on the disk.
    bytes: u64,
}

impl<W: Work> Job<W> {
    fn work(&mut self, chunk: chunks::Chunk) -> Result<()> {
        if let Some(first) = chunk.articles.first()
            && self.articles == 0
        {
            self.work.begin(first, &self.progress);
        }
        let (articles, refused) = self.sorted(chunk.articles);
        for issue in chunk.issues.into_iter().chain(refused) {
            self.aside.put(issue, &self.progress)?;
        }
        if articles.is_empty() {
            return Ok(());
        }
        self.aside.settle(&self.progress);
        self.articles += articles.len() as u64;
        for line in self.work.lines(articles)? {
            writeln!(self.output, "{line}").context("cannot write the output")?;
        }
        // A reader at the other end of a pipe waits for whole articles, not for a full buffer.
        self.output.flush().context("cannot write the output")?;
        self.bytes = chunk.bytes_read;
        let measures = self.measures();
        self.progress.update(self.bytes, || measures);
        Ok(())
    }

    /// The articles that can be worked on, and what is wrong with the others.
    fn sorted(&self, articles: Vec<Article>) -> (Vec<Article>, Vec<Issue>) {
        let (mut sound, mut refused) = (Vec::with_capacity(articles.len()), Vec::new());
        for article in articles {
            match self.work.refuse(&article) {
                None => sound.push(article),
                Some(problem) => refused.push(Issue {
                    path: article.origin.path,
                    line: Some(article.origin.line),
                    problem,
                }),
            }
        }
        (sound, refused)
    }

    fn measures(&self) -> Measures {
        let seconds = self.progress.elapsed().as_secs_f64().max(1e-3);
        let rate = |count: u64| Value::from((count as f64 / seconds * 10.0).round() / 10.0);
        let mut measures = vec![
            ("articles", self.articles.into()),
            ("set_aside", self.aside.count().into()),
            ("tokens_per_s", rate(self.work.tokens())),
            ("articles_per_s", rate(self.articles)),
            ("tokens", self.work.tokens().into()),
        ];
        measures.extend(self.work.counts());
        measures
    }

    /// Commits the output, unless there is nothing in it because nothing could be read.
    fn finish(self) -> Result<Outcome> {
        let measures = self.measures();
        let set_aside = self.aside.count();
        self.aside.finish(self.articles > 0)?;
        self.output.commit()?;
        self.progress.finish(self.bytes, measures);
        Ok(match set_aside {
            0 => Outcome::Done,
            _ => Outcome::Findings,
        })
    }
}
