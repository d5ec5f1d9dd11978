//! `vestnik train`: fine-tunes a model on annotated data.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use vestnik_core::{Document, LabelSet, TagScheme, TagSet};
use vestnik_data::{Format, sha256_documents, sha256_file};
use vestnik_infer::{HeadMetadata, Metadata, Options, Vestnik};
use vestnik_model::{
    HeadKind, HeadOptions, ModelDir, MultiTaskModel, SETTINGS_FILE, TokenClassifier, write_file,
};
use vestnik_train::{
    DataFile, Dataset, Event, HeadConfig, HeadName, RunConfig, RunRecord, SchemeName, Teacher,
    Trainer, TrainingCorpus, TrainingData, draw_documents,
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

mod calibration;
mod grid;
mod labelled;
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
    let has_tags = model.labels().is_some();
    let teacher = teacher(setup)?;
    let (mut data, run_data) = read(setup)?;
    let dev_files = data.files[config.train.len()..].to_vec();
    let dev_files: Vec<DataFile> = dev_files
        .into_iter()
        .zip(&config.dev)
        .filter(|(_, dataset)| dataset.is_ner())
        .map(|(file, _)| file)
        .collect();
    add_teacher(setup, teacher, &mut data);
    let dev_texts = match config.calibrate {
        true => data.dev_texts.clone(),
        false => Vec::new(),
    };
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
    drop(trainer);
    let metadata = metadata(setup).with_heads(calibration::heads(setup, &dev_texts)?);
    write_settings(setup, &metadata)?;
    if !has_tags {
        report::run::write_curves(&setup.out, &record)?;
        setup.tell_report();
        return Ok(record);
    }
    let options = Options::default().with_device(setup.choice);
    let vestnik =
        Vestnik::from_dir_with(setup.out.join("model"), &options)?.with_name(setup.name());
    let measured = measure(setup, &vestnik, &run_data, metadata)?;
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
fn measure(
    setup: &Setup<RunConfig>,
    vestnik: &Vestnik,
    data: &RunData,
    metadata: Metadata,
) -> Result<Measured> {
    let dev = data.dev();
    if !setup.config.calibrate || dev.is_empty() {
        return measured::measure(vestnik, &dev, ProgressMode::None);
    }
    note("the model reads the dev data to be calibrated");
    let (measured, calibration) = measured::calibrate(vestnik, &dev, ProgressMode::None)?;
    note(&format!(
        "calibrated on dev: temperature {}, {} least scores",
        calibration.temperature,
        calibration.min_scores.len()
    ));
    write_settings(setup, &metadata.with_calibration(calibration))?;
    Ok(measured)
}

/// The model to be trained, with the heads that the run file names.
fn model(base: &ModelDir, setup: &Setup<RunConfig>) -> Result<MultiTaskModel> {
    let settings = &setup.config.model;
    let heads: Vec<HeadOptions> = settings.heads.iter().map(HeadConfig::options).collect();
    let is_tagger = base.config().head() == Some(HeadKind::TokenClassification);
    let seed = setup.config.seed;
    let model = if settings.labels.is_empty() && !is_tagger && !heads.is_empty() {
        refuse_tag_settings(setup)?;
        MultiTaskModel::with_fresh_heads(base, None, &heads, seed, &setup.device)?.0
    } else {
        let tagger = tagger(base, setup)?;
        let tagger = match settings.head {
            Some(HeadName::Crf) => tagger.with_crf()?,
            Some(HeadName::Softmax) => tagger.without_crf(),
            None => tagger,
        };
        match heads.is_empty() {
            true => tagger.into(),
            false => tagger.with_heads(&heads, seed)?,
        }
    };
    keep_heads(base, &model, &heads)?;
    Ok(model)
}

/// Without labels of entities there is nothing that settings of their head could mean.
fn refuse_tag_settings(setup: &Setup<RunConfig>) -> Result<()> {
    let config = &setup.config;
    let data = || config.train.iter().chain(&config.dev);
    let reason = if config.model.head.is_some() {
        "model.head is set"
    } else if data().any(Dataset::is_ner) {
        "corpora of the task ner are there"
    } else {
        return Ok(());
    };
    let base = config.model.base.display();
    let message = format!("{reason}, but the run file has no model.labels and {base} is no tagger");
    Err(Mistake::new(message)
        .hint("name the types of entities in model.labels, or the task of the corpora")
        .into())
}

/// A head that the base model has with the same labels is not learnt anew.
fn keep_heads(base: &ModelDir, model: &MultiTaskModel, heads: &[HeadOptions]) -> Result<()> {
    let Some(settings) = base.settings().filter(|_| !heads.is_empty()) else {
        return Ok(());
    };
    let there = Metadata::parse(settings)?.head_options();
    let kept = heads.iter().filter(|head| there.contains(head));
    let kept: Vec<&str> = kept.map(|head| head.task.as_str()).collect();
    if !kept.is_empty() {
        model.take_heads(base, &kept)?;
        note(&format!(
            "goes on from the heads of the base model: {}",
            kept.join(", ")
        ));
    }
    Ok(())
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
        if let Some(head) = head_of(setup, dataset) {
            let corpus = labelled::corpus(setup, (number, dataset), head, &mut reading)?;
            data.files.push(corpus.file);
            let texts = corpus.texts.as_ref();
            run_data.add_texts(texts.map_or(&[], |corpus| &corpus.texts));
            data.texts.extend(corpus.texts);
            continue;
        }
        let documents = documents(setup, (number, dataset), &mut reading, &mut data)?;
        run_data.add_train(&documents);
        data.train.push(TrainingCorpus {
            documents,
            weight: dataset.weight,
        });
    }
    for (number, dataset) in setup.config.dev.iter().enumerate() {
        let number = DEV + number;
        if let Some(head) = head_of(setup, dataset) {
            let corpus = labelled::corpus(setup, (number, dataset), head, &mut reading)?;
            data.files.push(corpus.file);
            data.dev_texts.extend(corpus.texts);
            continue;
        }
        let documents = documents(setup, (number, dataset), &mut reading, &mut data)?;
        run_data.add_dev(&documents, &source_of(&dataset.path));
        data.dev.extend(documents);
    }
    reading.finish()?;
    Ok((data, run_data))
}

/// The head that a corpus is for; `None` for entities.
fn head_of<'a>(setup: &'a Setup<RunConfig>, dataset: &Dataset) -> Option<&'a HeadConfig> {
    let mut heads = setup.config.model.heads.iter();
    heads.find(|head| head.task == dataset.task)
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
    let about = |place: usize| (documents[place].lang(), documents[place].text());
    let chosen = chosen(setup, (number, dataset), in_file, about)?;
    let mut place = 0..;
    documents.retain(|_| chosen.contains(&place.next().unwrap_or_default()));
    if in_file > 0 {
        let file = setup.data_file(&dataset.path, documents.len())?;
        data.files.push(DataFile {
            spans_sha256: Some(sha256_documents(&documents)),
            ..file
        });
    }
    Ok(documents)
}

/// The places of the documents of a corpus that are asked for: in these languages, of these parts, as many as are wanted.
/// `about` gives language and text of each.
fn chosen<'a>(
    setup: &Setup<RunConfig>,
    (number, dataset): (usize, &Dataset),
    in_file: usize,
    about: impl Fn(usize) -> (Option<&'a str>, &'a str),
) -> Result<BTreeSet<usize>> {
    let is_wanted = |lang: Option<&str>| {
        let wanted = &dataset.lang;
        wanted.is_empty() || lang.is_some_and(|lang| wanted.iter().any(|l| l == lang))
    };
    let fitting: Vec<usize> = (0..in_file)
        .filter(|&place| {
            let (lang, text) = about(place);
            is_wanted(lang) && dataset.takes(text)
        })
        .collect();
    if fitting.is_empty() && in_file > 0 {
        let path = setup.path(&dataset.path);
        let (path, lang) = (path.display(), dataset.lang.join(", "));
        let message = match dataset.lang.is_empty() {
            true => format!("{path}: no document in the part that is asked for"),
            false => format!("{path}: no document in the languages {lang}"),
        };
        return Err(Mistake::new(message).into());
    }
    let limit = dataset.limit.unwrap_or(usize::MAX);
    let drawn = draw_documents(fitting.len(), limit, setup.config.seed, number);
    Ok(drawn.into_iter().map(|place| fitting[place]).collect())
}

/// The finished model says in which windows it was trained, so that it is run in the same, and which heads it has.
fn metadata(setup: &Setup<RunConfig>) -> Metadata {
    let windows = &setup.config.windows;
    let heads = setup.config.model.heads.iter();
    let heads = heads.map(|head| HeadMetadata::new(&head.options()));
    Metadata::new(windows.max_tokens, windows.context).with_heads(heads.collect())
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
