//! `vestnik evaluate --task TASK` for the heads that label texts and spans.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;
use vestnik_core::metrics::{Counts, LabelEvaluator, LabelScores};
use vestnik_infer::{HeadFit, HeadMetadata, LabelledLogits, Metadata};
use vestnik_model::{HeadKind, ModelDir, MultiTaskModel};
use vestnik_train::{
    EvaluationOptions, ItemLogits, LabelledCorpus, LabelledText, NER, WindowConfig, evaluate_head,
};

use super::Args;
use super::calibrated_model::CalibratedModel;
use crate::Outcome;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::labelled::Labels;
use crate::output::{note, print};

/// The task of a head that is asked for; `None`: entities. A model without entities that has one head is asked for that.
pub(super) fn asked(args: &Args) -> Result<Option<String>> {
    if let Some(task) = &args.task {
        return Ok((task != NER).then(|| task.clone()));
    }
    if args.compare.is_some() {
        return Ok(None);
    }
    let (dir, _) = args.model.open_directory()?;
    let metadata = dir.settings().map(Metadata::parse).transpose()?;
    let heads = metadata.map(|metadata| metadata.heads).unwrap_or_default();
    match heads.as_slice() {
        [only] if dir.config().head() != Some(HeadKind::TokenClassification) => {
            Ok(Some(only.task.clone()))
        }
        _ => Ok(None),
    }
}

/// Measures the head of a task.
pub(super) fn run(args: &Args, task: &str) -> Result<Outcome> {
    refuse_arguments_of_entities(args)?;
    let place = args
        .calibrate
        .then(|| CalibratedModel::open(args))
        .transpose()?;
    let (dir, device) = args.model.open_directory()?;
    let metadata = dir.settings().map(Metadata::parse).transpose()?;
    let head = head(task, metadata.as_ref())?;
    let corpora = corpora(args, head)?;
    args.model.tell_device(&device);
    let (model, _) = MultiTaskModel::load_frozen(&dir, &[head.options()], &device)?;
    let options = options(&dir, metadata.as_ref());
    let found = evaluate_head(&model, &dir.tokenizer()?, &corpora, task, &options)?;
    let examples: Vec<LabelledLogits> = found.items.iter().map(labelled).collect();
    let mut head = head.clone();
    let fit = place.is_some().then(|| head.fit(&examples));
    if let Some(fit) = &fit {
        head = head.with_calibration(fit.calibration.clone());
    }
    let documents = corpora.iter().map(|corpus| corpus.texts.len()).sum();
    let name = args.model.name();
    let summary = Summary::new(&name, &head, (documents, &found.items), fit.as_ref());
    if let (Some(place), Some(metadata)) = (place, metadata) {
        store(place, metadata, &head)?;
    }
    print(&match args.json {
        true => serde_json::to_string(&summary)?,
        false => table(&summary),
    })?;
    Ok(Outcome::Done)
}

fn refuse_arguments_of_entities(args: &Args) -> Result<()> {
    let given = [
        (args.compare.is_some(), "--compare"),
        (args.predictions.is_some(), "--predictions"),
        (args.report.is_some(), "--report"),
        (!args.train_data.is_empty(), "--train-data"),
    ];
    match given.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, name)) => Err(Mistake::new(format!("{name} is for entities alone"))
            .hint("leave it out, or measure --task ner")
            .into()),
    }
}

/// The head of a task.
fn head<'a>(task: &str, metadata: Option<&'a Metadata>) -> Result<&'a HeadMetadata> {
    let heads = metadata.map_or(&[][..], |metadata| &metadata.heads);
    if let Some(head) = heads.iter().find(|head| head.task == task) {
        return Ok(head);
    }
    let names = heads.iter().map(|head| head.task.as_str());
    let names: Vec<&str> = std::iter::once("ner").chain(names).collect();
    let message = format!("the model has no head for the task {task:?}");
    Err(Mistake::new(message)
        .hint(format!("it has: {}", names.join(", ")))
        .into())
}

/// The data, with the labels of the head.
fn corpora(args: &Args, head: &HeadMetadata) -> Result<Vec<LabelledCorpus>> {
    let options = head.options();
    let labels = match &args.map {
        None => Labels::default(),
        Some(path) => Labels::read(path, &options)?,
    };
    let mut reading = Reading::flat();
    let read = args
        .data
        .iter()
        .map(|path| (path, reading.labelled(path, head.reads)));
    let read: Vec<(&PathBuf, _)> = read.collect();
    reading.finish()?;
    let parts = read.into_iter().map(|(path, texts)| {
        let mut texts = texts.unwrap_or_default();
        texts.retain(|text| args.part.takes(&text.text));
        (path, texts)
    });
    let parts: Vec<(&PathBuf, Vec<LabelledText>)> = parts.collect();
    let is_empty = parts.iter().all(|(_, texts)| texts.is_empty());
    args.part.refuse_empty(&args.data, is_empty)?;
    parts
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .map(|(path, texts)| {
            Ok(LabelledCorpus {
                task: head.task.clone(),
                texts: labels.given_to(texts, path, &options)?,
                known: labels.known.clone(),
                weight: 1.0,
                max_windows: None,
            })
        })
        .collect()
}

/// The windows of training, as articles are read.
fn options(dir: &ModelDir, metadata: Option<&Metadata>) -> EvaluationOptions {
    let positions = dir.max_tokens().saturating_sub(2);
    let windows = match metadata {
        Some(metadata) => WindowConfig {
            max_tokens: metadata.window.tokens,
            context: metadata.window.context,
        },
        None => WindowConfig {
            max_tokens: positions,
            context: positions / 8,
        },
    };
    EvaluationOptions::new(windows.options())
}

/// The logits of an item as they are calibrated on.
pub(crate) fn labelled(item: &ItemLogits) -> LabelledLogits {
    LabelledLogits {
        logits: item.logits.clone(),
        gold: item.gold.clone(),
        known: item.known.clone(),
    }
}

fn store(place: CalibratedModel, metadata: Metadata, head: &HeadMetadata) -> Result<()> {
    let mut heads = metadata.heads.clone();
    for other in heads.iter_mut().filter(|other| other.task == head.task) {
        *other = head.clone();
    }
    let folder = place.write(&metadata.with_heads(heads))?;
    note(&format!(
        "the calibrated model is in {}; judge it on data that it was not calibrated on",
        folder.display()
    ));
    Ok(())
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    task: &'a str,
    model: &'a str,
    documents: usize,
    #[serde(flatten)]
    scores: LabelScores,
    /// What logits are divided by, and from which score on labels hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration<'a>>,
}

#[derive(Serialize)]
struct Calibration<'a> {
    temperature: f64,
    thresholds: &'a BTreeMap<String, f64>,
    /// Present when it was fitted on these very data.
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<Fit<'a>>,
}

#[derive(Serialize)]
struct Fit<'a> {
    /// Mean negative log-likelihood of the labels, in nats.
    loss_before: f64,
    loss_after: f64,
    /// Labels with too few examples for a threshold.
    rare: &'a [String],
}

impl<'a> Summary<'a> {
    fn new(
        model: &'a str,
        head: &'a HeadMetadata,
        (documents, items): (usize, &[ItemLogits]),
        fit: Option<&'a HeadFit>,
    ) -> Self {
        let calibration = head.calibration.as_ref().map(|calibration| Calibration {
            temperature: calibration.temperature,
            thresholds: &calibration.thresholds,
            fit: fit.map(|fit| Fit {
                loss_before: fit.loss_before,
                loss_after: fit.loss_after,
                rare: &fit.rare,
            }),
        });
        Self {
            task: &head.task,
            model,
            documents,
            scores: scores(head, items),
            calibration,
        }
    }
}

/// Scores of the labels that hold by the calibration of the head.
fn scores(head: &HeadMetadata, items: &[ItemLogits]) -> LabelScores {
    let mut evaluator = LabelEvaluator::new(head.labels.clone());
    for item in items {
        let (lang, known) = (item.lang.as_deref(), item.known.as_deref());
        evaluator.add(lang, &item.gold, &head.held(&item.logits), known);
    }
    evaluator.scores()
}

/// The table for a person.
fn table(summary: &Summary<'_>) -> String {
    let scores = &summary.scores;
    let names = scores.per_label.keys().chain(scores.per_lang.keys());
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0) + 2;
    let mut text = format!(
        "{:<width$}{:>10}{:>10}{:>10}{:>10}\n",
        "", "precision", "recall", "F1", "gold"
    );
    for (label, counts) in &scores.per_label {
        row(&mut text, width, label, *counts);
    }
    let _ = writeln!(
        text,
        "{:<width$}{:>10}{:>10}{:>10}{:>10}",
        "", "accuracy", "macro F1", "micro F1", "examples"
    );
    let mut measures = |name: &str, [accuracy, macro_f1, micro_f1]: [f64; 3], examples: u64| {
        let _ = writeln!(
            text,
            "{name:<width$}{accuracy:>10.4}{macro_f1:>10.4}{micro_f1:>10.4}{examples:>10}"
        );
    };
    let all = [scores.accuracy, scores.macro_f1, scores.micro_f1];
    measures("all", all, scores.examples);
    for (lang, own) in &scores.per_lang {
        let own_scores = [own.accuracy, own.macro_f1, own.micro_f1];
        measures(lang, own_scores, own.examples);
    }
    let _ = write!(text, "{} documents", summary.documents);
    if let Some(f1) = scores.macro_f1_without_neutral {
        let _ = write!(text, "; macro F1 without neutral {f1:.4}");
    }
    if let Some(calibration) = &summary.calibration {
        text.push_str(&told(calibration));
    }
    text
}

fn told(calibration: &Calibration<'_>) -> String {
    let mut text = format!("\ncalibration: temperature {}", calibration.temperature);
    for (label, threshold) in calibration.thresholds {
        let _ = write!(text, ", {label} from {threshold}");
    }
    if let Some(fit) = &calibration.fit {
        let (before, after) = (fit.loss_before, fit.loss_after);
        let _ = write!(text, "\nloss of labels {before:.4}, now {after:.4}");
        if !fit.rare.is_empty() {
            let rare = fit.rare.join(", ");
            let _ = write!(text, "\ntoo few examples for a threshold: {rare}");
        }
    }
    text
}

fn row(text: &mut String, width: usize, name: &str, counts: Counts) {
    let _ = writeln!(
        text,
        "{name:<width$}{:>10.4}{:>10.4}{:>10.4}{:>10}",
        counts.precision(),
        counts.recall(),
        counts.f1(),
        counts.gold()
    );
}
