//! `vestnik evaluate`: measures a model on annotated data, or compares two.

mod calibrated_model;
mod compare;
mod gold;
mod heads;
mod part;
mod predictions;
mod table;

use std::path::PathBuf;

use anyhow::Result;
use vestnik_core::metrics::Bootstrap;
use vestnik_data::sha256_file;
use vestnik_infer::Vestnik;

use crate::Outcome;
use crate::failure::Mistake;
use crate::model::{EntityArgs, ModelArgs, TaskOptions};
use crate::output::{Output, note, print, refuse_inputs};
use crate::progress::ProgressMode;
use crate::report::groups::SeenNames;
use crate::report::measured::{self, Measured};
use crate::report::{Curves, DataFacts, Evaluation, ModelFacts, Report, ReportFiles};
use crate::threads::parse_count_up_to;
use calibrated_model::CalibratedModel;
use gold::Gold;
pub(crate) use heads::labelled;
use part::PartArgs;

/// Arguments of `vestnik evaluate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    entities: EntityArgs,
    /// Annotated files: JSON lines or CoNLL columns, also .gz or .zst
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    part: PartArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// What to measure: ner, or the task of one of the model's heads, such as topic or stance [default: ner, or the only
    /// head of a model that knows no entities]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// From the labels of the data to those of the model's head: a TOML or JSON file with a table `map` (docs/training.md)
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Write what was scored as JSON lines {id, lang, text, entities}, offsets in code points. Labels that a document
    /// does not annotate are left out, as in our own score: a scorer that does not know of `annotated` then agrees
    #[arg(long, value_name = "FILE")]
    predictions: Option<PathBuf>,
    /// Write report.html and report.json to this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Compare two models by a paired bootstrap over the documents. A and B are model directories or names, or files as
    /// --predictions writes them
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["model", "predictions", "report", "calibrate", "train_data"])]
    compare: Option<Vec<String>>,
    /// Fit temperature and least scores of entities to the data and store them in the model's vestnik.json; what is
    /// printed is measured with them. Judge them on other data
    #[arg(long, conflicts_with_all = ["min_score"])]
    calibrate: bool,
    /// With --calibrate: leave the model as it is and make a calibrated copy in this directory
    #[arg(short, long, value_name = "DIR", requires = "calibrate")]
    output: Option<PathBuf>,
    /// Annotated files that the model learnt from: the report then says how well it finds names that it has not seen
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "report")]
    train_data: Vec<PathBuf>,
    /// Bootstrap resamples of the documents, for intervals and comparisons
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = parse_resamples)]
    resamples: usize,
    /// Overwrite the file of predictions and the report
    #[arg(long)]
    force: bool,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

/// Reads a number of resamples: more would say the same, and take memory.
fn parse_resamples(text: &str) -> Result<usize, String> {
    parse_count_up_to(text, 1_000_000)
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
    if let Some(task) = heads::asked(args)? {
        return heads::run(args, &task);
    }
    if args.map.is_some() {
        return Err(Mistake::new("--map is for topics and the like, not for entities").into());
    }
    match args.compare.as_deref() {
        Some([a, b]) => compare::run(args, a, b),
        _ => evaluate(args),
    }
}

fn evaluate(args: &Args) -> Result<Outcome> {
    let calibrated_model = args
        .calibrate
        .then(|| CalibratedModel::open(args))
        .transpose()?;
    refuse_inputs(args.predictions.as_deref(), &args.data)?;
    let predictions = args
        .predictions
        .as_deref()
        .map(|path| Output::open(Some(path), args.force))
        .transpose()?;
    let report = args
        .report
        .as_deref()
        .map(|folder| ReportFiles::open(folder, args.force))
        .transpose()?;
    let gold = gold::read_part(&args.data, &args.part)?;
    let seen = seen_names(&args.train_data)?;
    let vestnik = args.model.open(&args.entities, &TaskOptions::ner())?;
    gold::refuse_unknown_labels(&gold, measured::ner(&vestnik)?.types())?;
    args.model.tell_device(vestnik.device());
    let measured = match calibrated_model {
        None => measured::measure(&vestnik, &gold::sourced(&gold), args.progress)?,
        Some(place) => calibrate(args, &vestnik, &gold, place)?,
    };
    if let Some(mut predictions) = predictions {
        predictions::write(&mut predictions, &measured.scored)?;
        predictions.commit()?;
    }
    if let Some(files) = report {
        files.write(&full_report(
            args,
            &vestnik,
            &gold,
            (&measured, seen.as_ref()),
        )?)?;
    }
    let summary = table::Summary::new(vestnik.name(), &measured, &args.bootstrap())?;
    print(&if args.json {
        serde_json::to_string(&summary)?
    } else {
        table::table(&summary)
    })?;
    Ok(Outcome::Done)
}

/// Fits a calibration, stores it and measures with it.
fn calibrate(
    args: &Args,
    vestnik: &Vestnik,
    gold: &[Gold<'_>],
    place: CalibratedModel,
) -> Result<Measured> {
    let (measured, calibration) =
        measured::calibrate(vestnik, &gold::sourced(gold), args.progress)?;
    let metadata = vestnik.metadata().clone().with_calibration(calibration);
    let folder = place.write(&metadata)?;
    note(&format!(
        "the calibrated model is in {}; judge it on data that it was not calibrated on",
        folder.display()
    ));
    Ok(measured)
}

/// The names of the training data; `None` when there are none.
fn seen_names(paths: &[PathBuf]) -> Result<Option<SeenNames>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut seen = SeenNames::default();
    let documents = gold::read(paths)?;
    seen.add(documents.iter().map(|gold| &gold.document));
    Ok(Some(seen))
}

fn full_report(
    args: &Args,
    vestnik: &Vestnik,
    gold: &[Gold<'_>],
    (measured, seen): (&Measured, Option<&SeenNames>),
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
    report.evaluation = Some(Evaluation::new(measured, args.bootstrap(), seen)?);
    report.curves = args.model.folder().and_then(Curves::of_model);
    Ok(report)
}
