//! `vestnik train`: fine-tunes a model on annotated data.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use vestnik_core::{Document, LabelSet, TagScheme, TagSet};
use vestnik_data::{Format, sha256_documents, sha256_file};
use vestnik_infer::{Metadata, Options, Vestnik};
use vestnik_model::{ModelDir, SETTINGS_FILE, TokenClassifier, write_file};
use vestnik_train::{
    DataFile, Dataset, Event, HeadName, RunConfig, RunRecord, SchemeName, Teacher, Trainer,
    TrainingCorpus, TrainingData, draw_documents,
};

use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::output::note;
use crate::progress::ProgressMode;
use crate::report::measured::{self, Measured};
use crate::report::run::RunData;
use crate::report::scored::source_of;
use crate::training::{self, Setup};
use crate::{Outcome, model, report};

mod grid;
mod record;
mod reproduce;
mod sweep;

/// Number of the first corpus of `dev` in draws: corpora of `train` that are added change nothing there.
const DEV: usize = 1 << 20;

/// Arguments of `vestnik train`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: training::Args,
    /// Make a run for each of these values of a setting, e.g. seed=1,2,3; given several times, for all combinations. The
    /// output folder gets a folder for each run, and sweep.json
    #[arg(long, value_name = "KEY=VALUE,…")]
    sweep: Vec<String>,
    /// Make a finished run again and compare all its evaluations: RUN.toml is the folder of the run, or its run.json
    #[arg(long, conflicts_with_all = ["sweep", "set"])]
    reproduce: bool,
    /// With --reproduce: the folder that the paths of the run file begin at [default: the one that holds the run's folder]
    #[arg(long, value_name = "DIR", requires = "reproduce")]
    paths_from: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    if args.reproduce {
        return reproduce::run(&args.run, args.paths_from.as_deref());
    }
    if !args.sweep.is_empty() {
        return sweep::run(&args.run, &args.sweep);
    }
    train(&args.run.prepare(RunConfig::parse)?)?;
    Ok(Outcome::Done)
}

/// Makes one run, to its report.
fn train(setup: &Setup<RunConfig>) -> Result<RunRecord> {
    let config = &setup.config;
    for dataset in config.train.iter().chain(&config.dev) {
        format(setup, dataset)?;
    }
    let base = model::base(&setup.path(&config.model.base), &config.model.base)?;
    let tokenizer = base.tokenizer()?;
    let model = model(&base, setup)?;
    let teacher = teacher(setup)?;
    let (mut data, run_data) = read(setup)?;
    let dev_files = data.files[config.train.len()..].to_vec();
    add_teacher(setup, teacher, &mut data);
    let mut trainer = Trainer::new(model, tokenizer, data, config, &setup.out)
        .map_err(|error| setup.with_hint(error))?;
    setup.go_back(|| trainer.resume())?;
    let record = setup.follow(|on_event| {
        trainer.run(&mut |event| {
            if matches!(event, Event::Evaluation(evaluation) if evaluation.is_best) {
                // For those who look at the model while the run goes on; at its end a failure is told.
                let _ = write_metadata(setup);
            }
            on_event(event)
        })
    })?;
    write_metadata(setup)?;
    drop(trainer);
    let options = Options::default().with_device(setup.choice);
    let vestnik =
        Vestnik::from_dir_with(setup.out.join("model"), &options)?.with_name(setup.name());
    let measured = measure(setup, &vestnik, &run_data)?;
    report::run::write(
        &setup.out,
        (&vestnik, &measured),
        &record,
        (&run_data, &dev_files),
    )?;
    setup.tell_report();
    Ok(record)
}

/// The model of `[distillation]`.
fn teacher(setup: &Setup<RunConfig>) -> Result<Option<Teacher>> {
    let Some(settings) = &setup.config.distillation else {
        return Ok(None);
    };
    let dir = model::base(&setup.path(&settings.teacher), &settings.teacher)?;
    Ok(Some(Teacher {
        model: TokenClassifier::load_frozen(&dir, &setup.device)?.0,
        tokenizer: dir.tokenizer()?,
        sha256: sha256_file(dir.path())?,
    }))
}

/// The record names the teacher beside the data.
fn add_teacher(setup: &Setup<RunConfig>, teacher: Option<Teacher>, data: &mut TrainingData) {
    if let (Some(teacher), Some(settings)) = (&teacher, &setup.config.distillation) {
        data.files.push(DataFile {
            path: settings.teacher.clone(),
            sha256: teacher.sha256.clone(),
            records: 0,
            spans_sha256: None,
        });
        note("the teacher reads the training data");
    }
    data.teacher = teacher;
}

/// Measures the finished model on its dev data, calibrated on them where the run file asks for it.
fn measure(setup: &Setup<RunConfig>, vestnik: &Vestnik, data: &RunData) -> Result<Measured> {
    let dev = data.dev();
    if !setup.config.calibrate {
        return measured::measure(vestnik, &dev, ProgressMode::None);
    }
    let (measured, calibration) = measured::calibrate(vestnik, &dev, ProgressMode::None)?;
    note(&format!(
        "calibrated on dev: temperature {}, {} least scores",
        calibration.temperature,
        calibration.min_scores.len()
    ));
    write_settings(setup, &metadata(setup).with_calibration(calibration))?;
    Ok(measured)
}

/// The model to be trained.
fn model(base: &ModelDir, setup: &Setup<RunConfig>) -> Result<TokenClassifier> {
    let tagger = tagger(base, setup)?;
    Ok(match setup.config.model.head {
        Some(HeadName::Crf) => tagger.with_crf()?,
        Some(HeadName::Softmax) => tagger.without_crf(),
        None => tagger,
    })
}

/// The pretrained encoder with a head for the labels of the run; without labels, the tagger that is there.
fn tagger(base: &ModelDir, setup: &Setup<RunConfig>) -> Result<TokenClassifier> {
    let settings = &setup.config.model;
    if settings.labels.is_empty() {
        return Ok(TokenClassifier::load(base, &setup.device)?.0);
    }
    let scheme = match settings.scheme {
        SchemeName::Bio => TagScheme::Bio,
        SchemeName::Bioes => TagScheme::Bioes,
    };
    let tags = TagSet::new(scheme, &LabelSet::new(&settings.labels)?);
    let labels = LabelSet::new(tags.labels())?;
    let (model, _) =
        TokenClassifier::with_fresh_head(base, &labels, setup.config.seed, &setup.device)?;
    Ok(model)
}

/// Reads all corpora; all defects of all files are told before anything is trained.
fn read(setup: &Setup<RunConfig>) -> Result<(TrainingData, RunData)> {
    let mut reading = Reading::flat();
    let mut data = TrainingData::default();
    let mut run_data = RunData::default();
    for (number, dataset) in setup.config.train.iter().enumerate() {
        let documents = documents(setup, (number, dataset), &mut reading, &mut data)?;
        run_data.add_train(&documents);
        data.train.push(TrainingCorpus {
            documents,
            weight: dataset.weight,
        });
    }
    for (number, dataset) in setup.config.dev.iter().enumerate() {
        let number = DEV + number;
        let documents = documents(setup, (number, dataset), &mut reading, &mut data)?;
        run_data.add_dev(&documents, &source_of(&dataset.path));
        data.dev.extend(documents);
    }
    reading.finish()?;
    Ok((data, run_data))
}

/// The format that the run file names for a corpus.
fn format(setup: &Setup<RunConfig>, dataset: &Dataset) -> Result<Option<Format>> {
    let named = dataset.format.as_deref().map(Format::from_str);
    Ok(named.transpose().map_err(|error| {
        Mistake::new(format!("{}: {error}", setup.path(&dataset.path).display()))
    })?)
}

/// The documents of one corpus in the languages asked for, as many as are wanted.
fn documents(
    setup: &Setup<RunConfig>,
    (number, dataset): (usize, &Dataset),
    reading: &mut Reading,
    data: &mut TrainingData,
) -> Result<Vec<Document>> {
    let path = setup.path(&dataset.path);
    let mut documents = reading.read_as(&path, format(setup, dataset)?);
    let in_file = documents.len();
    if !dataset.lang.is_empty() {
        documents.retain(|document| {
            document
                .lang()
                .is_some_and(|lang| dataset.lang.iter().any(|l| l == lang))
        });
    }
    if documents.is_empty() && in_file > 0 {
        let message = format!(
            "{}: no document in the languages {}",
            path.display(),
            dataset.lang.join(", ")
        );
        return Err(Mistake::new(message).into());
    }
    if let Some(limit) = dataset.limit {
        let drawn = draw_documents(documents.len(), limit, setup.config.seed, number);
        let mut drawn = drawn.into_iter().peekable();
        let mut place = 0..;
        documents.retain(|_| {
            drawn
                .next_if_eq(&place.next().unwrap_or_default())
                .is_some()
        });
    }
    if in_file > 0 {
        let file = setup.data_file(&dataset.path, documents.len())?;
        data.files.push(DataFile {
            spans_sha256: Some(sha256_documents(&documents)),
            ..file
        });
    }
    Ok(documents)
}

/// The finished model says in which windows it was trained, so that it is run in the same.
fn metadata(setup: &Setup<RunConfig>) -> Metadata {
    let windows = &setup.config.windows;
    Metadata::new(windows.max_tokens, windows.context)
}

fn write_metadata(setup: &Setup<RunConfig>) -> Result<()> {
    write_settings(setup, &metadata(setup))
}

fn write_settings(setup: &Setup<RunConfig>, metadata: &Metadata) -> Result<()> {
    let mut json = serde_json::to_vec_pretty(metadata)?;
    json.push(b'\n');
    Ok(write_file(
        &setup.out.join("model").join(SETTINGS_FILE),
        &json,
    )?)
}
