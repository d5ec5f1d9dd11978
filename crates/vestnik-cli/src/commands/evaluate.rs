//! `vestnik evaluate`: measures a model on annotated data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use vestnik_core::metrics::{Counts, EntityEvaluator, EntityScores, seqeval_scores};
use vestnik_core::{Document, Entity, LabelSet, OffsetMap, OffsetUnit};
use vestnik_infer::{Aggregation, Vestnik};

use crate::Outcome;
use crate::corpus::Reading;
use crate::failure::Mistake;
use crate::model::{self, ModelArgs};
use crate::output::{Output, print};
use crate::progress::{Progress, ProgressMode};

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
    /// Overwrite the file of predictions
    #[arg(long)]
    force: bool,
    /// Progress on standard error
    #[arg(long, value_enum, default_value_t)]
    progress: ProgressMode,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    task: &'static str,
    model: &'a str,
    documents: usize,
    tokens: usize,
    micro_f1: f64,
    macro_f1: f64,
    span_only_f1: f64,
    /// Chunks of words as seqeval counts them, over words of our own: close to `micro_f1`, equal where entities
    /// begin and end at words.
    seqeval_f1: f64,
    micro: Counts,
    per_label: BTreeMap<String, Counts>,
    per_lang: BTreeMap<String, Counts>,
    per_lang_label: BTreeMap<String, BTreeMap<String, Counts>>,
    span_only: Counts,
}

/// What has been measured so far.
#[derive(Default)]
struct Measured {
    evaluator: EntityEvaluator,
    gold_tags: Vec<Vec<String>>,
    predicted_tags: Vec<Vec<String>>,
    tokens: usize,
}

/// Documents that are handed to the model at once.
const CHUNK: usize = 64;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    model::refuse_unknown_tasks(std::slice::from_ref(&args.task))?;
    let mut predictions = args
        .predictions
        .as_deref()
        .map(|path| Output::open(Some(path), args.force))
        .transpose()?;
    let documents = read(&args.data)?;
    let vestnik = args.model.open(args.aggregation)?;
    refuse_unknown_labels(&documents, vestnik.entity_types())?;
    args.model.tell_device(&vestnik);
    let measured = measure(args, &vestnik, &documents, predictions.as_mut())?;
    if let Some(predictions) = predictions {
        predictions.commit()?;
    }
    let report = measured.report(&vestnik, documents.len())?;
    print(&if args.json {
        serde_json::to_string(&report)?
    } else {
        table(&report)
    })?;
    Ok(Outcome::Done)
}

fn read(paths: &[PathBuf]) -> Result<Vec<Document>> {
    let mut reading = Reading::nested();
    let documents = paths.iter().flat_map(|path| reading.read(path)).collect();
    reading.finish()?;
    Ok(documents)
}

/// A label that the model cannot give would only lower its score without a word.
fn refuse_unknown_labels(documents: &[Document], known: &LabelSet) -> Result<()> {
    let stranger = documents.iter().find_map(|document| {
        let entity = document
            .entities()
            .iter()
            .find(|e| known.id(&e.label).is_none())?;
        Some((document.id(), entity.label.as_str()))
    });
    let Some((id, label)) = stranger else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().collect();
    let message = format!("document {id:?} has the label {label:?}, which the model does not know");
    Err(Mistake::new(message)
        .hint(format!("the model knows {}", known.join(", ")))
        .into())
}

fn measure(
    args: &Args,
    vestnik: &Vestnik,
    documents: &[Document],
    mut predictions: Option<&mut Output>,
) -> Result<Measured> {
    let mut progress = Progress::new(args.progress, Some(documents.len() as u64));
    let mut measured = Measured::default();
    let mut done = 0;
    for chunk in documents.chunks(CHUNK) {
        let texts: Vec<&str> = chunk.iter().map(Document::text).collect();
        for (document, analysis) in chunk.iter().zip(vestnik.analyze_batch(&texts)?) {
            let entities = comparable(document, analysis.entities);
            if let Some(out) = predictions.as_deref_mut() {
                write_prediction(out, document, &entities)?;
            }
            measured.tokens += analysis.tokens;
            measured.add(document, &entities);
        }
        done += chunk.len() as u64;
        progress.update(done, || vec![("documents", done.into())]);
    }
    progress.finish(done, vec![("documents", done.into())]);
    Ok(measured)
}

/// The predictions that a document can judge: a type that it does not annotate is unknown there, not absent.
fn comparable(document: &Document, mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.retain(|entity| document.annotates(&entity.label));
    entities
}

#[derive(Serialize)]
struct Prediction<'a> {
    id: &'a str,
    lang: Option<&'a str>,
    text: &'a str,
    entities: Vec<PredictedEntity<'a>>,
}

#[derive(Serialize)]
struct PredictedEntity<'a> {
    start: usize,
    end: usize,
    label: &'a str,
    score: Option<f32>,
}

fn write_prediction(out: &mut Output, document: &Document, entities: &[Entity]) -> Result<()> {
    let map = OffsetMap::new(document.text(), OffsetUnit::Char);
    let entities = entities.iter().map(|entity| PredictedEntity {
        start: map.from_byte(entity.span.start()),
        end: map.from_byte(entity.span.end()),
        label: &entity.label,
        score: entity.score,
    });
    let record = Prediction {
        id: document.id(),
        lang: document.lang(),
        text: document.text(),
        entities: entities.collect(),
    };
    let line = serde_json::to_string(&record)?;
    writeln!(out, "{line}").context("cannot write the predictions")
}

impl Measured {
    fn add(&mut self, document: &Document, predicted: &[Entity]) {
        let gold: Vec<Entity> = comparable(document, document.entities().to_vec());
        self.evaluator
            .add(document.lang(), &gold, predicted, document.annotated());
        let words = vestnik_text::words(document.text());
        self.gold_tags.push(word_tags(&words, &gold));
        self.predicted_tags.push(word_tags(&words, predicted));
    }

    fn report<'a>(&self, vestnik: &'a Vestnik, documents: usize) -> Result<Report<'a>> {
        let seqeval = seqeval_scores(&self.gold_tags, &self.predicted_tags)?;
        let EntityScores {
            micro,
            macro_f1,
            per_label,
            per_lang,
            per_lang_label,
            span_only,
            ..
        } = self.evaluator.scores();
        Ok(Report {
            task: "ner",
            model: vestnik.name(),
            documents,
            tokens: self.tokens,
            micro_f1: micro.f1(),
            macro_f1,
            span_only_f1: span_only.f1(),
            seqeval_f1: seqeval.micro.f1(),
            micro,
            per_label,
            per_lang,
            per_lang_label,
            span_only,
        })
    }
}

/// BIO tags of words: a word belongs to the first entity that it overlaps.
fn word_tags(words: &[vestnik_core::Span], entities: &[Entity]) -> Vec<String> {
    let mut tags = Vec::with_capacity(words.len());
    let (mut next, mut previous) = (0, None);
    for word in words {
        while entities
            .get(next)
            .is_some_and(|e| e.span.end() <= word.start())
        {
            next += 1;
        }
        let inside = entities.get(next).filter(|e| e.span.overlaps(*word));
        tags.push(match inside {
            None => "O".to_owned(),
            Some(entity) if previous == Some(next) => format!("I-{}", entity.label),
            Some(entity) => format!("B-{}", entity.label),
        });
        previous = inside.map(|_| next);
    }
    tags
}

/// The table for a person.
fn table(report: &Report<'_>) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>10}{:>10}{:>10}\n",
        "", "precision", "recall", "F1", "gold"
    );
    row(&mut text, "all (strict)", report.micro);
    row(&mut text, "all (span only)", report.span_only);
    for (label, counts) in &report.per_label {
        row(&mut text, label, *counts);
    }
    for (lang, counts) in &report.per_lang {
        row(&mut text, lang, *counts);
    }
    let _ = write!(
        text,
        "macro F1 over labels {:.4}; seqeval F1 over words {:.4}; {} documents, {} tokens",
        report.macro_f1, report.seqeval_f1, report.documents, report.tokens
    );
    text
}

fn row(text: &mut String, name: &str, counts: Counts) {
    let _ = writeln!(
        text,
        "{name:<16}{:>10.4}{:>10.4}{:>10.4}{:>10}",
        counts.precision(),
        counts.recall(),
        counts.f1(),
        counts.gold()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestnik_core::Span;

    fn span(start: usize, end: usize) -> Span {
        Span::new(start, end).unwrap()
    }

    #[test]
    fn words_take_the_tag_of_the_entity_they_overlap() {
        let words = [span(0, 3), span(4, 7), span(8, 12), span(13, 15)];
        let entities = [
            Entity::new(span(0, 7), "PER"),
            Entity::new(span(9, 12), "LOC"),
            Entity::new(span(13, 15), "LOC"),
        ];
        assert_eq!(
            word_tags(&words, &entities),
            ["B-PER", "I-PER", "B-LOC", "B-LOC"]
        );
    }

    #[test]
    fn unannotated_types_are_left_out() {
        let document = Document::new("1", "Rada").with_annotated(["ORG"]);
        let entities = vec![
            Entity::new(span(0, 4), "EVT"),
            Entity::new(span(0, 4), "ORG"),
        ];
        let kept = comparable(&document, entities);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].label, "ORG");
    }
}
