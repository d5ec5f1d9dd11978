//! `vestnik tag`: articles in, the same articles with their entities out.

use std::io::{IsTerminal, Write as _, stdin};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;
use vestnik_core::OffsetUnit;
use vestnik_data::{Article, ArticleOptions, ArticleReader, STDIN};
use vestnik_infer::{Aggregation, Analysis, Vestnik};

use crate::Outcome;
use crate::failure::Mistake;
use crate::model::{self, ModelArgs};
use crate::output::Output;
use crate::progress::{Measures, Progress, ProgressMode};

use aside::Aside;
use record::Writer;

mod aside;
mod chunks;
mod record;

/// Arguments of `vestnik tag`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files (.jsonl, .txt, also .gz or .zst), folders of them, or - for standard input (the default in a pipe)
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write to FILE (.jsonl, .jsonl.gz, .jsonl.zst), which appears when all is done [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// How scores of tokens become entities: viterbi (the best valid sequence of tags over words), or as the pipeline of
    /// transformers does: none, simple, first, average, max
    #[arg(long, default_value_t, value_name = "HOW")]
    aggregation: Aggregation,
    /// What to tag, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ner",
        value_name = "TASK,…"
    )]
    tasks: Vec<String>,
    /// Field that holds the text
    #[arg(long, default_value = "text", value_name = "FIELD")]
    text_field: String,
    /// Field that names the record in messages
    #[arg(long, default_value = "id", value_name = "FIELD")]
    id_field: String,
    /// Unit of start and end: char (Unicode code points), byte (UTF-8) or utf16
    #[arg(long, default_value_t, value_name = "UNIT")]
    offset_unit: OffsetUnit,
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

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<Outcome> {
    model::refuse_unknown_tasks(&args.tasks)?;
    let inputs = inputs(&args.inputs)?;
    let reader = ArticleReader::open(&inputs, article_options(&args))?;
    let output = Output::open(args.output.as_deref(), args.force)?;
    let aside = Aside::open(args.errors.as_deref(), args.force, args.on_error)?;
    let vestnik = args.model.open(args.aggregation)?;
    let progress = Progress::new(args.progress, ArticleReader::total_bytes(&inputs));
    let mut job = Job {
        model: &args.model,
        writer: Writer::new(&vestnik, args.offset_unit),
        vestnik: &vestnik,
        output,
        aside,
        progress,
        done: Done::default(),
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

fn article_options(args: &Args) -> ArticleOptions {
    ArticleOptions {
        text_field: args.text_field.clone(),
        id_field: args.id_field.clone(),
        ..ArticleOptions::default()
    }
}

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// Bytes of the input as it lies on the disk.
    bytes: u64,
    articles: u64,
    tokens: u64,
    entities: u64,
}

/// The work and all it needs.
struct Job<'a> {
    model: &'a ModelArgs,
    vestnik: &'a Vestnik,
    writer: Writer<'a>,
    output: Output,
    aside: Aside,
    progress: Progress,
    done: Done,
}

impl Job<'_> {
    fn work(&mut self, chunk: chunks::Chunk) -> Result<()> {
        if let Some(first) = chunk.articles.first() {
            self.begin(first);
        }
        for issue in chunk.issues {
            self.aside.put(issue, &self.progress)?;
        }
        if chunk.articles.is_empty() {
            return Ok(());
        }
        self.aside.settle(&self.progress);
        let texts: Vec<&str> = chunk
            .articles
            .iter()
            .map(|article| article.text.as_str())
            .collect();
        let analyses = self.vestnik.analyze_batch(&texts)?;
        for (article, analysis) in chunk.articles.into_iter().zip(analyses) {
            self.write(article, &analysis)?;
        }
        // A reader at the other end of a pipe waits for whole articles, not for a full buffer.
        self.output.flush().context("cannot write the output")?;
        self.done.bytes = chunk.bytes_read;
        let measures = self.measures();
        self.progress.update(self.done.bytes, || measures);
        Ok(())
    }

    /// Says, before the first article, where the model computes and what happens to an annotated input.
    fn begin(&mut self, first: &Article) {
        if self.done.articles == 0 {
            self.model.tell_device(self.vestnik);
            if first.fields.contains_key("entities") {
                self.progress
                    .note("note: the input's own \"entities\" are replaced");
            }
        }
    }

    fn write(&mut self, article: Article, analysis: &Analysis) -> Result<()> {
        self.done.articles += 1;
        self.done.tokens += analysis.tokens as u64;
        self.done.entities += analysis.entities.len() as u64;
        let line = self.writer.line(article, analysis)?;
        writeln!(self.output, "{line}").context("cannot write the output")
    }

    fn measures(&self) -> Measures {
        let seconds = self.progress.elapsed().as_secs_f64().max(1e-3);
        let rate = |count: u64| Value::from((count as f64 / seconds * 10.0).round() / 10.0);
        vec![
            ("articles", self.done.articles.into()),
            ("set_aside", self.aside.count().into()),
            ("tokens_per_s", rate(self.done.tokens)),
            ("articles_per_s", rate(self.done.articles)),
            ("tokens", self.done.tokens.into()),
            ("entities", self.done.entities.into()),
        ]
    }

    /// Commits the output, unless there is nothing in it because nothing could be read.
    fn finish(self) -> Result<Outcome> {
        let measures = self.measures();
        let set_aside = self.aside.count();
        self.aside.finish(self.done.articles > 0)?;
        self.output.commit()?;
        self.progress.finish(self.done.bytes, measures);
        Ok(match set_aside {
            0 => Outcome::Done,
            _ => Outcome::Findings,
        })
    }
}
