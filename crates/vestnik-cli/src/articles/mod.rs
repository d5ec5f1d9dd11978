//! Articles in, the same articles with what was found in them out: what `tag` and `classify` have in common.

mod aside;
mod chunks;
mod identity;
mod job;
mod languages;
mod making;
mod reprints;
pub(crate) mod shards;
mod sink;
mod stop;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Map, Value};
use vestnik_data::{
    Article, ArticleOptions, ArticleReader, InputFormat, OutputFormat, Parts, Problem,
    RecordFields, STDIN, Selection, Shard, TextEncoding, expand_patterns, input_files,
};
use vestnik_infer::{Portion, add_language};

use crate::Outcome;
use crate::failure::Mistake;
use crate::model::parse_score;
use crate::output::{file_of_stdout, refuse_inputs};
use crate::progress::{Measures, Progress, ProgressMode};
use crate::threads;
use aside::Aside;
use chunks::{Chunks, Plan};
use job::Job;
use languages::Languages;
use making::Making;
use reprints::{Copies, record_of};
use sink::{Sink, Target, Writer};
use stop::Stop;

/// Arguments about articles that commands share.
#[derive(Debug, clap::Args)]
pub(crate) struct ArticleArgs {
    /// Files (JSON lines, JSON, CSV, TSV, Parquet, text, WARC, MediaWiki XML, HTML; also .gz, .zst, .bz2 or .xz), folders
    /// of them, patterns such as 'news/2024-*.jsonl', or - for standard input (the default in a pipe)
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write to FILE (.jsonl, also .gz, .zst, .bz2 or .xz), which appears when all is done; until then FILE.parts holds
    /// what is done [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format of the output [default: by its name, else jsonl]: jsonl, parquet, csv (a row a mention), spacy, conll, conllu,
    /// brat, doccano, label-studio, webanno or cas; all but jsonl need --output
    #[arg(long, value_name = "FORMAT")]
    output_format: Option<OutputFormat>,
    /// Also write a row for each mention to FILE (.csv or .parquet)
    #[arg(long, value_name = "FILE", requires = "output")]
    entities_table: Option<PathBuf>,
    /// Overwrite the output, and begin again where a run was not ended
    #[arg(long)]
    force: bool,
    /// Go on with a run that was not ended, from FILE.parts; begin one if there is none
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Field that holds the text; several, such as title,body, are read as one text; a.b is the field b of the object a
    #[arg(
        long,
        default_value = "text",
        value_delimiter = ',',
        value_name = "FIELD,…"
    )]
    text_field: Vec<String>,
    /// Field that names the record in messages
    #[arg(long, default_value = "id", value_name = "FIELD")]
    id_field: String,
    /// Format of the inputs, in place of what their first bytes and names say: jsonl, json, text, csv, tsv, parquet, warc,
    /// mediawiki or html
    #[arg(long, value_name = "FORMAT")]
    input_format: Option<InputFormat>,
    /// Encoding of inputs that are text, such as windows-1251 or koi8-r [default: UTF-8, or what the text declares]
    #[arg(long, value_name = "NAME")]
    encoding: Option<TextEncoding>,
    /// Stop after N articles
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Read one of N shards of the records, such as 1/4: all shards together are the whole, in any order
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Read this share of the records, 0 to 1: always the same ones
    #[arg(long, value_name = "X", value_parser = parse_score)]
    sample: Option<f64>,
    /// Tag only articles in these languages, ISO 639-1 codes such as bg,ru,uk, and pass over the others: by the record's
    /// own field "lang", or else as the text is recognised
    #[arg(long, value_delimiter = ',', value_name = "LANG,…")]
    only_lang: Vec<String>,
    /// Do not recognise languages
    #[arg(long, conflicts_with = "only_lang")]
    no_lang: bool,
    /// Tag one of articles that are nearly the same, such as reprints of an agency, and copy what was found to the others:
    /// those that share this part of their words in a row with one of the last 20000 [default: 0.8]
    #[arg(long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "0.8",
          value_parser = parse_score)]
    dedup: Option<f64>,
    /// What to do with a record that cannot be read
    #[arg(long, value_enum, default_value_t)]
    on_error: OnError,
    /// Write records that were set aside to FILE as JSON lines {path, line, problem, record} instead of standard error
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// Set records of more bytes aside [default: 67108864]
    #[arg(long, value_name = "BYTES", value_parser = threads::parse_count)]
    max_record_bytes: Option<usize>,
    /// Set articles with more bytes of text aside [default: 8388608]
    #[arg(long, value_name = "BYTES", value_parser = threads::parse_count)]
    max_text_bytes: Option<usize>,
    /// Set articles aside that take longer to be tagged, in seconds: with it two runs may differ in which these are
    /// [default: no limit]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    max_seconds: Option<Duration>,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

impl ArticleArgs {
    /// The files that the run writes.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Path> {
        let named = [&self.output, &self.errors, &self.entities_table];
        named.into_iter().filter_map(|path| path.as_deref())
    }

    /// Refuses outputs that have room for entities alone.
    ///
    /// # Errors
    /// `--entities-table`, or a format that does not keep the fields of a record.
    pub(crate) fn refuse_outputs_of_entities(&self) -> Result<()> {
        let format = self.format();
        let what = match format {
            _ if self.entities_table.is_some() => "--entities-table".to_owned(),
            OutputFormat::JsonLines | OutputFormat::Parquet => return Ok(()),
            format => format.to_string(),
        };
        Err(Mistake::new(format!("{what} has no place for classes"))
            .hint("write .jsonl or .parquet")
            .into())
    }

    fn format(&self) -> OutputFormat {
        let of_name = self.output.as_deref().map(OutputFormat::of_output);
        self.output_format
            .or(of_name)
            .unwrap_or(OutputFormat::JsonLines)
    }

    /// The most time that one article may take.
    pub(crate) fn max_time(&self) -> Option<Duration> {
        self.max_seconds
    }
}

/// Reads a time on the command line.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|&seconds: &f64| seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "a number of seconds above 0".to_owned())
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
    /// What decides about the results beside the options: the model, by name and hash.
    fn identity(&self) -> Result<BTreeMap<String, Value>>;
    /// The fields that it writes, `vestnik` included.
    fn fields(&self) -> Vec<&'static str>;
    /// How many articles are worked on at once.
    fn portion(&self) -> Portion {
        Portion::CPU
    }
    /// Is told the first article before any is read.
    fn begin(&self, first: &Article, progress: &Progress);
    /// What is wrong with an article that cannot be worked on; it is set aside.
    fn refuse(&self, _article: &Article) -> Option<Problem> {
        None
    }
    /// The output lines of articles, one for each, without line ends.
    ///
    /// # Errors
    /// [`vestnik_infer::Error::TimeLimit`] names the one that takes too long; the others can be done without it.
    fn lines(&mut self, articles: &[Article]) -> Result<Vec<String>>;
    /// Tokens read so far.
    fn tokens(&self) -> u64;
    /// Other things counted so far, for the summary.
    fn counts(&self) -> Vec<(&'static str, u64)>;
}

/// Reads all articles that the arguments name, has `work` done on them, and writes its lines; `open` makes the work ready
/// once it is known that there is something to read and a place to write to.
///
/// # Errors
/// An input is not there, nothing could be read, the output cannot be written, or the work fails.
pub(crate) fn process<W: Work>(
    args: &ArticleArgs,
    open: impl FnOnce() -> Result<W>,
) -> Result<Outcome> {
    let inputs = inputs(&args.inputs)?;
    refuse_inputs(args.outputs(), &inputs)?;
    let options = article_options(args);
    let files = input_files(&inputs, &options.outputs)?;
    let reader = ArticleReader::open(&inputs, options)?;
    let target = target(args, files.clone())?;
    target.check()?;
    let work = open()?;
    let sink = target.open(|| identity::identity(&files, work.identity()?))?;
    let progress = Progress::new(args.progress, ArticleReader::total_bytes(&inputs));
    let done = sink.done().cloned();
    let earlier = done
        .as_ref()
        .map(|done| done.counts().clone())
        .unwrap_or_default();
    let n_read = earlier.get(job::READ).copied().unwrap_or_default();
    let plan = Plan {
        text_field: args.text_field.join(","),
        limit: args.limit.unwrap_or(u64::MAX).saturating_sub(n_read),
        portion: work.portion(),
        done: done.map(|done| (done.n_records(), done.records_hash().to_owned())),
    };
    let aside = Aside::new(args.errors.is_some(), args.on_error, &earlier);
    let stop = Stop::listen()?;
    let chunks = Chunks::read_ahead(reader, plan, stop.clone());
    let located = sink.wants_places();
    let copies = args
        .dedup
        .map(|share| copies(Copies::new(share, work.fields()), &sink, args))
        .transpose()?;
    let languages = (!args.no_lang).then(|| Languages::new(&args.only_lang));
    Job::new(work, Writer::start(sink), aside, progress, earlier)
        .with_places(located)
        .with_empty_output(is_empty_shard_sound(args))
        .with_languages(languages)
        .with_copies(copies)
        .run(chunks, &stop)
}

/// Of few records a shard may have none: it is merged with the others. A table without rows has no columns.
fn is_empty_shard_sound(args: &ArticleArgs) -> bool {
    args.shard.is_some()
        && args.output.is_some()
        && args.entities_table.is_none()
        && args.format() == OutputFormat::JsonLines
}

/// What may be copied, that of an earlier process included.
fn copies(mut copies: Copies, sink: &Sink, args: &ArticleArgs) -> Result<Copies> {
    let [text_field] = args.text_field.as_slice() else {
        return Ok(copies);
    };
    for line in sink.earlier_lines() {
        let line = line?;
        let fields = RecordFields::parse(record_of(&line))?;
        let text = fields
            .raw_at(text_field)
            .and_then(|json| serde_json::from_str::<String>(json).ok());
        let signature = text
            .as_deref()
            .and_then(|text| reprints::signature(text, &fields));
        if let (Some(text), Some(signature)) = (text, signature) {
            copies.learn(id_of(&fields, &args.id_field), &text, &signature, &line)?;
        }
    }
    Ok(copies)
}

/// The id of a record, as the reader of articles has it.
fn id_of(fields: &RecordFields, id_field: &str) -> Option<String> {
    match serde_json::from_str(fields.raw_at(id_field)?).ok()? {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn target(args: &ArticleArgs, inputs: Vec<PathBuf>) -> Result<Target> {
    let format = args.format();
    if args.output.is_none() && format != OutputFormat::JsonLines {
        return Err(
            Mistake::new(format!("{format} cannot be written to standard output"))
                .hint("name a file with -o")
                .into(),
        );
    }
    Ok(Target {
        output: args.output.clone(),
        errors: args.errors.clone(),
        force: args.force,
        resume: args.resume,
        making: Making {
            format,
            entities_table: args.entities_table.clone(),
            shard: args.shard,
            text_fields: args.text_field.clone(),
            inputs,
        },
    })
}

/// The inputs that were named, or standard input if it is a pipe or a file.
fn inputs(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !named.is_empty() {
        return Ok(expand_patterns(named)?);
    }
    if stdin().is_terminal() {
        return Err(Mistake::new("no input")
            .hint("name files or folders, or pipe JSON lines in")
            .into());
    }
    Ok(vec![PathBuf::from(STDIN)])
}

/// What is no input, though it lies in a folder of them: what the run writes, and what standard output is sent to.
fn left_out(args: &ArticleArgs) -> Vec<PathBuf> {
    let parts = args.output.as_deref().map(Parts::folder_of);
    let outputs = args.outputs().map(Path::to_path_buf);
    outputs.chain(parts).chain(file_of_stdout()).collect()
}

fn article_options(args: &ArticleArgs) -> ArticleOptions {
    let mut options = ArticleOptions {
        text_fields: args.text_field.clone(),
        id_field: args.id_field.clone(),
        format: args.input_format,
        encoding: args.encoding,
        selection: Selection {
            shard: args.shard,
            sample: args.sample,
        },
        outputs: left_out(args),
        ..ArticleOptions::default()
    };
    if let Some(max_bytes) = args.max_record_bytes {
        options.max_line_bytes = max_bytes;
    }
    if let Some(max_bytes) = args.max_text_bytes {
        options.max_text_bytes = max_bytes;
    }
    options
}

/// The line of an article with what was found in it, fields of the same names replaced.
pub(crate) fn line(article: &Article, mut added: Map<String, Value>) -> String {
    if let Some(lang) = &article.detected_lang {
        add_language(&mut added, lang);
    }
    let values: Vec<(&str, String)> = added
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_string()))
        .collect();
    article.fields.with(&values)
}

/// Counts as they are shown.
fn shown(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Measures {
    counts
        .into_iter()
        .map(|(name, count)| (name, count.into()))
        .collect()
}
