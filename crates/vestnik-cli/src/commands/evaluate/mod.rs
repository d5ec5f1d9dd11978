//! `vestnik evaluate`: measures a model on annotated data, or compares two.

mod compare;
mod measure;
mod predictions;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use vestnik_core::metrics::Bootstrap;
use vestnik_data::sha256_file;
use vestnik_infer::{Aggregation, Vestnik};

use crate::Outcome;
use crate::model::{self, ModelArgs};
use crate::output::{Output, print};
use crate::progress::ProgressMode;
use crate::report::{Curves, DataFacts, Evaluation, ModelFacts, Report, ReportFiles};
use crate::threads::parse_count;
use measure::{Gold, Measured};

/// Arguments of `vestnik evaluate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// How scores of tokens become entities: viterbi (the best valid sequence of tags over words), or as the pipeline of
    /// transformers does: none, simple, first, average, max
    #[arg(long, default_value_t, value_name = "HOW")]
    aggregation: Aggregation,
    /// Annotated files: JSON lines or CoNLL columns, also .gz or .zst
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// What to measure
    #[arg(long, default_value = "ner", value_name = "TASK")]
    task: String,
    /// Write what was scored as JSON lines {id, lang, text, entities}, offsets in code points. Labels that a document
    /// does not annotate are left out, as in our own score: a scorer that does not know of `annotated` then agrees
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Write report.html and report.json to this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Compare two models by a paired bootstrap over the documents. A and B are model directories or names, or files as
    /// --predictions writes them
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["model", "predictions", "report"])]
    compare: Option<Vec<String>>,
    /// Bootstrap resamples of the documents, for intervals and comparisons
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = parse_count)]
    resamples: usize,
    /// Overwrite the file of predictions and the report
    #[arg(long)]
    force: bool,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

impl Args {
    fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            resamples: self.resamples,
            ..Bootstrap::default()
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    model::refuse_unknown_tasks(std::slice::from_ref(&args.task))?;
    match args.compare.as_deref() {
        Some([a, b]) => compare::run(args, a, b),
        _ => evaluate(args),
    }
}

fn evaluate(args: &Args) -> Result<Outcome> {
    let mut predictions = args
        .predictions
        .as_deref()
        .map(|path| Output::open(Some(path), args.force))
        .transpose()?;
    let report = args
        .report
        .as_deref()
        .map(|folder| ReportFiles::open(folder, args.force))
        .transpose()?;
    let gold = measure::read(&args.data)?;
    let vestnik = args.model.open(args.aggregation)?;
    measure::refuse_unknown_labels(&gold, vestnik.entity_types())?;
    args.model.tell_device(&vestnik);
    let measured = measure::measure(args.progress, &vestnik, &gold, predictions.as_mut())?;
    if let Some(predictions) = predictions {
        predictions.commit()?;
    }
    if let Some(files) = report {
        files.write(&full_report(args, &vestnik, &gold, &measured)?)?;
    }
    let summary = table::Summary::new(vestnik.name(), &measured, &args.bootstrap())?;
    print(&if args.json {
        serde_json::to_string(&summary)?
    } else {
        table::table(&summary)
    })?;
    Ok(Outcome::Done)
}

fn full_report(
    args: &Args,
    vestnik: &Vestnik,
    gold: &[Gold<'_>],
    measured: &Measured,
) -> Result<Report> {
    let data = args.data.iter().map(|path| {
        Ok(DataFacts {
            path: path.display().to_string(),
            sha256: sha256_file(path)?,
            documents: gold.iter().filter(|gold| gold.path == path).count(),
        })
    });
    let data = data.collect::<Result<Vec<_>>>()?;
    let mut report = Report::new(ModelFacts::of(vestnik), data);
    report.evaluation = Some(Evaluation::new(&measured.scored, args.bootstrap(), None)?);
    report.curves = args.model.folder().and_then(Curves::of_model);
    Ok(report)
}
